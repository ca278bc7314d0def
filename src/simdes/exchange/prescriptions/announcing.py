"""The prescriber's side: pharmacies that a patient let in are told that a prescription is there.

A vault is looked at when a prescription of it was issued and when a consent for it came: both leave
a row in the same commit (`index/prescriptions`), so that neither is missed, whichever came first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from simdes.access.categories import Category, Purpose, Role
from simdes.access.consent import Consent, decode_terms_row
from simdes.errors import Conflict
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import records, stating
from simdes.index import custody, merges, prescriptions, whereabouts
from simdes.index.transaction import Transaction
from simdes.index.whereabouts import Told
from simdes.ledger.contracts import Contracts
from simdes.ledger.terms import ZERO20, ZERO32, GranteeKind
from simdes.proofs.openings import number, octets
from simdes.proofs.prescriptions import tag_of

AT_ONCE: Final = 64
_ROLES: Final = (0, Role.PHARMACIST)
"""Whom a consent may name at a pharmacy: everybody, or its pharmacists."""


def announce(node: Node) -> int:
    """Have pharmacies told of what waits to be told; how much that was."""
    if not node.rules.issues:
        return 0
    count, last = 0, b""
    while True:  # those whose consents begin later stay, and hold up nobody behind them
        with node.database.read() as tx:
            waiting = prescriptions.to_announce(tx, after=last, limit=AT_ONCE)
        if not waiting:
            return count
        last = waiting[-1]
        count += sum(node.database.write(partial(_announce, node, one)) for one in waiting)


def _announce(node: Node, vault: bytes, tx: Transaction) -> int:
    # Whatever comes from now on leaves a row again.
    prescriptions.announced(tx, vault)
    try:
        records.home_of(node, tx, vault)
    except Conflict:
        return 0  # erased
    now, count = node.now_seconds(), 0
    consents = [decode_terms_row(one) for one in custody.terms_of(tx, vault)]
    if any(one.terms.not_before > now for one in consents):
        prescriptions.note(tx, vault)
    for kept in _issued(node, tx, vault):
        tag = octets(tag_of(number(kept.opening.key), context=stating.context(node)))
        if kept.opening.last_day < stating.today(node):
            continue
        for consent in consents:
            terms = consent.terms
            pharmacy = lets_in(consent, tag, contracts=node.contracts, labels=kept.labels)
            if pharmacy and terms.not_before <= now < terms.expiry:
                count += _tell(node, tx, tag, consent, pharmacy)
    return count


def _issued(node: Node, tx: Transaction, vault: bytes) -> Iterator[stating.Kept]:
    """What stands of a vault, and of those that were joined to it; nothing of what was erased."""
    for tag in (vault, *merges.joined(tx, vault)):
        with suppress(Conflict):
            key = records.home_of(node, tx, tag).key
            yield from (stating.opened(key, one) for one in prescriptions.issued(tx, tag))


def _tell(node: Node, tx: Transaction, tag: bytes, consent: Consent, pharmacy: bytes) -> bool:
    register, now_ms = whereabouts.PRESCRIPTIONS, node.now_ms()
    if pharmacy == node.organisation:
        register.learn(tx, pharmacy, [Told(now_ms, tag, consent.vault)])
        return True
    return register.tell(tx, tag, consent.vault, pharmacy, now_ms=now_ms, handle=consent.handle)


def lets_in(consent: Consent, tag: bytes, *, contracts: Contracts, labels: int = 0) -> bytes:
    """The organisation whose pharmacists a consent lets see a prescription, b"" where none."""
    terms = consent.terms
    of_this = (contracts.addresses.prescriptions, tag)
    fits = (
        terms.grantee_kind != GranteeKind.ACCOUNT
        and terms.grantee_role in _ROLES
        and terms.categories >> Category.PRESCRIPTIONS & 1
        and terms.purposes >> Purpose.TREAT & 1
        and not labels & ~terms.labels
        and terms.records == ZERO32
        and (terms.condition == ZERO20 or (terms.condition, terms.condition_id) == of_this)
    )
    return terms.grantee if fits else b""
