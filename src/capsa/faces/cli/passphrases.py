"""How a command comes by its owner's keys."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from capsa.client.link import HomeLink
from capsa.core.keys import OwnerKeys
from capsa.node.home import Home

Unlock: TypeAlias = Callable[[Home, HomeLink], Awaitable[OwnerKeys]]
"""Opens a home's keystore, by way of its node where that keeps the keys open; `LockedError` if it cannot."""


def unlock_of(options: Namespace) -> Unlock:
    """How these options say that the keys are to be opened."""

    async def unlock(home: Home, link: HomeLink) -> OwnerKeys:
        return home.owner_keys()

    return unlock
