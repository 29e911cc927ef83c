"""A node among others, judged: can it be dialled, who is there, and is everything kept in enough copies?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capsa.core.diagnosis.findings import Finding, Level

_ADDRESSES = "addresses"
_PEERS = "peers"
_NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Peer:
    """Another node: what to call it, its state by its silence, and whether it was ever heard."""

    name: str
    state: str
    heard: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of dialling an address: `expected`, `other` (somebody else is there) or `silent`."""

    whose: str
    address: str
    outcome: str


def judge_port(address: str, *, problem: str) -> Finding:
    """Whether an address can be listened on: by the running node, or by the one that is to be started."""
    if problem:
        return Finding(
            "port",
            Level.ERROR,
            f"Nobody can listen on {address}: {problem}.",
            "End whatever uses that port, or choose another with 'capsa up --listen'.",
        )
    return Finding("port", Level.OK, f"{address} can be listened on.")


def judge_own_addresses(answers: Sequence[Answer], *, listening: bool, reachable: str) -> Finding:
    """What others are told to dial: does this very node answer there?"""
    if not answers:
        told = "Others are told no address of this node" if listening else "This node does not listen"
        return Finding(
            _ADDRESSES,
            Level.NOTE,
            f"{told}: it dials them itself, which is fine while one of them can be dialled.",
        )
    if strangers := [answer.address for answer in answers if answer.outcome == "other"]:
        return Finding(
            _ADDRESSES,
            Level.ERROR,
            f"Others are told to dial {_listed(strangers)}, where somebody else answers.",
            "Tell them the right address with 'capsa up --advertise URL', or mend the forwarding of that port.",
        )
    if reachable == "yes":
        return Finding(_ADDRESSES, Level.OK, "Other nodes have dialled this one.")
    if any(answer.outcome == "expected" for answer in answers):
        return Finding(
            _ADDRESSES,
            Level.NOTE,
            "This node answers at its own address; no other node has dialled it so far.",
            "If none ever does: forward the port in the router, and tell its address with 'capsa up --advertise URL'.",
        )
    return Finding(
        _ADDRESSES,
        Level.WARNING,
        f"Nobody answers from here at {_listed([answer.address for answer in answers])}, and no other node has dialled "
        "this one.",
        "Open the port in the firewall, or forward it in the router and tell its address with 'capsa up --advertise "
        "URL'. Without, this node works as long as it can dial a member.",
    )


def judge_peers(peers: Sequence[Peer], *, copies: int, owners: int) -> list[Finding]:
    """Who is there, and whether they are enough for the copies that the network wants besides the home's."""
    if not peers:
        return [
            Finding(
                _PEERS,
                Level.WARNING,
                "No other node is known: all that is stored lies on this disk only.",
                "Invite others with 'capsa invite', or run 'capsa up --peer URL' with the address of a member.",
            )
        ]
    findings = [_judge_silence(peers)]
    if len(peers) < copies:
        findings.append(
            Finding(
                "size",
                Level.WARNING,
                f"{_count(len(peers), 'other node')} cannot hold the {copies} copies that this network wants.",
                "Invite more members with 'capsa invite', or put with fewer --copies.",
            )
        )
    elif owners - 1 < copies:
        findings.append(
            Finding(
                "size",
                Level.NOTE,
                f"The nodes of {_count(owners - 1, 'other owner')} hold {copies} copies: some owner holds several.",
                "Copies are safest with different owners: invite more with 'capsa invite'.",
            )
        )
    return findings


def _judge_silence(peers: Sequence[Peer]) -> Finding:
    alive = [peer for peer in peers if peer.state == "alive"]
    never = [peer.name for peer in peers if not peer.heard]
    if not alive:
        return Finding(
            _PEERS,
            Level.ERROR,
            f"None of {_count(len(peers), 'other node')} answers.",
            "Check the connection of this machine; or give the address of a member with 'capsa up --peer URL'.",
        )
    if len(alive) < len(peers):
        silent = [peer.name for peer in peers if peer.state != "alive"]
        more = f"; never heard of: {_listed(never)}" if never else ""
        return Finding(
            _PEERS,
            Level.NOTE,
            f"{len(alive)} of {_count(len(peers), 'other node')} answer; silent: {_listed(silent)}{more}.",
            "Home machines sleep: what is short of copies is sent when they are back.",
        )
    return Finding(
        _PEERS, Level.OK, f"{_count(len(alive), 'other node')} {'answers' if len(alive) == 1 else 'answer'}."
    )


def judge_answers(answers: Sequence[Answer]) -> list[Finding]:
    """Members at whose addresses somebody else answers."""
    return [
        Finding(
            "member",
            Level.WARNING,
            f"At {answer.address}, the address of {answer.whose}, somebody else answers.",
            "Nothing was told to whoever that is. Let its owner check what the node advertises.",
        )
        for answer in answers
        if answer.outcome == "other"
    ]


def judge_membership(*, admitted: bool, refusal: str) -> Finding:
    """Whether this home is one of the network's."""
    if admitted:
        return Finding("membership", Level.OK, "This home is a member of its network.")
    because = f" ({refusal.rstrip('.')})" if refusal else ""
    return Finding(
        "membership",
        Level.WARNING,
        f"No member has admitted this home yet{because}.",
        "Let a member's node run, and 'capsa up' here; an invite that was used up or expired needs a new one.",
    )


def judge_copies(short: int) -> Finding:
    """Claims that are short of copies."""
    if short:
        return Finding(
            "copies",
            Level.WARNING,
            f"{_count(short, 'claim')} of this home {'is' if short == 1 else 'are'} short of copies.",
            "Keep 'capsa up' running: the node completes them as soon as members with room are there.",
        )
    return Finding("copies", Level.OK, "Everything that was stored from here has its copies, as far as is known.")


def judge_damage(damaged: int) -> Finding:
    """Blocks on this disk that are not what they were."""
    if damaged:
        return Finding(
            "blocks",
            Level.ERROR,
            f"{_count(damaged, 'block')} on this disk {'is' if damaged == 1 else 'are'} damaged.",
            "Check the disk: it forgets what was written. Files are read from other nodes meanwhile.",
        )
    return Finding("blocks", Level.OK, "No damaged block is known.")


def judge_keys_elsewhere(*, duplicate: bool, forks: int, alarms: int) -> list[Finding]:
    """Signs that keys are in two places, or that an invite was used twice."""
    findings = []
    if duplicate:
        findings.append(
            Finding(
                "duplicate",
                Level.ERROR,
                "Another process runs with a copy of this home, so nothing new is stored from either.",
                "End one of the two and remove its copy, then start the other again; for a second device, make a home "
                "of its own with 'capsa recover'.",
            )
        )
    if forks:
        findings.append(
            Finding(
                "catalogs",
                Level.WARNING,
                f"{_count(forks, 'device')} signed two catalogs of one number.",
                "A home was copied, or taken back to an older state: let its owner make it anew with 'capsa recover'.",
            )
        )
    if alarms:
        findings.append(
            Finding(
                "invites",
                Level.WARNING,
                f"{_count(alarms, 'invite')} let in more than one owner.",
                "Ask whoever was invited whether they know the others ('capsa peers').",
            )
        )
    return findings


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
