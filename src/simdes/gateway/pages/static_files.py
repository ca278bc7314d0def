"""Styles and scripts, served under names that hold their digest, so that they may be kept for ever.

Pico (https://picocss.com) is copied from npm by `tools/vendor_styles.py`; nothing is fetched from
elsewhere. They go out compressed, which pages never do: what a page says beside its form's token
could be guessed from its length (https://breachattack.com).
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from simdes.gateway.problems import plain

PREFIX: Final = "/static"
_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file, its media type and its name as served; ``packed`` is its content by gzip."""

    name: str
    media_type: str
    content: bytes
    packed: bytes


@cache
def files() -> dict[str, StaticFile]:
    """Every static file by its own name."""
    return {path.name: _read(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}


def address_of(name: str) -> str:
    """The address of a static file; KeyError where there is none of this name."""
    return f"{PREFIX}/{files()[name].name}"


def serve(request: Request) -> Response:
    """The file of a served name, kept by browsers for a year; a name is never used again."""
    asked = request.path_params["name"]
    found = next((one for one in files().values() if one.name == asked), None)
    if found is None:
        return plain(404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    packed = "gzip" in request.headers.get("accept-encoding", "")
    if packed:
        headers["Content-Encoding"] = "gzip"
    content = found.packed if packed else found.content
    return Response(content, headers=headers, media_type=found.media_type)


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    name = f"{path.stem}.{digest}{path.suffix}"
    return StaticFile(name, _TYPES[path.suffix], content, gzip.compress(content, 9, mtime=0))
