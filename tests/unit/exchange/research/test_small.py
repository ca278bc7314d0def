"""Small releases that are ordered on a page: made after the request, kept a while, then fetched."""

from __future__ import annotations

import io
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from simdes.access.audit_event import Verb
from simdes.crypto.digest import sha256
from simdes.errors import Conflict, Forbidden, NotFound, TooLarge
from simdes.exchange import aside, retrieve
from simdes.exchange.aside import Aside
from simdes.exchange.node import Node
from simdes.exchange.research import documents, releasing, small, studies, taking_part
from simdes.exchange.research.studies import Document
from simdes.index import studies as rows
from support import researching
from support.consortium import Clock, Consortium
from support.fhir_api import Api
from support.researching import Patient


@pytest.fixture(scope="module")
def people(researched: tuple[Consortium, Clock], doctor: Api) -> list[Patient]:
    """Three who meet the criteria."""
    network = researched[0]
    return [researching.patient(network, doctor, f"small-{number}") for number in range(3)]


def joined(network: Consortium, people: list[Patient], title: str) -> Document:
    made = researching.running(network, title=title)
    for one in people:
        taking_part.opt_in(network["north"].node, one.session, made, vault=one.vault)
    return made


def ordered(network: Consortium, document: Document) -> bytes:
    node = network["south"].node
    made = small.order(node, network.session("south", "prof.ray"), document, researching.pairs())
    node.aside.wait(60)
    return made


def fetched(node: Node, package: bytes) -> int:
    """How often the trail says that somebody fetched a release."""
    with zipfile.ZipFile(io.BytesIO(package)) as file:
        manifest = sha256(file.read("manifest.json"))
    tried = [one.attempt for _, one in node.desk.trail.entries(node.database, limit=100_000)]
    return sum(one.verb is Verb.READ and one.records == (manifest,) for one in tried)


def test_an_order_is_carried_out_after_its_request_and_fetched_sealed_and_opened(
    network: Consortium, people: list[Patient], tmp_path: Path
) -> None:
    document = joined(network, people, "Small")
    node, ray = network["south"].node, network.session("south", "prof.ray")
    made = ordered(network, document)
    [one] = small.listed(node, studies.id_of(node, document))
    assert (one.id, one.state, one.done, one.total) == (made, "made", 3, 3)
    assert (one.number, one.patients) == (1, 3)
    assert one.report is not None and one.report["people"]["out"] == 3
    package = small.sealed(node, ray, document, made)
    with zipfile.ZipFile(io.BytesIO(package)) as file:
        assert {"manifest.json", "terms.txt", "release.json"} <= set(file.namelist())
        assert all(b"small-" not in file.read(name) for name in file.namelist())
    with pytest.raises(Forbidden, match="terms"):
        small.opened(node, ray, document, made, accepts=False)
    assert fetched(node, package) == 1, "what was refused was not fetched"
    content = small.opened(node, ray, document, made, accepts=True)
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        names = set(file.namelist())
    assert {"Patient.ndjson", "accepted-terms.json", "tables/patient.parquet"} <= names
    assert b"<svg" in small.pictures(node, ray, document, made)
    colleague = replace(ray, actor=replace(ray.actor, account=b"c" * 32))
    assert small.sealed(node, colleague, document, made) == package
    with pytest.raises(NotFound, match="no such release"):
        small.pictures(node, colleague, document, made)  # what was before is for who released
    assert fetched(node, package) == 4


def test_what_comes_of_an_order_is_for_researchers_of_the_sponsor_for_a_week(
    network: Consortium, clock: Clock, people: list[Patient]
) -> None:
    document = joined(network, people, "Fetched by whom")
    other = researching.running(network, title="Another")
    made, node = ordered(network, document), network["south"].node
    ray = network.session("south", "prof.ray")
    for fetch in (small.sealed, small.pictures):
        with pytest.raises(Forbidden):
            fetch(node, network.session("south", "dr.lee"), document, made)
        with pytest.raises(NotFound):
            fetch(node, ray, other, made)
        with pytest.raises(NotFound):
            fetch(node, ray, document, bytes(32))
    clock.ahead_seconds += rows.KEPT_MS // 1000 + 60
    with pytest.raises(NotFound, match="any more"):
        small.sealed(node, network.session("south", "prof.ray"), document, made)
    assert small.listed(node, studies.id_of(node, document)) == []
    assert studies.stands(node, document).study.releases == 1, "the ledger remembers"
    node.database.write(lambda tx: rows.forget(tx, now_ms=node.now_ms()))
    with node.database.read() as tx:
        assert rows.order(tx, made) is None and rows.package(tx, made) == b""


