"""What a reference says and where it leads (https://hl7.org/fhir/R4/references.html).

A literal reference is a fragment (``#id``, a contained resource), relative (``Patient/1``),
absolute (``https://host/fhir/Patient/1``), a URN (``urn:uuid:…``, an entry of the same Bundle) or,
in a transaction, a search (``Patient?identifier=…``).
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from simdes.fhir.definitions import resource_types
from simdes.fhir.primitives import is_absolute

_ID = r"[A-Za-z0-9\-.]{1,64}"
_LITERAL = re.compile(
    rf"(?P<base>https?://[^\s?#]*/)?(?P<type>[A-Za-z]+)/(?P<id>{_ID})(?:/_history/(?P<version>{_ID}))?"
)
_CONDITIONAL = re.compile(r"(?P<type>[A-Za-z]+)\?\S+")


class Literal(NamedTuple):
    """A literal reference taken apart.

    ``kind`` is ``fragment``, ``relative``, ``absolute``, ``urn``, ``conditional``, ``other`` (an
    absolute URL that names no resource type) or ``unreadable``. What a kind doesn't have is "".
    """

    kind: str
    text: str
    type: str = ""
    id: str = ""
    version: str = ""
    base: str = ""

    @property
    def versionless(self) -> str:
        """The reference without its version."""
        return f"{self.base}{self.type}/{self.id}" if self.id and self.type else self.text


def parse_reference(text: str) -> Literal:
    """Return the literal reference ``text`` taken apart; never raises."""
    if text.startswith("#"):
        return Literal("fragment", text, id=text[1:])
    if text.startswith("urn:"):
        return Literal("urn", text)
    match = _LITERAL.fullmatch(text)
    if match and match["type"] in resource_types():
        kind = "absolute" if match["base"] else "relative"
        version, base = match["version"] or "", match["base"] or ""
        return Literal(kind, text, match["type"], match["id"], version, base)
    match = _CONDITIONAL.fullmatch(text)
    if match and match["type"] in resource_types():
        return Literal("conditional", text, match["type"])
    return Literal("other" if is_absolute(text) else "unreadable", text)


def contained(root: dict[str, Any], fragment: str) -> dict[str, Any] | None:
    """Return the resource in ``root`` that ``#fragment`` names; ``root`` itself for ``#``."""
    if not fragment:
        return root
    inside = root.get("contained")
    for resource in inside if isinstance(inside, list) else ():
        if isinstance(resource, dict) and resource.get("id") == fragment:
            return resource
    return None


class BundleIndex:
    """Resolves references between the entries of one Bundle.

    https://hl7.org/fhir/R4/bundle.html#references: an absolute or URN reference by ``fullUrl``, a
    relative one against the base of the ``fullUrl`` of the entry it stands in.
    """

    def __init__(self, bundle: dict[str, Any]) -> None:
        self.is_closed = bundle.get("type") in ("document", "message", "transaction")
        """Whether a URN reference has to lead to an entry: nothing outside could resolve it."""
        self._entries: dict[str, dict[str, Any]] = {}
        self._versions: dict[str, dict[str, Any]] = {}
        entries = bundle.get("entry")
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                self._add(entry.get("fullUrl"), entry.get("resource"))

    def _add(self, full_url: Any, resource: Any) -> None:
        if not isinstance(full_url, str) or not isinstance(resource, dict):
            return
        self._entries.setdefault(full_url, resource)
        meta = resource.get("meta")
        version = meta.get("versionId") if isinstance(meta, dict) else None
        if isinstance(version, str):
            self._versions.setdefault(f"{full_url}/_history/{version}", resource)

    def find(self, literal: Literal, *, full_url: str) -> dict[str, Any] | None:
        """Return what ``literal``, written in the entry ``full_url``, leads to in this Bundle."""
        text = literal.text
        if literal.kind == "relative":
            own = parse_reference(full_url)
            if own.kind != "absolute":
                return None
            text = own.base + text
        return self._versions.get(text) or self._entries.get(text.partition("/_history/")[0])
