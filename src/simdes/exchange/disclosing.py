"""A patient shows a third party one fact of an anchored record, and nothing else.

docs/formats/statements.md, "disclosure". A hospital or pharmacy states the fact (`state`), a third
party asks (`ask`), the patient answers with a proof (`answer`), the third party checks it at its
own node (`check`). It learns that somebody verified stated such a fact about the holder of the key:
not who, nor when, nor which record.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from simdes.errors import Conflict, Invalid, NotFound, Tampered
from simdes.exchange.indexing import STATE_SYSTEM
from simdes.exchange.interactions import read as reading
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.ledger import events
from simdes.ledger.contracts import StatementKind
from simdes.proofs import facts, keys, prover
from simdes.proofs.batches import MOST_STATED, compose
from simdes.proofs.disclosures import (
    Asked,
    Coding,
    Kept,
    Shown,
    answer_text,
    octets,
    question_text,
    read_answer,
    read_question,
)
from simdes.proofs.poseidon import FIELD
from simdes.proofs.trees import BATCH_DEPTH, FOREST_DEPTH, LATEST_DAY, Place, Tree

FRESH_SECONDS: Final = 900
"""How long a question may be answered."""
NUMBERS_FROM: Final = datetime.date(1900, 1, 1)
"""Dates as values count their days from here: birthdays lie before 1970."""
_DAYS_FROM: Final = datetime.date(1970, 1, 1)
_KIND: Final = StatementKind.FACT
_THOUSANDTHS: Final = 1_000
_WHOLE_DATE: Final = len("2026-11-23")
BIRTH_DATE: Final = ("http://loinc.org", "21112-8")
_NONE: Final = ("", "")

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What a resource says as a fact."""

    code: Coding
    coded: Coding
    value: int
    day: int


# --- Stating -------------------------------------------------------------------------------------


def state(node: Node, asking: Asking, names: Sequence[str], *, holder: int) -> list[Kept]:
    """State facts of anchored records (`Type/id`), for the holder of a key that only they have.

    All go into one batch among dummies. Raises Conflict for what is not anchored yet, Invalid for
    what says no fact, Forbidden and NotFound as reading does.
    """
    if not 0 < holder < FIELD or not 0 < len(names) <= MOST_STATED:
        raise Invalid("a holder is an element of the field, and there is a fact to state")
    kept = [_stated(node, _anchored(node, asking, name), name, holder) for name in names]
    made = compose([one.fact.leaf for one in kept], node.random)
    tree = Tree(BATCH_DEPTH, made.leaves)
    node.agent.transact(node.contracts.statements.insert_root(_KIND, tree.root))
    return [_placed(one, tree, place) for one, place in zip(kept, made.places, strict=True)]


def _anchored(node: Node, asking: Asking, name: str) -> Resource:
    type_, _, logical_id = name.partition("/")
    found = reading.read(node, asking, type_, logical_id)
    resource: Resource = json.loads(found.content, parse_float=Decimal)
    tags = resource.get("meta", {}).get("tag", ())
    if not any((tag.get("system"), tag.get("code")) == (STATE_SYSTEM, "anchored") for tag in tags):
        raise Conflict(f"{name} is not anchored yet, or not recorded here")
    return resource


def _stated(node: Node, resource: Resource, name: str, holder: int) -> Kept:
    said = fact_of(resource, today=_today(node))
    return Kept(
        issuer=node.organisation,
        record=name,
        code=said.code,
        coded=said.coded,
        value=said.value,
        day=said.day,
        holder=octets(holder),
        salt=octets(int.from_bytes(node.random(31), "big")),
        batch_root=bytes(32),
        place=0,
        siblings=(bytes(32),) * BATCH_DEPTH,
    )


def _placed(one: Kept, tree: Tree, place: int) -> Kept:
    siblings = tuple(map(octets, tree.siblings(place)))
    return Kept(
        **{
            **{name: getattr(one, name) for name in one.__struct_fields__},
            "batch_root": octets(tree.root),
            "place": place,
            "siblings": siblings,
        }
    )


def fact_of(resource: Resource, *, today: int) -> Said:
    """The fact that a resource says: a table by its type. Raises Invalid for none."""
    says = _SAYS.get(str(resource.get("resourceType")))
    if says is None:
        raise Invalid(f"a fact is of {', '.join(sorted(_SAYS))}")
    try:
        return says(resource, today)
    except (KeyError, IndexError, TypeError, ValueError, ArithmeticError):
        raise Invalid("the resource lacks a code, a value or a whole date of the fact") from None


def _birth_date(resource: Resource, today: int) -> Said:
    born = (datetime.date.fromisoformat(resource["birthDate"]) - NUMBERS_FROM).days
    return Said(BIRTH_DATE, _NONE, _value(born), today)


def _immunization(resource: Resource, today: int) -> Said:
    if resource["status"] != "completed":
        raise ValueError("not given")
    return Said(_coding(resource["vaccineCode"]), _NONE, 0, _day(resource["occurrenceDateTime"]))


def _observation(resource: Resource, today: int) -> Said:
    if resource["status"] not in ("final", "amended", "corrected"):
        raise ValueError("not final")
    code, day = _coding(resource["code"]), _day(resource["effectiveDateTime"])
    if "valueCodeableConcept" in resource:
        return Said(code, _coding(resource["valueCodeableConcept"]), 0, day)
    quantity = resource["valueQuantity"]
    thousandths = Decimal(quantity["value"]) * _THOUSANDTHS
    if "comparator" in quantity or thousandths != int(thousandths):
        raise ValueError("not exact in thousandths")
    return Said(code, (quantity["system"], quantity["code"]), _value(int(thousandths)), day)


