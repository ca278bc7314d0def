"""The invariants of R4, each as a predicate (https://hl7.org/fhir/R4/conformance-rules.html#constraints).

Most are compiled from their FHIRPath. The table ``NATIVE`` replaces those that the FHIRPath subset
can't say, that are asked of every resource and so must be fast, or whose published text is known to
be wrong, with the reason. An invariant holds only if it evaluates to true; empty is not true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from simdes.fhir import narrative
from simdes.fhir.definitions import Constraint, definition, type_names
from simdes.fhir.fhirpath import PathError, compile_path
from simdes.fhir.fhirpath.equality import bare_compare as compare
from simdes.fhir.fhirpath.nodes import bare
from simdes.fhir.run import Run

Node = Any
Predicate = Callable[[Node, Run], bool]


@dataclass(frozen=True, slots=True)
class Invariant:
    """A constraint and how it is decided."""

    constraint: Constraint
    holds: Predicate


@dataclass(frozen=True, slots=True)
class Native:
    """A predicate that stands in for an expression; ``reason`` says why."""

    holds: Predicate
    reason: str


@dataclass(frozen=True, slots=True)
class Unchecked:
    """An invariant, or a part of one, that is not decided."""

    key: str
    path: str
    reason: str


def invariants(constraints: tuple[Constraint, ...]) -> tuple[Invariant, ...]:
    """Return ``constraints`` ready to evaluate, those aside that the structure checks decide."""
    return tuple(Invariant(c, _predicate(c)) for c in constraints if c.key not in _STRUCTURAL)


def check(found: tuple[Invariant, ...], node: Node, run: Run) -> None:
    """Add a finding to ``run`` for every invariant that doesn't hold for ``node``."""
    for invariant in found:
        if not invariant.holds(node, run):
            constraint = invariant.constraint
            message = f"{constraint.key}: {constraint.human}"
            run.add("invariant", constraint.key, message, severity=constraint.severity)


def unchecked_invariants() -> tuple[Unchecked, ...]:
    """Return what the validator does not decide, in full; the tests hold this list to the truth."""
    return _UNCHECKED


@cache
def _predicate(constraint: Constraint) -> Predicate:
    native = NATIVE.get(constraint.key)
    if native is not None:
        return native.holds
    evaluate = compile_path(constraint.expression)
    surely = SURELY.get(constraint.key, _never)

    def holds(node: Node, run: Run) -> bool:
        if type(node) is dict and surely(node):
            return True
        try:
            return evaluate([node], run.scope(node)) == _TRUE
        except PathError:
            return False
        except (TypeError, ValueError, AttributeError, ArithmeticError):
            # Only a structure that is already reported as broken gets here; the invariant then
            # says nothing new. On a sound structure it would be a fault of this program.
            if run.findings:
                return True
            raise

    return holds


_TRUE = [True]


# --- natives ---------------------------------------------------------------------------------


def _inside(node: Node) -> list[dict[str, Any]]:
    inside = node.get("contained")
    return [r for r in inside if isinstance(r, dict)] if isinstance(inside, list) else []


def _nothing_nested(node: Node, run: Run) -> bool:
    return "contained" not in node or not any("contained" in r for r in _inside(node))


def _contained_without(*names: str) -> Predicate:
    def holds(node: Node, run: Run) -> bool:
        if "contained" not in node:
            return True
        metas = [r.get("meta") for r in _inside(node)]
        return not any(n in m for m in metas if isinstance(m, dict) for n in names)

    return holds


def _all_referenced(node: Node, run: Run) -> bool:
    """dom-3: every contained resource is referred to, or refers to its container."""
    if "contained" not in node:
        return True
    used = set(_links(node))
    return all(f"#{r.get('id')}" in used or "#" in _links(r) for r in _inside(node))


_LINK_TYPES = frozenset({"canonical", "uri", "url"})


@cache
def _link_names() -> frozenset[str]:
    """Return the names of members that hold a canonical, a URI, a URL or a reference."""
    found = {"reference"}
    for name in type_names():
        for element in definition(name).elements.values():
            found |= {n for n, t in element.json_names.items() if t in _LINK_TYPES}
    return frozenset(found)


def _links(node: Node) -> Iterator[str]:
    waiting: list[tuple[bool, Any]] = [(False, node)]
    names = _link_names()
    while waiting:
        is_link, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(k in names, v) for k, v in value.items()]
        elif isinstance(value, list):
            waiting += [(is_link, v) for v in value]
        elif is_link and isinstance(value, str):
            yield value


def _has_narrative(node: Node, run: Run) -> bool:
    """dom-6; "contained resources do not have narrative" (DomainResource.text)."""
    if run.root is not node:
        return True
    text = node.get("text")
    return isinstance(text, dict) and ("div" in text or "_div" in text)


def _value_or_extensions(node: Node, run: Run) -> bool:
    """ext-1, over the twenty and more names of ``value[x]``."""
    for name in node:
        if name.startswith(("value", "_value")):
            return "extension" not in node
    return "extension" in node


