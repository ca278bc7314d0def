"""Vaults, identifiers, resources and sources on both databases."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from adapters.index_rows import id32, resource, vault
from simdes.errors import Conflict, NotFound
from simdes.index import resources, sources, vaults
from simdes.index.database import Database
from simdes.index.resources import NewResource, Stored
from simdes.index.sources import NewSource
from simdes.index.vaults import Identifier

# --- Vaults ----------------------------------------------------------------------------------


def test_a_vault_is_added_once(database: Database) -> None:
    with database.transaction() as tx:
        assert vaults.add(tx, vault())
        assert not vaults.add(tx, replace(vault(), m=3))
        assert vaults.get(tx, vault().tag) == vault()
        assert vaults.get(tx, id32("other")) is None


def test_a_vaults_control_is_set_once(database: Database) -> None:
    tag, patient = vault().tag, id32("patient")
    with database.transaction() as tx:
        vaults.add(tx, vault())
        vaults.set_control(tx, tag, patient)
        vaults.set_control(tx, tag, patient)
        with pytest.raises(NotFound):
            vaults.set_control(tx, tag, id32("thief"))
        assert [one.tag for one in vaults.controlled_by(tx, patient)] == [tag]


def test_an_erased_vault_has_no_key_and_stays_erased(database: Database) -> None:
    tag = vault().tag
    with database.transaction() as tx:
        vaults.add(tx, vault())
        vaults.erase(tx, tag)
        vaults.erase(tx, tag)
        with pytest.raises(NotFound):
            vaults.set_state(tx, tag, vaults.OPEN)
        erased = vaults.get(tx, tag)
        assert erased is not None
        assert (erased.key_wrapped, erased.state) == (None, vaults.ERASED)
        with pytest.raises(NotFound):
            vaults.erase(tx, id32("other"))


def test_a_vault_follows_epochs_only_forward(database: Database) -> None:
    tag = vault().tag
    with database.transaction() as tx:
        vaults.add(tx, vault())
        vaults.set_epoch(tx, tag, epoch=3, m=3, n=4, descriptor_cid="third")
        vaults.set_epoch(tx, tag, epoch=2, m=2, n=3, descriptor_cid="second")
        now = vaults.get(tx, tag)
        assert now is not None
        assert (now.epoch, now.m, now.n, now.descriptor_cid) == (3, 3, 4, "third")


def test_vaults_are_listed_by_state_and_in_pages(database: Database) -> None:
    with database.transaction() as tx:
        for number in range(5):
            vaults.add(tx, vault(number, state=vaults.OPENING if number < 2 else vaults.OPEN))
        first = vaults.page(tx, limit=3)
        rest = vaults.page(tx, after=first[-1].tag, limit=3)
        assert {one.tag for one in first + rest} == {vault(number).tag for number in range(5)}
        assert [one.created_ms for one in vaults.in_state(tx, vaults.OPENING)] == [0, 1]
        many = vaults.get_many(tx, [vault(1).tag, vault(4).tag, id32("other")])
        assert {one.created_ms for one in many.values()} == {1, 4}


def test_an_identifier_leads_to_the_first_vault_it_was_linked_to(database: Database) -> None:
    mrn, other = Identifier("urn:oid:1.2", "12 34|5"), Identifier("urn:oid:9", "12 34|5")
    with database.transaction() as tx:
        for number in (1, 2):
            vaults.add(tx, vault(number))
        assert vaults.find(tx, mrn) is None
        vaults.link_many(tx, {mrn: vault(1).tag})
        vaults.link_many(tx, {mrn: vault(2).tag, other: vault(2).tag})
        assert vaults.find(tx, mrn) == vault(1).tag
        assert vaults.find(tx, other) == vault(2).tag
        unknown = Identifier("urn:oid:1.2", "unknown")
        assert vaults.find_many(tx, [mrn, unknown]) == {mrn: vault(1).tag}
        assert vaults.identifiers(tx, vault(2).tag) == [other]


def test_an_identifier_of_an_unknown_vault_is_a_conflict(database: Database) -> None:
    with pytest.raises(Conflict), database.transaction() as tx:
        vaults.link_many(tx, {Identifier("urn:oid:1.2", "1"): id32("unknown")})


def test_two_feeds_that_see_a_patient_at_once_agree_on_the_vault(database: Database) -> None:
    found: list[bytes | None] = []
    start = threading.Barrier(4)

    def feed(number: int) -> None:
        start.wait()
        with database.transaction() as tx:
            vaults.add(tx, vault(number))
            vaults.link_many(tx, {Identifier("urn:oid:1", "42"): vault(number).tag})
            found.append(vaults.find(tx, Identifier("urn:oid:1", "42")))

    threads = [threading.Thread(target=feed, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert None not in found


# --- Resources -------------------------------------------------------------------------------


def _add(database: Database, *new: NewResource) -> list[Stored]:
    with database.transaction() as tx:
        vaults.add(tx, vault())
        return resources.add(tx, new)


def test_a_version_is_durable_and_complete(database: Database) -> None:
    [stored] = _add(database, resource(1, labels=0b101))
    assert (stored.version, stored.created) == (1, True)
    with database.read() as tx:
        kept = resources.get(tx, vault=vault().tag, type="Observation", logical_id="r1")
        assert kept is not None
        assert kept.id == stored.id
        assert (kept.state, kept.record_id, kept.leaf) == (resources.PENDING, None, None)
        assert (kept.labels, kept.content_wrapped) == (0b101, b"first")
        assert resources.get(tx, vault=vault().tag, type="Patient", logical_id="r1") is None


def test_repeating_the_latest_content_adds_nothing(database: Database) -> None:
    [first] = _add(database, resource(1))
    [again] = _add(database, resource(1))
    assert again == replace(first, created=False)


def test_the_same_resource_in_two_vaults_is_two_resources(database: Database) -> None:
    other = replace(vault(), tag=b"o" * 32)
    with database.transaction() as tx:
        vaults.add(tx, vault())
        vaults.add(tx, other)
        one, two = resources.add(tx, [resource(1), replace(resource(1), vault=other.tag)])
        assert (one.version, two.version) == (1, 1)
        assert one.created and two.created
        assert one.id != two.id
        kept = resources.get(tx, vault=other.tag, type="Observation", logical_id="r1")
        assert kept is not None
        assert kept.id == two.id


def test_a_value_changed_and_changed_back_is_three_versions(database: Database) -> None:
    for content in ("a", "b", "b", "a"):
        _add(database, resource(1, content=content))
    with database.read() as tx:
        versions = resources.history(tx, vault=vault().tag, type="Observation", logical_id="r1")
        second = resources.get(
            tx, vault=vault().tag, type="Observation", logical_id="r1", version=2
        )
    assert [(one.version, one.content_wrapped) for one in versions] == [
        (3, b"a"), (2, b"b"), (1, b"a"),
    ]  # fmt: skip
    assert second is not None and second.content_wrapped == b"b"


def test_versions_of_one_call_follow_each_other_and_answers_keep_the_order(
    database: Database,
) -> None:
    _add(database, resource(2, content="old"))
    stored = _add(
        database,
        resource(1, content="a"),
        resource(2, content="old"),
        resource(1, content="a"),
        resource(1, content="b"),
        resource(1, type="Patient"),
        resource(2, content="new"),
    )
    assert [(one.type, one.logical_id, one.version, one.created) for one in stored] == [
        ("Observation", "r1", 1, True),
        ("Observation", "r2", 1, False),
        ("Observation", "r1", 1, False),
        ("Observation", "r1", 2, True),
        ("Patient", "r1", 1, True),
        ("Observation", "r2", 2, True),
    ]
    assert stored[2].id == stored[0].id


def test_adding_a_hundred_resources_takes_few_statements(database: Database) -> None:
    with database.transaction() as tx:
        vaults.add(tx, vault())
        before = tx.statements
        resources.add(tx, [resource(number) for number in range(100)])
        assert tx.statements - before == 2


def test_concurrent_versions_of_one_resource_are_numbered_without_gap(database: Database) -> None:
    _add(database, resource(1, content="start"))
    failures: list[Exception] = []

    def work(thread: int) -> None:
        try:
            for round_ in range(5):
                _add(database, resource(1, content=f"{thread}.{round_}"), resource(2 + thread))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.read() as tx:
        versions = resources.history(tx, vault=vault().tag, type="Observation", logical_id="r1")
    assert [one.version for one in versions] == list(range(21, 0, -1))


def test_a_vault_lists_latest_versions_within_categories_and_labels(database: Database) -> None:
    _add(
        database,
        resource(1, content="old"),
        resource(2, category=4),
        resource(3, labels=0b10),
        resource(4, type="Condition", category=2),
    )
    _add(database, resource(1, content="new"))

    def listed(**options: object) -> list[tuple[str, int]]:
        with database.read() as tx:
            found = resources.of_vault(tx, vault().tag, **options)  # type: ignore[arg-type]
        return [(one.logical_id, one.version) for one in found]

    assert listed(categories=range(64)) == [("r4", 1), ("r2", 1), ("r3", 1), ("r1", 2)]
    assert listed(categories=[3]) == [("r3", 1), ("r1", 2)]
    assert listed(categories=[3], labels=0) == [("r1", 2)]
    assert listed(categories=[3], labels=0b11) == [("r3", 1), ("r1", 2)]
    assert listed(categories=range(64), types=["Condition"]) == [("r4", 1)]
    assert listed(categories=[]) == []


def test_a_vault_is_read_in_pages(database: Database) -> None:
    _add(database, *(resource(number) for number in range(10)))
    seen: list[str] = []
    after = 0
    while True:
        with database.read() as tx:
            page = resources.of_vault(tx, vault().tag, categories=[3], after=after, limit=4)
        if not page:
            break
        seen += [one.logical_id for one in page]
        after = page[-1].id
    assert sorted(seen) == sorted(f"r{number}" for number in range(10))


def test_states_are_counted(database: Database) -> None:
    _add(database, resource(1), resource(2))
    with database.read() as tx:
        assert resources.counts(tx) == {"pending": 2, "sealed": 0, "anchored": 0}


@pytest.mark.parametrize(
    "bad",
    [{"category": 64}, {"category": -1}, {"labels": -1}, {"salt": b""}, {"vault": id32("unknown")}],
)
def test_a_row_that_breaks_a_rule_is_refused(database: Database, bad: dict[str, object]) -> None:
    with pytest.raises(Conflict):
        _add(database, replace(resource(1), **bad))  # type: ignore[arg-type]


def test_the_id_of_a_deleted_row_is_never_given_again(database: Database) -> None:
    [stored] = _add(database, resource(1))
    with database.transaction() as tx:
        tx.run("DELETE FROM resource")
    [later] = _add(database, resource(2))
    assert later.id > stored.id


# --- Sources ---------------------------------------------------------------------------------


def test_a_document_is_kept_once(database: Database) -> None:
    document = NewSource(
        digest=id32("message"),
        kind="hl7v2",
        content_wrapped=b"wrapped",
        vault=None,
        received_ms=1,
        resources=3,
    )
    with database.transaction() as tx:
        [id_] = sources.add_many(tx, [document]).values()
        assert sources.add_many(tx, [replace(document, received_ms=2)]) == {}
        kept = sources.find(tx, document.digest)
        assert kept is not None
        assert (kept.id, kept.received_ms) == (id_, 1)
        assert sources.get(tx, id_) == kept
        assert sources.known(tx, [document.digest, id32("new")]) == {document.digest}


def test_a_resource_names_the_document_it_came_from(database: Database) -> None:
    with database.transaction() as tx:
        vaults.add(tx, vault())
        new = NewSource(
            digest=id32("message"),
            kind="hl7v2",
            content_wrapped=b"wrapped",
            vault=vault().tag,
            received_ms=1,
            resources=1,
        )
        [source] = sources.add_many(tx, [new]).values()
        resources.add(tx, [replace(resource(1), source_id=source)])
        kept = resources.get(tx, vault=vault().tag, type="Observation", logical_id="r1")
        assert kept is not None and kept.source_id == source


def test_what_every_vault_has_is_looked_up_in_one_vault_alone(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ward stands in each of its patients' vaults; a message must not read all of them."""
    with database.transaction() as tx:
        for number in range(1, 41):
            vaults.add(tx, vault(number))
            resources.add(tx, [resource(1, type="Location", vault=number)])
    read: list[int] = []
    with database.transaction() as tx:
        kind = type(tx)
        really = kind.all

        def counting(self: object, sql: str, /, **params: object) -> list[object]:
            rows = really(self, sql, **params)  # type: ignore[arg-type]
            read.append(len(rows))
            return rows  # type: ignore[return-value]

        monkeypatch.setattr(kind, "all", counting)
        [again] = resources.add(tx, [resource(1, type="Location", vault=7)])
    assert not again.created
    assert sum(read) == 1
