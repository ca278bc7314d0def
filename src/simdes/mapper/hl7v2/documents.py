"""Make one attachment of a document that came as text in several segments (MDM, chapter 9 of v2).

Each OBX holds a line or a paragraph; a reader expects the document.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

from simdes.mapper.model import Json

_TEXT = {"contentType", "data"}


def join(document: Json) -> None:
    """Join neighbouring plain text attachments of a DocumentReference, line by line."""
    contents = document.get("content")
    if not isinstance(contents, list):
        return
    runs: list[list[Json]] = []
    for content in contents:
        if runs and _is_text(content) and _is_text(runs[-1][0]):
            runs[-1].append(content)
        else:
            runs.append([content])
    for first, *more in runs:
        if more:
            lines = [b64decode(one["attachment"]["data"]) for one in (first, *more)]
            first["attachment"]["data"] = b64encode(b"\n".join(lines)).decode()
    document["content"] = [run[0] for run in runs]


def _is_text(content: Json) -> bool:
    attachment: Json = content.get("attachment", {})
    return attachment.keys() == _TEXT and bool(attachment["contentType"] == "text/plain")
