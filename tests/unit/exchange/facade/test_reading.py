"""Reading another FHIR server: all of it, once each, whatever it does, on both databases."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simdes.errors import SimdesError, TooLarge, Unavailable, Unsupported
from simdes.exchange.facade import ask, source, status
from simdes.exchange.facade.reading import HOLD_MS
from simdes.exchange.indexing import is_ended
from support.consortium import Clock
from support.fhir_server import (
    MODES,
    fails,
    observation,
    passes,
    patient,
    practitioner,
    sends,
    truncates,
)
from unit.exchange.facade.conftest import Hospital, Made


def worth(found: dict[str, Any]) -> str:
    return str(found["valueQuantity"]["value"])


def fill(hospital: Hospital, who: str, *, results: int = 12) -> list[str]:
    """A patient with results; their ids."""
    hospital.server.put(patient(who))
    for number in range(results):
        hospital.server.put(observation(f"{who}-{number}", who, str(number)))
    return [f"o{who}-{number}" for number in range(results)]


@pytest.mark.parametrize("mode", MODES)
def test_everything_there_comes_here_once_under_its_own_id(
    hospital: Made, who: str, mode: str
) -> None:
    here = hospital(mode)
    ids = fill(here, who)
    done = here.reader.once()
    assert done is not None and done.refused == 0
    found = here.stored(f"p{who}", *ids)
    assert set(found) == {("Patient", f"p{who}"), *(("Observation", one) for one in ids)}
    assert all(len(versions) == 1 for versions in found.values())
    assert len(here.vaults_of(f"p{who}", *ids)) == 1
    assert found["Observation", ids[3]][0]["meta"]["versionId"] == "1"
    again = here.reader.once()
    assert again is not None and (again.resources, again.seen) == (0, 0)
    assert status(here.node, here.server.base).source.mode == mode  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", MODES)
def test_changes_follow_and_only_changes(hospital: Made, who: str, mode: str) -> None:
    here = hospital(mode)
    ids = fill(here, who)
    here.reader.once()
    here.server.put(observation(f"{who}-3", who, "99.5"))
    here.server.put(observation(f"{who}-new", who, "7"))
    done = here.reader.once()
    assert done is not None and done.resources == 2
    found = here.stored(*ids, f"o{who}-new")
    assert [worth(one) for one in found["Observation", ids[3]]] == ["3.0", "99.5"]
    assert [worth(one) for one in found["Observation", f"o{who}-new"]] == ["7.0"]
    assert sum(len(one) for one in found.values()) == len(ids) + 2


@pytest.mark.parametrize("mode", MODES)
def test_of_versions_within_one_round_the_newest_stands(
    hospital: Made, who: str, mode: str
) -> None:
    here = hospital(mode)
    ids = fill(here, who, results=2)
    here.reader.once()
    for value in ("10", "11", "12"):
        here.server.put(observation(f"{who}-1", who, value))
    here.reader.once()
    assert worth(here.stored(*ids)["Observation", ids[1]][-1]) == "12.0"
    here.server.put(observation(f"{who}-1", who, "1"))  # as it was at first, said anew
    here.another().once()
    assert worth(here.stored(*ids)["Observation", ids[1]][-1]) == "1.0"


@pytest.mark.parametrize("mode", MODES)
def test_a_restarted_reader_reads_on_and_adds_nothing_twice(
    hospital: Made, who: str, mode: str
) -> None:
    here = hospital(mode)
    ids = fill(here, who)
    here.reader.once()
    before = here.stored(f"p{who}", *ids)
    here.server.asked.clear()
    done = here.another().once()
    assert done is not None and done.resources == 0
    assert here.stored(f"p{who}", *ids) == before
    if mode != "search":
        assert here.server.count("Observation?") == 0, "what was loaded is not loaded again"


def test_a_load_goes_on_behind_the_last_durable_page(hospital: Made, who: str) -> None:
    here = hospital()
    ids = fill(here, who, results=23)
    here.server.faults += [passes] * 5 + [fails()]  # metadata, Patient, Location …, then a page
    with pytest.raises(Unavailable):
        for _ in range(10):
            here.reader.once()
    here.server.faults.clear()
    loaded = [one for one in status(here.node, here.server.base).streams if one.position_ms]
    assert loaded
    here.server.asked.clear()
    here.another().once()
    assert set(here.stored(*ids)) == {("Observation", one) for one in ids}
    assert all(len(one) == 1 for one in here.stored(*ids).values())


FAULTS = {
    "500": fails(500),
    "503": fails(503),
    "429": fails(429),
    "404": fails(404),
    "401 for good": fails(401),
    "broken off": truncates,
    "no JSON": sends(b"<html>down for maintenance</html>"),
    "empty": sends(b""),
    "no Bundle": sends(b'{"resourceType":"Patient","id":"x"}'),
    "entries that are none": sends(b'{"resourceType":"Bundle","type":"searchset","entry":7}'),
    "twice the same member": sends(b'{"resourceType":"Bundle","resourceType":"Bundle"}'),
    "a redirect": sends(b"", 302, Location="http://127.0.0.1:1/fhir/Patient"),
    "an endless number": sends(b'{"resourceType":"Bundle","total":1e999999}'),
}


@pytest.mark.parametrize("mode", MODES)
def test_whatever_a_page_comes_to_nothing_is_lost_or_doubled(
    hospital: Made, who: str, mode: str
) -> None:
    here = hospital(mode, page_size=2)
    ids = fill(here, who, results=3)
    for number, (name, fault) in enumerate(FAULTS.items()):
        at = 1 + number % 3 if mode != "history-system" else number % 2
        here.server.faults = [passes] * at + [fault] * (2 if "401" in name else 1)
        try:
            here.reader.once()
        except SimdesError as error:
            assert f"MRN-{who}" not in error.message + error.advice
            assert status(here.node, here.server.base).source.failure == error.issue  # type: ignore[union-attr]
        else:
            raise AssertionError(f"{name} was taken for an answer")
        here.server.faults = []
        here.server.put(observation(f"{who}-{number + 100}", who))
        ids.append(f"o{who}-{number + 100}")
    here.another().once()
    found = here.stored(f"p{who}", *ids)
    assert {id_ for _, id_ in found} == {f"p{who}", *ids}
    assert all(len(versions) == 1 for versions in found.values())
    assert status(here.node, here.server.base).source.failure == ""  # type: ignore[union-attr]


ELSEWHERE = (
    "http://127.0.0.1:1/fhir/Observation?_offset=5",
    "https://evil.example/fhir/Observation",
    "http://169.254.169.254/latest/meta-data",
    "//evil.example/fhir",
    "file:///etc/passwd",
    "http://127.0.0.1:{port}/admin",
    "{base}/../admin",
    "{base}/%2e%2e/admin",
    "{base}/%252e%252e/admin",
    "{base}evil",
    "http://user@127.0.0.1:{port}/fhir/Observation",
    "http://[::1",
    "http://127.0.0.1:99999/fhir",
    "",
    7,
)


@pytest.mark.parametrize("mode", MODES)
def test_a_link_that_leads_elsewhere_is_not_followed(hospital: Made, who: str, mode: str) -> None:
    here = hospital(mode, page_size=3)
    ids = fill(here, who, results=7)
    for leads in ELSEWHERE:
        url = (
            leads.format(base=here.server.base, port=here.server.port)
            if isinstance(leads, str)
            else leads
        )

        def misled(bundle: dict[str, Any], url: Any = url) -> dict[str, Any]:
            links = [
                one | {"url": url} if one["relation"] == "next" else one for one in bundle["link"]
            ]
            return bundle | {"link": links}

        here.server.page = misled
        with pytest.raises(SimdesError):
            here.reader.once()
    assert not any("admin" in path or "evil" in path for _, path in here.server.asked)
    here.server.page = lambda bundle: bundle
    here.reader.once()
    assert {id_ for _, id_ in here.stored(*ids)} == set(ids)


def test_relative_links_are_followed(hospital: Made, who: str) -> None:
    here = hospital(page_size=3)
    ids = fill(here, who, results=7)

    def relative(bundle: dict[str, Any]) -> dict[str, Any]:
        links = [
            one | {"url": one["url"].removeprefix(f"{here.server.base}/")} for one in bundle["link"]
        ]
        return bundle | {"link": links}

    here.server.page = relative
    here.reader.once()
    assert {id_ for _, id_ in here.stored(*ids)} == set(ids)


def test_links_that_lead_round_in_a_circle_end(hospital: Made, who: str) -> None:
    here = hospital("search", page_size=3)
    fill(here, who, results=7)

    def circle(bundle: dict[str, Any]) -> dict[str, Any]:
        return bundle | {"link": [{"relation": "next", "url": f"{here.server.base}/Patient?a=b"}]}

    here.server.page = circle
    with pytest.raises(Unavailable, match="circle"):
        here.reader.once()


@pytest.mark.parametrize("mode", ["history-system", "history-type"])
def test_a_history_that_ends_early_does_not_move_the_position(
    hospital: Made, who: str, mode: str
) -> None:
    """Newest first: what is missing is the oldest, which would never be asked for again."""
    here = hospital(mode, page_size=4, overlap_seconds=0)
    fill(here, who, results=2)
    here.reader.once()
    ids = [f"o{who}-late-{number}" for number in range(9)]
    for one in ids:
        here.server.put(observation(one[1:], who))

    def cut(bundle: dict[str, Any]) -> dict[str, Any]:
        return bundle | {"link": []}

    here.server.page = cut
    with pytest.raises(Unavailable, match="ended before"):
        here.reader.once()
    here.server.page = lambda bundle: bundle
    here.reader.once()
    assert {id_ for _, id_ in here.stored(*ids)} == set(ids)


def test_a_count_that_stays_too_high_is_believed_to_be_of_what_we_may_not_see(
    hospital: Made, who: str
) -> None:
    here = hospital("search")
    fill(here, who, results=1)
    here.server.page = lambda bundle: bundle | {"total": 10_000}
    failed = 0
    for _ in range(12):
        try:
            here.reader.once()
        except Unavailable:
            failed += 1
    assert failed == len(here.server.types)
    assert status(here.node, here.server.base).source.failure == ""  # type: ignore[union-attr]


def test_a_page_beyond_the_limit_is_refused(
    hospital: Made, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = hospital(page_size=50)
    fill(here, who, results=12)
    monkeypatch.setattr(source, "MOST_ENTRIES", 11)
    with pytest.raises(TooLarge, match="more than 11"):
        here.reader.once()


def test_a_server_that_sorts_otherwise_loses_nothing(hospital: Made, who: str) -> None:
    here = hospital("search", page_size=3)
    here.server.sorts = False
    ids = fill(here, who, results=10)
    here.server.faults = [passes] * 7 + [fails()]
    with pytest.raises(Unavailable):
        here.reader.once()
    here.another().once()
    assert {id_ for _, id_ in here.stored(*ids)} == set(ids)


def test_a_version_that_shows_late_is_found(hospital: Made, who: str) -> None:
    """A server may give a version its time before others can see it."""
    here = hospital(overlap_seconds=60)
    fill(here, who, results=3)
    here.reader.once()
    late = here.server.now() - timedelta(seconds=30)
    here.server.put(observation(f"{who}-late", who), at=late)
    here.reader.once()
    assert ("Observation", f"o{who}-late") in here.stored(f"o{who}-late")


@pytest.mark.parametrize("mode", MODES)
def test_a_time_in_the_future_does_not_hide_what_comes_after(
    hospital: Made, who: str, mode: str
) -> None:
    here = hospital(mode)
    fill(here, who, results=1)
    honest = here.server.now
    here.server.put(observation(f"{who}-far", who), at=datetime(2999, 1, 1, tzinfo=UTC))
    here.server.now = lambda: min(honest(), datetime(2026, 6, 1, tzinfo=UTC))  # type: ignore[method-assign]
    here.reader.once()
    here.server.put(observation(f"{who}-next", who))
    here.reader.once()
    assert ("Observation", f"o{who}-next") in here.stored(f"o{who}-next")


# Deletions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["history-system", "history-type"])
def test_what_was_deleted_there_ends_here_and_may_come_back(
    hospital: Made, who: str, mode: str
) -> None:
    here = hospital(mode)
    ids = fill(here, who, results=3)
    here.reader.once()
    here.server.delete("Observation", ids[1])
    done = here.reader.once()
    assert done is not None and (done.deleted, done.waiting) == (1, 0)
    assert [is_ended(one) for one in here.stored(ids[1])["Observation", ids[1]]] == [False, True]
    here.another().once()
    assert len(here.stored(ids[1])["Observation", ids[1]]) == 2, "it ends once"
    here.server.put(observation(f"{who}-1", who, "1"))
    here.reader.once()
    found = here.stored(ids[1])["Observation", ids[1]]
    assert [is_ended(one) for one in found] == [False, True, False]
    assert not any(is_ended(one) for one in here.stored(ids[0])["Observation", ids[0]])
    with here.node.database.read() as tx:
        [(deleted,)] = tx.all(
            "SELECT count(*) FROM resource WHERE deleted = 1 AND logical_id IN :ids", ids=ids
        )
        [(waits,)] = tx.all(
            "SELECT count(*) FROM outbox JOIN resource ON resource.id = outbox.resource_id"
            " WHERE resource.deleted = 1 AND resource.logical_id IN :ids",
            ids=ids,
        )
    assert deleted == waits == 1


def test_what_people_here_wrote_to_waits_for_their_decision(hospital: Made, who: str) -> None:
    here = hospital()
    ids = fill(here, who, results=2)
    here.reader.once()
    with here.node.database.transaction() as tx:
        tx.run(
            "UPDATE resource SET account = :who WHERE logical_id = :id", who=bytes(32), id=ids[0]
        )
    here.server.delete("Observation", ids[0])
    done = here.reader.once()
    assert done is not None and (done.deleted, done.waiting) == (0, 1)
    [waiting] = status(here.node, here.server.base).deletions
    assert (waiting.type, waiting.logical_id) == ("Observation", ids[0])
    assert len(here.stored(ids[0])["Observation", ids[0]]) == 1
    here.server.put(observation(f"{who}-0", who, "8"))
    here.reader.once()
    assert status(here.node, here.server.base).deletions_waiting == 0


def test_what_never_came_here_has_nothing_to_end(hospital: Made, who: str) -> None:
    here = hospital()
    fill(here, who, results=1)
    here.reader.once()
    here.server.put(observation(f"{who}-brief", who))
    here.server.delete("Observation", f"o{who}-brief")
    here.reader.once()
    assert here.stored(f"o{who}-brief") == {}


def test_what_is_deleted_while_the_load_goes_on_is_noticed(hospital: Made, who: str) -> None:
    here = hospital(page_size=3, overlap_seconds=0)
    ids = fill(here, who, results=8)
    here.server.faults = [passes] * 7 + [fails()]
    with pytest.raises(Unavailable):
        here.reader.once()
    here.server.delete("Observation", ids[0])
    here.server.put(observation(f"{who}-after", who))
    here.another(page_size=3, overlap_seconds=0).once()
    assert is_ended(here.stored(ids[0])["Observation", ids[0]][-1])


# Who reads ------------------------------------------------------------------------------------


def test_one_reader_at_a_time_and_a_dead_one_is_followed(
    hospital: Made, who: str, clock: Clock
) -> None:
    here = hospital()
    fill(here, who, results=2)
    other = here.another()
    other._holder = "another program"
    held = here.node.database.write(other._take_hold)
    assert held
    assert here.reader.once() is None
    clock.ahead_seconds += HOLD_MS / 1000 + 1
    assert here.reader.once() is not None


def test_a_reader_runs_until_it_is_stopped_and_begins_at_once_when_asked(
    hospital: Made, who: str
) -> None:
    here = hospital(poll_seconds=3600)
    ids = fill(here, who, results=2)
    stop = threading.Event()
    running = threading.Thread(target=here.reader.run, args=(stop,))
    running.start()
    try:
        _until(lambda: len(here.stored(*ids)) == 2)
        here.server.put(observation(f"{who}-told", who))
        ask(here.node, here.server.base)
        _until(lambda: bool(here.stored(f"o{who}-told")))
    finally:
        stop.set()
        running.join(60)
    assert not running.is_alive()


def test_a_reader_goes_on_when_the_server_is_back(hospital: Made, who: str) -> None:
    here = hospital(poll_seconds=0.1)
    ids = fill(here, who, results=2)
    here.server.faults = [fails()] * 2
    stop = threading.Event()
    running = threading.Thread(target=here.reader.run, args=(stop,))
    running.start()
    try:
        _until(lambda: len(here.stored(*ids)) == 2)
    finally:
        stop.set()
        running.join(60)


def _until(holds: Any) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# What is offered ------------------------------------------------------------------------------


def test_types_and_mode_may_be_chosen(hospital: Made, who: str) -> None:
    here = hospital(types=("Patient",), mode="search")
    ids = fill(here, who, results=2)
    here.reader.once()
    assert set(here.stored(f"p{who}", *ids)) == {("Patient", f"p{who}")}
    assert here.server.count("Observation") == 0 and here.server.count("_history") == 0


@pytest.mark.parametrize("statement", [{"fhirVersion": "3.0.2"}, {"fhirVersion": "5.0.0"}, {}])
def test_a_server_of_another_version_is_named_as_such(
    hospital: Made, statement: dict[str, str]
) -> None:
    here = hospital()
    document = {"resourceType": "CapabilityStatement", **statement}
    here.server.faults = [sends(json.dumps(document).encode())]
    with pytest.raises(Unsupported, match="R4"):
        here.reader.once()


# Subscriptions --------------------------------------------------------------------------------


def test_subscriptions_are_made_once(hospital: Made, who: str) -> None:
    told = {"notify_url": "https://simdes.example/facade/notify", "notify_secret": "s3cret"}
    here = hospital(**told)
    fill(here, who, results=1)
    here.reader.once()
    here.another(**told).once()
    made = here.server.subscriptions
    assert sorted(one["criteria"] for one in made) == sorted(f"{t}?" for t in here.server.types)
    assert {one["channel"]["endpoint"] for one in made} == {told["notify_url"]}
    assert {one["channel"]["header"][0] for one in made} == {"Authorization: Bearer s3cret"}
    assert {one["channel"]["type"] for one in made} == {"rest-hook"}
    assert "payload" not in made[0]["channel"], "changes are read, not sent"


# Whose it is ----------------------------------------------------------------------------------


def test_what_a_resource_points_at_goes_along(hospital: Made, who: str) -> None:
    here = hospital()
    here.server.put(practitioner(who))
    here.server.put(patient(who))
    performer = [{"reference": f"{here.server.base}/Practitioner/d{who}"}]
    here.server.put(observation(who, who, performer=performer))
    here.reader.once()
    found = here.stored(f"o{who}", f"d{who}")
    assert found["Observation", f"o{who}"][0]["performer"] == [
        {"reference": f"Practitioner/d{who}"}
    ]
    [vault] = here.vaults_of(f"o{who}")
    own = here.vaults_of(f"d{who}") - {vault}
    assert vault in here.vaults_of(f"d{who}") and len(own) == 1


def test_a_patient_without_an_identifier_is_known_by_the_sources_id(
    hospital: Made, who: str
) -> None:
    here = hospital()
    here.server.put(patient(who, identified=False))
    here.server.put(observation(who, who))
    here.reader.once()
    first = here.vaults_of(f"p{who}", f"o{who}")
    here.server.put(observation(f"{who}-b", who))
    here.another().once()
    assert here.vaults_of(f"p{who}", f"o{who}", f"o{who}-b") == first
    assert len(first) == 1


def test_patients_are_kept_apart(hospital: Made, who: str) -> None:
    here = hospital()
    for one in ("a", "b", "c"):
        here.server.put(patient(f"{who}{one}"))
        here.server.put(observation(f"{who}{one}", f"{who}{one}"))
    here.reader.once()
    found = [here.vaults_of(f"p{who}{one}", f"o{who}{one}") for one in ("a", "b", "c")]
    assert [len(one) for one in found] == [1, 1, 1]
    assert len(set.union(*found)) == 3


def test_merged_patients_follow_to_the_survivor(hospital: Made, who: str) -> None:
    here = hospital()
    here.server.put(patient(f"{who}a"))
    here.server.put(patient(f"{who}b"))
    here.server.put(observation(f"{who}b", f"{who}b"))
    here.reader.once()
    link = [{"other": {"reference": f"Patient/p{who}b"}, "type": "replaces"}]
    here.server.put(patient(f"{who}a", link=link))
    done = here.reader.once()
    assert done is not None and done.refused == 0, here.quarantined()
    [survivor] = here.vaults_of(f"p{who}a")
    assert survivor in here.vaults_of(f"o{who}b")
    here.server.put(observation(f"{who}after", f"{who}b"))
    here.another().once()
    assert here.vaults_of(f"o{who}after") == {survivor}


def test_what_is_bad_is_kept_with_its_reason_and_costs_nothing_else(
    hospital: Made, who: str
) -> None:
    here = hospital()
    ids = fill(here, who, results=4)
    here.server.put(observation(f"{who}-bad", who, status="no such status"))
    here.server.put(observation(f"{who}-whose", f"{who}-nobody"))
    here.server.put(
        observation(f"{who}-else", who, subject={"reference": "https://b.example/fhir/Patient/1"})
    )
    done = here.reader.once()
    assert done is not None and done.refused == 3
    codes = sorted(code for code, _ in here.quarantined())
    assert codes == ["not-valid-r4", "unusable", "unusable"]
    assert {id_ for _, id_ in here.stored(*ids)} == set(ids)
    assert not here.stored(f"o{who}-bad", f"o{who}-whose", f"o{who}-else")
    here.server.put(observation(f"{who}-bad", who))
    here.reader.once()
    assert here.stored(f"o{who}-bad")


@pytest.mark.parametrize(
    "entry",
    [None, 7, {}, {"resource": 7}, {"resource": {"resourceType": "Observation"}},
     {"resource": {"resourceType": "Spaceship", "id": "1"}},
     {"resource": {"resourceType": "Observation", "id": "../../x"}},
     {"request": {"method": "DELETE", "url": "Spaceship/1"}}],
)  # fmt: skip
def test_an_entry_that_is_none_is_kept_and_the_others_go_on(
    hospital: Made, who: str, entry: Any
) -> None:
    here = hospital("search")
    ids = fill(here, who, results=2)

    def with_rubbish(bundle: dict[str, Any]) -> dict[str, Any]:
        return bundle | {"entry": [entry, *bundle["entry"]]} if bundle["entry"] else bundle

    here.server.page = with_rubbish
    done = here.reader.once()
    assert done is not None and done.refused >= 1
    assert {code for code, _ in here.quarantined()} == {"invalid-fhir"}
    assert {id_ for _, id_ in here.stored(*ids)} == set(ids)


def test_decimals_come_over_as_they_were_written(hospital: Made, who: str) -> None:
    here = hospital()
    here.server.put(patient(who))
    result = json.dumps(observation(who, who)).replace("4.2", "4.00")
    bundle = f'{{"resourceType":"Bundle","type":"searchset","entry":[{{"resource":{result}}}]}}'
    one = here.another(types=("Observation",), mode="search")
    here.server.faults = [passes, sends(bundle.encode())]
    one.once()
    assert worth(here.stored(f"o{who}")["Observation", f"o{who}"][0]) == "4.00"
