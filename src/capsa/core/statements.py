"""Statements: the small signed facts of which a network is made, and the node record.

A statement is a `Signed` of one of the kinds below. Its digest is the BLAKE3 of its signed bytes, and the
digest of the founding is the network's id. What the statements add up to is judged in `capsa.core.trust`.

Nobody is enrolled unasked: whoever a join grant or a certificate names signs too (`consent`). Otherwise a
member could certify somebody else's device, or have another owner join under a name of its choosing.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeAlias

import msgspec
from blake3 import blake3
from msgspec import Meta
from msgspec.structs import replace

from capsa.core.encoding import decode, encode
from capsa.core.ids import NetworkId, OwnerId
from capsa.core.keys import Label, SigningKey, length_prefixed, verify
from capsa.core.signing import KIND_FOUNDING, Signed, check, encode_signed, sign
from capsa.errors import FormatError, SignatureError, UsageError

KIND_GRANT: Final = "grant"
KIND_ADMISSION: Final = "admission"
KIND_REVOCATION: Final = "revocation"
KIND_CERTIFICATE: Final = "certificate"
KIND_RECORD: Final = "record"

VERSION: Final = 1
NAME_LENGTH_MAX: Final = 64
KEEPS_MAX: Final = 1024
ADDRESSES_MAX: Final = 16
ADDRESS_LENGTH_MAX: Final = 256
COPIES_MAX: Final = 64
STATEMENT_SIZE_MAX: Final = 48 * 1024
"""Bytes of a signed statement, of an unknown kind too; a revocation with `KEEPS_MAX` digests has 36 KiB."""

_SIGNED_BUT_NO_STATEMENT: Final = frozenset(
    (KIND_RECORD, "claim", "release", "receipt", "head", "session", "consent", "presence")
)
_KIND = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
# Control characters, line separators and marks that reorder text would let a name forge a screen. A fixed list:
# `str.isprintable` depends on the Unicode tables of the Python at hand, and all nodes must agree.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

Hash32: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
Consent: TypeAlias = Annotated[bytes, Meta(max_length=64)]
Seconds: TypeAlias = Annotated[int, Meta(ge=0, lt=2**53)]
Size: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Name: TypeAlias = Annotated[str, Meta(max_length=NAME_LENGTH_MAX)]
Address: TypeAlias = Annotated[str, Meta(max_length=ADDRESS_LENGTH_MAX)]


class Founding(msgspec.Struct, frozen=True, array_like=True):
    """A network begins; its signer is the founder. `name` is the founder's, `copies` the default besides the home."""

    version: int
    name: Name
    copies: Annotated[int, Meta(ge=0, le=COPIES_MAX)]
    members_invite: bool
    created: Seconds
    nonce: Annotated[bytes, Meta(min_length=16, max_length=16)]


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """An *invite* (`one_time`): a member's to a one-time key. Or a *join*: that key's to the joiner's owner key.

    `expires` is in Unix seconds, 0 for never. `name` is what a joiner calls itself, or whom an invite is meant for.
    """

    subject: Hash32
    one_time: bool
    may_invite: bool
    expires: Seconds
    created: Seconds
    name: Name
    consent: Consent = b""


class Admission(msgspec.Struct, frozen=True, array_like=True):
    """A member's device countersigns a join grant, given by digest, and the owner that it names."""

    grant: Hash32
    owner: Hash32
    admitted: Seconds


class Revocation(msgspec.Struct, frozen=True, array_like=True):
    """An owner or a device is out; of what it stated only that in `keeps` (digests) stays."""

    subject: Hash32
    keeps: Annotated[tuple[Hash32, ...], Meta(max_length=KEEPS_MAX)]
    created: Seconds


class Certificate(msgspec.Struct, frozen=True, array_like=True):
    """An owner's word that a device is its own, with that device's consent. `name` is the device's."""

    device: Hash32
    created: Seconds
    name: Name
    consent: Consent = b""


class NodeRecord(msgspec.Struct, frozen=True, array_like=True):
    """What a node says of itself; its signer is the node. Sizes in bytes; the highest incarnation holds."""

    owner: Hash32
    addresses: Annotated[tuple[Address, ...], Meta(max_length=ADDRESSES_MAX)]
    capacity: Size
    free: Size
    zone: Name
    full: bool
    incarnation: Size
    name: Name


Body: TypeAlias = Founding | Grant | Admission | Revocation | Certificate

_BODIES: dict[str, type[Body]] = {
    KIND_FOUNDING: Founding,
    KIND_GRANT: Grant,
    KIND_ADMISSION: Admission,
    KIND_REVOCATION: Revocation,
    KIND_CERTIFICATE: Certificate,
}


def digest(signed: Signed) -> bytes:
    """The name of a statement: BLAKE3-256 of its signed bytes."""
    return blake3(encode_signed(signed)).digest()


def network_id(founding: Signed) -> NetworkId:
    """The id of the network that this statement founds."""
    return NetworkId(digest(founding))


def read_statement(signed: Signed) -> Body | None:
    """The body of a statement, None if its kind is unknown; `FormatError` if it is malformed.

    No signature is checked here: see `verify_statement`.
    """
    kind = _BODIES.get(signed.kind)
    if kind is None:
        return None
    body = decode(kind, signed.body, size_max=STATEMENT_SIZE_MAX)
    if isinstance(body, Founding) and body.version != VERSION:
        raise FormatError(f"The network's founding has the unknown version {body.version}.", "Update capsa.")
    if isinstance(body, Founding | Grant | Certificate):
        _check_text(body.name)
    return body


