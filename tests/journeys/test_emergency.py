"""Break glass between organisations: told at once, bounded in time and kind, reviewed (0062).

A doctor of the clinic opens the record of a patient of the hospital without consent. Everybody
sees it on the ledger, every custodian judges it by itself, and nobody forgets it.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest

from journeys.conftest import Scene
from journeys.scenes import journey_ledger
from simdes.access.asking import Because
from simdes.access.audit_event import Verb
from simdes.access.categories import Purpose
from simdes.app import ADMINISTRATOR
from simdes.errors import Forbidden
from simdes.exchange import consents, emergencies, logbook, notices, opening, retrieve
from simdes.exchange.emergencies import Emergency
from simdes.exchange.retrieve import Retrieved
from simdes.exchange.signin import Session
from support import consortium

by_its_clock = pytest.mark.skipif(
    journey_ledger() != consortium.EMBEDDED, reason="waits by the network's clock"
)
OPENED = {"ada", "ada-condition", "ada-allergy", "ada-observation-0", "ada-observation-1"}
"""What an emergency opens of her record: not what is labelled as sensitive."""
EVERYTHING = (1 << 16) - 1


def broken_open(scene: Scene, text: str = "") -> Emergency:
    """The clinic's doctor opens ada's record."""
    return emergencies.open_(
        scene.network["south"].node,
        scene.doctor,
        vault=scene.ada,
        reason="unconscious",
        text=text,
        name="Dr Lee",
    )


def read(scene: Scene, made: Emergency, session: Session | None = None) -> Retrieved:
    """What opens under an emergency."""
    return retrieve.retrieve(
        scene.network["south"].node,
        session or scene.doctor,
        vault=scene.ada,
        purpose="ETREAT",
        emergency=made.handle,
    )


def ids(found: Retrieved) -> set[str]:
    return {json.loads(one.content)["id"] for one in found.resources}


def patient(scene: Scene) -> Session:
    return scene.network.session("north", "ada")


def review(scene: Scene, made: Emergency, outcome: str = "justified") -> Emergency:
    """The clinic's administrator judges."""
    south = scene.network["south"].node
    session = scene.network.session("south", ADMINISTRATOR)
    return emergencies.review(south, session, made.handle, outcome=outcome)


def closed(scene: Scene, made: Emergency) -> None:
    """Nothing opens under it any more, not even what was read a moment ago."""
    south = scene.network["south"].node
    with pytest.raises(Forbidden):
        read(scene, made)
    because = Because(int(Purpose.ETREAT), emergency=made.handle)
    with pytest.raises(Forbidden):
        opening.read_under(south, scene.doctor, scene.ada, EVERYTHING, because)
    assert opening.copies_held(south, scene.ada) == 0


def test_the_patient_is_told_before_anything_opens_and_sees_all_that_did(scene: Scene) -> None:
    north = scene.network["north"].node
    made = broken_open(scene, "Found at the station.")
    [notice] = notices.listed(north, patient(scene))
    south = scene.network["south"].node.organisation
    assert (notice.kind, notice.organisation) == (notices.EMERGENCY, south)
    [told] = emergencies.of_vault(north, patient(scene), scene.ada)
    assert (told.name, told.reason, told.text) == (
        "Dr Lee", "unconscious", "Found at the station.",
    )  # fmt: skip
    assert ids(read(scene, made)) == OPENED
    scene.network.settle()
    log = logbook.read_log(north, patient(scene), vault=scene.ada)
    seen = Counter((one.verb, one.reason) for one in log.entries if one.purpose == "ETREAT")
    assert seen[("release", "")] >= 2, "each custodian that gave a share says so"
    assert seen[("read", "")] == 1 and seen[(Verb.EMERGENCY.value, "")] == 1
    assert (log.silent, log.doubts) == ({}, ())


def test_it_opens_for_who_opened_it_alone_and_for_no_other_patient(scene: Scene) -> None:
    made = broken_open(scene)
    with pytest.raises(Forbidden):
        read(scene, made, scene.network.session("south", "nurse.kim"))
    with pytest.raises(Forbidden):
        retrieve.retrieve(
            scene.network["south"].node,
            scene.doctor,
            vault=scene.vaults["bea"],
            purpose="ETREAT",
            emergency=made.handle,
        )
    for member, user in (("east", "clerk.poe"), ("south", "prof.ray"), ("south", ADMINISTRATOR)):
        with pytest.raises(Forbidden):
            emergencies.open_(
                scene.network[member].node,
                scene.network.session(member, user),
                vault=scene.ada,
                reason="unconscious",
            )


@by_its_clock
def test_its_time_ends_it_at_every_custodian_and_it_is_reviewed_in_time(scene: Scene) -> None:
    made = broken_open(scene)
    south = scene.network["south"].node
    bounds = emergencies.bounds(south, scene.ada)
    assert 0 < made.until_seconds - made.opened_seconds <= bounds.open_seconds
    assert ids(read(scene, made)) == OPENED
    scene.clock.ahead_seconds += bounds.open_seconds + 1
    closed(scene, made)
    scene.clock.ahead_seconds += bounds.review_seconds + 1
    with pytest.raises(Forbidden, match="waits for its review"):
        broken_open(scene)
    [late] = [
        one
        for one in emergencies.listed(south, scene.network.session("south", ADMINISTRATOR))
        if one.overdue
    ]
    assert late.handle == made.handle
    assert review(scene, made).outcome == "justified"
    again = broken_open(scene)
    assert ids(read(scene, again)) == OPENED


def test_a_review_that_finds_no_emergency_closes_it_at_once(scene: Scene) -> None:
    made = broken_open(scene)
    assert read(scene, made)
    review(scene, made, "unjustified")
    closed(scene, made)
    [told] = emergencies.of_vault(scene.network["north"].node, patient(scene), scene.ada)
    assert told.outcome == "unjustified", "the patient reads how it was judged"


def test_the_patient_ends_it_whatever_the_clinic_says(scene: Scene) -> None:
    made = broken_open(scene)
    assert read(scene, made)
    consents.revoke(
        scene.network["north"].node, patient(scene), vault=scene.ada, handle=made.handle
    )
    closed(scene, made)
