"""Insurance claims with real proofs, on the embedded ledger and a node (paper Fig. 5).

docs/formats/claims.md. Proofs are made with the development keys whose verifiers ship.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapters.ledgers import Member, Town, only_event
from adapters.prescribed import BASE, Forests, changed, mirrored, random_element, words
from simdes.errors import Conflict, Forbidden, SimdesError
from simdes.ledger.contracts import (
    ClaimState,
    Outcome,
    ProvenClaim,
    Role,
    StatementKind,
    element_of_contract,
    refusal_of,
)
from simdes.ledger.digests import keccak256
from simdes.ledger.events import ClaimAdjudicated, ClaimFreed, ClaimOpened, ClaimPaid
from simdes.proofs import claims, keys, prover
from simdes.proofs.claims import NOTHING, Amount, Encounter, Total
from simdes.proofs.poseidon import FIELD
from simdes.proofs.trees import Place, Tree

EUROS = claims.currency_element("EUR")
COST = 1_000


def proof_of(circuit: str, signals: dict[str, Any]) -> bytes:
    own = keys.load(circuit, allow_development=True)
    return prover.prove(own, signals, claims.public(circuit, signals))


@dataclass
class Provider:
    """A hospital that enrolled, and where its encounters stand."""

    forests: Forests
    member: Member
    secret: int

    @property
    def town(self) -> Town:
        return self.forests.town

    @property
    def context(self) -> int:
        where = self.town.addresses.claims
        return element_of_contract(chain_id=self.town.ledger.chain_id(), address=where)

    def state(self, cost: int = COST, *, encounter: int | None = None, version: int = 1) -> Stated:
        stated = Encounter(
            secret=self.secret,
            encounter=random_element() if encounter is None else encounter,
            cost=cost,
            currency=EUROS,
            version=version,
            salt=random_element(),
        )
        batch, at = self.forests.issue([random_element(), stated.leaf, random_element()])
        return Stated(self, stated, batch, at)


@dataclass
class Opened:
    """A claim as its provider keeps it."""

    proven: ProvenClaim
    claimed: Amount
    after: Total


@dataclass
class Stated:
    """An encounter whose cost stands in the forest."""

    provider: Provider
    encounter: Encounter
    batch: Tree
    at: int

    @property
    def tag(self) -> int:
        return self.encounter.tag(self.provider.context)

    def prove(self, payer: Member, amount: int, before: Total = NOTHING, **other: int) -> Opened:
        provider = self.provider
        identity = provider.town.contracts.claims.next_id(self.tag, payer.id)
        tree, salt = provider.forests.tree, random_element()
        around = {"identity": identity, "root": tree.root, "context": provider.context, **other}
        place = Place.of(self.batch, 1, tree, self.at)
        lines = [amount - amount // 3, amount // 3]
        signals = claims.claim(
            self.encounter, lines, before, place, claim_salt=5, salt_after=salt, **around
        )
        claimed = claims.claimed_amount(
            around["identity"],
            lines,
            encounter=self.encounter.encounter,
            version=self.encounter.version,
            currency=EUROS,
            salt=5,
        )
        proven = ProvenClaim(
            root=tree.root,
            tag=self.tag,
            payer=payer.id,
            before=signals["before"],
            after=signals["after"],
            claimed=signals["claimed"],
            proof=proof_of("claim", signals),
            voice=keccak256(bytes(32)),
        )
        return Opened(proven, claimed, Total(sum=before.sum + amount, version=1, salt=salt))

    def open(self, payer: Member, amount: int, before: Total = NOTHING) -> Opened:
        made = self.prove(payer, amount, before)
        self.send(made.proven)
        return made

    def send(self, proven: ProvenClaim) -> Any:
        contract = self.provider.town.contracts.claims
        return self.provider.member.agent.lane.transact(contract.open(proven))


@pytest.fixture(scope="module")
def provider(town: Town, hospital: Member) -> Provider:
    secret = random_element()
    contract = town.contracts.claims
    hospital.agent.lane.transact(contract.enrol(claims.holder_of(secret)))
    assert contract.holder(hospital.id) == claims.holder_of(secret)
    forests = Forests.anew(town, hospital, StatementKind.ENCOUNTER)
    return Provider(forests, hospital, secret)


@pytest.fixture(scope="module")
def insurer(town: Town) -> Member:
    return town.organisation(kind=3)


@pytest.fixture(scope="module")
def second_insurer(town: Town) -> Member:
    return town.organisation(kind=3)


def received(stated: Stated, payer: Member, opened: Opened) -> int:
    contract, claim = stated.provider.town.contracts.claims, opened.claimed.claim
    stated.provider.member.agent.lane.transact(contract.disclose(claim))
    payer.agent.lane.transact(contract.acknowledge(claim))
    return claim


def refused(call: Any) -> str | None:
    with pytest.raises(SimdesError) as error:
        call()
    return refusal_of(error.value)


def test_a_claim_is_coordinated_between_two_insurers_and_paid(
    town: Town, provider: Provider, insurer: Member, second_insurer: Member
) -> None:
    contract, stated = town.contracts.claims, provider.state()
    opened = stated.prove(insurer, COST)
    event = only_event(town, stated.send(opened.proven))
    claim = opened.claimed.claim
    assert isinstance(event, ClaimOpened)
    assert (event.claim, event.provider, event.payer) == (claim, provider.member.id, insurer.id)
    assert contract.is_open(claim)
    received(stated, insurer, opened)

    approved = Amount(claim=claim, amount=700, currency=EUROS, blind=random_element())
    call = contract.adjudicate(
        claim,
        Outcome.PARTLY,
        approved=approved.commitment,
        reason=b"\x07" * 32,
        proof=proof_of("settle", claims.settle(opened.claimed, approved)),
    )
    event = only_event(town, insurer.agent.lane.transact(call))
    assert isinstance(event, ClaimAdjudicated) and event.outcome == Outcome.PARTLY
    provider.member.agent.lane.transact(contract.accept(claim))

    # What the first one does not pay is what the second one is asked for.
    assert contract.kept(claim) == approved.commitment
    signals, rest = claims.free(
        opened.claimed, approved, opened.after, tag=stated.tag, salt_after=random_element()
    )
    freed = contract.free(
        claim,
        before=signals["before"],
        after=signals["after"],
        proof=proof_of("free", signals),
    )
    event = only_event(town, provider.member.agent.lane.transact(freed))
    assert isinstance(event, ClaimFreed) and event.total == contract.total(stated.tag)
    assert refused(lambda: provider.member.agent.lane.transact(freed)) is not None
    stated.open(second_insurer, 300, rest)

    paid = replace(approved, blind=random_element())
    signals = claims.settle(approved, paid)
    settled = contract.settle(claim, paid.commitment, whole=True, proof=proof_of("settle", signals))
    receipt = insurer.agent.lane.transact(settled)
    event = only_event(town, receipt)
    assert isinstance(event, ClaimPaid) and event.whole
    assert contract.claim(claim).state == ClaimState.PAID
    assert not contract.is_open(claim)
    assert receipt.gas_used < 500_000


def test_over_the_cost_and_twice_at_one_payer_is_refused(
    town: Town, provider: Provider, insurer: Member, second_insurer: Member
) -> None:
    contract, stated = town.contracts.claims, provider.state()
    first = stated.open(insurer, 600)
    with pytest.raises(Conflict, match="400"):
        stated.prove(second_insurer, 401, first.after)
    with pytest.raises(Conflict, match="400"):
        stated.prove(insurer, 1_000, first.after)
    again = stated.prove(insurer, 100, first.after)
    assert refused(lambda: stated.send(again.proven)) == "ClaimBook_ClaimedAlready"

    # The same encounter, as if nothing had been claimed of it.
    fresh = stated.prove(second_insurer, COST)
    assert refused(lambda: stated.send(fresh.proven)) == "ClaimBook_Moved"
    lied = replace(fresh.proven, before=first.proven.after)
    assert refused(lambda: stated.send(lied)) == "Claims_ProofRefused"

    # Another version keeps the tag and the total; an older, dearer one is of no use then.
    cheaper = provider.state(900, encounter=stated.encounter.encounter, version=2)
    assert cheaper.tag == stated.tag
    second = cheaper.open(second_insurer, 300, first.after)
    newest = Total(sum=900, version=2, salt=second.after.salt)
    with pytest.raises(Conflict, match="newer version"):
        stated.prove(town.organisation(kind=3), 100, newest)

    # Reversed: payer and tag are free at once, the total once it is proved.
    provider.member.agent.lane.transact(contract.reverse(first.claimed.claim))
    signals, rest = claims.free(
        first.claimed, None, newest, tag=stated.tag, salt_after=random_element()
    )
    freed = contract.free(
        first.claimed.claim,
        before=signals["before"],
        after=signals["after"],
        proof=proof_of("free", signals),
    )
    provider.member.agent.lane.transact(freed)
    assert rest.sum == 300
    assert cheaper.open(insurer, 600, rest).claimed.claim != first.claimed.claim


def test_of_two_that_race_one_wins(
    town: Town, provider: Provider, insurer: Member, second_insurer: Member
) -> None:
    stated = provider.state()
    both = [stated.prove(payer, COST) for payer in (insurer, second_insurer)]
    lanes = [provider.member.agent.lane, provider.member.person(Role.AGENT).lane]

    def send(at: int) -> str:
        try:
            lanes[at].transact(town.contracts.claims.open(both[at].proven))
        except Conflict as late:
            return str(refusal_of(late))
        return "taken"

    with ThreadPoolExecutor(2) as racing:
        outcomes = sorted(racing.map(send, range(2)))
    assert outcomes == ["ClaimBook_Moved", "taken"]
    assert town.contracts.claims.total(stated.tag) in {one.proven.after for one in both}


def test_what_is_not_proved_changes_nothing(
    town: Town, provider: Provider, insurer: Member, second_insurer: Member
) -> None:
    contract, stated = town.contracts.claims, provider.state()
    good = stated.prove(insurer, 600).proven
    elsewhere = element_of_contract(chain_id=1, address=town.addresses.claims)
    proofs = {
        "another chain's": stated.prove(insurer, 600, context=elsewhere).proven.proof,
        "another claim's": stated.prove(insurer, 600, identity=7).proven.proof,
        "another amount's": stated.prove(insurer, 601).proven.proof,
        "another payer's": stated.prove(second_insurer, 600).proven.proof,
        "no proof": bytes(256),
        "a short proof": good.proof[:-1],
        "a number too large": changed(good.proof, 0, words(good.proof)[0] + BASE),
        "a negative without its like": changed(good.proof, 1, BASE - words(good.proof)[1]),
        "off the curve": changed(good.proof, 7, 5),
    }
    for name, proof in proofs.items():
        call = replace(good, proof=proof)
        assert refused(lambda call=call: stated.send(call)) == "Claims_ProofRefused", name
    for other in (
        {"tag": good.tag + FIELD},
        {"tag": good.tag + 1},
        {"after": good.after + 1},
        {"claimed": good.claimed + FIELD},
        {"payer": second_insurer.id},
    ):
        call = replace(good, **other)  # type: ignore[arg-type]
        assert refused(lambda call=call: stated.send(call)) == "Claims_ProofRefused", other

    # Another provider can't use it, whatever it enrolled.
    thief = town.organisation(kind=1)
    thief.agent.lane.transact(contract.enrol(claims.holder_of(random_element())))
    assert refused(lambda: thief.agent.lane.transact(contract.open(good))) == "Claims_ProofRefused"
    assert contract.total(stated.tag) == 0

    # Who changes a good proof into another of the same gains nothing: it happens once.
    stated.send(replace(good, proof=mirrored(good.proof)))
    # It was for that claim's name; the next one has another.
    assert refused(lambda: stated.send(good)) == "Claims_ProofRefused"


def test_nobody_pays_more_than_is_claimed(town: Town, provider: Provider, insurer: Member) -> None:
    contract, stated = town.contracts.claims, provider.state()
    opened = stated.open(insurer, 600)
    claim = received(stated, insurer, opened)
    more = Amount(claim=claim, amount=601, currency=EUROS, blind=3)
    with pytest.raises(Conflict, match="600"):
        claims.settle(opened.claimed, more)
    less = replace(more, amount=599)
    proof = proof_of("settle", claims.settle(opened.claimed, less))

    def decide(outcome: Outcome, approved: int) -> str | None:
        call = contract.adjudicate(claim, outcome, approved=approved, proof=proof)
        return refused(lambda: insurer.agent.lane.transact(call))

    assert decide(Outcome.PARTLY, more.commitment) == "Claims_ProofRefused"
    assert decide(Outcome.APPROVED, less.commitment) == "Claims_ProofRefused"
    call = contract.adjudicate(claim, Outcome.PARTLY, approved=less.commitment, proof=proof)
    with pytest.raises(Forbidden):
        provider.member.agent.lane.transact(call)
    insurer.agent.lane.transact(call)
    # Anybody who shows the patient's secret appeals.
    town.lane().transact(contract.appeal_for(claim, bytes(32)))
    assert contract.claim(claim).state == ClaimState.APPEALED
