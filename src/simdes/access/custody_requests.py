"""`request` and `explain`: words for the patient whose account is hosted here.

`request`: a person of another organisation (or ours) asks the patient to open something; the
patient answers on their own pages, by a consent or not at all. Whoever asks learns neither that
they were declined nor when somebody looked: what they get is the consent. `explain`: who opened an
emergency says why; the digest that stands on chain shows that it is the reason they opened it with
(docs/formats/custody-release.md, "request" and "explain").
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from simdes.access.accounts import why_inactive
from simdes.access.audit_event import Verb
from simdes.access.categories import STAFF, Purpose
from simdes.access.desk import Asker, Body, Desk, Outcome, refuse
from simdes.access.keystore import KeyStore
from simdes.access.local_keys import vault_key
from simdes.access.messages import ExplainBody, RequestBody
from simdes.access.requests import unhex
from simdes.crypto.digest import sha256
from simdes.crypto.keys import unwrap, wrap
from simdes.errors import Invalid
from simdes.index import access_requests as rows
from simdes.index import chain_consents, emergencies, vaults
from simdes.index.transaction import Transaction
from simdes.ledger.consents import Reason

NOT_HOSTED: Final = "NOT_HOSTED"
NOT_OPENED: Final = "NOT_OPENED"
QUOTA: Final = "QUOTA"
MOST_WAITING: Final = 20
"""Requests that wait in one vault: more would bury the patient."""
WAIT_MS: Final = 30 * 86_400_000
"""How long a request waits for its answer."""
QUIET_MS: Final = 7 * 86_400_000
"""How long an account that was declined is not heard again; it is not told."""
REASONS: Final = ("unconscious", "life-threatening", "incapable", "danger", "other")
"""Why glass may be broken: the patient can't answer, there is no time to ask, they can't decide,
they are a danger to themselves or others, or what the text says."""
_PURPOSES: Final = frozenset({Purpose.TREAT, Purpose.HPAYMT, Purpose.HOPERAT})
_AAD: Final = b"simdes/words/v1"
_DIGEST: Final = b"simdes/emergency-reason/v1"
_UNDER_VAULT, _UNDER_ORGANISATION = b"v", b"o"


def request(desk: Desk, asker: Asker, body: RequestBody) -> Outcome:
    """Keep what somebody asks of the patient, until they answer or its time is over."""
    vault = unhex(body.vault)
    reason = asker.unfit or why_inactive(asker.standing)
    if not reason and asker.standing.role not in STAFF:
        reason = Reason.WRONG_ROLE.name
    if not reason and body.purpose not in _PURPOSES:
        reason = Reason.PURPOSE.name
    reason = reason or why_not_hosted(desk, vault)
    now_ms = int(desk.clock() * 1000)
    who = asker.standing.account
    if not reason:
        with desk.database.read() as tx:
            waiting = rows.of_vault(tx, vault, since_ms=now_ms - WAIT_MS)
            unheard = rows.declined_since(tx, vault, who, since_ms=now_ms - QUIET_MS)
        if len([one for one in waiting if one.account != who]) >= MOST_WAITING:
            reason = QUOTA
    if reason:
        return refuse(asker.attempt(Verb.REQUEST, vault=vault, purpose=None, reason=reason))

    def write(tx: Transaction) -> Body:
        if not unheard:
            words = {"name": body.name, "text": body.text}
            rows.put(tx, _row(desk, tx, asker, body, words, now_ms))
        return {}

    return Outcome(
        attempts=(asker.attempt(Verb.REQUEST, vault=vault, purpose=body.purpose),),
        receipt={"vault": body.vault},
        write=write,
    )


def _row(
    desk: Desk,
    tx: Transaction,
    asker: Asker,
    body: RequestBody,
    words: dict[str, str],
    now_ms: int,
) -> rows.AccessRequest:
    vault = unhex(body.vault)
    return rows.AccessRequest(
        id=desk.random(32),
        vault=vault,
        account=asker.standing.account,
        organisation=asker.standing.organisation,
        role=int(asker.standing.role),
        categories=body.categories,
        purpose=body.purpose,
        days=body.days,
        words_wrapped=seal_words(desk, tx, vault, words),
        asked_ms=now_ms,
    )


def explain(desk: Desk, asker: Asker, body: ExplainBody) -> Outcome:
    """Keep why an emergency was opened, from the account that opened it."""
    vault, handle = unhex(body.vault), unhex(body.handle)
    reason = asker.unfit or why_inactive(asker.standing) or why_not_hosted(desk, vault)
    if not reason:
        with desk.database.read() as tx:
            opened = chain_consents.get(tx, vault, handle)
        told = reason_digest(unhex(body.salt), body.reason, body.text)
        if opened is None or (opened.account, opened.reason) != (asker.standing.account, told):
            reason = NOT_OPENED
    if reason:
        return refuse(asker.attempt(Verb.EXPLAIN, vault=vault, handle=handle, reason=reason))

    def write(tx: Transaction) -> Body:
        now_ms = int(desk.clock() * 1000)
        why = Why(salt=unhex(body.salt), reason=body.reason, text=body.text, name=body.name)
        emergencies.put(tx, kept(desk, tx, vault, handle, why, now_ms=now_ms, told_ms=now_ms))
        return {}

    return Outcome(
        attempts=(asker.attempt(Verb.EXPLAIN, vault=vault, handle=handle, purpose=Purpose.ETREAT),),
        receipt={"vault": body.vault, "handle": body.handle},
        write=write,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The reason of an emergency: the salt of its digest, a code of `REASONS`, text, who."""

    salt: bytes
    reason: str
    text: str
    name: str


