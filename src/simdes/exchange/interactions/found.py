"""A resource as it is served: the author's bytes, and the meta that only a server can tell.

The stored bytes are what was signed and anchored and never change. When served they get
``meta.versionId``, ``meta.lastUpdated``, ``meta.source`` (whose record it is) and a tag with the
state of the record (https://hl7.org/fhir/R4/resource.html#Meta). What an author says in these
elements is not served: whoever writes could name another organisation as the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from simdes.decoding import ready
from simdes.exchange.indexing import ENDED, STATE_SYSTEM
from simdes.exchange.provenance import instant

_SERVED = frozenset(("versionId", "lastUpdated"))
_FIRST = frozenset(("resourceType", "id", "meta"))
_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One version of a resource as a caller may see it.

    ``content`` is the JSON to serve, b"" of a deleted one; ``source`` says whose record it is;
    ``record_id`` is the sealed record that holds it, None while it waits.
    """

    type: str
    id: str
    version: int
    updated_ms: int
    vault: bytes = field(repr=False)
    content: bytes = field(repr=False)
    source: str
    deleted: bool = False
    record_id: bytes | None = None
    method: str = ""
    """What made the version (POST, PUT, DELETE), for histories."""

    @property
    def name(self) -> str:
        """``Type/id``."""
        return f"{self.type}/{self.id}"


def served(content: bytes, *, version: int, updated_ms: int, source: str, state: str) -> bytes:
    """The author's bytes with the meta of this server."""
    members = _decoder.decode(content)
    meta = _decoder.decode(members["meta"]) if "meta" in members else {}
    tags = [one for one in _listed(meta.get("tag")) if not _is_state(one)]
    tags.append({"system": STATE_SYSTEM, "code": state})
    made: dict[str, Any] = {
        "versionId": str(version),
        "lastUpdated": instant(updated_ms),
        **{key: value for key, value in meta.items() if key not in _SERVED},
        "tag": tags,
        "source": source,
    }
    rest = {key: value for key, value in members.items() if key not in _FIRST}
    first = {key: members[key] for key in ("resourceType", "id")}
    return msgspec.json.encode({**first, "meta": made, **rest})


def _is_state(tag: msgspec.Raw) -> bool:
    """Whether a tag of the author's says what only this server says."""
    try:
        return msgspec.json.decode(tag, type=ready(_Tag)).system == STATE_SYSTEM
    except msgspec.ValidationError:
        return False


class _Tag(msgspec.Struct):
    system: str = ""


def _listed(raw: msgspec.Raw | None) -> list[Any]:
    return [] if raw is None else msgspec.json.decode(raw, type=list[msgspec.Raw])


def tombstone(type_: str, logical_id: str) -> Mapping[str, Any]:
    """What is sealed for a deletion, so that readers elsewhere learn of it too."""
    return {
        "resourceType": type_,
        "id": logical_id,
        "meta": {"tag": [{"system": STATE_SYSTEM, "code": ENDED}]},
    }
