"""A terminology service on what is loaded (https://hl7.org/fhir/R4/terminology-service.html).

Loaded are R4's own code systems, value sets and concept maps, and what the caller's provider
gives (:class:`Library`). Each operation takes a Parameters resource and returns one (``expand`` a
ValueSet); the value set, code system or map that it was called on is ``instance``. Of what is not
loaded (SNOMED CT, LOINC, unless an organisation stored them) nothing is said: the operation fails
with ``NotFound`` and names it.

Search asks with :func:`expand_codes` (``:in``, ``:not-in``), :func:`below` and :func:`above`.
"""

from __future__ import annotations

from typing import Any

from simdes.fhir.terminology.expand import expand
from simdes.fhir.terminology.library import Library, Provider
from simdes.fhir.terminology.lookup import lookup, subsumes
from simdes.fhir.terminology.sets import Sets
from simdes.fhir.terminology.translate import translate
from simdes.fhir.terminology.validate_code import validate_in_system, validate_in_value_set

__all__ = [
    "Library",
    "Provider",
    "above",
    "below",
    "expand",
    "expand_codes",
    "lookup",
    "subsumes",
    "translate",
    "validate_in_system",
    "validate_in_value_set",
]


def expand_codes(value_set: str | dict[str, Any], library: Library) -> frozenset[tuple[str, str]]:
    """Return the ``(system, code)`` pairs of a value set, named by its canonical or given.

    Raises ``NotFound`` for what is not loaded, ``TooLarge`` above ``sets.MOST_CODES``.
    """
    resource = library.get("ValueSet", value_set) if isinstance(value_set, str) else value_set
    return frozenset(Sets(library).codes(resource))


def below(system: str, code: str, library: Library) -> frozenset[str] | None:
    """Return ``code`` and all codes that it subsumes.

    None if the code system is not loaded; empty if it has no such code.
    """
    found = library.system(system)
    return None if found is None else frozenset(found.below(code))


def above(system: str, code: str, library: Library) -> frozenset[str] | None:
    """Return ``code`` and all codes that subsume it; as :func:`below` otherwise."""
    found = library.system(system)
    return None if found is None else frozenset(found.above(code))
