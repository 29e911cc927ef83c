"""The addresses that `up` is given: which of them can be listened on, dialled, or told to others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from capsa.core.statements import ADDRESS_LENGTH_MAX, ADDRESSES_MAX, check_address
from capsa.errors import FormatError, UsageError
from capsa.net.transports.tcp import parse_address

NOWHERE: Final = "none"
"""In place of addresses: listen nowhere, tell nobody."""
WILDCARDS: Final = ("0.0.0.0", "::")
"""Hosts that stand for all interfaces of a machine: to be listened on, never to be dialled."""


def listen_addresses(urls: Sequence[str], what: str) -> tuple[str, ...]:
    """Where to listen, nowhere for `none`; `what` names the option or setting in a `UsageError`."""
    return _checked(_alone(urls, what), what)


def peer_addresses(urls: Sequence[str], what: str) -> tuple[str, ...]:
    """Where members may be dialled; `UsageError`."""
    return _dialled(urls, what)


def advertised_addresses(urls: Sequence[str], what: str) -> tuple[str, ...]:
    """What others are told in place of where this node listens, nothing for `none`; `UsageError`."""
    return _dialled(_alone(urls, what), what)


def _alone(urls: Sequence[str], what: str) -> Sequence[str]:
    if NOWHERE not in urls:
        return urls
    if len(urls) > 1:
        raise UsageError(f"{what} {NOWHERE} stands alone.", "Leave out either it or the addresses.")
    return ()


def _dialled(urls: Sequence[str], what: str) -> tuple[str, ...]:
    for url in urls:
        host, port = parse_address(url)
        if host in WILDCARDS or not port:
            raise UsageError(
                f"{what} {url} is no address that can be dialled.",
                "Give a host, by name or number, and a port above 0, as in tcp://home.example.net:4747.",
            )
    return _checked(urls, what)


def _checked(urls: Sequence[str], what: str) -> tuple[str, ...]:
    if len(urls) > ADDRESSES_MAX:
        raise UsageError(f"{what} takes at most {ADDRESSES_MAX} addresses.", "Give fewer.")
    for url in urls:
        parse_address(url)
        if len(url) > ADDRESS_LENGTH_MAX:
            raise UsageError(
                f"{what} has an address that is too long.", f"Use at most {ADDRESS_LENGTH_MAX} characters."
            )
        try:
            check_address(url)
        except FormatError:
            raise UsageError(f"{what} has an address with control characters.", "Write it without them.") from None
    return tuple(dict.fromkeys(urls))
