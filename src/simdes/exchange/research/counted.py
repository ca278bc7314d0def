"""Counting without names: a patient shows to meet a study's criteria, the collector counts.

docs/formats/studies.md, "cohort". The patient has facts that hospitals stated and the key that they
name; one proof for each criterion goes to the study's collector, whose software puts it on the
ledger. The collector learns that somebody meets the criteria, the ledger counts each once, and
neither learns who, nor which facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec

from simdes.access.categories import Role
from simdes.decoding import ready
from simdes.errors import Conflict, Forbidden, Invalid, Tampered
from simdes.exchange.disclosing import standing
from simdes.exchange.node import Node
from simdes.exchange.research.studies import Document, Id, octets, stands
from simdes.exchange.signin import Session
from simdes.ledger import events
from simdes.ledger.contracts import Met, element_of_id
from simdes.proofs import cohorts, facts, keys, prover
from simdes.proofs.cohorts import Around, Criterion
from simdes.proofs.disclosures import Kept
from simdes.proofs.trees import Place

MOST_BYTES: Final = 16 * 1024
_DAY_SECONDS: Final = 86_400
Proof = Annotated[str, msgspec.Meta(pattern="^0x[0-9a-f]{512}$")]


class Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a patient hands to the collector: it tells a nullifier, and nothing about anybody.

    ``day`` (since 1970-01-01) is the only one on which the ledger takes it.
    """

    v: Literal[1] = 1
    study: Id
    nullifier: Id
    root: Id
    day: Annotated[int, msgspec.Meta(ge=0, lt=1 << 20)]
    proofs: Annotated[tuple[Proof, ...], msgspec.Meta(min_length=1, max_length=8)]


def prove(node: Node, document: Document, kept: Sequence[Kept], *, holder_key: int) -> bytes:
    """Show that facts meet every criterion of a study, as a document for its collector.

    Good on this day of the ledger (UTC) alone. Raises Conflict where no fact meets a criterion, a
    fact is another holder's or the study doesn't run, NotFound where a fact's batch isn't in the
    present forest, Invalid for keys of proofs that may not be used.
    """
    found = stands(node, document)
    if not found.running:
        raise Conflict("The study is not approved, has not begun or is over.")
    holder = facts.holder_of(holder_key)
    own = [one for one in kept if one.fact.holder == holder]
    if not own:
        raise Conflict("No fact is stated for the holder of this key.")
    day = node.contracts.ledger.head().timestamp // _DAY_SECONDS
    chosen = [_meeting(asked.criterion, own, day=day) for asked in document.criteria]
    placed = [standing(node, one) for one in chosen]
    around = Around(
        root=placed[0][0].root,
        scope=node.contracts.studies.scope_of(found.id),
        collector=element_of_id(octets(document.collector)),
        day=day,
    )
    nullifier = cohorts.nullifier_of(holder_key, scope=around.scope)
    rules = node.rules
    proving = keys.load("cohort", rules.keys or keys.SHIPPED, allow_development=rules.development)
    proofs = []
    for asked, one, (_, index) in zip(document.criteria, chosen, placed, strict=True):
        forest = placed[0][0]
        place = Place(
            batch_index=one.place,
            batch_siblings=tuple(int.from_bytes(part, "big") for part in one.siblings),
            forest_index=index,
            forest_siblings=tuple(forest.siblings(index)),
        )
        criterion = asked.criterion
        proofs.append(
            prover.prove(
                proving,
                cohorts.signals(criterion, one.fact, place, around, holder_key=holder_key),
                cohorts.public_inputs(criterion, around, nullifier=nullifier),
            )
        )
    shown = Shown(
        study=f"0x{found.id.hex()}",
        nullifier=_hex(nullifier),
        root=_hex(around.root),
        day=day,
        proofs=tuple(f"0x{one.hex()}" for one in proofs),
    )
    return msgspec.json.encode(shown)


def count(node: Node, session: Session, document: Document, shown: bytes) -> int:
    """Put a patient's proofs on the ledger as the study's collector; how many are counted now.

    Raises Forbidden where the session is no researcher or administrator of the collector, Tampered
    for proofs of another study, Conflict for proofs of another day, a patient who was counted
    before, and whatever else the contract refuses.
    """
    found = stands(node, document)
    if octets(document.collector) != node.organisation:
        raise Forbidden("The study names another organisation to count.")
    actor = session.actor
    if actor.organisation != node.organisation or actor.role not in _COUNTING:
        raise Forbidden("Researchers and administrators of the collector count.")
    read = read_shown(shown)
    if octets(read.study) != found.id:
        raise Tampered("These proofs are of another study.")
    today = node.contracts.ledger.head().timestamp // _DAY_SECONDS
    if read.day != today:
        raise Conflict("These proofs are of another day.", advice="Let the patient prove again.")
    proofs = [Met(int(read.root, 16), octets(one)) for one in read.proofs]
    receipt = node.agent.transact(
        node.contracts.studies.count(found.id, int(read.nullifier, 16), proofs)
    )
    made = (node.contracts.decode(log) for log in receipt.logs)
    [counted] = [one.counted for one in made if isinstance(one, events.Counted)]
    return counted


def read_shown(content: bytes) -> Shown:
    """Read what a patient hands over. Raises Invalid."""
    if len(content) > MOST_BYTES:
        raise Invalid("proofs of a study have 16 KiB at most")
    try:
        return msgspec.json.decode(content, type=ready(Shown))
    except msgspec.DecodeError as error:
        raise Invalid(f"these are no proofs of a study: {error}") from None


_COUNTING: Final = frozenset((Role.RESEARCHER, Role.ADMINISTRATOR))


def _meeting(criterion: Criterion, kept: Sequence[Kept], *, day: int) -> Kept:
    """The newest fact that meets a criterion."""
    met = [one for one in kept if criterion.is_met_by(one.fact, day=day)]
    if not met:
        raise Conflict("No fact meets one of the study's criteria today.")
    return max(met, key=lambda one: one.day)


def _hex(element: int) -> str:
    return f"{element:#066x}"
