"""The pages of patients, as one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simdes.gateway.pages.answering import Answer
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.navigation import PATIENT
from simdes.gateway.pages.patient import (
    claim,
    claims,
    corrections,
    erasing,
    files,
    guardians,
    links,
    log,
    merges,
    moving,
    own_copy,
    prescriptions,
    record,
    research,
    sharing,
    signing,
    whose,
)
from simdes.gateway.pages.place import Needs, Place
from simdes.gateway.pages.record import files as record_files

_ANY, _FRESH = Needs.SIGNED_IN, Needs.RECENT
"""What signs or takes everything along asks for a fresh proof; ending and looking do not."""


_SIGNED: Final = frozenset(
    {
        guardians.RENEW,
        links.NEW,
        links.RENEW,
    }
)
"""What takes the account's key, which these pages have not where a wallet keeps it, and links: who
has one reads on after a session that a wallet let read."""


def _place(path: str, method: str, page: Callable[[Asked], Answer], needs: Needs) -> Place:
    return Place(path, method, page, needs, PATIENT, signs=path in _SIGNED)


PATIENT_PLACES: Final = (
    _place(whose.PATH, "GET", whose.show, _ANY),
    _place(record.PATH, "GET", record.show, _ANY),
    _place(record_files.OWN, "GET", record_files.send, _ANY),
    _place(sharing.PATH, "GET", sharing.show, _ANY),
    _place(sharing.NEW, "GET", sharing.show_new, _FRESH),
    _place(sharing.NEW, "POST", sharing.new, _FRESH),
    _place(sharing.END, "GET", sharing.show_end, _ANY),
    _place(sharing.END, "POST", sharing.end, _ANY),
    _place(sharing.DECLINE, "POST", sharing.decline, _ANY),
    _place(sharing.CLOSE, "POST", sharing.close, _ANY),
    _place(signing.PATH, "POST", signing.send, _ANY),
    _place(merges.PATH, "GET", merges.show, _ANY),
    _place(merges.ANSWER, "GET", merges.show_answer, _FRESH),
    _place(merges.ANSWER, "POST", merges.answer, _FRESH),
    _place(merges.WITHDRAW, "POST", merges.withdraw, _ANY),
    _place(corrections.PATH, "GET", corrections.show, _ANY),
    _place(corrections.NEW, "GET", corrections.show_new, _ANY),
    _place(corrections.NEW, "POST", corrections.new, _ANY),
    _place(log.PATH, "GET", log.show, _ANY),
    _place(log.PROOF, "GET", log.proof, _ANY),
    _place(prescriptions.PATH, "GET", prescriptions.show, _ANY),
    _place(prescriptions.SUBMIT, "GET", prescriptions.show_submit, _FRESH),
    _place(prescriptions.SUBMIT, "POST", prescriptions.submit, _FRESH),
    _place(prescriptions.WITHDRAW, "POST", prescriptions.withdraw, _ANY),
    _place(prescriptions.PHARMACY, "GET", prescriptions.show_pharmacy, _FRESH),
    _place(prescriptions.PHARMACY, "POST", prescriptions.prefer, _FRESH),
    _place(prescriptions.CODE, "GET", prescriptions.show_code, _ANY),
    _place(prescriptions.SIGN, "POST", prescriptions.sign, _ANY),
    _place(guardians.PATH, "GET", guardians.show, _ANY),
    _place(guardians.NEW, "GET", guardians.show_new, _FRESH),
    _place(guardians.NEW, "POST", guardians.new, _FRESH),
    _place(guardians.CANCEL, "POST", guardians.cancel, _ANY),
    _place(guardians.VETO, "POST", guardians.veto, _ANY),
    _place(guardians.RENEW, "GET", guardians.show_renew, _FRESH),
    _place(guardians.RENEW, "POST", guardians.renew, _FRESH),
    _place(research.PATH, "GET", research.show, _ANY),
    _place(research.JOIN, "GET", research.show_join, _FRESH),
    _place(research.JOIN, "POST", research.join, _FRESH),
    _place(research.PREFER, "GET", research.show_prefer, _FRESH),
    _place(research.PREFER, "POST", research.prefer, _FRESH),
    _place(research.LEAVE, "POST", research.leave, _ANY),
    _place(research.SIGN, "POST", research.sign, _ANY),
    _place(erasing.PATH, "GET", erasing.show, _FRESH),
    _place(erasing.PATH, "POST", erasing.erase, _FRESH),
    _place(erasing.RECEIPT, "GET", erasing.receipt, _ANY),
    _place(claims.PATH, "GET", claims.show, _ANY),
    _place(claim.PATH, "GET", claim.show, _ANY),
    _place(claim.APPEAL, "GET", claim.show_appeal, _FRESH),
    _place(claim.APPEAL, "POST", claim.appeal, _FRESH),
    _place(claim.COPY, "GET", claim.copy, _FRESH),
    _place(claims.DISCLOSE, "GET", claims.show_disclose, _FRESH),
    _place(claims.DISCLOSE, "POST", claims.disclose, _FRESH),
    _place(claims.WITHDRAW, "POST", claims.withdraw, _ANY),
    _place(claims.PREFER, "GET", claims.show_prefer, _FRESH),
    _place(claims.PREFER, "POST", claims.prefer, _FRESH),
    _place(claims.SIGN, "POST", claims.sign, _ANY),
    _place(links.PATH, "GET", links.show, _ANY),
    _place(links.NEW, "GET", links.show_new, _FRESH),
    _place(links.NEW, "POST", links.new, _FRESH),
    _place(links.CODE, "GET", links.show_code, _FRESH),
    _place(links.RENEW, "POST", links.renew, _FRESH),
    _place(links.END, "POST", links.end, _ANY),
    _place(files.PATH, "GET", files.show, _ANY),
    _place(files.EVERYTHING, "GET", files.everything, _FRESH),
    _place(files.SUMMARY, "GET", files.brief, _FRESH),
    _place(own_copy.PATH, "GET", own_copy.show, _FRESH),
    _place(own_copy.PATH, "POST", own_copy.copy, _FRESH),
    _place(moving.PATH, "GET", moving.show, _FRESH),
    _place(moving.PATH, "POST", moving.act, _FRESH),
    _place(moving.OFF, "POST", moving.call_off, _ANY),
    # A copy outlives the account that it was made with: whoever has it opens it.
    Place(own_copy.OPEN, "GET", own_copy.show_open, Needs.NOBODY),
)
