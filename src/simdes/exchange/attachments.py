"""Open a file of a record: under the caller's rights, on record like every reading.

A file that lies in a Binary is read from there, here or at the organisation that wrote the
resource, if it is in the same patient's vault. Nothing is fetched from any other address.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from simdes.errors import Forbidden, NotFound
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.read import read
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.attachments import File, content, files

MOST_BYTES: Final = 16 << 20
_NAME: Final = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9\-.]{1,64}")


def opened(
    node: Node, asking: Asking, name: str, at: int, *, vaults: tuple[bytes, ...] | None = None
) -> tuple[File, bytes]:
    """The file at a place of a resource (``Type/id``), and what it holds; ``vaults`` narrows
    whose resource it may be.

    Raises NotFound alike for what is not there, what may not be seen and what lies elsewhere;
    Invalid for a file that can't be read or is too large.
    """
    if not _NAME.fullmatch(name):
        raise NotFound(_NOTHING)
    type_, _, id_ = name.partition("/")
    found = read(node, asking, type_, id_, vaults=vaults)
    listed = files(finding.parsed(found.content))
    if not 0 <= at < len(listed):
        raise NotFound(_NOTHING)
    file = listed[at]
    if not file.data:
        inner = _binary(node, asking, found, file)
        file = replace(inner, title=file.title, at=at)
    return file, content(file, most_bytes=MOST_BYTES)


def is_here(source: str, file: File) -> bool:
    """Whether a file of a resource that ``source`` wrote may be opened at all."""
    base = file.binary.rpartition("Binary/")[0].rstrip("/")
    return bool(file.data) or (bool(file.binary) and base in ("", f"{source}/fhir"))


def _binary(node: Node, asking: Asking, found: Found, file: File) -> File:
    if not is_here(found.source, file):
        raise NotFound(_NOTHING, advice="The file lies elsewhere; ask whoever wrote it.")
    try:
        id_ = file.binary.rpartition("/")[2]
        binary = read(node, asking, "Binary", id_, vaults=(found.vault,))
    except Forbidden as error:
        raise NotFound(_NOTHING) from error
    inside = files(finding.parsed(binary.content))
    if not inside or not inside[0].data:
        raise NotFound(_NOTHING)
    return inside[0]


_NOTHING: Final = "There is nothing like that."
