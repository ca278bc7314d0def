"""Styles and scripts, served under names that hold their digest, so that they may be kept for ever.

Pico (https://picocss.com) is copied from npm by `tools/vendor_styles.py`; nothing is fetched from
elsewhere.
"""

from __future__ import annotations

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
    """A file, its media type and its name as served."""

    name: str
    media_type: str
    content: bytes


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
    return Response(
        found.content,
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
        media_type=found.media_type,
    )


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    return StaticFile(f"{path.stem}.{digest}{path.suffix}", _TYPES[path.suffix], content)
