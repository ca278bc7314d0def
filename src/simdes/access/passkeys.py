"""Passkeys: WebAuthn credentials that verify their user and unlock the account's key by themselves.

Web Authentication Level 3 (https://www.w3.org/TR/webauthn-3/): discoverable credentials, user
verification required, no attestation. The PRF extension (section 10.1.4) gives 32 bytes that only
this authenticator gives for this organisation; the account key is wrapped under HKDF of them. An
authenticator without PRF proves who is there and unlocks nothing: the passphrase is asked besides.

Challenges are ours by a keyed digest, bound to the browser and the purpose, good for five minutes
and once. The library is loaded by who needs it: that takes 40 ms of CPU, which every
command that reads this module would wait for.
"""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from simdes.access.keystore import Person
from simdes.access.tokens import Issuer
from simdes.crypto.digest import hkdf, sha256
from simdes.crypto.keys import SigningKey, unwrap, wrap
from simdes.errors import Invalid, SimdesError, Unauthenticated
from simdes.index import credentials as rows
from simdes.index.transaction import Transaction

MOST: Final = 20
TIMEOUT_MS: Final = 300_000
MAX_ANSWER_BYTES: Final = 16_384
PRF_BYTES: Final = 32
_REFUSED: Final = "The passkey was not accepted."
_MAC_BYTES: Final = 16
_CHALLENGE_BYTES: Final = 16 + 8 + _MAC_BYTES


@dataclass(frozen=True, slots=True)
class Made:
    """A new credential that was verified."""

    credential: bytes
    public: bytes
    sign_count: int
    synchronised: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """An assertion that was verified against a stored passkey; ``challenge`` is to be spent."""

    passkey: rows.Passkey
    sign_count: int
    challenge: bytes

    @property
    def methods(self) -> tuple[str, ...]:
        """The values of RFC 8176: bound to a device or synchronised, possession, presence."""
        return ("swk" if self.passkey.synchronised else "hwk", "pop", "user")


def origin(issuer: Issuer) -> str:
    """Scheme, host and port of the gateway as browsers know it."""
    parts = urlsplit(issuer.name)
    return f"{parts.scheme}://{parts.netloc}"


def relying_party(issuer: Issuer) -> str:
    """The gateway's host, to which its passkeys are bound for good."""
    return urlsplit(issuer.name).hostname or ""


def possible(issuer: Issuer) -> bool:
    """Whether browsers make passkeys here: under a host name, by TLS or on the machine itself."""
    host, secure = relying_party(issuer), issuer.name.startswith("https:")
    named = bool(host) and not host.replace(".", "").isdigit() and ":" not in host
    return named and (secure or host == "localhost" or host.endswith(".localhost"))


def creation_options(
    issuer: Issuer, person: Person, *, name: str, binding: bytes, known: list[rows.Passkey]
) -> str:
    """What ``navigator.credentials.create`` is asked for, as JSON."""
    import webauthn  # noqa: PLC0415
    from webauthn.helpers import structs  # noqa: PLC0415

    options = webauthn.generate_registration_options(
        rp_id=relying_party(issuer),
        rp_name=name,
        user_id=person.account,
        user_name=person.user,
        user_display_name=person.display,
        challenge=_challenge(issuer, b"create", binding),
        timeout=TIMEOUT_MS,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[
            structs.PublicKeyCredentialDescriptor(id=one.credential) for one in known
        ],
    )
    return _with_prf(issuer, webauthn.options_to_json(options))


