"""Merge: two patients of this organisation are one person, says its patient administration.

While both vaults are provisional the prior's identifiers and records follow to the survivor: the
records are sealed again there, and what is anchored in the prior's vault stays, unreachable by
identifier. Where a patient controls one of the vaults nothing moves without the patient: the merge
is noted, the message waits in quarantine, and whoever controls a vault is asked
(`merge_questions`, docs/decisions/0016-whose-records.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import Role
from simdes.access.vaults import vault_key
from simdes.crypto.digest import sha256
from simdes.crypto.keys import unwrap
from simdes.exchange import merge_questions
from simdes.exchange.checking import Ready, refusal
from simdes.exchange.indexing import Written, index_own, resource_context
from simdes.exchange.node import Node
from simdes.exchange.patients import Merge
from simdes.exchange.placing import Home
from simdes.exchange.versions import new_version
from simdes.fhir.json import loads
from simdes.index import (
    chain,
    entries,
    merges,
    moments,
    outbox,
    prescriptions,
    resources,
    unindexed,
    vaults,
)
from simdes.index.resources import NewResource, Resource
from simdes.index.transaction import Transaction
from simdes.index.vaults import Identifier, Vault
from simdes.mapper import Quarantined

_ALL_CATEGORIES = range(64)
_NOT_THEIRS = (
    "merge-needs-registration",
    "The message merges two patients, which its sender may not.",
    "Find out whether they are one person; replay the message if they are.",
)
_ERASED = (
    "vault-erased",
    "One of the two patients' records were erased here.",
    "Find out whether the patient wants records again before replaying it.",
)


@dataclass(frozen=True, slots=True)
class _Pair:
    prior: Vault
    survivor: Vault


def unregistered(ready: Ready) -> Quarantined | None:
    """Why a message waits whose sender may not merge patients; None where it merges none."""
    return refusal(ready.message, *_NOT_THEIRS) if ready.merges else None


def settle(
    node: Node, tx: Transaction, ready: Ready, *, registers: bool = True
) -> Quarantined | None:
    """Carry out a message's merges, so that each merged patient has one vault here.

    ``registers``: whether the sender may merge patients. Returns why the message must wait; then
    nothing was moved.
    """
    if not registers and (waits := unregistered(ready)) is not None:
        return waits
    pairs = [one for one in (_pair(tx, merge) for merge in ready.merges) if one is not None]
    alone = not pairs and len(ready.merges) < 2
    joined = [] if alone else _joined(tx, ready.merges)
    if any(vault.is_closed for its in joined for vault in its.values()):
        return refusal(ready.message, *_ERASED)
    if (held := _held(node, tx, ready, pairs, joined)) is not None:
        return held
    for merge in ready.merges:
        found = _pair(tx, merge)  # again: the merge before this one may have moved its vaults
        if found is not None:
            found = _moving(tx, found)
            _note(node, tx, found, merges.MOVED)
            vaults.relink(tx, found.prior.tag, found.survivor.tag)
            _copy(node, tx, found)
            prescriptions.note(tx, found.survivor.tag)  # pharmacies that it lets in are told
            _enter(node, tx, found)
        _join(tx, merge)
    return None


def _held(
    node: Node,
    tx: Transaction,
    ready: Ready,
    pairs: Sequence[_Pair],
    joined: Sequence[dict[bytes, Vault]],
) -> Quarantined | None:
    """Why the merges wait for somebody else, None where nobody else has a say, or all accepted.

    Patients are asked about one merge of two vaults that were opened here; a message with several
    is taken apart by hand first.
    """
    if all(_free(tx, vault) for its in joined for vault in its.values()):
        return None
    for pair in pairs:
        if not (_free(tx, pair.prior) and _free(tx, pair.survivor)):
            _note(node, tx, _moving(tx, pair), merges.WAITING)
    if len(pairs) != 1 or not all(vault.home for its in joined for vault in its.values()):
        return refusal(ready.message, *merge_questions.NEEDS_PATIENT)
    [first] = pairs
    if [set(its) for its in joined] != [{first.prior.tag, first.survivor.tag}]:
        return refusal(ready.message, *merge_questions.NEEDS_PATIENT)
    question = merge_questions.asked(
        node,
        tx,
        sha256(ready.message.source),
        prior=first.prior,
        survivor=first.survivor,
        kept=_moving(tx, first).survivor.tag,
    )
    if merge_questions.agreed(node, tx, question):
        return None
    if merge_questions.declined(node, tx, question):
        return refusal(ready.message, *merge_questions.REFUSED)
    return refusal(ready.message, *merge_questions.NEEDS_PATIENT)


def _moving(tx: Transaction, pair: _Pair) -> _Pair:
    """The pair as records move: into the survivor, or into the one vault that a patient has.

    Else a patient's records would go on in a vault that is nobody's.
    """
    controls = [merge_questions.control(tx, one) for one in (pair.prior, pair.survivor)]
    if controls[0] is not None and controls[1] is None:
        return _Pair(pair.survivor, pair.prior)
    return pair


def _note(node: Node, tx: Transaction, pair: _Pair, state: str) -> None:
    merges.put(
        tx,
        merges.Merge(
            prior=pair.prior.tag,
            survivor=pair.survivor.tag,
            state=state,
            created_ms=node.now_ms(),
        ),
    )


def _enter(node: Node, tx: Transaction, pair: _Pair) -> None:
    """Have each patient's own log say that the records were joined, by our software."""
    address = node.agent.address
    software = chain.account_of(tx, address)
    theirs = [one for one in (pair.prior, pair.survivor) if not _free(tx, one)]
    node.desk.trail.append(
        tx,
        [
            Attempt(
                verb=Verb.MERGE,
                account=software.id if software is not None else bytes(32),
                address=address,
                role=int(Role.AGENT),
                organisation=node.organisation,
                purpose=None,
                vault=one.tag,
            )
            for one in theirs
        ],
    )


