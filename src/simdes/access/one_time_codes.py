"""Time-based one-time codes as a second factor (TOTP, https://www.rfc-editor.org/rfc/rfc6238).

SHA-1, six digits, 30 seconds: what every authenticator app knows. The secret lies wrapped under the
account's own key, so that neither the disk nor the organisation's passphrase gives it away. A code
is good once: each accepted time step must be later than the one before (RFC 6238, section 5.2).
Recovery codes are 80 random bits each, kept as digests and spent by use.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from simdes.crypto.digest import hkdf, sha256
from simdes.crypto.keys import SigningKey, unwrap, wrap

STEP_SECONDS: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20
RECOVERY_CODES: Final = 10
_DRIFT_STEPS: Final = 1
_RECOVERY_BYTES: Final = 10
_INFO: Final = b"simdes/one-time-code/v1"
_RECOVERY: Final = b"simdes/recovery-code/v1"


def wrap_secret(
    key: SigningKey, account: bytes, secret: bytes, *, random: Callable[[int], bytes]
) -> bytes:
    """A secret as it is stored: under a key that only the account's own key gives."""
    return wrap(_wrapping(key), secret, aad=account, random=random)


def unwrap_secret(key: SigningKey, account: bytes, wrapped: bytes) -> bytes:
    """Undo `wrap_secret`; `Tampered` under another account's key."""
    return unwrap(_wrapping(key), wrapped, aad=account)


def _wrapping(key: SigningKey) -> bytes:
    return hkdf(key.to_bytes(), salt=b"", info=_INFO)


def code_at(secret: bytes, time_seconds: int) -> str:
    """The six digits of a moment."""
    # RFC 6238's own test secrets have 20 bytes; the algorithm is SHA-1 in HMAC, which stands.
    totp = TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303
    return totp.generate(time_seconds).decode()


def matching_step(secret: bytes, code: str, *, now_seconds: int) -> int | None:
    """The time step whose code this is, from one step ago to one ahead; None for no match."""
    present, found = now_seconds // STEP_SECONDS, None
    for step in range(present - _DRIFT_STEPS, present + _DRIFT_STEPS + 1):
        if step >= 0 and hmac.compare_digest(
            code_at(secret, step * STEP_SECONDS).encode(), code.encode()
        ):
            found = step
    return found


def readable(secret: bytes) -> str:
    """The secret in base32, in groups of four, for typing it in."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def uri(secret: bytes, *, issuer: str, user: str) -> str:
    """The ``otpauth:`` address that authenticator apps read from a QR code."""
    label = f"{quote(issuer, safe='')}:{quote(user, safe='')}"
    text = base64.b32encode(secret).decode().rstrip("=")
    return (
        f"otpauth://totp/{label}?secret={text}&issuer={quote(issuer, safe='')}"
        f"&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
    )


def new_recovery_codes(random: Callable[[int], bytes]) -> tuple[str, ...]:
    """Fresh recovery codes as people write them: ``abcd-efgh-ijkl-mnop``."""
    return tuple(_recovery_text(random(_RECOVERY_BYTES)) for _ in range(RECOVERY_CODES))


def _recovery_text(secret: bytes) -> str:
    text = base64.b32encode(secret).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def recovery_digest(account: bytes, code: str) -> bytes:
    """What is stored of a recovery code; blanks, hyphens and letter case do not count."""
    plain = "".join(code.split()).replace("-", "").lower()
    return sha256(_RECOVERY + account + plain.encode())
