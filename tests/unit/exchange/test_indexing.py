"""What is stored is found: by feeds, after merges, in opened copies; and no more afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.access.categories import Category, mask
from simdes.access.vaults import vault_key
from simdes.crypto.keys import unwrap
from simdes.exchange import indexing
from simdes.exchange.indexing import CopiedItem, index_copies, read_copies
from simdes.exchange.submit import Accepted
from simdes.fhir.json import dumps, loads
from simdes.fhir.search.conditions import (
    Chain,
    Kind,
    Match,
    Query,
    ReferenceTest,
    Slot,
    TextTest,
    TokenTest,
)
from simdes.index import copies, entries, resources, vaults
from simdes.index.copies import Copy
from simdes.index.entries import Entry
from simdes.index.search import count, get, search
from simdes.index.visible import OWN, PATIENT, Ground, Scope, Visible
from support.consortium import Consortium
from support.messages import admission, result

EVERY = mask(Category)
HANDLE = b"\7" * 32
ELSEWHERE = b"\x99" * 32


def sees(vault: bytes | None = None, handle: bytes = OWN) -> Visible:
    ground = Ground(handle=handle, vaults=None if vault is None else (vault,), categories=EVERY)
    types = ("Patient", "Observation", "DiagnosticReport", "DocumentReference", "Provenance")
    return Visible(grounds=(ground,), scopes=dict.fromkeys(types, (Scope(),)))


def found(network: Consortium, visible: Visible, type_: str, *where: Match | Chain) -> list[Entry]:
    query = Query(types=(type_,), **({"where": where[0]} if where else {}))
    with network["north"].node.database.read() as tx:
        hits = search(tx, visible, query, limit=100)
        assert len(hits) == count(tx, visible, query)
        return entries.get_many(tx, [one.id for one in hits])


def family(name: str) -> Match:
    return Match(Slot("Patient.family", Kind.STRING), (TextTest(name),))


GLUCOSE = Match(Slot("Observation.code", Kind.TOKEN), (TokenTest("http://loinc.org", "2345-7"),))


def submitted(network: Consortium, name: str, data: bytes) -> bytes:
    [answer] = network.submit("north", name, data)
    assert isinstance(answer, Accepted)
    return answer.vault


def test_what_a_feed_sends_is_found_in_its_newest_version(network: Consortium, who: str) -> None:
    first = result("P", "5.0", sent="20260101090000", number=who, name="Zucker^Ann")
    vault = submitted(network, "1", first)
    visible = sees(vault)
    [observation] = found(network, visible, "Observation", GLUCOSE)
    assert observation.version == 1
    [patient] = found(network, visible, "Patient", family("zucker"))
    subject = Slot("Observation.subject", Kind.REFERENCE)
    [again] = found(network, visible, "Observation", Chain(subject, ("Patient",), family("zuck")))
    assert again == observation
    named = Match(subject, (ReferenceTest("Patient", patient.logical_id),))
    assert found(network, visible, "Observation", named) == [observation]
    submitted(
        network, "2", result("F", "6.0", sent="20260101100000", number=who, name="Zucker^Ann")
    )
    [newer] = found(network, visible, "Observation", GLUCOSE)
    assert (newer.id, newer.version) == (observation.id, 2)
    assert found(network, visible, "DocumentReference")
    assert found(network, visible, "Provenance")


def test_the_content_of_an_entry_is_what_was_stored(network: Consortium, who: str) -> None:
    vault = submitted(network, "1", admission("A01", sent="20260101090000", number=who))
    node = network["north"].node
    [patient] = found(network, sees(vault), "Patient")
    with node.database.read() as tx:
        row = vaults.get(tx, vault)
        wrapped = entries.contents(tx, [patient])[patient.id]
    assert row is not None
    context = indexing.resource_context(vault, "Patient", patient.logical_id)
    content = loads(unwrap(vault_key(node.desk.keystore, row), wrapped, aad=context))
    assert content["id"] == patient.logical_id


def test_a_merge_takes_what_is_found_along(network: Consortium, who: str) -> None:
    prior = submitted(network, "1", result("F", "5.0", sent="20260101090000", number=who + "a"))
    survivor = submitted(network, "2", admission("A01", sent="20260101090000", number=who))
    [moved] = found(network, sees(prior), "Observation", GLUCOSE)
    merge = admission(
        "A40", sent="20260102090000", number=who, more=[f"MRG|{who}a^^^HOSP^MR"]
    ).replace(b"ADT^A40^ADT_A01", b"ADT^A40^ADT_A39")
    network.submit("north", "3", merge)
    assert found(network, sees(prior), "Observation") == []
    [there] = found(network, sees(survivor), "Observation", GLUCOSE)
    assert there.logical_id == moved.logical_id
    with network["north"].node.database.read() as tx:
        [stored] = resources.get_many(tx, [there.resource_id or 0])
    assert stored.vault == survivor


def observation(logical_id: str, code: str = "1", *, deleted: bool = False) -> dict[str, Any]:
    meta = {"meta": {"tag": [{"system": "urn:simdes:state", "code": "deleted"}]}}
    return {
        "resourceType": "Observation",
        "id": logical_id,
        **(meta if deleted else {}),
        "status": "final",
        "code": {"coding": [{"system": "urn:c", "code": code}]},
        "subject": {"reference": "Patient/abc"},
    }


def code(value: str) -> Match:
    return Match(Slot("Observation.code", Kind.TOKEN), (TokenTest("urn:c", value),))


def keep(
    network: Consortium,
    vault: bytes,
    record: int,
    *contents: bytes,
    handle: bytes = HANDLE,
    time_ms: int,
) -> None:
    """Keep a record of another organisation, as opening it does."""
    record_id = bytes([record]) * 32
    items = [
        CopiedItem(
            record_id=record_id,
            position=position,
            category=3,
            labels=0,
            organisation=ELSEWHERE,
            time_ms=time_ms,
            type="Observation",
            content=content,
        )
        for position, content in enumerate(contents)
    ]
    with network["north"].node.database.transaction() as tx:
        kept = Copy(
            record_id=record_id,
            vault=vault,
            handle=handle,
            content_wrapped=b"wrapped",
            expires_ms=1 << 60,
        )
        copies.put(tx, [kept])
        index_copies(tx, read_copies(vault, handle, items))


def test_of_copied_versions_the_newest_is_found(network: Consortium, who: str) -> None:
    vault = submitted(network, "1", admission("A01", sent="20260101090000", number=who))
    visible = sees(vault, HANDLE)
    keep(network, vault, 2, dumps(observation("o", "new")), time_ms=2000)
    keep(network, vault, 1, dumps(observation("o", "old")), time_ms=1000)
    assert found(network, visible, "Observation", code("old")) == []
    [newest] = found(network, visible, "Observation", code("new"))
    assert (newest.organisation, newest.handle, newest.item) == (ELSEWHERE, HANDLE, 0)
    both = (dumps(observation("o", "a")), dumps(observation("o", "b")))
    keep(network, vault, 3, *both, time_ms=3000)
    [last] = found(network, visible, "Observation", code("b"))
    assert last.item == 1
    assert found(network, sees(vault), "Observation") == []
    assert found(network, sees(vault, PATIENT), "Observation") == []


def test_a_copied_tombstone_hides_older_versions(network: Consortium, who: str) -> None:
    vault = submitted(network, "1", admission("A01", sent="20260101090000", number=who))
    visible = sees(vault, HANDLE)
    keep(network, vault, 1, dumps(observation("o")), dumps(observation("p")), time_ms=1000)
    keep(network, vault, 2, dumps(observation("o", deleted=True)), time_ms=2000)
    [left] = found(network, visible, "Observation")
    assert left.logical_id == "p"
    with network["north"].node.database.read() as tx:
        [ended] = get(tx, visible, "Observation", "o")
        assert ended.deleted == 1
        assert get(tx, sees(vault), "Observation", "o") == []


HOSTILE = [
    b"not JSON",
    b"[]",
    b'{"resourceType": "Patient", "id": "x"}',
    b'{"resourceType": "Observation"}',
    b'{"resourceType": "Observation", "id": "../../etc"}',
    b'{"resourceType": "Observation", "id": 7}',
    b'{"resourceType": "Observation", "id": "x\\u0000"}',
]


def test_what_is_no_resource_in_a_copy_is_not_found_and_stops_nothing(
    network: Consortium, who: str
) -> None:
    vault = submitted(network, "1", admission("A01", sent="20260101090000", number=who))
    odd = observation("odd")
    odd |= {"code": "no concept", "subject": 7, "effectiveDateTime": "soon", "value": {"x": []}}
    good = observation("good", "\0" + "x" * 5000)
    keep(network, vault, 1, *HOSTILE, dumps(odd), dumps(good), time_ms=1000)
    names = {one.logical_id for one in found(network, sees(vault, HANDLE), "Observation")}
    assert names >= {"odd", "good"}
    assert all(name.isalnum() for name in names)
    assert found(network, sees(vault, HANDLE), "Observation", code("\0" + "x" * 5000))
    assert found(network, sees(vault, HANDLE), "Observation", code("\0" + "x" * 4999)) == []


TABLES = (
    "entry", "search_token", "search_text", "search_span", "search_number", "search_quantity",
    "search_reference", "search_uri",
)  # fmt: skip


def rows(network: Consortium) -> list[int]:
    with network["north"].node.database.read() as tx:
        counts = [tx.one(f"SELECT count(*) FROM {name}") for name in TABLES]
    return [row[0] for row in counts if row]


@pytest.mark.parametrize("how", ["expired", "revoked", "emptied"])
def test_when_copies_go_no_row_about_them_is_left(network: Consortium, who: str, how: str) -> None:
    vault = submitted(network, "1", admission("A01", sent="20260101090000", number=who))
    with network["north"].node.database.transaction() as tx:
        copies.purge(tx, now_ms=1 << 61)  # those of other tests
    before = rows(network)
    rich = observation("rich") | {
        "effectiveDateTime": "2026-01-01",
        "valueQuantity": {"value": 5, "system": "http://unitsofmeasure.org", "code": "g"},
        "meta": {"profile": ["http://x"]},
        "code": {"text": "Glucose", "coding": [{"code": "1", "display": "Glucose"}]},
    }
    keep(network, vault, 1, dumps(rich), time_ms=1000)
    assert sum(rows(network)) > sum(before) + 5
    with network["north"].node.database.transaction() as tx:
        if how == "expired":
            copies.purge(tx, now_ms=1 << 61)
        elif how == "revoked":
            copies.drop_handle(tx, vault, HANDLE)
        else:
            copies.drop_vault(tx, vault)
    assert rows(network) == before


def test_what_an_earlier_release_stored_is_caught_up_on(network: Consortium, who: str) -> None:
    vault = submitted(network, "1", result("F", "5.0", sent="20260101090000", number=who))
    node = network["north"].node
    with node.database.transaction() as tx:
        [of_observation] = [
            one.resource_id for one in entries.of_vault(tx, vault) if one.type == "Observation"
        ]
        waiting = [one.resource_id for one in entries.of_vault(tx, vault)]
        tx.insert("unindexed", [{"resource_id": one} for one in waiting])
        entries.drop_own(tx, vault)
    assert found(network, sees(vault), "Observation") == []
    assert indexing.catch_up(node) == len(waiting)
    assert indexing.catch_up(node) == 0
    [again] = found(network, sees(vault), "Observation", GLUCOSE)
    assert again.resource_id == of_observation
