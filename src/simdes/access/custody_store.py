"""`keep`, `drop` and `blocks`: organisations keep copies of each other's contents.

Everything here is sealed, and named by its digest; who keeps it learns neither whose patient it is
about nor what is in it. An organisation keeps what the placement rule gives to it, says so under
its signature once the content lies in its own store, gives blocks to any member that lost them, and
deletes for good what their author erases (docs/formats/custody-release.md, docs/storage.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from simdes.access.accounts import why_inactive
from simdes.access.audit_event import Verb
from simdes.access.categories import Role, State
from simdes.access.desk import QUOTA, Asker, Body, Desk, Outcome, refuse
from simdes.access.messages import BlocksBody, DropBody, KeepBody
from simdes.crypto import cbor
from simdes.errors import NotFound, Tampered, Unavailable
from simdes.index import chain, safekeeping
from simdes.index.transaction import Transaction
from simdes.ledger.consents import Reason
from simdes.storage.placement import keepers

ANSWER_BYTES: Final = 8 << 20
"""Bytes of blocks in one answer; what does not fit is asked for again."""

HELD, COMING, DROPPED = "held", "coming", "dropped"
KEPT, LATER, NOT_PLACED = "kept", "later", "not_placed"
"""What is said of a content; `KEPT`: not the asker's to have deleted, `LATER`: ask again."""


def keep(desk: Desk, asker: Asker, body: KeepBody) -> Outcome:
    """Which of these contents lie here for the asker; those that do not yet are fetched."""
    cids = tuple(dict.fromkeys(body.cids))
    reason = _unfit_software(asker)
    if reason:
        return refuse(asker.attempt(Verb.KEEP, reason=reason))
    author = asker.standing.organisation
    with desk.database.read() as tx:
        known = safekeeping.known(tx, author, cids)
        load = safekeeping.load(tx, author)
        placed = set(_placed_here(tx, desk.organisation, author, cids, copies=body.copies))
    fresh = [cid for cid in cids if cid not in known and cid in placed]
    limits = desk.limits
    full = 0 < limits.keep_bytes <= load.bytes or load.waiting + len(fresh) > limits.keep_waiting
    if fresh and full:
        return refuse(asker.attempt(Verb.KEEP, reason=QUOTA))
    now_ms = int(desk.clock() * 1000)

    def write(tx: Transaction) -> Body:
        safekeeping.want(tx, author, fresh, now_ms=now_ms)
        return {}

    states = {cid: _said(known.get(cid), cid in placed) for cid in cids}
    return Outcome(
        attempts=(asker.attempt(Verb.KEEP),),
        receipt=_listed(states),
        write=write,
    )


def drop(desk: Desk, asker: Asker, body: DropBody) -> Outcome:
    """Which of these contents of the asker are gone from here; those that are not go soon.

    Nobody has deleted what is not theirs: a content that is ours, or that another organisation has
    us keep, stays, and that is said. What only lies here by chance (an IPFS node keeps for a while
    what it passed on) goes.
    """
    cids = tuple(dict.fromkeys(body.cids))
    reason = _unfit_software(asker)
    if reason:
        return refuse(asker.attempt(Verb.DROP, reason=reason))
    author = asker.standing.organisation
    with desk.database.read() as tx:
        known = safekeeping.known(tx, author, cids)
        kept = {cid for cid in cids if cid not in known and safekeeping.still_kept(tx, cid)}
    states = {cid: _dropped(desk, cid, known.get(cid), kept=cid in kept) for cid in cids}
    going = [cid for cid, state in states.items() if state == COMING]
    now_ms = int(desk.clock() * 1000)

    def write(tx: Transaction) -> Body:
        safekeeping.drop(tx, author, going, now_ms=now_ms)
        return {}

    return Outcome(attempts=(asker.attempt(Verb.DROP),), receipt=_listed(states), write=write)


def _dropped(desk: Desk, cid: str, state: str | None, *, kept: bool) -> str:
    if state is not None:
        return DROPPED if state == safekeeping.DROPPED else COMING
    if kept:
        return KEPT
    try:
        desk.store.verify(cid)
    except (NotFound, Tampered):  # not here, or here without anything that keeps it
        return COMING if desk.store.has(cid) else DROPPED
    except Unavailable:
        return LATER
    return KEPT


def blocks(desk: Desk, asker: Asker, body: BlocksBody) -> Outcome:
    """Blocks of our own store; what is not there, or does not fit any more, is left out."""
    reason = _unfit_software(asker)
    if reason:
        return refuse(asker.attempt(Verb.BLOCKS, reason=reason))
    found: list[cbor.Value] = []
    size = 0
    for cid in dict.fromkeys(body.cids):
        try:
            block = desk.store.get_block_here(cid)
        except (NotFound, Tampered):
            continue
        except Unavailable:
            break  # each further one would wait for the same store
        if size + len(block) > ANSWER_BYTES:
            break
        size += len(block)
        found.append([cid, block])
    return Outcome(
        attempts=(asker.attempt(Verb.BLOCKS),),
        receipt={"count": len(found)},
        body={"blocks": found},
    )


def _unfit_software(asker: Asker) -> str:
    reason = asker.unfit or why_inactive(asker.standing)
    if not reason and asker.standing.role is not Role.AGENT:
        reason = Reason.WRONG_ROLE.name
    return reason


def _placed_here(
    tx: Transaction, here: bytes, author: bytes, cids: Sequence[str], *, copies: int
) -> list[str]:
    """Those contents that the rule places here: nobody can fill whose disks they like."""
    verified = [one.id for one in chain.organisations(tx) if one.state == State.VERIFIED]
    return [cid for cid in cids if here in keepers(cid, author, verified, copies=copies)]


def _said(state: str | None, placed: bool) -> str:
    """What is said of a content: held, dropped for good, on its way here, or not ours to keep."""
    if state in (safekeeping.HELD, safekeeping.DROPPED):
        return state
    if state == safekeeping.DROPPING:
        return DROPPED
    return COMING if state is not None or placed else NOT_PLACED


def _listed(states: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for cid, state in states.items():
        found.setdefault(state, []).append(cid)
    return found
