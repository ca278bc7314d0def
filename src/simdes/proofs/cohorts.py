"""The statement that a patient meets a study's criteria, who is counted once and not named.

docs/formats/studies.md, cohort; circuit ``circuits/cohort.circom``. A criterion says which codes
will do, bounds of a number, and how old the fact may be; a patient shows one fact for each
criterion of a study, all about the holder of one key, which makes one nullifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from simdes.errors import Conflict, Invalid
from simdes.proofs.facts import MOST_VALUE, Fact
from simdes.proofs.poseidon import FIELD, poseidon
from simdes.proofs.trees import LATEST_DAY, Place, Tree

SET_DEPTH: Final = 8
MOST_CODES: Final = 1 << SET_DEPTH
ANY_AGE: Final = LATEST_DAY
"""`within_days` of a criterion for which a fact may be as old as can be."""
_MEMBER, _CRITERION, _NULLIFIER = 13, 14, 15

Code = tuple[int, int]
"""The elements of what a fact is about, and of what it says as a code or as a number's unit (0)."""


@dataclass(frozen=True)
class Criterion:
    """What one fact must be: about one of `codes`, within bounds, at most so many days old."""

    codes: tuple[Code, ...]
    least: int = 0
    most: int = MOST_VALUE
    within_days: int = ANY_AGE

    def __post_init__(self) -> None:
        """Refuse what no fact can meet. Raises Invalid."""
        elements = all(0 <= one < FIELD for code in self.codes for one in code)
        sized = 0 < len(self.codes) <= MOST_CODES and len(set(self.codes)) == len(self.codes)
        bounded = 0 <= self.least <= self.most <= MOST_VALUE and 0 <= self.within_days <= ANY_AGE
        if not (elements and sized and bounded):
            raise Invalid("a criterion has 1 to 256 codes, each once, and bounds that can be met")

    @cached_property
    def tree(self) -> Tree:
        """The codes as a tree, in their order."""
        return Tree(SET_DEPTH, (poseidon(_MEMBER, *code) for code in self.codes))

    @cached_property
    def element(self) -> int:
        """What the ledger keeps of it."""
        return poseidon(_CRITERION, self.tree.root, self.least, self.most, self.within_days)

    def is_met_by(self, fact: Fact, *, day: int) -> bool:
        """Whether a fact meets it on a day (since 1970-01-01)."""
        return (
            (fact.code, fact.coded) in self.codes
            and self.least <= fact.value <= self.most
            and fact.day <= day <= fact.day + self.within_days
        )


def nullifier_of(holder_key: int, *, scope: int) -> int:
    """What a holder of facts is counted under in a study; it tells nothing about another study."""
    return poseidon(_NULLIFIER, scope, holder_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What all proofs of one patient for one study agree in: elements, and the ledger's day."""

    root: int
    scope: int
    collector: int
    day: int


def public_inputs(criterion: Criterion, around: Around, *, nullifier: int) -> list[int]:
    """What the verifier sees, in its order."""
    return [
        around.root,
        nullifier,
        around.scope,
        around.collector,
        criterion.element,
        around.day,
    ]


_PUBLIC = ("root", "nullifier", "scope", "collector", "criterion", "day")


def signals(
    criterion: Criterion, fact: Fact, place: Place, around: Around, *, holder_key: int
) -> dict[str, Any]:
    """All inputs of the circuit, by the names that it gives them. Raises Conflict."""
    if not criterion.is_met_by(fact, day=around.day):
        raise Conflict("this fact does not meet the criterion")
    index = criterion.codes.index((fact.code, fact.coded))
    nullifier = nullifier_of(holder_key, scope=around.scope)
    public = public_inputs(criterion, around, nullifier=nullifier)
    return {
        **dict(zip(_PUBLIC, public, strict=True)),
        "set": criterion.tree.root,
        "least": criterion.least,
        "most": criterion.most,
        "within": criterion.within_days,
        "setIndex": index,
        "setSiblings": criterion.tree.siblings(index),
        "holderKey": holder_key,
        "salt": fact.salt,
        "code": fact.code,
        "coded": fact.coded,
        "value": fact.value,
        "factDay": fact.day,
        **place.signals(),
    }


def meeting(criterion: Criterion, facts: Sequence[Fact], *, day: int) -> Fact | None:
    """The newest of some facts that meets a criterion."""
    met = [one for one in facts if criterion.is_met_by(one, day=day)]
    return max(met, key=lambda one: one.day, default=None)
