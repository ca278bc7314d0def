"""Keep what found no place in R4: one extension on the resource, an inner one for each value.

Its URL is ``urn:simdes:fhir-dstu2:unmapped`` (or ``fhir-stu3``), an inner one's the path of the
value in the older resource. Resources that may not have extensions (Binary, Bundle, Parameters)
have it reported instead.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from simdes.fhir.primitives import PRIMITIVES
from simdes.fhir.validate import validate
from simdes.mapper import primitives
from simdes.mapper.model import Dropped, Json
from simdes.mapper.older.shapes import R4, shape

_NO_VALUE = "FHIR has no text for it: it is empty, too long, or holds signs no text may hold"
_NO_EXTENSION = "R4 has no such element, and this type takes no extension"


class Beside:
    """What one resource's conversion could not place, in the order it was met."""

    def __init__(self, kind: str, url: str, dropped: list[Dropped]) -> None:
        self.kind = kind
        self.url = url
        self.kept: dict[tuple[str, str], Json] = {}
        self._dropped = dropped

    def drop(self, path: str, reason: str) -> None:
        """Report what cannot be kept."""
        self._dropped.append(Dropped(f"{self.kind}.{path}", reason))

    def keep_value(self, path: str, kind: str, value: Any) -> None:
        """Keep an R4 value of data type ``kind``."""
        inner = {"url": path, f"value{kind[:1].upper()}{kind[1:]}": value}
        self.kept[path, repr(value)] = inner

    def keep_plain(self, path: str, value: Any, kind: str = "") -> None:
        """Keep a primitive value: as its type if R4 lets it be that, else as text."""
        if kind and has_extension_value(kind) and PRIMITIVES[kind](value) is None:
            self.keep_value(path, kind, value)
        elif isinstance(value, bool):
            self.keep_value(path, "boolean", value)
        elif isinstance(value, (int, Decimal)) and PRIMITIVES["decimal"](value) is None:
            self.keep_value(path, "decimal", value)
        else:
            text = primitives.string(str(value))
            if text is None:
                self.drop(path, _NO_VALUE)
            else:
                self.keep_value(path, "string", text)

    def settle(self, body: Json) -> None:
        """Put the extension on ``body``, the resource as it is now."""
        if not self.kept:
            return
        found = shape(R4, body["resourceType"])
        if found is None or "extension" not in found.parts:
            for path, _ in self.kept:
                self.drop(path, _NO_EXTENSION)
            return
        kept = {"url": self.url, "extension": list(self.kept.values())}
        body.setdefault("extension", []).append(kept)


def has_extension_value(kind: str) -> bool:
    """Say whether an R4 extension may hold a value of this type."""
    found = shape(R4, "Extension")
    return found is not None and f"value{kind[:1].upper()}{kind[1:]}" in found.parts


def is_valid(kind: str, value: Any) -> bool:
    """Say whether an R4 extension may hold this value of data type ``kind``."""
    held = {"url": "urn:simdes:held", f"value{kind[:1].upper()}{kind[1:]}": value}
    holder = {"resourceType": "Basic", "code": {"text": "held"}, "extension": [held]}
    return not any(problem.is_error for problem in validate(holder))