def test_many_are_left_to_the_command_before_anybody_is_read(
    network: Consortium, people: list[Patient]
) -> None:
    document = joined(network, people, "Many")
    node, ray = network["south"].node, network.session("south", "prof.ray")
    with (
        mock.patch.object(small, "MOST_PATIENTS", 2),
        pytest.raises(TooLarge, match="More patients"),
    ):
        small.order(node, ray, document, researching.pairs())
    with mock.patch.object(small, "MOST_BYTES", 1_000):
        ordered(network, document)
    [one] = small.listed(node, studies.id_of(node, document))
    assert (one.state, one.number) == ("failed", 0)
    assert "larger than a page" in one.failure
    assert studies.stands(node, document).study.releases == 0, "and nothing was recorded"


def test_one_release_of_a_study_is_made_at_a_time_and_a_stalled_one_is_told(
    network: Consortium, clock: Clock, people: list[Patient]
) -> None:
    document = joined(network, people, "One at a time")
    node = network["south"].node
    study = studies.id_of(node, document)
    with mock.patch.object(node.aside, "_run"):  # as if the gateway were ended at once
        small.order(node, network.session("south", "prof.ray"), document, researching.pairs())
    with pytest.raises(Conflict, match="is being made"):
        small.order(node, network.session("south", "prof.ray"), document, researching.pairs())
    clock.ahead_seconds += small.STALLED_MS // 1000 + 60
    assert [one.state for one in small.listed(node, study)] == ["stalled"]
    ordered(network, document)
    assert [one.state for one in small.listed(node, study)] == ["made", "failed"]


def test_an_order_that_waits_for_others_is_not_taken_to_be_stalled(
    network: Consortium, clock: Clock, people: list[Patient]
) -> None:
    document = joined(network, people, "Waits its turn")
    busy, free, touched = Aside(), threading.Event(), threading.Event()

    def wait() -> None:
        free.wait(60)

    node = replace(network["south"].node, aside=busy)
    real = rows.touch

    def touch(*given: Any, **named: Any) -> None:
        real(*given, **named)
        touched.set()

    for _ in range(2):
        busy.start(wait)
    with (
        mock.patch.object(aside, "BEAT_SECONDS", 0.01),
        mock.patch.object(rows, "touch", touch),
    ):
        small.order(node, network.session("south", "prof.ray"), document, researching.pairs())
        clock.ahead_seconds += small.STALLED_MS // 1000 + 60
        for _ in range(2):  # the second one read the clock after it was moved
            touched.clear()
            assert touched.wait(60)
        [one] = small.listed(node, studies.id_of(node, document))
        assert one.state == "reading"
        with pytest.raises(Conflict, match="is being made"):
            small.order(node, network.session("south", "prof.ray"), document, researching.pairs())
        free.set()
        busy.wait(60)
    [one] = small.listed(node, studies.id_of(node, document))
    assert one.state == "made"


def test_an_order_that_another_took_the_place_of_records_nothing(
    network: Consortium, clock: Clock, people: list[Patient]
) -> None:
    document = joined(network, people, "Came back")
    first, second = (replace(network["south"].node, aside=Aside()) for _ in range(2))
    ray, real, sealed = network.session("south", "prof.ray"), releasing._seal, list[bytes]()

    def seal(*given: Any) -> None:
        real(*given)
        if not sealed:  # the machine slept a while
            clock.ahead_seconds += small.STALLED_MS // 1000 + 60
            sealed.append(b"first")
            again = network.session("south", "prof.ray")
            small.order(second, again, document, researching.pairs())
            second.aside.wait(60)

    with mock.patch.object(releasing, "_seal", seal):
        small.order(first, ray, document, researching.pairs())
        first.aside.wait(60)
    told = small.listed(first, studies.id_of(first, document))
    assert [(one.state, one.number) for one in told] == [("made", 1), ("failed", 0)]
    assert studies.stands(first, document).study.releases == 1
    late = told[1].id
    first.database.write(
        lambda tx: rows.finish(
            tx, late, number=9, patients=1, report=b"", package=b"p", now_ms=first.now_ms()
        )
    )
    first.database.write(lambda tx: rows.fail(tx, told[0].id, "Late.", now_ms=first.now_ms()))
    assert small.listed(first, studies.id_of(first, document)) == told, "what is over stays"


