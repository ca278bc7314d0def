"""Closures that count what they do, for expressions from outside."""

from __future__ import annotations

from collections.abc import Callable

from simdes.fhir.fhirpath.nodes import Collection
from simdes.fhir.fhirpath.scope import Compiled, Scope


def counted_argument(argument: Compiled) -> Compiled:
    """Return ``argument`` with each evaluation and its results counted."""

    def counted(focus: Collection, scope: Scope) -> Collection:
        found = argument(focus, scope)
        scope.spend(len(found) + 1)
        return found

    return counted


def counted_call(
    target: Compiled, arguments: list[Compiled], call: Callable[..., Collection], compared: bool
) -> Compiled:
    """Return ``call`` on the scope and the values of ``target`` and ``arguments``, counted."""

    def counted(focus: Collection, scope: Scope) -> Collection:
        values = [target(focus, scope), *[a(focus, scope) for a in arguments]]
        scope.charge(*values, compared=compared)
        return call(scope, *values)

    return counted
