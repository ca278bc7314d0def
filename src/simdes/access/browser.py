"""Sessions of browsers: a cookie's secret names the session and unlocks the person's key.

As with access tokens (`tokens`), the row keeps the account key wrapped under HKDF of a secret that
only the browser holds, so the disk alone does not unlock it; the row's id is another digest of that
secret. A session ends when it rested for half an hour or lasted for twelve, and gets another secret
whenever something more was proven, so that nobody can plant one (OWASP ASVS 5.0, 7.2.4). A half
session waits for a second proof and is good for nothing else. Where a wallet of their own keeps
somebody's key, the row has their pass for reading, with the key that it names.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from simdes.access.passes import Carried
from simdes.access.tokens import Issuer
from simdes.crypto.digest import hkdf, sha256
from simdes.crypto.keys import SigningKey, unwrap, wrap
from simdes.errors import SimdesError, Unauthenticated
from simdes.index import credentials as rows
from simdes.index.transaction import Transaction

IDLE_MS: Final = 30 * 60_000
LASTING_MS: Final = 12 * 3_600_000
HALF_MS: Final = 10 * 60_000
_TOUCH_MS: Final = 30_000
_KEY_BYTES: Final = 32
_SECRET: Final = re.compile("[A-Za-z0-9_-]{43}")
_NAME: Final = b"simdes/browser-name/v1"
_INFO: Final = b"simdes/browser-key/v1"
_CLIENT: Final = b"simdes/browser-client/v1"
_ENDED: Final = "You are not signed in, or your session ended."


@dataclass(frozen=True, slots=True)
class Proof:
    """What a person has proven so far. ``key`` is None where nothing unlocked it yet, and a pass
    where a wallet keeps it.

    ``started_ms`` and ``expires_ms`` are those of the session that this one continues.
    """

    account: bytes
    key: SigningKey | Carried | None
    methods: tuple[str, ...]
    whole: bool
    client: str
    started_ms: int | None = None
    expires_ms: int | None = None


def session_id(secret: str) -> bytes:
    """The id of a cookie's session, whether there is one or not."""
    return sha256(_NAME + secret.encode())


def new_secret(issuer: Issuer) -> str:
    """32 random bytes as a cookie carries them, 43 characters."""
    return base64.urlsafe_b64encode(issuer.random(32)).decode().rstrip("=")


def open_session(issuer: Issuer, tx: Transaction, proof: Proof, secret: str) -> None:
    """Open the session of a fresh `new_secret`."""
    now, id = int(issuer.clock() * 1000), session_id(secret)
    lasting = LASTING_MS if proof.whole else HALF_MS
    wrapped = None
    if proof.key is not None:
        wrapped = wrap(_wrapping(secret), proof.key.to_bytes(), aad=id, random=issuer.random)
    rows.add_session(
        tx,
        rows.BrowserSession(
            id=id,
            account=proof.account,
            key_wrapped=wrapped,
            methods=" ".join(proof.methods),
            state=rows.WHOLE if proof.whole else rows.HALF,
            client_wrapped=wrap(
                issuer.keystore.database_key,
                proof.client.encode(),
                aad=_CLIENT + id,
                random=issuer.random,
            ),
            proved_ms=now,
            started_ms=proof.started_ms or now,
            seen_ms=now,
            expires_ms=proof.expires_ms or now + lasting,
        ),
    )


def find(issuer: Issuer, secret: str) -> rows.BrowserSession:
    """The session of a cookie, used now; `Unauthenticated` alike for every way of being none."""
    if not _SECRET.fullmatch(secret):
        raise Unauthenticated(_ENDED)
    now, id = int(issuer.clock() * 1000), session_id(secret)
    with issuer.database.read() as tx:
        row = rows.session(tx, id, now_ms=now, idle_ms=IDLE_MS)
    if row is None:
        raise Unauthenticated(_ENDED)
    if row.seen_ms < now - _TOUCH_MS:
        issuer.database.write(lambda tx: rows.touch_session(tx, id, now_ms=now))
    return row


def unlock(row: rows.BrowserSession, secret: str) -> SigningKey | Carried | None:
    """The account key, or the pass, that a session's cookie unlocks; None while nothing did."""
    if row.key_wrapped is None:
        return None
    try:
        kept = unwrap(_wrapping(secret), row.key_wrapped, aad=row.id)
        return SigningKey.from_bytes(kept) if len(kept) == _KEY_BYTES else Carried.from_bytes(kept)
    except SimdesError as error:
        raise Unauthenticated(_ENDED) from error


def client_of(issuer: Issuer, row: rows.BrowserSession) -> str:
    """What the browser called itself when the session began."""
    key = issuer.keystore.database_key
    return unwrap(key, row.client_wrapped, aad=_CLIENT + row.id).decode()


def _wrapping(secret: str) -> bytes:
    return hkdf(secret.encode(), salt=b"", info=_INFO)
