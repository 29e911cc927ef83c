"""What `doctor` finds out about a home without a node: its files, its databases, the machine. Gathered here, judged in
`capsa.core.diagnosis`.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import apsw

from capsa import __version__
from capsa.core.diagnosis import home as judge
from capsa.core.diagnosis import machine, network
from capsa.core.diagnosis.findings import Finding, Level
from capsa.core.keystore import SealedKeystore
from capsa.errors import CapsaError, HomeError, UsageError
from capsa.faces.cli.remembered import Remembered, read_remembered
from capsa.net.transports.tcp import parse_address
from capsa.node.home import Home
from capsa.node.state import VERSION as STATE_VERSION

DATABASE_SECONDS: Final = 3.0
"""How long a database may be looked through; a larger one counts as sound."""
_DATABASE_STEPS: Final = 100_000
_NEEDED: Final = ("home.json", "keys/device", "keys/network", "keys/owner.json", "papers", "store")
_SECRET: Final = ("", "keys", "keys/device", "keys/network", "keys/owner.json")
_STATE: Final = "state.db"
_INDEX: Final = "store/index.db"
_MOUNTS: Final = Path("/proc/self/mountinfo")
_MOUNTS_SIZE_MAX: Final = 1024 * 1024


def look_at_files(root: Path) -> judge.HomeFiles:
    """Which files are missing, cannot be read, or are open to others."""
    there = [name for name in _NEEDED if os.path.lexists(root / name)]
    owned = {name: (root / name).stat() for name in ("", *there)}
    return judge.HomeFiles(
        folder=str(root),
        missing=[name for name in _NEEDED if name not in there],
        unreadable=[name for name in there if not os.access(root / name, os.R_OK)],
        foreign=[name or str(root) for name, facts in owned.items() if facts.st_uid != os.geteuid()],
        open_to_others=[name or str(root) for name in _SECRET if _is_open(root / name)],
    )


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False


def check_identity(root: Path) -> Finding:
    """Whether what names the home in its network can be read, and is of one piece."""
    home = Home.open(root)
    home.secret()
    home.papers()
    if home.device().node != home.node:
        raise HomeError(
            "The device key in this home belongs to another home.",
            "Restore keys/device, or make a new home with 'capsa recover'.",
        )
    return Finding("identity", Level.OK, "The device key and the papers of this home can be read.")


def check_keys(root: Path) -> Finding:
    """Whether the keystore can be read, as far as can be said without opening it."""
    try:
        sealed = isinstance(Home.open(root).keystore(), SealedKeystore)
    except CapsaError as error:
        return judge.judge_keys(problem=error.message, remedy=error.hint, sealed=False)
    return judge.judge_keys(problem="", remedy="", sealed=sealed)


def check_settings(root: Path) -> Finding:
    """Whether `up` would understand its remembered options."""
    try:
        read_remembered(root)
    except CapsaError as error:
        return judge.judge_settings(problem=error.message, remedy=error.hint)
    return judge.judge_settings(problem="", remedy="")


def remembered_or_nothing(root: Path) -> Remembered:
    """The remembered options; none of them where they cannot be understood."""
    try:
        return read_remembered(root)
    except CapsaError:
        return Remembered()


def check_databases(root: Path) -> Iterator[Finding]:
    """Whether the databases of a home that nobody has in use are sound."""
    for name, precious in ((_STATE, True), (_INDEX, False)):
        if (root / name).exists():
            yield judge.judge_database(
                name, problem=_problem(root / name, STATE_VERSION if precious else None), precious=precious
            )


def _problem(path: Path, version_max: int | None) -> str:
    """What is wrong with a database, nothing if it is sound or too large to say."""
    give_up = time.monotonic() + DATABASE_SECONDS
    try:
        database = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            database.set_progress_handler(lambda: time.monotonic() > give_up, _DATABASE_STEPS)
            version = database.pragma("user_version")
            if version_max is not None and version > version_max:
                return "a newer capsa wrote it: update capsa on this machine"
            told = str(next(iter(database.execute("PRAGMA quick_check(1)")))[0])
            return "" if told == "ok" else told
        finally:
            database.close()
    except (apsw.InterruptError, apsw.BusyError):
        return ""
    except apsw.Error as error:
        return str(error)


def look_at_disk(root: Path) -> machine.DiskFacts:
    """The file system that a home lies on."""
    facts, space = os.statvfs(root), shutil.disk_usage(root)
    return machine.DiskFacts(
        free=space.free,
        total=space.used + space.free,
        read_only=bool(facts.f_flag & os.ST_RDONLY),
        inodes_free=facts.f_favail,
        inodes=facts.f_files,
        file_system=_file_system(root),
    )


def _file_system(root: Path) -> str:
    """Its type, where the system tells (proc(5), mountinfo): of all mounts that the folder lies under, the deepest."""
    try:
        with _MOUNTS.open("rb") as file:
            lines = file.read(_MOUNTS_SIZE_MAX).decode(errors="replace").splitlines()
    except OSError:
        return ""
    found = (0, "")
    for line in lines:
        mount, _, about = line.partition(" - ")
        fields, kind = mount.split(" "), about.partition(" ")[0]
        if len(fields) > 4 and root.resolve().is_relative_to(point := Path(fields[4].replace("\\040", " "))):
            found = max(found, (len(point.parts), kind), key=lambda each: each[0])
    return found[1]


def kept_size(root: Path) -> int:
    """Bytes of all segments: at least what is kept for others."""
    size = 0
    with suppress(FileNotFoundError):
        for entry in os.scandir(root / "store" / "segments"):
            with suppress(FileNotFoundError):
                size += entry.stat().st_size
    return size


def newest_file(root: Path) -> float:
    """When a file that the home writes itself was last changed, in Unix seconds."""
    times = [0.0]
    for name in ("home.json", "capsa.toml", _STATE, f"{_STATE}-wal", _INDEX, f"{_INDEX}-wal"):
        with suppress(OSError):
            times.append((root / name).stat().st_mtime)
    return max(times)


def check_limits() -> Finding:
    """How many files a process may have open."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return machine.judge_limits(None if soft == resource.RLIM_INFINITY else soft)


def check_versions() -> Finding:
    """What runs here."""
    return machine.judge_versions(capsa=__version__, python=platform.python_version(), sqlite=apsw.sqlite_lib_version())


def check_ports(addresses: tuple[str, ...]) -> Iterator[Finding]:
    """Whether a node could listen where it is to listen; each port is taken for a moment."""
    for address in addresses:
        yield network.judge_port(address, problem=_occupied(address))


def _occupied(address: str) -> str:
    try:
        host, port = parse_address(address)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family):
            return ""
    except OSError as error:
        return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    except (UsageError, OverflowError) as error:
        return str(error)
