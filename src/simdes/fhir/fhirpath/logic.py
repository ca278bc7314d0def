"""Three-valued logic (http://hl7.org/fhirpath/N1/#boolean-logic).

An empty collection is the third value. The right side is not evaluated when the left one decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simdes.fhir.fhirpath.equality import truth
from simdes.fhir.fhirpath.nodes import Collection
from simdes.fhir.fhirpath.scope import Compiled, Scope

Logic = Callable[[Compiled, Compiled, Collection, Scope], Collection]


def _and(left: Compiled, right: Compiled, focus: Collection, scope: Scope) -> Collection:
    first = truth(left(focus, scope))
    if first is False:
        return [False]
    second = truth(right(focus, scope))
    if second is False:
        return [False]
    return [True] if first and second else []


def _or(left: Compiled, right: Compiled, focus: Collection, scope: Scope) -> Collection:
    first = truth(left(focus, scope))
    if first:
        return [True]
    second = truth(right(focus, scope))
    if second:
        return [True]
    return [] if first is None or second is None else [False]


def _implies(left: Compiled, right: Compiled, focus: Collection, scope: Scope) -> Collection:
    first = truth(left(focus, scope))
    if first is False:
        return [True]
    second = truth(right(focus, scope))
    if first is None:
        return [True] if second else []
    return [] if second is None else [second]


def _xor(left: Compiled, right: Compiled, focus: Collection, scope: Scope) -> Collection:
    first, second = truth(left(focus, scope)), truth(right(focus, scope))
    return [] if first is None or second is None else [first is not second]


LOGIC: Mapping[str, Logic] = {"and": _and, "or": _or, "implies": _implies, "xor": _xor}
