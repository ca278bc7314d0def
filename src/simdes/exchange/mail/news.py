"""What happened that people are written about, noted once for each.

Who looked, was refused or asks stands in this organisation's audit trail, which is read on from
where it was left. Emergencies and recoveries are noted where the ledger's events are
(`access.chain_model`), prescriptions and claims where they go on. What is noted is that a mail is
due, never what about.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from simdes.access.audit_event import Attempt, Verb
from simdes.crypto.digest import sha256
from simdes.errors import SimdesError
from simdes.exchange.mail.kinds import ACCESS, REFUSED, REQUEST
from simdes.exchange.node import Node
from simdes.exchange.own_trail import read_entry
from simdes.index import audit as entries
from simdes.index import checkpoints, credentials
from simdes.index import mail as rows
from simdes.index.checkpoints import Checkpoint
from simdes.index.transaction import Transaction

GATHER_MS: Final = 60_000
"""How long news gathers before a mail says that there is some."""
DIGEST_HOUR: Final = 8
"""When a daily mail goes out, in the organisation's time zone."""
PAGE: Final = 2_000
"""Audit entries that are looked through in one transaction."""
ONCE_MS: Final = 400 * 86_400_000
"""How long it is known that something was told; by then it is over."""
_SEEN: Final = "mail-audit"
_SHOWS: Final = frozenset({Verb.READ, Verb.RELEASE, Verb.LINK})
_REFUSES: Final = _SHOWS | {Verb.MANIFESTS, Verb.CAPSULES}


def look(node: Node) -> int:
    """Read the audit trail on; how many entries somebody is told of."""
    with node.database.read() as tx:
        if not rows.any_address(tx):
            return 0
    with suppress(SimdesError):  # emergencies come by the ledger; without it the rest goes out
        node.following.catch_up()
    noted = 0
    while (found := _page(node)) is not None:
        noted += found
    return noted


def _page(node: Node) -> int | None:
    """One page of the trail; None at its end."""
    with node.database.read() as tx:
        newest = entries.newest(tx, limit=1)
        if not newest or newest[0].seq <= _after(tx):
            return None

    def write(tx: Transaction) -> int:
        tx.lock("mail news")
        after = _after(tx)
        upto = min(newest[0].seq, after + PAGE)
        noted = sum(
            _noted(node, tx, seq, account)
            for seq, account in rows.audited(tx, after=after, upto=upto)
        )
        if upto > after:
            checkpoints.put(tx, _SEEN, Checkpoint(upto, bytes(32)))
        return noted

    return node.database.write(write)


def _after(tx: Transaction) -> int:
    mark = checkpoints.get(tx, _SEEN)
    return mark.block_number if mark else 0


def _noted(node: Node, tx: Transaction, seq: int, account: bytes) -> bool:
    row, address = entries.get(tx, seq), rows.get(tx, account)
    entry = read_entry(node, tx, row) if row is not None else None
    if entry is None or address is None:
        return False
    return _tell(node, tx, address, kind_of(entry.attempt, account))


def kind_of(attempt: Attempt, patient: bytes) -> str:
    """What an attempt is to the patient whom it is about; "" for nothing to tell."""
    if attempt.account == patient:
        return ""
    if attempt.verb is Verb.REQUEST and attempt.granted:
        return REQUEST
    if attempt.granted:
        return ACCESS if attempt.verb in _SHOWS else ""
    return REFUSED if attempt.verb in _REFUSES else ""


def about(node: Node, tx: Transaction, vault: bytes, kind: str) -> bool:
    """Note for a vault's patient that something of this kind is new, in the transaction with it."""
    row = rows.of_patient(tx, vault)
    return row is not None and _tell(node, tx, row, kind)


def once(node: Node, vault: bytes, kind: str, *key: bytes) -> None:
    """As `about`, the first time that it is said of this key alone."""
    if not node.mail.possible:
        return
    with node.database.read() as tx:
        if rows.of_patient(tx, vault) is None:
            return
    digest = sha256(b"\0".join((b"simdes/mail-once/v1", kind.encode(), *key)))
    until = node.now_ms() + ONCE_MS

    def write(tx: Transaction) -> None:
        if credentials.spend(tx, digest, expires_ms=until):
            about(node, tx, vault, kind)

    node.database.write(write)


def due_ms(node: Node, *, digest: bool) -> int:
    """When somebody is told of what is new now."""
    now = node.now_ms()
    if not digest:
        return now + GATHER_MS
    zone = ZoneInfo(node.site.time_zone)
    here = datetime.fromtimestamp(now / 1000, zone)
    day = here.date() if here.hour < DIGEST_HOUR else here.date() + timedelta(days=1)
    return int(datetime.combine(day, time(DIGEST_HOUR), zone).timestamp() * 1000)


def _tell(node: Node, tx: Transaction, row: rows.Address, kind: str) -> bool:
    if kind not in row.kinds.split():
        return False
    rows.note(tx, row.account, due_ms=due_ms(node, digest=row.digest == 1), alarm=0)
    return True
