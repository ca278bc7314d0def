"""docs/security/authorisation.md, carried out cell by cell; nothing may be missing from it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from simdes.access.asking import Because, Caller, ask
from simdes.access.categories import Kind, Purpose, Role
from simdes.access.consent import Grantee
from simdes.access.custody_corrections import correct_body
from simdes.access.custody_fingerprints import deal
from simdes.access.custody_told import ToldBody
from simdes.access.fingerprint_messages import (
    ConcludeBody,
    ContributeBody,
    EvaluateBody,
    FingerprintsBody,
)
from simdes.access.guardians import code_of
from simdes.access.messages import (
    AckBody,
    AppointBody,
    AttestBody,
    BlocksBody,
    CapsulesBody,
    CountBody,
    CriterionBody,
    DropBody,
    EraseBody,
    ExplainBody,
    Identifier,
    KeepBody,
    LocateBody,
    LogBody,
    ManifestsBody,
    ReconcileBody,
    RecoverBody,
    ReleaseBody,
    ReleasedBody,
    RenewalBody,
    RenewBody,
    RequestBody,
    SeatBody,
    VaultAsked,
    VaultsBody,
    VouchBody,
)
from simdes.access.requests import b64, hexed
from simdes.access.vaults import fresh_row
from simdes.crypto.digest import keccak256
from simdes.crypto.keys import SigningKey
from simdes.crypto.oprf_forms import Key, Plan
from simdes.errors import Forbidden, Unauthenticated
from simdes.exchange.custody import METHODS
from simdes.exchange.placing import Home
from simdes.exchange.versions import new_version
from simdes.gateway.app import create_gateway
from simdes.gateway.fhir.routes import endpoints
from simdes.index import fingerprints, guardians, resources, vaults
from simdes.ledger.accounts import GuardianProof
from simdes.storage.cid import cid_of
from unit.access.conftest import Scene
from unit.access.network import Network, Organisation
from unit.access.renewing import accept_body, deal_body, next_epoch, signed

PAGE = (Path(__file__).parents[3] / "docs/security/authorisation.md").read_text()
ROLES = ("patient", "doctor", "nurse", "pharmacist", "insurer", "researcher", "administrator")
READING = ("release", "manifests", "capsules")
AT_THE_PATIENTS = ("request", "explain", "recover")
"""Verbs that the organisation alone takes that hosts the patient's account."""
LOST = b"\x51" * 20
NO_SEAT = SeatBody(salt="0x" + "0" * 64, index=0, count=1, path=[])


def table(heading: str) -> list[list[str]]:
    """The rows below a heading, without the header."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows[2:]]


MATRIX = {
    row[0]: dict(zip((*ROLES, "agent"), row[1:], strict=True)) for row in table("Verbs by role")
}


def body(scene: Scene, verb: str, because: Because) -> object:
    """What the verb is asked with, about the scene's record."""
    basis, vault = because.basis(scene.vault.tag), hexed(scene.vault.tag)
    records = [hexed(scene.written.sealed.record_id)]
    return {
        "release": lambda: ReleaseBody(basis=basis, records=records, epoch=1),
        "manifests": lambda: ManifestsBody(basis=basis),
        "capsules": lambda: CapsulesBody(basis=basis, records=records),
        "log": lambda: LogBody(vault=vault),
        "locate": lambda: LocateBody(identifiers=[Identifier(system="s", value="v")], purpose=0),
        "vaults": lambda: VaultsBody(vaults=[VaultAsked(tag=hexed(os.urandom(32)))]),
        "attest": lambda: AttestBody(
            vault=hexed(scene.unclaimed),  # type: ignore[attr-defined]
            account=hexed(scene.home.people["ada"][0].account),
            deadline=int(scene.network.clock()) + 60,
        ),
        "ack": lambda: AckBody(vault=vault, records=records),
        "keep": lambda: KeepBody(cids=[cid_of(os.urandom(8))], copies=2),
        "drop": lambda: DropBody(cids=[cid_of(os.urandom(8))]),
        "blocks": lambda: BlocksBody(cids=[cid_of(os.urandom(8))]),
        "renew": lambda: RenewBody(renewal=RenewalBody.of(scene.agreed)),  # type: ignore[attr-defined]
        "deal": lambda: deal_body(
            scene.renewal,  # type: ignore[attr-defined]
            signed(scene, scene.renewal),  # type: ignore[attr-defined]
            [scene.written.sealed.record_id],
        ),
        "accept": lambda: accept_body(
            scene,
            scene.renewal,  # type: ignore[attr-defined]
            scene.written.capsule_cid,
        ),
        "erase": lambda: EraseBody(vault=vault),
        "contribute": lambda: ContributeBody(plan=hexed(scene.key.plan.digest)),  # type: ignore[attr-defined]
        "conclude": lambda: ConcludeBody(
            plan=hexed(scene.key.plan.digest),  # type: ignore[attr-defined]
            dealings=scene.dealings,  # type: ignore[attr-defined]
        ),
        "evaluate": lambda: EvaluateBody(
            key=hexed(scene.key.digest),  # type: ignore[attr-defined]
            elements=[hexed(scene.key.public)],  # type: ignore[attr-defined]
        ),
        "fingerprints": lambda: FingerprintsBody(function=vault),
        "claims": lambda: ToldBody(after=0),
        "prescriptions": lambda: ToldBody(after=0),
        "request": lambda: RequestBody(
            vault=vault, categories=1, purpose=0, days=1, name="", text="Why."
        ),
        "explain": lambda: ExplainBody(
            vault=vault, handle=vault, salt=vault, reason="other", name="", text=""
        ),
        "correct": lambda: correct_body(
            scene.second.desk.keystore.descriptor_key.public,
            vault=scene.vault.tag,
            id_=os.urandom(8).hex(),
            about=f"Observation/{written_by(scene.second, scene)}",
            text="Wrong.",
        ),
        "count": lambda: CountBody(
            criteria=(CriterionBody(codes=((("http://loinc.org", "4548-4"), ("", "")),)),)
        ),
        "released": lambda: ReleasedBody(study=vault, number=1, members=[vault], patients=[basis]),
        "appoint": lambda: AppointBody(guardian=vault, seat=NO_SEAT, threshold=1, name="somebody"),
        "recover": lambda: RecoverBody(
            account=hexed(scene.home.people["ada"][0].account), code=code_of(LOST)
        ),
        "vouch": lambda: VouchBody(account=vault, code="0" * 16, seat=NO_SEAT),
        "reconcile": lambda: ReconcileBody(entries=[anchored_entry(scene)]),
    }[verb]()


