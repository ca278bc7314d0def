"""Studies with real proofs, on the embedded ledger and a node (docs/formats/studies.md)."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import pytest

from adapters.ledgers import Member, Person, Town, only_event, random_id
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, SimdesError
from simdes.ledger.contracts import (
    Met,
    Registration,
    Role,
    StatementKind,
    element_of_id,
    members_digest,
    refusal_of,
)
from simdes.ledger.events import (
    ApprovalRetracted,
    Counted,
    OptedIn,
    ReleaseRecorded,
    StudyApproved,
    StudyRegistered,
    Withdrawn,
)
from simdes.proofs import cohorts, facts, keys, prover
from simdes.proofs.cohorts import Around, Criterion
from simdes.proofs.trees import BATCH_DEPTH, FOREST_DEPTH, Place, Tree

A1C, PERCENT, BORN = (7, 8, 9)
CRITERIA = (
    Criterion(((A1C, PERCENT),), 6_500, 14_000, 365),
    Criterion(((BORN, 0),), 20_000, 40_000),
)
DAY = 86_400


def element() -> int:
    return int.from_bytes(os.urandom(31), "big")


@pytest.fixture(scope="module")
def sponsor(town: Town) -> Member:
    return town.organisation(kind=4)


@pytest.fixture(scope="module")
def board(hospital: Member) -> list[Person]:
    return [hospital.person(Role.DOCTOR) for _ in range(2)]


def registration(town: Town, sponsor: Member, board: list[Person]) -> Registration:
    now = town.ledger.head().timestamp
    return Registration(
        protocol=random_id(),
        purpose=random_id(),
        terms=random_id(),
        area=random_id(),
        collector=sponsor.id,
        begins=now,
        ends=now + 10 * DAY,
        threshold=2,
        approvers=tuple(sorted(one.id for one in board)),
        criteria=tuple(one.element for one in CRITERIA),
    )


@pytest.fixture
def study(town: Town, sponsor: Member, board: list[Person]) -> bytes:
    """A study that runs."""
    studies = town.contracts.studies
    what = registration(town, sponsor, board)
    receipt = sponsor.agent.lane.transact(studies.register(what))
    event = only_event(town, receipt)
    assert isinstance(event, StudyRegistered)
    assert event.study == studies.id_of(sponsor.id, what)
    assert (event.sponsor, event.area) == (sponsor.id, what.area)
    assert not studies.is_running(event.study)
    for approvals, one in enumerate(board, 1):
        approved = only_event(town, one.lane.transact(studies.approve(event.study)))
        assert isinstance(approved, StudyApproved)
        assert (approved.approver, approved.approvals) == (one.id, approvals)
    assert studies.is_running(event.study)
    return event.study


@dataclass
class Patient:
    """Two facts about the holder of a key, in one batch, and where they stand."""

    town: Town
    key: int
    facts: tuple[facts.Fact, ...]
    batch: Tree
    forest: Tree
    at: int

    def prove(
        self, study: bytes, collector: Member, *, every: bool = True, **other: int
    ) -> tuple[int, list[Met]]:
        """The nullifier and a proof for each criterion, or for the first one alone."""
        around = Around(
            root=self.forest.root,
            scope=self.town.contracts.studies.scope_of(study),
            collector=element_of_id(collector.id),
            day=self.town.ledger.head().timestamp // DAY,
        )
        around = replace(around, **other)
        nullifier = cohorts.nullifier_of(self.key, scope=around.scope)
        proofs = []
        for number, (criterion, fact) in enumerate(zip(CRITERIA, self.facts, strict=True)):
            place = Place.of(self.batch, number, self.forest, self.at)
            proof = prover.prove(
                keys.load("cohort", allow_development=True),
                cohorts.signals(criterion, fact, place, around, holder_key=self.key),
                cohorts.public_inputs(criterion, around, nullifier=nullifier),
            )
            proofs.append(Met(around.root, proof))
            if not every:
                return nullifier, proofs * len(CRITERIA)
        return nullifier, proofs


@pytest.fixture(scope="module")
def forest(town: Town) -> Tree:
    """Of this ledger alone."""
    assert town.contracts.statements.forest(StatementKind.FACT).count == 0
    return Tree(FOREST_DEPTH)


def patient(town: Town, hospital: Member, forest: Tree) -> Patient:
    key, today = element(), town.ledger.head().timestamp // DAY
    holder = facts.holder_of(key)
    a1c = facts.Fact(
        holder=holder, salt=element(), code=A1C, coded=PERCENT, value=7_000, day=today - 9
    )
    born = facts.Fact(holder=holder, salt=element(), code=BORN, value=30_000, day=today - 9)
    batch = Tree(BATCH_DEPTH, [a1c.leaf, born.leaf, element()])
    statements = town.contracts.statements
    hospital.agent.lane.transact(statements.insert_root(StatementKind.FACT, batch.root))
    return Patient(town, key, (a1c, born), batch, forest, forest.append(batch.root))


@pytest.fixture
def somebody(town: Town, hospital: Member, forest: Tree) -> Patient:
    return patient(town, hospital, forest)


def refused(error: pytest.ExceptionInfo[SimdesError]) -> str | None:
    return refusal_of(error.value)


def test_a_patient_is_counted_once_and_not_named(
    town: Town, hospital: Member, sponsor: Member, study: bytes, forest: Tree, somebody: Patient
) -> None:
    studies, lane = town.contracts.studies, sponsor.agent.lane
    nullifier, proofs = somebody.prove(study, sponsor)
    receipt = lane.transact(studies.count(study, nullifier, proofs))
    event = town.contracts.decode(receipt.logs[-1])
    assert isinstance(event, Counted)
    assert (event.study, event.nullifier, event.counted) == (study, nullifier, 1)
    assert receipt.gas_used < 1_000_000
    with pytest.raises(Conflict) as again:
        lane.transact(studies.count(study, nullifier, proofs))
    assert refused(again) == "Nullifiers_Spent"
    other = patient(town, hospital, forest)
    lane.transact(studies.count(study, *other.prove(study, sponsor)))
    found = studies.study(study)
    assert found is not None
    assert found.counted == 2


def test_only_this_studys_proofs_by_this_collector_today_count(
    town: Town, hospital: Member, sponsor: Member, study: bytes, somebody: Patient
) -> None:
    studies, lane = town.contracts.studies, sponsor.agent.lane
    nullifier, proofs = somebody.prove(study, sponsor)

    def refuse(nullifier: int, proofs: list[Met]) -> None:
        with pytest.raises(Forbidden) as error:
            lane.transact(studies.count(study, nullifier, proofs))
        assert refused(error) == "Studies_ProofRefused"

    refuse(nullifier, proofs[:1])
    refuse(nullifier, proofs[::-1])
    refuse(nullifier, [proofs[0], proofs[0]])
    refuse(nullifier + 1, proofs)
    forged = bytes([*proofs[0].proof[:-1], proofs[0].proof[-1] ^ 1])
    refuse(nullifier, [Met(proofs[0].root, forged), proofs[1]])
    today = town.ledger.head().timestamp // DAY
    # Another collector's, yesterday's, another study's, another chain's or contract's scope.
    refuse(*somebody.prove(study, hospital, every=False))
    refuse(*somebody.prove(study, sponsor, every=False, day=today - 1))
    refuse(*somebody.prove(random_id(), sponsor, every=False))
    elsewhere = element()
    refuse(*somebody.prove(study, sponsor, every=False, scope=elsewhere))
    with pytest.raises(Conflict) as unknown:
        lane.transact(studies.count(study, nullifier, [Met(5, one.proof) for one in proofs]))
    assert refused(unknown) == "Studies_RootNotRecent"
    with pytest.raises(Forbidden) as caller:
        hospital.agent.lane.transact(studies.count(study, nullifier, proofs))
    assert refused(caller) == "Studies_NotCollector"


def test_two_peoples_facts_are_not_one_patient(
    town: Town, hospital: Member, sponsor: Member, study: bytes, forest: Tree, somebody: Patient
) -> None:
    other = patient(town, hospital, forest)
    mine, first = somebody.prove(study, sponsor)
    theirs, second = other.prove(study, sponsor)
    for nullifier in (mine, theirs):
        with pytest.raises(Forbidden) as error:
            call = town.contracts.studies.count(study, nullifier, [first[0], second[1]])
            sponsor.agent.lane.transact(call)
        assert refused(error) == "Studies_ProofRefused"


def test_a_withdrawn_tag_is_in_no_later_release(
    town: Town, hospital: Member, sponsor: Member, study: bytes
) -> None:
    studies = town.contracts.studies
    secrets = [random_id() for _ in range(3)]
    tags = [studies.tag_for(group=study, secret=one) for one in secrets]
    for tag in tags:
        event = only_event(town, hospital.agent.lane.transact(studies.opt_in(study, tag)))
        assert event == OptedIn(log=event.log, group=study, tag=tag)
        assert studies.is_open(tag)
    until = town.ledger.head().timestamp + DAY
    what = {"manifest": random_id(), "policy": random_id(), "until": until}
    record = studies.record_release(study, **what, members=tags)
    event = only_event(town, sponsor.agent.lane.transact(record))
    assert isinstance(event, ReleaseRecorded)
    assert (event.number, event.count, event.members) == (1, 3, members_digest(tags))
    kept = studies.release(study, 1)
    assert kept is not None
    assert (kept.manifest, kept.policy, kept.until) == tuple(what.values())
    assert studies.release(study, 2) is None

    call = studies.withdraw(group=study, secret=secrets[1])
    gone = only_event(town, hospital.agent.lane.transact(call))
    assert gone == Withdrawn(log=gone.log, group=study, tag=tags[1])
    assert studies.tag(tags[1]) == (study, True)
    assert not studies.is_open(tags[1])
    with pytest.raises(Conflict) as withdrawn:
        sponsor.agent.lane.transact(record)
    assert refused(withdrawn) == "Studies_Withdrawn"
    with pytest.raises(Conflict) as back:
        hospital.agent.lane.transact(studies.opt_in(study, tags[1]))
    assert refused(back) == "Studies_Withdrawn"
    rest = [tags[0], tags[2]]
    sponsor.agent.lane.transact(studies.record_release(study, **what, members=rest))
    with pytest.raises(Forbidden) as stranger:
        members = [*rest, random_id()]
        sponsor.agent.lane.transact(studies.record_release(study, **what, members=members))
    assert refused(stranger) == "Studies_NotMember"
    with pytest.raises(Forbidden) as other:
        hospital.agent.lane.transact(studies.record_release(study, **what, members=rest))
    assert refused(other) == "Studies_NotSponsor"


def test_a_preference_stands_by_for_the_sponsors_studies_of_an_area(
    town: Town, hospital: Member, sponsor: Member, study: bytes
) -> None:
    studies = town.contracts.studies
    found = studies.study(study)
    assert found is not None
    group = studies.group_of(sponsor=sponsor.id, area=found.area)
    secret = random_id()
    tag = studies.tag_for(group=group, secret=secret)
    hospital.agent.lane.transact(studies.prefer(sponsor=sponsor.id, area=found.area, tag=tag))
    assert studies.is_open(tag)
    elsewhere = studies.tag_for(
        group=studies.group_of(sponsor=sponsor.id, area=random_id()), secret=secret
    )
    assert not studies.is_open(elsewhere)
    hospital.agent.lane.transact(studies.withdraw(group=group, secret=secret))
    assert not studies.is_open(tag)


def test_too_few_approvals_stop_everything(
    town: Town, hospital: Member, sponsor: Member, board: list[Person], study: bytes
) -> None:
    studies = town.contracts.studies
    tag = studies.tag_for(group=study, secret=random_id())
    hospital.agent.lane.transact(studies.opt_in(study, tag))
    back = only_event(town, board[0].lane.transact(studies.retract(study)))
    assert isinstance(back, ApprovalRetracted)
    assert back.approvals == 1
    assert studies.approver(study, board[0].id) == (True, False)
    assert studies.approver(study, board[1].id) == (True, True)
    assert not studies.is_open(tag)
    with pytest.raises(Conflict) as stopped:
        sponsor.agent.lane.transact(
            studies.record_release(
                study, manifest=random_id(), policy=random_id(), until=2**40, members=[tag]
            )
        )
    assert refused(stopped) == "Studies_NotRunning"


def test_what_is_no_study_is_refused(town: Town, sponsor: Member, board: list[Person]) -> None:
    studies = town.contracts.studies
    what = registration(town, sponsor, board)
    with pytest.raises(Invalid) as malformed:
        sponsor.agent.lane.transact(studies.register(replace(what, threshold=3)))
    assert refused(malformed) == "Studies_Malformed"
    with pytest.raises(NotFound):
        board[0].lane.transact(studies.approve(random_id()))
    assert studies.study(random_id()) is None
