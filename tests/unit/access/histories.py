"""Random histories of grants, revocations, emergencies and suspensions, on a real ledger.

A `Stage` is one deployment with people in every state; a history uses a fresh vault on it. After
each step the contract is asked a handful of questions and every judge (a `decide`) is asked the
same, over the read model that events built.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adapters.ledgers import Member, Person
from simdes.access.chain_model import ChainView, apply_events
from simdes.access.policy import View
from simdes.access.record_lists import record_proof, records_root
from simdes.errors import SimdesError
from simdes.index.transaction import Transaction
from simdes.ledger.consents import Decision, commitment
from simdes.ledger.lane import Call, Lane
from simdes.ledger.terms import ZERO20, ZERO32, GranteeKind, Request, Terms
from unit.access.stage import GAS, Stage

Judge = Callable[[View, bytes, Terms, bytes, Request], Decision]
Question = tuple[bytes, Terms, bytes, Request]


@dataclass
class Granted:
    handle: bytes
    terms: Terms
    salt: bytes
    records: tuple[bytes, ...]


@dataclass
class Opened:
    """An emergency: by whom, and when."""

    handle: bytes
    member: Member
    clinician: Person
    seconds: int


class History:
    """One vault's history: `step` changes something, `questions` asks about what is there."""

    def __init__(self, stage: Stage, tx: Transaction, chance: random.Random) -> None:
        self.stage, self.tx, self.chance = stage, tx, chance
        self.seen = stage.contracts.ledger.head().number + 1
        self.tag = stage.vault()
        self.granted: list[Granted] = []
        self.emergencies: list[Opened] = []
        self.reviewed: list[Opened] = []
        self.burned: list[bytes] = []
        self._apply()

    def step(self) -> None:
        verbs = (self._grant,) * 6 + (self._revoke,) * 3 + (self._emergency,) * 3
        verbs += (
            self._revoke_all,
            self._review,
            self._review,
            self._suspend,
            self._toggle_condition,
        )
        verbs += (self._burn,)
        if self.chance.random() < (0.5 if self.stage.closed_organisations else 0.02):
            verbs = (self._suspend_organisation,)
        self.chance.choice(verbs)()
        self._apply()

    def questions(self, count: int) -> list[Question]:
        return [self._question() for _ in range(count)]

    # What happens ------------------------------------------------------------------------------

    def _grant(self) -> None:
        terms, records = self._terms()
        granted = Granted(os.urandom(32), terms, os.urandom(32), records)
        self._send(
            self.stage.patient.lane,
            self.stage.contracts.consents.grant(
                tag=self.tag,
                handle=granted.handle,
                commitment=commitment(terms, granted.salt),
                pointer=os.urandom(32),
            ),
        )
        self.granted.append(granted)

    def _revoke(self) -> None:
        handles = [one.handle for one in self.granted] + [one.handle for one in self.emergencies]
        if handles:
            handle = self.chance.choice(handles)
            call = self.stage.contracts.consents.revoke(tag=self.tag, handle=handle)
            self._send(self.stage.patient.lane, call)

    def _burn(self) -> None:
        handle = os.urandom(32)
        self.burned.append(handle)
        call = self.stage.contracts.consents.revoke(tag=self.tag, handle=handle)
        self._send(self.stage.patient.lane, call)

    def _revoke_all(self) -> None:
        self._send(self.stage.patient.lane, self.stage.contracts.consents.revoke_all(self.tag))

    def _emergency(self) -> None:
        member, clinician = self.chance.choice(self.stage.actors)
        handle = os.urandom(32)
        call = self.stage.contracts.consents.open_emergency(
            tag=self.tag, handle=handle, reason_digest=os.urandom(32)
        )
        if self._send(clinician.lane, call):
            self.emergencies.append(Opened(handle, member, clinician, self._now()))

    def _review(self) -> None:
        if self.emergencies:
            one = self.chance.choice(self.emergencies)
            call = self.stage.contracts.consents.review_emergency(
                tag=self.tag, handle=one.handle, outcome=self.chance.choice((1, 2))
            )
            if self._send(one.member.administrator.lane, call):
                self.reviewed.append(one)

    def _suspend(self) -> None:
        out = [one for one in self.stage.actors if one[1].id in self.stage.suspended]
        member, person = self.chance.choice(out or self.stage.actors)  # most stay active
        accounts = self.stage.contracts.accounts
        if person.id in self.stage.suspended:
            if self._send(member.administrator.lane, accounts.verify(person.id)):
                self.stage.suspended.discard(person.id)
        elif self._send(member.administrator.lane, accounts.suspend(person.id)):
            self.stage.suspended.add(person.id)

    def _suspend_organisation(self) -> None:
        closed, accounts = self.stage.closed_organisations, self.stage.contracts.accounts
        member = self.stage.members[1]  # the patient's own stays, so that grants go on
        if member.id in closed:
            self.stage.town.govern(accounts.verify_organisation(member.id))
            closed.discard(member.id)
        else:
            self.stage.town.govern(accounts.suspend_organisation(member.id))
            closed.add(member.id)

    def _toggle_condition(self) -> None:
        value = self.chance.choice((0, 1, 1, 2))
        data = bytes(4) + bytes(31) + b"\7" + value.to_bytes(32, "big")
        self._send(self.stage.town.deployer, Call(self.stage.condition, data, "toggle"))

    def _send(self, lane: Lane, call: Call) -> bool:
        try:
            lane.transact(replace(call, gas=GAS))
        except SimdesError:
            return False
        return True

    def _apply(self) -> None:
        ledger = self.stage.contracts.ledger
        head = ledger.head().number
        if head < self.seen:
            return
        logs = ledger.logs(
            first=self.seen, last=head, addresses=self.stage.contracts.addresses.watched()
        )
        found = [e for log in logs if (e := self.stage.contracts.decode(log)) is not None]
        apply_events(self.tx, found)
        self.seen = head + 1

    # What is asked -----------------------------------------------------------------------------

    def _terms(self) -> tuple[Terms, tuple[bytes, ...]]:
        chance = self.chance
        member, person = chance.choice(self.stage.actors)
        kind = chance.choice((1, 1, 2, 2, 3, 3, 0, 4))
        grantee = person.id if kind == 1 else member.id
        now = self._now()
        start = now + chance.choice((-100, -1, 0, 1, 100))
        records = tuple(os.urandom(32) for _ in range(chance.choice((0, 0, 0, 1, 2, 5))))
        limited = chance.random() < 0.2
        terms = Terms(
            grantee_kind=kind,
            grantee=grantee if chance.random() < 0.9 else os.urandom(32),
            grantee_role=chance.choice((2, 3, 4)),
            categories=chance.choice((0b1000, 0b11111, (1 << 64) - 1, 1 << 63, 0)),
            labels=chance.choice((0, 0b10, 0b10, 0b110, (1 << 64) - 1)),
            purposes=chance.choice((0b1, 0b1, 0b11, 0xFFFF, 0b10000, 0)),
            not_before=start,
            expiry=start + chance.choice((0, 1, 100, 10_000)),
            records=records_root(records) if records else ZERO32,
            condition=self.stage.condition if limited else ZERO20,
            condition_id=bytes(31) + b"\7" if limited else ZERO32,
        )
        return terms, records

    def _question(self) -> Question:
        chance = self.chance
        roll = chance.random()
        if self.reviewed and roll < 0.2:
            return self._about_emergency(chance.choice(self.reviewed), right=True)
        if self.emergencies and roll < 0.45:
            return self._about_emergency(chance.choice(self.emergencies))
        if self.granted and roll < 0.92:
            granted = chance.choice(self.granted[-4:])
        else:
            handle = chance.choice([*self.burned, os.urandom(32), ZERO32])
            granted = Granted(handle, _NOTHING, ZERO32, ())
        terms, salt = granted.terms, granted.salt
        if chance.random() < 0.05:
            salt = os.urandom(32)
        if chance.random() < 0.05:
            terms = replace(terms, categories=terms.categories ^ 1)
        return granted.handle, terms, salt, self._request(granted)

    def _about_emergency(self, opened: Opened, *, right: bool = False) -> Question:
        """Mostly what the emergency allows, off by one in one respect or none."""
        chance = self.chance
        edges = (opened.seconds - 1, opened.seconds, opened.seconds + 599, opened.seconds + 600)
        request = Request(
            vault=self.tag,
            record=os.urandom(32),
            actor=opened.clinician.key.address,
            category=chance.choice((0, 2, 3, 4, 5, 6)),
            labels=0,
            purpose=4,
            time=chance.choice((opened.seconds, opened.seconds + 1)),
        )
        wrong = chance.choice(
            (
                {},
                {"actor": chance.choice(self.stage.actors)[1].key.address},
                {"category": chance.choice((1, 7, 8, 63, 64, 255))},
                {"labels": chance.choice((1, 2, 1 << 63))},
                {"purpose": chance.choice((0, 1, 5, 6, 15))},
                {"time": chance.choice(edges)},
                {"time": chance.choice(edges)},
            )
        )
        return opened.handle, _NOTHING, ZERO32, request if right else replace(request, **wrong)

    def _request(self, granted: Granted) -> Request:
        """What the terms allow, if they allow anything, off in one respect or none."""
        chance, terms = self.chance, granted.terms
        right = Request(
            vault=self.tag,
            record=chance.choice(granted.records) if granted.records else os.urandom(32),
            actor=self._named(terms),
            category=chance.choice([c for c in range(64) if terms.categories >> c & 1] or [3]),
            labels=terms.labels & chance.choice((0, 0b10, 0b110)),
            purpose=chance.choice([p for p in range(6) if terms.purposes >> p & 1] or [0]),
            time=chance.choice((terms.not_before, max(terms.not_before, terms.expiry - 1))),
        )
        if granted.records:
            proof = record_proof(granted.records, right.record)
            right = replace(right, record_proof=proof)
        edges = (terms.not_before - 1, terms.expiry - 1, terms.expiry, self._now())
        wrong = chance.choice(
            (
                {},
                {},
                {"vault": os.urandom(32)},
                {"record": os.urandom(32)},
                {"record_proof": (os.urandom(32),)},
                {"actor": self._somebody()},
                {"category": chance.choice((0, 1, 3, 4, 7, 63, 64, 255))},
                {"labels": chance.choice((0b10, 0b100, 0b110, 1 << 63))},
                {"labels": 0b110},
                {"purpose": chance.choice((0, 1, 4, 5, 6, 6, 15, 255))},
                {"time": max(0, min(chance.choice(edges), (1 << 64) - 1))},
                {"actor": self.stage.patient.key.address, "purpose": chance.choice((0, 5, 5))},
            )
        )
        return replace(right, **wrong)

    def _named(self, terms: Terms) -> bytes:
        """Somebody whom the terms name, in the role they name where there is one."""
        named = [
            (person, role)
            for (member, person), role in zip(self.stage.actors, (2, 3, 4, 2, 3, 4), strict=True)
            if terms.grantee in (person.id, member.id)
        ]
        fitting = [person for person, role in named if role == terms.grantee_role]
        if terms.grantee_kind == GranteeKind.ROLE_IN_ORGANISATION and fitting:
            return fitting[0].key.address
        return self.chance.choice(named)[0].key.address if named else self._somebody()

    def _somebody(self) -> bytes:
        roll = self.chance.random()
        if roll < 0.1:
            return os.urandom(20)
        if roll < 0.2:
            return self.stage.pending.key.address
        return self.chance.choice(self.stage.actors)[1].key.address

    def _now(self) -> int:
        return self.stage.contracts.ledger.head().timestamp


