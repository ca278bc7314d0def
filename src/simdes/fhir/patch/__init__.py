"""Changes to a resource as values (https://hl7.org/fhir/R4/http.html#patch).

JSON Patch, FHIRPath Patch and, for clients that know no other, JSON Merge Patch. XML Patch (RFC
5261) is not read: it changes one spelling of a resource, and what it can say the others can. A
patch never changes which resource it is.
"""

from __future__ import annotations

from typing import Any

from simdes.errors import Invalid
from simdes.fhir.patch import merging, paths, pointers

__all__ = ["fhirpath_patch", "json_patch", "merge_patch"]

Json = dict[str, Any]


def json_patch(resource: Json, operations: Any) -> Json:
    """Return ``resource`` after a JSON Patch (RFC 6902); ``resource`` itself stays as it is.

    The result still has to be validated. Raises Invalid for what is no patch, leads nowhere or
    would change ``resourceType`` or ``id``, Conflict where a ``test`` fails, TooLarge.
    """
    return _same(resource, pointers.apply(resource, operations))


def merge_patch(resource: Json, changes: Any) -> Json:
    """Return ``resource`` after a JSON Merge Patch (RFC 7396); ``resource`` itself stays as it is.

    The result still has to be validated. Raises Invalid for what would change ``resourceType`` or
    ``id`` or is no object, TooLarge.
    """
    return _same(resource, merging.apply(resource, changes))


def fhirpath_patch(resource: Json, parameters: Any) -> Json:
    """Return ``resource`` after a FHIRPath Patch; ``resource`` itself stays as it is.

    The result still has to be validated. Raises Invalid for what is no patch, does not fit, leads
    elsewhere or would change ``resourceType`` or ``id``, TooLarge.
    """
    return _same(resource, paths.apply(resource, parameters))


def _same(before: Json, after: Any) -> Json:
    if type(after) is not dict or any(
        (name in before) != (name in after) or before.get(name) != after.get(name)
        for name in ("resourceType", "id")
    ):
        raise Invalid("a patch can't change resourceType or id")
    return after
