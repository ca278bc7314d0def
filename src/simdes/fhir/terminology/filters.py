"""Which codes of a system pass a filter (https://hl7.org/fhir/R4/valueset-filter-operator.html)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from simdes.errors import Invalid, TooLarge, Unsupported
from simdes.fhir.fhirpath.patterns import matches_whole
from simdes.fhir.terminology.system import Concept, System, is_abstract, is_inactive, properties

Select = Callable[[System, str, str], Iterable[str]]
"""Takes the system, the property and the filter's value; returns codes."""


def select(system: System, rule: dict[str, Any]) -> frozenset[str]:
    """Return the codes of ``system`` that pass ``rule``, a ``ValueSet.compose.include.filter``.

    Raises ``Unsupported`` for a property that the system does not define.
    """
    name, operator, value = (rule.get(k) for k in ("property", "op", "value"))
    if not isinstance(name, str) or not isinstance(value, str) or not isinstance(operator, str):
        raise Invalid("a filter needs a property, an operator and a value")
    if operator not in _OPERATORS:
        raise Unsupported("a filter operator that R4 does not have")
    return frozenset(_OPERATORS[operator](system, name, value))


def _concept(select_: Callable[[System, str], Iterable[str]]) -> Select:
    """Return a selection by the hierarchy, which is asked of the concept itself."""

    def selected(system: System, name: str, value: str) -> Iterable[str]:
        if name not in ("concept", "code"):
            raise Unsupported(f"a filter by hierarchy is on concept, not on {name}")
        code = system.code(value)
        if code is None:
            raise Invalid(f"a filter names a code that {system.url} does not have")
        return select_(system, code)

    return selected


def _is_not_a(system: System, code: str) -> Iterable[str]:
    below = frozenset(system.below(code))
    return (c for c in system.concepts if c not in below)


def _where(holds: Callable[[list[str], str], bool]) -> Select:
    """Return a selection by the values that each concept has of a property."""

    def selected(system: System, name: str, value: str) -> Iterable[str]:
        values = _reader(system, name)
        return [c for c, concept in system.concepts.items() if holds(values(concept), value)]

    return selected


MOST_STEPS = 50_000_000
"""The work of one regular expression over a whole code system: a client may have written it."""


def _regex(system: System, name: str, pattern: str) -> Iterable[str]:
    steps = 0

    def spend(count: int) -> None:
        nonlocal steps
        steps += count
        if steps > MOST_STEPS:
            raise TooLarge("a regular expression takes too many steps on this code system")

    def holds(values: list[str], wanted: str) -> bool:
        return any(matches_whole(value, wanted, spend=spend) for value in values)

    return _where(holds)(system, name, pattern)


def _exists(values: list[str], wanted: str) -> bool:
    if wanted not in ("true", "false"):
        raise Invalid("the value of a filter exists is true or false")
    return bool(values) is (wanted == "true")


def _listed(values: list[str], wanted: str) -> bool:
    return not frozenset(w.strip() for w in wanted.split(",")).isdisjoint(values)


_OPERATORS: Mapping[str, Select] = {
    "=": _where(lambda values, wanted: wanted in values),
    "is-a": _concept(lambda system, code: system.below(code)),
    "descendent-of": _concept(lambda system, code: system.below(code)[1:]),
    "is-not-a": _concept(_is_not_a),
    "regex": _regex,
    "in": _where(_listed),
    "not-in": _where(lambda values, wanted: not _listed(values, wanted)),
    "generalizes": _concept(lambda system, code: system.above(code)),
    "exists": _where(_exists),
}

_Values = Callable[[Concept], list[str]]


def _reader(system: System, name: str) -> _Values:
    """Return what reads the property ``name`` of a concept of ``system``, as texts."""
    own = _OWN.get(name)
    if own is not None:
        return lambda concept: own(system, concept)
    if name not in _defined(system):
        raise Unsupported(f"{system.url} defines no property {name}")
    return lambda concept: [_text(v) for v in properties(concept, name)]


def _defined(system: System) -> frozenset[str]:
    rows = system.resource.get("property", ())
    used = {p.get("code") for c in system.concepts.values() for p in c.get("property", ())}
    return frozenset(used | {row.get("code") for row in rows})


_OWN: Mapping[str, Callable[[System, Concept], list[str]]] = {
    "concept": lambda system, concept: [concept["code"]],
    "code": lambda system, concept: [concept["code"]],
    "display": lambda system, concept: _present(concept, "display"),
    "definition": lambda system, concept: _present(concept, "definition"),
    "designation": lambda system, concept: [d["value"] for d in concept.get("designation", ())],
    "parent": lambda system, concept: list(system.parents(concept["code"])),
    "child": lambda system, concept: list(system.children(concept["code"])),
    "inactive": lambda system, concept: [_text(is_inactive(concept))],
    "notSelectable": lambda system, concept: [_text(is_abstract(concept))],
}
"""Properties that every concept has (https://hl7.org/fhir/R4/codesystem.html#defined-props)."""


def _present(concept: Concept, name: str) -> list[str]:
    return [concept[name]] if name in concept else []


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
