"""What a doctor orders becomes a statement in the forest, once; the timetable tells nothing."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from simdes.access.categories import Category
from simdes.errors import SimdesError
from simdes.exchange.mail import news
from simdes.exchange.mail.kinds import PRESCRIPTION
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import issuing, records
from simdes.exchange.submit import Accepted
from simdes.index import prescriptions
from simdes.ledger.contracts import StatementKind, element_of_contract
from simdes.ledger.lane import Lane
from simdes.proofs.batches import LEAST_LEAVES
from simdes.proofs.openings import Opening, decode, number
from simdes.proofs.prescriptions import tag_of
from support.fhir_api import Json
from support.prescribing import Ward, order


def node_of(ward: Ward) -> Node:
    return ward.network["north"].node


def statements(ward: Ward, request: Json) -> list[prescriptions.Prescription]:
    with node_of(ward).database.read() as tx:
        return prescriptions.of_request(tx, ward.vault, request["id"])


def opening_of(document: Json) -> Opening:
    return decode(b64decode(document["content"][0]["attachment"]["data"]))


def count_of_batches(ward: Ward) -> int:
    return node_of(ward).contracts.statements.forest(StatementKind.PRESCRIPTION).count


def test_an_order_is_stated_with_it_and_issued_in_the_next_batch(ward: Ward) -> None:
    request = ward.prescribe()
    [stated] = statements(ward, request)
    assert stated.state == prescriptions.STATED
    assert ward.openings(request) == []
    with mock.patch.object(news, "about") as told:
        ward.issue()
    assert told.call_args.args[2:] == (ward.vault, PRESCRIPTION), "the patient is told by mail"
    [issued] = statements(ward, request)
    assert issued.state == prescriptions.ISSUED
    [document] = ward.openings(request)
    opening = opening_of(document)
    opening.require_whole()
    assert opening.prescription.leaf == number(stated.leaf)
    assert (opening.total, opening.per_fill, opening.unit) == (90, 30, "1")
    assert opening.request == f"MedicationRequest/{request['id']}"
    standing = node_of(ward).forests.standing(
        node_of(ward).desk, issuer=node_of(ward).organisation, batch_root=opening.batch_root
    )
    forest = node_of(ward).contracts.statements.forest(StatementKind.PRESCRIPTION)
    assert standing.root == forest.root


def test_the_opening_stands_in_a_category_that_a_consent_must_name(ward: Ward) -> None:
    request = ward.issued()
    with node_of(ward).database.read() as tx:
        rows = tx.all(
            "SELECT category FROM resource WHERE type = 'DocumentReference' AND vault = :v",
            v=ward.vault,
        )
    assert rows == [(Category.PRESCRIPTIONS,)]
    assert len(ward.openings(request)) == 1


def test_a_batch_is_issued_in_each_period_and_at_quiet_times_too(ward: Ward) -> None:
    period = node_of(ward).rules.batch_seconds
    ward.clock.begin(period, room_seconds=period - 1)  # none ends while this looks
    ward.issue()
    before = count_of_batches(ward)
    assert issuing.work(node_of(ward)).batches == 0  # twice in a period changes nothing
    for _ in range(3):
        assert ward.issue().batches == 1
    assert count_of_batches(ward) == before + 3


def test_batches_are_padded_and_places_are_drawn(ward: Ward) -> None:
    places = set()
    for _ in range(4):
        request = ward.prescribe()
        ward.issue()
        [one] = statements(ward, request)
        assert one.place is not None
        places.add(one.place)
        with node_of(ward).database.read() as tx:
            row = tx.one("SELECT leaves FROM statement_batch WHERE id = :b", b=one.batch)
        assert row is not None
        leaves = [row[0][at : at + 32] for at in range(0, len(row[0]), 32)]
        assert (len(leaves), len(set(leaves))) == (LEAST_LEAVES, LEAST_LEAVES)
        assert leaves[one.place] == one.leaf
    assert len(places) > 1


@contextmanager
def ends_at(target: Any, name: str, *, done: bool) -> Iterator[None]:
    """Let the process end right before or after a call (the call is `done`)."""
    real = getattr(target, name)

    def broken(*given: Any, **named: Any) -> Any:
        if done:
            real(*given, **named)
        raise KeyboardInterrupt

    with mock.patch.object(target, name, broken), pytest.raises(KeyboardInterrupt):
        yield


@pytest.mark.parametrize(
    ("target", "name", "done"),
    [
        (prescriptions, "build", False),
        (prescriptions, "build", True),
        (Lane, "transact", False),
        (Lane, "transact", True),
        (prescriptions, "issue", True),
        (prescriptions, "inserted", False),
        (prescriptions, "inserted", True),
        (records, "write", False),
        (records, "write", True),
    ],
    ids=lambda one: getattr(one, "__name__", str(one)).rpartition(".")[2],
)
def test_ended_between_any_two_steps_nothing_is_lost_and_nothing_issued_twice(
    ward: Ward, target: Any, name: str, done: bool
) -> None:
    ward.issue()
    before = count_of_batches(ward)
    request = ward.prescribe()
    with ends_at(target, name, done=done):
        ward.issue()
    issuing.work(node_of(ward))
    assert count_of_batches(ward) == before + 1
    [one] = statements(ward, request)
    assert one.state == prescriptions.ISSUED
    assert len(ward.openings(request)) == 1


def test_writers_get_their_turn_while_a_batch_is_opened(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuing, "OPENED_AT_ONCE", 2)
    requests = [ward.prescribe() for _ in range(3)]
    written: list[list[Any]] = []
    real = records.write

    def write(node: Node, tx: Any, *given: Any) -> Any:
        written.append([tx])
        return real(node, tx, *given)

    with mock.patch.object(records, "write", write):
        ward.issue()
    together = [sum(other == one for other in written) for one in written]
    assert sorted(together) == [1, 2, 2]
    for request in requests:
        [one] = statements(ward, request)
        assert one.state == prescriptions.ISSUED
        assert len(ward.openings(request)) == 1


def test_an_order_that_ends_before_its_batch_is_never_issued(ward: Ward) -> None:
    request = ward.prescribe()
    ward.doctor.update(request | {"status": "cancelled"})
    ward.issue()
    [one] = statements(ward, request)
    assert (one.state, one.batch) == (prescriptions.WITHDRAWN, None)
    assert ward.openings(request) == []


@pytest.mark.parametrize("status", ["cancelled", "stopped", "entered-in-error"])
def test_an_order_that_ends_later_is_cancelled_on_the_ledger(ward: Ward, status: str) -> None:
    request = ward.issued()
    ward.doctor.update(request | {"status": status})
    assert issuing.work(node_of(ward)).cancelled == 1
    contracts = node_of(ward).contracts
    context = element_of_contract(
        chain_id=contracts.ledger.chain_id(), address=contracts.addresses.prescriptions
    )
    opening = opening_of(ward.openings(request)[0])
    assert contracts.prescriptions.status(tag_of(number(opening.key), context=context)).cancelled
    assert issuing.work(node_of(ward)).cancelled == 0


def test_a_deleted_order_is_cancelled_as_well(ward: Ward) -> None:
    request = ward.issued()
    assert ward.doctor.send("DELETE", f"MedicationRequest/{request['id']}").status_code == 204
    assert issuing.work(node_of(ward)).cancelled == 1


def test_a_change_of_what_is_prescribed_makes_another_statement(ward: Ward) -> None:
    request = ward.issued()
    ward.doctor.update(request | {"note": [{"text": "Take with water"}]})
    assert len(statements(ward, request)) == 1
    larger = request["dispenseRequest"] | {"numberOfRepeatsAllowed": 5}
    ward.doctor.update(request | {"dispenseRequest": larger})
    old, new = statements(ward, request)
    assert (old.cancel, new.state) == (prescriptions.WANTED, prescriptions.STATED)


@pytest.mark.parametrize(
    "others",
    [
        {"intent": "plan"},
        {"status": "draft"},
        {"doNotPerform": True},
        {"reportedBoolean": True},
        {"dispenseRequest": {"quantity": {"value": 0}}},
        {"dispenseRequest": {"numberOfRepeatsAllowed": 9_999}},
    ],
    ids=lambda one: next(iter(one)),
)
def test_what_is_no_order_to_dispense_states_nothing(ward: Ward, others: Json) -> None:
    assert statements(ward, ward.prescribe(**others)) == []


def test_a_controlled_substance_needs_a_fresh_sign_in_and_bears_a_signature(ward: Ward) -> None:
    controlled = [{"coding": [{"system": "urn:simdes:prescription", "code": "controlled"}]}]
    request = ward.prescribe(category=controlled)
    ward.issue()
    opening = opening_of(ward.openings(request)[0])
    assert opening.controlled
    assert len(opening.signature) == 65
    old = mock.patch.object(issuing.stating, "FRESH_SECONDS", -1)
    with old, pytest.raises(AssertionError, match="forbidden"):
        ward.prescribe(category=controlled)


def test_feeds_state_nothing(ward: Ward) -> None:
    before = _count(ward)
    sent = [ward.patient, order(ward.patient["id"]) | {"id": "order"}]
    entries = [{"fullUrl": f"urn:test:{one['id']}", "resource": one} for one in sent]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    [answer] = ward.network.submit("north", "order.json", json.dumps(bundle).encode())
    assert isinstance(answer, Accepted)
    assert _count(ward) == before


def _count(ward: Ward) -> int:
    with node_of(ward).database.read() as tx:
        row = tx.one("SELECT count(*) FROM prescription")
    assert row is not None
    return int(row[0])


def test_the_worker_of_a_pharmacy_issues_nothing(ward: Ward) -> None:
    assert issuing.work(ward.network["west"].node) == issuing.Issued()


def test_a_part_that_does_not_answer_is_tried_again(ward: Ward) -> None:
    request = ward.prescribe()
    away = mock.patch.object(Lane, "transact", side_effect=SimdesError("away"))
    with away, pytest.raises(SimdesError):
        ward.issue()
    issuing.work(node_of(ward))
    assert statements(ward, request)[0].state == prescriptions.ISSUED
