"""`capsa.toml`: the options of `up` that a home remembers (docs/settings.md). People may edit it.

What they wrote around the settings, and in which order, stays when a setting changes.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, TypeAlias

from capsa.core.statements import check_name
from capsa.errors import UsageError, from_os_error
from capsa.faces.cli.addresses import NOWHERE, advertised_addresses, listen_addresses, peer_addresses
from capsa.faces.cli.quantities import parse_size

SETTINGS_FILE: Final = "capsa.toml"
_SIZE_MAX: Final = 64 * 1024
_MENDING: Final = "Mend it, or remove it."
_HEADER: Final = """\
# Options of 'capsa up', remembered from the last time; those given to it replace these.
# You may edit this file while the node is down: your comments stay. A setting that is left out has its default.
"""
_ABOUT: Final = {
    "listen": ("where to listen; [] is nowhere, port 0 any free port", '["tcp://0.0.0.0:4747"]'),
    "peers": ("members to dial first, besides those that the home was made with", '["tcp://host:4747"]'),
    "advertise": (
        "what others are told to dial, in place of where this node listens: a public name, a router's\n"
        "# forwarded port; [] tells them nothing",
        '["tcp://home.example.net:4747"]',
    ),
    "capacity": ('what to keep for others at most: bytes, or a size such as "200GB"; 0 is nothing', '"200GB"'),
    "zone": ("a place that may fail as a whole, such as a house", '"attic"'),
}
"""For each setting what it is for, and an example."""

_Value: TypeAlias = tuple[str, ...] | int | str


@dataclass(frozen=True, slots=True)
class Remembered:
    """Each option as it was last given; None where it never was. `capacity` in bytes."""

    listen: tuple[str, ...] | None = None
    peers: tuple[str, ...] | None = None
    advertise: tuple[str, ...] | None = None
    capacity: int | None = None
    zone: str | None = None


_NAMES: Final = tuple(field.name for field in fields(Remembered))


def read_remembered(root: Path) -> Remembered:
    """The options in a home's `capsa.toml`, none without one; `UsageError` on what cannot be understood."""
    return _parse(_read(root / SETTINGS_FILE) or "", root / SETTINGS_FILE)


def write_remembered(root: Path, options: Remembered) -> None:
    """Let a home's `capsa.toml` say this, durably and at once; one that says so already is left alone."""
    path = root / SETTINGS_FILE
    text = _read(path)
    before = Remembered() if text is None else _parse(text, path)
    if text is not None and before == options:
        return
    new = _revised(_template() if text is None else text, _changed(before, options))
    if not _says(new, options, path):  # it was written too artfully to be edited by us
        new = _revised(_template(), _changed(Remembered(), options))
    try:
        _replace(path.resolve(), new.encode())
    except OSError as error:
        raise from_os_error(error, f"{path} cannot be written") from None


# --- the file --------------------------------------------------------------------------------------


def _read(path: Path) -> str | None:
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for a writer.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            data = file.read(_SIZE_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os_error(error, f"{path} cannot be read") from None
    if len(data) > _SIZE_MAX:
        raise UsageError(f"{path} is too long.", _MENDING)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}.", _MENDING) from None


def _replace(path: Path, data: bytes) -> None:
    """The old content or the new, whatever happens meanwhile."""
    draft = path.with_name(f"{path.name}.new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# --- its text --------------------------------------------------------------------------------------


def _template() -> str:
    """A file that says nothing but what could be said."""
    return _HEADER + "".join(f"\n# {about}\n# {name} = {example}\n" for name, (about, example) in _ABOUT.items())


def _changed(before: Remembered, after: Remembered) -> dict[str, _Value]:
    values: dict[str, _Value | None] = {name: getattr(after, name) for name in _NAMES}
    return {name: value for name, value in values.items() if value is not None and value != getattr(before, name)}


def _revised(text: str, changed: Mapping[str, _Value]) -> str:
    """The text with each of these settings on a line of its own, in place of the old one, or of our example."""
    lines = text.splitlines(keepends=True)
    for name, value in changed.items():
        start, end, comment = _place(lines, name)
        if start == len(lines) and lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines[start:end] = [f"{name} = {json.dumps(value, ensure_ascii=False)}{comment}\n"]
    return "".join(lines)


def _says(text: str, options: Remembered, path: Path) -> bool:
    try:
        return _parse(text, path) == options
    except UsageError:
        return False


def _place(lines: list[str], name: str) -> tuple[int, int, str]:
    """Which lines a setting takes up (none, at the end, if it is nowhere), and the comment behind it."""
    assignment = re.compile(rf"\s*[\"']?{name}[\"']?\s*=")
    example = f"# {name} = {_ABOUT[name][1]}"
    for start, line in enumerate(lines):
        if assignment.match(line):
            ends = (end for end in range(start + 1, len(lines) + 1) if _understood("".join(lines[start:end])))
            end = next(ends, start + 1)
            return start, end, _comment("".join(lines[start:end]))
    for start, line in enumerate(lines):
        if line.strip() == example:
            return start, start + 1, ""
    return len(lines), len(lines), ""


def _comment(assignment: str) -> str:
    """What follows the value: from the first number sign before which the assignment is complete."""
    marks = (place.start() for place in re.finditer("#", assignment))
    return next((f"  {assignment[mark:].rstrip()}" for mark in marks if _understood(assignment[:mark])), "")


def _understood(text: str) -> Mapping[str, object]:
    """What a text says, nothing if it is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


# --- its meaning -----------------------------------------------------------------------------------


def _parse(text: str, path: Path) -> Remembered:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}.", _MENDING) from None
    for name in values:
        if name not in _NAMES:
            near = difflib.get_close_matches(name, _NAMES, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"The settings are {', '.join(_NAMES)}."
            raise UsageError(f"{path} has the unknown setting {name!r}.", hint)
    return Remembered(
        listen=_addresses(values, "listen", path, listen_addresses),
        peers=_addresses(values, "peers", path, peer_addresses),
        advertise=_addresses(values, "advertise", path, advertised_addresses),
        capacity=_size(values, path),
        zone=_zone(values, path),
    )


def _addresses(
    values: Mapping[str, object], name: str, path: Path, check: Callable[[list[str], str], tuple[str, ...]]
) -> tuple[str, ...] | None:
    value = values.get(name)
    if value is None:
        return None
    if value == NOWHERE:
        value = [value]
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UsageError(f"{name} in {path} is not a list of texts.", _example(name))
    try:
        return check(value, name)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", error.hint) from None


def _zone(values: Mapping[str, object], path: Path) -> str | None:
    value = values.get("zone")
    if value is None:
        return None
    if not isinstance(value, str):
        raise UsageError(f"zone in {path} is not a text.", _example("zone"))
    try:
        return check_name(value)
    except UsageError as error:
        raise UsageError(f"zone in {path} cannot be used.", error.hint) from None


def _size(values: Mapping[str, object], path: Path) -> int | None:
    value = values.get("capacity")
    if isinstance(value, str):
        try:
            return parse_size(value)
        except UsageError:
            raise UsageError(f"capacity in {path} is not a size.", _example("capacity")) from None
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63):
        raise UsageError(f"capacity in {path} is not a size.", _example("capacity"))
    return value


def _example(name: str) -> str:
    return f"Write it like {name} = {_ABOUT[name][1]}."
