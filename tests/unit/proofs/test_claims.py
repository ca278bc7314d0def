"""What a claim's statements allow, in words before a prover would only fail."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Conflict, Invalid, Tampered
from simdes.proofs import claim_openings, claims
from simdes.proofs.claims import MOST_AMOUNT, NOTHING, Amount, Encounter, Total
from simdes.proofs.facts import element_of_code
from simdes.proofs.poseidon import FIELD, poseidon
from simdes.proofs.trees import Place

EUROS = claims.currency_element("EUR")
VISIT = Encounter(secret=77, encounter=5, cost=10_000, currency=EUROS, version=2, salt=9)
NOWHERE = Place(batch_index=0, batch_siblings=(0,) * 10, forest_index=0, forest_siblings=(0,) * 24)


def asked(lines: list[int], before: Total, stated: Encounter = VISIT) -> dict[str, Any]:
    around = {"identity": 44, "root": 1, "context": 8, "claim_salt": 3, "salt_after": 4}
    return claims.claim(stated, lines, before, NOWHERE, **around)


def test_hashes_are_those_that_the_format_says() -> None:
    assert claims.holder_of(77) == VISIT.holder == poseidon(7, 77)
    assert VISIT.leaf == poseidon(6, VISIT.holder, 9, poseidon(5, 10_000, EUROS, 2))
    assert VISIT.tag(8) == poseidon(8, 8, 77, 5) == replace(VISIT, version=3, cost=1).tag(8)
    amount = Amount(claim=44, amount=5, currency=EUROS, blind=6)
    assert amount.commitment == poseidon(9, 44, 5, EUROS, 6)
    total = Total(sum=5, version=2, salt=6)
    assert total.commitment(tag=7, currency=EUROS) == poseidon(10, 7, EUROS, 5, 2, 6)
    assert NOTHING.commitment(tag=7, currency=EUROS) == 0
    assert EUROS == 0x455552


def test_lines_fold_into_thirty_slots() -> None:
    lines = [*range(1, 31), 1_000, 2_000]
    assert claims.slots(lines)[:3] == (1_001, 2_002, 3)
    first = [
        claims.slots(lines)[i]
        + (claims.slots(lines)[i + 1] << 64)
        + (claims.slots(lines)[i + 2] << 128)
        for i in range(0, 30, 3)
    ]
    assert claims.lines_digest(lines) == poseidon(poseidon(11, *first[:5]), *first[5:])


@pytest.mark.parametrize("lines", [[], [-1], [2**64], [2**63, 2**63]], ids=str)
def test_lines_that_are_no_amounts_are_refused(lines: list[int]) -> None:
    with pytest.raises(Invalid):
        claims.slots(lines)


@settings(derandomize=True, max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=90))
def test_the_slots_sum_to_what_the_lines_sum_to(lines: list[int]) -> None:
    assert sum(claims.slots(lines)) == sum(lines)


def test_a_claim_commits_to_encounter_version_and_lines() -> None:
    signals = asked([300, 200], NOTHING)
    blind = poseidon(12, claims.lines_digest([300, 200]), 5, 2, 3)
    assert signals["claimed"] == poseidon(9, 44, 500, EUROS, blind)
    assert claims.public("claim", signals)[2:5] == [VISIT.holder, VISIT.tag(8), 44]


def test_more_than_the_cost_says_what_is_left() -> None:
    with pytest.raises(Conflict, match="100 minor units are left"):
        asked([101], Total(sum=9_900, version=1, salt=1))
    with pytest.raises(Conflict, match="0 minor units are left"):
        asked([1], Total(sum=12_000, version=1, salt=1))
    assert asked([100], Total(sum=9_900, version=1, salt=1))["continues"] == 1


def test_an_older_version_proves_nothing_once_a_newer_one_did() -> None:
    with pytest.raises(Conflict, match="newer version"):
        asked([1], Total(sum=0, version=3, salt=1))


def test_nobody_pays_more_than_is_claimed() -> None:
    upper = Amount(claim=44, amount=500, currency=EUROS, blind=6)
    assert claims.settle(upper, replace(upper, blind=7))["whole"] == 1
    assert claims.settle(upper, replace(upper, amount=499))["whole"] == 0
    with pytest.raises(Conflict, match="500"):
        claims.settle(upper, replace(upper, amount=501))
    for other in ({"claim": 45}, {"currency": 1}):
        with pytest.raises(Conflict, match="different"):
            claims.settle(upper, replace(upper, **other))  # type: ignore[arg-type]


def test_freeing_gives_back_what_is_not_kept() -> None:
    counted = Amount(claim=44, amount=500, currency=EUROS, blind=6)
    before = Total(sum=900, version=2, salt=1)
    _, total = claims.free(counted, None, before, tag=7, salt_after=2)
    assert total == Total(sum=400, version=2, salt=2)
    signals, total = claims.free(counted, replace(counted, amount=300), before, tag=7, salt_after=2)
    assert (total.sum, signals["keeps"]) == (700, 1)
    with pytest.raises(Conflict):
        claims.free(counted, replace(counted, amount=501), before, tag=7, salt_after=2)
    with pytest.raises(Conflict):
        claims.free(counted, None, replace(before, sum=499), tag=7, salt_after=2)


@pytest.mark.parametrize(
    "wrong",
    [{"cost": -1}, {"cost": 2**64}, {"version": 0}, {"version": 2**32}, {"salt": FIELD}],
    ids=str,
)
def test_what_can_never_be_proved_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(Invalid):
        replace(VISIT, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", [0, -1, MOST_AMOUNT + 1], ids=str)
def test_an_amount_is_above_zero_and_has_64_bits(amount: int) -> None:
    with pytest.raises(Invalid):
        Amount(claim=1, amount=amount, currency=EUROS, blind=1)


@pytest.mark.parametrize("code", ["eur", "EURO", "", "€UR"], ids=repr)
def test_a_currency_is_three_capital_letters(code: str) -> None:
    with pytest.raises(Invalid):
        claims.currency_element(code)


def test_salts_commit_to_documents() -> None:
    nonce, essence = bytes(range(32)), bytes(32)
    digest = hashlib.sha256(b"simdes/claim-salt/v1\0" + nonce + essence).digest()
    assert claims.salt_of("claim", nonce, essence) == int.from_bytes(digest, "big") >> 8
    assert claims.salt_of("encounter", nonce, essence) != claims.salt_of("claim", nonce, essence)
    for what, one in (("other", nonce), ("claim", nonce[:31])):
        with pytest.raises(Invalid):
            claims.salt_of(what, one, essence)
    salts = {claims.total_salt(77, claim=claim, step=step) for claim in (1, 2) for step in (0, 1)}
    assert len(salts) == 4 and all(salt < 2**248 for salt in salts)


OPENING = claim_openings.ClaimOpening(
    chain=7,
    contract=b"\x01" * 20,
    provider=b"\x02" * 32,
    payer=b"\x03" * 32,
    tag=b"\x00" * 32,
    claim=(44).to_bytes(32, "big"),
    system="urn:oid:1.2.3",
    value="V-1",
    version=2,
    currency="EUR",
    lines=(300, 200),
    nonce=b"\x04" * 32,
    essence=b"\x05" * 32,
)


def test_who_has_the_opening_knows_what_the_commitment_is_about() -> None:
    expected = claims.claimed_amount(
        44,
        [300, 200],
        encounter=element_of_code("urn:oid:1.2.3", "V-1"),
        version=2,
        currency=EUROS,
        salt=claims.salt_of("claim", OPENING.nonce, OPENING.essence),
    )
    OPENING.require_claimed(expected.commitment)
    for name, value in (
        ("value", "V-2"),
        ("lines", (200, 300)),
        ("version", 1),
        ("currency", "USD"),
        ("essence", bytes(32)),
    ):
        with pytest.raises(Tampered):
            msgspec.structs.replace(OPENING, **{name: value}).require_claimed(expected.commitment)


def test_an_opening_comes_back_and_nothing_else_is_one() -> None:
    assert claim_openings.decode(claim_openings.encode(OPENING)) == OPENING
    members = msgspec.to_builtins(OPENING, builtin_types=(bytes,))
    for wrong in (
        {"lines": []},
        {"lines": [-1]},
        {"v": 2},
        {"more": 1},
        {"provider": b"short"},
        {"lines": [0] * 2_001},
    ):
        with pytest.raises(Invalid):
            claim_openings.decode(msgspec.msgpack.encode({**members, **wrong}))
    with pytest.raises(Invalid):
        claim_openings.decode(b"\xc1")
    with pytest.raises(Invalid):
        claim_openings.decode(bytes(70_000))
