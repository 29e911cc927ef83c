"""`doctor`: what is wrong with this home, and what to do about it."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from capsa.core.diagnosis.findings import Finding, Level, worst
from capsa.core.diagnosis.home import Process, judge_files, judge_permissions, judge_process
from capsa.core.diagnosis.machine import DiskFacts, judge_capacity, judge_clock, judge_disk
from capsa.errors import HomeError
from capsa.faces.cli.commands.up import DEFAULT_LISTEN
from capsa.faces.cli.doctor import examining
from capsa.faces.cli.doctor.probing import check_network, look_at_process
from capsa.faces.cli.drawing.style import Paint, Style
from capsa.faces.cli.drawing.terminal import columns_of
from capsa.faces.cli.exits import Exit, as_capsa_error
from capsa.faces.cli.homes import home_root
from capsa.faces.cli.output import Screen, safe_line, wants_colour
from capsa.faces.cli.running import run
from capsa.node.home import FORMAT, Home

_WIDTH_MAX: Final = 80
_WIDTH_MIN: Final = 40
_LEVEL_WIDTH: Final = 9
_PAINTS: Final = {Level.OK: Paint.GOOD, Level.NOTE: Paint.ACCENT, Level.WARNING: Paint.WARNING, Level.ERROR: Paint.BAD}
_CLOCK: Final = "clock"
_PLURALS: Final = {Level.ERROR: "errors", Level.WARNING: "warnings"}


def doctor(options: Namespace, screen: Screen) -> int:
    """Check everything, whatever fails on the way; exit code 1 if something does not work."""
    root = home_root(options)
    _refuse_foreign(root)
    return run(_doctor(root, screen))


def _refuse_foreign(root: Path) -> None:
    """Raise `HomeError` if there is no home, or one of a newer format: nothing can be said of either."""
    try:
        Home.open(root)
    except HomeError:
        if not (root / "home.json").exists() or _is_newer(root):
            raise


def _is_newer(root: Path) -> bool:
    try:
        with (root / "home.json").open("rb") as file:
            return int(json.loads(file.read(64 * 1024))["format"]) > FORMAT
    except (OSError, ValueError, TypeError, LookupError):
        return False


async def _doctor(root: Path, screen: Screen) -> int:
    findings = list(await _examine(root))
    screen.document(
        {
            "checks": [
                {"name": each.name, "level": each.level, "message": each.message, "remedy": each.remedy}
                for each in findings
            ],
            "worst": worst(findings),
        }
    )
    for line in show(findings if not screen.quiet else [each for each in findings if each.level is not Level.OK]):
        screen.drawn(line)
    screen.say(_summary(findings))
    return Exit.FAILED if worst(findings) is Level.ERROR else Exit.DONE


async def _examine(root: Path) -> list[Finding]:
    """All checks, each by itself: the failure of one is a finding, and the others go on."""
    found = _Findings()
    found.check("files", lambda: judge_files(examining.look_at_files(root)))
    found.check("permissions", lambda: judge_permissions(examining.look_at_files(root)))
    found.check("identity", lambda: examining.check_identity(root))
    found.check("keys", lambda: examining.check_keys(root))
    found.check("settings", lambda: examining.check_settings(root))
    found.check("versions", examining.check_versions)
    found.check("limits", examining.check_limits)
    disk = DiskFacts(free=0, total=0)
    try:
        disk = examining.look_at_disk(root)
        found.add(judge_disk(disk))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        found.fail("disk", error)
    process = Process(held=False, answers=False)
    try:
        process = await look_at_process(Home.open(root))
        found.add(judge_process(process))
    except Exception as error:  # noqa: BLE001
        found.fail("node", error)
    if not process.held:
        remembered = examining.remembered_or_nothing(root)
        listen = (DEFAULT_LISTEN,) if remembered.listen is None else remembered.listen
        found.check("databases", lambda: examining.check_databases(root))
        found.check("port", lambda: examining.check_ports(listen))
        found.check(
            "capacity",
            lambda: judge_capacity(capacity=remembered.capacity, used=examining.kept_size(root), disk=disk),
        )
    found.check(_CLOCK, lambda: judge_clock(time.time(), newest_file=examining.newest_file(root)))
    if process.held and not process.answers:
        return found.all
    if found.hopeless:
        found.add(Finding("network", Level.NOTE, "The network was not asked.", "Mend what is wrong here first."))
        return found.all
    try:
        found.add(*await check_network(root, disk))
    except Exception as error:  # noqa: BLE001
        found.fail("network", error)
    return found.all


class _Findings:
    """What was found so far. Of two findings on the clock the later one stays: it knows those of others, too."""

    def __init__(self) -> None:
        self.all: list[Finding] = []

    def add(self, *findings: Finding) -> None:
        if any(each.name == _CLOCK for each in findings):
            self.all = [each for each in self.all if each.name != _CLOCK]
        self.all += findings

    def check(self, name: str, look: Callable[[], Finding | Iterable[Finding]]) -> None:
        try:
            told = look()
            self.add(*([told] if isinstance(told, Finding) else told))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding, and the other checks go on
            self.fail(name, error)

    def fail(self, name: str, error: BaseException) -> None:
        told = as_capsa_error(error)
        self.add(Finding(name, Level.ERROR, told.message, told.hint))

    @property
    def hopeless(self) -> bool:
        """Whether no node could run here: it is not to be tried in a home that is broken."""
        broken = {"files", "identity", "state.db", "disk"}
        return any(each.level is Level.ERROR and each.name in broken for each in self.all)


def show(findings: Iterable[Finding], *, width: int | None = None, style: Style | None = None) -> list[str]:
    """Findings as lines that fit the terminal: level, name, sentence; the remedy below."""
    style = style or Style(colour=wants_colour(sys.stdout))
    width = min(max(width or columns_of(sys.stdout), _WIDTH_MIN), _WIDTH_MAX)
    findings = list(findings)
    name_width = max((len(each.name) for each in findings), default=0) + 2
    margin = _LEVEL_WIDTH + name_width
    lines = []
    for each in findings:
        texts = [safe_line(text) for text in (each.message, each.remedy) if text]
        wrapped = [line for text in texts for line in textwrap.wrap(text, width - margin, break_on_hyphens=False)]
        level = style.paint(f"{each.level:<{_LEVEL_WIDTH}}", _PAINTS[each.level])
        lines.append(f"{level}{each.name:<{name_width}}{wrapped[0]}")
        lines += [f"{'':{margin}}{line}" for line in wrapped[1:]]
    return lines


def _summary(findings: Iterable[Finding]) -> str:
    counts = Counter(each.level for each in findings)
    told = [
        f"{counts[level]} {level if counts[level] == 1 else plural}"
        for level, plural in _PLURALS.items()
        if counts[level]
    ]
    return f"{' and '.join(told)}." if told else "Nothing is wrong."
