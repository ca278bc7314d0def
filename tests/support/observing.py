"""Guesses: who sees the whole chain and IPFS tries to say what a tag is about.

A day of prescriptions on the real contracts, the truth beside it, and what an observer sees: every
transaction with sender, time, input and gas, every event, and the sealed objects on IPFS with time,
owner and padded size. The proofs' bytes are random here and a verifier takes them: a Groth16 proof
is perfectly zero-knowledge, that is distributed as what a simulator makes from the public inputs
alone (https://eprint.iacr.org/2016/260, theorem 1), so that there is nothing in it to see.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from adapters.ledgers import Member, Town
from simdes.crypto.padding import padded_size
from simdes.ledger.abi import Artifact, artifact
from simdes.ledger.contracts import (
    ProvenStep,
    StatementKind,
    element_of_contract,
)
from simdes.ledger.ledger import Ledger, open_ledger
from simdes.proofs.batches import compose, slot_at
from simdes.proofs.poseidon import FIELD
from simdes.proofs.prescriptions import Prescription, nullifier_key, tag_of
from simdes.proofs.trees import BATCH_DEPTH, Tree

PERIOD, PERIODS = 2_400, 24
START = 1_800_000_000 // PERIOD * PERIOD
DRUGS, PRESCRIBERS, PATIENTS = 12, 9, 400
# PUSH1 1 PUSH0 MSTORE PUSH1 32 PUSH0 RETURN, and what deploys it.
_ALWAYS = bytes.fromhex("60015f5260205ff3")
_DEPLOY = b"\x67" + _ALWAYS + bytes.fromhex("5f5260086018f3")


@dataclass(frozen=True)
class Truth:
    """What nobody but prescriber, patient and pharmacy knows of a tag."""

    hospital: int
    prescriber: int
    patient: int
    drug: int
    slot: int

    @property
    def kind(self) -> int:
        """Of the drug: taken once, or for long."""
        return self.drug % 2


@dataclass(frozen=True)
class Seen:
    """A dispense on the chain."""

    tag: int
    time: int
    pharmacy: int
    part: int
    gas: int
    input_bytes: int
    root: int


@dataclass(frozen=True)
class Batch:
    """A batch's root on the chain."""

    time: int
    hospital: int
    root: int
    forest_root: int
    gas: int


@dataclass(frozen=True)
class Sealed:
    """An object on IPFS: when it came, whose it is, how large."""

    time: int
    hospital: int
    size: int


@dataclass
class World:
    """What happened, what is seen of it, and what is true."""

    hospitals: int
    batches: list[Batch] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    sealed: list[Sealed] = field(default_factory=list)
    truth: dict[int, Truth] = field(default_factory=dict)


class Clock:
    """The chain's time."""

    now: float = START

    def __call__(self) -> float:
        return self.now


def believing() -> Artifact:
    """A verifier that takes every proof."""
    shipped = artifact("DispenseVerifier")
    return Artifact(
        {
            "contractName": shipped.name,
            "abi": shipped.abi,
            "bytecode": f"0x{_DEPLOY.hex()}",
            "deployedBytecode": f"0x{_ALWAYS.hex()}",
        }
    )


@dataclass(frozen=True)
class Manner:
    """How hospitals issue and patients behave.

    `timetable` off: each prescription is a batch of its own at once (what the timetable is for).
    `habits` on: what a drug is shows in how it is dispensed, and patients go to the pharmacy next
    to their hospital: what the world shows, not the protocol. `delay` is the logarithm of the
    seconds that half of the patients let pass.
    """

    prescriptions: int = 1_100
    hospitals: int = 4
    pharmacies: int = 5
    delay: float = 7.5
    timetable: bool = True
    habits: bool = False