def test_an_account_has_four_orders_at_once_at_most(network: Consortium, clock: Clock) -> None:
    node, ray = network["south"].node, network.session("south", "prof.ray")
    made = [researching.running(network, title=f"Queued {number}") for number in range(5)]
    with mock.patch.object(node.aside, "_run"):
        for document in made[:4]:
            small.order(node, ray, document, researching.pairs())
        with pytest.raises(Conflict, match="4 releases"):
            small.order(node, ray, made[4], researching.pairs())
        clock.ahead_seconds += small.STALLED_MS // 1000 + 60
        small.order(node, network.session("south", "prof.ray"), made[4], researching.pairs())
    clock.ahead_seconds += small.STALLED_MS // 1000 + 60


def test_why_nothing_was_released_is_told_without_what_went_wrong_inside(
    network: Consortium, people: list[Patient]
) -> None:
    document = joined(network, people[:1], "Too few")
    node = network["south"].node
    ordered(network, document)
    with mock.patch.object(releasing, "_seal", side_effect=RuntimeError("patient Anna")):
        whole = joined(network, people, "Broken")
        ordered(network, whole)
    told = [small.listed(node, studies.id_of(node, one))[0].failure for one in (document, whole)]
    assert told[0].startswith("Nobody is left in the release")
    assert told[1].startswith("Something went wrong here")


def test_a_gateway_that_ends_stops_an_order_before_anything_is_released(
    network: Consortium, people: list[Patient]
) -> None:
    document = joined(network, people, "Stopped")
    node, real = network["south"].node, retrieve.retrieve
    ending = Aside()

    def read(*given: Any, **named: Any) -> Any:
        told = threading.Thread(target=ending.end, args=(0,))  # while the first of three is read
        told.start()
        told.join()
        return real(*given, **named)

    with mock.patch.object(retrieve, "retrieve", read):
        small.order(
            replace(node, aside=ending),
            network.session("south", "prof.ray"),
            document,
            researching.pairs(),
        )
        ending.wait(60)
    [one] = small.listed(node, studies.id_of(node, document))
    assert (one.state, one.failure) == ("failed", "The gateway was stopped meanwhile.")
    assert one.done == 0
    assert studies.stands(node, document).study.releases == 0


def test_a_gateway_that_ends_after_all_were_read_records_nothing(
    network: Consortium, people: list[Patient]
) -> None:
    document = joined(network, people, "Stopped late")
    node, real, ending = network["south"].node, releasing._seal, Aside()

    def seal(*given: Any) -> None:
        real(*given)
        told = threading.Thread(target=ending.end, args=(0,))
        told.start()
        told.join()

    with mock.patch.object(releasing, "_seal", seal):
        small.order(
            replace(node, aside=ending),
            network.session("south", "prof.ray"),
            document,
            researching.pairs(),
        )
        ending.wait(60)
    [one] = small.listed(node, studies.id_of(node, document))
    assert (one.state, one.failure) == ("failed", "The gateway was stopped meanwhile.")
    assert studies.stands(node, document).study.releases == 0


def test_nobody_else_orders(network: Consortium, people: list[Patient]) -> None:
    document = joined(network, people, "Who orders")
    for member, user in (("south", "dr.lee"), ("north", "dr.north")):
        with pytest.raises(Forbidden):
            small.order(
                network[member].node, network.session(member, user), document, researching.pairs()
            )


def test_documents_are_known_where_they_were_brought_and_only_as_registered(
    network: Consortium,
) -> None:
    node = network["south"].node
    made = researching.running(network, title="Known")
    never = researching.document(network, title="Never registered")
    for one in (made, never, made):
        documents.keep(node, one)
    ids = [studies.id_of(node, one) for one in (made, never)]
    assert documents.known(node, ids) == {ids[0]: made}
    assert documents.known(network["north"].node, ids) == {}