def _pair(tx: Transaction, merge: Merge) -> _Pair | None:
    """The two vaults, locked; None where one person has one vault, or none, already.

    A side whose identifiers belong to several patients is left to `placing`, which refuses it.
    """
    known = vaults.find_many(tx, (*merge.prior, *merge.survivor))
    prior = {known[one] for one in merge.prior if one in known}
    survivor = {known[one] for one in merge.survivor if one in known}
    if len(prior) != 1 or len(survivor) != 1 or prior == survivor:
        return None
    held = vaults.lock_many(tx, sorted(prior | survivor))
    return _Pair(held[prior.pop()], held[survivor.pop()])


def _joined(tx: Transaction, all_: Sequence[Merge]) -> list[dict[bytes, Vault]]:
    """The vaults that a message's merges make one of, each group locked: also those that none of
    them pairs now, but one does after another gave an identifier a vault, or a different one."""
    groups: list[set[Identifier | bytes]] = []
    for merge in all_:
        its: set[Identifier | bytes] = {*merge.prior, *merge.survivor}
        its |= set(vaults.find_many(tx, (*merge.prior, *merge.survivor)).values())
        for other in [group for group in groups if group & its]:
            groups.remove(other)
            its |= other
        groups.append(its)
    tags = [{one for one in group if isinstance(one, bytes)} for group in groups]
    held = vaults.lock_many(tx, sorted(set().union(*tags)))
    return [{tag: held[tag] for tag in its} for its in tags if len(its) > 1]


def _free(tx: Transaction, vault: Vault) -> bool:
    """Whether it is provisional and ours, here and on the chain as far as it was followed."""
    return bool(vault.home) and merge_questions.control(tx, vault) is None


def _join(tx: Transaction, merge: Merge) -> None:
    """Let identifiers unknown here lead where the others of the same person do."""
    both = (*merge.survivor, *merge.prior)
    known = vaults.find_many(tx, both)
    tags = set(known.values())
    if len(tags) == 1:
        [tag] = tags
        vaults.link_many(tx, {one: tag for one in both if one not in known})


def _copy(node: Node, tx: Transaction, pair: _Pair) -> None:
    """Bring the latest version of each of the prior's resources to the survivor, to be sealed.

    What the survivor has under the same id stays; in the prior's vault nothing is found any more.
    A few statements for a thousand resources.
    """
    keys = {one.tag: vault_key(node.desk.keystore, one) for one in (pair.prior, pair.survivor)}
    for page in _pages(tx, pair.prior.tag):
        there = resources.heads(tx, [(one.type, one.logical_id, pair.survivor.tag) for one in page])
        taken = [one for one in page if (one.type, one.logical_id, pair.survivor.tag) not in there]
        said = moments.of(tx, [one.id for one in taken])
        moved = [_rewrapped(node, one, pair, keys) for one in taken]
        stored = resources.add(tx, [row for row, _ in moved])
        moments.put(
            tx,
            {
                new.id: said[old.id]
                for new, old in zip(stored, taken, strict=True)
                if old.id in said
            },
        )
        outbox.add(tx, [one.id for one in stored if one.created])
        index_own(
            tx,
            node.organisation,
            [
                Written(row, one, loads(content))
                for (row, content), one in zip(moved, stored, strict=True)
            ],
        )
    unindexed.drop_vault(tx, pair.prior.tag)
    entries.drop_own(tx, pair.prior.tag)


def _pages(tx: Transaction, tag: bytes) -> Iterator[Sequence[Resource]]:
    after = 0
    while page := resources.of_vault(tx, tag, categories=_ALL_CATEGORIES, after=after):
        yield page
        after = page[-1].id


def _rewrapped(
    node: Node, one: Resource, pair: _Pair, keys: dict[bytes, bytes]
) -> tuple[NewResource, bytes]:
    """The resource for the survivor's vault, and its content in clear."""
    old = resource_context(pair.prior.tag, one.type, one.logical_id)
    content = unwrap(keys[pair.prior.tag], one.content_wrapped, aad=old)
    row = new_version(
        Home(pair.survivor.tag, keys[pair.survivor.tag]),
        type=one.type,
        logical_id=one.logical_id,
        content=content,
        category=one.category,
        labels=one.labels,
        created_ms=node.now_ms(),
        random=node.random,
        source_id=one.source_id,
        account=one.account,
    )
    return row, content
