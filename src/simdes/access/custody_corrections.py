"""`correct`: who hosts a patient tells who wrote an entry what the patient says is wrong with it.

Asked by the software of the organisation that the ledger names as host of the account which
controls the vault, of the organisation that wrote the entry, and of no other. The words travel and
lie sealed; staff who may read the entry read them, and their answer is part of the record
(docs/formats/custody-release.md, "correct").
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from simdes.access.audit_event import Verb
from simdes.access.custody_requests import seal_words
from simdes.access.custody_vaults import KEY_DESTROYED, NOT_AUTHOR, unfit_software
from simdes.access.desk import QUOTA, Asker, Body, Desk, Outcome, refuse
from simdes.access.requests import Hex32, b64, hexed, unb64, unhex
from simdes.crypto.keys import seal_to
from simdes.errors import Conflict, SimdesError
from simdes.index import corrections as rows
from simdes.index import resources, vaults
from simdes.index.transaction import Transaction
from simdes.ledger.consents import Reason

MOST_TEXT: Final = 2_000
"""Characters of what a patient says."""
MOST_OF_A_VAULT: Final = 20
"""Requests of one vault that wait here at once."""
MOST_OF_A_TELLER: Final = 500
"""Requests that one organisation's patients may have waiting here at once."""
NOT_ITS_PATIENT: Final = "NOT_ITS_PATIENT"
NOT_SEALED: Final = "NOT_SEALED"
_INFO: Final = b"simdes/correction/v1"
_MOST_SEALED: Final = 13_000


class CorrectBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`correct`: this patient says that this entry of yours is wrong; ``id`` is the request's."""

    vault: Hex32
    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9\-.]{1,64}$")]
    about: Annotated[str, Meta(pattern=r"^[A-Z][A-Za-z]{1,63}/[A-Za-z0-9\-.]{1,64}$")]
    words: Annotated[str, Meta(min_length=1, max_length=_MOST_SEALED)]


def correct_body(public: bytes, *, vault: bytes, id_: str, about: str, text: str) -> CorrectBody:
    """The question, its words sealed to the organisation with this public key."""
    sealed = seal_to(public, text.encode(), info=_INFO, aad=_bound(hexed(vault), id_, about))
    return CorrectBody(vault=hexed(vault), id=id_, about=about, words=b64(sealed))


def correct(desk: Desk, asker: Asker, body: CorrectBody) -> Outcome:
    """Keep a patient's words about an entry of ours for our staff; told again, nothing changes."""
    vault = unhex(body.vault)
    reason = unfit_software(asker) or _why_not_host(desk, asker, vault)
    text = "" if reason else _opened(desk, body)
    if not reason:
        with desk.database.read() as tx:
            reason = _why_not_ours(tx, vault, body.about) or _why_no_room(tx, asker, body)
    reason = reason or ("" if text else NOT_SEALED)
    if reason:
        return refuse(asker.attempt(Verb.CORRECT, vault=vault, reason=reason))

    def write(tx: Transaction) -> Body:
        row = rows.Heard(
            id=body.id,
            vault=vault,
            teller=asker.standing.organisation,
            about=body.about,
            words_wrapped=seal_words(desk, tx, vault, {"text": text}),
            heard_ms=int(desk.clock() * 1000),
        )
        rows.hear(tx, row)
        return {}

    return Outcome(
        attempts=(asker.attempt(Verb.CORRECT, vault=vault),),
        receipt={"vault": body.vault, "id": body.id},
        write=write,
    )


def _why_not_host(desk: Desk, asker: Asker, vault: bytes) -> str:
    """Why the asker does not speak for the vault's patient; "" where the ledger says it does."""
    known = desk.contracts.accounts.vault(vault)
    if known is None:
        return Reason.UNKNOWN_VAULT.name
    account = None if known.control is None else desk.contracts.accounts.account(known.control)
    hosts = account is not None and account.organisation == asker.standing.organisation
    return "" if hosts else NOT_ITS_PATIENT


def _why_not_ours(tx: Transaction, vault: bytes, about: str) -> str:
    """Why the entry is none that staff here could correct; "" where we wrote it."""
    row = vaults.get(tx, vault)
    if row is not None and row.is_closed:
        return KEY_DESTROYED
    found = resources.latest_of(tx, *about.split("/", 1))
    ours = row is not None and any(one.vault == vault and not one.deleted for one in found)
    return "" if ours else NOT_AUTHOR


def _why_no_room(tx: Transaction, asker: Asker, body: CorrectBody) -> str:
    teller = asker.standing.organisation
    if resources.latest_of(tx, "Communication", body.id):
        return Conflict.default_reason  # of a record here: it would hide what stands there
    before = rows.heard(tx, body.id)
    if before is not None:  # told again; or somebody else's request, whose number this is
        same = (before.vault, before.teller, before.about) == (
            unhex(body.vault),
            teller,
            body.about,
        )
        return "" if same else Conflict.default_reason
    of_vault, of_teller = rows.count_waiting(tx, vault=unhex(body.vault), teller=teller)
    return QUOTA if of_vault >= MOST_OF_A_VAULT or of_teller >= MOST_OF_A_TELLER else ""


def _opened(desk: Desk, body: CorrectBody) -> str:
    """The words; "" where they are not sealed to us for this entry, or are too many."""
    bound = _bound(body.vault, body.id, body.about)
    try:
        sealed = unb64(body.words)
        text = desk.keystore.descriptor_key.open(sealed, info=_INFO, aad=bound).decode()
    except (SimdesError, UnicodeDecodeError):
        return ""
    return text if len(text) <= MOST_TEXT else ""


def _bound(vault: str, id_: str, about: str) -> bytes:
    return f"{vault}\n{id_}\n{about}".encode()
