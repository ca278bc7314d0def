"""Expressions from outside on a resource: by the letter of the specification, within limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from simdes.errors import Invalid, TooLarge
from simdes.fhir.fhirpath.compile import compile_exactly
from simdes.fhir.fhirpath.nodes import Collection, Node, bare, typed_root
from simdes.fhir.fhirpath.scope import STEPS, Scope, Surroundings
from simdes.fhir.reference import BundleIndex, contained, parse_reference

Resource = dict[str, Any]


def evaluate(
    expression: str,
    resource: Any,
    *,
    context: Any = None,
    variables: Mapping[str, Any] | None = None,
    surroundings: Surroundings | None = None,
    steps: int = STEPS,
) -> Collection:
    """Return what ``expression`` selects from ``resource``, as plain values.

    The items are JSON values of FHIR's elements (objects, strings, numbers, booleans) and System
    values that the expression made: these, and :class:`Temporal` and :class:`Quantity` for dates,
    times and quantities. An element with only extensions is left out; :func:`locate` has it.

    ``context`` is where to start, the resource itself if None: an object, or a :class:`Node`, which
    says its type. ``variables`` are environment variables by name, without ``%``: a value or a list
    of values.

    Raises ``Invalid`` if the expression is none or has no value for this resource, ``TooLarge`` if
    it passes the limits of length, depth or ``steps``, ``Unsupported`` if it asks for what the
    ``surroundings`` don't offer.
    """
    found = evaluate_nodes(
        expression,
        resource,
        context=context,
        variables=variables,
        surroundings=surroundings,
        steps=steps,
    )
    return [v for v in map(bare, found) if v is not None]


def evaluate_nodes(
    expression: str,
    resource: Any,
    *,
    context: Any = None,
    variables: Mapping[str, Any] | None = None,
    surroundings: Surroundings | None = None,
    steps: int = STEPS,
) -> Collection:
    """Return what :func:`evaluate` does, FHIR's elements as typed :class:`Node`."""
    return _run(expression, resource, context, _with(surroundings, variables), steps)


def locate(
    expression: str,
    resource: Resource,
    *,
    variables: Mapping[str, Any] | None = None,
    surroundings: Surroundings | None = None,
    steps: int = STEPS,
) -> list[Node]:
    """Return the nodes of ``resource`` that ``expression`` selects, each with its place.

    For FHIRPath Patch and whatever else changes what it finds. ``node.value`` is the JSON object or
    primitive itself (not a copy); ``node.parent.value[node.key]`` holds it, or the list that has it
    at ``node.index`` (None if it is no list). For a child of a primitive (``birthDate.extension``)
    the owner is ``node.parent.element`` instead, the companion ``_birthDate``. ``node.type`` is the
    FHIR type, ``node.name`` the element's name (``value`` where the key is ``valueQuantity``),
    ``node.location`` the keys from the root, ``node.path`` the same as FHIRPath. The root's parent
    is None.

    Raises as :func:`evaluate` does, and ``Invalid`` if the expression makes a value that is no
    node of the resource, or resolves a reference: what it leads to has no place.
    """
    found = evaluate_nodes(
        expression, resource, variables=variables, surroundings=surroundings, steps=steps
    )
    if any(type(n) is not Node or _root(n).value is not resource for n in found):
        raise Invalid("the FHIRPath expression selects values that are no elements")
    return found


def _root(node: Node) -> Node:
    while node.parent is not None:
        node = node.parent
    return node


def _with(surroundings: Surroundings | None, variables: Mapping[str, Any] | None) -> Surroundings:
    base = surroundings or Surroundings()
    if not variables:
        return base
    listed = {n: v if type(v) is list else [v] for n, v in variables.items()}
    typed = {n: [typed_root(i) for i in items] for n, items in listed.items()}
    return replace(base, variables={**base.variables, **typed})


def _run(
    expression: str, resource: Any, context: Any, surroundings: Surroundings, steps: int
) -> Collection:
    start = typed_root(resource if context is None else context)
    scope = Scope(resource, resource, start, _Resolver(resource), surroundings, steps)
    try:
        return compile_exactly(expression)([start], scope)
    except RecursionError:
        raise TooLarge("the FHIRPath expression nests too deeply") from None
    except (ArithmeticError, ValueError, OverflowError):
        raise Invalid("the FHIRPath expression has no value for this resource") from None


class _Resolver:
    """Finds what references lead to: contained resources, entries of the Bundle."""

    def __init__(self, resource: Any) -> None:
        self._resource = resource
        is_bundle = isinstance(resource, dict) and resource.get("resourceType") == "Bundle"
        self._bundle = BundleIndex(resource) if is_bundle else None

    def __call__(self, text: str) -> Resource | None:
        literal = parse_reference(text)
        if literal.kind == "fragment":
            return contained(self._resource, literal.id)
        return self._bundle.find(literal, full_url="") if self._bundle else None
