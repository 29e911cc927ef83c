"""`capsa.toml`: the options of `up` that a home remembers. People may edit it."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from capsa.errors import UsageError, from_os_error
from capsa.faces.cli.quantities import parse_size

_FILE: Final = "capsa.toml"
_SIZE_MAX: Final = 64 * 1024
_HEADER: Final = "# Options of 'capsa up', remembered from the last time; those given to it replace these.\n"


@dataclass(frozen=True, slots=True)
class Remembered:
    """Each option as it was last given; None where it never was. `capacity` in bytes."""

    listen: tuple[str, ...] | None = None
    peers: tuple[str, ...] | None = None
    capacity: int | None = None
    zone: str | None = None


def read_remembered(root: Path) -> Remembered:
    """The options in a home's `capsa.toml`, none without one; `UsageError` on what cannot be understood."""
    path = root / _FILE
    try:
        with path.open("rb") as file:
            text = file.read(_SIZE_MAX + 1)
    except FileNotFoundError:
        return Remembered()
    except OSError as error:
        raise from_os_error(error, f"{path} cannot be read") from None
    try:
        values = tomllib.loads(text.decode("utf-8")) if len(text) <= _SIZE_MAX else None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.", "Mend it, or remove it.") from None
    if values is None:
        raise UsageError(f"{path} is too long.", "Mend it, or remove it.")
    return _checked(values, path)


def write_remembered(root: Path, options: Remembered) -> None:
    """Replace a home's `capsa.toml`."""
    lines = [_HEADER]
    for field in fields(options):
        value = getattr(options, field.name)
        if value is not None:
            shown = list(value) if isinstance(value, tuple) else value
            lines.append(f"{field.name} = {json.dumps(shown, ensure_ascii=False)}\n")
    path = root / _FILE
    draft = path.with_suffix(".toml.new")
    try:
        draft.write_text("".join(lines), "utf-8")
        draft.replace(path)
    except OSError as error:
        raise from_os_error(error, f"{path} cannot be written") from None


def _checked(values: Mapping[str, object], path: Path) -> Remembered:
    known = [field.name for field in fields(Remembered)]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"The settings are {', '.join(known)}."
            raise UsageError(f"{path} has the unknown setting {name!r}.", hint)
    return Remembered(
        listen=_texts(values, "listen", path),
        peers=_texts(values, "peers", path),
        capacity=_size(values, path),
        zone=_text(values, "zone", path),
    )


def _texts(values: Mapping[str, object], name: str, path: Path) -> tuple[str, ...] | None:
    value = values.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UsageError(f"{name} in {path} is not a list of texts.", f'Write it like {name} = ["tcp://host:4747"].')
    return tuple(value)


def _text(values: Mapping[str, object], name: str, path: Path) -> str | None:
    value = values.get(name)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{name} in {path} is not a text.", f'Write it like {name} = "attic".')
    return value


def _size(values: Mapping[str, object], path: Path) -> int | None:
    value = values.get("capacity")
    if isinstance(value, str):
        return parse_size(value)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise UsageError(f"capacity in {path} is not a size.", 'Write it like capacity = "200GB".')
    return value
