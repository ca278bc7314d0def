"""Paid within claimed within cost, in the circuits themselves, against lies that are whole.

All commitments, the leaf and the forest's root are made anew for each, so that nothing but the
comparison of the amounts stands against it. Beside it stands what is just allowed, made likewise.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from simdes.errors import Conflict, Invalid
from simdes.proofs import claims, keys
from simdes.proofs.claims import NOTHING, Amount, Encounter, Total
from simdes.proofs.poseidon import FIELD, poseidon
from simdes.proofs.witness import witness
from unit.proofs.test_constraints import amounts, element, place

RANDOM = random.Random(7)
EUROS = claims.currency_element("EUR")


def holds(circuit: str, signals: dict[str, Any]) -> bool:
    """Whether a circuit's constraints can be met with these inputs."""
    try:
        witness(keys.load(circuit, allow_development=True).circuit_code, signals)
    except Invalid:
        return False
    return True


def claimed(cost: int, before: Total, lines: list[int], *, version: int = 2) -> dict[str, Any]:
    """The inputs of a claim of these lines, whatever it costs."""
    stated = Encounter(
        secret=element(RANDOM), encounter=8, cost=cost, currency=EUROS, version=version, salt=9
    )
    at, root = place(stated.leaf, RANDOM)
    around = {"identity": 1, "root": root, "context": 2, "claim_salt": 3, "salt_after": 4}
    return claims.claim(stated, lines, before, at, **around)


def believing(patch: pytest.MonkeyPatch) -> None:
    """Let the sum of what is claimed be anything, as a forger's program does."""

    def unchecked(stated: Encounter, before: Total, amount: int, salt: int) -> Total:
        return Total(sum=before.sum + amount, version=stated.version, salt=salt)

    patch.setattr(claims, "_with", unchecked)


ALREADY = Total(sum=700, version=1, salt=5)


@pytest.mark.parametrize(
    ("before", "lines", "version", "allowed"),
    [
        (NOTHING, [600, 400], 2, True),
        (NOTHING, [600, 401], 2, False),
        (ALREADY, [300], 2, True),
        (ALREADY, [200, 101], 2, False),
        (ALREADY, [claims.MOST_AMOUNT - 700], 2, False),
        (ALREADY, [300], 1, True),
        (Total(sum=700, version=3, salt=5), [300], 2, False),
    ],
)
def test_no_more_than_the_cost_is_claimed(
    before: Total,
    lines: list[int],
    version: int,
    *,
    allowed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not allowed:
        with pytest.raises(Conflict):
            claimed(1_000, before, lines, version=version)
    believing(monkeypatch)
    assert holds("claim", claimed(1_000, before, lines, version=version)) is allowed


def settled(upper: int, lower: int, *, whole: int) -> dict[str, Any]:
    """The inputs of a decision or payment of ``lower`` of ``upper``, whichever is more."""
    one, other = amounts(RANDOM, max(upper, 1), max(lower, 1))
    found = claims.settle(one, one) | {"whole": whole, "lowerBlind": other.blind}
    return found | {"lowerAmount": lower, "lower": _committed(one, lower, other.blind)}


def _committed(like: Amount, amount: int, blind: int) -> int:
    return poseidon(claims._AMOUNT, like.claim, amount % FIELD, like.currency, blind)


@pytest.mark.parametrize(
    ("upper", "lower", "whole", "allowed"),
    [
        (500, 500, 1, True),
        (500, 499, 0, True),
        (500, 1, 0, True),
        (500, 501, 0, False),
        (500, 501, 1, False),
        (500, 500, 0, False),
        (500, 499, 1, False),
        (500, 0, 0, False),
        (500, -1, 0, False),
        (1, claims.MOST_AMOUNT, 0, False),
    ],
)
def test_no_more_than_what_is_claimed_is_paid(
    upper: int, lower: int, whole: int, *, allowed: bool
) -> None:
    signals = settled(upper, lower, whole=whole)
    assert holds("settle", signals | {"lowerAmount": lower % FIELD}) is allowed


def freed(whole: int, counted: int, kept: int) -> dict[str, Any]:
    """The inputs of giving back what is not ``kept`` of ``counted``, of ``whole`` in all."""
    one, other = amounts(RANDOM, counted, kept or 1)
    signals, _ = claims.free(one, None, Total(sum=counted, version=1, salt=3), tag=6, salt_after=4)
    known = {"tag": 6, "currency": one.currency}
    after = Total(sum=(whole - counted + kept) % FIELD, version=1, salt=4)
    return signals | {
        "sum": whole,
        "before": Total(sum=whole, version=1, salt=3).commitment(**known),
        "after": after.commitment(**known),
        "keeps": int(bool(kept)),
        "kept": other.commitment if kept else 0,
        "keptAmount": kept,
        "keptBlind": other.blind if kept else 0,
    }


@pytest.mark.parametrize(
    ("whole", "counted", "kept", "allowed"),
    [
        (900, 500, 300, True),
        (900, 500, 500, True),
        (500, 500, 0, True),
        (900, 500, 501, False),
        (900, 500, 901, False),
        (499, 500, 0, False),
        (499, 500, 1, False),
    ],
)
def test_no_more_is_given_back_than_is_counted(
    whole: int, counted: int, kept: int, *, allowed: bool
) -> None:
    assert holds("free", freed(whole, counted, kept)) is allowed
