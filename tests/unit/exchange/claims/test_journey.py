"""A claim from a finished encounter to its payment, in one process; each refusal on the way."""

from __future__ import annotations

import pytest

from simdes.claims.responses import Outcome
from simdes.errors import Conflict, NotFound
from simdes.exchange.claims import billing_desk, deciding, paying
from simdes.ledger.contracts import ClaimState
from support.claim_scene import Visit


def test_a_claim_opens_by_itself_is_disclosed_decided_and_paid(visit: Visit) -> None:
    north, east = visit.network["north"].node, visit.network["east"].node
    visit.enrol()
    first = visit.work()
    assert (first.stated, first.opened) == (2, 1)
    assert visit.work().offered == 1
    assert visit.work().opened == 0
    asked = visit.request()
    kinds = [one.reference.partition("/")[0] for one in asked.lines]
    assert sorted(kinds) == sorted(
        ["Claim", "Patient", "Coverage", "Encounter", "DocumentReference", "Condition"]
    )
    assert asked.insurer == east.organisation
    assert visit.inbox() == []

    claim = visit.disclose()
    assert visit.work().disclosed == 1
    [row] = visit.inbox()
    assert (row.claim, str(row.claimed), row.approved) == (claim, "320.00 EUR", None)
    case = visit.shown(claim)
    assert sorted(one["resourceType"] for one in case.record) == sorted(kinds)
    assert case.known.state is ClaimState.DISCLOSED

    clerk = visit.clerk
    assert deciding.decide(east, clerk, case, dry_run=True).outcome is Outcome.PARTLY
    assert visit.state(claim) is ClaimState.DISCLOSED
    decision = deciding.decide(east, clerk, case)
    assert [str(one["amount"]["value"]) for one in decision.response["total"]] == [
        "320.00",
        "153.00",
        "167.00",
    ]
    with pytest.raises(Conflict, match="appealed"):
        paying.settle(east, clerk, claim)
    billing_desk.accept(north, visit.biller, claim)
    payment = paying.settle(east, clerk, claim)
    assert str(payment.amount) == "153.00 EUR"
    assert visit.state(claim) is ClaimState.PAID

    visit.network.settle()
    assert visit.work().ended == 1
    [row] = visit.inbox()
    assert (row.readable, str(row.approved)) == (False, "153.00 EUR")
    with pytest.raises(NotFound):
        visit.shown(claim)
    [own] = visit.mine()
    assert (own.state, own.ended) == (ClaimState.PAID, True)
