"""An insurer is told in whose vault each claim is, so that it sees all of them, however many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simdes.access.audit_event import Verb
from simdes.errors import NotFound
from simdes.exchange import reach
from simdes.exchange.claims import arriving, cases, disclosing, paying
from simdes.index import whereabouts
from simdes.index.transaction import Transaction
from simdes.ledger.contracts import ClaimState
from support.claim_scene import Visit
from support.consortium import Clock, Consortium
from support.fhir_api import Api


@pytest.fixture(scope="module")
def visits(founded: tuple[Consortium, Clock, Path], doctor: Api) -> Iterator[list[Visit]]:
    """Two patients whose insurer sees claims by preference; one is looked through at once."""
    network, clock, _ = founded
    made = [Visit.of(network, clock, doctor, f"arriving-{number}") for number in range(2)]
    for one in made:
        one.enrol()
        east = one.node("east").organisation
        disclosing.prefer(one.node("north"), one.patient, one.vault, east)
    told = 0
    while told < len(made):
        told += made[0].work().disclosed
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reach, "MOST_VAULTS", 1)
        yield made


def test_claims_of_more_patients_than_are_looked_through_are_all_listed(
    visits: list[Visit],
) -> None:
    for one in visits:
        [row] = one.inbox()
        assert (row.state, str(row.claimed)) == (ClaimState.DISCLOSED, "320.00 EUR")
        assert one.shown(row.claim).vault == one.vault
    assert arriving.collect(visits[0].node("east")) == 0, "each is told once"


def test_another_insurer_is_told_nothing_and_the_patient_sees_who_was(visits: list[Visit]) -> None:
    one = visits[0]
    [row] = one.inbox()
    assert arriving.collect(one.node("vale")) == 0
    with pytest.raises(NotFound):
        one.shown(row.claim, "vale")
    north = one.node("north")
    told = [
        entry.attempt.organisation
        for _, entry in north.desk.trail.entries(north.database, vault=one.vault)
        if entry.attempt.verb is Verb.CLAIMS
    ]
    assert told == [one.node("east").organisation]


def test_a_provider_that_lost_what_it_told_tells_again_and_is_heard_once(
    visits: list[Visit],
) -> None:
    north, east = visits[0].node("north"), visits[0].node("east")
    arriving.collect(east)
    newest = heard(visits[0])
    north.database.write(lambda tx: tx.run("DELETE FROM claim_told"))
    visits[0].work()
    assert heard(visits[0]) > newest, "under higher numbers"
    assert [len(one.inbox()) for one in visits] == [1, 1]
    before = len(north.desk.trail.entries(north.database, vault=visits[0].vault))
    assert arriving.collect(east) == 0
    assert len(north.desk.trail.entries(north.database, vault=visits[0].vault)) == before


def heard(visit: Visit) -> int:
    """Up to which number the insurer heard the hospital."""
    with visit.node("east").database.read() as tx:
        return whereabouts.CLAIMS.heard_up_to(tx, visit.node("north").organisation)


def test_nobody_is_told_of_a_vault_that_was_erased(visits: list[Visit]) -> None:
    one = visits[1]
    north, east = one.node("north"), one.node("east").organisation

    def erased(tx: Transaction) -> None:
        tx.run("UPDATE vault SET state = 'erased' WHERE tag = :vault", vault=one.vault)
        whereabouts.CLAIMS.drop_vault(tx, one.vault)
        assert not whereabouts.CLAIMS.tell(tx, b"\x08" * 32, one.vault, east, now_ms=north.now_ms())
        assert one.vault not in {its.vault for its in whereabouts.CLAIMS.told(tx, east, after=0)}
        raise _Enough

    with pytest.raises(_Enough):
        north.database.write(erased)


class _Enough(Exception):
    """Undoes what was tried."""


def test_a_claim_that_is_not_the_tellers_own_or_not_for_us_is_not_believed(
    visits: list[Visit],
) -> None:
    north, east = visits[0].node("north"), visits[0].node("east")
    arriving.collect(east)
    north.database.write(
        lambda tx: whereabouts.CLAIMS.tell(
            tx, b"\x07" * 32, visits[0].vault, east.organisation, now_ms=north.now_ms()
        )
    )
    try:
        assert arriving.collect(east) == 0
        with east.database.read() as tx:
            assert b"\x07" * 32 not in whereabouts.CLAIMS.known(tx)
    finally:
        north.database.write(
            lambda tx: tx.run("DELETE FROM claim_told WHERE claim = :c", c=b"\x07" * 32)
        )


def test_of_a_claim_that_ended_the_vault_is_forgotten_and_its_decision_stays(
    visits: list[Visit],
) -> None:
    one = visits[0]
    east, claim = one.node("east"), one.inbox()[0].claim
    one.decide(claim)
    cases.row(east, one.clerk(), claim)
    paying.reverse(east, one.clerk(), claim)
    assert arriving.tidy(east) >= 1
    assert arriving.collect(east) == 0, "what was forgotten is not told again"
    with east.database.read() as tx:
        assert whereabouts.CLAIMS.vault_of(tx, claim) is None
    assert cases.row(east, one.clerk(), claim).state is ClaimState.REVERSED
