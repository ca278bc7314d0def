"""Which consents stand for a caller, by the chain's events: what may be opened, and for whom.

A release asks the contract itself; what is searched, listed and shown asks here, by
`access.policy.decide`, the contract's twin. The terms that were sealed to this organisation are
decoded once and kept by whom they name.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from simdes.access.categories import EMERGENCY_CATEGORIES, Category, Purpose, Role, members
from simdes.access.chain_model import ChainView
from simdes.access.consent import Consent, decode_terms_row
from simdes.access.messages import NO_TERMS
from simdes.access.policy import decide
from simdes.access.tokens import Actor
from simdes.index import chain_consents, custody
from simdes.index.transaction import Transaction
from simdes.index.visible import Ground
from simdes.ledger.consents import Reason
from simdes.ledger.ledger import Ledger
from simdes.ledger.terms import ZERO20, ZERO32, Request

_AT_ONCE: Final = 64
"""Vaults whose consents are judged together; who needs only a few stops before the next."""


@dataclass(frozen=True, slots=True)
class Stands:
    """A consent that stands for a caller now, and what it lets them see."""

    consent: Consent
    ground: Ground


class Standing:
    """The consents known to one organisation, by whom they name. Safe for several threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._known: set[tuple[bytes, bytes]] = set()
        self._by_grantee: defaultdict[bytes, defaultdict[bytes, list[Consent]]] = defaultdict(
            lambda: defaultdict(list)
        )

    def vaults(self, tx: Transaction, actor: Actor) -> list[bytes]:
        """The vaults of which some consent, standing or not, names the actor; newest last."""
        self._learn(tx)
        with self._lock:
            named = [vault for one in _names(actor) for vault in self._by_grantee[one]]
        return list(dict.fromkeys(named))

    def named_by(self, tx: Transaction, actor: Actor) -> list[Consent]:
        """Every consent, standing or not, that names the actor."""
        self._learn(tx)
        with self._lock:
            known = [its for one in _names(actor) for its in self._by_grantee[one].values()]
        return [consent for its in known for consent in its]

    def of(
        self,
        tx: Transaction,
        actor: Actor,
        purpose: Purpose,
        vaults: Sequence[bytes],
        *,
        now_seconds: int,
    ) -> Iterator[Stands]:
        """The consents of these vaults that stand for the actor and the purpose now, in order."""
        self._learn(tx)
        view = ChainView(tx, self._ledger)
        for start in range(0, len(vaults), _AT_ONCE):
            named = [
                consent
                for vault in vaults[start : start + _AT_ONCE]
                for consent in self._naming(actor, vault)
                if consent.terms.not_before <= now_seconds < consent.terms.expiry
            ]
            view.read_ahead({one.vault for one in named})
            for consent in named:
                if (ground := _ground(view, consent, actor, purpose, now_seconds)) is not None:
                    yield Stands(consent, ground)

    def _naming(self, actor: Actor, vault: bytes) -> list[Consent]:
        with self._lock:
            return [
                consent for one in _names(actor) for consent in self._by_grantee[one].get(vault, ())
            ]

    def _learn(self, tx: Transaction) -> None:
        """Read the terms that came since the last time; a letter may come long after its block."""
        row = tx.one("SELECT count(*) FROM terms")
        if row is not None and row[0] == len(self._known):
            return
        listed = tx.all("SELECT vault, handle FROM terms ORDER BY block_number, handle")
        with self._lock:
            for vault, handle in listed:
                if (vault, handle) in self._known:
                    continue
                kept = custody.terms(tx, vault, handle)
                if kept is None:
                    continue
                consent = decode_terms_row(kept)
                self._known.add((vault, handle))
                self._by_grantee[consent.terms.grantee][vault].append(consent)


def emergency(
    tx: Transaction, ledger: Ledger, actor: Actor, vault: bytes, handle: bytes, *, now_seconds: int
) -> Ground | None:
    """What an emergency that the actor opened lets them see, None when it does not stand."""
    row = chain_consents.get(tx, vault, handle)
    if row is None or row.state != chain_consents.EMERGENCY:
        return None
    asked = _asked(vault, Category.DEMOGRAPHICS, actor, Purpose.ETREAT, now_seconds)
    if not decide(ChainView(tx, ledger), handle, NO_TERMS, ZERO32, asked).allowed:
        return None
    return Ground(handle=handle, vaults=(vault,), categories=EMERGENCY_CATEGORIES, labels=0)


def _names(actor: Actor) -> tuple[bytes, ...]:
    """By what a consent may name somebody. The patients of an organisation are not its people."""
    if actor.role == Role.PATIENT:
        return (actor.account,)
    return (actor.account, actor.organisation)


def _ground(
    view: ChainView, consent: Consent, actor: Actor, purpose: Purpose, now_seconds: int
) -> Ground | None:
    terms = consent.terms
    first = next(iter(members(terms.categories, Category)), None)
    if first is None:
        return None
    asked = _asked(consent.vault, first, actor, purpose, now_seconds)
    decision = decide(view, consent.handle, terms, consent.salt, asked)
    # A consent for named records opens those alone: what was opened under it is what it names.
    if not decision.allowed and decision.reason is not Reason.RECORD:
        return None
    # The record is looked at before the condition, which has to hold as well.
    if terms.condition != ZERO20 and not view.is_open(terms.condition, terms.condition_id):
        return None
    return Ground(
        handle=consent.handle,
        vaults=(consent.vault,),
        categories=terms.categories,
        labels=terms.labels,
    )


def _asked(
    vault: bytes, category: IntEnum, actor: Actor, purpose: Purpose, now_seconds: int
) -> Request:
    """The question whether any record of a category may be seen."""
    return Request(
        vault=vault,
        record=ZERO32,
        actor=actor.address,
        category=int(category),
        labels=0,
        purpose=int(purpose),
        time=now_seconds,
    )
