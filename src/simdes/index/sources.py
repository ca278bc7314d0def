"""Documents as they came in (messages, files, Bundles), each kept once.

The digest is over the bytes received, so a feed that is sent again adds nothing. The content of a
mapped message is empty here: it is sealed as a resource of its own, the message's source document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSource:
    """A document: ``kind`` is its format; ``vault`` None when it is about several patients."""

    digest: bytes
    kind: str
    content_wrapped: bytes
    vault: bytes | None
    received_ms: int
    resources: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(NewSource):
    """A kept document."""

    id: int


_SOURCE = select(Source, "source")


def add_many(tx: Transaction, new: Sequence[NewSource]) -> dict[bytes, int]:
    """Keep documents in their order; the ids of those not received before, by digest."""
    rows = tx.insert(
        "source",
        [row_of(one) for one in new],
        conflict="(digest) DO NOTHING",
        returning="digest, id",
    )
    return {bytes(digest): int(id_) for digest, id_ in rows}


def get(tx: Transaction, source_id: int) -> Source | None:
    """Return a document by its id."""
    row = tx.one(_SOURCE + " WHERE id = :id", id=source_id)
    return None if row is None else read(Source, row)


def find(tx: Transaction, digest: bytes) -> Source | None:
    """Return a document by the digest of its bytes."""
    row = tx.one(_SOURCE + " WHERE digest = :digest", digest=digest)
    return None if row is None else read(Source, row)


def known(tx: Transaction, digests: Sequence[bytes]) -> set[bytes]:
    """Return those digests whose documents were received before, in one statement."""
    rows = tx.all("SELECT digest FROM source WHERE digest IN :digests", digests=digests)
    return {bytes(row[0]) for row in rows}