def _answer(judge: Judge, view: View, question: Question) -> Decision | None:
    try:
        return judge(view, *question)
    except (AttributeError, TypeError, ValueError):
        return None  # a mutant that falls over has been noticed


_NOTHING = Terms(0, ZERO32, 0, 0, 0, 0, 0, 0)


def compare(
    stage: Stage,
    judges: Sequence[Judge],
    *,
    histories: int,
    steps: int,
    questions: int,
    seed: int,
    pass_time: Callable[[float], None] = lambda _: None,
) -> tuple[Counter[str], list[int]]:
    """How often the contract gave each reason, and how often each judge differed from it."""
    chance = random.Random(seed)
    reasons: Counter[str] = Counter()
    differing = [0] * len(judges)
    for _ in range(histories):
        with stage.database.transaction() as tx:
            view = ChainView(tx, stage.contracts.ledger)
            history = History(stage, tx, chance)
            for _ in range(steps):
                pass_time(chance.choice((0, 1, 60)))
                history.step()
                asked = history.questions(questions)
                answers = stage.contracts.consents.are_allowed(asked)
                for question, answer in zip(asked, answers, strict=True):
                    reasons[answer.reason.name] += 1
                    for at, judge in enumerate(judges):
                        differing[at] += _answer(judge, view, question) != answer
    return reasons, differing
