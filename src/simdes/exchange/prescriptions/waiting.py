"""The pharmacy's side: what waits for it, of everybody who let it in.

Every hospital is asked whose prescriptions there are since the last time (the verb
`prescriptions`). The queue opens the records of those patients first, page by page, and then of
others who let the pharmacy in, of whom nobody told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Final

from simdes.access.categories import Category, Kind, State
from simdes.access.consent import Consent
from simdes.exchange import hearing, reach
from simdes.exchange.elsewhere import Resting
from simdes.exchange.following import known_consents
from simdes.exchange.hearing import Subject
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import holding
from simdes.exchange.prescriptions.announcing import lets_in
from simdes.exchange.prescriptions.codes import code_of
from simdes.exchange.prescriptions.dispensing import require_pharmacist
from simdes.exchange.prescriptions.holding import Held
from simdes.exchange.prescriptions.submitting import tag_named
from simdes.exchange.rights import Asking
from simdes.index import chain, whereabouts
from simdes.index.transaction import Transaction
from simdes.index.whereabouts import Told
from simdes.ledger.statements import PrescriptionStatus
from simdes.proofs.openings import number
from simdes.proofs.prescriptions import PARTS

PATIENTS: Final = reach.MOST_VAULTS
"""Whose records are opened for a page."""
MOST_OF_A_VAULT: Final = 200
"""Prescriptions of one vault that are known of one hospital; who tells of more is not believed."""
PATIENCE_SECONDS: Final = 600
"""How long a hospital's turn ends at what it tells of a vault that did not let us in, as far as we
were sent the terms. They may come later; where its patient sent them to the hospital alone, they
never do, and others stand behind."""


ASKED_AT_ONCE: Final = 200
"""Of how many prescriptions the ledger is asked in one exchange."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A prescription in the queue, with the code of the consent that opens it."""

    held: Held
    code: str


@dataclass(frozen=True, slots=True)
class Page:
    """What some patients have at a pharmacy, whether there are patients behind it, and what could
    not be opened, for people."""

    found: Sequence[Waiting]
    more: bool
    warnings: Sequence[str]


def look(node: Node, asking: Asking, page: int) -> Page:
    """A page of the queue, from 1: `PATIENTS` of those who let the caller's pharmacy in.

    Raises Forbidden for who is no pharmacist.
    """
    require_pharmacist(node, asking)
    first = (page - 1) * PATIENTS
    with node.database.read() as tx:
        known = whereabouts.PRESCRIPTIONS.known(tx)
        patients = _patients(node, asking, tx, known)
        chosen = list(islice(patients, first, first + PATIENTS + 1))
    shown = dict(chosen[:PATIENTS])
    asking, warnings = holding.reached(node, asking, tuple(shown))
    found = [
        Waiting(held, _code(shown[held.vault], held))
        for held in holding.all_held(node, asking, vaults=tuple(shown))
    ]
    today = holding.today_of(node)
    tags = [one.held.tag_bytes for one in found if one.held.terms.last_day < today]
    forget(node, [one for one in tags if one in known])
    return Page(found, len(chosen) > PATIENTS, warnings)


def _patients(
    node: Node, asking: Asking, tx: Transaction, known: Mapping[bytes, bytes]
) -> Iterator[tuple[bytes, list[Consent]]]:
    """Vaults with the consents that open prescriptions to the caller now: where a hospital told of
    a prescription, then where one was submitted by name, then all others; the newest first."""
    actor, now = asking.session.actor, node.now_seconds()
    named = node.standing.named_by(tx, actor)
    let = [one.vault for one in reversed(named)]
    sent = [one.vault for one in reversed(named) if tag_named(one)]
    among = set(reach.let_at(asking, let) or ())
    listed = [one for one in dict.fromkeys((*known.values(), *sent, *let)) if one in among]
    standing = node.standing.of(tx, actor, asking.purpose, listed, now_seconds=now)
    opening = (
        one.consent
        for one in standing
        if one.consent.terms.categories >> Category.PRESCRIPTIONS & 1
    )
    for vault, consents in groupby(opening, key=lambda one: one.vault):
        yield vault, list(consents)


def _code(consents: Sequence[Consent], held: Held) -> str:
    """The code that leads to a prescription: of what was submitted by its name, else of all."""
    fit = [one for one in consents if tag_named(one) in (held.tag_bytes, b"")]
    best = next((one for one in fit if tag_named(one)), (fit or consents)[0])
    return code_of(best.handle)


def collect(node: Node, resting: Resting | None = None) -> int:
    """Ask every hospital which prescriptions are new; how many there are (`hearing.collect`)."""
    if not node.rules.dispenses:
        return 0
    with node.database.read() as tx:
        others = [
            one.id
            for one in chain.organisations(tx)
            if one.kind == Kind.HOSPITAL
            and one.state == State.VERIFIED
            and one.id != node.organisation
        ]
    return hearing.collect(node, _PRESCRIPTIONS, others, resting)


def tidy(node: Node) -> int:
    """Forget prescriptions of which nothing is left, or that were cancelled; how many."""
    with node.database.read() as tx:
        known = whereabouts.PRESCRIPTIONS.known(tx)
    tags = list(known)
    ended: list[bytes] = []
    for at in range(0, len(tags), ASKED_AT_ONCE):
        group = tags[at : at + ASKED_AT_ONCE]
        said = node.contracts.prescriptions.statuses([number(one) for one in group])
        ended += [tag for tag, one in zip(group, said, strict=True) if _has_ended(one)]
    forget(node, ended)
    return len(ended)


def forget(node: Node, tags: Sequence[bytes]) -> None:
    """Forget prescriptions from which nobody dispenses any more."""
    if tags:
        node.database.write(lambda tx: whereabouts.PRESCRIPTIONS.forget(tx, tags))


def _has_ended(status: PrescriptionStatus) -> bool:
    return status.cancelled or status.part >= PARTS


def is_ours(node: Node, teller: bytes, told: Told) -> bool:
    """Whether the patient let us in, as far as we were sent the terms, and the hospital tells no
    more of them than can be."""
    with node.database.read() as tx:
        if whereabouts.PRESCRIPTIONS.count_of(tx, told.vault, teller) >= MOST_OF_A_VAULT:
            return False
    return any(
        lets_in(one.consent, told.item, contracts=node.contracts) == node.organisation
        for one in known_consents(node.desk, told.vault)
    )


_PRESCRIPTIONS: Final = Subject(
    verb="prescriptions",
    register=whereabouts.PRESCRIPTIONS,
    is_ours=is_ours,
    patience_seconds=PATIENCE_SECONDS,
)
