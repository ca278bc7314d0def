"""Orders and dispenses as HL7 v2: in through a feed, out with a caller's rights."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simdes.errors import Invalid, NotFound
from simdes.exchange import feeds
from simdes.exchange.admitting import asking_of
from simdes.exchange.feeds import Input
from simdes.exchange.interactions.pharmacy import pharmacy_message
from simdes.exchange.interactions.search import find
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.fhir.search.parse import parse
from simdes.mapper import map_bytes
from support import consortium
from support.consortium import Consortium
from unit.exchange.test_feeds import DISPENSE, ORDER
from unit.mapper.hl7v2.messages import resource

RDE = ORDER % (b"RDE^O11^RDE_O11", b"R1", b"", b"", b"NW")
RDS = ORDER % (b"RDS^O13^RDS_O13", b"R2", b"", b"", b"RE") + DISPENSE
TO = ("RX", "CORNER")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    folder = tmp_path_factory.mktemp("pharmacy") / "network"
    consortium.found(folder)
    with consortium.opened(folder) as opened:
        for content in (RDE, RDS):
            [found] = feeds.receive(opened["north"].node, [Input("mllp:192.0.2.7", content)])
            assert found.accepted == 1
        yield opened


@pytest.fixture
def doctor(network: Consortium) -> Asking:
    return asking_of(network["north"].node, network.session("north", "dr.north"))


def named(network: Consortium, doctor: Asking, type_: str) -> str:
    node = network["north"].node
    page = find(node, doctor, parse([type_], [], lenient=False, now_ms=node.now_ms()))
    [one] = page.matches
    return str(loads(one.content)["id"])


def test_an_order_that_came_in_goes_out_as_it_was(network: Consortium, doctor: Asking) -> None:
    node = network["north"].node
    id = named(network, doctor, "MedicationRequest")
    data = pharmacy_message(node, doctor, "MedicationRequest", id, receiver=TO)
    assert data.startswith(b"MSH|^~\\&|SIMDES|")
    assert b"|RX|CORNER|" in data
    (back,) = map_bytes("out.hl7", data).messages
    request = resource(back, "MedicationRequest")
    assert [one["value"] for one in request["identifier"]] == ["P1", "F1"]
    assert resource(back, "Medication")["code"]["coding"][0]["code"] == "308182"
    assert resource(back, "Patient")["identifier"][0]["value"] == "7000"


def test_a_dispense_goes_out_with_its_order(network: Consortium, doctor: Asking) -> None:
    id = named(network, doctor, "MedicationDispense")
    node = network["north"].node
    data = pharmacy_message(node, doctor, "MedicationDispense", id, receiver=TO)
    (back,) = map_bytes("out.hl7", data).messages
    dispense = resource(back, "MedicationDispense")
    assert (dispense["quantity"]["value"], dispense["status"]) == (20, "completed")
    assert resource(back, "MedicationRequest")["identifier"][0]["value"] == "P1"


def test_who_may_not_read_gets_no_message(network: Consortium, doctor: Asking) -> None:
    id = named(network, doctor, "MedicationRequest")
    other = asking_of(network["south"].node, network.session("south", "dr.lee"))
    for node, asking, name in (
        (network["south"].node, other, id),
        (network["north"].node, doctor, "nobody"),
    ):
        with pytest.raises(NotFound):
            pharmacy_message(node, asking, "MedicationRequest", name, receiver=TO)


def test_only_orders_and_dispenses_are_messages(network: Consortium, doctor: Asking) -> None:
    with pytest.raises(Invalid):
        pharmacy_message(network["north"].node, doctor, "Patient", "x", receiver=TO)