def verify_statement(signed: Signed, network: NetworkId) -> None:
    """Check all of a statement that can be checked without its fellows, before it enters the set.

    Raises `FormatError` on what is malformed, too large or no statement, and `SignatureError` if it is of
    another network or a signature or consent does not hold. An unknown kind passes if its envelope is right.
    """
    if not _KIND.fullmatch(signed.kind) or signed.kind in _SIGNED_BUT_NO_STATEMENT:
        raise FormatError("A statement is of an impossible kind.")
    if len(encode_signed(signed)) > STATEMENT_SIZE_MAX:
        raise FormatError(f"A statement is longer than the {STATEMENT_SIZE_MAX} bytes allowed.")
    body = read_statement(signed)
    if signed.network != (b"" if signed.kind == KIND_FOUNDING else network):
        raise SignatureError("A statement belongs to another network.")
    if isinstance(body, Founding) and network_id(signed) != network:
        raise SignatureError("A founding statement belongs to another network.")
    check(signed)
    if isinstance(body, Certificate):
        verify(body.device, _consent_message(signed.kind, network, signed.signer, body), body.consent)
    elif isinstance(body, Grant) and not body.one_time:
        verify(body.subject, _consent_message(signed.kind, network, signed.signer, body), body.consent)
    elif isinstance(body, Grant) and body.consent:
        raise FormatError("An invite carries a consent, which only a join can.")


def verify_record(signed: Signed, network: NetworkId) -> NodeRecord:
    """The record of the node `signed.signer`; raises `FormatError` or `SignatureError` if it is not a true one."""
    if signed.kind != KIND_RECORD:
        raise FormatError("This is not a node record.")
    if signed.network != network:
        raise SignatureError("A node record belongs to another network.")
    body = decode(NodeRecord, signed.body, size_max=STATEMENT_SIZE_MAX)
    for text in (body.zone, body.name, *body.addresses):
        _check_text(text)
    check(signed)
    return body


def check_address(address: str) -> None:
    """Raise `FormatError` on an address that could forge a screen; whether it leads anywhere, its dialler sees."""
    _check_text(address)


def check_name(name: str) -> str:
    """The name, if it can name an owner, a device or a zone; else `UsageError`."""
    if len(name) > NAME_LENGTH_MAX or _UNSAFE.search(name):
        raise UsageError(
            "This name cannot be used.", f"Give at most {NAME_LENGTH_MAX} characters, without control characters."
        )
    return name


def found(
    key: SigningKey, *, nonce: bytes, created: int, name: str = "", copies: int = 3, members_invite: bool = True
) -> Signed:
    """Found a network, as its founder; `nonce` is 16 random bytes. `UsageError` on a bad name or number of copies."""
    if not 0 <= copies <= COPIES_MAX:
        raise UsageError(f"A network keeps 0 to {COPIES_MAX} copies besides the home.", "Give another number.")
    return sign(
        key, KIND_FOUNDING, b"", encode(Founding(VERSION, check_name(name), copies, members_invite, created, nonce))
    )


def invite(
    key: SigningKey,
    network: NetworkId,
    *,
    one_time: bytes,
    created: int,
    expires: int = 0,
    may_invite: bool = True,
    name: str = "",
) -> Signed:
    """A member owner's grant to the one-time public key `one_time`."""
    body = Grant(one_time, True, may_invite, expires, created, check_name(name))
    return sign(key, KIND_GRANT, network, encode(body))


def join(one_time: SigningKey, owner: SigningKey, network: NetworkId, *, created: int, name: str = "") -> Signed:
    """The one-time key's grant to the joiner's owner key, to which that owner consents."""
    body = Grant(owner.public, False, True, 0, created, check_name(name))
    message = _consent_message(KIND_GRANT, network, one_time.public, body)
    return sign(one_time, KIND_GRANT, network, encode(replace(body, consent=owner.sign(message))))


def admit(device: SigningKey, network: NetworkId, *, join_digest: bytes, owner: OwnerId, admitted: int) -> Signed:
    """A member's device admits the owner that the join grant of this digest names."""
    return sign(device, KIND_ADMISSION, network, encode(Admission(join_digest, owner, admitted)))


def certify(owner: SigningKey, device: SigningKey, network: NetworkId, *, created: int, name: str = "") -> Signed:
    """The owner's certificate for a device, to which that device consents."""
    body = Certificate(device.public, created, check_name(name))
    message = _consent_message(KIND_CERTIFICATE, network, owner.public, body)
    return sign(owner, KIND_CERTIFICATE, network, encode(replace(body, consent=device.sign(message))))


def revoke(
    key: SigningKey, network: NetworkId, *, subject: bytes, created: int, keeps: tuple[bytes, ...] = ()
) -> Signed:
    """Revoke an owner or a device; `keeps` are digests of its statements that stay (see `Roster.works_of`).

    `UsageError` if there are more of them than `KEEPS_MAX`.
    """
    if len(keeps) > KEEPS_MAX:
        raise UsageError(f"A revocation keeps at most {KEEPS_MAX} statements.", "Keep fewer, and invite the rest anew.")
    return sign(key, KIND_REVOCATION, network, encode(Revocation(subject, tuple(sorted(set(keeps))), created)))


def record(device: SigningKey, network: NetworkId, values: NodeRecord) -> Signed:
    """A node's signed record of itself; `UsageError` if its name or zone cannot be used."""
    check_name(values.name)
    check_name(values.zone)
    return sign(device, KIND_RECORD, network, encode(values))


def _check_text(text: str) -> None:
    if _UNSAFE.search(text):
        raise FormatError("A name or address holds control characters.")


def _consent_message(kind: str, network: NetworkId, signer: bytes, body: Grant | Certificate) -> bytes:
    """What the named key signs: the label, then all of the statement but this consent."""
    parts = (kind.encode(), network, signer, encode(replace(body, consent=b"")))
    return length_prefixed(Label.SIGN_CONSENT.encode(), *parts)