class Play:
    """Plays a day on a ledger."""

    def __init__(self, folder: Path, manner: Manner, seed: int) -> None:
        self.manner, self.random, self.clock = manner, random.Random(seed), Clock()
        self.ledger: Ledger = open_ledger(f"embedded:{folder / 'chain.db'}", clock=self.clock)
        self.town = Town(self.ledger, [believing()])
        self.hospitals = [self.town.organisation(1) for _ in range(manner.hospitals)]
        self.pharmacies = [self.town.organisation(2) for _ in range(manner.pharmacies)]
        self.context = element_of_contract(
            chain_id=self.ledger.chain_id(), address=self.town.addresses.prescriptions
        )
        self.world = World(manner.hospitals)
        self.busy = [self.random.uniform(0.5, 1.5) for _ in self.hospitals]

    def day(self) -> World:
        """All of it, in the order of time."""
        acts: list[tuple[float, int, Callable[[], None]]] = []
        begin = START + PERIOD
        written: dict[tuple[int, int], list[tuple[Prescription, Truth]]] = {}
        for number in range(self.manner.prescriptions):
            at = begin + self.random.uniform(0, PERIOD * (PERIODS - 8))
            hospital = self.random.choices(range(len(self.hospitals)), self.busy)[0]
            one, truth = self._written(hospital, at)
            if self.manner.timetable:
                written.setdefault((truth.slot, hospital), []).append((one, truth))
                ready = (truth.slot + 1) * PERIOD + len(self.hospitals) * 5
            else:
                acts.append((at, number, self._issuing(hospital, [(one, truth)])))
                ready = at + 5
            acts += self._dispensings(ready, number, one, truth)
        first = slot_at(begin, PERIOD)
        for slot in range(first, first + PERIODS - 7) if self.manner.timetable else ():
            order = self.random.sample(range(len(self.hospitals)), len(self.hospitals))
            for place, hospital in enumerate(order):
                issuing = self._issuing(hospital, written.get((slot, hospital), []))
                acts.append(((slot + 1) * PERIOD + 5 * place, -1, issuing))
        for at, _, act in sorted(acts, key=lambda one: one[:2]):
            self.clock.now = max(self.clock.now + 1, int(at))
            act()
        self.ledger.close()
        return self.world

    def _written(self, hospital: int, at: float) -> tuple[Prescription, Truth]:
        truth = Truth(
            hospital,
            self.random.randrange(PRESCRIBERS),
            self.random.randrange(PATIENTS),
            self.random.randrange(DRUGS),
            slot_at(int(at), PERIOD),
        )
        thirds = truth.kind if self.manner.habits else self.random.randrange(2)
        one = Prescription(
            key=nullifier_key(self.random.randrange(FIELD)),
            salt=self.random.randrange(FIELD),
            total=90,
            per_fill=30 if thirds else 90,
            interval=0,
            first_day=0,
            last_day=2**20 - 1,
        )
        self.world.truth[tag_of(one.key, context=self.context)] = truth
        return one, truth

    def _issuing(
        self, hospital: int, written: Sequence[tuple[Prescription, Truth]]
    ) -> Callable[[], None]:
        def act() -> None:
            leaves = [one.leaf for one, _ in written]
            made = compose(leaves, self.random.randbytes).leaves if self.manner.timetable else None
            root = Tree(BATCH_DEPTH, made or leaves).root
            statements = self.town.contracts.statements
            call = statements.insert_root(StatementKind.PRESCRIPTION, root)
            receipt = self.hospitals[hospital].agent.lane.transact(call)
            now = int(self.clock.now)
            forest = statements.forest(StatementKind.PRESCRIPTION).root
            self.world.batches.append(Batch(now, hospital, root, forest, receipt.gas_used))
            # Openings go with the record, sealed and padded among all that a hospital seals.
            others = self.random.randint(40, 160)
            sizes = [1_300] * len(written)
            sizes += [int(self.random.lognormvariate(7.2, 0.6)) for _ in range(others)]
            self.world.sealed += [Sealed(now, hospital, padded_size(size)) for size in sizes]

        return act

    def _dispensings(
        self, ready: float, number: int, one: Prescription, truth: Truth
    ) -> list[tuple[float, int, Callable[[], None]]]:
        near = truth.hospital % len(self.pharmacies)
        goes_near = self.manner.habits and self.random.random() < 0.7
        pharmacy = near if goes_near else self.random.randrange(len(self.pharmacies))
        at = ready + min(self.random.lognormvariate(self.manner.delay, 1.0), 5 * PERIOD)
        steps = [(0, 30)] if one.per_fill == 30 else [(0, 90)]
        if one.per_fill == 30 and self.random.random() < 0.2:
            steps.append((30, 60))
        return [
            (at + 600 * place, number, self._dispensing(self.pharmacies[pharmacy], one, *step))
            for place, step in enumerate(steps)
        ]

    def _dispensing(
        self, pharmacy: Member, one: Prescription, before: int, after: int
    ) -> Callable[[], None]:
        def act() -> None:
            contracts = self.town.contracts
            root = contracts.statements.forest(StatementKind.PRESCRIPTION).root
            tag = tag_of(one.key, context=self.context)
            step = ProvenStep(
                root=root,
                tag=tag,
                part_before=one.part(before),
                part_after=one.part(after),
                begins=True,
                proof=self.random.randbytes(256),
            )
            call = contracts.prescriptions.dispense(step)
            receipt = pharmacy.agent.lane.transact(call)
            self.world.seen.append(
                Seen(
                    tag,
                    int(self.clock.now),
                    self.pharmacies.index(pharmacy),
                    step.part_after,
                    receipt.gas_used,
                    len(call.data),
                    root,
                )
            )

        return act


