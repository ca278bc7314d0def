"""Prescriptions of a record that was joined to another: still one, and ended where it goes on."""

from __future__ import annotations

from itertools import count
from unittest import mock

import pytest

from simdes.access.categories import Category
from simdes.exchange.prescriptions import announcing, holding
from simdes.exchange.submit import Accepted
from simdes.fhir.json import dumps
from simdes.index import prescriptions
from simdes.index.prescriptions import Prescription
from simdes.index.transaction import Transaction
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json
from support.prescribing import SYSTEM, Ward

_NUMBERS = count(1)


def joined(
    network: Consortium, clock: Clock, doctor: Api, *, issued: bool = True
) -> tuple[Ward, Json, bytes]:
    """Who had two numbers, with a prescription under the one that is merged away; its vault."""
    number = next(_NUMBERS)
    old = Ward.of(network, clock, doctor, f"joined-{number}-old")
    new = Ward.of(network, clock, doctor, f"joined-{number}-new")
    request, before = (old.issued() if issued else old.prescribe()), old.vault
    link = {"identifier": {"system": SYSTEM, "value": old.number}}
    here = {
        "resourceType": "Patient",
        "id": new.patient["id"],
        "identifier": [{"system": SYSTEM, "value": new.number}],
        "link": [{"other": link, "type": "replaces"}],
    }
    full = f"https://a.example/fhir/Patient/{new.patient['id']}"
    entry = {"fullUrl": full, "resource": here}
    merge = dumps({"resourceType": "Bundle", "type": "collection", "entry": [entry]})
    [answer] = network.submit("north", f"joined-{number}", merge)
    assert isinstance(answer, Accepted) and answer.vault == new.vault != before
    assert old.vault == new.vault
    network.settle()
    return new, request, before


def statements(ward: Ward, vault: bytes, request: Json) -> list[Prescription]:
    with ward.network["north"].node.database.read() as tx:
        return prescriptions.of_request(tx, vault, request["id"])


@pytest.mark.parametrize("status", ["cancelled", "stopped"])
def test_an_order_that_is_ended_ends_the_prescription_of_before(
    network: Consortium, clock: Clock, doctor: Api, status: str
) -> None:
    ward, request, before = joined(network, clock, doctor)
    now = doctor.get(f"MedicationRequest/{request['id']}").json()
    doctor.update(now | {"status": status})
    [stated] = statements(ward, before, request)
    assert stated.cancel != prescriptions.NO
    assert statements(ward, ward.vault, request) == []
    assert ward.issue().cancelled == 1


def test_an_order_that_says_the_same_is_stated_no_second_time(
    network: Consortium, clock: Clock, doctor: Api
) -> None:
    ward, request, before = joined(network, clock, doctor)
    now = doctor.get(f"MedicationRequest/{request['id']}").json()
    doctor.update(now | {"note": [{"text": "with food"}]})
    [stated] = statements(ward, before, request)
    assert stated.cancel == prescriptions.NO
    assert statements(ward, ward.vault, request) == []


def test_an_order_that_changes_ends_the_one_of_before_and_is_stated_where_it_goes_on(
    network: Consortium, clock: Clock, doctor: Api
) -> None:
    ward, request, before = joined(network, clock, doctor)
    now = doctor.get(f"MedicationRequest/{request['id']}").json()
    more = now["dispenseRequest"] | {"numberOfRepeatsAllowed": 5}
    doctor.update(now | {"dispenseRequest": more})
    [ended] = statements(ward, before, request)
    assert ended.cancel != prescriptions.NO
    [anew] = statements(ward, ward.vault, request)
    assert (anew.state, anew.cancel) == (prescriptions.STATED, prescriptions.NO)


def test_what_was_ordered_just_before_is_issued_into_the_record_that_goes_on(
    network: Consortium, clock: Clock, doctor: Api
) -> None:
    ward, request, before = joined(network, clock, doctor, issued=False)
    node = network["north"].node
    assert holding.waits(node, request["id"], ward.vault)
    ward.issue()
    [stated] = statements(ward, before, request)
    assert stated.state == prescriptions.ISSUED
    with node.database.read() as tx:
        rows = tx.all("SELECT vault FROM resource WHERE category = :c", c=Category.PRESCRIPTIONS)
    assert (ward.vault,) in rows and (before,) not in rows


def test_pharmacies_that_were_let_in_are_told_of_what_was_brought_along(
    network: Consortium, clock: Clock, doctor: Api
) -> None:
    ward, _, before = joined(network, clock, doctor)
    node = network["north"].node
    with node.database.read() as tx:
        assert ward.vault in prescriptions.to_announce(tx, limit=1000), "it is looked at again"
    looked: list[bytes] = []
    real = prescriptions.issued

    def issued(tx: Transaction, vault: bytes) -> list[Prescription]:
        looked.append(vault)
        return real(tx, vault)

    with mock.patch.object(prescriptions, "issued", issued):
        announcing.announce(node)
    assert {ward.vault, before} <= set(looked)
