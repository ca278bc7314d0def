"""A version of a resource as a row: its author's bytes, wrapped under the vault's local key."""

from __future__ import annotations

from collections.abc import Callable

from simdes.crypto.digest import sha256
from simdes.crypto.keys import wrap
from simdes.exchange.indexing import resource_context
from simdes.exchange.placing import Home
from simdes.index.resources import NewResource


def new_version(
    home: Home,
    *,
    type: str,
    logical_id: str,
    content: bytes,
    category: int,
    labels: int,
    created_ms: int,
    random: Callable[[int], bytes],
    source_id: int | None = None,
    deleted: bool = False,
    account: bytes | None = None,
) -> NewResource:
    """A version to add to a vault. ``source_id``: the message it came with; ``account``: who wrote
    it over the API; ``deleted``: it is the mark of a deletion."""
    context = resource_context(home.tag, type, logical_id)
    return NewResource(
        type=type,
        logical_id=logical_id,
        vault=home.tag,
        category=category,
        labels=labels,
        content_wrapped=wrap(home.key, content, aad=context, random=random),
        digest=sha256(content),
        salt=random(32),
        source_id=source_id,
        created_ms=created_ms,
        deleted=int(deleted),
        account=account,
    )