def written_by(member: Organisation, scene: Scene) -> str:
    """The id of an Observation in the scene's vault that a member wrote."""
    tag, id_ = scene.vault.tag, os.urandom(8).hex()
    new = new_version(
        Home(tag, os.urandom(32)),
        type="Observation",
        logical_id=id_,
        content=b"{}",
        category=0,
        labels=0,
        created_ms=1,
        random=os.urandom,
    )
    row = fresh_row(member.keystore, tag, m=2, n=3, home=False, random=os.urandom, now_ms=1)
    with member.database.transaction() as tx:
        vaults.add(tx, row)
        resources.add(tx, [new])
    return id_


def anchored_entry(scene: Scene) -> str:
    """The proof of an anchored entry of home's trail about a list of the vault's records."""
    home = scene.home
    basis = Because(Purpose.TREAT).basis(scene.vault.tag)
    ask(home.caller(), home.id, "manifests", ManifestsBody(basis=basis))
    home.anchor_audit()
    newest = home.desk.trail.entries(home.database, vault=scene.vault.tag)[-1][0]
    return json.dumps(home.desk.trail.prove(home.database, newest))


@pytest.fixture
def stage(scene: Scene) -> Scene:
    """The scene with a vault nobody claimed, for which `second` would attest."""
    vault = scene.network.open_vault(scene.home, scene.network.members[:3], m=2)
    scene.unclaimed = vault.tag  # type: ignore[attr-defined]
    after = (scene.home, scene.second, scene.network.members[3])
    scene.renewal = next_epoch(scene, after)  # type: ignore[attr-defined]
    scene.agreed = next_epoch(scene, after, vault=vault)  # type: ignore[attr-defined]
    scene.second.desk.attestations.decide(
        scene.second.administrator,
        scene.second.contracts,
        until_seconds=int(scene.network.clock()) + 3600,
        vault=vault.tag,
        account=scene.home.people["ada"][0].account,
    )
    make_key(scene)
    lose_key(scene)
    return scene


def lose_key(scene: Scene) -> None:
    """A new key of ada's waits."""
    account = scene.home.people["ada"][0].account
    known = scene.home.contracts.accounts.account(account)
    assert known is not None
    waiting = guardians.Recovery(
        account=account,
        address=LOST,
        locked_wrapped=b"locked",
        nonce=known.guardian_nonce,
        deadline_seconds=int(scene.network.clock()) + 3600,
        begun_ms=1,
        state=guardians.OPEN,
    )
    with scene.home.database.transaction() as tx:
        guardians.drop_recovery(tx, account, LOST)
        guardians.add_recovery(tx, waiting)


