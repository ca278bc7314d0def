"""No variable of a circuit can be anything but what its inputs say, or the list below says why.

The constraints are those of the compiled circuit, evaluated here: what calculates the values when
something is proved (`circuit.wasm`) isn't trusted, since whoever forges would use his own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from simdes.errors import Conflict, Invalid
from simdes.proofs import claims, cohorts, facts, keys, prescriptions
from simdes.proofs.poseidon import FIELD
from simdes.proofs.prescriptions import Prescription, Step
from simdes.proofs.trees import BATCH_DEPTH, FOREST_DEPTH, Place, Tree
from simdes.proofs.witness import witness
from support.constraint_systems import Constraint, System, compiled, undetermined, values_of

UNDETERMINED = {
    "dispense": {
        # IsZero's hint: fills . inverse = 1 - out with fills . out = 0. Where `fills` is zero it
        # may be anything and is multiplied by zero; `out` is determined either way.
        "none.inverse",
    },
    "disclosure": set(),
    "cohort": set(),
    "claim": set(),
    "settle": set(),
    "free": set(),
}
"""What the inputs don't determine."""

FREE: dict[str, dict[str, Callable[[dict[str, Any]], bool]]] = {
    "dispense": {
        "none.inverse": lambda inputs: inputs["fillsBefore"] == 0,
        # A prescription that is bound to nobody says nothing of who dispenses. The contract puts
        # its caller there, and the proof is of that number (test_ledger_prescriptions: another
        # pharmacy's proof is refused).
        "pharmacy": lambda inputs: inputs["bound"] == 0,
    },
    "disclosure": {},
    "cohort": {},
    "claim": {},
    "settle": {},
    "free": {},
}
"""What alone could be something else, and when."""

OTHER: dict[str, set[str]] = {
    # challenge^2: it stands in an equation, so that a proof is for one challenge; -challenge has
    # the same square, but `answered` isn't public, and the challenge itself is: another one is
    # another statement, of which the verifier is asked.
    "disclosure": {"challenge"},
    # The same of the collector: the contract puts the study's there, and asks for its agent.
    "cohort": {"collector"},
    "dispense": set(),
    "claim": set(),
    "settle": set(),
    "free": set(),
}
"""What alone could be one other number, and why that is of no use to anybody."""


@dataclass(frozen=True)
class Compiled:
    circuit: str
    system: System
    code: Path


