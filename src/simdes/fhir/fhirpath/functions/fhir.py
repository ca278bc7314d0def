"""FHIR's own functions (https://hl7.org/fhir/R4/fhirpath.html#functions); those of the clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from simdes.errors import Invalid, Unsupported
from simdes.fhir import narrative
from simdes.fhir.definitions import definition, type_names, value_set_codings
from simdes.fhir.fhirpath.equality import single
from simdes.fhir.fhirpath.errors import PathError
from simdes.fhir.fhirpath.functions.signature import Function, Scoped
from simdes.fhir.fhirpath.nodes import (
    Collection,
    Node,
    ancestors,
    bare,
    children,
    typed_root,
)
from simdes.fhir.fhirpath.scope import Scope, weight
from simdes.fhir.fhirpath.temporal import Temporal
from simdes.fhir.fhirpath.types import type_of

_VALIDATION_STEPS = 10
"""What validating costs, in steps for each value."""

BASE_PROFILE = "http://hl7.org/fhir/StructureDefinition/"


def _text(collection: Collection) -> str | None:
    value = single(collection)
    if value is not None and type(value) is not str:
        raise PathError("a string is needed")
    return value


def _extension(items: Collection, scope: Scope, url: Collection) -> Collection:
    wanted = _text(url)
    if wanted is None:
        return []
    extensions = [e for n in items for e in children(n, "extension", None)]
    return [e for e in extensions if [bare(u) for u in children(e, "url", None)] == [wanted]]


def _has_value(items: Collection, scope: Scope) -> Collection:
    return [len(items) == 1 and type(bare(items[0])) is not dict and bare(items[0]) is not None]


def _get_value(items: Collection, scope: Scope) -> Collection:
    has_value = _has_value(items, scope)[0]
    return [single(items)] if has_value else []


def _resolve(items: Collection, scope: Scope) -> Collection:
    found: Collection = []
    for item in items:
        value = bare(item)
        literal = value.get("reference") if type(value) is dict else value
        resource = scope.resolve(literal) if isinstance(literal, str) else None
        if resource is not None:
            is_typed = type(item) is Node and item.type
            found.append(typed_root(resource) if is_typed else resource)
    return found


def _member_of(items: Collection, scope: Scope, value_set: Collection) -> Collection:
    url = _text(value_set)
    if not items or url is None:
        return []
    if len(items) > 1:
        raise PathError("one value is needed where there are several")
    ask = scope.surroundings.member_of or _is_in_published
    found = ask(bare(items[0]), url)
    if found is None:
        raise Invalid("the value set is not known here")
    return [found]


def _is_in_published(value: Any, url: str) -> bool | None:
    """Return whether ``value`` is in a value set that the standard publishes as a list."""
    codings = value_set_codings(url)
    if codings is None:
        return None
    if type(value) is str:
        return any(value in codes for codes in codings.values())
    if type(value) is not dict:
        return False
    many = value.get("coding", [value])
    return any(
        c.get("code") in codings.get(str(c.get("system")), ()) for c in many if type(c) is dict
    )


def _conforms_to(items: Collection, scope: Scope, profile: Collection) -> Collection:
    url = _text(profile)
    if not items or url is None:
        return []
    if len(items) > 1:
        raise PathError("one value is needed where there are several")
    ask = scope.surroundings.conforms_to
    found = ask(bare(items[0]), url) if ask is not None else None
    if found is None:
        if scope.is_limited:
            scope.spend(_VALIDATION_STEPS * weight(items[0]))
        found = _conforms_to_base(items[0], url)
    return [found]


def _above(items: Collection, scope: Scope, other: Collection) -> Collection:
    """Return whether a code subsumes the other (https://hl7.org/fhir/R4/fhirpath.html#functions)."""
    if not items or not other:
        return []
    if len(items) > 1 or len(other) > 1:
        raise PathError("one value is needed where there are several")
    ask = scope.surroundings.subsumes
    found = ask(bare(items[0]), bare(other[0])) if ask is not None else None
    if found is None:
        raise Invalid("whether one code subsumes the other is not known here")
    return [found]


def _below(items: Collection, scope: Scope, other: Collection) -> Collection:
    return _above(other, scope, items)


def _conforms_to_base(item: Any, url: str) -> bool:
    """Return whether ``item`` is a sound instance of the type that ``url`` defines."""
    name = url.partition("|")[0].removeprefix(BASE_PROFILE)
    if not url.startswith(BASE_PROFILE) or name not in type_names() or "." in name:
        raise Invalid("the profile is not known here")
    actual = item.type if type(item) is Node else ""
    value = bare(item)
    if type(value) is dict and "resourceType" in value:
        actual = str(value["resourceType"])
    return name in ancestors(actual) and _is_sound(value)


def _is_sound(value: Any) -> bool:
    # The validator runs invariants, which are FHIRPath: it can't be imported above.
    from simdes.fhir.validate import validate  # noqa: PLC0415

    if type(value) is not dict or "resourceType" not in value:
        return True
    return not any(p.severity in ("error", "fatal") for p in validate(value))


def _html_checks(items: Collection, scope: Scope) -> Collection:
    texts = [bare(n) for n in items]
    return [all(isinstance(t, str) and narrative.find_fault(t) is None for t in texts)]


def _element_definition(items: Collection, scope: Scope) -> Collection:
    """Return what R4 says of the elements, as far as it is kept here, as ElementDefinitions."""
    return [d for n in items if type(n) is Node and n.type for d in _defined(n)]


def _defined(node: Node) -> Collection:
    if node.parent is None:
        return [Node({"path": node.type, "min": 0, "max": "*"}, None, "ElementDefinition")]
    element = definition(node.parent.type).elements.get(node.name)
    if element is None:
        return []
    value = {
        "path": element.path + ("[x]" if element.is_choice else ""),
        "min": element.minimum,
        "max": "*" if element.maximum is None else str(element.maximum),
        "type": [{"code": t} for t in element.types],
    }
    return [Node(value, None, "ElementDefinition")]


def _check_modifiers(items: Collection, scope: Scope, *known: Collection) -> Collection:
    urls = {_text(k) for k in known}
    for item in items:
        for extension in children(item, "modifierExtension", None):
            if bare(children(extension, "url", None)[0]) not in urls:
                raise Invalid("a modifier extension that the expression doesn't know")
    return items


def _slice(items: Collection, scope: Scope, *_: Collection) -> Collection:
    raise Unsupported("slice() needs the profile that defines the slice")


def _type(items: Collection, scope: Scope) -> Collection:
    """Return a TypeInfo for each item (http://hl7.org/fhirpath/N1/#reflection)."""
    return [dict(zip(("namespace", "name"), type_of(n), strict=True)) for n in items]


def _trace(items: Collection, scope: Scope, name: Collection, *_: Collection) -> Collection:
    label = _text(name)
    if scope.surroundings.trace is not None and label is not None:
        scope.surroundings.trace(label, items)
    return items


# --- the clock -------------------------------------------------------------------------------


def _moment(scope: Scope) -> datetime:
    now_ms = scope.surroundings.now_ms
    if now_ms is None:
        raise Unsupported("the time is not known where this FHIRPath expression is evaluated")
    return datetime.fromtimestamp(now_ms / 1000, UTC)


def _now(items: Collection, scope: Scope) -> Collection:
    at = _moment(scope)
    second = Decimal(at.second) + Decimal(at.microsecond // 1000).scaleb(-3)
    return [Temporal("DateTime", (at.year, at.month, at.day, at.hour, at.minute, second), 0)]


def _today(items: Collection, scope: Scope) -> Collection:
    at = _moment(scope)
    return [Temporal("Date", (at.year, at.month, at.day))]


def _time_of_day(items: Collection, scope: Scope) -> Collection:
    return [Temporal("Time", _now(items, scope)[0].clock)]


FUNCTIONS: Mapping[str, Function[Scoped]] = {
    "checkModifiers": Function(_check_modifiers, 0, 50),
    "conformsTo": Function(_conforms_to, 1, 1),
    "elementDefinition": Function(_element_definition),
    "extension": Function(_extension, 1, 1),
    "getValue": Function(_get_value),
    "hasValue": Function(_has_value),
    "htmlChecks": Function(_html_checks),
    "memberOf": Function(_member_of, 1, 1),
    "now": Function(_now),
    "resolve": Function(_resolve),
    "slice": Function(_slice, 2, 2),
    "subsumedBy": Function(_below, 1, 1),
    "subsumes": Function(_above, 1, 1),
    "timeOfDay": Function(_time_of_day),
    "today": Function(_today),
    "trace": Function(_trace, 1, 2),
    "type": Function(_type),
}
