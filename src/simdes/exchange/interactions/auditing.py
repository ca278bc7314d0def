"""The audit entry of what is shown or written, durable before the answer goes out.

Where it can't be written nothing is shown or written. What is refused leaves one, too:
`simdes.exchange.attempting`.
"""

from __future__ import annotations

from collections.abc import Iterable

from simdes.access.audit_event import Attempt, Verb
from simdes.exchange import anomalies
from simdes.exchange.interactions.found import Found
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.index.transaction import Transaction


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


def is_usual(node: Node, tx: Transaction, asking: Asking, found: Iterable[Found]) -> bool:
    """See `anomalies.is_usual`, of the vaults of what was found."""
    return anomalies.is_usual(
        node, tx, asking.session, {one.vault for one in found} - {asking.facts.home}
    )


def audit_found(node: Node, asking: Asking, found: Iterable[Found], *, usual: bool = False) -> None:
    """Write down what is about to be shown: one entry for each vault, or one for nothing found.

    ``usual``: `is_usual` said so. Raises `SecondFactorNeeded` where the reader has to show one
    before reading on.
    """
    records: dict[bytes | None, dict[bytes, None]] = {}
    for one in found:
        its = records.setdefault(one.vault, {})
        if one.record_id is not None:
            its[one.record_id] = None
    if not usual:
        read = [vault for vault in records if vault is not None and vault != asking.facts.home]
        anomalies.require_usual(node, asking.session, read)
    attempts = [
        attempt(asking, Verb.READ, vault, records=sorted(its)) for vault, its in records.items()
    ]
    node.journal.write(
        node.database, node.desk.trail, attempts or [attempt(asking, Verb.READ, None)]
    )
