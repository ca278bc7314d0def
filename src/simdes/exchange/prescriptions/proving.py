"""Steps of a prescription, proved with this network's keys and carried out on the ledger."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path

from simdes.errors import Invalid
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import stating
from simdes.exchange.prescriptions.rules import PROOFS_AT_ONCE
from simdes.exchange.rights import Asking
from simdes.ledger.contracts import ProvenStep, element_of_id
from simdes.ledger.lane import Call
from simdes.ledger.statements import PrescriptionStatus
from simdes.proofs import keys as proving_keys
from simdes.proofs import prover
from simdes.proofs.keys import SHIPPED, Keys
from simdes.proofs.openings import Opening, number
from simdes.proofs.prescriptions import Step, public_inputs, signals, tag_of
from simdes.proofs.trees import Place

Verb = Callable[[ProvenStep], Call]


def prove(node: Node, opening: Opening, step: Step) -> ProvenStep:
    """Prove that the prescription allows a step, under the forest's newest root.

    About a second. Raises Conflict for a step that it does not allow, Invalid without usable keys,
    NotFound for a statement that the forest lacks, Tampered for one that its batch does.
    """
    opening.require_whole()
    terms = opening.prescription
    step.require_allowed(terms)
    place = node.forests.standing(node.desk, issuer=opening.issuer, batch_root=opening.batch_root)
    around = {
        "root": place.root,
        "pharmacy": element_of_id(node.organisation),
        "context": stating.context(node),
    }
    where = Place(
        batch_index=opening.place,
        batch_siblings=tuple(map(number, opening.siblings)),
        forest_index=place.index,
        forest_siblings=place.siblings,
    )
    proof = prover.prove(
        _keys(node), signals(terms, step, where, **around), public_inputs(terms, step, **around)
    )
    return ProvenStep(
        root=place.root,
        tag=tag_of(terms.key, context=around["context"]),
        part_before=terms.part(step.before),
        part_after=terms.part(step.after),
        begins=step.begins(terms),
        proof=proof,
    )


def turn(node: Node, asking: Asking) -> AbstractContextManager[None]:
    """A turn to prove for somebody, of which every account has so many. Raises TooMany."""
    return node.proofs.turn(
        asking.session.actor.account,
        now_seconds=node.now_seconds(),
        per_minute=node.rules.proofs_per_minute,
        at_once=PROOFS_AT_ONCE,
    )


def step_from(
    opening: Opening, status: PrescriptionStatus, *, units: int, today: int, releases: bool = False
) -> Step:
    """The step by which ``units`` more are dispensed than the ledger knows of."""
    before = opening.prescription.units(status.part)
    return Step(
        before=before,
        after=before + units,
        day=today,
        fill_day=status.fill_day,
        releases=releases,
    )


def _keys(node: Node) -> Keys:
    rules = node.rules
    if rules.keys is None and not rules.development:
        raise Invalid(
            "This organisation has no keys to prove with.",
            advice="Hold a ceremony and name its folder in the setting `proving_keys`.",
        )
    return _loaded(rules.keys or SHIPPED, rules.development)


@lru_cache(maxsize=4)
def _loaded(folder: Path, development: bool) -> Keys:
    return proving_keys.load("dispense", folder, allow_development=development)
