"""What `doctor` finds out by the home's node: who is there, who answers where, what is short. Judged in
`capsa.core.diagnosis.network`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from capsa.client.link import HomeLink
from capsa.core import commands as c
from capsa.core import inquiries as q
from capsa.core.diagnosis import machine
from capsa.core.diagnosis import network as judge
from capsa.core.diagnosis.findings import Finding
from capsa.core.diagnosis.home import Process
from capsa.core.ids import format_id
from capsa.errors import CapsaError, HomeInUseError
from capsa.faces.cli.doctor.examining import newest_file
from capsa.faces.cli.start import HomeContext, at_home
from capsa.net.local import connect
from capsa.net.transports.unix import UnixTransport
from capsa.node.home import Home

ANSWER_SECONDS: Final = 3.0
"""Within which the home's node says that it is there."""
NETWORK_SECONDS: Final = 12.0
"""Within which all has been asked."""
SETTLE_SECONDS: Final = 3.0
"""For a node of our own, to meet the others."""
_PEERS_PROBED_MAX: Final = 8


async def look_at_process(home: Home) -> Process:
    """Who has the home in use."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            session = await connect(UnixTransport(), home.socket, c.COMMAND_MESSAGES)
            try:
                reply = await session.call(c.Greet(), timeout=ANSWER_SECONDS)
            finally:
                session.close()
    except (CapsaError, TimeoutError):
        holder = _holder(home)
        return Process(held=holder is not None, answers=False, holder=holder or "")
    serving = isinstance(reply.body, c.Greeted) and reply.body.serving
    return Process(held=True, answers=True, serving=serving)


def _holder(home: Home) -> str | None:
    """A sentence on who holds the home; None if nobody does."""
    try:
        with home.locked():
            return None
    except HomeInUseError as held:
        return held.message


async def check_network(root: Path, disk: machine.DiskFacts) -> list[Finding]:
    """Everything that only a node can say; raises what keeps it from saying so."""
    async with asyncio.timeout(NETWORK_SECONDS), at_home(root, settle=SETTLE_SECONDS) as context:
        link = context.link
        status = await link.ask(q.Status(), q.StatusTold)
        lines = (await link.ask(q.Peers(), q.PeersTold)).nodes
        facts = await link.ask(q.Examine(), q.Examined)
        others = [line for line in lines if line.node != context.home.node]
        findings = [
            judge.judge_membership(admitted=status.admitted, refusal=context.facts.refusal),
            machine.judge_clock(time.time(), newest_file=newest_file(root), ahead=facts.clocks_ahead),
        ]
        if context.facts.serving:
            findings.append(machine.judge_capacity(capacity=facts.capacity, used=facts.used, disk=disk))
            findings.append(await _own_addresses(context, facts, status.reachable))
        findings += judge.judge_peers([_peer(line) for line in others], copies=facts.copies, owners=facts.owners)
        findings += judge.judge_answers(await _answers(link, others))
        findings += [judge.judge_copies(status.underreplicated), judge.judge_damage(status.damaged)]
        findings += judge.judge_keys_elsewhere(duplicate=facts.duplicate, forks=status.forks, alarms=status.alarms)
        return findings


async def _own_addresses(context: HomeContext, facts: q.Examined, reachable: str) -> Finding:
    probes = [("this node", address, context.home.node) for address in facts.advertised]
    answers = await _probe(context.link, probes)
    return judge.judge_own_addresses(answers, listening=bool(facts.listening), reachable=reachable)


async def _answers(link: HomeLink, others: Sequence[q.PeerLine]) -> list[judge.Answer]:
    """Who answers where members that are silent say they are; those that are there proved who they are."""
    silent = [line for line in others if line.state != "alive" and line.addresses][:_PEERS_PROBED_MAX]
    return await _probe(link, [(_called(line), line.addresses[0], line.node) for line in silent])


async def _probe(link: HomeLink, probes: Sequence[tuple[str, str, bytes]]) -> list[judge.Answer]:
    async def probe(whose: str, address: str, node: bytes) -> judge.Answer:
        told = await link.ask(q.Probe(address, node), q.Probed)
        return judge.Answer(whose, address, told.outcome)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(probe(*each)) for each in probes]
    return [task.result() for task in tasks]


def _peer(line: q.PeerLine) -> judge.Peer:
    return judge.Peer(_called(line), line.state, heard=line.seen_seconds_ago >= 0)


def _called(line: q.PeerLine) -> str:
    return line.name or format_id(line.node)[:12]
