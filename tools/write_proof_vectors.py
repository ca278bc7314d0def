"""Write ``tests/vectors/proofs.json``: a statement and a proof of each circuit.

    python -m tools.write_proof_vectors [CIRCUIT…]     these alone anew

For whoever writes a second implementation of docs/formats/statements.md, and for the contracts'
gas. By the keys that ship; needs the extra ``proofs``. Proofs are random, all the rest repeats.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from simdes.proofs import claims, cohorts, facts, keys, prescriptions, prover
from simdes.proofs.trees import BATCH_DEPTH, FOREST_DEPTH, Place, Tree

TARGET = Path(__file__).parents[1] / "tests/vectors/proofs.json"


def _number(name: int) -> int:
    """Some element, the same each time."""
    return pow(7, 100 + name, 2**248)


def _issued(leaf: int) -> tuple[Place, int]:
    batch = Tree(BATCH_DEPTH, [_number(1), leaf, _number(2)])
    forest = Tree(FOREST_DEPTH, [_number(3), batch.root])
    return Place.of(batch, 1, forest, 1), forest.root


def _proved(circuit: str, signals: dict[str, Any], public: list[int]) -> dict[str, Any]:
    proof = prover.prove(keys.load(circuit, allow_development=True), signals, public)
    words = [str(int.from_bytes(proof[i : i + 32], "big")) for i in range(0, 256, 32)]
    return {"inputs": [str(one) for one in public], "proof": words}


def dispense_signals() -> tuple[dict[str, Any], list[int], dict[str, Any]]:
    """A second fill of three, a month after the first: signals, public inputs, what it is."""
    secret = _number(4)
    one = prescriptions.Prescription(
        key=prescriptions.nullifier_key(secret),
        salt=_number(5),
        total=90,
        per_fill=30,
        interval=28,
        first_day=20_500,
        last_day=20_800,
    )
    step = prescriptions.Step(before=30, after=60, day=20_530, fill_day=20_500)
    place, root = _issued(one.leaf)
    around = {"root": root, "pharmacy": _number(6), "context": _number(7)}
    told = {
        "secret": str(secret),
        "prescription": _text(asdict(one)),
        "step": asdict(step),
        "place": _text(place.signals()),
        "leaf": str(one.leaf),
    }
    return (
        prescriptions.signals(one, step, place, **around),
        prescriptions.public_inputs(one, step, **around),
        told,
    )


def dispense() -> dict[str, Any]:
    """The vector of the circuit dispense."""
    signals, public, told = dispense_signals()
    return {**told, **_proved("dispense", signals, public)}


def disclosure() -> dict[str, Any]:
    """That a value lies within bounds."""
    holder_key = _number(8)
    fact = facts.Fact(
        holder=facts.holder_of(holder_key),
        salt=_number(9),
        code=facts.element_of_code("http://loinc.org", "21112-8"),
        value=11_000,
        day=11_000,
    )
    question = facts.Question(challenge=_number(10), code=fact.code, most=12_000)
    place, root = _issued(fact.leaf)
    return {
        "holder_key": str(holder_key),
        "code": {"system": "http://loinc.org", "code": "21112-8"},
        "fact": _text(asdict(fact)),
        "place": _text(place.signals()),
        "leaf": str(fact.leaf),
        **_proved(
            "disclosure",
            facts.signals(question, fact, place, root=root, holder_key=holder_key),
            question.public_inputs(root),
        ),
    }


def cohort_signals() -> tuple[dict[str, Any], list[int], dict[str, Any]]:
    """A glycated haemoglobin of 7.1 % a fortnight ago, where 6.5 % to 14 % in a year counts."""
    holder_key = _number(11)
    unit = facts.element_of_code("http://unitsofmeasure.org", "%")
    fact = facts.Fact(
        holder=facts.holder_of(holder_key),
        salt=_number(12),
        code=facts.element_of_code("http://loinc.org", "4548-4"),
        coded=unit,
        value=7_100,
        day=20_486,
    )
    other = facts.element_of_code("http://loinc.org", "17856-6")
    criterion = cohorts.Criterion(((other, unit), (fact.code, unit)), 6_500, 14_000, 365)
    place, root = _issued(fact.leaf)
    around = cohorts.Around(root=root, scope=_number(13), collector=_number(14), day=20_500)
    nullifier = cohorts.nullifier_of(holder_key, scope=around.scope)
    told = {
        "holder_key": str(holder_key),
        "codes": [["http://loinc.org", one] for one in ("17856-6", "4548-4")],
        "unit": ["http://unitsofmeasure.org", "%"],
        "criterion": {
            "least": criterion.least,
            "most": criterion.most,
            "within_days": criterion.within_days,
            "set": str(criterion.tree.root),
            "element": str(criterion.element),
        },
        "fact": _text(asdict(fact)),
        "place": _text(place.signals()),
        "leaf": str(fact.leaf),
        "around": _text(asdict(around)),
        "nullifier": str(nullifier),
    }
    return (
        cohorts.signals(criterion, fact, place, around, holder_key=holder_key),
        cohorts.public_inputs(criterion, around, nullifier=nullifier),
        told,
    )


def cohort() -> dict[str, Any]:
    """The vector of the circuit cohort."""
    signals, public, told = cohort_signals()
    return {**told, **_proved("cohort", signals, public)}


def _stated() -> claims.Encounter:
    """An encounter that cost 184.20 euros."""
    return claims.Encounter(
        secret=_number(11),
        encounter=facts.element_of_code("urn:oid:1.2.3", "V-2026-1"),
        cost=18_420,
        currency=claims.currency_element("EUR"),
        version=1,
        salt=_number(12),
    )


def claim() -> dict[str, Any]:
    """The first claim of an encounter, for two of its lines."""
    stated, lines = _stated(), [12_000, 2_420]
    place, root = _issued(stated.leaf)
    around = {"identity": _number(13), "root": root, "context": _number(7)}
    salts = {"claim_salt": _number(14), "salt_after": _number(15)}
    signals = claims.claim(stated, lines, claims.NOTHING, place, **around, **salts)
    return {
        "encounter": _text(asdict(stated)),
        "lines": lines,
        "claim_salt": str(_number(14)),
        "salt_after": str(_number(15)),
        "place": _text(place.signals()),
        "leaf": str(stated.leaf),
        **_proved("claim", signals, claims.public("claim", signals)),
    }


def _amounts() -> tuple[claims.Amount, claims.Amount]:
    """What is claimed above, and 100 euros of it."""
    stated = _stated()
    known = {"encounter": stated.encounter, "version": 1, "currency": stated.currency}
    claimed = claims.claimed_amount(_number(13), [12_000, 2_420], salt=_number(14), **known)
    approved = claims.Amount(
        claim=claimed.claim, amount=10_000, currency=stated.currency, blind=_number(16)
    )
    return claimed, approved


def settle() -> dict[str, Any]:
    """That a part of it is approved."""
    claimed, approved = _amounts()
    signals = claims.settle(claimed, approved)
    told = {"claimed": _text(asdict(claimed)), "approved": _text(asdict(approved))}
    return {**told, **_proved("settle", signals, claims.public("settle", signals))}


def free() -> dict[str, Any]:
    """That the total falls to what is approved."""
    claimed, approved = _amounts()
    before = claims.Total(sum=14_420, version=1, salt=_number(15))
    tag = _stated().tag(_number(7))
    signals, after = claims.free(claimed, approved, before, tag=tag, salt_after=_number(17))
    told = {"before": _text(asdict(before)), "after": _text(asdict(after))}
    return {**told, **_proved("free", signals, claims.public("free", signals))}


def _text(value: Any) -> Any:
    """Large numbers as text: not every reader of JSON keeps them."""
    if isinstance(value, dict):
        return {name: _text(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_text(one) for one in value]
    return str(value) if isinstance(value, int) and value > 2**53 else value


VECTORS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "dispense": dispense,
    "disclosure": disclosure,
    "cohort": cohort,
    "claim": claim,
    "settle": settle,
    "free": free,
}


def main(circuits: Sequence[str]) -> None:
    """Write the file; vectors of other circuits than these stay as they are."""
    document = json.loads(TARGET.read_bytes()) if circuits else {}
    document["about"] = "written by tools/write_proof_vectors.py with the development keys"
    document |= {circuit: VECTORS[circuit]() for circuit in circuits or VECTORS}
    TARGET.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
