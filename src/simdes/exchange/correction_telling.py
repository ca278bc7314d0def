"""Tell who wrote an entry that its patient asks to have it corrected.

A request about what another organisation wrote leaves a row in its own commit
(`corrections.ask`); the worker hands the words, sealed to that organisation, to its custody verb
`correct`, in this organisation's name: the ledger says that the patient's account is here. Who does
not answer is asked again, the longer it lasts the more seldom, for thirty days.
"""

from __future__ import annotations

from typing import Final

import structlog

from simdes.access.asking import ask
from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import Role
from simdes.access.custody_corrections import correct_body
from simdes.access.custody_requests import open_words
from simdes.access.custody_vaults import KEY_DESTROYED, NOT_AUTHOR
from simdes.errors import SimdesError, Unavailable
from simdes.exchange.node import Node
from simdes.exchange.on_record import reason_told
from simdes.index import corrections as rows
from simdes.index.corrections import Sent
from simdes.index.transaction import Transaction

SOONEST_MS: Final = 60_000
LATEST_MS: Final = 3_600_000
"""The shortest and the longest time until who did not take a request is asked again."""
GIVE_UP_MS: Final = 30 * 86_400_000
"""How long it is tried."""
_FINAL: Final = frozenset((NOT_AUTHOR, KEY_DESTROYED))
"""Reasons for which asking again is no use."""
_log = structlog.get_logger("simdes.corrections")


def tell(node: Node) -> int:
    """Hand over what is due; how much was taken."""
    with node.database.read() as tx:
        due = rows.due(tx, now_ms=node.now_ms())
    silent: set[bytes] = set()
    count = 0
    for row in due:
        if row.author in silent:
            _put_off(node, row)
            continue
        try:
            _tell(node, row)
            count += 1
        except SimdesError as error:
            if isinstance(error, Unavailable):
                silent.add(row.author)
            _log.warning("not told", issue=error.issue, kind=type(error).__name__)
            _refused(node, row, reason_told(error))
    return count


def _tell(node: Node, row: Sent) -> None:
    with node.database.read() as tx:
        words = open_words(node.desk.keystore, tx, row.vault, row.words_wrapped or b"")
    public = node.desk.directory.organisation(row.author).public
    body = correct_body(public, vault=row.vault, id_=row.id, about=row.about, text=words["text"])
    ask(node.agent_caller(), row.author, "correct", body)
    attempt = _attempt(node, row)

    def write(tx: Transaction) -> None:
        if rows.settle(tx, row.id, rows.TOLD, now_ms=node.now_ms()):
            node.desk.trail.append(tx, [attempt])

    node.database.write(write)


def _refused(node: Node, row: Sent, reason: str) -> None:
    now_ms = node.now_ms()
    if reason in _FINAL or now_ms - row.asked_ms >= GIVE_UP_MS:
        node.database.write(lambda tx: rows.settle(tx, row.id, rows.REFUSED, now_ms=now_ms))
    else:
        _put_off(node, row)


def _put_off(node: Node, row: Sent) -> None:
    """Wait as long again as it waits already."""
    now_ms = node.now_ms()
    pause_ms = min(max(now_ms - row.asked_ms, SOONEST_MS), LATEST_MS)
    node.database.write(lambda tx: rows.put_off(tx, row.id, next_ms=now_ms + pause_ms))


def _attempt(node: Node, row: Sent) -> Attempt:
    """What our own trail has of it: that our software told the author."""
    address = node.desk.keystore.lanes[0].address
    standing = node.contracts.accounts.standing(address)
    return Attempt(
        verb=Verb.CORRECT,
        account=standing.account if standing is not None else bytes(32),
        address=address,
        role=int(Role.AGENT),
        organisation=node.organisation,
        purpose=None,
        vault=row.vault,
    )
