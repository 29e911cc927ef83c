"""Errors cross the wire by kind, and come back as what they were."""

from __future__ import annotations

import errno

import pytest

from capsa import errors
from capsa.client.puts.upload import CameOutDifferentError


@pytest.mark.parametrize("error", [errors.NoSpaceError, errors.NotMemberError, errors.DeadlineError, errors.CapsaError])
def test_an_error_comes_back_as_what_it_was(error: type[errors.CapsaError]) -> None:
    back = errors.from_wire(error.kind, "It went wrong.", "Do this.")
    assert (type(back), back.message, back.hint) == (error, "It went wrong.", "Do this.")


def test_an_unknown_kind_is_a_plain_failure() -> None:
    assert type(errors.from_wire("from the future", "What?")) is errors.CapsaError


def test_a_class_without_a_kind_of_its_own_never_comes_off_the_wire() -> None:
    """Or a peer's plain failure would become whatever error some module defines for itself."""
    assert CameOutDifferentError.kind == errors.CapsaError.kind
    assert type(errors.from_wire("failed", "It went wrong.")) is errors.CapsaError


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, errors.NoSpaceError), (errno.ENOENT, errors.NotFoundError), (errno.EIO, errors.CapsaError)],
)
def test_the_systems_errors_are_told_in_ours(number: int, kind: type[errors.CapsaError]) -> None:
    told = errors.from_os_error(OSError(number, "because"), "/x cannot be read")
    assert (type(told), told.message) == (kind, "/x cannot be read: because.")


def test_the_error_worth_telling_is_found_deep_in_a_group() -> None:
    inner = errors.NoSpaceError("The disk is full.")
    group = ExceptionGroup("outer", [ValueError("noise"), ExceptionGroup("nested", [inner])])
    assert errors.leading(group) is inner
