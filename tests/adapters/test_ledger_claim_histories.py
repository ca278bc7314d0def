"""Random histories of claims: whatever is tried in whatever order, the amounts hold.

The contracts are real, on the embedded ledger. Instead of each proof stands the statement that it
shows (`proofs.claims`, which refuses what the circuits refuse: test_constraints), so that
thousands of steps take seconds; real proofs are in test_ledger_claims. Two insurers, two versions
of a cost, two workers of the provider that don't know of each other, and everybody tries
everything at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.ledgers import Member, Town
from adapters.prescribed import random_element
from simdes.errors import Conflict, SimdesError
from simdes.ledger.abi import Artifact, artifact
from simdes.ledger.contracts import (
    ClaimState,
    Outcome,
    ProvenClaim,
    StatementKind,
    element_of_contract,
)
from simdes.ledger.digests import keccak256
from simdes.ledger.ledger import open_ledger
from simdes.proofs import claims
from simdes.proofs.claims import NOTHING, Amount, Encounter, Total
from simdes.proofs.trees import BATCH_DEPTH, FOREST_DEPTH, Place

EUROS = claims.currency_element("EUR")
PROOF = bytes(256)
NOWHERE = Place(
    batch_index=0,
    batch_siblings=(0,) * BATCH_DEPTH,
    forest_index=0,
    forest_siblings=(0,) * FOREST_DEPTH,
)
YES = "69600160005260206000f3600052600a6016f3"
"""Code that makes a contract which answers every call with 1."""


def _believing(name: str) -> Artifact:
    """A verifier that believes everything."""
    shipped = artifact(name)
    return Artifact(
        {
            "contractName": name,
            "abi": shipped.abi,
            "bytecode": YES,
            "deployedBytecode": YES[2:22],
        }
    )


@dataclass
class Clock:
    """The ledger's time, which a history moves on."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass(frozen=True)
class Scene:
    """A network with a hospital and two insurers."""

    town: Town
    clock: Clock
    hospital: Member
    insurers: tuple[Member, Member]
    secret: int


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    clock = Clock()
    ledger = open_ledger(f"embedded:{tmp_path_factory.mktemp('histories') / 'l'}", clock=clock)
    names = ("ClaimVerifier", "SettleVerifier", "FreeVerifier")
    town = Town(ledger, [_believing(one) for one in names])
    hospital, secret = town.organisation(), random_element()
    hospital.agent.lane.transact(town.contracts.claims.enrol(claims.holder_of(secret)))
    call = town.contracts.statements.insert_root(StatementKind.ENCOUNTER, random_element())
    hospital.agent.lane.transact(call)
    insurers = (town.organisation(kind=3), town.organisation(kind=3))
    yield Scene(town, clock, hospital, insurers, secret)
    ledger.close()


@dataclass
class Kept:
    """A claim as provider and insurer keep it."""

    payer: int
    claimed: Amount
    counted: Amount | None
    approved: Amount | None = None
    paid: Amount | None = None

    @property
    def id(self) -> int:
        return self.claimed.claim

    def amount(self, most: int) -> Amount:
        """Up to so much of it, under a fresh blind."""
        return replace(self.claimed, amount=max(1, most), blind=random_element())