def make_key(scene: Scene) -> None:
    """A key of fingerprints whose shares home and second hold."""
    members = (scene.home, scene.second)
    plan = Plan(
        chain=scene.network.ledger.chain_id(),
        m=2,
        custodians=tuple(one.id for one in members),
        persons=("urn:persons",),
        places=("urn:places",),
        nonce=os.urandom(32),
    )
    for one in members:
        one.database.write(lambda tx: fingerprints.agree(tx, plan.digest, plan.encode(), now_ms=0))
    scene.dealings = [b64(deal(one.desk, plan).encode()) for one in members]  # type: ignore[attr-defined]
    body = ConcludeBody(plan=hexed(plan.digest), dealings=scene.dealings)  # type: ignore[attr-defined]
    said = ask(scene.home.caller(), scene.second.id, "conclude", body).body
    scene.key = Key(plan=plan, public=said["public"], shares=tuple(said["shares"]))  # type: ignore[arg-type,attr-defined]


def person(member: Organisation, role: str) -> str:
    user = f"{role[:5]}-{os.urandom(4).hex()}"
    member.enrol(user, Role[role.upper()])
    return user


def caller(member: Organisation, role: str) -> Caller:
    return member.caller(None if role == "agent" else person(member, role))


def allowed(scene: Scene, who: Caller, verb: str, because: Because) -> bool:
    asked = scene.home if verb in AT_THE_PATIENTS else scene.second
    try:
        ask(who, asked.id, verb, body(scene, verb, because))  # type: ignore[arg-type]
    except Forbidden:
        return False
    return True


def test_every_route_of_the_gateway_has_a_row_and_every_row_a_route(scene: Scene) -> None:
    app = create_gateway(scene.home.custody, node=mock.sentinel.node)
    served = {
        (route.path, method)  # type: ignore[attr-defined]
        for route in app.routes
        for method in getattr(route, "methods", {"WebSocket"}) - {"HEAD"}
    }
    written = {(row[0], row[1]) for row in table("Routes")}
    fhir = {one for one in served if one[0] in ("/fhir", "/fhir/{address:path}")}
    assert fhir
    assert written == served - fhir


def test_every_fhir_endpoint_has_a_row_and_every_row_an_endpoint() -> None:
    written = [tuple(row[:3]) for row in table("FHIR")]
    assert written == [(one.template, one.method, one.interaction) for one in endpoints()]


def test_every_verb_has_a_row_and_every_row_a_verb() -> None:
    assert set(MATRIX) == set(METHODS)
    named = {match for row in table("Routes") for match in re.findall(r"row `?(\w+)", row[3])}
    assert named == set(METHODS)


@pytest.mark.parametrize("verb", READING)
def test_reading_without_consent_is_for_the_author_and_the_patient(stage: Scene, verb: str) -> None:
    because = Because(Purpose.TREAT)
    for role in (*ROLES, "agent"):
        own = "own" in MATRIX[verb][role]
        assert allowed(stage, caller(stage.home, role), verb, because) is own, role
        assert not allowed(stage, caller(stage.reader, role), verb, because), role
    patient = Because(Purpose.PATRQT)
    assert "control" in MATRIX[verb]["patient"]
    assert allowed(stage, stage.home.caller("ada"), verb, patient)
    for role in (*ROLES, "agent"):
        assert not allowed(stage, caller(stage.home, role), verb, patient), role


@pytest.mark.parametrize("verb", READING)
def test_reading_with_consent_is_for_whom_it_names(stage: Scene, verb: str) -> None:
    consent = stage.network.grant(
        stage.home, "ada", stage.vault, Grantee.organisation(stage.reader.id)
    )
    because = Because(Purpose.TREAT, consent)
    for role in (*ROLES, "agent"):
        assert "consent" in MATRIX[verb][role]
        assert allowed(stage, caller(stage.reader, role), verb, because), role
        assert not allowed(stage, caller(stage.third, role), verb, because), role
    stage.network.revoke(stage.home, "ada", consent)
    assert not allowed(stage, stage.reader.caller("doctor"), verb, because)


@pytest.mark.parametrize("verb", sorted(set(METHODS) - set(READING)))
def test_the_other_verbs_are_for_the_roles_that_the_matrix_names(stage: Scene, verb: str) -> None:
    because = Because(Purpose.PATRQT)
    for role in (*ROLES, "agent"):
        cell = MATRIX[verb][role]
        assert cell in ("yes", "no", "control", "opener", "guardian", "insurer", "sponsor")
        assert allowed(stage, caller(stage.home, role), verb, because) is (cell == "yes"), role
    if MATRIX[verb]["patient"] == "control":
        assert allowed(stage, stage.home.caller("ada"), verb, because)
    if MATRIX[verb]["agent"] == "insurer":
        insurer = stage.network.join(f"insurer-{verb}", Kind.INSURER)
        stage.network.members.remove(insurer)
        assert allowed(stage, insurer.caller(), verb, because)
        insurer.database.close()


