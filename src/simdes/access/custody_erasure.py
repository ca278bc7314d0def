"""`erase`: destroy our keys of a vault for good, and what of it lies here (docs/formats/vault.md).

Asked by the account that controls the vault, or by any member's software that shows what this
account signed (`access.orders`); while no patient controls it, by the software of who opened it,
and then only where nobody else wrote into it. Every verified organisation is asked: custodians
destroy their keys of all epochs, authors and readers the vault's local key, and authors delete
what they stored of it. An organisation whose law has it keep the chart says so in the receipt; what
it keeps is its own, and no share of it opens any more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from simdes.access import custody_keys, epochs
from simdes.access.accounts import why_inactive
from simdes.access.audit_event import Verb
from simdes.access.categories import Role
from simdes.access.desk import Asker, Body, Desk, Outcome, refuse
from simdes.access.held import held_in_vault
from simdes.access.messages import EraseBody
from simdes.access.orders import read_order
from simdes.access.requests import unhex
from simdes.errors import Invalid, Unauthenticated
from simdes.index import (
    access_requests,
    chain,
    contents,
    copies,
    corrections,
    custody,
    emergencies,
    health_links,
    resources,
    vaults,
    whereabouts,
)
from simdes.index.transaction import Transaction
from simdes.ledger.accounts import State, Vault
from simdes.ledger.consents import Reason

NOT_ITS_VAULT: Final = "NOT_ITS_VAULT"
CONTROLLED: Final = "CONTROLLED"
OTHERS_WROTE: Final = "OTHERS_WROTE"
BAD_ORDER: Final = "BAD_ORDER"
_EVERY_EPOCH: Final = 1 << 32

NONE, ERASED, KEPT = "none", "erased", "kept"
"""What became of the chart here: there was none, its key is gone, or the law has it kept."""


def erase(desk: Desk, asker: Asker, body: EraseBody) -> Outcome:
    """Destroy what opens a vault's records here; repeating it changes nothing and says the same."""
    tag = unhex(body.vault)
    known = desk.contracts.accounts.vault(tag)
    reason = asker.unfit or why_inactive(asker.standing)
    if not reason and body.order is not None:
        asker, reason = _orderer(desk, asker, tag, known, body.order)
    reason = reason or _why_not(desk, asker, tag, known)
    if reason or known is None:
        return refuse(asker.attempt(Verb.ERASE, vault=tag, reason=reason))
    descriptors = epochs.ever(desk, tag)
    epoch = known.epoch

    def write(tx: Transaction) -> Body:
        aside = custody.aside(tx)
        for one in descriptors:  # what a restore set aside opens shares, too
            if custody.key_of(tx, tag, one.epoch) is None:
                custody_keys.recover(tx, desk.organisation, tag, one, aside)
        custody.destroy(tx, tag, through_epoch=_EVERY_EPOCH)
        chart = _close_chart(desk, tx, tag)
        return {"chart": chart, "deleted": _delete_contents(desk, tx, tag)}

    with desk.database.read() as tx:
        chart = _chart(desk, tx, tag)
    return Outcome(
        # Not about the vault: its local key, which goes now, would be what opens the entry.
        attempts=(asker.attempt(Verb.ERASE, records=(tag,)),),
        receipt={
            "vault": body.vault,
            "epochs": list(range(1, epoch + 1)),
            "chart": chart,
            "duty": desk.chart_duty if chart == KEPT else "",
        },
        write=write,
    )


def _orderer(
    desk: Desk, carrier: Asker, tag: bytes, known: Vault | None, order: str
) -> tuple[Asker, str]:
    """Who signed an order that software shows, judged like one who asks, and what is against it.

    The patient's account as it stands now: an order by a key that was replaced since is none.
    """
    if carrier.standing.role is not Role.AGENT:
        return carrier, Reason.WRONG_ROLE.name
    try:
        address = read_order(order, contracts=desk.contracts, vault=tag)
    except (Invalid, Unauthenticated):
        return carrier, BAD_ORDER
    standing = desk.contracts.accounts.standing(address)
    if standing is None or known is None or known.control != standing.account:
        return carrier, BAD_ORDER
    return replace(carrier, standing=standing, address=address), why_inactive(standing)


def _why_not(desk: Desk, asker: Asker, tag: bytes, known: Vault | None) -> str:
    if known is None:
        return Reason.UNKNOWN_VAULT.name
    if known.control is not None and known.control == asker.standing.account:
        return ""
    if asker.standing.role is not Role.AGENT:
        return Reason.WRONG_ROLE.name
    if known.control is not None:
        return CONTROLLED
    asking = asker.standing.organisation
    if known.organisation != asking:
        return NOT_ITS_VAULT
    with desk.database.read() as tx:
        alone = all(one.organisation == asking for one in held_in_vault(tx, tag))
        ours = asking != desk.organisation and resources.any_of_vault(tx, tag)
    return "" if alone and not ours else OTHERS_WROTE


def _chart(desk: Desk, tx: Transaction, tag: bytes) -> str:
    """What there is, or becomes, of the chart here."""
    row = vaults.get(tx, tag)
    if row is None or not resources.any_of_vault(tx, tag):
        return NONE
    return KEPT if desk.chart_duty and row.key_wrapped is not None else ERASED


def _close_chart(desk: Desk, tx: Transaction, tag: bytes) -> str:
    """Let go of others' records; keep our own where the law says so, under the local key."""
    chart = _chart(desk, tx, tag)
    copies.drop_vault(tx, tag)
    corrections.drop_vault(tx, tag)
    access_requests.drop_vault(tx, tag)
    emergencies.drop_vault(tx, tag)
    health_links.drop_vault(tx, tag)
    whereabouts.CLAIMS.drop_vault(tx, tag)
    whereabouts.PRESCRIPTIONS.drop_vault(tx, tag)
    if chart == KEPT:
        vaults.close(tx, tag)
    elif vaults.get(tx, tag) is not None:  # a reader has a local key, too
        vaults.erase(tx, tag)
    return chart


def _delete_contents(desk: Desk, tx: Transaction, tag: bytes) -> int:
    """Have everything deleted that was stored of our records, here and where copies lie."""
    others = [
        one.id
        for one in chain.organisations(tx)
        if one.state == State.VERIFIED and one.id != desk.organisation
    ]
    cids = contents.kept_of_vault(tx, tag)
    if cids:
        contents.erase(tx, cids, others, now_ms=int(desk.clock() * 1000))
    return len(cids)