def _refers_inside(node: Node, run: Run) -> bool:
    """ref-1: ``#id`` names a contained resource; ``#``, only written in one, its container."""
    literal = node.get("reference")
    if not isinstance(literal, str) or not literal.startswith("#"):
        return True
    if literal == "#":
        return run.root is not run.resource
    return any(r.get("id") == literal[1:] for r in _inside(run.root))


def _narrative(rule: str) -> Predicate:
    def holds(node: Node, run: Run) -> bool:
        div = bare(node)
        fault = narrative.find_fault(div) if isinstance(div, str) else None
        return fault is None or fault[0] != rule

    return holds


def _low_before_high(node: Node, run: Run) -> bool:
    """rng-2; quantities in different units are not compared (see ``unchecked_invariants``)."""
    low, high = node.get("low"), node.get("high")
    if not isinstance(low, dict) or not isinstance(high, dict):
        return True
    try:
        order = compare(low, high)
    except PathError:
        return True
    return order is None or order <= 0


NATIVE: Mapping[str, Native] = {
    "dom-2": Native(_nothing_nested, "asked of every resource"),
    "dom-3": Native(_all_referenced, "asks for the FHIR type of strings, which JSON doesn't tell"),
    "dom-4": Native(_contained_without("versionId", "lastUpdated"), "asked of every resource"),
    "dom-5": Native(_contained_without("security"), "asked of every resource"),
    "dom-6": Native(
        _has_narrative, "not meant for contained resources, as DomainResource.text says"
    ),
    "ext-1": Native(_value_or_extensions, "asked of every extension"),
    "ref-1": Native(
        _refers_inside,
        "empty for a reference without a literal, and false for '#', which R4 allows inside a "
        "contained resource (corrected so in R5)",
    ),
    "rng-2": Native(_low_before_high, "orders quantities, for which FHIRPath needs UCUM"),
    "txt-1": Native(_narrative("txt-1"), "htmlChecks() is not FHIRPath but XHTML"),
    "txt-2": Native(_narrative("txt-2"), "htmlChecks() is not FHIRPath but XHTML"),
}
"""Predicates instead of expressions, by key (each key has one expression in R4)."""


# --- shortcuts -------------------------------------------------------------------------------

_Surely = Callable[[dict[str, Any]], bool]


def _never(_: dict[str, Any]) -> bool:
    return False


def _no_entry_has(name: str, *types: str) -> _Surely:
    """bdl-3, bdl-4: ``name`` is for entries of Bundles of these ``types``, and for no others."""

    def surely(bundle: dict[str, Any]) -> bool:
        type_, entries = bundle.get("type"), bundle.get("entry")
        if type(type_) is not str or type_ in types or type(entries) is not list:
            return False
        return all(type(e) is dict and name not in e and f"_{name}" not in e for e in entries)

    return surely


def _differ(bundle: dict[str, Any]) -> bool:
    """bdl-7, where no entry's resource has a version."""
    entries = bundle.get("entry")
    if type(entries) is not list or type(bundle.get("type")) is not str:
        return False
    urls: set[str] = set()
    for entry in entries:
        if type(entry) is not dict or "_fullUrl" in entry:
            return False
        url, resource = entry.get("fullUrl"), entry.get("resource")
        if type(url) is not str or type(resource) is not dict or "_meta" in resource:
            return False
        meta = resource.get("meta", {})
        if type(meta) is not dict or "versionId" in meta or "_versionId" in meta:
            return False
        urls.add(url)
    return len(urls) == len(entries)


def _no_history(entry: dict[str, Any]) -> bool:
    url = entry.get("fullUrl")
    return type(url) is str and "_fullUrl" not in entry and "/_history/" not in url


SURELY: Mapping[str, _Surely] = {
    "bdl-3": _no_entry_has("request", "batch", "transaction", "history"),
    "bdl-4": _no_entry_has("response", "batch-response", "transaction-response", "history"),
    "bdl-5": lambda entry: type(entry.get("resource")) is dict,
    "bdl-7": _differ,
    "bdl-8": _no_history,
    "cpt-2": lambda point: type(point.get("system")) is str,
    "org-1": lambda organization: type(organization.get("name")) is str,
    "per-1": lambda period: "start" not in period or "end" not in period,
}
"""By key, what surely fulfils an invariant: asked of most objects, so the expression is spared."""

# Decided by the structure checks for every element: empty objects, arrays and strings are refused.
_STRUCTURAL = frozenset({"ele-1"})

_UNCHECKED = (
    Unchecked(
        "rng-2",
        "Range",
        "low and high in different units need UCUM conversion; they are taken to be in order",
    ),
    Unchecked(
        "ctm-1",
        "CareTeam.participant",
        "the member's type is known only if it is contained or in the same Bundle; as the "
        "expression itself says, an unresolved member satisfies it",
    ),
)