@dataclass
class History:
    """One encounter, and what everybody did with it."""

    scene: Scene
    encounter: int = field(default_factory=random_element)
    costs: list[int] = field(default_factory=lambda: [100])
    total: Total = NOTHING
    before: Total = NOTHING
    """What a second worker of the provider believes: the total before the last change."""
    claims: list[Kept] = field(default_factory=list)

    @property
    def contract(self) -> Any:
        return self.scene.town.contracts.claims

    @property
    def stated(self) -> Encounter:
        return Encounter(
            secret=self.scene.secret,
            encounter=self.encounter,
            cost=self.costs[-1],
            currency=EUROS,
            version=len(self.costs),
            salt=7,
        )

    @property
    def context(self) -> int:
        where = self.scene.town.addresses.claims
        return element_of_contract(chain_id=self.scene.town.ledger.chain_id(), address=where)

    @property
    def tag(self) -> int:
        return self.stated.tag(self.context)

    def provide(self, call: Any) -> None:
        self.scene.hospital.agent.lane.transact(call)

    def insure(self, one: Kept, call: Any) -> None:
        self.scene.insurers[one.payer].agent.lane.transact(call)

    # What anybody tries --------------------------------------------------------------------

    def open(self, at: int, amount: int, *, stale: bool = False) -> None:
        payer, salt = self.scene.insurers[at % 2], random_element()
        identity = self.contract.next_id(self.tag, payer.id)
        root = self.scene.town.contracts.statements.forest(StatementKind.ENCOUNTER).root
        total = self.before if stale else self.total
        around = {"identity": identity, "root": root, "context": self.context}
        signals = claims.claim(
            self.stated, [amount], total, NOWHERE, claim_salt=5, salt_after=salt, **around
        )
        self.provide(
            self.contract.open(
                ProvenClaim(
                    root=root,
                    tag=self.tag,
                    payer=payer.id,
                    before=signals["before"],
                    after=signals["after"],
                    claimed=signals["claimed"],
                    proof=PROOF,
                    voice=keccak256(bytes(32)),
                )
            )
        )
        claimed = claims.claimed_amount(
            identity,
            [amount],
            encounter=self.encounter,
            version=len(self.costs),
            currency=EUROS,
            salt=5,
        )
        self.claims.append(Kept(at % 2, claimed, claimed))
        self._moved(Total(sum=total.sum + amount, version=len(self.costs), salt=salt))

    def _moved(self, total: Total) -> None:
        self.before, self.total = self.total, total

    def adjudicate(self, one: Kept, amount: int, outcome: Outcome) -> None:
        approved = one.amount(amount) if outcome is not Outcome.DENIED else None
        commitment = 0
        if approved is not None:
            signals = claims.settle(one.claimed, approved)
            outcome = Outcome.APPROVED if signals["whole"] else Outcome.PARTLY
            commitment = signals["lower"]
        call = self.contract.adjudicate(
            one.id, outcome, approved=commitment, reason=b"\7" * 32, proof=PROOF
        )
        self.insure(one, call)
        one.approved = approved

    def settle(self, one: Kept, amount: int) -> None:
        if one.approved is None:
            raise Conflict("nothing is approved")
        paid = one.amount(amount)
        signals = claims.settle(one.approved, paid)
        whole = bool(signals["whole"])
        self.insure(one, self.contract.settle(one.id, paid.commitment, whole=whole, proof=PROOF))
        one.paid = paid

    def free(self, one: Kept) -> None:
        commitment = self.contract.kept(one.id)
        kept = next(
            (x for x in (one.paid, one.approved) if x is not None and x.commitment == commitment),
            None,
        )
        assert (kept is None) == (commitment == 0)
        if one.counted is None:
            raise Conflict("nothing is counted")
        signals, after = claims.free(
            one.counted, kept, self.total, tag=self.tag, salt_after=random_element()
        )
        call = self.contract.free(
            one.id, before=signals["before"], after=signals["after"], proof=PROOF
        )
        self.provide(call)
        one.counted = kept
        self._moved(after)

    # What must hold ------------------------------------------------------------------------

    def check(self) -> None:
        """Hold the ledger to what really happened."""
        whole = sum(one.counted.amount for one in self.claims if one.counted is not None)
        assert whole == self.total.sum
        assert self.contract.total(self.tag) == self.total.commitment(tag=self.tag, currency=EUROS)
        cost = self.costs[self.total.version - 1] if self.total.version else 0
        assert whole <= cost
        alive, paid = [], 0
        for one in self.claims:
            known = self.contract.claim(one.id)
            assert known.claimed == one.claimed.commitment
            assert known.approved == _said(one.approved)
            assert known.paid == _said(one.paid)
            assert known.counted == _said(one.counted)
            if one.approved is not None:
                assert one.approved.amount <= one.claimed.amount
            if one.paid is not None:
                assert one.approved is not None
                assert one.paid.amount <= one.approved.amount
            if known.state is not ClaimState.REVERSED:
                alive.append(one.payer)
                paid += one.paid.amount if one.paid is not None else 0
        assert len(alive) == len(set(alive)), "one claim of an encounter at a payer"
        assert paid <= cost


def _said(one: Amount | None) -> int:
    return 0 if one is None else one.commitment


