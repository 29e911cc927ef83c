"""What a home's commands and its node say to each other of opened keys (see `capsa.core.commands`)."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from capsa.core.messages import Count, Id, Message

KEYS_SECONDS_MAX: Final = 30 * 24 * 3600
"""For how long a node keeps opened keys at most."""


class KeepKeys(Message, frozen=True, array_like=True):
    """Keep the owner's entropy in memory for so many seconds from now. The reply is `KeysKept`."""

    code = 131
    entropy: Id
    seconds: Annotated[int, Meta(ge=1, le=KEYS_SECONDS_MAX)]

    def __repr__(self) -> str:
        return f"KeepKeys(seconds={self.seconds})"


class DropKeys(Message, frozen=True, array_like=True):
    """Forget it. The reply is `Done`."""

    code = 132


class TakeKeys(Message, frozen=True, array_like=True):
    """The owner's entropy, please."""

    code = 133


class KeysTaken(Message, frozen=True, array_like=True):
    """It, or nothing where none is kept."""

    code = 134
    entropy: Annotated[bytes, Meta(max_length=32)]

    def __repr__(self) -> str:
        return "KeysTaken()"


class AreKeysKept(Message, frozen=True, array_like=True):
    """For how long is the entropy still kept?"""

    code = 135


class KeysKept(Message, frozen=True, array_like=True):
    """For so many seconds; 0 where none is kept."""

    code = 136
    seconds: Count
