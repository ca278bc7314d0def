"""Every reason that a contract or a custody verb gives has words for people."""

from __future__ import annotations

import pytest

from simdes import errors
from simdes.access import (
    attempts,
    custody_attesting,
    custody_corrections,
    custody_erasure,
    custody_fingerprints,
    custody_freezing,
    custody_guardians,
    custody_reconcile,
    custody_renewal,
    custody_requests,
    custody_told,
    custody_vaults,
    oauth,
    openings,
    passes,
    rights,
)
from simdes.access.accounts import _ADVICE
from simdes.access.desk import _REFUSALS, refusal
from simdes.access.reasons import _WORDS, words
from simdes.errors import Forbidden
from simdes.exchange import signin
from simdes.exchange.anomalies import SecondFactorNeeded
from simdes.exchange.research import entered
from simdes.ledger.consents import Reason

OF_VERBS = {
    value
    for module in (
        custody_vaults,
        custody_renewal,
        custody_requests,
        custody_reconcile,
        custody_erasure,
        custody_fingerprints,
        custody_attesting,
        custody_corrections,
        custody_freezing,
        custody_guardians,
        custody_told,
        attempts,
        oauth,
        passes,
        rights,
        entered,
        signin,
    )
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str) and name == value
} | {openings.UNFINISHED, openings.TOO_FEW}
OF_ERRORS = {
    one.default_reason
    for one in (*vars(errors).values(), SecondFactorNeeded)
    if isinstance(one, type) and issubclass(one, errors.SimdesError)
}


@pytest.mark.parametrize("reason", [one.name for one in Reason if one is not Reason.ALLOWED])
def test_every_reason_of_the_contract_has_words(reason: str) -> None:
    assert words(reason) != reason


def test_every_reason_of_a_verb_an_error_and_an_account_has_words() -> None:
    assert OF_VERBS
    given = OF_VERBS | OF_ERRORS | set(_ADVICE) | set(_REFUSALS)
    assert {reason for reason in given if words(reason) == reason} == set()


def test_no_words_are_kept_for_reasons_that_nobody_gives() -> None:
    given = {one.name for one in Reason} | OF_VERBS | OF_ERRORS | set(_ADVICE) | set(_REFUSALS)
    assert set(_WORDS) - given == set()


def test_a_refusal_says_the_words_and_the_name() -> None:
    error = refusal("REVOKED")
    assert isinstance(error, Forbidden)
    assert error.message == "Refused: the patient withdrew the consent (REVOKED)."
