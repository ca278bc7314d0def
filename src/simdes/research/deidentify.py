"""One person's resources, de-identified by a policy.

A policy and R4's definitions together are compiled, once per type, into a table from member to
rule. What is in no table doesn't leave: unknown members, element ids, extensions (also those of
primitives), narrative, meta, attachments, names, identifiers, texts. What carries a modifier
extension is left out whole, because without it the rest would say something else. What R4 requires
and may not leave says ``masked`` (http://hl7.org/fhir/R4/valueset-data-absent-reason.html).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from simdes.fhir.definitions import Element, definition, patient_compartment, resource_types
from simdes.fhir.primitives import PRIMITIVES
from simdes.research import rules
from simdes.research.policy import Policy
from simdes.research.pseudonyms import Pseudonyms
from simdes.research.rules import Json, Rule, Run

MASKED: Mapping[str, Any] = {
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
            "valueCode": "masked",
        }
    ]
}
_NEVER = frozenset(("id", "meta", "implicitRules", "language", "text", "extension"))
_MODIFIERS = ("modifierExtension", "implicitRules")
_MOST_DEPTH = 40


@dataclass(frozen=True, slots=True)
class _Member:
    kind: str
    rule: Rule
    is_list: bool


@dataclass(frozen=True, slots=True)
class _Table:
    members: Mapping[str, _Member]
    required: tuple[tuple[str, bool, bool], ...]
    """Of each element that must be there: its member, whether a primitive, whether a list."""
    choices: tuple[tuple[frozenset[str], str], ...]
    """Of each choice that must be there: its members, and the one to say ``masked``."""


class Deidentifier:
    """De-identifies by one policy, for one study.

    ``secret`` is the study's own (32 bytes or more); ``today`` decides who is above 89.
    """

    def __init__(self, policy: Policy, secret: bytes, *, today: date) -> None:
        self.policy = policy
        self.pseudonyms = Pseudonyms(secret)
        self.dropped: Counter[str] = Counter()
        self._this_year = today.year
        self._run: Run | None = None
        self._types = frozenset(policy.rules.types)

    def pseudonym(self, subject: str) -> str:
        """Return the id that ``subject`` has in this study."""
        return self.pseudonyms.subject(subject)

    def resource(self, subject: str, resource: Json) -> dict[str, Any] | None:
        """Return what leaves of ``resource``, one of ``subject``; None if nothing does.

        ``subject`` names the person, the same on all of the person's resources, in whatever
        organisation they lie. ``resource`` itself stays as it is.
        """
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if not isinstance(kind, str) or kind not in self._types:
            self.dropped["resource of a type that is not released"] += 1
            return None
        run = self._of(subject)
        run.resource = resource
        run.patient_steps = _patient_steps(kind)
        made = _resource(self.policy, resource, run)
        if made is None:
            self.dropped["resource that a modifier changes"] += 1
        elif self._is_withheld(made):
            self.dropped["resource of a withheld code"] += 1
            return None
        return made

    def _of(self, subject: str) -> Run:
        if self._run is None or self._run.subject != subject:
            names = self.pseudonyms
            most = self.policy.rules.dates.shift_days
            self._run = Run(
                self.policy,
                names,
                subject,
                self._this_year,
                shift=names.shift_days(subject, most),
                pseudonym=names.subject(subject),
                dropped=self.dropped,
            )
        return self._run

    def _is_withheld(self, made: dict[str, Any]) -> bool:
        coded = made.get("code")
        rows = coded.get("coding", ()) if isinstance(coded, dict) else ()
        return any(f"{c['system']}|{c['code']}" in self.policy.rules.withheld for c in rows)


def _resource(policy: Policy, resource: dict[str, Any], run: Run) -> dict[str, Any] | None:
    kind = str(resource["resourceType"])
    if any(resource.get(m) for m in _MODIFIERS):
        return None
    made: dict[str, Any] = {"resourceType": kind}
    own = resource.get("id")
    if kind == "Patient" and resource is run.resource:
        made["id"] = run.pseudonym
    elif isinstance(own, str):
        name = f"{kind}/{own}" if resource is run.resource else f"#{own}"
        made["id"] = run.pseudonyms.resource(run.subject, name)
    table = _table(policy, kind)
    _fill(made, resource, table.members, run, 0)
    _mask(made, table)
    return made


def _fill(
    made: dict[str, Any], source: Json, members: Mapping[str, _Member], run: Run, depth: int
) -> None:
    """Put into ``made`` what leaves of ``source``."""
    for name, value in source.items():
        member = members.get(name)
        if member is None:
            if name not in ("resourceType", "id"):
                run.dropped[_UNDECLARED.get(name, "element that is not declared")] += 1
            continue
        left = _value(value, member, run, depth)
        if left is None:
            run.dropped[member.kind] += 1
        else:
            made[name] = left


def _mask(made: dict[str, Any], table: _Table) -> None:
    """Say ``masked`` where something had to be."""
    for name, is_primitive, is_list in table.required:
        if name in made:
            continue
        masked: Any = [dict(MASKED)] if is_list else dict(MASKED)
        made["_" + name if is_primitive else name] = masked
    for names, name in table.choices:
        if names.isdisjoint(made):
            made[name] = dict(MASKED)


_UNDECLARED = {
    "meta": "meta",
    "text": "text",
    "extension": "extension",
    "contained": "contained",
    "modifierExtension": "modifier extension",
}


def _value(value: Json, member: _Member, run: Run, depth: int) -> Json:
    if depth > _MOST_DEPTH or isinstance(value, list) is not member.is_list:
        return None
    if not member.is_list:
        return _one(value, member.rule, run, depth)
    left = [v for v in (_one(v, member.rule, run, depth) for v in value) if v is not None]
    return left or None


def _one(value: Json, rule: Rule, run: Run, depth: int) -> Json:
    if isinstance(rule, _Inside):
        return rule.at(value, run, depth + 1)
    return rule(value, run)


class _Inside:
    """The rule of an object whose own elements decide."""

    def __init__(self, policy: Policy, name: str, path: tuple[str, ...]) -> None:
        self._policy = policy
        self._name = name
        self._path = path

    def __call__(self, value: Json, run: Run) -> Json:
        return self.at(value, run, 0)

    def at(self, value: Json, run: Run, depth: int) -> Json:
        """Return what leaves of ``value``, None if that is nothing or a modifier changes it."""
        if not isinstance(value, dict) or any(value.get(m) for m in _MODIFIERS):
            return None
        if self._name == "Resource":
            kind = value.get("resourceType")
            if not isinstance(kind, str) or kind not in resource_types():
                return None
            allowed = kind in self._policy.rules.types
            return _resource(self._policy, value, run) if allowed else None
        table = _table(self._policy, self._name, self._path)
        made: dict[str, Any] = {}
        _fill(made, value, table.members, run, depth)
        if not made:
            return None
        _mask(made, table)
        return made


@lru_cache(maxsize=4096)
def _table(policy: Policy, name: str, path: tuple[str, ...] = ()) -> _Table:
    members: dict[str, _Member] = {}
    required: list[tuple[str, bool, bool]] = []
    choices: list[tuple[frozenset[str], str]] = []
    for element in definition(name).elements.values():
        if element.name in _NEVER or element.maximum == 0 or element.name == "modifierExtension":
            continue
        for member, kind in element.json_names.items():
            rule = _rule(policy, element, kind, (*path, element.name))
            if rule is not None:
                members[member] = _Member(kind, rule, element.is_list)
        if element.minimum > 0 and element.is_choice:
            choices.append(_choice(element))
        elif element.minimum > 0:
            required.append((element.name, element.types[0] in PRIMITIVES, element.is_list))
    return _Table(members, tuple(required), tuple(choices))


def _choice(element: Element) -> tuple[frozenset[str], str]:
    names = element.json_names
    first = next(iter(names))
    return frozenset(names), "_" + first if names[first] in PRIMITIVES else first


def _rule(policy: Policy, element: Element, kind: str, path: tuple[str, ...]) -> Rule | None:
    """Return what happens to an element of the type ``kind``, None if it isn't declared."""
    declared = policy.rules.elements.get(element.path) or policy.rules.kinds.get(kind)
    if declared is None and kind not in PRIMITIVES and definition(kind).kind == "backbone":
        declared = "inside"
    if declared is None:
        return None
    if declared == "inside":
        return _Inside(policy, kind, path)
    if declared == "shift" and kind == "instant":
        return rules.shift_instant
    if declared in ("bound", "reference"):
        return rules.bound(element) if declared == "bound" else rules.reference(path)
    return _PLAIN[declared]


_PLAIN: Mapping[str, Rule] = {
    "keep": rules.keep,
    "drop": rules.drop,
    "shift": rules.shift,
    "coding": rules.coding,
    "quantity": rules.quantity,
    "birth": rules.birth,
    "deceased": rules.deceased,
    "place": rules.place,
}


@lru_cache(maxsize=256)
def _patient_steps(kind: str) -> frozenset[str]:
    """Return the paths at which a resource of the type names the person it is about."""
    steps = {".".join(path) for path in patient_compartment().get(kind, ())}
    return frozenset(steps | {"subject", "patient", "beneficiary"})