ABOUT = ("drug", "kind", "prescriber", "patient")


# --- The observer ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Guess:
    """A way of guessing: what about, and how well it did beyond the same guesses at random.

    `chance` is how often the guesses would be right if they were dealt out blindly: any dependence
    on the truth shows, also one that is no better than always saying the commonest.
    """

    about: str
    strategy: str
    right: int
    of: int
    chance: float

    @property
    def advantage(self) -> float:
        return self.right / self.of - self.chance

    def interval(self, sigmas: float = 1.96) -> tuple[float, float]:
        """Of the advantage, by the normal approximation (95 % at 1.96)."""
        share = self.right / self.of
        around = sigmas * math.sqrt(max(share * (1 - share), self.chance / self.of) / self.of)
        return self.advantage - around, self.advantage + around


def guesses(world: World) -> list[Guess]:
    """Everything that was thought of."""
    first = {}
    for one in world.seen:
        first.setdefault(one.tag, one)
    seen = list(first.values())
    truth = [world.truth[one.tag] for one in seen]
    found = [
        _scored("hospital", name, [guess(world, one) for one in seen], [t.hospital for t in truth])
        for name, guess in HOSPITAL.items()
    ]
    found.append(_by_order(world, seen, truth))
    for about in ABOUT:
        real = [getattr(one, about) for one in truth]
        for name, key in KEYS.items():
            said = _learned([key(one) for one in seen], real)
            found.append(_scored(about, name, said, real[len(real) // 2 :]))
    real = [one.hospital for one in truth]
    for name, key in KEYS.items():
        said = _learned([key(one) for one in seen], real)
        found.append(_scored("hospital", f"{name}, learned", said, real[len(real) // 2 :]))
    found += _pairs(seen, truth)
    return found


def _scored(about: str, strategy: str, said: Sequence[int], real: Sequence[int]) -> Guess:
    right = sum(a == b for a, b in zip(said, real, strict=True))
    guessed, true = Counter(said), Counter(real)
    chance = sum(count * true[value] for value, count in guessed.items()) / len(real) ** 2
    return Guess(about, strategy, right, len(real), chance)


def _learned(keys: Sequence[int], real: Sequence[int]) -> list[int]:
    """The likeliest value by a feature, learned from half of all tags of which all is told."""
    half = len(keys) // 2
    told: dict[int, Counter[int]] = {}
    for key, value in zip(keys[:half], real[:half], strict=True):
        told.setdefault(key, Counter())[value] += 1
    usual = Counter(real[:half]).most_common(1)[0][0]
    return [told[key].most_common(1)[0][0] if key in told else usual for key in keys[half:]]


def _by_order(world: World, seen: Sequence[Seen], truth: Sequence[Truth]) -> Guess:
    """The n-th of all tags is of the n-th of all batches, in proportion."""
    batches = world.batches
    said = [batches[at * len(batches) // len(seen)].hospital for at in range(len(seen))]
    return _scored("hospital", "order of batches", said, [one.hospital for one in truth])


def _pairs(seen: Sequence[Seen], truth: Sequence[Truth]) -> list[Guess]:
    """Two dispenses after each other, at one pharmacy or at any, are of one patient or drug."""
    ordered = sorted(zip(seen, truth, strict=True), key=lambda one: one[0].time)
    by_pharmacy = sorted(ordered, key=lambda one: (one[0].pharmacy, one[0].time))
    found = []
    for about in ("patient", "prescriber"):
        for name, row in (("next", ordered), ("next at the pharmacy", by_pharmacy)):
            real = [getattr(one, about) for _, one in row]
            right = sum(a == b for a, b in pairwise(real))
            counts = Counter(real)
            pairs = len(real) * (len(real) - 1)
            chance = sum(one * (one - 1) for one in counts.values()) / pairs
            found.append(Guess(f"same {about}", name, right, len(real) - 1, chance))
    return found


def _before(world: World, one: Seen) -> list[Batch]:
    return [batch for batch in world.batches if batch.time <= one.time]


def _volume(world: World, one: Seen) -> int:
    """Whose sealed objects of an opening's size were most in the newest period."""
    newest = _before(world, one)[-1].time - world.hospitals * 5
    size = padded_size(1_300)
    counts = Counter(
        sealed.hospital
        for sealed in world.sealed
        if newest <= sealed.time <= one.time and sealed.size == size
    )
    return counts.most_common(1)[0][0] if counts else 0


HOSPITAL: dict[str, Callable[[World, Seen], int]] = {
    "nearest batch before": lambda world, one: _before(world, one)[-1].hospital,
    "first batch of the newest period": lambda world, one: (
        _before(world, one)[-world.hospitals :][0].hospital
    ),
    "the proof's root": lambda world, one: next(
        (batch.hospital for batch in world.batches if batch.forest_root == one.root), 0
    ),
    "nearest gas": lambda world, one: (
        min(
            _before(world, one)[-world.hospitals :],
            key=lambda batch: abs(batch.gas % 97 - one.gas % 97),
        ).hospital
    ),
    "digits of the tag": lambda world, one: one.tag % world.hospitals,
    "tag nearest to a batch's root": lambda world, one: (
        min(
            _before(world, one)[-world.hospitals :], key=lambda batch: abs(batch.root - one.tag)
        ).hospital
    ),
    "most sealed objects": _volume,
}
"""Ways to name the hospital of a tag from chain and IPFS alone."""

KEYS: dict[str, Callable[[Seen], int]] = {
    "pharmacy": lambda one: one.pharmacy,
    "part": lambda one: one.part,
    "hour": lambda one: one.time // 3_600 % 24,
    "minute of the period": lambda one: one.time % PERIOD // 60,
    "gas": lambda one: one.gas // 100,
    "size of the input": lambda one: one.input_bytes,
    "pharmacy and part": lambda one: one.pharmacy * 100_000 + one.part,
    "low digits of the tag": lambda one: one.tag % 64,
}
"""Features from which one who was told the truth of half of all tags tries to learn the rest."""
