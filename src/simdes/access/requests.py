"""Signed questions to a custodian and signed answers: compact JWS over a closed set of claims.

A question is a JWS (RFC 7515, ES256K of RFC 8812) by the requester's account key, whose public half
stands in the header as a JWK; the account behind it is looked up on chain, never taken from the
message. An answer is a JWS by an agent account of the custodian's organisation; it names the
question by nonce and digest, and carries its body sealed to the ephemeral HPKE key of the
question (docs/formats/custody-release.md). Nothing here reads the chain or a database.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar

import msgspec

from simdes.access.passes import Pass
from simdes.crypto import cbor
from simdes.crypto.digest import keccak256, sha256
from simdes.crypto.keys import OpeningKey, recover, seal_to
from simdes.decoding import ready
from simdes.errors import Invalid, SimdesError, Tampered, TooLarge, Unauthenticated

REQUEST_TYPE = "simdes-custody+jws"
ANSWER_TYPE = "simdes-receipt+jws"
LIFETIME_SECONDS = 60
SKEW_SECONDS = 5
MAX_REQUEST_BYTES = 1 << 20
MAX_ANSWER_BYTES = 16 << 20
ANSWER_INFO = b"simdes/custody/answer/v1"

Random = Callable[[int], bytes]
Hex32 = Annotated[str, msgspec.Meta(pattern="^0x[0-9a-f]{64}$")]
Hex20 = Annotated[str, msgspec.Meta(pattern="^0x[0-9a-f]{40}$")]
Hex65 = Annotated[str, msgspec.Meta(pattern="^0x[0-9a-f]{130}$")]
Seconds = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
T = TypeVar("T")


class Signer(Protocol):
    """What signs: `crypto.keys.SigningKey`, or a key kept elsewhere."""

    @property
    def address(self) -> bytes:
        """The 20-byte address."""

    @property
    def public(self) -> bytes:
        """The uncompressed public key, 65 bytes."""

    def sign(self, digest: bytes) -> bytes:
        """r ‖ s ‖ v over a 32-byte digest."""


class Jwk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A secp256k1 public key (RFC 7517, RFC 8812)."""

    kty: str
    crv: str
    x: str
    y: str


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The protected header; any other member is refused, so ``crit`` and ``jku`` cannot occur."""

    alg: str
    typ: str
    jwk: Jwk


class PassClaim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reading pass; its key is the one that signs the question."""

    account: Hex32
    organisation: Hex32
    until: Seconds
    signature: Hex65


class RequestClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a requester signs."""

    aud: Hex32
    chain: Seconds
    method: str
    iat: Seconds
    exp: Seconds
    nonce: Hex32
    ephemeral: str
    body: msgspec.Raw
    by: PassClaim | msgspec.UnsetType = msgspec.field(name="pass", default=msgspec.UNSET)


class AnswerClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a custodian signs: the receipt. ``sealed`` opens with the question's ephemeral key."""

    iss: Hex32
    aud: Hex20
    chain: Seconds
    method: str
    iat: Seconds
    nonce: Hex32
    question: Hex32
    receipt: dict[str, Any]
    sealed: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question whose signature, audience, chain, method and times hold."""

    method: str
    audience: bytes
    chain: int
    issued_seconds: int
    expires_seconds: int
    nonce: bytes
    ephemeral: bytes
    body: bytes
    sender: bytes
    digest: bytes
    by: Pass | None = None
    """The reading pass that it is asked by; None where the account's own key signed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the requester keeps to read the answer: the signed bytes and the ephemeral key."""

    token: bytes
    method: str
    audience: bytes
    chain: int
    nonce: bytes
    sender: bytes
    key: OpeningKey


@dataclass(frozen=True, slots=True)
class Answer:
    """An opened answer. ``signer`` is still to be checked as an agent of ``custodian``."""

    custodian: bytes
    signer: bytes
    issued_seconds: int
    receipt: dict[str, Any]
    body: dict[str, cbor.Value]
    token: bytes


