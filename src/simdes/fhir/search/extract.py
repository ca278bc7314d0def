"""Every value that a resource has for the search parameters of its type.

It runs for each resource that is stored, so the walks of all parameters of a type are joined into
one tree of members (`_Plan`), each element is visited once and converted once per kind, and what a
conversion gives goes to all the slots that want it. A composite's components are only kept where
every one has a value, and under one `Valued.part` for each part of the resource.

An element that isn't what its definition says (only unvalidated resources have such) gives no
value and no error. What stands in contained resources belongs to no parameter
(https://hl7.org/fhir/R4/references.html#contained), as R4's expressions don't look there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import count
from typing import Any

from simdes.fhir.definitions import resource_types
from simdes.fhir.resource import subject_reference
from simdes.fhir.search.around import Around, Convert
from simdes.fhir.search.conditions import Kind, Slot, Value, Valued
from simdes.fhir.search.parameters import Component, Parameter, parameters_of, value_codes
from simdes.fhir.search.paths import Step, Walk
from simdes.fhir.search.values import BESIDE, CONVERT, converter, may_lead_to

_MISSHAPEN = (AttributeError, KeyError, LookupError, TypeError, ValueError, ArithmeticError)
"""What a conversion raises on an element of another shape than its definition's."""

Found = list[Valued]
Sink = tuple[Convert, tuple[Slot, ...]]
Composite = Callable[[Any, Around, Found], None]
Filter = Callable[[Any, Around], bool]


def extract(resource: dict[str, Any], *, base: str = "") -> tuple[Valued, ...]:
    """Return every value of ``resource``, a resource of R4, under its slot.

    References that begin with ``base``, this server's address with a slash at its end, become
    relative. ``_id`` and ``_lastUpdated`` are not among the values.
    """
    type_ = resource.get("resourceType")
    if not isinstance(type_, str) or type_ not in resource_types():
        return ()
    try:
        subject = subject_reference(resource)
    except _MISSHAPEN:
        subject = None
    found: Found = []
    _visit(_plan(type_), resource, Around(resource, subject, base, count(1), {}), found)
    return tuple(found)


class _Plan:
    """What to do with an element, and with its members."""

    __slots__ = ("below", "composites", "filters", "only_first", "sinks")

    def __init__(self) -> None:
        self.sinks: list[Sink] = []
        self.below: dict[str, _Plan] = {}
        self.filters: dict[Step, tuple[Filter, _Plan]] = {}
        self.composites: list[Composite] = []
        self.only_first = False


def _visit(plan: _Plan, node: Any, around: Around, found: Found) -> None:
    for convert, slots in plan.sinks:
        try:
            values = convert(node, around)
        except _MISSHAPEN:
            continue
        for value in values:
            found += [Valued(slot, value) for slot in slots]
    if type(node) is dict:
        if plan.below:
            _descend(plan.below, node, around, found)
        for is_wanted, inner in plan.filters.values():
            if is_wanted(node, around):
                _visit(inner, node, around, found)
        for composite in plan.composites:
            composite(node, around, found)


def _descend(below: dict[str, _Plan], node: Any, around: Around, found: Found) -> None:
    for key, value in node.items():
        inner = below.get(key)
        if inner is None:
            continue
        if type(value) is list:
            for item in value[:1] if inner.only_first else value:
                if item is not None:
                    _visit(inner, item, around, found)
        elif value is not None:
            _visit(inner, value, around, found)


# Plans ------------------------------------------------------------------------------------------


@cache
def _plan(type_: str) -> _Plan:
    root = _Plan()
    sinks: dict[tuple[int, Convert], list[Slot]] = {}
    plans: dict[int, _Plan] = {}
    for code in value_codes(type_):
        parameter = parameters_of(type_)[code]
        for walk in parameter.walks:
            plan = _follow(root, walk.steps)
            plans[id(plan)] = plan
            for convert, slot in _conversions(parameter, walk):
                slots = sinks.setdefault((id(plan), convert), [])
                if slot not in slots:
                    slots.append(slot)
            if parameter.kind == "composite":
                plan.composites.append(_composite(parameter, walk))
            elif parameter.kind == "special":
                plan.composites.append(partial(_position, parameter.slots))
    for (plan_id, convert), slots in sinks.items():
        plans[plan_id].sinks.append((convert, tuple(slots)))
    return root


