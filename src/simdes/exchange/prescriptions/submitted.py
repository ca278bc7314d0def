"""The pharmacy's queue: what patients submitted to it, by the consents that stand, newest first.

Known from the chain and from the letters of consents alone: no custodian is asked, no record is
opened, and nothing here says whose prescription it is or of what. That shows who opens it by the
code, on everybody's record.
"""

from __future__ import annotations

from dataclasses import dataclass

from simdes.access.categories import Category
from simdes.exchange import reach
from simdes.exchange.node import Node
from simdes.exchange.prescriptions.codes import code_of
from simdes.exchange.prescriptions.dispensing import require_pharmacist
from simdes.exchange.prescriptions.submitting import tag_named
from simdes.exchange.rights import Asking


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A consent that opens prescriptions to the caller: one, or by preference ``every`` one.

    ``code`` opens it, ``handle`` is the consent's; times are unix seconds.
    """

    code: str
    handle: bytes
    every: bool
    since_seconds: int
    until_seconds: int


def queue(node: Node, asking: Asking, *, since_seconds: int = 0) -> list[Submission]:
    """What was submitted to the caller's pharmacy since a time and is open by the ledger.

    Raises Forbidden for who is no pharmacist.
    """
    require_pharmacist(node, asking)
    node.following.catch_up()
    actor, now = asking.session.actor, node.now_seconds()
    with node.database.read() as tx:
        vaults = reach.let_at(asking, node.standing.vaults(tx, actor)) or ()
        standing = node.standing.of(tx, actor, asking.purpose, vaults, now_seconds=now)
        found = [
            Submission(
                code=code_of(one.consent.handle),
                handle=one.consent.handle,
                every=not tag_named(one.consent),
                since_seconds=one.consent.terms.not_before,
                until_seconds=one.consent.terms.expiry,
            )
            for one in standing
            if one.consent.terms.categories >> Category.PRESCRIPTIONS & 1
            and one.consent.terms.not_before >= since_seconds
        ]
    return sorted(found, key=lambda one: (-one.since_seconds, one.handle))
