"""`ls` and `info`: what is stored, and where."""

from __future__ import annotations

from argparse import Namespace
from contextlib import suppress
from pathlib import Path

from capsa.client.holdings import find_holdings
from capsa.client.reading import Reader
from capsa.core.caps import format_cap
from capsa.core.catalog.entries import VersionEntry
from capsa.core.ids import format_id
from capsa.core.inquiries import Peers, PeersTold
from capsa.core.names import SEPARATOR, check_key, check_prefix
from capsa.core.pages import Kind
from capsa.errors import CapsaError
from capsa.faces.cli.exits import Exit
from capsa.faces.cli.finding import find_version
from capsa.faces.cli.gathering import gathering
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.output import Screen, one_line
from capsa.faces.cli.passphrases import Unlock, unlock_of
from capsa.faces.cli.quantities import count_of, rfc3339, show_size
from capsa.faces.cli.running import run
from capsa.faces.cli.start import SETTLE_SECONDS, at_home


def ls(options: Namespace, screen: Screen) -> int:
    """List the keys that begin with a prefix, in order."""
    return run(_ls(home_root(options), unlock_of(options), check_prefix(options.prefix), screen))


async def _ls(root: Path, unlock: Unlock, prefix: str, screen: Screen) -> int:
    async with at_home(root, unlock=unlock) as context:
        snapshot, reader = await context.files().catalog.snapshot(), context.reader()
        async with gathering(screen):
            async for view in snapshot.scan(prefix):
                version = view.versions[0]
                target = "" if screen.json else await _target(reader, version)
                screen.document(_line(version))
                screen.result(f"{_size(version):>9}  {_mtime(version)}  {version.key}{target}")
    return Exit.DONE


def _size(version: VersionEntry) -> str:
    """What stands in the column of sizes."""
    return show_size(version.size) if version.kind is Kind.FILE else version.kind.name.lower()


async def _target(reader: Reader, version: VersionEntry) -> str:
    """What stands behind a key: where a link leads, as far as that can be found out, or a folder's slash."""
    if version.kind is Kind.LINK:
        with suppress(CapsaError):
            return f" -> {one_line((await reader.open(version.cap)).link_target)}"
        return " -> ?"
    return SEPARATOR if version.kind is Kind.FOLDER else ""


def info(options: Namespace, screen: Screen) -> int:
    """One file: what it is, in how many copies it lies where."""
    return run(_info(home_root(options), unlock_of(options), check_key(options.key), screen))


async def _info(root: Path, unlock: Unlock, key: str, screen: Screen) -> int:
    async with at_home(root, unlock=unlock, settle=SETTLE_SECONDS) as context:
        version = await find_version(context, key)
        holdings = await find_holdings(context.link, version.cap)
        target = await _target(context.reader(), version)
        names = {line.node: line.name for line in (await context.link.ask(Peers(), PeersTold)).nodes}
    wanted = version.copies + 1
    screen.document(
        {
            **_line(version),
            "blocks": holdings.blocks,
            "copies": {"least": holdings.least, "wanted": wanted},
            "holders": {format_id(node): count for node, count in holdings.holders.items()},
        }
    )
    what = f"{version.media_type}, {show_size(version.size)}" if version.kind is Kind.FILE else _size(version)
    screen.result(f"{version.key}{target}\n  {what}, {_mtime(version)}")
    blocks, copies = count_of(holdings.blocks, "block"), count_of(holdings.least, "copy", "copies")
    screen.result(f"  {blocks}, {'each ' if holdings.blocks > 1 else ''}in {copies} or more; {wanted} wanted")
    for node, count in sorted(holdings.holders.items(), key=lambda item: -item[1]):
        here = " (this home)" if node == context.home.node else ""
        screen.result(f"  {count:6} on {format_id(node)[:12]} {names.get(node, '')}{here}")
    return Exit.DONE


def _line(version: VersionEntry) -> dict[str, object]:
    return {
        "key": version.key,
        "kind": version.kind.name.lower(),
        "size": version.size,
        "media_type": version.media_type,
        "mtime": _mtime(version),
        "cap": format_cap(version.cap),
    }


def _mtime(version: VersionEntry) -> str:
    return rfc3339(version.mtime_ns / 1e9)
