"""A home: the folder that holds an installation's keys, settings and store.

    home.json        format version, network, owner, node, name; written last, so that a home is whole or absent
    keys/device      the device key's seed          keys/network   the network secret
    keys/owner.json  the keystore: the owner's entropy, open or sealed under a passphrase
    capsa.toml       remembered options of `up`     state.db       what cannot be rebuilt
    papers           the statements and addresses that the home was made with
    store/           segments and index             lock, control.sock

Everything secret has mode 0600 in folders of mode 0700.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from capsa.core.encoding import decode, encode
from capsa.core.ids import NetworkId, NodeId, OwnerId, format_id, from_base32, parse_id, to_base32
from capsa.core.keys import ENTROPY_SIZE, DeviceKey, OwnerKeys
from capsa.core.keystore import KEYSTORE_SIZE_MAX, Keystore, OpenKeystore, SealedKeystore, parse_keystore
from capsa.errors import FormatError, HomeError, HomeInUseError, LockedError, NoSpaceError, RefusedError, UsageError

FORMAT = 1
_FILE_SIZE_MAX = 1024 * 1024
_UNFINISHED = {"keys", "store", "papers", "capsa.toml"}
"""What may lie in a folder that is to become a home: remains of an attempt, and settings written before."""
_NUMBER_SIZE_MAX = 20
_RESTORE = "Restore the file from a backup of this home; with the recovery phrase a new home can be made."


class Papers(msgspec.Struct, frozen=True, array_like=True):
    """Signed statements that prove (or, for a joiner, will prove) membership, and addresses of members."""

    statements: tuple[bytes, ...]
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class NewHome:
    """What a home is made of; without a `sealed` keystore the owner's entropy lies there in the open."""

    network: NetworkId
    secret: bytes
    entropy: bytes
    device_seed: bytes
    name: str
    papers: Papers
    sealed: SealedKeystore | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """An existing home; `device` and `secret` are read when asked for, the owner's keys only by commands."""

    root: Path
    network: NetworkId
    owner: OwnerId
    node: NodeId
    name: str

    @classmethod
    def create(cls, root: Path, new: NewHome) -> Home:
        """Lay out a home in `root`; `RefusedError` if one is there already."""
        owner, device = OwnerKeys.from_entropy(new.entropy), DeviceKey(new.device_seed)
        facts = {
            "format": FORMAT,
            "network": format_id(new.network),
            "owner": format_id(owner.owner),
            "node": format_id(device.node),
            "name": new.name,
        }
        try:
            _make_private(root)
            with _folder_locked(root, fcntl.LOCK_EX):  # two who make one home must not mix their keys
                if (root / "home.json").exists():
                    raise RefusedError(f"There is already a home in {root}.", "Choose another folder with --home.")
                (root / "keys").mkdir(mode=0o700, exist_ok=True)
                (root / "store").mkdir(mode=0o700, exist_ok=True)
                _write(root / "keys" / "device", to_base32(new.device_seed).encode())
                _write(root / "keys" / "network", to_base32(new.secret).encode())
                _write(root / "keys" / "owner.json", (new.sealed or OpenKeystore(new.entropy)).encode())
                _write(root / "papers", encode(new.papers))
                _write(root / "home.json", json.dumps(facts, indent=1).encode())
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise NoSpaceError(
                    f"The disk is full, and {root} cannot be made.", "Make room, or use --home."
                ) from None
            raise HomeError(
                f"The home {root} cannot be made: {error.strerror}.", "Choose another with --home."
            ) from None
        return cls(root, new.network, owner.owner, device.node, new.name)

    @classmethod
    def open(cls, root: Path) -> Home:
        """The home in `root`; `HomeError` if it is absent, damaged or of a newer format."""
        facts = _read_json(root / "home.json", root)
        try:
            if int(facts["format"]) > FORMAT:
                raise HomeError(f"The home {root} was made by a newer capsa.", "Update capsa on this machine.")
            return cls(
                root,
                NetworkId(parse_id(facts["network"])),
                OwnerId(parse_id(facts["owner"])),
                NodeId(parse_id(facts["node"])),
                str(facts["name"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError, UsageError):
            raise HomeError(f"The home {root} is damaged: home.json cannot be read.", "Restore it.") from None

    @property
    def socket(self) -> str:
        """Where the home's node serves commands."""
        return f"unix:{self.root / 'control.sock'}"

    def papers(self) -> Papers:
        """What the home was made with."""
        try:
            return decode(Papers, _read(self.root / "papers"), size_max=_FILE_SIZE_MAX)
        except (OSError, FormatError):
            raise HomeError(f"The home {self.root} is damaged: its papers cannot be read.", "Restore it.") from None

    def device(self) -> DeviceKey:
        return DeviceKey(_read_secret(self.root / "keys" / "device", ENTROPY_SIZE))

    def secret(self) -> bytes:
        """The network secret, 32 bytes."""
        return _read_secret(self.root / "keys" / "network", 32)

    def keystore(self) -> Keystore:
        """The keystore, unopened; raises what `parse_keystore` raises."""
        try:
            return parse_keystore(_read(self._keystore_path, KEYSTORE_SIZE_MAX + 1))
        except OSError as error:
            raise HomeError(f"The keystore {self._keystore_path} cannot be read: {error.strerror}.", _RESTORE) from None

    def owner_keys(self, passphrase: str | None = None) -> OwnerKeys:
        """The owner's keys; `LockedError` if they need another passphrase. Takes a while where they need one."""
        keystore = self.keystore()
        if isinstance(keystore, OpenKeystore):
            return OwnerKeys.from_entropy(keystore.reveal(self.owner))
        if passphrase is None:
            raise LockedError("The keys of this home are locked.", "Give their passphrase.")
        return OwnerKeys.from_entropy(keystore.reveal(self.owner, passphrase))

    def replace_keystore(self, before: Keystore, after: Keystore) -> None:
        """Put `after` in the place of `before`, durably: whatever happens, one of them lies there, whole.

        Raises `RefusedError` if it is not `before` any more, which changes nothing.
        """
        with _folder_locked(self.root / "keys", fcntl.LOCK_EX) as folder:
            if self.keystore() != before:
                raise RefusedError("The passphrase was changed by another command meanwhile.", "Try again.")
            try:
                _write(self._keystore_draft, after.encode())
                self._keystore_draft.replace(self._keystore_path)
            except OSError:
                self._keystore_draft.unlink(missing_ok=True)
                raise
            os.fsync(folder)

    @property
    def _keystore_path(self) -> Path:
        return self.root / "keys" / "owner.json"

    @property
    def _keystore_draft(self) -> Path:
        return self._keystore_path.with_suffix(".new")

    def _forget_draft(self) -> None:
        """Remove what a killed change of the keystore left behind: it may hold keys that are locked by now."""
        with suppress(OSError), _folder_locked(self.root / "keys", fcntl.LOCK_EX | fcntl.LOCK_NB):
            self._keystore_draft.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home's lock: one process a home talks to the network. `HomeInUseError` if another has it."""
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _read_number(descriptor)
                who = f"process {holder}" if holder else "another process"
                raise HomeInUseError(f"The home {self.root} is in use by {who}.", "Wait for it to end.") from None
            _write_number(descriptor, os.getpid())
            self._forget_draft()
            yield
        finally:
            os.close(descriptor)


def _make_private(root: Path) -> None:
    """A folder for this user alone; one that other things lie in keeps its permissions."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not {path.name for path in root.iterdir()} - _UNFINISHED:
        root.chmod(0o700)


@contextmanager
def _folder_locked(folder: Path, how: int) -> Iterator[int]:
    """The folder's descriptor, while its lock is held."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
        yield descriptor
    finally:
        os.close(descriptor)


def _read_number(descriptor: int) -> int | None:
    text = os.pread(descriptor, _NUMBER_SIZE_MAX, 0).strip()
    return int(text) if text.isdigit() else None


def _write_number(descriptor: int, number: int) -> None:
    """For people to read: a disk that has no room for it is no reason to fail."""
    with suppress(OSError):
        os.pwrite(descriptor, f"{number:>{_NUMBER_SIZE_MAX}}".encode(), 0)


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path, size_max: int = _FILE_SIZE_MAX) -> bytes:
    with path.open("rb") as file:
        return file.read(size_max)


def _read_json(path: Path, root: Path) -> dict[str, Any]:
    try:
        value = json.loads(_read(path))
    except FileNotFoundError:
        hint = "Make one with 'capsa init' or 'capsa join', or name another with --home."
        raise HomeError(f"There is no home in {root}.", hint) from None
    except (OSError, ValueError):
        raise HomeError(f"The home {root} is damaged: {path.name} cannot be read.", "Restore it.") from None
    if not isinstance(value, dict):
        raise HomeError(f"The home {root} is damaged: {path.name} is not an object.", "Restore it.")
    return value


def _read_secret(path: Path, size: int) -> bytes:
    try:
        return _exactly(from_base32(_read(path).decode().strip()), size)
    except (OSError, ValueError):
        raise HomeError(f"The key file {path.name} of this home cannot be read.", "Restore it.") from None


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueError("wrong length")
    return data
