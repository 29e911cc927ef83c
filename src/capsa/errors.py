"""One tree of errors.

Each class has a `kind`, a word that crosses the wire and appears in `--json`, and says whether trying
again can help. A message is one sentence that says what happened; a hint says what to do about it.
"""

from __future__ import annotations

import errno
from typing import ClassVar


class CapsaError(Exception):
    """The root: something that capsa understands went wrong."""

    kind: ClassVar[str] = "failed"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(CapsaError):
    """What the user typed, or handed us as text, cannot be understood."""

    kind = "usage"


class NotFoundError(CapsaError):
    """Nobody who was asked has it."""

    kind = "not_found"


class IntegrityError(CapsaError):
    """Bytes are not what their name, tag or signature says."""

    kind = "integrity"


class FormatError(IntegrityError):
    """Bytes that do not follow the format: too long, of unknown type, or not canonical."""

    kind = "format"


class SignatureError(IntegrityError):
    """A signature does not hold, or its signer had no right to make it."""

    kind = "signature"


class UnreachableError(CapsaError):
    """Not enough peers could be reached."""

    kind = "unreachable"
    retryable = True


class DeadlineError(UnreachableError):
    """The peer did not answer in time."""

    kind = "deadline"


class LostConnectionError(UnreachableError):
    """The connection ended before the answer came."""

    kind = "lost"


class RefusedError(CapsaError):
    """It exists already, is retained, or is not permitted."""

    kind = "refused"


class NotMemberError(RefusedError):
    """The other side could not prove that it belongs to the network."""

    kind = "not_member"


class NoSpaceError(CapsaError):
    """The disk, or what it may hold for others, is full."""

    kind = "no_space"


class ChangedError(CapsaError):
    """A file changed while it was read."""

    kind = "changed"
    retryable = True


class DiskError(CapsaError):
    """The disk failed; nothing more is written to it."""

    kind = "disk"


class LockedError(CapsaError):
    """The keys are locked."""

    kind = "locked"


class HomeError(CapsaError):
    """The home is absent, in use, or of a newer version."""

    kind = "home"


class HomeInUseError(HomeError):
    """Another process holds the home."""

    kind = "home_in_use"
    retryable = True


class ProtocolError(CapsaError):
    """The *other side* broke the protocol; its session ends."""

    kind = "protocol"


class UnknownKindError(CapsaError):
    """The other side does not know this kind of message."""

    kind = "unknown_kind"


class BusyError(CapsaError):
    """The other side is at its bounds for now."""

    kind = "busy"
    retryable = True


def _tree(root: type[CapsaError]) -> dict[str, type[CapsaError]]:
    """The classes of errors by kind; one that only inherits its kind is somebody's own and never comes off the wire."""
    found = {root.kind: root} if "kind" in vars(root) else {}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


def from_wire(kind: str, message: str, hint: str = "") -> CapsaError:
    """The error that a peer named; a kind that this version does not know becomes a plain `CapsaError`."""
    return _tree(CapsaError).get(kind, CapsaError)(message, hint)


_OS_ERRORS: dict[int, type[CapsaError]] = {
    errno.ENOSPC: NoSpaceError,
    errno.EDQUOT: NoSpaceError,
    errno.ENOENT: NotFoundError,
    errno.ENOTDIR: NotFoundError,
    errno.EEXIST: RefusedError,
    errno.EACCES: RefusedError,
    errno.EPERM: RefusedError,
    errno.EROFS: RefusedError,
    errno.EISDIR: RefusedError,
    errno.ELOOP: RefusedError,
    errno.EFBIG: RefusedError,
    errno.ENAMETOOLONG: UsageError,
}


def from_os_error(error: OSError, what: str, hint: str = "") -> CapsaError:
    """What the operating system said, as one of ours; `what` is the sentence's beginning ("/x/y cannot be read")."""
    kind = _OS_ERRORS.get(error.errno or 0, CapsaError)
    return kind(f"{what}: {error.strerror or type(error).__name__}.", hint)


def leading(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error of a group of failed tasks that is worth telling: a `CapsaError` if there is one."""
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves.append(leading(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((leaf for leaf in leaves if isinstance(leaf, CapsaError)), leaves[0])
