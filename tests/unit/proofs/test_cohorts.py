"""Who meets a study's criteria, and what the circuit can't be made to take.

docs/formats/studies.md, cohort.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simdes.errors import Conflict, Invalid
from simdes.proofs import cohorts, facts, keys, prover
from simdes.proofs.cohorts import Around, Criterion
from simdes.proofs.poseidon import FIELD
from simdes.proofs.trees import BATCH_DEPTH, FOREST_DEPTH, Place, Tree
from simdes.proofs.witness import witness

VECTOR = json.loads((Path(__file__).parents[2] / "vectors/proofs.json").read_bytes())["cohort"]
CODE = keys.load("cohort", allow_development=True).circuit_code
A1C = facts.element_of_code("http://loinc.org", "4548-4")
PERCENT = facts.element_of_code("http://unitsofmeasure.org", "%")
TODAY = 20_500


def fact_of(key: int, **changed: int) -> facts.Fact:
    said = {"code": A1C, "coded": PERCENT, "value": 7_100, "day": TODAY - 14, "salt": 9}
    return facts.Fact(holder=facts.holder_of(key), **{**said, **changed})


def placed(fact: facts.Fact) -> tuple[Place, int]:
    batch = Tree(BATCH_DEPTH, [3, fact.leaf, 4])
    forest = Tree(FOREST_DEPTH, [5, batch.root])
    return Place.of(batch, 1, forest, 1), forest.root


def signals_of(fact: facts.Fact, criterion: Criterion, key: int) -> dict[str, Any]:
    place, root = placed(fact)
    around = Around(root=root, scope=13, collector=14, day=TODAY)
    return cohorts.signals(criterion, fact, place, around, holder_key=key)


CRITERION = Criterion(((1, 2), (A1C, PERCENT), (3, 0)), 6_500, 14_000, 365)


def test_the_vector_s_numbers_come_out_again() -> None:
    """And a second implementation gets the same element, nullifier and leaf."""
    codes = tuple(
        (facts.element_of_code(*code), facts.element_of_code(*VECTOR["unit"]))
        for code in VECTOR["codes"]
    )
    said = VECTOR["criterion"]
    criterion = Criterion(codes, said["least"], said["most"], said["within_days"])
    assert str(criterion.tree.root) == said["set"]
    assert str(criterion.element) == said["element"]
    key, around = int(VECTOR["holder_key"]), VECTOR["around"]
    nullifier = cohorts.nullifier_of(key, scope=int(around["scope"]))
    assert str(nullifier) == VECTOR["nullifier"]
    public = [int(one) for one in VECTOR["inputs"]]
    assert public == [
        int(around["root"]),
        nullifier,
        int(around["scope"]),
        int(around["collector"]),
        criterion.element,
        around["day"],
    ]
    proof = b"".join(int(one).to_bytes(32, "big") for one in VECTOR["proof"])
    assert prover.holds(keys.load("cohort", allow_development=True), proof, public)
    for place in range(6):
        other = [*public[:place], public[place] + 1, *public[place + 1 :]]
        assert not prover.holds(keys.load("cohort", allow_development=True), proof, other)


@pytest.mark.parametrize(
    ("changed", "meets"),
    [
        ({}, True),
        ({"value": 6_500}, True),
        ({"value": 6_499}, False),
        ({"value": 14_000}, True),
        ({"value": 14_001}, False),
        ({"day": TODAY}, True),
        ({"day": TODAY + 1}, False),
        ({"day": TODAY - 365}, True),
        ({"day": TODAY - 366}, False),
        ({"coded": 2}, False),
        ({"code": 1, "coded": 2}, True),
        ({"code": 3, "coded": 0}, True),
        ({"code": 3, "coded": 2}, False),
    ],
    ids=str,
)
def test_the_circuit_takes_exactly_what_meets_the_criterion(
    changed: dict[str, int], *, meets: bool
) -> None:
    fact = fact_of(77, **changed)
    assert CRITERION.is_met_by(fact, day=TODAY) == meets
    lying = signals_of(fact_of(77), CRITERION, 77)
    place, root = placed(fact)
    lying |= {
        **place.signals(),
        "root": root,
        "code": fact.code,
        "coded": fact.coded,
        "value": fact.value,
        "factDay": fact.day,
    }
    if (fact.code, fact.coded) in CRITERION.codes:
        index = CRITERION.codes.index((fact.code, fact.coded))
        lying |= {"setIndex": index, "setSiblings": CRITERION.tree.siblings(index)}
    if meets:
        assert witness(CODE, lying)
        return
    with pytest.raises(Invalid):
        witness(CODE, lying)
    with pytest.raises(Conflict):
        signals_of(fact, CRITERION, 77)


def test_no_input_can_be_another() -> None:
    """But for the collector, whom a proof is made for, and another day on which it is met."""
    true = signals_of(fact_of(77), CRITERION, 77)
    assert witness(CODE, true)
    randomness = random.Random(5)
    for name, value in true.items():
        many = value if isinstance(value, list) else [value]
        for place in sorted({0, len(many) - 1}):
            for other in (many[place] + 1, randomness.randrange(FIELD)):
                if name == "collector" or (name == "day" and other == TODAY + 1):
                    continue
                wrong = [*many[:place], other, *many[place + 1 :]]
                with pytest.raises(Invalid):
                    witness(CODE, {**true, name: wrong if isinstance(value, list) else other})


def test_a_nullifier_is_the_holders_and_the_studys() -> None:
    assert cohorts.nullifier_of(1, scope=2) == cohorts.nullifier_of(1, scope=2)
    assert (
        len({cohorts.nullifier_of(*one, scope=scope) for one in [(1,), (2,)] for scope in (2, 3)})
        == 4
    )


def test_the_newest_fact_that_meets_a_criterion_is_shown() -> None:
    old, new = fact_of(1, day=TODAY - 100), fact_of(1, day=TODAY - 3)
    assert cohorts.meeting(CRITERION, [old, new], day=TODAY) is new
    assert cohorts.meeting(CRITERION, [fact_of(1, value=1)], day=TODAY) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"codes": ()},
        {"codes": ((1, 2), (1, 2))},
        {"codes": ((FIELD, 0),)},
        {"codes": tuple((number, 0) for number in range(257))},
        {"least": 5, "most": 4},
        {"most": facts.MOST_VALUE + 1},
        {"within_days": -1},
        {"within_days": 2**20},
    ],
    ids=["none", "twice", "no element", "too many", "no bounds", "too much", "before", "too long"],
)
def test_a_criterion_that_can_t_be_met_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        replace(CRITERION, **wrong)