def sign_request(
    signer: Signer,
    *,
    method: str,
    audience: bytes,
    chain: int,
    body: Any,
    now_seconds: int,
    random: Random,
    lifetime_seconds: int = LIFETIME_SECONDS,
    by: Pass | None = None,
) -> Asked:
    """Sign a question to organisation `audience`; `body` is a Struct of `messages` or a dict.

    With a pass in ``by`` the signer is the key that it names.

    A fresh ephemeral HPKE key is made for it: whoever records the exchange cannot open the answer.
    """
    key = OpeningKey.generate(random)
    nonce = random(32)
    claims = RequestClaims(
        aud=hexed(audience),
        chain=chain,
        method=method,
        iat=now_seconds,
        exp=now_seconds + lifetime_seconds,
        nonce=hexed(nonce),
        ephemeral=b64(key.public),
        body=msgspec.Raw(msgspec.json.encode(body)),
        by=msgspec.UNSET if by is None else _claimed(by),
    )
    token = sign_jws(signer, REQUEST_TYPE, msgspec.json.encode(claims))
    return Asked(token, method, audience, chain, nonce, signer.address, key)


def read_request(
    token: bytes, *, method: str, audience: bytes, chain: int, now_seconds: int
) -> Question:
    """Check a question's form, signature, audience, chain, method and times.

    Raises `TooLarge` above 1 MiB, `Invalid` for a bad form, `Unauthenticated` for everything that
    makes it not this custodian's, not this chain's, not now, or not signed.
    """
    if len(token) > MAX_REQUEST_BYTES:
        raise TooLarge("The request is above 1 MiB.")
    payload, sender = verify_jws(token, REQUEST_TYPE)
    claims = decode(payload, RequestClaims)
    if claims.aud != hexed(audience):
        raise Unauthenticated("The request is addressed to another organisation.")
    if claims.chain != chain:
        raise Unauthenticated("The request is bound to another chain.")
    if claims.method != method:
        raise Unauthenticated("The request was signed for another method.")
    if not claims.iat <= now_seconds + SKEW_SECONDS or now_seconds >= claims.exp:
        raise Unauthenticated("The request has expired, or the clocks differ.")
    if not 0 < claims.exp - claims.iat <= LIFETIME_SECONDS:
        raise Unauthenticated("The request is valid for longer than 60 seconds.")
    return Question(
        method=method,
        audience=audience,
        chain=chain,
        issued_seconds=claims.iat,
        expires_seconds=claims.exp,
        nonce=unhex(claims.nonce),
        ephemeral=unb64(claims.ephemeral),
        body=bytes(claims.body),
        sender=sender,
        digest=sha256(token),
        by=None if isinstance(claims.by, msgspec.UnsetType) else _passed(claims.by, sender),
    )


def _claimed(one: Pass) -> PassClaim:
    return PassClaim(
        account=hexed(one.account),
        organisation=hexed(one.organisation),
        until=one.until_seconds,
        signature=hexed(one.signature),
    )


def _passed(claim: PassClaim, sender: bytes) -> Pass:
    return Pass(
        account=unhex(claim.account),
        organisation=unhex(claim.organisation),
        key=sender,
        until_seconds=claim.until,
        signature=unhex(claim.signature),
    )


def sign_answer(
    signer: Signer,
    question: Question,
    *,
    custodian: bytes,
    receipt: dict[str, Any],
    body: dict[str, Any],
    now_seconds: int,
) -> bytes:
    """Seal `body` (CBOR) to the question's ephemeral key and sign the receipt over it."""
    sealed = seal_to(
        question.ephemeral,
        cbor.encode(body),
        info=ANSWER_INFO,
        aad=question.digest + custodian,
        once=True,
    )
    claims = AnswerClaims(
        iss=hexed(custodian),
        aud=hexed(question.sender),
        chain=question.chain,
        method=question.method,
        iat=now_seconds,
        nonce=hexed(question.nonce),
        question=hexed(question.digest),
        receipt=receipt,
        sealed=b64(sealed),
    )
    return sign_jws(signer, ANSWER_TYPE, msgspec.json.encode(claims))


