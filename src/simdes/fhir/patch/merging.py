"""JSON Merge Patch (RFC 7396): what is there replaces, null takes away, objects go on within."""

from __future__ import annotations

from typing import Any

from simdes.fhir.patch.copying import Copier, copied


def apply(document: Any, changes: Any) -> Any:
    """Return ``document`` with ``changes`` merged in (section 2); both stay as they are.

    Raises TooLarge beyond 100 levels or 16 MiB of copies.
    """
    copier = Copier()
    return _merged(copied(document), copier.copied(changes))


def _merged(target: Any, changes: Any) -> Any:
    if type(changes) is not dict:
        return changes
    merged = target if type(target) is dict else {}
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged
