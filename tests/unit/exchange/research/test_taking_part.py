"""Who takes part in a study is read for it, and nobody else, nor they before or after."""

from __future__ import annotations

import msgspec
import pytest

from simdes.errors import Conflict, Forbidden, Invalid, NotFound, SimdesError, Tampered
from simdes.exchange import consents, retrieve
from simdes.exchange.research import studies, taking_part
from support import researching
from support.consortium import Clock, Consortium
from support.fhir_api import Api
from support.researching import AREA, DAY, Patient

CATEGORIES = ("demographics", "observations")


def read(network: Consortium, who: Patient) -> int:
    """How many resources the researcher of the clinic reads of a patient; 0 where refused."""
    session = network.session("south", "prof.ray")
    try:
        found = retrieve.retrieve(network["south"].node, session, vault=who.vault, purpose="HRESCH")
    except Forbidden:
        return 0
    return len(found.resources)


@pytest.fixture(scope="module")
def somebody(researched: tuple[Consortium, Clock], doctor: Api) -> Patient:
    return researching.patient(researched[0], doctor, "taking")


def test_a_patient_is_read_from_opting_in_to_withdrawing(
    network: Consortium, somebody: Patient
) -> None:
    made = researching.document(network)
    south, north = network["south"].node, network["north"].node
    ray, approver = network.session("south", "prof.ray"), network.session("north", "dr.north")
    assert studies.register(south, ray, made) == studies.id_of(south, made)
    assert not studies.stands(north, made).running
    assert read(network, somebody) == 0

    mine = taking_part.opt_in(north, somebody.session, made, vault=somebody.vault)
    assert not mine.open
    assert read(network, somebody) == 0, "nobody approved it"
    assert studies.approve(north, approver, made).running
    assert read(network, somebody) == 2
    with pytest.raises(Conflict, match="already"):
        taking_part.opt_in(north, somebody.session, made, vault=somebody.vault)
    [told] = [
        one
        for one in taking_part.listed(north, somebody.vault)
        if one.group == studies.id_of(north, made)
    ]
    assert told.open
    assert told.releases == ()

    studies.retract(north, approver, made)
    assert read(network, somebody) == 0, "the approval is gone"
    studies.approve(north, approver, made)
    assert read(network, somebody) == 2

    [left] = taking_part.withdraw(
        north, somebody.session, vault=somebody.vault, study=studies.id_of(north, made)
    )
    assert left.withdrawn
    assert not left.open
    assert read(network, somebody) == 0
    with pytest.raises(NotFound):
        taking_part.withdraw(
            north, somebody.session, vault=somebody.vault, study=studies.id_of(north, made)
        )
    with pytest.raises(Conflict):
        south.agent.transact(south.contracts.studies.opt_in(studies.id_of(south, made), left.tag))


def test_a_patient_may_come_back_under_another_tag(network: Consortium, somebody: Patient) -> None:
    made = researching.running(network, title="Another")
    north = network["north"].node
    id_ = studies.id_of(north, made)
    first = taking_part.opt_in(north, somebody.session, made, vault=somebody.vault)
    taking_part.withdraw(north, somebody.session, vault=somebody.vault, study=id_)
    second = taking_part.opt_in(north, somebody.session, made, vault=somebody.vault)
    assert first.tag != second.tag
    assert read(network, somebody) == 2
    taking_part.withdraw(north, somebody.session, vault=somebody.vault, study=id_)


def test_a_preference_stands_by_and_leaves_one_study_alone(
    network: Consortium, somebody: Patient
) -> None:
    north, south = network["north"].node, network["south"].node
    area = "lungs"
    made = taking_part.prefer(
        north,
        somebody.session,
        vault=somebody.vault,
        sponsor=south.organisation,
        area=area,
        categories=CATEGORIES,
    )
    assert not made.open
    assert read(network, somebody) == 0, "no study of the area runs"
    researching.running(network, title="Elsewhere", area=AREA)
    assert read(network, somebody) == 0, "one of another area does"
    study = researching.running(network, title="Breath", area=area)
    assert read(network, somebody) == 2
    [left] = taking_part.withdraw(
        north, somebody.session, vault=somebody.vault, study=studies.id_of(north, study)
    )
    assert left.withdrawn
    assert read(network, somebody) == 2, "the preference goes on for other studies"
    with pytest.raises(Conflict):  # whoever would put the tag there
        south.agent.transact(south.contracts.studies.opt_in(left.group, left.tag))
    [ended] = taking_part.withdraw(north, somebody.session, vault=somebody.vault, study=made.group)
    assert ended.withdrawn
    assert read(network, somebody) == 0