def read_answer(token: bytes, asked: Asked) -> Answer:
    """Check that an answer is to this question, and open it.

    The caller still has to check on chain that `signer` is an active agent of the custodian
    (`reading.ask` does). Raises `Tampered` when anything differs.
    """
    if len(token) > MAX_ANSWER_BYTES:
        raise TooLarge("The custodian's answer is above 16 MiB.")
    try:
        payload, signer = verify_jws(token, ANSWER_TYPE)
        claims = decode(payload, AnswerClaims)
    except (Invalid, Unauthenticated) as error:
        raise Tampered(f"The custodian's answer does not verify: {error.message}") from error
    question = sha256(asked.token)
    expected = (
        hexed(asked.audience),
        hexed(asked.sender),
        asked.chain,
        asked.method,
        hexed(asked.nonce),
        hexed(question),
    )
    found = (claims.iss, claims.aud, claims.chain, claims.method, claims.nonce, claims.question)
    if found != expected:
        raise Tampered("The custodian's answer belongs to another question.")
    plain = asked.key.open(unb64(claims.sealed), info=ANSWER_INFO, aad=question + asked.audience)
    try:
        body = cbor.decode(plain)
    except SimdesError as error:
        raise Tampered("The custodian's answer is not well-formed CBOR.") from error
    if not isinstance(body, dict):
        raise Tampered("The custodian's answer is not a map.")
    return Answer(asked.audience, signer, claims.iat, claims.receipt, body, token)


def verify_receipt(token: bytes) -> tuple[AnswerClaims, bytes]:
    """The claims and signer address of a kept receipt, without the ephemeral key.

    For a third party that is shown a receipt; raises `Tampered`.
    """
    try:
        payload, signer = verify_jws(token, ANSWER_TYPE)
        return decode(payload, AnswerClaims), signer
    except SimdesError as error:
        raise Tampered("The receipt does not verify.") from error


def decode(data: bytes, kind: type[T]) -> T:
    """JSON to a Struct, with unknown members refused; `Invalid` without quoting values."""
    try:
        return msgspec.json.decode(data, type=ready(kind))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        path = re.search(r"at `(\$[^`]*)`", str(error))
        where = f" at {path.group(1)}" if path else ""
        raise Invalid(f"The message is not a well-formed {kind.__name__}{where}.") from error


def hexed(data: bytes) -> str:
    """The text form of an id: 0x and lower hex."""
    return "0x" + data.hex()


def unhex(text: str) -> bytes:
    """The id of a text form already checked against a pattern."""
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise Invalid("An id is not hexadecimal.") from error


def b64(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


def unb64(text: str) -> bytes:
    """Strict base64url: one spelling per value, so that a signature covers one meaning."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise Invalid("A member is not base64url.") from error
    if not _ALPHABET.fullmatch(text) or b64(data) != text:
        raise Invalid("A member is not base64url in its one spelling.")
    return data


def sign_jws(signer: Signer, typ: str, payload: bytes) -> bytes:
    """A compact JWS of a type over a payload, by an account's key."""
    public = signer.public
    jwk = Jwk(kty="EC", crv="secp256k1", x=b64(public[1:33]), y=b64(public[33:]))
    header = msgspec.json.encode(Header(alg="ES256K", typ=typ, jwk=jwk))
    signing = f"{b64(header)}.{b64(payload)}".encode()
    return signing + b"." + b64(signer.sign(sha256(signing))[:64]).encode()


def verify_jws(token: bytes, typ: str) -> tuple[bytes, bytes]:
    """(payload, signer address); the address is that of the header's key, proven by signature.

    Raises `Invalid` for a bad form, `Unauthenticated` for another type or a signature that fails.
    """
    try:
        head, payload, signature = token.decode("ascii").split(".")
    except (UnicodeDecodeError, ValueError) as error:
        raise Invalid("The message is not a compact JWS.") from error
    header = decode(unb64(head), Header)
    if (header.alg, header.typ, header.jwk.kty, header.jwk.crv) != (
        "ES256K",
        typ,
        "EC",
        "secp256k1",
    ):
        raise Unauthenticated("The message is not signed with ES256K for this use.")
    public = unb64(header.jwk.x) + unb64(header.jwk.y)
    raw = unb64(signature)
    if len(public) != 64 or len(raw) != 64:
        raise Unauthenticated("The key or signature has the wrong length.")
    address = keccak256(public)[12:]
    digest = sha256(f"{head}.{payload}".encode())
    if address not in {_recovered(digest, raw + bytes([v])) for v in (27, 28)}:
        raise Unauthenticated("The signature does not fit the key in the header.")
    return unb64(payload), address


def _recovered(digest: bytes, signature: bytes) -> bytes | None:
    try:
        return recover(digest, signature)
    except SimdesError:
        return None
