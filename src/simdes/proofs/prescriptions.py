"""The statement that a prescription was issued, and the steps that it allows.

docs/formats/statements.md, dispense; circuit ``circuits/dispense.circom``; paper Fig. 4. Amounts
are whole units, so coarse that a prescription has 10,000 at most: a part of 10,000 then tells
exactly how many were dispensed. Days count from 1970-01-01.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from simdes.errors import Conflict, Invalid
from simdes.proofs.poseidon import FIELD, poseidon
from simdes.proofs.trees import DAY_BITS, LATEST_DAY, Place

PARTS: Final = 10_000
_LEAF, _TAG, _KEY = 1, 2, 5
_AMOUNT_BITS = 14


def nullifier_key(secret: int) -> int:
    """The key whose holder can dispense; who knows `secret` can cancel."""
    return poseidon(_KEY, secret)


def tag_of(key: int, *, context: int) -> int:
    """The name under which a contract knows the prescription of a nullifier key."""
    return poseidon(_TAG, context, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prescription:
    """What a prescription allows; `bound` is the one pharmacy's element, 0 for any.

    `interval` is the least number of days between the beginnings of two fills.
    """

    key: int
    salt: int
    total: int
    per_fill: int
    interval: int
    first_day: int
    last_day: int
    bound: int = 0
    controlled: bool = False

    def __post_init__(self) -> None:
        """Refuse what the circuit could never prove anything about. Raises Invalid."""
        sound = (
            1 <= self.per_fill <= self.total <= PARTS
            and 0 <= self.interval < 2**_AMOUNT_BITS
            and 0 <= self.first_day <= self.last_day <= LATEST_DAY
            and all(0 <= one < FIELD for one in (self.key, self.salt, self.bound))
        )
        if not sound:
            raise Invalid("the prescription's amounts, days or keys are outside what can be proved")

    @property
    def leaf(self) -> int:
        """Its commitment, to be issued in a batch."""
        terms = poseidon(
            self.total, self.per_fill, self.interval, self.first_day, self.last_day, self.bound
        )
        return poseidon(_LEAF, self.key, self.salt, terms, int(self.controlled))

    def fills(self, units: int) -> int:
        """How many fills have begun once so many units are dispensed."""
        return -(-units // self.per_fill)

    def part(self, units: int) -> int:
        """`units` as a part of 10,000, rounded up; distinct for distinct units."""
        return -(-units * PARTS // self.total)

    def units(self, part: int) -> int:
        """The units of which `part` is the part. Raises Invalid for what is no part of it."""
        units = part * self.total // PARTS
        if self.part(units) != part:
            raise Invalid("this part is none of the prescription's")
        return units


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is to happen: from `before` to `after` units dispensed, on a `day`.

    `fill_day` is the day on which the newest fill began, 0 before the first. Nothing more
    dispensed: the prescription is bound to the pharmacy, or with `releases` let go.
    """

    before: int
    after: int
    day: int
    fill_day: int = 0
    releases: bool = False

    def begins(self, prescription: Prescription) -> bool:
        """Whether a new fill begins with it."""
        return prescription.fills(self.after) > prescription.fills(self.before)

    def require_allowed(self, prescription: Prescription) -> None:
        """Say what is wrong before a prover would only fail. Raises Conflict, Invalid."""
        one, fills = prescription, prescription.fills(self.after)
        if not 0 <= self.before <= self.after:
            raise Invalid("what was dispensed can't fall")
        if self.after > one.total:
            raise Conflict(f"only {one.total - self.before} units are left of the prescription")
        if self.day > one.last_day:
            raise Conflict("the prescription expired", advice="Ask the prescriber for a new one.")
        if self.day < one.first_day:
            raise Conflict("the prescription is not valid yet")
        begun = one.fills(self.before)
        if fills > begun + 1:
            left = (begun + 1) * one.per_fill - self.before
            raise Conflict(f"a step may not exceed one fill: at most {left} units now")
        if fills > begun > 0 and self.day < self.fill_day + one.interval:
            wait = self.fill_day + one.interval - self.day
            raise Conflict(f"the next fill is due in {wait} days")
        if self.releases and one.controlled:
            raise Conflict("a controlled substance can't be transferred")

    def packed(self, prescription: Prescription) -> int:
        """The public input `step`, as the contract packs it."""
        begun = self.day if self.begins(prescription) else self.fill_day
        fields = (
            (prescription.part(self.before), _AMOUNT_BITS),
            (prescription.part(self.after), _AMOUNT_BITS),
            (self.fill_day, DAY_BITS),
            (begun, DAY_BITS),
            (self.day, DAY_BITS),
            (int(self.releases), 1),
        )
        packed = at = 0
        for value, bits in fields:
            packed |= value << at
            at += bits
        return packed


def public_inputs(
    prescription: Prescription, step: Step, *, root: int, pharmacy: int, context: int
) -> list[int]:
    """What the verifier sees, in its order: root, tag, pharmacy, context, step."""
    tag = tag_of(prescription.key, context=context)
    return [root, tag, pharmacy, context, step.packed(prescription)]


def signals(
    prescription: Prescription,
    step: Step,
    place: Place,
    *,
    root: int,
    pharmacy: int,
    context: int,
) -> dict[str, Any]:
    """All inputs of the circuit, by the names that it gives them."""
    one = prescription
    public = public_inputs(one, step, root=root, pharmacy=pharmacy, context=context)
    return {
        **dict(zip(("root", "tag", "pharmacy", "context", "step"), public, strict=True)),
        "nullifierKey": one.key,
        "salt": one.salt,
        "total": one.total,
        "perFill": one.per_fill,
        "interval": one.interval,
        "firstDay": one.first_day,
        "lastDay": one.last_day,
        "bound": one.bound,
        "controlled": int(one.controlled),
        "dispensedBefore": step.before,
        "dispensedAfter": step.after,
        "fillsBefore": one.fills(step.before),
        "fillsAfter": one.fills(step.after),
        **place.signals(),
    }
