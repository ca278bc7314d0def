"""The audit entry of what is shown or written, durable before the answer goes out.

Where it can't be written nothing is shown or written. What is refused leaves one, too:
`simdes.exchange.attempting`.
"""

from __future__ import annotations

from collections.abc import Iterable

from simdes.access.audit_event import Attempt, Verb
from simdes.exchange.anomalies import require_usual
from simdes.exchange.interactions.found import Found
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking


def attempt(
    asking: Asking,
    verb: Verb,
    vault: bytes | None,
    *,
    records: Iterable[bytes] = (),
) -> Attempt:
    """What a caller tried with one vault."""
    actor = asking.session.actor
    return Attempt(
        verb=verb,
        account=actor.account,
        address=actor.address,
        role=actor.role,
        organisation=actor.organisation,
        purpose=int(asking.purpose),
        vault=vault,
        records=tuple(records),
    )


def audit_found(node: Node, asking: Asking, found: Iterable[Found]) -> None:
    """Write down what is about to be shown: one entry for each vault, or one for nothing found.

    Raises `SecondFactorNeeded` where the reader has to show one before reading on.
    """
    records: dict[bytes | None, dict[bytes, None]] = {}
    for one in found:
        its = records.setdefault(one.vault, {})
        if one.record_id is not None:
            its[one.record_id] = None
    read = [vault for vault in records if vault is not None and vault != asking.facts.home]
    require_usual(node, asking.session, read)
    attempts = [
        attempt(asking, Verb.READ, vault, records=sorted(its)) for vault, its in records.items()
    ]
    node.journal.write(
        node.database, node.desk.trail, attempts or [attempt(asking, Verb.READ, None)]
    )
