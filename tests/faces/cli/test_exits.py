from __future__ import annotations

import errno

import pytest

from capsa import errors
from capsa.errors import CapsaError
from capsa.faces.cli.exits import Exit, as_capsa_error, exit_of


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.CapsaError, 1),
        (errors.UsageError, 2),
        (errors.NotFoundError, 3),
        (errors.IntegrityError, 5),
        (errors.FormatError, 5),
        (errors.SignatureError, 5),
        (errors.UnreachableError, 6),
        (errors.DeadlineError, 6),
        (errors.LostConnectionError, 6),
        (errors.RefusedError, 7),
        (errors.NotMemberError, 7),
        (errors.NoSpaceError, 8),
        (errors.ChangedError, 1),
        (errors.DiskError, 1),
        (errors.LockedError, 9),
        (errors.HomeError, 10),
        (errors.HomeInUseError, 10),
        (errors.ProtocolError, 1),
        (errors.UnknownKindError, 1),
        (errors.BusyError, 1),
    ],
)
def test_each_kind_of_error_has_its_exit_code(kind: type[CapsaError], code: int) -> None:
    assert exit_of(kind("It went wrong.")) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device"), 8),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), 3),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 7),
        (OSError(errno.EIO, "Input/output error", "x"), 1),
        (TimeoutError(), 6),
        (MemoryError(), 1),
        (ValueError("the sky\nis falling"), 1),
        (ExceptionGroup("tasks", [ValueError("lesser"), errors.NoSpaceError("The disk is full.")]), 8),
        (errors.LockedError("The keys are locked."), 9),
    ],
)
def test_whatever_is_raised_becomes_one_sentence_and_a_code(error: BaseException, code: int) -> None:
    told = as_capsa_error(error)
    assert exit_of(told) == code
    assert "\n" not in told.message
    assert told.message.endswith(".")


def test_codes_are_those_of_the_contract() -> None:
    assert [code.value for code in Exit] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130]
