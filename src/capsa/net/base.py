"""The `Transport` interface: ordered bytes, both ways, and nothing else.

Bytes are pushed: a connection asks its `Receiver` for a buffer, lets bytes land there and says how many.
Everything runs on the event loop's thread; no method blocks. `capsa.testing.transports` proves the contract.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Receiver(Protocol):
    """Whoever takes a connection's bytes; made before the connection is."""

    def connected(self, connection: Connection) -> None:
        """Called once, before anything else."""
        ...

    def get_buffer(self) -> memoryview:
        """Room for incoming bytes, at least one. Called again after each `buffer_updated`."""
        ...

    def buffer_updated(self, size: int) -> None:
        """`size` bytes have landed at the start of the buffer last given."""
        ...

    def writable(self) -> None:
        """All bytes of the write that returned false have left; writing may go on."""
        ...

    def disconnected(self, error: Exception | None) -> None:
        """Called once, last. None: the other side ended in order, or we closed."""
        ...


class Connection(Protocol):
    """One end of a byte stream."""

    @property
    def remote(self) -> str:
        """The other side's address as a URL, for people; may be empty."""
        ...

    @property
    def local(self) -> str:
        """Our side's address as a URL; may be empty."""
        ...

    def write(self, data: memoryview) -> bool:
        """Send bytes. True: `data` may be reused at once and more may be written.

        False: the connection is clogged; it keeps `data`, which must stay untouched, and nothing may be written
        until `writable` is called. After the connection ended, a write is dropped and returns true.
        """
        ...

    def pause_reading(self) -> None:
        """Ask for no further buffers until `resume_reading`; a repeat does nothing."""
        ...

    def resume_reading(self) -> None:
        """Undo `pause_reading`; a repeat does nothing."""
        ...

    def close(self) -> None:
        """Send what was written, then end; `disconnected` follows. A repeat does nothing."""
        ...

    def abort(self) -> None:
        """End now; what was written may be lost. `disconnected` follows. A repeat does nothing."""
        ...


class Listener(Protocol):
    """An open door."""

    @property
    def address(self) -> str:
        """The URL that is listened on, with the real port where port 0 was asked for."""
        ...

    async def close(self) -> None:
        """Accept no more; connections that were accepted live on."""
        ...


ReceiverFactory = Callable[[], Receiver]


class Transport(Protocol):
    """A way to carry bytes between nodes; `scheme` is the first part of its URLs (`tcp://host:port`)."""

    @property
    def scheme(self) -> str: ...

    async def listen(self, address: str, accept: ReceiverFactory) -> Listener:
        """Accept connections on `address`, each with a receiver of its own.

        Raises `UsageError` if the address is malformed, `RefusedError` if it is taken or not ours.
        """
        ...

    async def dial(self, address: str, receiver: Receiver) -> Connection:
        """Connect to `address`; `receiver.connected` has been called on return.

        Raises `UsageError` if the address is malformed, `UnreachableError` if nobody answers. Cancellation
        leaves nothing open.
        """
        ...
