"""A channel protected by Noise: the handshake, then records.

On the wire each handshake message follows its length (2 bytes, big-endian), as each record does. Before the other
side has shown that it knows the network's secret, a channel holds no more than the 50 bytes in which it must do so;
the buffers for records are made after the handshake and grow with use.
"""

from __future__ import annotations

from typing import Final

from capsa.core.keys import Label
from capsa.core.records import (
    LENGTH_SIZE,
    PLAINTEXT_SIZE_MAX,
    RECORD_OVERHEAD,
    RECORD_SIZE_MAX,
    RECORDS_WORN,
    TAG_SIZE,
    NoiseOpener,
    NoiseSealer,
)
from capsa.errors import ProtocolError
from capsa.net.channel import Channel, ChannelOwner
from capsa.net.identity import PROOF_SIZE_MAX, Authenticator, Role
from capsa.net.memory import BulkMemory
from capsa.net.noise import Handshake, static_public

_KEY: Final = 32
# What each message may measure: e + empty payload; e, s + proof; s + proof (each AEAD adds a tag).
_MESSAGE_SIZES_MAX: Final = (
    _KEY + TAG_SIZE,
    _KEY + _KEY + TAG_SIZE + PROOF_SIZE_MAX + TAG_SIZE,
    _KEY + TAG_SIZE + PROOF_SIZE_MAX + TAG_SIZE,
)
_IN_SIZE_MIN: Final = 16 * 1024
_IN_SIZE_MAX: Final = 256 * 1024
_OUT_SIZE_MIN: Final = 24 * 1024
_OUT_SIZE_MAX: Final = 5 * RECORD_SIZE_MAX


class SecureChannel(Channel):
    """Noise_XXpsk0 over a connection; `static_private` lives as long as the process, `ephemeral_private` once."""

    def __init__(
        self,
        owner: ChannelOwner,
        role: Role,
        authenticator: Authenticator,
        memory: BulkMemory,
        *,
        static_private: bytes,
        ephemeral_private: bytes,
    ) -> None:
        super().__init__(owner, memory)
        self._role = role
        self._authenticator = authenticator
        self._static_public = static_public(static_private)
        self._handshake: Handshake | None = Handshake(
            role is Role.INITIATOR,
            static_private=static_private,
            ephemeral_private=ephemeral_private,
            secret=authenticator.secret,
            prologue=Label.PROLOGUE.encode() + authenticator.network,
        )
        self._step = 0
        self._sealer: NoiseSealer
        self._opener: NoiseOpener
        # Incoming bytes lie in [start, end) of the buffer.
        self._in = memoryview(bytearray(LENGTH_SIZE))
        self._start = self._end_at = 0
        self._out = memoryview(b"")
        self._plain = memoryview(b"")

    def get_buffer(self) -> memoryview:
        if self._handshake is None and len(self._in) - self._end_at < len(self._in) // 4 and self._start:
            self._compact(len(self._in))
        return self._in[self._end_at :]

    def _begin(self) -> None:
        if self._role is Role.INITIATOR:
            self._say(b"")

    def _landed(self, size: int) -> None:
        self._end_at += size
        if self._handshake is not None:
            self._handshake_landed(self._handshake)
        else:
            self._records_landed()

    # --- handshake -------------------------------------------------------------------------------

    def _say(self, proof: bytes) -> None:
        assert self._handshake is not None and len(proof) <= PROOF_SIZE_MAX
        message = self._handshake.write(proof)
        self._step += 1
        self._write(memoryview(len(message).to_bytes(LENGTH_SIZE, "big") + message))

    def _handshake_landed(self, handshake: Handshake) -> None:
        """Read exactly one handshake message, never a byte of what follows it."""
        if self._end_at < len(self._in):
            return
        if len(self._in) == LENGTH_SIZE:
            size = int.from_bytes(self._in, "big")
            if not 0 < size <= _MESSAGE_SIZES_MAX[self._step]:
                raise ProtocolError("The other side sent a handshake message of a wrong length.")
            buffer = memoryview(bytearray(LENGTH_SIZE + size))
            buffer[:LENGTH_SIZE] = self._in
            self._in = buffer
            return
        proof = handshake.read(self._in[LENGTH_SIZE:])
        self._in = memoryview(bytearray(LENGTH_SIZE))
        self._end_at = 0
        step = self._step
        self._step += 1
        if step == 0:
            if proof:
                raise ProtocolError("The other side began its handshake with a payload.")
            self._say(self._authenticator.prove(self._role, self._static_public))
            return
        peer = self._authenticator.check(self._role.other, handshake.remote_static, proof)
        if step == 1:
            self._say(self._authenticator.prove(self._role, self._static_public))
        send_key, receive_key = handshake.split()
        self._sealer, self._opener = NoiseSealer(send_key), NoiseOpener(receive_key)
        self._handshake = None
        self._in = memoryview(bytearray(_IN_SIZE_MIN))
        self._opened(peer)

    # --- records ---------------------------------------------------------------------------------

    def _records_landed(self) -> None:
        start, end, data, reader, opener = self._start, self._end_at, self._in, self._reader, self._opener
        while end - start >= LENGTH_SIZE:
            body = start + LENGTH_SIZE
            stop = body + (data[start] << 8 | data[start + 1])
            if stop > end:
                break
            size = stop - body - TAG_SIZE
            if size < 0:
                raise ProtocolError("The other side sent a record shorter than its tag.")
            room = reader.room
            if 0 < size <= len(room):
                opener.open_into(room[:size], data[body:stop])
                reader.advance(size)
            else:
                if size > len(self._plain):
                    self._plain = memoryview(bytearray(_IN_SIZE_MIN if size <= _IN_SIZE_MIN else PLAINTEXT_SIZE_MAX))
                plain = self._plain[:size]
                opener.open_into(plain, data[body:stop])
                reader.feed(plain)
            start = stop
        self._start, self._end_at = (start, end) if start < end else (0, 0)
        if opener.count >= RECORDS_WORN:
            self._owner.worn()
        if end == len(data):
            # The buffer was filled: either there is bulk to come, or a record that it cannot hold.
            self._compact(_IN_SIZE_MAX)

    def _compact(self, size: int) -> None:
        """Move what is left to the start of a buffer of `size` bytes."""
        left = self._in[self._start : self._end_at]
        target = self._in if len(self._in) == size else memoryview(bytearray(size))
        target[: len(left)] = left
        self._in = target
        self._start, self._end_at = 0, len(left)

    def _next_bytes(self) -> memoryview:
        wanted = _OUT_SIZE_MAX if self._writer.bulky else _OUT_SIZE_MIN
        if len(self._out) < wanted:
            self._out = memoryview(bytearray(wanted))
        out, writer, sealer = self._out, self._writer, self._sealer
        limit = min(PLAINTEXT_SIZE_MAX, len(out) - RECORD_OVERHEAD)
        at, last = 0, len(out) - limit - RECORD_OVERHEAD
        while at <= last:
            plaintext = writer.next(limit)
            if not plaintext:
                break
            at += sealer.seal_into(out[at:], plaintext)
        if sealer.count >= RECORDS_WORN:
            self._owner.worn()
        return out[:at]