def request_options(issuer: Issuer, *, binding: bytes, known: list[rows.Passkey]) -> str:
    """What ``navigator.credentials.get`` is asked for; without ``known`` any passkey of ours."""
    import webauthn  # noqa: PLC0415
    from webauthn.helpers import structs  # noqa: PLC0415

    options = webauthn.generate_authentication_options(
        rp_id=relying_party(issuer),
        challenge=_challenge(issuer, b"get", binding),
        timeout=TIMEOUT_MS,
        allow_credentials=[
            structs.PublicKeyCredentialDescriptor(id=one.credential) for one in known
        ],
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return _with_prf(issuer, webauthn.options_to_json(options))


def verify_creation(issuer: Issuer, answer: str, *, binding: bytes) -> tuple[Made, bytes]:
    """A new credential and the challenge to spend; `Unauthenticated` where anything is wrong."""
    import webauthn  # noqa: PLC0415
    from webauthn.helpers import structs  # noqa: PLC0415

    document = _read(answer)
    challenge = _answered(issuer, document, b"create", binding)
    try:
        made = webauthn.verify_registration_response(
            credential=document,
            expected_challenge=challenge,
            expected_rp_id=relying_party(issuer),
            expected_origin=origin(issuer),
            require_user_verification=True,
        )
    except Exception as error:  # the library lets through whatever its parsers raise
        raise Unauthenticated(_REFUSED) from error
    return Made(
        made.credential_id,
        made.credential_public_key,
        made.sign_count,
        made.credential_device_type is structs.CredentialDeviceType.MULTI_DEVICE,
    ), challenge


def verify_request(issuer: Issuer, tx: Transaction, answer: str, *, binding: bytes) -> Shown:
    """A stored passkey that answered our challenge; `Unauthenticated` where anything is wrong.

    The counter is judged by whoever notes the use: only a right signature may cast doubt on a
    passkey.
    """
    import webauthn  # noqa: PLC0415

    document = _read(answer)
    challenge = _answered(issuer, document, b"get", binding)
    passkey = rows.passkey(tx, passkey_id(_credential(document)))
    if passkey is None:
        raise Unauthenticated(_REFUSED)
    try:
        shown = webauthn.verify_authentication_response(
            credential=document,
            expected_challenge=challenge,
            expected_rp_id=relying_party(issuer),
            expected_origin=origin(issuer),
            credential_public_key=passkey.public,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
        holder = document["response"].get("userHandle")
        if holder is not None and _bytes_of(holder) != passkey.account:
            raise Unauthenticated(_REFUSED)
    except Exception as error:  # the library lets through whatever its parsers raise
        raise Unauthenticated(_REFUSED) from error
    return Shown(passkey, shown.new_sign_count, challenge)


def _bytes_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text_of(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _credential(document: dict[str, Any]) -> bytes:
    try:
        return _bytes_of(str(document.get("rawId", "")))
    except ValueError as error:
        raise Unauthenticated(_REFUSED) from error


def passkey_id(credential: bytes) -> bytes:
    """The id of a passkey here: the digest of its credential id."""
    return sha256(b"simdes/passkey/v1" + credential)


def wrap_key(issuer: Issuer, key: SigningKey, credential: bytes, prf: bytes) -> bytes:
    """An account key as a passkey unlocks it; ``prf`` is what the authenticator gave."""
    id = passkey_id(credential)
    return wrap(_wrapping(id, prf), key.to_bytes(), aad=id, random=issuer.random)


def unlock(passkey: rows.Passkey, prf: bytes) -> SigningKey | None:
    """The account key, None where the passkey unlocks none or the authenticator gave nothing."""
    if passkey.key_wrapped is None or not prf:
        return None
    try:
        wrapping = _wrapping(passkey.id, prf)
        return SigningKey.from_bytes(unwrap(wrapping, passkey.key_wrapped, aad=passkey.id))
    except SimdesError:
        return None


def read_prf(text: str) -> bytes:
    """The PRF's output as the page sends it, b"" for none; `Invalid` for another length."""
    try:
        value = _bytes_of(text) if text else b""
    except ValueError:
        value = b"?"
    if value and len(value) != PRF_BYTES:
        raise Invalid("The passkey's output has another length than it should.")
    return value


def expiry_ms(challenge: bytes) -> int:
    """Until when a challenge of ours is good."""
    return int.from_bytes(challenge[16:24], "big")


def _wrapping(id: bytes, prf: bytes) -> bytes:
    return hkdf(prf, salt=id, info=b"simdes/passkey-key/v1")


def _with_prf(issuer: Issuer, options: str) -> str:
    salt = sha256(b"simdes/passkey-prf/v1" + issuer.keystore.organisation)
    prf = {"prf": {"eval": {"first": _text_of(salt)}}}
    return json.dumps(json.loads(options) | {"extensions": prf})


def _challenge(issuer: Issuer, purpose: bytes, binding: bytes) -> bytes:
    until = int(issuer.clock() * 1000) + TIMEOUT_MS
    open_part = issuer.random(16) + until.to_bytes(8, "big")
    return open_part + _mac(issuer, purpose, binding, open_part)


def _answered(issuer: Issuer, document: dict[str, Any], purpose: bytes, binding: bytes) -> bytes:
    """The challenge that an answer names, where it is one of ours for this browser and purpose."""
    try:
        named = json.loads(_bytes_of(document["response"]["clientDataJSON"]))
        challenge = _bytes_of(named["challenge"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unauthenticated(_REFUSED) from error
    ours = len(challenge) == _CHALLENGE_BYTES and hmac.compare_digest(
        challenge[24:], _mac(issuer, purpose, binding, challenge[:24])
    )
    if not ours or expiry_ms(challenge) < int(issuer.clock() * 1000):
        raise Unauthenticated("The page was open for too long.", advice="Load it again.")
    return challenge


def _mac(issuer: Issuer, purpose: bytes, binding: bytes, open_part: bytes) -> bytes:
    key = hkdf(issuer.keystore.database_key, salt=b"", info=b"simdes/passkey-challenge/v1")
    message = purpose + b"\0" + sha256(binding) + open_part
    return hmac.digest(key, message, "sha256")[:_MAC_BYTES]


def _read(answer: str) -> dict[str, Any]:
    try:
        document = json.loads(answer) if len(answer) <= MAX_ANSWER_BYTES else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Unauthenticated(_REFUSED)
    return document
