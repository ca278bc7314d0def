"""When what stands was said: the moment of each resource's latest version, as its sender gave it.

Beside the resources and not in them: a message that says the same again later moves it on without
a new version. Times are unix milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simdes.index.transaction import Transaction

Times = tuple[int | None, int | None]
"""When the event was recorded and when the message was made; None where nobody said."""


def put(tx: Transaction, moments: Mapping[int, Times]) -> None:
    """Note the moments of versions by row id, in place of those noted before; one statement."""
    known = {id_: times for id_, times in moments.items() if times != (None, None)}
    tx.insert(
        "resource_moment",
        [
            {"resource_id": id_, "event_ms": event, "sent_ms": sent}
            for id_, (event, sent) in sorted(known.items())
        ],
        conflict="(resource_id) DO UPDATE SET event_ms = excluded.event_ms,"
        " sent_ms = excluded.sent_ms",
    )


def of(tx: Transaction, resource_ids: Sequence[int]) -> dict[int, Times]:
    """Return the moments noted of versions, in one statement."""
    if not resource_ids:
        return {}
    rows = tx.all(
        "SELECT resource_id, event_ms, sent_ms FROM resource_moment WHERE resource_id IN :ids",
        ids=resource_ids,
    )
    return {id_: (event, sent) for id_, event, sent in rows}
