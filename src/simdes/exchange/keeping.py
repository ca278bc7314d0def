"""How the quarantine keeps a document: rows with content wrapped under the organisation's own key.

Nobody knows yet whose content it is, so no vault's key can wrap it (docs/formats/key-store.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from simdes.crypto.digest import sha256
from simdes.crypto.keys import unwrap, wrap
from simdes.errors import NotFound
from simdes.exchange.node import Node
from simdes.index import quarantine as rows
from simdes.index.transaction import Transaction
from simdes.mapper import Quarantined as Unmapped
from simdes.mapper.envelope import envelope

_QUARANTINE = b"simdes/quarantine/v1"
_CORRECTION = b"simdes/quarantine-correction/v1"
_WHY = b"simdes/quarantine-why/v1"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A refused message with the name and kind of its input."""

    name: str
    kind: str
    refused: Unmapped


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A document in quarantine without its content; holds no patient data.

    ``kept``: the content is still here (retention removes that of settled ones). ``sender`` is
    ``APPLICATION|FACILITY`` of HL7 v2; ``tried_ms`` and ``settled_ms`` may be None.
    """

    id: int
    name: str
    position: int
    kind: str
    event: str
    sender: str
    code: str
    reason: str
    advice: str
    state: str
    received_ms: int
    tried_ms: int | None
    settled_ms: int | None
    kept: bool


@dataclass(frozen=True, slots=True)
class Content:
    """A document's bytes: as received, or as last ``corrected``."""

    entry: Entry
    data: bytes
    corrected: bool


def keep(node: Node, arrived: Sequence[Arrived], *, received_ms: int | None = None) -> None:
    """Keep refused messages, in their order; one that is here already has the newest reason."""
    if arrived:
        kept = wrapped(node, arrived, received_ms=received_ms)
        node.database.write(lambda tx: rows.add(tx, kept))


def wrapped(
    node: Node, arrived: Sequence[Arrived], *, received_ms: int | None = None
) -> list[rows.NewQuarantined]:
    """The rows of refused messages, their content wrapped under the organisation's key."""
    now_ms = node.now_ms() if received_ms is None else received_ms
    return [_row(node, one, now_ms) for one in arrived]


def row_of(tx: Transaction, quarantine_id: int) -> rows.Quarantined:
    """A document's row; raises NotFound."""
    row = rows.get(tx, quarantine_id)
    if row is None:
        raise NotFound(
            "There is no such document in quarantine.", advice="`simdes quarantine list` shows all."
        )
    return row


def newest(node: Node, row: rows.Quarantined, *, original: bool = False) -> Content:
    """A document's bytes for a verb that has its own rules; raises NotFound once removed."""
    with node.database.read() as tx:
        copy = None if original else rows.correction(tx, row.id)
    aad, wrapped_bytes = _QUARANTINE + row.digest, row.content_wrapped
    if copy is not None and copy.digest is not None:
        aad, wrapped_bytes = _CORRECTION + row.digest + copy.digest, copy.content_wrapped
    if wrapped_bytes is None:
        raise NotFound("The content was removed by retention.", advice="Ask the sender for it.")
    data = unwrap(node.desk.keystore.database_key, wrapped_bytes, aad=aad)
    return Content(entry_of(row), data, copy is not None)


def wrapped_copy(node: Node, row: rows.Quarantined, data: bytes) -> bytes:
    """A corrected copy, wrapped."""
    aad = _CORRECTION + row.digest + sha256(data)
    return wrap(node.desk.keystore.database_key, data, aad=aad, random=node.random)


def wrapped_why(node: Node, row: rows.Quarantined, why: str) -> bytes:
    """A reason in words, which a person may have written patient data into, wrapped."""
    key = node.desk.keystore.database_key
    return wrap(key, why.encode(), aad=_WHY + row.digest, random=node.random)


def why_of(node: Node, row: rows.Quarantined, one: rows.Action) -> str:
    """The reason written into a line of history; "" without one."""
    if one.why_wrapped is None:
        return ""
    key = node.desk.keystore.database_key
    return unwrap(key, one.why_wrapped, aad=_WHY + row.digest).decode()


def entry_of(row: rows.Quarantined) -> Entry:
    """A row without its content."""
    names = [field.name for field in fields(Entry) if field.name != "kept"]
    values = {name: getattr(row, name) for name in names}
    return Entry(**values, kept=row.content_wrapped is not None)


def _row(node: Node, one: Arrived, now_ms: int) -> rows.NewQuarantined:
    source = one.refused.source
    digest, found = sha256(source or one.name.encode()), envelope(source)
    key = node.desk.keystore.database_key
    return rows.NewQuarantined(
        digest=digest,
        name=one.name,
        position=one.refused.index,
        kind=one.kind,
        event=found.event,
        sender=found.sender,
        code=one.refused.reason_code,
        reason=one.refused.reason,
        advice=one.refused.advice,
        content_wrapped=wrap(key, source, aad=_QUARANTINE + digest, random=node.random),
        received_ms=now_ms,
    )
