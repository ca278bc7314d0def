"""The two forms a resource travels in: JSON and XML (https://hl7.org/fhir/R4/formats.html)."""

from __future__ import annotations

from enum import Enum
from typing import Any

from simdes.errors import Invalid
from simdes.fhir import json, xml

Json = dict[str, Any]


class Form(Enum):
    """How a resource is written; the value is its media type."""

    JSON = "application/fhir+json"
    XML = "application/fhir+xml"

    @property
    def content_type(self) -> str:
        """The Content-Type of an answer in this form."""
        return f"{self.value}; charset=utf-8"

    def write(self, resource: Json, *, is_pretty: bool = False) -> bytes:
        """Return ``resource`` in this form. Raises Invalid or TooLarge where it can't be."""
        if self is Form.XML:
            return xml.dumps_xml(resource, is_pretty=is_pretty)
        data = json.dumps(resource)
        return json.indent(data) if is_pretty else data

    def read(self, data: bytes, *, max_bytes: int = json.MAX_BYTES) -> Json:
        """Return the resource in ``data``. Raises Invalid or TooLarge; JSON may be any object."""
        if self is Form.XML:
            return xml.loads_xml(data, max_bytes=max_bytes)
        value = json.loads(data, max_bytes=max_bytes)
        if not isinstance(value, dict):
            raise Invalid("a resource, which is a JSON object, is needed")
        return value
