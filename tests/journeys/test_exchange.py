"""The paper's Fig. 3 as assertions: who reads what, when custodians fail, lie or are robbed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import pytest

from journeys.conftest import Scene
from journeys.scenes import SHAPES
from simdes import app
from simdes.access import reading
from simdes.access.asking import Because, ask
from simdes.access.audit_event import Verb
from simdes.access.categories import Purpose
from simdes.access.consent import Grantee
from simdes.access.messages import CapsulesBody, ManifestsBody, ReleaseBody
from simdes.access.requests import hexed
from simdes.app import ADMINISTRATOR
from simdes.errors import Forbidden, SimdesError, Tampered, Unavailable
from simdes.exchange import consents, enrolment, logbook, opening, retrieve
from simdes.exchange.following import known_consents
from simdes.exchange.retrieve import Retrieved
from support.attackers import Liar, rob
from support.stored import blocks

both_shapes = pytest.mark.parametrize("scene", SHAPES, indirect=True)
OBSERVATIONS = {"ada-observation-0", "ada-observation-1"}
EVERYTHING = OBSERVATIONS | {"ada", "ada-condition", "ada-allergy", "ada-hiv"}


def ids(found: Retrieved) -> set[str]:
    """Logical ids of what was read, without what the mapper named for itself."""
    return {json.loads(one.content)["id"] for one in found.resources}


def noted(scene: Scene, name: str, *verbs: Verb) -> Counter[tuple[str, str]]:
    """What a member's own trail holds about ada's vault: (verb, reason), counted."""
    node = scene.network[name].node
    entries = node.desk.trail.entries(node.database, vault=scene.ada)
    return Counter(
        (entry.attempt.verb.value, entry.attempt.reason)
        for _, entry in entries
        if not verbs or entry.attempt.verb in verbs
    )


def down(scene: Scene, *names: str) -> None:
    for name in names:
        scene.network.down(name)


# Consent --------------------------------------------------------------------------------------


@both_shapes
def test_the_doctor_reads_exactly_what_was_granted_and_nothing_before(scene: Scene) -> None:
    with pytest.raises(Forbidden, match="UNKNOWN_HANDLE"):
        scene.read()
    scene.grant("observations")
    assert ids(scene.read()) == OBSERVATIONS
    assert ids(scene.read(categories=["allergies"])) == set()
    with pytest.raises(Forbidden):
        scene.read("bea")


@both_shapes
def test_a_consent_for_named_records_opens_those_and_no_others(scene: Scene) -> None:
    every = scene.grant("observations", "allergies", "conditions")
    by_record: dict[bytes | None, set[str]] = {}
    for one in scene.read().resources:
        by_record.setdefault(one.record_id, set()).add(json.loads(one.content)["id"])
    scene.revoke(every)
    with pytest.raises(Forbidden):
        scene.read()
    [named] = [record for record, its in by_record.items() if its == {"ada-allergy"}]
    assert named is not None
    scene.grant("observations", "allergies", "conditions", records=[named])
    assert ids(scene.read()) == {"ada-allergy"}
    assert known_because(scene).listed == (named,)


def test_a_category_not_granted_stays_closed_and_a_second_consent_opens_it(scene: Scene) -> None:
    scene.grant("observations")
    scene.grant("allergies")
    assert ids(scene.read()) == OBSERVATIONS | {"ada-allergy"}


def test_a_labelled_record_opens_only_where_the_consent_names_its_label(scene: Scene) -> None:
    scene.grant("observations")
    assert "ada-hiv" not in ids(scene.read())
    scene.grant("observations", labels=["PSY"])
    assert "ada-hiv" not in ids(scene.read())
    scene.grant("observations", labels=["HIV"])
    assert ids(scene.read()) == OBSERVATIONS | {"ada-hiv"}


@pytest.mark.parametrize("purpose", ["HPAYMT", "HRESCH", "HOPERAT", "PATRQT", "ETREAT"])
def test_another_purpose_than_the_one_granted_is_refused(scene: Scene, purpose: str) -> None:
    scene.grant("observations")
    with pytest.raises(Forbidden, match="PURPOSE"):
        scene.read(purpose=purpose)


@pytest.mark.parametrize("user", ["nurse.kim", "prof.ray"])
def test_another_role_than_the_one_granted_is_refused(scene: Scene, user: str) -> None:
    scene.grant("observations")
    session = scene.network.session("south", user)
    with pytest.raises(Forbidden):
        retrieve.retrieve(scene.network["south"].node, session, vault=scene.ada)


def test_another_organisation_than_the_one_granted_is_refused(scene: Scene) -> None:
    scene.grant("observations")
    session = scene.network.session("east", "clerk.poe")
    with pytest.raises(Forbidden):
        retrieve.retrieve(scene.network["east"].node, session, vault=scene.ada)


def test_an_account_or_a_whole_organisation_may_be_named(scene: Scene) -> None:
    scene.grant("observations", grantee=Grantee.account(scene.doctor.actor.account))
    scene.grant("allergies", grantee=Grantee.organisation(scene.network["south"].node.organisation))
    assert ids(scene.read()) == OBSERVATIONS | {"ada-allergy"}
    nurse = scene.network.session("south", "nurse.kim")
    found = retrieve.retrieve(scene.network["south"].node, nurse, vault=scene.ada)
    assert ids(found) == {"ada-allergy"}


def test_an_expired_consent_is_refused(scene: Scene) -> None:
    scene.grant("observations", valid_seconds=60)
    assert ids(scene.read()) == OBSERVATIONS
    scene.clock.ahead_seconds += 61
    with pytest.raises(Forbidden, match="EXPIRED"):
        scene.read()


def test_a_suspended_doctor_is_refused_by_every_custodian_and_cannot_sign_in(scene: Scene) -> None:
    scene.grant("observations")
    doctor = scene.doctor
    enrolment.suspend_person(
        scene.network["south"].node, scene.network.session("south", ADMINISTRATOR), "dr.lee"
    )
    with pytest.raises(Forbidden, match="INACTIVE_ACTOR"):
        scene.read()
    for name in scene.network.members:
        assert_refused_at(scene, name, known_because(scene))
    scene.network.sessions.clear()
    with pytest.raises(Forbidden):
        scene.network.session("south", doctor.actor.user)


def test_only_the_patient_grants_and_revokes(scene: Scene) -> None:
    handle = scene.grant("observations")
    north = scene.network["north"].node
    for user in ("bea", "dr.north", ADMINISTRATOR):
        session = scene.network.session("north", user)
        with pytest.raises(Forbidden):
            consents.revoke(north, session, vault=scene.ada, handle=handle)
        with pytest.raises(Forbidden):
            consents.grant(
                north,
                session,
                vault=scene.ada,
                grantee=Grantee.account(session.actor.account),
                categories=["observations"],
                purposes=["TREAT"],
                valid_seconds=60,
            )
    assert ids(scene.read()) == OBSERVATIONS


# Revocation -----------------------------------------------------------------------------------


def known_because(scene: Scene) -> Because:
    """The ground of the newest consent that south was sent, whatever became of it."""
    [*_, newest] = known_consents(scene.network["south"].node.desk, scene.ada)
    return Because(int(Purpose.TREAT), consent=newest.consent, listed=newest.consent.listed)


def assert_refused_at(scene: Scene, name: str, because: Because) -> None:
    """Every custody verb of one custodian refuses the doctor, who knows terms and record ids."""
    caller = scene.network["south"].node.caller(scene.doctor.key)
    custodian = scene.network[name].node.organisation
    basis = because.basis(scene.ada)
    records = [hexed(one) for one in record_ids(scene)]
    for method, body in (
        ("manifests", ManifestsBody(basis=basis)),
        ("capsules", CapsulesBody(basis=basis, records=records)),
        ("release", ReleaseBody(basis=basis, records=records, epoch=1)),
    ):
        with pytest.raises(Forbidden):
            ask(caller, custodian, method, body)


def record_ids(scene: Scene) -> list[bytes]:
    with scene.network["north"].node.database.read() as tx:
        rows = tx.all("SELECT record_id FROM record WHERE vault = :v AND category = 3", v=scene.ada)
    return [record for (record,) in rows]


@both_shapes
def test_after_a_revocation_every_path_is_closed_the_reader_s_copies_included(
    scene: Scene,
) -> None:
    handle = scene.grant("observations")
    assert {one.origin for one in scene.read().resources} == {"custodians"}
    assert {one.origin for one in scene.read().resources} == {"copy"}
    south = scene.network["south"].node
    assert opening.copies_held(south, scene.ada) > 0
    scene.revoke(handle)
    with pytest.raises(Forbidden, match="REVOKED"):
        scene.read()
    assert opening.copies_held(south, scene.ada) == 0
    with south.database.read() as tx:
        assert tx.all("SELECT count(*) FROM remote_copy") == [(0,)]
    because = known_because(scene)
    with pytest.raises(Forbidden, match="REVOKED"):
        opening.read_under(south, scene.doctor, scene.ada, (1 << 16) - 1, because)
    for name in scene.network.members:
        assert_refused_at(scene, name, because)


def test_a_reader_who_does_not_follow_the_chain_gets_nothing_for_a_revoked_consent(
    scene: Scene,
) -> None:
    handle = scene.grant("observations")
    scene.read()
    because = known_because(scene)
    scene.revoke(handle)
    south = scene.network["south"].node
    assert opening.copies_held(south, scene.ada) > 0, "the copy is still there"
    with pytest.raises(Forbidden, match="REVOKED"):
        opening.read_under(south, scene.doctor, scene.ada, (1 << 16) - 1, because)


def test_copies_open_nothing_while_no_custodian_says_so(scene: Scene) -> None:
    scene.grant("observations")
    scene.read()
    down(scene, *scene.network.members)
    with pytest.raises(Unavailable):
        scene.read()


def test_revoking_everything_closes_every_consent_and_a_new_one_opens_again(scene: Scene) -> None:
    scene.grant("observations")
    scene.grant("allergies")
    scene.read()
    north = scene.network["north"].node
    consents.revoke_all(north, scene.network.session("north", "ada"), vault=scene.ada)
    with pytest.raises(Forbidden):
        scene.read()
    assert opening.copies_held(scene.network["south"].node, scene.ada) == 0
    scene.grant("allergies")
    assert ids(scene.read()) == {"ada-allergy"}


# The patient ----------------------------------------------------------------------------------


@both_shapes
def test_the_patient_reads_everything_of_theirs_through_custodians(scene: Scene) -> None:
    north, patient = scene.network["north"].node, scene.network.session("north", "ada")
    found = retrieve.retrieve(north, patient, vault=scene.ada)
    assert ids(found) == EVERYTHING
    assert {one.origin for one in found.resources} == {"custodians"}
    assert noted(scene, "north", Verb.READ)[("read", "")] == 1


def test_other_patients_records_stay_closed_to_a_patient(scene: Scene) -> None:
    north, patient = scene.network["north"].node, scene.network.session("north", "ada")
    for purpose in ("PATRQT", "TREAT"):
        with pytest.raises(Forbidden):
            retrieve.retrieve(north, patient, vault=scene.vaults["bea"], purpose=purpose)
    with pytest.raises(Forbidden):
        logbook.read_log(north, patient, vault=scene.vaults["bea"])


def test_the_log_tells_the_patient_of_every_attempt_with_proofs(scene: Scene) -> None:
    with pytest.raises(Forbidden):
        scene.read()
    handle = scene.grant("observations")
    scene.read()
    scene.revoke(handle)
    with pytest.raises(Forbidden):
        scene.read()
    scene.network.settle()
    north = scene.network["north"].node
    log = logbook.read_log(north, scene.network.session("north", "ada"), vault=scene.ada)
    told = Counter(
        (one.verb, one.reason)
        for one in log.entries
        if one.account == scene.doctor.actor.account and one.anchored
    )
    assert told[("manifests", "UNKNOWN_HANDLE")] == 2  # two lists are compared now and then
    assert (told[("release", "")], told[("read", "")]) == (2, 1)
    assert told[("manifests", "REVOKED")] == 1
    assert (told[("read", "UNKNOWN_HANDLE")], told[("read", "REVOKED")]) == (1, 1)
    assert (log.silent, log.doubts) == ({}, ())


# Custodians that are down ---------------------------------------------------------------------


@both_shapes
@pytest.mark.parametrize("gone", ["north", "south", "east"])
def test_with_one_custodian_down_reads_go_on(scene: Scene, gone: str) -> None:
    scene.grant("observations", "allergies")
    down(scene, gone)
    found = scene.read()
    assert ids(found) == OBSERVATIONS | {"ada-allergy"}
    assert (found.refused, found.culprits) == ({}, {})


@both_shapes
@pytest.mark.parametrize("gone", [("north", "south"), ("north", "east"), ("south", "east")])
def test_with_two_custodians_down_the_error_is_clear_and_nothing_is_logged_as_read(
    scene: Scene, gone: Sequence[str]
) -> None:
    scene.grant("observations")
    scene.network["south"].node.following.catch_up()
    down(scene, *gone)
    with pytest.raises(Unavailable, match=r"[12] of the [23] custodians needed answer; nothing"):
        scene.read()
    for name in scene.network.members:
        assert set(noted(scene, name, Verb.READ, Verb.RELEASE)) <= {("read", "UNAVAILABLE")}
    assert opening.copies_held(scene.network["south"].node, scene.ada) == 0
    for name in gone:
        scene.network.up(name)
    assert ids(scene.read()) == OBSERVATIONS


# Custodians that are robbed, or lie -------------------------------------------------------------


@both_shapes
def test_complete_disks_of_all_but_one_needed_custodian_open_nothing(scene: Scene) -> None:
    scene.grant("observations")
    scene.read()
    scene.network.settle()
    needed = scene.network["north"].settings.shares_needed
    bystanders = [name for name in scene.network.members if name not in ("north", "south")]
    robbed = [scene.folder / name for name in bystanders[: needed - 1]]
    loot = rob(robbed, blocks(scene.folder))
    assert set(map(len, loot.shares.values())) == {needed - 1}, "every record's shares were found"
    assert loot.opened == {}
    assert loot.copies == 0


@both_shapes
def test_the_same_attack_with_one_more_disk_opens_everything(scene: Scene) -> None:
    needed = scene.network["north"].settings.shares_needed
    others = [name for name in scene.network.members if name != "north"]
    loot = rob([scene.folder / name for name in others[:needed]], blocks(scene.folder))
    found = {json.loads(item)["id"] for items in loot.opened.values() for item in items}
    assert found >= EVERYTHING


@both_shapes
def test_a_custodian_with_a_bad_share_is_named_and_others_are_used(scene: Scene) -> None:
    scene.grant("observations")
    liar = scene.network["north"]
    app._here.open(liar.node.organisation, Liar(liar.node.desk).answer)
    found = scene.read()
    assert ids(found) == OBSERVATIONS
    assert found.culprits == {
        liar.node.organisation: "gave a share that its author did not commit to"
    }


def test_where_good_shares_are_too_few_the_liars_are_named_and_nothing_is_read(
    scene: Scene,
) -> None:
    scene.grant("observations")
    for name in ("north", "east"):
        one = scene.network[name]
        app._here.open(one.node.organisation, Liar(one.node.desk).answer)
    with pytest.raises(Tampered) as caught:
        scene.read()
    for name in ("north", "east"):
        assert scene.network[name].node.organisation.hex() in caught.value.message
    assert noted(scene, "south", Verb.READ) == {("read", "UNFINISHED"): 1}


def test_an_answer_under_another_organisation_s_name_is_refused(scene: Scene) -> None:
    scene.grant("observations")
    north, east = scene.network["north"], scene.network["east"]
    app._here.open(north.node.organisation, east.custody.answer)
    caller = scene.network["south"].node.caller(scene.doctor.key)
    with pytest.raises(SimdesError):
        reading.locate(caller, north.node.organisation, [("", "ada")], purpose=0)


# Locating -------------------------------------------------------------------------------------


def test_clinicians_locate_a_patient_and_nobody_else_does(scene: Scene) -> None:
    south = scene.network["south"].node
    pair = [("urn:oid:2.16.840.1.113883.19.5", "ada")]
    [found] = retrieve.locate(south, scene.doctor, pair)
    assert found.tag == scene.ada
    assert retrieve.locate(south, scene.doctor, [(pair[0][0], "nobody")]) == ()
    for member, user in (("south", "prof.ray"), ("east", "clerk.poe"), ("north", "bea")):
        with pytest.raises(Forbidden):
            retrieve.locate(scene.network[member].node, scene.network.session(member, user), pair)
