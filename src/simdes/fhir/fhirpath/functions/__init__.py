"""The functions of FHIRPath (http://hl7.org/fhirpath/N1/#functions), R4's and some of R5's.

Tables by calling convention; the compiler looks nowhere else. Those that evaluate an argument in a
way of their own (``iif``, ``repeat``, ``aggregate``, ``sort``) are the compiler's.
"""

from __future__ import annotations

from collections.abc import Mapping

from simdes.fhir.fhirpath.functions import collections, conversions, fhir, numbers, texts
from simdes.fhir.fhirpath.functions.signature import Function, Plain, Scoped

PLAIN: Mapping[str, Function[Plain]] = {
    **collections.FUNCTIONS,
    **conversions.FUNCTIONS,
    **numbers.FUNCTIONS,
    **texts.FUNCTIONS,
}
"""On the focus and collections as arguments."""

SCOPED: Mapping[str, Function[Scoped]] = {**fhir.FUNCTIONS, **texts.SCOPED}
"""On the focus, the scope and collections as arguments."""

PER_ITEM = collections.PER_ITEM
"""Functions whose argument is evaluated for each item."""

COMPARING = frozenset(
    ("distinct", "exclude", "intersect", "isDistinct", "subsetOf", "supersetOf", "union")
)
"""Functions that compare items with all they hold."""