Act = Callable[[History, Kept, int], None]
_OF_A_CLAIM: dict[str, Act] = {
    "disclose": lambda its, one, _: its.provide(its.contract.disclose(one.id)),
    "acknowledge": lambda its, one, _: its.insure(one, its.contract.acknowledge(one.id)),
    "ask": lambda its, one, _: its.insure(one, its.contract.ask(one.id)),
    "decide": lambda its, one, n: its.adjudicate(one, n, Outcome.PARTLY),
    "decide whole": lambda its, one, _: its.adjudicate(one, one.claimed.amount, Outcome.PARTLY),
    "deny": lambda its, one, n: its.adjudicate(one, n, Outcome.DENIED),
    "accept": lambda its, one, _: its.provide(its.contract.accept(one.id)),
    "appeal": lambda its, one, _: its.provide(its.contract.appeal(one.id)),
    "settle": lambda its, one, n: its.settle(one, n),
    "settle whole": lambda its, one, _: its.settle(
        one, one.approved.amount if one.approved is not None else 1
    ),
    "take back": lambda its, one, _: its.insure(one, its.contract.reverse(one.id)),
    "reverse": lambda its, one, _: its.provide(its.contract.reverse(one.id)),
    "free": lambda its, one, _: its.free(one),
}
_OF_THE_VISIT: dict[str, Callable[[History, int, int], None]] = {
    "open": lambda its, at, n: its.open(at, n),
    "open unaware": lambda its, at, n: its.open(at, n, stale=True),
    "cost": lambda its, _, n: its.costs.append(2 * n),
}
_ONWARDS = {
    ClaimState.OPENED: "disclose",
    ClaimState.DISCLOSED: "acknowledge",
    ClaimState.RECEIVED: "decide",
    ClaimState.APPEALED: "decide whole",
    ClaimState.ASKED: "disclose",
    ClaimState.APPROVED: "settle",
    ClaimState.DENIED: "accept",
    ClaimState.PAID: "free",
    ClaimState.REVERSED: "free",
}


def _onwards(history: History, one: Kept) -> str:
    """What leads a claim to its end: histories of chance alone would stay at its beginning."""
    known = history.contract.claim(one.id)
    final = known.is_final(history.scene.town.ledger.head().timestamp)
    if known.state is ClaimState.PARTLY:
        return "settle whole" if final else "accept"
    return "free" if final else _ONWARDS[known.state]


_VERBS = (*_OF_A_CLAIM, *_OF_THE_VISIT, *["onwards"] * 24, *["open"] * 4)
STEPS = st.lists(
    st.tuples(st.sampled_from(_VERBS), st.integers(0, 3), st.integers(1, 110)),
    min_size=10,
    max_size=30,
)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_total_claimed_stays_within_cost_and_paid_within_claimed(
    scene: Scene, steps: list[tuple[str, int, int]]
) -> None:
    history = History(scene)
    history.open(0, 60)
    for tried, at, amount in steps:
        verb = tried
        try:
            if verb in _OF_THE_VISIT:
                _OF_THE_VISIT[verb](history, at, amount)
                continue
            one = history.claims[at % len(history.claims)]
            verb = _onwards(history, one) if verb == "onwards" else verb
            _OF_A_CLAIM[verb](history, one, amount)
        except SimdesError:
            pass  # refused, by the statement or by the ledger: nothing may have changed
        finally:
            history.check()


def _paid_in_part(history: History, at: int) -> Kept:
    """Claim what is left at an insurer, which pays half of it; the rest is given back."""
    history.open(at, history.costs[-1] - history.total.sum)
    one = history.claims[-1]
    _OF_A_CLAIM["disclose"](history, one, 0)
    _OF_A_CLAIM["acknowledge"](history, one, 0)
    history.adjudicate(one, one.claimed.amount // 2, Outcome.PARTLY)
    _OF_A_CLAIM["accept"](history, one, 0)
    history.settle(one, one.claimed.amount // 2)
    history.free(one)
    history.check()
    return one


def test_two_insurers_never_pay_more_than_the_visit_cost(scene: Scene) -> None:
    history = History(scene)
    first, second = _paid_in_part(history, 0), _paid_in_part(history, 1)
    assert (first.paid, second.paid) != (None, None)
    assert history.total.sum == 75
    with pytest.raises(SimdesError):
        history.open(0, 25)
    with pytest.raises(Conflict, match="left"):
        history.open(1, 26)
    _OF_A_CLAIM["take back"](history, first, 0)
    history.free(first)
    history.check()
    history.open(0, 75)
    history.check()
