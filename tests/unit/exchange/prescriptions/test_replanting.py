"""A forest that begins anew has the batches again in which something can still be dispensed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from simdes.app import ADMINISTRATOR
from simdes.errors import NotFound, SimdesError
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import issuing, replanting, stating
from simdes.exchange.prescriptions.forest import Forests, Standing
from simdes.index import prescriptions
from simdes.ledger.contracts import StatementKind
from simdes.ledger.lane import Lane
from simdes.proofs.openings import Opening
from support import consortium
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json, application
from support.prescribing import Ward

KIND = StatementKind.PRESCRIPTION


@pytest.fixture
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """On a network of its own: what is begun anew is so for everybody."""
    folder, clock = tmp_path_factory.mktemp("anew") / "network", Clock()
    consortium.found(folder, names=("north", "west"))
    consortium.let_read(folder / "north")
    with consortium.opened(folder, clock=clock) as network:
        doctor = Api.of(network["north"], "dr.north", app=application(network["north"]))
        yield Ward.of(network, clock, doctor, "anew")


def node_of(ward: Ward) -> Node:
    return ward.network["north"].node


def begin_anew(network: Consortium) -> None:
    """What the network's owners decide."""
    node = network["north"].node
    node.contracts.administrators.carry_out(
        node.contracts.statements.begin_forest(KIND),
        salt=os.urandom(32),
        owners=[node.lane(network.session("north", ADMINISTRATOR).key)],
    )


def opening_of(ward: Ward, request: Json) -> tuple[Opening, bytes]:
    """What is kept of a prescription, and the root of its batch."""
    with node_of(ward).database.read() as tx:
        [row] = prescriptions.of_request(tx, ward.vault, request["id"])
        batch = tx.one("SELECT root FROM statement_batch WHERE id = :id", id=row.batch)
        assert batch is not None
        home = issuing.records.home_of(node_of(ward), tx, ward.vault)
        return stating.opened(home.key, row).opening, bytes(batch[0])


def standing(ward: Ward, request: Json) -> Standing:
    """Where a pharmacy finds the batch, by the chain alone."""
    opening, root = opening_of(ward, request)
    west = ward.network["west"].node
    return Forests().standing(west.desk, issuer=opening.issuer, batch_root=root)


def count(ward: Ward) -> int:
    return node_of(ward).contracts.statements.forest(KIND).count


def test_batches_stand_in_the_new_forest_after_the_next_period(ward: Ward) -> None:
    request = ward.issued()
    ward.issue()  # nothing was prescribed: dummies, which come again as well
    before = count(ward)
    assert standing(ward, request).index == before - 2
    begin_anew(ward.network)
    with pytest.raises(NotFound, match="not in the forest"):
        standing(ward, request)
    assert issuing.work(node_of(ward)) == issuing.Issued()  # its time has not come
    ward.issue()
    stands = standing(ward, request)
    assert stands.root == node_of(ward).contracts.statements.forest(KIND).root
    assert count(ward) == 3
    assert len(ward.openings(request)) == 1
    ward.issue()
    assert count(ward) == 4


def test_what_nobody_can_dispense_from_does_not_come_again(ward: Ward) -> None:
    cancelled, short = (
        ward.issued(),
        ward.issued(dispenseRequest={"validityPeriod": {"end": _day(ward, 1)}}),
    )
    ward.doctor.update(cancelled | {"status": "stopped"})
    ward.clock.ahead_seconds += 3 * 86_400
    good = ward.issued()
    begin_anew(ward.network)
    ward.issue()
    standing(ward, good)
    for gone in (cancelled, short):
        with pytest.raises(NotFound):
            standing(ward, gone)


def _day(ward: Ward, ahead: int) -> str:
    from simdes.exchange.prescriptions.holding import day

    return day(stating.today(node_of(ward)) + ahead).isoformat()


def test_many_come_again_in_rounds_and_a_crash_between_takes_nothing(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [ward.issued() for _ in range(3)]
    begin_anew(ward.network)
    monkeypatch.setattr(replanting, "AT_ONCE", 1)
    real = Lane.transact

    def dies(lane: Lane, call: object) -> object:
        real(lane, call)  # type: ignore[arg-type]
        raise SimdesError("the process ends here")

    with mock.patch.object(Lane, "transact", dies), pytest.raises(SimdesError):
        ward.issue()
    for _ in range(5):
        issuing.work(node_of(ward))  # each round goes on, without waiting for the timetable
    places = [standing(ward, one).index for one in requests]
    assert len(set(places)) == 3
    assert count(ward) == 4