def test_revoking_the_consent_ends_it_too(network: Consortium, somebody: Patient) -> None:
    made = researching.running(network, title="Revoked")
    north = network["north"].node
    mine = taking_part.opt_in(north, somebody.session, made, vault=somebody.vault)
    assert read(network, somebody) == 2
    consents.revoke(north, somebody.session, vault=somebody.vault, handle=mine.handle)
    assert read(network, somebody) == 0


def test_nobody_takes_part_for_a_patient(network: Consortium, somebody: Patient) -> None:
    made = researching.running(network, title="For others")
    north = network["north"].node
    for user in ("dr.north", "admin"):
        with pytest.raises(Forbidden):
            taking_part.opt_in(north, network.session("north", user), made, vault=somebody.vault)
    tag = north.contracts.studies.tag_for(group=studies.id_of(north, made), secret=bytes(32))
    north.agent.transact(north.contracts.studies.opt_in(studies.id_of(north, made), tag))
    assert read(network, somebody) == 0, "a tag alone opens nothing"


def test_who_may_register_and_approve(network: Consortium) -> None:
    south, north = network["south"].node, network["north"].node
    made = researching.document(network, title="Who")
    with pytest.raises(Forbidden):
        studies.register(south, network.session("south", "dr.lee"), made)
    with pytest.raises(Tampered):
        studies.register(north, network.session("north", "admin"), made)
    with pytest.raises(NotFound):
        studies.stands(north, made)
    studies.register(south, network.session("south", "prof.ray"), made)
    with pytest.raises(Conflict):
        studies.register(south, network.session("south", "prof.ray"), made)
    with pytest.raises(Forbidden):
        studies.approve(south, network.session("south", "dr.lee"), made)
    changed = researching.document(network, title="Who else")
    with pytest.raises(NotFound):
        studies.approve(north, network.session("north", "dr.north"), changed)
    assert studies.id_of(north, made) in [one.id for one in studies.listed(north)]


def test_a_study_ends_by_itself(
    network: Consortium, clock: Clock, doctor: Api, somebody: Patient
) -> None:
    made = researching.running(
        network, title="Short", ends=network["south"].node.now_seconds() + DAY
    )
    north = network["north"].node
    taking_part.opt_in(north, somebody.session, made, vault=somebody.vault)
    assert read(network, somebody) == 2
    clock.ahead_seconds += DAY + 60
    assert read(network, somebody) == 0
    with pytest.raises(SimdesError):
        taking_part.opt_in(north, somebody.session, made, vault=somebody.vault)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"x" * 300_000],
    ids=["nothing", "empty", "another", "large"],
)
def test_what_is_no_study_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        studies.read_document(content)


def test_a_document_is_read_as_it_was_written(network: Consortium) -> None:
    made = researching.document(network)
    assert studies.read_document(researching.written(made)) == made
    told = msgspec.json.decode(researching.written(made))
    told["categories"] = ["everything"]
    with pytest.raises(Invalid):
        studies.read_document(msgspec.json.encode(told))


def test_who_ended_the_consent_elsewhere_leaves_after_it_and_may_join_again(
    network: Consortium, doctor: Api
) -> None:
    who = researching.patient(network, doctor, "ended-elsewhere")
    north, made = network["north"].node, researching.running(network, title="Ended elsewhere")
    study = studies.id_of(north, made)
    mine = taking_part.opt_in(north, who.session, made, vault=who.vault)
    consents.revoke(north, who.session, vault=who.vault, handle=mine.handle)
    assert read(network, who) == 0
    with pytest.raises(Conflict, match="already"):
        taking_part.opt_in(north, who.session, made, vault=who.vault)
    [left] = taking_part.withdraw(north, who.session, vault=who.vault, study=study)
    assert (left.handle, left.withdrawn) == (mine.handle, True)
    with pytest.raises(NotFound):
        taking_part.withdraw(north, who.session, vault=who.vault, study=study)
    assert taking_part.opt_in(north, who.session, made, vault=who.vault).open
    assert read(network, who) == 2


def test_nobody_else_withdraws_a_patients_tags(network: Consortium, somebody: Patient) -> None:
    north, other = network["north"].node, network.session("north", somebody.user)
    with pytest.raises(Forbidden):
        taking_part.leave(north, other, vault=north.own_vault[0], study=bytes(32))