def _condition(resource: Resource, today: int) -> Said:
    status = resource.get("verificationStatus", {}).get("coding", ({"code": "confirmed"},))
    if any(one.get("code") != "confirmed" for one in status):
        raise ValueError("not confirmed")
    began = str(resource.get("onsetDateTime", ""))
    if len(began) < _WHOLE_DATE:
        began = resource["recordedDate"]
    return Said(_coding(resource["code"]), _NONE, 0, _day(began))


_SAYS: Final[Mapping[str, Callable[[Resource, int], Said]]] = {
    "Condition": _condition,
    "Immunization": _immunization,
    "Observation": _observation,
    "Patient": _birth_date,
}
"""A diagnosis with the day of its onset (of its recording, where that isn't known to the day),
unless it is said not to be confirmed; a vaccination with its vaccine and day; a result with its
code or number (in thousandths of the unit, which is its code); a birth date (days since
1900-01-01)."""


def _coding(concept: Resource) -> Coding:
    first = concept["coding"][0]
    return str(first["system"]), str(first["code"])


def _day(text: str) -> int:
    day = (datetime.date.fromisoformat(text[:10]) - _DAYS_FROM).days
    if not 0 <= day <= LATEST_DAY:
        raise ValueError("no day that can be proved")
    return day


def _value(number: int) -> int:
    if not 0 <= number <= facts.MOST_VALUE:
        raise ValueError("no value that can be proved")
    return number


def _today(node: Node) -> int:
    return node.now_seconds() // 86_400


# --- Asking, answering, checking -----------------------------------------------------------------


def ask(
    now_seconds: int,
    random: Callable[[int], bytes],
    *,
    code: Coding,
    coded: Coding = _NONE,
    least: int = 0,
    most: int = facts.MOST_VALUE,
    first_day: int = 0,
    last_day: int = LATEST_DAY,
) -> str:
    """A question as text, good for `FRESH_SECONDS`. Raises Invalid for bounds that can't be."""
    asked = Asked(
        octets(int.from_bytes(random(31), "big")),
        now_seconds,
        code,
        coded,
        least,
        most,
        first_day,
        last_day,
    )
    asked.question  # noqa: B018 (bounds that can't be are refused here)
    text = question_text(asked)
    read_question(text)  # and days that can't be
    return text


def answer(node: Node, question: str, kept: Kept, *, holder_key: int) -> str:
    """Answer a question with a fact: a text for a QR code that tells nothing else.

    Raises Conflict where the fact doesn't answer it, Forbidden for another's key, NotFound where
    the fact's batch isn't in the present forest, Invalid for keys of proofs that may not be used.
    """
    asked, fact = read_question(question).question, kept.fact
    asked.require_answered_by(fact)
    if facts.holder_of(holder_key) != fact.holder:
        raise Conflict("this is the key of another holder")
    forest, index = standing(node, kept)
    place = Place(
        batch_index=kept.place,
        batch_siblings=tuple(int.from_bytes(one, "big") for one in kept.siblings),
        forest_index=index,
        forest_siblings=tuple(forest.siblings(index)),
    )
    rules = node.rules
    proving = keys.load(
        "disclosure", rules.keys or keys.SHIPPED, allow_development=rules.development
    )
    signals = facts.signals(asked, fact, place, root=forest.root, holder_key=holder_key)
    proof = prover.prove(proving, signals, asked.public_inputs(forest.root))
    return answer_text(Shown(octets(forest.root), proof))


def check(node: Node, question: str, shown: str) -> Asked:
    """Check an answer to one's own question at one's own node; the question is what is true.

    Ask a question once and take one answer to it. Raises Tampered for a proof that doesn't hold,
    Conflict for a question that is too old or a root that is not recent.
    """
    asked, answered = read_question(question), read_answer(shown)
    if not 0 <= node.now_seconds() - asked.asked_seconds <= FRESH_SECONDS:
        raise Conflict("the question is too old; ask again")
    root = int.from_bytes(answered.root, "big")
    if root >= FIELD or not node.contracts.statements.is_recent_root(_KIND, root):
        raise Conflict(
            "the answer is not about this network as it is now", advice="Let them answer again."
        )
    inputs = asked.question.public_inputs(root)
    if not node.contracts.disclosure_verifier.holds(answered.proof, inputs):
        raise Tampered("this is no answer to this question")
    return asked


def standing(node: Node, kept: Kept) -> tuple[Tree, int]:
    """The present forest of facts, and where the fact's batch stands in it."""
    contracts = node.contracts
    present = contracts.statements.forest(_KIND).number
    logs = contracts.ledger.logs(
        first=contracts.addresses.first_block,
        last=contracts.ledger.head().number,
        addresses=(contracts.addresses.statements,),
    )
    tree, found = Tree(FOREST_DEPTH), None
    for log in logs:
        one = contracts.decode(log)
        if not isinstance(one, events.RootInserted) or (one.kind, one.forest) != (_KIND, present):
            continue
        index = tree.append(one.batch_root)
        if (one.organisation, octets(one.batch_root)) == (kept.issuer, kept.batch_root):
            found = index
    if found is None:
        raise NotFound("the fact's batch is not in the network's forest; have it stated again")
    return tree, found
