"""What an export says was deleted: Bundles of deletions, one to a line.

https://hl7.org/fhir/uv/bulkdata/export.html#response---complete-status (``deleted``): transactions
whose entries are requests by DELETE alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from simdes.errors import Forbidden, Invalid, TooLarge
from simdes.exchange.bulk.lines import MOST_LINE_BYTES
from simdes.exchange.interactions import consenting
from simdes.exchange.interactions.drafts import require_id
from simdes.fhir.definitions import resource_types
from simdes.fhir.json import loads

MOST_ENTRIES: Final = 1_000

Name = tuple[str, str]
"""Type and id."""


def ended(bases: Sequence[str], line: bytes | None) -> tuple[Mapping[str, Any], tuple[Name, ...]]:
    """The Bundle on a line, and the names of what it deletes, each once.

    Addresses below one of the ``bases`` are as good as relative ones. Raises Invalid, TooLarge;
    Forbidden for a Consent, which its patient ends.
    """
    if line is None:
        raise TooLarge(f"A line has at most {MOST_LINE_BYTES} bytes.")
    bundle = loads(line)
    entries = bundle.get("entry") if isinstance(bundle, dict) else None
    if not isinstance(entries, list) or bundle.get("resourceType") != "Bundle" or not entries:
        raise Invalid("The line is no Bundle of deletions.")
    if len(entries) > MOST_ENTRIES:
        raise TooLarge(f"A line deletes at most {MOST_ENTRIES} resources.")
    names = tuple(dict.fromkeys(_named(bases, one) for one in entries))
    if any(type_ == consenting.TYPE for type_, _ in names):
        raise Forbidden("A Consent is ended by the patient, not by an import.")
    return bundle, names


def _named(bases: Sequence[str], entry: Any) -> Name:
    request = entry.get("request") if isinstance(entry, Mapping) else None
    url = request.get("url") if isinstance(request, Mapping) else None
    method = request.get("method") if isinstance(request, Mapping) else None
    if not isinstance(url, str) or method != "DELETE":
        raise Invalid("An entry of a Bundle of deletions is a DELETE with its url.")
    for base in bases:
        url = url.removeprefix(f"{base}/")
    type_, slash, id_ = url.partition("/")
    if not slash or type_ not in resource_types():
        raise Invalid("A deletion names no resource as Type/id.")
    require_id(id_)
    return type_, id_
