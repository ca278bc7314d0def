"""The audit trail: nothing left out, nothing changed, nothing shown that should not be."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator

import pytest

from simdes.access.audit import Trail
from simdes.access.audit_batches import build_batch, send_batches
from simdes.access.audit_event import Attempt, Verb, decode, encode
from simdes.access.categories import Purpose, Role
from simdes.access.evidence import verify_audit_proof
from simdes.access.vaults import add_local
from simdes.errors import Conflict, Invalid, NotFound, SimdesError, Tampered, Unavailable
from simdes.index import audit as rows
from simdes.index import vaults
from unit.access.network import Organisation, open_network


@pytest.fixture
def lone(tmp_path, migrated_sqlite) -> Iterator[Organisation]:  # type: ignore[no-untyped-def]
    """A network of one, so that each test begins with an empty trail."""
    network = open_network(tmp_path, migrated_sqlite)
    yield network.join("lone")
    network.close()


def attempt(**changes: object) -> Attempt:
    parts: dict[str, object] = {
        "verb": Verb.RELEASE,
        "account": os.urandom(32),
        "address": os.urandom(20),
        "role": Role.DOCTOR,
        "organisation": os.urandom(32),
        "purpose": Purpose.TREAT,
        "vault": None,
        "records": (os.urandom(32), os.urandom(32)),
    }
    return Attempt(**(parts | changes))  # type: ignore[arg-type]


def append(member: Organisation, *attempts: Attempt) -> None:
    member.database.write(lambda tx: member.desk.trail.append(tx, attempts))


def trail_of(member: Organisation) -> list[Attempt]:
    return [e.attempt for _, e in member.desk.trail.entries(member.database)]


def vault_of(member: Organisation) -> bytes:
    row = member.database.write(
        lambda tx: add_local(
            tx,
            member.keystore,
            os.urandom(32),
            m=2,
            n=3,
            home=True,
            random=os.urandom,
            now_ms=1,
        )
    )
    return row.tag


ENTRIES = [
    attempt(),
    attempt(reason="REVOKED", count=7, handle=os.urandom(32), vault=os.urandom(32)),
    attempt(verb=Verb.LOCATE, records=(), purpose=None),
    attempt(verb=Verb.LOG, vault=os.urandom(32), records=(), role=Role.PATIENT),
    attempt(verb=Verb.WRITE, vault=os.urandom(32), reason="SCOPE", asked="delete Observation"),
    attempt(verb=Verb.READ, records=(), reason="NOT_FOUND", asked="$everything Patient"),
]


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_says_who_for_whom_why_what_and_how_it_ended(entry: Attempt) -> None:
    parts = {"observer": os.urandom(32), "recorded_ms": 1_800_000_000_123}
    content = encode(entry, previous=os.urandom(32), **parts)  # type: ignore[arg-type]
    read = decode(content)
    assert read.attempt == entry
    assert (read.observer, read.recorded_ms) == tuple(parts.values())


def test_an_entry_is_a_valid_fhir_audit_event() -> None:
    from simdes.fhir.validate import validate

    for entry in ENTRIES:
        content = encode(entry, observer=os.urandom(32), recorded_ms=1, previous=bytes(32))
        problems = [one for one in validate(json.loads(content)) if one.is_error]
        assert problems == []


@pytest.mark.parametrize(
    ("asked", "interaction", "action"),
    [
        ("", "create", "C"),
        ("delete Observation", "delete", "D"),
        ("patch Patient", "patch", "U"),
        ("search-type Condition", "search-type", "E"),
        ("history-system", "history-system", "R"),
        ("$submit-legacy", "operation", "E"),
        ("job-status", "operation", "E"),
    ],
)
def test_an_entry_says_the_interaction_that_was_asked(
    asked: str, interaction: str, action: str
) -> None:
    entry = attempt(verb=Verb.WRITE, reason="SCOPE", asked=asked)
    event = json.loads(encode(entry, observer=bytes(32), recorded_ms=1, previous=bytes(32)))
    assert (event["subtype"][0]["code"], event["action"]) == (interaction, action)


@pytest.mark.parametrize(
    "asked",
    ["read Patient/7", "read Patient?name=x", "Anna Müller", "read  Patient", "read\nPatient"],
)
def test_an_entry_takes_no_more_than_a_word_and_a_type(asked: str) -> None:
    with pytest.raises(Invalid):
        encode(attempt(asked=asked), observer=bytes(32), recorded_ms=1, previous=bytes(32))


def test_another_spelling_of_an_entry_is_no_entry() -> None:
    content = encode(ENTRIES[1], observer=os.urandom(32), recorded_ms=1, previous=bytes(32))
    for at in range(len(content)):
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        try:
            assert decode(changed) != decode(content)
        except Invalid:
            continue
    for rubbish in (b"", b"{}", b"[]", b"null", content + b" ", b"\xff", b"9" * 9_999):
        with pytest.raises(Invalid):
            decode(rubbish)


def test_entries_follow_each_other_by_digest(lone: Organisation) -> None:
    append(lone, attempt(), attempt())
    append(lone, attempt())
    assert lone.desk.trail.verify_chain(lone.database) == 3
    with lone.database.read() as tx:
        listed = rows.entries(tx)
    assert [one.previous for one in listed] == [bytes(32), listed[0].digest, listed[1].digest]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM audit_entry WHERE seq = 2",
        "DELETE FROM audit_entry WHERE seq = 1",
        "UPDATE audit_entry SET entry = (SELECT entry FROM audit_entry WHERE seq = 1)"
        " WHERE seq = 2",
        "UPDATE audit_entry SET salt = zeroblob(32) WHERE seq = 2",
        "UPDATE audit_entry SET leaf = zeroblob(32) WHERE seq = 3",
        "UPDATE audit_entry SET previous = zeroblob(32) WHERE seq = 3",
        "UPDATE audit_entry SET digest = zeroblob(32) WHERE seq = 2",
    ],
)
def test_a_changed_or_missing_row_is_noticed(lone: Organisation, sql: str) -> None:
    append(lone, attempt(), attempt(), attempt())
    lone.database.write(lambda tx: tx.run(sql))
    with pytest.raises(Tampered):
        lone.desk.trail.verify_chain(lone.database)


def test_entries_lie_on_disk_encrypted(lone: Organisation) -> None:
    vault = vault_of(lone)
    secret = attempt(vault=vault, reason="REVOKED")
    append(lone, secret, attempt())
    with lone.database.read() as tx:
        stored = b"".join(one.entry for one in rows.entries(tx))
    for shown in (secret.account.hex(), secret.records[0].hex(), "REVOKED", "AuditEvent"):
        assert shown.encode() not in stored
    assert secret.account not in stored


def test_with_its_vault_erased_an_entry_is_unreadable_but_its_place_stands(
    lone: Organisation,
) -> None:
    vault = vault_of(lone)
    append(lone, attempt(vault=vault), attempt())
    lone.database.write(lambda tx: vaults.erase(tx, vault))
    with pytest.raises(NotFound):
        lone.desk.trail.prove(lone.database, 1)
    assert lone.desk.trail.verify_chain(lone.database) == 2


# Folding --------------------------------------------------------------------------------------


def test_equal_refusals_within_a_minute_fold_into_one_counted_entry(lone: Organisation) -> None:
    refused = attempt(reason="REVOKED")
    for _ in range(5):
        append(lone, refused)
    assert [one.count for one in trail_of(lone)] == [1]
    lone.network.clock.advance(61)
    assert lone.desk.trail.close_folds(lone.database) == 1
    assert [one.count for one in trail_of(lone)] == [1, 4]
    assert trail_of(lone)[1] == dataclasses.replace(refused, count=4)
    assert lone.desk.trail.close_folds(lone.database) == 0


def test_the_next_refusal_closes_an_old_fold_by_itself(lone: Organisation) -> None:
    refused = attempt(reason="REVOKED")
    append(lone, refused)
    append(lone, refused)
    lone.network.clock.advance(61)
    append(lone, refused)
    assert [one.count for one in trail_of(lone)] == [1, 1, 1]


def test_refusals_that_differ_in_anything_are_not_folded(lone: Organisation) -> None:
    refused = attempt(reason="REVOKED", vault=os.urandom(32), handle=os.urandom(32))
    others = [
        dataclasses.replace(refused, reason="EXPIRED"),
        dataclasses.replace(refused, account=os.urandom(32)),
        dataclasses.replace(refused, records=(os.urandom(32),)),
        dataclasses.replace(refused, vault=os.urandom(32)),
        dataclasses.replace(refused, purpose=Purpose.HPAYMT),
        dataclasses.replace(refused, verb=Verb.MANIFESTS),
        dataclasses.replace(refused, handle=os.urandom(32)),
    ]
    append(lone, refused, *others)
    assert trail_of(lone) == [refused, *others]


def test_granted_attempts_are_never_folded(lone: Organisation) -> None:
    granted = attempt()
    append(lone, granted, granted, granted)
    assert trail_of(lone) == [granted] * 3


def test_folds_survive_a_restart(lone: Organisation) -> None:
    refused = attempt(reason="REVOKED")
    for _ in range(3):
        append(lone, refused)
    lone.network.clock.advance(61)
    restarted = Trail(lone.keystore, lone.contracts, clock=lone.network.clock, random=os.urandom)
    assert restarted.close_folds(lone.database) == 1
    assert trail_of(lone) == [refused, dataclasses.replace(refused, count=2)]


# Batches --------------------------------------------------------------------------------------


def build(member: Organisation, **options: bool) -> int:
    now_ms = int(member.network.clock() * 1000)
    return build_batch(member.database, random=os.urandom, now_ms=now_ms, **options)  # type: ignore[arg-type]


def send(member: Organisation) -> int:
    return send_batches(member.database, member.contracts, member.agent, organisation=member.id)


def test_batches_go_on_chain_in_order_and_prove_their_entries(lone: Organisation) -> None:
    for size in (1, 2, 5):
        append(lone, *(attempt() for _ in range(size)))
        assert build(lone)
        assert send(lone) == 1
    assert lone.contracts.audit_log.head(lone.id).seq == 3
    assert lone.contracts.audit_log.head(lone.id).total == 8
    for number in range(1, 9):
        proof = lone.desk.trail.prove(lone.database, number)
        verified = verify_audit_proof(proof, lone.contracts)
        assert verified.organisation == lone.id
        assert verified.entry.attempt == trail_of(lone)[number - 1]


def test_nothing_to_do_builds_nothing_unless_the_cadence_asks_for_it(lone: Organisation) -> None:
    assert build(lone) == 0
    assert build(lone, even_if_empty=True) == 1
    append(lone, attempt())
    assert build(lone) == 2
    assert build(lone, even_if_empty=True) == 3
    assert send(lone) == 3
    assert verify_audit_proof(lone.desk.trail.prove(lone.database, 1), lone.contracts)


def test_sending_is_resumed_after_a_crash_at_every_step(lone: Organisation) -> None:
    append(lone, attempt())
    build(lone)

    class Crash:
        def transact(self, call: object) -> object:
            lone.agent.transact(call)  # type: ignore[arg-type]
            raise KeyboardInterrupt  # the chain has it, we do not know

    class Down:
        def transact(self, _: object) -> object:
            raise Unavailable("no node")

    for lane, error in ((Down(), Unavailable), (Crash(), KeyboardInterrupt)):
        with pytest.raises(error):
            send_batches(lone.database, lone.contracts, lane, organisation=lone.id)  # type: ignore[arg-type]
    append(lone, attempt())
    build(lone)
    assert send(lone) == 2
    assert send(lone) == 0
    assert lone.contracts.audit_log.head(lone.id).seq == 2


def test_a_racing_process_does_not_make_two_batches_of_one(lone: Organisation) -> None:
    append(lone, attempt())
    build(lone)

    class Race:
        def transact(self, call: object) -> object:
            lone.agent.transact(call)  # type: ignore[arg-type]
            raise Conflict("taken")

    assert send_batches(lone.database, lone.contracts, Race(), organisation=lone.id) == 1  # type: ignore[arg-type]
    assert lone.contracts.audit_log.head(lone.id).seq == 1


def test_a_foreign_batch_under_our_number_is_an_alarm(lone: Organisation) -> None:
    append(lone, attempt())
    build(lone)
    call = lone.contracts.audit_log.append(
        seq=1, previous_root=bytes(32), root=os.urandom(32), count=1
    )
    lone.agent.transact(call)
    with pytest.raises(Tampered):
        send(lone)


def test_an_entry_without_a_batch_says_that_it_is_not_anchored_yet(lone: Organisation) -> None:
    vault = vault_of(lone)
    append(lone, attempt(vault=vault))
    page = lone.desk.trail.page(lone.database, vault, after=0, limit=10)
    assert page.proofs[0]["batch"] is None
    with pytest.raises(NotFound, match="not anchored yet"):
        verify_audit_proof(page.proofs[0], lone.contracts)
    build(lone)
    page = lone.desk.trail.page(lone.database, vault, after=0, limit=10)
    assert page.proofs[0]["batch"] is None  # built, but not on chain


def test_pages_of_a_vault_hold_that_vault_alone(lone: Organisation) -> None:
    vault, other = vault_of(lone), vault_of(lone)
    mine = [attempt(vault=vault) for _ in range(5)]
    for one in mine:
        append(lone, one, attempt(vault=other), attempt())
    seen: list[Attempt] = []
    after, more = 0, True
    while more:
        page = lone.desk.trail.page(lone.database, vault, after=after, limit=2)
        seen += [decode(proof["entry"].encode()).attempt for proof in page.proofs]
        after, more = page.last_seq, page.more
    assert seen == mine


def test_a_crash_in_the_transaction_leaves_no_entry(lone: Organisation) -> None:
    with pytest.raises(KeyboardInterrupt), lone.database.transaction() as tx:
        lone.desk.trail.append(tx, [attempt()])
        raise KeyboardInterrupt
    assert trail_of(lone) == []
    with pytest.raises(SimdesError):
        lone.desk.trail.prove(lone.database, 1)
