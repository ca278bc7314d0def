"""`count`: how many patients here meet these criteria, about? The custodian's side.

Asked by a verified researcher of any member, before there is a study. The count gets noise
(`simdes.research.counting`), is charged to the researcher and to the researcher's organisation by
one statement each that can't pass what is left, and is kept in the same transaction; the same
question of a month gets the same answer, whoever asks, and costs nothing again. What is refused
costs nothing. Nobody learns more by asking at once, again, with friends or in other words than the
budget allows (docs/research.md, "Feasibility counts").
"""

from __future__ import annotations

import datetime
from typing import Any, Final

from simdes.access.accounts import why_inactive
from simdes.access.audit_event import Verb
from simdes.access.categories import Purpose, Role
from simdes.access.desk import BUDGET, Asker, Desk, Outcome, refuse
from simdes.access.messages import CountBody, CriterionBody
from simdes.access.requests import hexed
from simdes.crypto import cbor
from simdes.errors import Conflict
from simdes.exchange.research import criteria
from simdes.index import counts
from simdes.index.transaction import Transaction
from simdes.ledger.consents import Reason
from simdes.proofs.cohorts import ANY_AGE, Criterion
from simdes.proofs.disclosures import Coding, coded_element
from simdes.proofs.facts import MOST_VALUE, element_of_code
from simdes.research import counting

TERMS: Final = counting.Terms()
_PURPOSE: Final = Purpose.HRESCH


def count(desk: Desk, asker: Asker, body: CountBody) -> Outcome:
    """The noisy count, or that it is small; refused beyond the budget. Raises Invalid."""
    reason = asker.unfit or why_inactive(asker.standing)
    if not reason and asker.standing.role is not Role.RESEARCHER:
        reason = Reason.WRONG_ROLE.name
    if reason:
        return refuse(asker.attempt(Verb.COUNT, purpose=_PURPOSE, reason=reason))
    asked = [(criterion_of(one), one.codes) for one in body.criteria]
    question = question_of(body, now_seconds=int(desk.clock()))
    noisy = _answer(desk, asker, asked, question)
    if noisy is None:
        return refuse(asker.attempt(Verb.COUNT, purpose=_PURPOSE, reason=BUDGET))
    told = counting.told(noisy, TERMS)
    shown: list[cbor.Value] = [] if told.count is None else [told.count]
    left = answers_left(desk, asker)
    return Outcome(
        attempts=(asker.attempt(Verb.COUNT, purpose=_PURPOSE),),
        receipt={"question": hexed(question), "left": left},
        body={
            "count": shown,
            "fewer_than": told.fewer_than,
            "epsilon": told.epsilon,
            "left": left,
        },
    )


def criterion_of(asked: CriterionBody) -> Criterion:
    """A criterion as the circuit takes it. Raises Invalid for one that no fact can meet."""
    return Criterion(
        tuple((element_of_code(*code), coded_element(says)) for code, says in asked.codes),
        asked.least,
        MOST_VALUE if asked.most is None else asked.most,
        ANY_AGE if asked.within_days is None else asked.within_days,
    )


def question_of(body: CountBody, *, now_seconds: int) -> bytes:
    """What a question is remembered by, however its criteria and codes are ordered or repeated."""
    month = datetime.datetime.fromtimestamp(now_seconds, datetime.UTC).strftime("%Y-%m")
    said = {_canonical(one): None for one in body.criteria}
    return counting.question(sorted(map(list, said)), period=month)


def _canonical(one: CriterionBody) -> tuple[Any, ...]:
    most = MOST_VALUE if one.most is None else one.most
    within = ANY_AGE if one.within_days is None else one.within_days
    codes = sorted({(*about, *says) for about, says in one.codes})
    return (str(codes), one.least, most, within)


def answers_left(desk: Desk, asker: Asker) -> int:
    """How many answers to new questions the researcher still gets here."""
    with desk.database.read() as tx:
        return min(
            max(0, most - counts.spent(tx, who) // TERMS.epsilon)
            for who, most in _payers(desk, asker)
        )


def _payers(desk: Desk, asker: Asker) -> tuple[tuple[str, int], ...]:
    """Who pays for an answer, and how many each gets: friends share their organisation's."""
    limits, standing = desk.limits, asker.standing
    return (
        (f"organisation:{hexed(standing.organisation)}", limits.counts_of_organisation),
        (f"account:{hexed(standing.account)}", limits.counts_of_researcher),
    )


def _answer(
    desk: Desk,
    asker: Asker,
    asked: list[tuple[Criterion, tuple[tuple[Coding, Coding], ...]]],
    question: bytes,
) -> int | None:
    with desk.database.read() as tx:
        known = counts.answered(tx, question)
    if known is not None or not answers_left(desk, asker):
        return known
    now = int(desk.clock())
    noisy = counting.noisy_count(criteria.count(desk, asked, today=now // 86_400), TERMS.epsilon)

    def pay(tx: Transaction) -> int | None:
        tx.lock("counts")  # so that nobody pays for what somebody else was told meanwhile
        known = counts.answered(tx, question)
        if known is not None:
            return known
        payers = _payers(desk, asker)
        if any(
            counts.spent(tx, who) + TERMS.epsilon > most * TERMS.epsilon for who, most in payers
        ):
            return None
        paid = [
            counts.charge(tx, who, cost=TERMS.epsilon, budget=most * TERMS.epsilon)
            for who, most in payers
        ]
        if not all(paid):
            raise Conflict("Somebody else spends this budget at this moment.")
        return counts.keep(tx, question, noisy, now_ms=now * 1000)

    return desk.database.write(pay)