@pytest.fixture(scope="module", params=keys.CIRCUITS)
def one(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    system, code = compiled(request.param, tmp_path_factory.mktemp(request.param))
    return Compiled(request.param, system, code)


def element(randomness: random.Random) -> int:
    return randomness.randrange(FIELD)


def place(leaf: int, randomness: random.Random) -> tuple[Place, int]:
    """Somewhere in a batch, the batch somewhere in a forest; and the forest's root."""
    before = randomness.randrange(4)
    batch = Tree(BATCH_DEPTH, [element(randomness) for _ in range(before)] + [leaf, 1])
    forest = Tree(FOREST_DEPTH, [element(randomness) for _ in range(before)] + [batch.root, 2])
    return Place.of(batch, before, forest, before), forest.root


def prescribed(randomness: random.Random) -> Prescription:
    total = randomness.choice([1, 3, 90, 9_999, 10_000])
    first = randomness.randrange(20_000, 21_000)
    return Prescription(
        key=prescriptions.nullifier_key(element(randomness)),
        salt=element(randomness),
        total=total,
        per_fill=randomness.randint(1, total),
        interval=randomness.choice([0, 1, 28]),
        first_day=first,
        last_day=first + randomness.choice([0, 30, 365]),
        bound=randomness.choice([0, 77]),
        controlled=randomness.choice([False, True]),
    )


def dispensing(one: Prescription, step: Step, randomness: random.Random) -> dict[str, Any]:
    at, root = place(one.leaf, randomness)
    context = element(randomness)
    return prescriptions.signals(one, step, at, root=root, pharmacy=77, context=context)


def dispenses(randomness: random.Random) -> Iterator[dict[str, Any]]:
    """Steps that are allowed: the first and a later fill, a part of one, a release, nothing."""
    for _ in range(2):
        one = replace(prescribed(randomness), last_day=22_000)
        day, again = one.first_day, one.first_day + one.interval
        first = min(one.per_fill, one.total)
        yield dispensing(one, Step(before=0, after=first, day=day), randomness)
        more = min(first + one.per_fill, one.total)
        yield dispensing(one, Step(before=first, after=more, day=again, fill_day=day), randomness)
        letting = Step(before=first, after=first, day=day, fill_day=day, releases=True)
        yield dispensing(replace(one, controlled=False), letting, randomness)


def disclosures(randomness: random.Random) -> Iterator[dict[str, Any]]:
    for value, coded in ((11_000, 0), (0, 5), (facts.MOST_VALUE, 0)):
        key = element(randomness)
        fact = facts.Fact(
            holder=facts.holder_of(key),
            salt=element(randomness),
            code=element(randomness),
            coded=coded,
            value=value,
            day=11_000,
        )
        question = facts.Question(
            challenge=element(randomness), code=fact.code, coded=coded, least=value, last_day=12_000
        )
        at, root = place(fact.leaf, randomness)
        yield facts.signals(question, fact, at, root=root, holder_key=key)


def cohorts_met(randomness: random.Random) -> Iterator[dict[str, Any]]:
    for value, age, codes in ((11_000, 0, 1), (0, 30, 3), (facts.MOST_VALUE, 365, 256)):
        key = element(randomness)
        among = tuple((element(randomness), randomness.choice([0, 5])) for _ in range(codes))
        code, coded = randomness.choice(among)
        fact = facts.Fact(
            holder=facts.holder_of(key),
            salt=element(randomness),
            code=code,
            coded=coded,
            value=value,
            day=20_000,
        )
        criterion = cohorts.Criterion(among, least=value, within_days=age)
        at, root = place(fact.leaf, randomness)
        around = cohorts.Around(
            root=root, scope=element(randomness), collector=element(randomness), day=20_000 + age
        )
        yield cohorts.signals(criterion, fact, at, around, holder_key=key)


def claimings(randomness: random.Random) -> Iterator[dict[str, Any]]:
    """The first claim of an encounter, and a later one up to its cost under a newer version."""
    for before, version in (
        (claims.NOTHING, 1),
        (claims.Total(sum=2**64 - 4_001, version=2, salt=element(randomness)), 3),
    ):
        stated = claims.Encounter(
            secret=element(randomness),
            encounter=element(randomness),
            cost=claims.MOST_AMOUNT,
            currency=claims.currency_element("EUR"),
            version=version,
            salt=element(randomness),
        )
        at, root = place(stated.leaf, randomness)
        around = {name: element(randomness) for name in ("identity", "context", "claim_salt")}
        lines = [100] * 40
        yield claims.claim(
            stated, lines, before, at, root=root, salt_after=element(randomness), **around
        )


def amounts(randomness: random.Random, *numbers: int) -> list[claims.Amount]:
    """Amounts of one claim."""
    known = {"claim": element(randomness), "currency": claims.currency_element("EUR")}
    return [claims.Amount(amount=one, blind=element(randomness), **known) for one in numbers]


def settlings(randomness: random.Random) -> Iterator[dict[str, Any]]:
    for upper, lower in ((500, 500), (500, 1), (claims.MOST_AMOUNT, 499)):
        yield claims.settle(*amounts(randomness, upper, lower))


def freeings(randomness: random.Random) -> Iterator[dict[str, Any]]:
    for some in (0, 300, 500):
        counted, kept = amounts(randomness, 500, some or 1)
        before = claims.Total(sum=900, version=1, salt=element(randomness))
        salts = {"tag": element(randomness), "salt_after": element(randomness)}
        yield claims.free(counted, kept if some else None, before, **salts)[0]


EXAMPLES = {
    "dispense": dispenses,
    "disclosure": disclosures,
    "cohort": cohorts_met,
    "claim": claimings,
    "settle": settlings,
    "free": freeings,
}


@cache
def examples(circuit: str) -> list[dict[str, Any]]:
    return list(EXAMPLES[circuit](random.Random(1)))


def named(system: System, wires: set[int]) -> set[str]:
    return {system.names[wire] for wire in wires}


def test_the_circuit_that_ships_is_the_compiled_source(one: Compiled) -> None:
    shipped = keys.load(one.circuit, allow_development=True)
    assert one.code.read_bytes() == shipped.circuit_code.read_bytes()
    key = shipped.verification_key()
    assert key["nPublic"] == one.system.public == len(key["IC"]) - 1


def test_the_inputs_determine_every_variable_that_counts(one: Compiled) -> None:
    assert named(one.system, undetermined(one.system)) == UNDETERMINED[one.circuit]


def test_no_variable_of_a_true_statement_can_be_changed(one: Compiled) -> None:
    """For every wire all its other values are calculated, so that none needs to be guessed."""
    using = one.system.using()
    ever_free = set()
    for inputs in examples(one.circuit):
        values = values_of(witness(one.code, inputs))
        assert one.system.broken(values) == []
        free, other = set(), set()
        for wire in range(1, one.system.wires):
            match one.system.others(wire, values, using):
                case found if found == {-1}:
                    free.add(wire)
                case found if found:
                    other.add(wire)
        expected = {name for name, when in FREE[one.circuit].items() if when(inputs)}
        assert named(one.system, free) == expected
        assert named(one.system, other) <= OTHER[one.circuit]
        ever_free |= expected
    assert ever_free == FREE[one.circuit].keys(), "each reason is met"


def test_generated_changes_break_a_constraint(one: Compiled) -> None:
    """The same as above by trying: any number instead of the right one, in any place."""
    randomness = random.Random(2)
    for inputs in examples(one.circuit)[:2]:
        values = values_of(witness(one.code, inputs))
        using = one.system.using()
        for wire in randomness.sample(range(1, one.system.wires), 400):
            if one.system.names[wire] in FREE[one.circuit]:
                continue
            for value in (0, 1, values[wire] + 1, FIELD - values[wire], element(randomness)):
                if value % FIELD == values[wire]:
                    continue
                changed = [*values[:wire], value % FIELD, *values[wire + 1 :]]
                here = replace(
                    one.system, constraints=[one.system.constraints[i] for i in using[wire]]
                )
                assert here.broken(changed) or one.system.names[wire] in OTHER[one.circuit]


def test_a_bit_or_a_hash_less_would_be_noticed(one: Compiled) -> None:
    """What looks for free variables finds them where a constraint is taken away."""
    system, randomness = one.system, random.Random(3)
    bits = next(
        i
        for i, c in enumerate(system.constraints)
        if len(c.wires() - {0}) == 1 and "out[3]" in system.names[max(c.wires())]
    )
    inside = [
        i
        for i, c in enumerate(system.constraints)
        if any("fourth" in system.names[wire] for wire in c.c)
    ]
    for gone in (bits, *randomness.sample(inside, 5)):
        rest = [c for i, c in enumerate(system.constraints) if i != gone]
        less = undetermined(replace(system, constraints=rest))
        assert len(less) > len(UNDETERMINED[one.circuit])


def test_a_variable_in_no_constraint_is_found() -> None:
    twice = Constraint({1: 1}, {1: 1}, {2: 1})
    system = System([twice], wires=4, public=1, private=0, names=["1", "x", "square", "unused"])
    assert undetermined(system) == {3}
    assert system.others(3, [1, 5, 25, 0], system.using()) == {-1}
    assert system.others(1, [1, 5, 25, 0], system.using()) == {FIELD - 5}
    assert system.others(2, [1, 5, 25, 0], system.using()) == set()


def test_a_step_satisfies_the_circuit_where_the_rules_allow_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The inputs determine the rest: what fails in calculating fails for every forger."""
    code = keys.load("dispense", allow_development=True).circuit_code
    randomness = random.Random(4)
    outcomes = {True: 0, False: 0}
    for _ in range(40):
        one = prescribed(randomness)
        before = randomness.choice([0, 0, one.per_fill, randomness.randint(0, one.total)])
        gap = randomness.choice([0, one.interval - 1, one.interval, 28])
        begun = one.first_day + randomness.choice([0, 1]) if before else 0
        step = Step(
            before=min(before, one.total),
            after=min(before, one.total) + randomness.choice([0, 1, one.per_fill]),
            day=max(one.first_day - 1, begun + gap if before else one.first_day + gap - 1),
            fill_day=begun,
            releases=randomness.random() < 0.1,
        )
        allowed = _allowed(one, step)
        try:
            witness(code, dispensing(one, step, randomness))
        except Invalid:
            satisfied = False
        else:
            satisfied = True
        assert satisfied == allowed, (one, step)
        outcomes[allowed] += 1
    assert min(outcomes.values()) >= 8


def _allowed(one: Prescription, step: Step) -> bool:
    try:
        step.require_allowed(one)
    except Conflict:
        return False
    # A release in which something is dispensed is none; the contract never asks for one.
    return not (step.releases and step.after > step.before)


CLAIM = "claim", "settle", "free"


def test_a_claim_satisfies_its_circuit_where_the_rules_allow_it() -> None:
    """What fails in calculating fails for every forger: each input bent to his advantage."""
    bent: dict[str, list[dict[str, Any]]] = {
        "claim": [
            {"cost": 1},
            {"sumBefore": 0},
            {"continues": 0},
            {"continues": 2},
            {"before": 0},
            {"versionBefore": 4},
            {"version": 1},
            {"lines": [4_001, *[0] * 29]},
            {"lines": [FIELD - 1, 4_001, *[0] * 28]},
            {"lines": [0] * 30},
            {"secret": 5},
            {"holder": 5},
            {"tag": 5},
            {"context": 5},
            {"claim": 5},
            {"claimed": 5},
            {"after": 5},
            {"currency": 5},
            {"encounter": 5},
            {"root": 5},
        ],
        "settle": [
            {"lowerAmount": 0},
            {"upperAmount": 2},
            {"whole": 1},
            {"whole": 2},
            {"claim": 5},
            {"currency": 5},
        ],
        "free": [
            {"keeps": 0},
            {"kept": 0},
            {"keptAmount": 299},
            {"countedAmount": 501},
            {"sum": 901},
            {"version": 2},
            {"tag": 5},
            {"claim": 5},
        ],
    }
    for circuit in CLAIM:
        code = keys.load(circuit, allow_development=True).circuit_code
        inputs = examples(circuit)[1]
        witness(code, inputs)
        for change in bent[circuit]:
            with pytest.raises(Invalid):
                witness(code, {**inputs, **change})
