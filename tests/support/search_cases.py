"""For every search parameter of R4: a resource with a value there, a search that finds it, and one
that doesn't.

Made from the definitions: one case for each data type that a parameter looks at. Run over the
matching in memory (tests/unit/fhir/search) and over what SQL finds (tests/adapters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from simdes.fhir.definitions import definition, resource_types, value_set_codings
from simdes.fhir.search.parameters import Component, Parameter, parameters_of
from simdes.fhir.search.paths import Step, Walk
from simdes.fhir.search.values import CONVERT

UCUM = "http://unitsofmeasure.org"
UPDATED = "2020-02-03T04:05:06.789Z"
UPDATED_MS = 1_580_702_706_789
NOW_MS = 1_700_000_000_000

EXCEPTIONS: Mapping[str, str] = {
    "_content": "full text of the whole resource: R4 defines no expression, and it isn't kept",
    "_query": "names an operation of the server's own; R4 defines none, and there is none",
    "_text": "full text of the narrative: R4 defines no expression, and it isn't kept",
}
"""The parameters without cases (of every type that has them), and why."""


@dataclass(frozen=True, slots=True)
class Case:
    """``resource`` is found by the parameter ``code`` with ``hit``, not with ``miss``.

    ``datatype`` is that of the element which has the value.
    """

    type: str
    code: str
    datatype: str
    resource: dict[str, Any]
    hit: str
    miss: str

    @property
    def name(self) -> str:
        """What tells this case from others."""
        return f"{self.type}.{self.code}-{self.datatype}"


def cases() -> Iterator[Case]:
    """Yield the cases of all parameters of all types, in a fixed order."""
    for type_ in sorted(resource_types()):
        for code, parameter in sorted(parameters_of(type_).items()):
            if code not in EXCEPTIONS:
                yield from _cases(type_, parameter)


@dataclass(frozen=True, slots=True)
class _Sample:
    element: Any
    hit: str
    miss: str


def _cases(type_: str, parameter: Parameter) -> Iterator[Case]:
    if parameter.code in _OF_THE_ENTRY:
        hit, miss = _OF_THE_ENTRY[parameter.code]
        yield Case(type_, parameter.code, "entry", _resource(type_), hit, miss)
        return
    seen: set[str] = set()
    for walk in parameter.walks:
        if parameter.kind == "composite":
            yield from _composites(type_, parameter, walk)
        elif (sample := _sample(parameter, walk)) and walk.type not in seen:
            seen.add(walk.type)
            resource = _resource(type_)
            _place(resource, type_, walk.steps, sample.element)
            yield Case(type_, parameter.code, walk.type, resource, sample.hit, sample.miss)


_OF_THE_ENTRY = {"_id": ("hit", "miss"), "_lastUpdated": ("2020-02-03", "gt2020-02-03")}


def _resource(type_: str) -> dict[str, Any]:
    return {"resourceType": type_, "id": "hit", "meta": {"lastUpdated": UPDATED}}


def _sample(parameter: Parameter, walk: Walk) -> _Sample | None:
    if parameter.kind == "special":
        position = {"latitude": Decimal("10.5"), "longitude": Decimal(20)}
        return _Sample(position, "10.5|20|5|km", "11|20|5|km")
    targets = [s.target for s in walk.steps if s.target] or list(parameter.targets) or ["Patient"]
    return _sample_of(parameter.kind, walk, targets[0])


def _composites(type_: str, parameter: Parameter, part: Walk) -> Iterator[Case]:
    """Yield a case for each data type of each component; it misses by this component alone."""
    offered = [_offered(component, part) for component in parameter.components]
    for number, options in enumerate(offered):
        for option in options:
            chosen = [option if n == number else o[0] for n, o in enumerate(offered)]
            resource = _resource(type_)
            _place(resource, type_, part.steps, {})
            inner = _reach(resource, type_, part.steps)
            for walk, sample in chosen:
                if walk.from_resource:
                    _place(resource, type_, walk.steps, sample.element)
                else:
                    _place(inner, part.type, walk.steps, sample.element)
            hits = [sample.hit for _, sample in chosen]
            misses = [*hits[:number], option[1].miss, *hits[number + 1 :]]
            datatype = f"{part.type}-{number}-{option[0].type}"
            yield Case(type_, parameter.code, datatype, resource, "$".join(hits), "$".join(misses))


def _offered(component: Component, part: Walk) -> list[tuple[Walk, _Sample]]:
    found = []
    for walk in component.walks:
        sample = _sample_of(component.slot.kind.value, walk, "Patient")
        known = walk.from_resource or walk.steps[0].key in _keys(part.type)
        if sample is not None and known:
            found.append((walk, sample))
    return found


def _keys(type_: str) -> set[str]:
    return {key for e in definition(type_).elements.values() for key in e.json_names}


def _sample_of(kind: str, walk: Walk, target: str) -> _Sample | None:
    if kind == "token" and walk.type == "code":
        return _code(walk.value_set)
    if walk.type not in CONVERT[kind]:
        return None
    return _SAMPLES[kind][walk.type](target)


def _code(value_set: str) -> _Sample:
    for system, codes in sorted((value_set_codings(value_set) or {}).items()):
        if codes:
            code = min(codes)
            return _Sample(code, f"{system}|{code}", f"{system}|no-such-code")
    return _Sample("hit", "hit", "miss")


Make = Callable[[str], _Sample]


def _same(element: Any, hit: str, miss: str) -> Make:
    return lambda target: _Sample(element, hit, miss)


def _quantity(**more: Any) -> dict[str, Any]:
    return {"value": Decimal("5.4"), "system": UCUM, "code": "mg", "unit": "mg"} | more


def _within(target: str) -> _Sample:
    return _Sample({"resourceType": target, "id": "hit"}, f"{target}/hit", f"{target}/miss")


_DAY = ("2020-02-03", "2020-02-04")
_IN_MG = (f"5.4|{UCUM}|mg", f"5.5|{UCUM}|mg")
_IN_S = ("http://example.org/s|hit", "http://example.org/s|miss")
_CANONICAL = "http://example.org/thing"

_SAMPLES: Mapping[str, Mapping[str, Make]] = {
    "date": {
        "date": _same("2020-02-03", *_DAY),
        "dateTime": _same("2020-02-03T04:05:06+02:00", *_DAY),
        "instant": _same("2020-02-03T04:05:06.789Z", *_DAY),
        "Period": _same({"start": "2020-02-03", "end": "2020-02-03T10:00:00Z"}, *_DAY),
        "Timing": _same({"event": ["2020-02-03T10:00:00Z", "2020-02-03T09:00:00Z"]}, *_DAY),
    },
    "number": {
        "decimal": _same(Decimal("5.4"), "5.4", "5.5"),
        "integer": _same(5, "5", "6"),
        "Range": _same({"low": {"value": 5}, "high": {"value": 5}}, "5", "6"),
    },
    "quantity": {
        **dict.fromkeys(
            ("Age", "Count", "Distance", "Duration", "Quantity"), _same(_quantity(), *_IN_MG)
        ),
        "Money": _same(
            {"value": Decimal("5.4"), "currency": "EUR"},
            "5.4|urn:iso:std:iso:4217|EUR",
            "5.4|urn:iso:std:iso:4217|USD",
        ),
        "Range": _same({"low": _quantity(), "high": _quantity()}, *_IN_MG),
        "SampledData": _same(
            {"origin": _quantity(), "period": 1, "dimensions": 1, "data": "0 E 0"}, *_IN_MG
        ),
    },
    "reference": {
        "Reference": lambda target: _Sample(
            {"reference": f"{target}/hit"}, f"{target}/hit", f"{target}/miss"
        ),
        "Resource": _within,
        "canonical": _same(f"{_CANONICAL}|1", f"{_CANONICAL}|1", f"{_CANONICAL}|2"),
        "uri": _same(_CANONICAL, _CANONICAL, _CANONICAL + "s"),
    },
    "string": {
        "Address": _same({"line": ["1 Hit Street"], "city": "Hitville"}, "HITV", "missville"),
        "HumanName": _same({"family": "Hït", "given": ["Ana"]}, "hit", "miss"),
        "markdown": _same("A *hit*", "a hit", "a miss"),
        "string": _same("Hit it", "hit", "miss"),
    },
    "token": {
        "CodeableConcept": _same(
            {"coding": [{"system": "http://example.org/s", "code": "hit"}]}, *_IN_S
        ),
        "Coding": _same({"system": "http://example.org/s", "code": "hit"}, *_IN_S),
        "ContactPoint": _same({"value": "Hit@example.org"}, "hit@example.org", "miss@example.org"),
        "Identifier": _same({"system": "http://example.org/s", "value": "hit"}, *_IN_S),
        "boolean": _same(True, "true", "false"),
        "deceased": _same({"deceasedDateTime": "2020"}, "true", "false"),
        "id": _same("hit", "hit", "miss"),
        "string": _same("Hit", "hit", "miss"),
        "uri": _same("urn:oid:1.2.3", "urn:oid:1.2.3", "urn:oid:1.2.4"),
    },
    "uri": {
        "canonical": _same(f"{_CANONICAL}|1", _CANONICAL, _CANONICAL + "s"),
        "uri": _same(_CANONICAL, _CANONICAL, _CANONICAL + "s"),
        "url": _same(_CANONICAL, _CANONICAL, _CANONICAL + "s"),
    },
}


# Placing an element in a resource ---------------------------------------------------------------


def _place(node: dict[str, Any], type_: str, steps: tuple[Step, ...], element: Any) -> None:
    """Put ``element`` into ``node`` where ``steps`` lead, meeting their conditions."""
    if not steps:
        node |= element
        return
    *before, last = steps
    parent = node
    for step in before:
        made = dict([(step.member, step.value)] if step.member else [])
        parent, type_ = _child(parent, type_, step, made), _type_of(type_, step)
    if last.member and isinstance(element, dict):
        element = element | {last.member: last.value}
    _child(parent, type_, last, element)


def _reach(node: dict[str, Any], type_: str, steps: tuple[Step, ...]) -> dict[str, Any]:
    for step in steps:
        node, type_ = _child(node, type_, step, {}), _type_of(type_, step)
    return node


def _child(node: dict[str, Any], type_: str, step: Step, made: Any) -> Any:
    """Return the first child of ``node``, which becomes ``made`` if there is none."""
    if _is_list(type_, step):
        return node.setdefault(step.key, [made])[0]
    return node.setdefault(step.key, made)


def _is_list(type_: str, step: Step) -> bool:
    elements = definition(type_).elements.values()
    return next(e.is_list for e in elements if step.key in e.json_names)


def _type_of(type_: str, step: Step) -> str:
    elements = definition(type_).elements.values()
    return next(e.json_names[step.key] for e in elements if step.key in e.json_names)
