"""Insurers find what both were asked for and learn nothing else of each other."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from simdes.access.asking import ask
from simdes.access.audit_event import Verb
from simdes.access.custody_fingerprints import share_of
from simdes.access.fingerprint_messages import EvaluateBody
from simdes.access.requests import hexed
from simdes.claims.signals import Seen, Sign, marks_of, read_pairs
from simdes.crypto import oprf, oprf_shares
from simdes.crypto.oprf_forms import Key
from simdes.errors import Forbidden, Invalid, Tampered, TooLarge, Unavailable
from simdes.exchange.claims import fingerprint_keys as keys
from simdes.exchange.claims import fingerprints
from simdes.index import fingerprints as rows
from support.consortium import Clock, Consortium
from support.insured import PERSONS, PLACES, make_key

PAIRS = read_pairs("urn:c|WHOLE ; urn:c|PART ; the part is a step of the whole")
NUMBERS = count(1)
Insured = tuple[Consortium, Clock]


@pytest.fixture
def person() -> str:
    """The number of a patient that no other test is about."""
    return f"P-{next(NUMBERS)}"


def seen(
    person: str, *codes: str, day: str = "2026-03-02", place: str = "1", stay: bool = False
) -> Seen:
    claim: dict[str, Any] = {
        "resourceType": "Claim",
        "item": [
            {
                "sequence": n,
                "productOrService": {"coding": [{"system": "urn:c", "code": code}]},
                "servicedDate": day,
            }
            for n, code in enumerate(codes, 1)
        ],
    }
    return Seen(
        claim=claim,
        patient={"identifier": [{"system": PERSONS, "value": person}]},
        provider={"identifier": [{"system": PLACES, "value": place}]},
        encounter={"class": {"code": "IMP"}, "period": {"start": day, "end": "2026-03-04"}}
        if stay
        else None,
    )


def accept(network: Consortium, insurer: str, claim: str, what: Seen) -> None:
    """Fingerprint and publish a claim; nobody has read it yet."""
    node = network[insurer].node
    assert fingerprints.fingerprint(node, claim, what, pairs=PAIRS, accepted=True)
    fingerprints.publish(network[insurer].node)


def signs(network: Consortium, insurer: str, claim: str) -> list[tuple[Sign, int]]:
    node = network[insurer].node
    fingerprints.collect(node)
    other = network["dale" if insurer == "east" else "east"].node.organisation
    found = fingerprints.signals(node, claim)
    assert all(one.other == other for one in found)
    return [(one.sign, one.line) for one in found]


def test_two_insurers_find_the_line_that_both_were_asked_for(
    insured: Insured, key: Key, person: str
) -> None:
    network, _ = insured
    accept(network, "east", f"e{person}", seen(person, "A", "B"))
    accept(network, "dale", f"d{person}", seen(person, "X", "B"))
    assert signs(network, "east", f"e{person}") == [(Sign.DUPLICATE, 2)]
    assert signs(network, "dale", f"d{person}") == [(Sign.DUPLICATE, 2)]
    [one] = fingerprints.signals(network["east"].node, f"e{person}")
    assert one.reason == (
        "Another insurer has a line for the same patient, the same service and day: urn:c|B."
    )


def test_another_day_patient_or_service_is_no_sign(insured: Insured, key: Key, person: str) -> None:
    network, _ = insured
    accept(network, "east", f"e{person}", seen(person, "A"))
    accept(network, "dale", f"d1{person}", seen(person, "A", day="2026-03-03"))
    accept(network, "dale", f"d2{person}", seen(f"{person}9", "A"))
    accept(network, "dale", f"d3{person}", seen(person, "B"))
    assert signs(network, "east", f"e{person}") == []


def test_a_night_in_two_places_is_found_and_one_in_the_same_place_is_not(
    insured: Insured, key: Key, person: str
) -> None:
    network, _ = insured
    accept(network, "east", f"e{person}", seen(person, stay=True, place="1"))
    accept(network, "dale", f"d{person}", seen(person, stay=True, place="2"))
    assert signs(network, "east", f"e{person}") == [(Sign.OVERLAP, 0), (Sign.OVERLAP, 0)]
    accept(network, "east", f"f{person}", seen(f"{person}0", stay=True, place="1"))
    accept(network, "dale", f"g{person}", seen(f"{person}0", stay=True, place="1"))
    assert signs(network, "east", f"f{person}") == []


def test_a_part_billed_apart_from_its_whole_is_found(
    insured: Insured, key: Key, person: str
) -> None:
    network, _ = insured
    accept(network, "east", f"e{person}", seen(person, "WHOLE"))
    accept(network, "dale", f"d{person}", seen(person, "OTHER", "PART"))
    assert signs(network, "east", f"e{person}") == [(Sign.UNBUNDLING, 1)]
    assert signs(network, "dale", f"d{person}") == [(Sign.UNBUNDLING, 2)]
    [one] = fingerprints.signals(network["dale"].node, f"d{person}")
    assert "urn:c|WHOLE includes urn:c|PART (the part is a step of the whole)" in one.reason


def test_a_claim_is_evaluated_once(insured: Insured, key: Key, person: str) -> None:
    network, _ = insured
    node = network["east"].node
    before = spent(network, "east")
    first = fingerprints.fingerprint(node, f"e{person}", seen(person, "A"))
    again = fingerprints.fingerprint(node, f"e{person}", seen(person, "A"))
    assert first == again == 1
    assert spent(network, "east") - before == 2  # at two custodians


def spent(network: Consortium, insurer: str) -> int:
    total = 0
    for one in ("north", "south", "lake"):
        node = network[one].node
        with node.database.read() as tx:
            day = node.now_seconds() // 86_400
            total += rows.spent(tx, network[insurer].node.organisation, day)
    return total


def test_what_is_not_accepted_is_compared_and_not_published(
    insured: Insured, key: Key, person: str
) -> None:
    network, _ = insured
    accept(network, "dale", f"d{person}", seen(person, "A"))
    node = network["east"].node
    fingerprints.fingerprint(node, f"e{person}", seen(person, "A"))
    fingerprints.publish(node)
    assert signs(network, "east", f"e{person}") == [(Sign.DUPLICATE, 1)]
    assert signs(network, "dale", f"d{person}") == []
    accept(network, "east", f"e{person}", seen(person, "A"))
    assert signs(network, "dale", f"d{person}") == [(Sign.DUPLICATE, 1)]


def test_a_service_under_two_claims_of_one_insurer_is_a_sign_once_one_is_accepted(
    insured: Insured, key: Key, person: str
) -> None:
    network, _ = insured
    node = network["east"].node
    for number in ("1", "2"):
        fingerprints.fingerprint(node, f"{number}{person}", seen(person, "A", place=number))
        assert fingerprints.signals(node, f"{number}{person}") == ()
    accept(network, "east", f"1{person}", seen(person, "A"))
    [one] = fingerprints.signals(node, f"2{person}")
    assert (one.sign, one.line, one.other, one.own) == (Sign.DUPLICATE, 1, node.organisation, True)
    assert fingerprints.signals(node, f"1{person}") == ()
    assert one in fingerprints.signals(node)


# Who learns what ----------------------------------------------------------------------------------


def test_what_is_published_tells_neither_how_much_nor_in_which_order(
    insured: Insured, key: Key, person: str
) -> None:
    network, _ = insured
    node = network["east"].node
    what = seen(person, "A", "B", "C")
    made = fingerprints.fingerprint(node, f"e{person}", what, accepted=True)
    assert made == 3
    number = fingerprints.publish(node)
    quiet = fingerprints.publish(node)
    with node.database.read() as tx:
        batches = {one.number: one.content for one in rows.batches(tx, key.public, after=0)}
        own = {one.fingerprint for one in rows.of_claim(tx, key.public, f"e{person}")}
    pieces = [batches[number][at : at + 16] for at in range(0, len(batches[number]), 16)]
    assert own < set(pieces) and pieces == sorted(pieces)
    assert len(batches[number]) == len(batches[quiet]) == 64 * 16


def test_neither_custodians_nor_insurers_come_to_hold_what_was_fingerprinted(
    insured: Insured, key: Key
) -> None:
    network, _ = insured
    accept(network, "east", "zyxq-claim", seen("ZYXQVORANE", "ZYXQCODE"))
    accept(network, "dale", "other-claim", seen("somebody", "else"))
    fingerprints.collect(network["dale"].node)
    for name in ("north", "south", "lake", "dale"):
        for one in network[name].data.glob("simdes.sqlite*"):
            content = one.read_bytes().lower()
            assert not any(told in content for told in (b"zyxqvora", b"zyxqcode", b"zyxq-claim"))
    with network["east"].node.database.read() as tx:
        kept = rows.of_claim(tx, key.public, "zyxq-claim")
    assert kept and not any("ZYXQVORANE" in repr(one) for one in kept)


def test_everything_public_and_fewer_shares_than_it_takes_guess_nothing(
    insured: Insured, key: Key, person: str
) -> None:
    network, _ = insured
    accept(network, "east", f"e{person}", seen(person, "A"))
    with network["east"].node.database.read() as tx:
        published = {
            one.content[at : at + 16]
            for one in rows.batches(tx, key.public, after=0)
            for at in range(0, len(one.content), 16)
        }
    candidates = [
        one.input
        for code in ("A", "B", "C", "D")
        for one in marks_of(seen(person, code), persons=[PERSONS], places=[PLACES])
    ]
    share = share_of(network["north"].node.desk, key.digest)
    assert share is not None
    for known in (share, share * oprf_shares.weights((1, 2))[1], 1):
        guesses = {evaluated_by(known, one) for one in candidates}
        assert not guesses & published
    both = {
        n: share_of(network[name].node.desk, key.digest) or 0
        for n, name in ((1, "north"), (2, "south"))
    }
    whole = oprf_shares.join_parts(both, oprf_shares.weights((1, 2)))
    assert {evaluated_by(whole, one) for one in candidates} & published  # m together could


def evaluated_by(scalar: int, value: bytes) -> bytes:
    one = oprf.blind(value, random=lambda length: bytes(range(length)))
    product = oprf.evaluate(scalar % oprf.ORDER, [one.element], random=lambda n: b"\7" * n)
    return oprf.finalize(one, product.elements[0])[:16]


def test_trying_out_who_was_treated_ends_at_the_limit_of_the_day_even_after_a_restart(
    insured: Insured, key: Key, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, clock = insured
    clock.ahead_seconds += 86_400
    node = network["east"].node
    for name in ("north", "south", "lake"):
        desk = network[name].node.desk
        limits = replace(desk.limits, evaluations_per_day=10)
        object.__setattr__(desk, "limits", limits)
    guesses = [f"guess {n}".encode() for n in range(100)]
    try:
        with pytest.raises(TooLarge, match="QUOTA"):
            fingerprints.evaluate(node, key, guesses)
        done = 0
        with pytest.raises(TooLarge, match="QUOTA"):
            for one in guesses:
                fingerprints.evaluate(node, key, [one])
                done += 1
        assert done <= 3 * 10 // 2
        assert spent(network, "east") <= 3 * 10
        # What was counted stands in the database, and holds for any process that opens it.
        with network["north"].node.database.transaction() as tx:
            day = node.now_seconds() // 86_400
            assert not rows.charge(tx, node.organisation, day=day, count=11, limit=10)
        fingerprints.evaluate(network["dale"].node, key, guesses[:2])  # another insurer's own
        clock.ahead_seconds += 86_400
        fingerprints.evaluate(node, key, guesses[:2])
    finally:
        for name in ("north", "south", "lake"):
            desk = network[name].node.desk
            object.__setattr__(desk, "limits", replace(desk.limits, evaluations_per_day=20_000))
    entries = [
        one.attempt
        for _, one in network["north"].node.desk.trail.entries(
            network["north"].node.database, limit=100_000
        )
        if one.attempt.verb is Verb.EVALUATE
    ]
    assert {"", "QUOTA"} == {one.reason for one in entries}


def test_who_is_no_insurer_gets_nothing(insured: Insured, key: Key) -> None:
    network, _ = insured
    for name in ("north", "lake"):
        node = network[name].node
        body = EvaluateBody(key=hexed(key.digest), elements=[hexed(key.public)])
        with pytest.raises(Forbidden, match="NOT_INSURER"):
            ask(node.agent_caller(), network["south"].node.organisation, "evaluate", body)
        for one in ("east", "dale"):
            with pytest.raises(Forbidden, match="NOT_INSURER"):
                fingerprints._collect(node, key.public, network[one].node.organisation)


# Lying, silence -----------------------------------------------------------------------------------


def test_a_custodian_that_uses_another_key_is_named_and_another_takes_its_place(
    insured: Insured, key: Key, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, _ = insured
    node = network["east"].node
    true = fingerprints.evaluate(node, key, [person.encode()])
    from simdes.access import custody_fingerprints

    def lying(*liars: str) -> None:
        organisations = {network[one].node.organisation for one in liars}

        def share(desk: Any, digest: bytes) -> int | None:
            found = share_of(desk, digest)
            return found + 1 if found and desk.organisation in organisations else found

        monkeypatch.setattr(custody_fingerprints, "share_of", share)

    lying("lake")
    for _ in range(5):
        assert fingerprints.evaluate(node, key, [person.encode()]) == true
    lying("lake", "south")
    with pytest.raises(Tampered, match=r"Hospital Lake|Clinic South"):
        fingerprints.evaluate(node, key, [person.encode()])


def test_m_custodians_are_enough_and_fewer_are_not(insured: Insured, key: Key, person: str) -> None:
    network, _ = insured
    node = network["east"].node
    true = fingerprints.evaluate(node, key, [person.encode()])
    network.down("lake")
    try:
        assert fingerprints.evaluate(node, key, [person.encode()]) == true
        network.down("south")
        with pytest.raises(Unavailable):
            fingerprints.evaluate(node, key, [person.encode()])
    finally:
        network.up("lake")
        network.up("south")


def test_an_insurer_that_does_not_answer_is_named_and_read_later(
    insured: Insured, key: Key, person: str
) -> None:
    network, _ = insured
    accept(network, "east", f"e{person}", seen(person, "A"))
    accept(network, "dale", f"d{person}", seen(person, "A"))
    network.down("dale")
    try:
        read = fingerprints.collect(network["east"].node)
        assert set(read.silent) == {network["dale"].node.organisation}
    finally:
        network.up("dale")
    assert signs(network, "east", f"e{person}") == [(Sign.DUPLICATE, 1)]


# Keys ---------------------------------------------------------------------------------------------


def test_a_key_is_handed_on_and_fingerprints_stay_the_same(insured: Insured, person: str) -> None:
    network, _ = insured
    first = make_key(network)
    east = network["east"].node
    true = fingerprints.evaluate(east, first, [person.encode()])
    names = ("south", "lake", "dale")
    plan = keys.propose(
        network["south"].node,
        [network[one].node.organisation for one in names],
        m=2,
        persons=[],
        places=[],
        previous=first.encode(),
    ).encode()
    with pytest.raises(Forbidden, match="PLAN_NOT_AGREED"):
        keys.make(network["south"].node, plan)
    for one in (*names, "north"):
        keys.agree(network[one].node, plan)
    second = keys.make(network["south"].node, plan)
    assert second.public == first.public and second.digest != first.digest
    assert keys.make(network["south"].node, plan) == replace(
        second, signatures=keys.make(network["south"].node, plan).signatures
    )
    assert fingerprints.evaluate(east, second, [person.encode()]) == true
    for one in ("north", "south", "lake"):
        keys.adopt(network[one].node, second.encode())
        assert share_of(network[one].node.desk, first.digest) is None
    with pytest.raises(Forbidden, match="KEY_NOT_HELD"):
        fingerprints.evaluate(east, first, [person.encode()])
    assert fingerprints.evaluate(east, second, [person.encode()]) == true


def test_a_key_is_made_by_whom_the_plan_names_and_with_their_agreement(insured: Insured) -> None:
    network, _ = insured
    north, south, east = (network[one].node for one in ("north", "south", "east"))
    plan = keys.propose(
        north,
        [north.organisation, south.organisation],
        m=2,
        persons=[PERSONS],
        places=[PLACES],
    ).encode()
    keys.agree(north, plan)
    with pytest.raises(Forbidden, match="PLAN_NOT_AGREED"):
        keys.make(north, plan)
    keys.agree(south, plan)
    with pytest.raises(Forbidden, match="PLAN_NOT_AGREED"):
        keys.make(east, plan)
    assert {one.state for one in keys.held(north)} >= {"agreed"}
    keys.make(north, plan)


def test_a_key_that_not_all_custodians_signed_is_not_taken_into_use(
    insured: Insured, key: Key
) -> None:
    network, _ = insured
    east = network["east"].node
    mine = east.desk.keystore.lanes[0].sign(key.digest)
    for signatures in ((*key.signatures[:2], mine), key.signatures[::-1]):
        with pytest.raises(Tampered):
            keys.adopt(east, replace(key, signatures=tuple(signatures)).encode())
    with pytest.raises(Invalid):
        keys.adopt(east, replace(key, signatures=key.signatures[:2]).encode())
    assert keys.in_use(east).public == key.public


# Timetable ----------------------------------------------------------------------------------------


def test_a_worker_publishes_once_a_period_and_reads_the_others(
    insured: Insured, key: Key, person: str
) -> None:
    network, clock = insured
    east, dale = network["east"].node, network["dale"].node
    fingerprints.tend(east)
    assert not fingerprints.tend(east)
    accept(network, "dale", f"d{person}", seen(person, "A"))
    fingerprints.fingerprint(east, f"e{person}", seen(person, "A"), accepted=True)
    clock.ahead_seconds += 86_401
    assert fingerprints.tend(east) and not fingerprints.tend(east)
    assert [one.sign for one in fingerprints.signals(east, f"e{person}")] == [Sign.DUPLICATE]
    fingerprints.collect(dale)
    assert [one.sign for one in fingerprints.signals(dale, f"d{person}")] == [Sign.DUPLICATE]
    assert not fingerprints.tend(network["north"].node)


def test_a_clock_that_is_set_back_holds_no_batch_up(insured: Insured, key: Key) -> None:
    east = insured[0]["east"].node
    tomorrow = east.now_ms() + 86_400_000
    east.database.write(lambda tx: rows.publish(tx, key.public, [], bytes(1024), now_ms=tomorrow))
    assert fingerprints.tend(east)
    assert not fingerprints.tend(east)
    with east.database.read() as tx:
        numbers = [one.number for one in rows.batches(tx, key.public, after=tomorrow - 1)]
    assert numbers == [tomorrow, tomorrow + 1]
