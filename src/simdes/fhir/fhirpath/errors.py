"""What evaluating an expression may end in (http://hl7.org/fhirpath/N1/#collections)."""

from __future__ import annotations

from simdes.errors import Invalid


class PathError(Invalid):
    """The expression has no value for this input, as the specification says (no result at all)."""

    default_advice = "Correct the FHIRPath expression."
