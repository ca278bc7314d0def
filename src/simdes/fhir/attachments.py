"""The files that a resource holds or names (https://hl7.org/fhir/R4/datatypes.html#Attachment)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from simdes.errors import Invalid

_WHERE: Final[Mapping[str, str]] = {
    "DocumentReference": "content.attachment",
    "DiagnosticReport": "presentedForm",
    "Communication": "payload.contentAttachment",
    "CommunicationRequest": "payload.contentAttachment",
    "Media": "content",
    "Consent": "sourceAttachment",
    "Claim": "supportingInfo.valueAttachment",
    "QuestionnaireResponse": "item.answer.valueAttachment",
    "Binary": "",
}
"""Where a type has its attachments; a Binary is one."""
_ENDINGS: Final[Mapping[str, str]] = {
    "application/pdf": "pdf",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/tiff": "tif",
    "image/webp": "webp",
    "image/bmp": "bmp",
    "text/plain": "txt",
    "text/csv": "csv",
    "text/rtf": "rtf",
    "application/rtf": "rtf",
    "application/dicom": "dcm",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/zip": "zip",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "video/mp4": "mp4",
}
"""Types that are given as what they are."""
_TEXTS: Final = ("text/", "application/xml", "application/json", "application/xhtml", "image/svg")
"""What a browser might run (HTML, SVG, XML with style sheets) is given as text, as it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One attachment. ``at`` is its place in the resource, ``size`` 0 where nobody says it.

    ``media_type`` and ``ending`` are what it is given as. ``data`` is base64, "" where the file
    lies at ``url``.
    """

    at: int
    title: str
    media_type: str
    ending: str
    size: int
    url: str
    data: str = field(repr=False)

    @property
    def binary(self) -> str:
        """The address of a Binary, relative or of a server, whose id ends it; "" for none."""
        parts = self.url.split("/")
        return self.url if len(parts) > 1 and parts[-2] == "Binary" and parts[-1] else ""


def files(resource: Mapping[str, Any]) -> list[File]:
    """The files of a resource, in their order; what has neither data nor an address is none."""
    type_ = str(resource.get("resourceType"))
    if type_ not in _WHERE:
        return []
    names = _WHERE[type_].split(".") if _WHERE[type_] else []
    found = [one for one in _under(resource, names) if one.get("data") or one.get("url")]
    return [_file(at, one) for at, one in enumerate(found)]


def content(file: File, *, most_bytes: int) -> bytes:
    """What a file holds. Raises Invalid where it is no base64, or longer than that."""
    if len(file.data) // 4 * 3 > most_bytes + 3:
        raise Invalid("The file is too large to be opened here.", advice="Use an app over FHIR.")
    try:
        return base64.b64decode("".join(file.data.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("The file can't be read.") from error


def _file(at: int, attachment: Mapping[str, Any]) -> File:
    declared = _text(attachment.get("contentType"))
    kind = declared.partition(";")[0].strip().lower()
    media, ending = "application/octet-stream", "bin"
    if kind in _ENDINGS:
        media, ending = kind, _ENDINGS[kind]
    elif kind.startswith(_TEXTS) or kind.endswith("+xml"):
        media, ending = "text/plain", "txt"
    data, size = _text(attachment.get("data")), attachment.get("size")
    given = size if isinstance(size, int) and size > 0 else 0
    return File(
        at=at,
        title=_text(attachment.get("title"))[:200],
        media_type=media,
        ending=ending,
        size=len(data) // 4 * 3 if data else given,
        url=_text(attachment.get("url")),
        data=data,
    )


def _under(value: Any, names: list[str]) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        for one in value:
            yield from _under(one, names)
    elif isinstance(value, Mapping):
        if not names:
            yield value
        elif names[0] in value:
            yield from _under(value[names[0]], names[1:])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