def reason_digest(salt: bytes, reason: str, text: str) -> bytes:
    """What stands on chain of a reason (32 bytes): SHA-256 over a tag, the salt, code and text."""
    return sha256(_DIGEST + salt + reason.encode() + b"\0" + text.encode())


def kept(
    desk: Desk,
    tx: Transaction,
    vault: bytes,
    handle: bytes,
    why: Why,
    *,
    now_ms: int,
    told_ms: int | None,
) -> emergencies.Kept:
    """The row of an emergency's reason."""
    words = {"salt": why.salt.hex(), "reason": why.reason, "text": why.text, "name": why.name}
    return emergencies.Kept(
        vault=vault,
        handle=handle,
        words_wrapped=seal_words(desk, tx, vault, words),
        told_ms=told_ms,
        created_ms=now_ms,
    )


def why_of(desk: Desk, tx: Transaction, row: emergencies.Kept) -> Why:
    """The reason that a row keeps. Raises NotFound once the vault is erased here."""
    words = open_words(desk.keystore, tx, row.vault, row.words_wrapped)
    return Why(
        salt=bytes.fromhex(words["salt"]),
        reason=words["reason"],
        text=words["text"],
        name=words["name"],
    )


def why_not_hosted(desk: Desk, vault: bytes) -> str:
    """Why no words for this vault's patient are taken here; "" where they are."""
    known = desk.contracts.accounts.vault(vault)
    if known is None:
        return Reason.UNKNOWN_VAULT.name
    hosted = known.control is not None and desk.keystore.person_of(known.control) is not None
    return "" if hosted else NOT_HOSTED


def seal_words(desk: Desk, tx: Transaction, vault: bytes, words: dict[str, str]) -> bytes:
    """Words about a patient, under the vault's key where it has one here, else under our own."""
    mark, key = _key(desk.keystore, tx, vault)
    text = json.dumps(words, ensure_ascii=False).encode()
    return mark + wrap(key, text, aad=_AAD + vault, random=desk.random)


def open_words(keystore: KeyStore, tx: Transaction, vault: bytes, wrapped: bytes) -> dict[str, str]:
    """Undo `seal_words`. Raises NotFound once the vault is erased here."""
    if wrapped[:1] == _UNDER_ORGANISATION:
        key = keystore.database_key
    else:
        row = vaults.get(tx, vault)
        if row is None:
            raise Invalid("Words are under the key of a vault that is not known here.")
        key = vault_key(keystore, row)
    found: dict[str, str] = json.loads(unwrap(key, wrapped[1:], aad=_AAD + vault))
    return found


def _key(keystore: KeyStore, tx: Transaction, vault: bytes) -> tuple[bytes, bytes]:
    row = vaults.get(tx, vault)
    if row is None or row.key_wrapped is None:
        return _UNDER_ORGANISATION, keystore.database_key
    return _UNDER_VAULT, vault_key(keystore, row)
