"""What is offered to whoever may ask for it, whatever their role: for statements about the server.

Reading depends on consent and is offered for every type; writing is a closed table by role, and a
type that no role may write is not writable at all (`access/write_roles.py`).
"""

from __future__ import annotations

from simdes.access.categories import Role
from simdes.access.write_roles import deletes, writes
from simdes.fhir.definitions import resource_types


def written_types() -> frozenset[str]:
    """The types that some role may create, update and patch."""
    return resource_types() & frozenset[str]().union(*(writes(role) for role in Role))


def deleted_types() -> frozenset[str]:
    """The types that some role may delete."""
    return resource_types() & frozenset[str]().union(*(deletes(role) for role in Role))