# States ---------------------------------------------------------------------------------------


def pending(member: Organisation, role: Role) -> SigningKey:
    user = f"u-{os.urandom(4).hex()}"
    member.enrol(user, role, verified=False)
    return member.people[user][1]


def suspended(member: Organisation, role: Role) -> SigningKey:
    user = f"u-{os.urandom(4).hex()}"
    one = member.enrol(user, role)
    administrator = member.network.lane(member.administrator)
    administrator.transact(member.contracts.accounts.suspend(one.account))
    return member.people[user][1]


def frozen(member: Organisation, role: Role) -> SigningKey:
    user, guardian, salt = (
        f"u-{os.urandom(4).hex()}",
        SigningKey.generate(os.urandom),
        os.urandom(32),
    )
    one = member.enrol(user, role)
    key, accounts = member.people[user][1], member.contracts.accounts
    root = keccak256(b"\3" + salt + guardian.address.rjust(32, b"\0"))
    member.network.lane(key).transact(accounts.set_guardians(root=root, count=1, threshold=1))
    member.network.clock.advance(5)
    member.agent.transact(accounts.complete_guardians(one.account))
    deadline = int(member.network.clock()) + 600
    digest = accounts.freeze_digest(account=one.account, nonce=0, deadline=deadline)
    proof = GuardianProof(salt, 0, (), guardian.sign(digest))
    member.agent.transact(accounts.freeze(account=one.account, deadline=deadline, proofs=[proof]))
    return key


def of_a_suspended_organisation(member: Organisation, role: Role) -> SigningKey:
    network: Network = member.network
    closed = network.join(f"closed-{os.urandom(4).hex()}")
    network.members.remove(closed)
    key = closed.keystore.lanes[0]
    if role is not Role.AGENT:
        user = f"u-{os.urandom(4).hex()}"
        closed.enrol(user, role)
        key = closed.people[user][1]
    network.town.govern(closed.contracts.accounts.suspend_organisation(closed.id))
    closed.database.close()
    return key


def agent_in(state: Callable[[Organisation, Role], SigningKey], member: Organisation) -> SigningKey:
    """An agent account is software's; it is registered without a person behind it."""
    key, account = SigningKey.generate(os.urandom), os.urandom(32)
    accounts, administrator = member.contracts.accounts, member.network.lane(member.administrator)
    administrator.transact(
        accounts.register(account=account, organisation=member.id, role=Role.AGENT, key=key.address)
    )
    if state is suspended:
        administrator.transact(accounts.suspend(account))
    return key


STATES: dict[str, Callable[[Organisation, Role], SigningKey]] = {
    "pending": pending,
    "suspended": suspended,
    "frozen": frozen,
    "organisation suspended": of_a_suspended_organisation,
}


def test_every_state_has_a_row() -> None:
    assert [row[0] for row in table("The same by state")] == ["unregistered", *STATES]


@pytest.mark.parametrize("state", STATES)
def test_who_may_not_act_may_do_nothing(stage: Scene, state: str) -> None:
    [expected] = [row[1] for row in table("The same by state") if row[0] == state]
    reasons = re.findall(r"[A-Z]+_[A-Z]+", expected)
    make = STATES[state]
    doctor = make(stage.home, Role.DOCTOR)
    agent = agent_in(make, stage.home) if state in ("pending", "suspended") else doctor
    if state == "organisation suspended":
        agent = make(stage.home, Role.AGENT)
    for verb in METHODS:
        role_key = agent if MATRIX[verb]["agent"] == "yes" else doctor
        with pytest.raises(Forbidden, match="|".join(reasons)):
            ask(
                stage.home.caller(role_key),
                stage.second.id,
                verb,
                body(stage, verb, Because(Purpose.TREAT)),  # type: ignore[arg-type]
            )


def test_who_has_no_account_may_do_nothing_and_leaves_no_entry(stage: Scene) -> None:
    stranger = stage.home.caller(SigningKey.generate(os.urandom))
    trail, database = stage.second.desk.trail, stage.second.database
    before = len(trail.entries(database, limit=100_000))
    for verb in METHODS:
        with pytest.raises(Unauthenticated):
            ask(stranger, stage.second.id, verb, body(stage, verb, Because(Purpose.TREAT)))  # type: ignore[arg-type]
    assert len(trail.entries(database, limit=100_000)) == before