def _follow(plan: _Plan, steps: tuple[Step, ...]) -> _Plan:
    for step in steps:
        plan = plan.below.setdefault(step.key, _Plan())
        plan.only_first = step.is_first
        if step.member or step.target:
            _, plan = plan.filters.setdefault(step, (_filter(step), _Plan()))
    return plan


def _filter(step: Step) -> Filter:
    if step.target:
        return partial(_leads_to, step.target)
    return lambda node, around: bool(node.get(step.member) == step.value)


def _leads_to(target: str, node: Any, around: Around) -> bool:
    try:
        return may_lead_to(node, target, around)
    except _MISSHAPEN:
        return False


def _conversions(parameter: Parameter, walk: Walk) -> list[tuple[Convert, Slot]]:
    kind = parameter.kind
    if kind in ("composite", "special"):
        return []
    return _of_slot(parameter.slot, walk, beside=True)


def _of_slot(slot: Slot, walk: Walk, *, beside: bool) -> list[tuple[Convert, Slot]]:
    """Return the conversions of what ``walk`` leads to for ``slot``, and for those beside it."""
    main = converter(slot.kind, walk.type, walk.value_set)
    found = [(main, slot)] if main else []
    for (kind, suffix), table in BESIDE.items():
        if kind == slot.kind and walk.type in table and (beside or suffix == ":canonical"):
            found.append((table[walk.type], Slot(slot.name + suffix, _SUFFIX_KINDS[suffix])))
    return found


_SUFFIX_KINDS = {
    ":canonical": Kind.QUANTITY,
    ":identifier": Kind.TOKEN,
    ":of-type": Kind.TOKEN,
    ":text": Kind.STRING,
}


# Composites -------------------------------------------------------------------------------------


def _composite(parameter: Parameter, part: Walk) -> Composite:
    components = [c for c in map(_component, parameter.components) if c]
    # The last component tells best whether the part is of interest: all Observations have a code.
    components.reverse()
    lacks = frozenset(walk.steps[0].key for walk, _, _ in components[0]).isdisjoint

    def join(node: Any, around: Around, found: Found) -> None:
        if not lacks(node):
            _join(components, node, around, found)

    return join


Inner = list[tuple[Walk, Convert, Slot]]


def _component(component: Component) -> Inner:
    return [
        (walk, convert, slot)
        for walk in component.walks
        for convert, slot in _of_slot(component.slot, walk, beside=False)
    ]


def _join(components: list[Inner], node: Any, around: Around, found: Found) -> None:
    """Add the values of all components on ``node``, if each has one, as one part."""
    kept: list[tuple[Slot, Value]] = []
    for component in components:
        before = len(kept)
        for walk, convert, slot in component:
            start = around.resource if walk.from_resource else node
            for inner in _ends(start, walk.steps):
                kept += [(slot, value) for value in _converted(convert, inner, around)]
        if len(kept) == before:
            return
    part = next(around.parts)
    found += [Valued(slot, value, part) for slot, value in kept]


def _converted(convert: Convert, element: Any, around: Around) -> Sequence[Value]:
    """Return the values of ``element``, converted once for all the composites that have it."""
    key = (id(element), convert)
    values = around.converted.get(key)
    if values is None:
        try:
            values = convert(element, around)
        except _MISSHAPEN:
            values = ()
        around.converted[key] = values
    return values


def _ends(node: Any, steps: tuple[Step, ...]) -> list[Any]:
    if len(steps) == 1:
        value = node.get(steps[0].key)
        if type(value) is dict:
            return [value]
    nodes = [node]
    for step in steps:
        nodes = [
            item
            for n in nodes
            if type(n) is dict and (value := n.get(step.key)) is not None
            for item in (value if type(value) is list else (value,))
            if item is not None
        ]
    return nodes


def _position(slots: tuple[Slot, ...], node: Any, around: Around, found: Found) -> None:
    """Add the latitude and longitude of a Location's position, as one part."""
    convert = CONVERT["number"]["decimal"]
    try:
        values = [convert(node[name], around)[0] for name in ("latitude", "longitude")]
    except _MISSHAPEN:
        return
    part = next(around.parts)
    found += [Valued(slot, value, part) for slot, value in zip(slots, values, strict=True)]
