"""The handshake: the only file that knows the `noiseprotocol` library.

The library runs the handshake alone. The records after it are ours (`capsa.core.records`), under the keys of
`Handshake.split`, since the library would copy every byte several times. All randomness is given.
"""

from __future__ import annotations

from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from noise.connection import Keypair, NoiseConnection
from noise.exceptions import NoiseInvalidMessage, NoiseValueError

from capsa.core.ids import Buffer
from capsa.errors import NotMemberError, ProtocolError

PATTERN: Final = "Noise_XXpsk0_25519_AESGCM_SHA256"
KEY_SIZE: Final = 32


def static_public(private: bytes) -> bytes:
    """The X25519 public key (32 bytes) of a private one."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


class Handshake:
    """One side of one handshake: three messages, written and read in turn, then two keys.

    `static_private` and `ephemeral_private` are X25519 private keys, the second one never used twice;
    `secret` holds a pre-shared key of 32 bytes (more than one for patterns that take more).
    """

    def __init__(
        self,
        initiator: bool,
        *,
        static_private: bytes,
        ephemeral_private: bytes,
        secret: bytes | tuple[bytes, ...],
        prologue: bytes,
        pattern: str = PATTERN,
    ) -> None:
        noise = NoiseConnection.from_name(pattern.encode())
        if initiator:
            noise.set_as_initiator()
        else:
            noise.set_as_responder()
        secrets = [secret] if isinstance(secret, bytes) else list(secret)
        if secrets:
            noise.set_psks(psks=secrets)
        noise.set_prologue(prologue)
        noise.set_keypair_from_private_bytes(Keypair.STATIC, static_private)
        noise.start_handshake()
        # Set behind the library's back: its own setter warns that ephemeral keys are for tests only, because
        # it would otherwise draw them itself; ours come from the injected source.
        self._state: Any = noise.noise_protocol.handshake_state
        self._state.e = noise.noise_protocol.keypair_class.from_private_bytes(ephemeral_private)
        self._noise = noise

    def write(self, payload: bytes = b"") -> bytes:
        """The next message, carrying `payload`."""
        return bytes(self._noise.write_message(payload))

    def read(self, message: Buffer) -> bytes:
        """The payload of the other side's next message.

        Raises `NotMemberError` if it was made without the secret (or changed on the way), `ProtocolError` if
        it is malformed. The handshake is of no use afterwards.
        """
        try:
            return bytes(self._noise.read_message(bytes(message)))
        except InvalidTag:
            raise NotMemberError("The other side does not know this network's secret.") from None
        except (NoiseInvalidMessage, NoiseValueError, ValueError) as error:
            raise ProtocolError(f"The other side sent a malformed handshake: {error}.") from None

    @property
    def finished(self) -> bool:
        """Whether all messages have passed."""
        return bool(self._noise.handshake_finished)

    @property
    def remote_static(self) -> bytes:
        """The other side's static public key, 32 bytes; known once a message has carried it."""
        return bytes(self._state.rs.public_bytes)

    def split(self) -> tuple[bytes, bytes]:
        """The keys (to send, to receive) of 32 bytes each, once finished (section 5.2)."""
        assert self.finished
        protocol = self._noise.noise_protocol
        return bytes(protocol.cipher_state_encrypt.k), bytes(protocol.cipher_state_decrypt.k)

    def __repr__(self) -> str:
        return f"Handshake(finished={self.finished})"
