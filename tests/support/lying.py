"""Organisations that lie about their audit trails, in every way that we could think of.

A `World` is a real network in which a doctor at south reads a patient's records with the shares of
custodians, and others are refused. A lie changes what one organisation wrote before it anchors it,
what it anchors, or what it answers; it is as good a forger as its own keys make it: entries are
chained, salted, batched and anchored anew. `LIES` lists them; a seed chooses when, what and who.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from simdes.access import trails
from simdes.access.audit_batches import build_batch
from simdes.access.audit_event import Attempt, Verb, decode
from simdes.access.categories import Purpose, Role
from simdes.access.consent import Grantee
from simdes.access.desk import Asker, Desk, Outcome
from simdes.app import Opened
from simdes.crypto import anchor
from simdes.crypto.digest import sha256
from simdes.errors import Forbidden, SimdesError, Unavailable
from simdes.exchange import consents, custody, logbook, reconciling, retrieve
from simdes.index import audit as rows
from simdes.index import reconciling as reconciliation
from simdes.index.transaction import Transaction
from support import consortium
from support.consortium import Clock, Consortium

HOUR = 3_600.0
READER = "south"


@dataclass(slots=True)
class World:
    """A network, its patient ada's vault, and chance."""

    network: Consortium
    clock: Clock
    vault: bytes
    random: Random
    lying: ExitStack
    handle: bytes = b""

    def grant(self, *categories: str) -> None:
        """Ada lets south's doctors read."""
        self.handle = consents.grant(
            self.network["north"].node,
            self.network.session("north", "ada"),
            vault=self.vault,
            grantee=Grantee.role_in(self.network[READER].node.organisation, "doctor"),
            categories=categories,
            purposes=["TREAT"],
            valid_seconds=30 * 86_400,
        ).handle

    def revoke(self) -> None:
        """Ada takes it back."""
        consents.revoke(
            self.network["north"].node,
            self.network.session("north", "ada"),
            vault=self.vault,
            handle=self.handle,
        )

    def read(self, user: str = "dr.lee") -> bool:
        """Somebody at south reads; whether they could."""
        try:
            retrieve.retrieve(
                self.network[READER].node, self.network.session(READER, user), vault=self.vault
            )
        except (Forbidden, Unavailable):
            return False
        return True

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.ahead_seconds += seconds

    def anchor(self, *names: str) -> None:
        """Let these (default all) write down and anchor everything."""
        for name in names or self.network.members:
            logbook.anchor_trail(self.network[name].node)

    def day(self, *, reads: int = 3) -> None:
        """What happens on a day: readings that need shares, refusals, time between them."""
        for _ in range(reads):
            assert self.read()
            if self.random.random() < 0.8:
                assert not self.read("nurse.kim")
            self.later(self.random.uniform(1_000, 4_000))
        assert not self.read("nurse.kim")
        self.later(200)

    def custodians(self) -> list[str]:
        """Who but the reader gave shares."""
        return [
            name
            for name, one in self.network.members.items()
            if name != READER and any(is_release(draft.attempt) for draft in drafts(one))
        ]

    def accused(self, liar: str = "") -> dict[str, set[str]]:
        """Whom anybody's nightly comparison or the patient's log names, and of what.

        What the liar itself says about others is worth nothing.
        """
        names = {one.node.organisation: name for name, one in self.network.members.items()}
        found: dict[str, set[str]] = {}
        for name, one in self.network.members.items():
            if name == liar:
                continue
            reconciling.reconcile(one.node)
            with one.node.database.read() as tx:
                kept = reconciliation.findings(tx)
            for finding in kept:
                found.setdefault(names[finding.organisation], set()).add(finding.kind)
        north = self.network["north"].node
        log = logbook.read_log(north, self.network.session("north", "ada"), vault=self.vault)
        for doubt in log.doubts:
            if doubt.by is not None and names[doubt.by] == liar:
                continue
            for organisation in doubt.organisations:
                found.setdefault(names[organisation], set()).add(doubt.kind)
        return found


@contextmanager
def world(
    template: Path, folder: Path, seed: int, *, skews: Mapping[str, float] | None = None
) -> Iterator[World]:
    """A copy of a prepared network in which ada let south's doctors read."""
    consortium.copy(template, folder)
    clock = Clock()
    opened = consortium.opened(folder, clock=clock, skews=skews)
    with opened as network, ExitStack() as lying:
        made = World(network, clock, (folder / "ada").read_bytes(), Random(seed), lying)
        made.grant("observations", "conditions")
        made.anchor()
        made.later(100)
        yield made


# Forging ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that is not anchored yet: what it says, and when it says that it was written."""

    attempt: Attempt
    recorded_ms: int


def drafts(one: Opened) -> list[Draft]:
    """What an organisation has not anchored yet."""
    trail = one.node.desk.trail
    with one.node.database.read() as tx:
        left = rows.unbatched(tx, limit=10_000)
        entries = [decode(trail.read(tx, row)) for row in left]
    return [Draft(entry.attempt, entry.recorded_ms) for entry in entries]


def forge(one: Opened, change: Callable[[list[Draft]], list[Draft]]) -> None:
    """Write the part of a trail that is not anchored anew, chained as if it had been so."""
    changed = change(drafts(one))

    def write(tx: Transaction) -> None:
        tx.run("DELETE FROM audit_entry WHERE batch_seq IS NULL")
        for draft in changed:
            one.node.desk.trail.write(tx, [draft.attempt], draft.recorded_ms)

    one.node.database.write(write)


def is_release(attempt: Attempt) -> bool:
    """Whether shares were given to the reader's organisation."""
    return attempt.verb is Verb.RELEASE and attempt.granted


def is_list(attempt: Attempt) -> bool:
    """Whether records were listed."""
    return attempt.verb is Verb.MANIFESTS and attempt.granted


def is_refusal(attempt: Attempt) -> bool:
    """Whether a list was refused."""
    return attempt.verb is Verb.MANIFESTS and not attempt.granted


def is_read(attempt: Attempt) -> bool:
    """Whether records were opened."""
    return attempt.verb is Verb.READ and attempt.granted and bool(attempt.records)


def is_refused(attempt: Attempt) -> bool:
    """Whether somebody was told no."""
    return attempt.verb is Verb.READ and not attempt.granted


Which = Callable[[Attempt], bool]
Tell = Callable[[World, Opened], None]


def _one_of(world: World, found: Sequence[Draft], which: Which) -> int:
    return world.random.choice([at for at, one in enumerate(found) if which(one.attempt)])


def dropping(which: Which) -> Tell:
    """Leave one entry out."""

    def tell(world: World, liar: Opened) -> None:
        def change(found: list[Draft]) -> list[Draft]:
            at = _one_of(world, found, which)
            return [*found[:at], *found[at + 1 :]]

        forge(liar, change)

    return tell


def saying(which: Which, what: Callable[[World, Draft], Draft]) -> Tell:
    """Say something else in one entry."""

    def tell(world: World, liar: Opened) -> None:
        def change(found: list[Draft]) -> list[Draft]:
            at = _one_of(world, found, which)
            return [*found[:at], what(world, found[at]), *found[at + 1 :]]

        forge(liar, change)

    return tell


def _attempt(**changes: Any) -> Callable[[World, Draft], Draft]:
    def what(world: World, draft: Draft) -> Draft:
        made = {name: value(world) if callable(value) else value for name, value in changes.items()}
        return replace(draft, attempt=replace(draft.attempt, **made))

    return what


def _somebody(world: World) -> bytes:
    return world.network.session(READER, "prof.ray").actor.account


def _bytes(world: World) -> bytes:
    return world.random.randbytes(32)


def _fewer_records(world: World, draft: Draft) -> Draft:
    kept = list(draft.attempt.records)
    kept.pop(world.random.randrange(len(kept)))
    other = (*kept, world.random.randbytes(32))
    return replace(draft, attempt=replace(draft.attempt, records=other))


def _earlier(world: World, draft: Draft) -> Draft:
    by_ms = int(world.random.choice([20 * 60, 3 * 3_600, 5 * 86_400]) * 1000)
    return replace(draft, recorded_ms=draft.recorded_ms - by_ms)


def _ahead(world: World, draft: Draft) -> Draft:
    by_ms = int(world.random.choice([30 * 60, 5 * 3_600, 9 * 86_400]) * 1000)
    return replace(draft, recorded_ms=draft.recorded_ms + by_ms)


def hiding_all(world: World, liar: Opened) -> None:
    """Anchor a batch without anything about the patient."""
    forge(liar, lambda found: [one for one in found if one.attempt.vault != world.vault])


def dropping_repeats(world: World, liar: Opened) -> None:
    """Say that somebody was refused once who was refused again and again."""
    for _ in range(world.random.randint(2, 4)):
        assert not world.read("nurse.kim")
    world.later(100)
    world.anchor(*(name for name, one in world.network.members.items() if one is not liar))
    liar.node.desk.trail.close_folds(liar.node.database)
    forge(liar, lambda found: [one for one in found if one.attempt.count == 1])


def moving(world: World, liar: Opened) -> None:
    """Put an early entry behind the later ones, chained as if it had been last."""
    which = _witnessed(liar)

    def change(found: list[Draft]) -> list[Draft]:
        first = next(at for at, one in enumerate(found) if which(one.attempt))
        return [*found[:first], *found[first + 1 :], found[first]]

    forge(liar, change)


def _witnessed(liar: Opened) -> Which:
    found = drafts(liar)
    return is_read if any(is_read(one.attempt) for one in found) else is_release


def swapping_leaves(world: World, liar: Opened) -> None:
    """Anchor two leaves in the other order, the entries as they were."""
    which = _witnessed(liar)
    with liar.node.database.read() as tx:
        left = rows.unbatched(tx, limit=10_000)
        known = [decode(liar.node.desk.trail.read(tx, row)).attempt for row in left]
    at = world.random.choice([n for n, one in enumerate(known) if which(one) and n])
    first, second = left[at - 1].seq, left[at].seq

    def write(tx: Transaction) -> None:
        for old, new in ((first, -1), (second, first), (-1, second)):
            tx.run("UPDATE audit_entry SET seq = :new WHERE seq = :old", new=new, old=old)

    liar.node.database.write(write)


def inserting_leaf(world: World, liar: Opened) -> None:
    """Anchor another leaf between two that follow each other: a second entry behind the first."""
    which = _witnessed(liar)
    with liar.node.database.read() as tx:
        left = rows.unbatched(tx, limit=10_000)
        known = [decode(liar.node.desk.trail.read(tx, row)).attempt for row in left]
    at = world.random.choice([n for n, one in enumerate(known) if which(one)])
    seq = left[at].seq

    def write(tx: Transaction) -> None:
        tx.run("UPDATE audit_entry SET seq = -seq WHERE seq >= :seq", seq=seq)
        tx.run("UPDATE audit_entry SET seq = 1 - seq WHERE seq < 0")
        made = {
            name: getattr(left[at], name)
            for name in ("previous", "entry", "salt", "vault", "created_ms")
        }
        extra = {"seq": seq, "digest": os.urandom(32), "leaf": os.urandom(32), "batch_seq": None}
        tx.insert("audit_entry", [made | extra])

    liar.node.database.write(write)


# Anchoring --------------------------------------------------------------------------------------


def anchoring(root_of: Callable[[World, Opened], bytes]) -> Tell:
    """Put another root on chain than that of the entries."""

    def tell(world: World, liar: Opened) -> None:
        others = [name for name, one in world.network.members.items() if one is not liar]
        world.anchor(*others)
        node = liar.node
        build_batch(node.database, random=os.urandom, now_ms=node.now_ms())
        with node.database.read() as tx:
            [batch] = rows.unfinished(tx)
        call = node.contracts.audit_log.append(
            seq=batch.seq,
            previous_root=batch.previous_root,
            root=root_of(world, liar),
            count=batch.count,
        )
        receipt = node.agent.transact(call)
        node.database.write(
            lambda tx: rows.anchored(tx, batch.seq, block_number=receipt.block_number)
        )

    return tell


def _others_root(world: World, liar: Opened) -> bytes:
    victim = world.random.choice([one for one in world.network.members.values() if one is not liar])
    contract = world.network["north"].node.contracts.audit_log
    return contract.head(victim.node.organisation).root


def changing_afterwards(world: World, liar: Opened) -> None:
    """Change an entry in the database once it is anchored."""
    which = _witnessed(liar)
    world.anchor()
    node, trail, other = liar.node, liar.node.desk.trail, _somebody(world)

    def write(tx: Transaction) -> None:
        for row in reversed(rows.newest(tx, vault=world.vault, limit=1_000)):
            entry = decode(trail.read(tx, row))
            if not which(entry.attempt):
                continue
            changed = replace(entry.attempt, account=other)
            head = rows.head(tx)
            trail.write(tx, [changed], entry.recorded_ms)
            [forged] = rows.entries(tx, after=head.seq)
            tx.run("DELETE FROM audit_entry WHERE seq = :seq", seq=forged.seq)
            tx.run(
                "UPDATE audit_entry SET entry = :entry, digest = :digest, salt = :salt,"
                " leaf = :leaf WHERE seq = :seq",
                entry=forged.entry,
                digest=forged.digest,
                salt=forged.salt,
                leaf=forged.leaf,
                seq=row.seq,
            )
            return

    node.database.write(write)


def never_anchoring(world: World, liar: Opened) -> None:
    """Write everything down and put nothing on chain."""
    world.lying.enter_context(_keeping_back(liar))
    world.anchor()
    world.later(26 * HOUR)


@contextmanager
def _keeping_back(liar: Opened) -> Iterator[None]:
    true = logbook.anchor_trail

    def anchor_trail(node: Any) -> int:
        return 0 if node is liar.node else true(node)

    with mock.patch.object(logbook, "anchor_trail", anchor_trail):
        yield


# Answering --------------------------------------------------------------------------------------

Answer = Callable[[Desk, Asker, Any, Outcome], Outcome]


def answering(verb: str, how: Callable[[World, Opened], Answer]) -> Tell:
    """Answer a verb of the custody API falsely from now on."""

    def tell(world: World, liar: Opened) -> None:
        kind, true = custody._VERBS[verb]
        false = how(world, liar)

        def act(desk: Desk, asker: Asker, body: Any) -> Outcome:
            outcome = true(desk, asker, body)
            ours = desk.organisation == liar.node.organisation
            return false(desk, asker, body, outcome) if ours and not outcome.error else outcome

        world.lying.enter_context(mock.patch.dict(custody._VERBS, {verb: (kind, act)}))

    return tell


def _shown(outcome: Outcome, change: Callable[[str], str | None]) -> Outcome:
    shown = [
        [text for one in its if (text := change(str(one))) is not None]  # type: ignore[union-attr]
        for its in outcome.body["shown"]  # type: ignore[union-attr]
    ]
    return replace(outcome, body={"shown": shown})


def showing_nothing(world: World, liar: Opened) -> Answer:
    """Say that there is no such entry."""
    return lambda _desk, _asker, _body, outcome: _shown(outcome, lambda _text: None)


def showing_rubbish(world: World, liar: Opened) -> Answer:
    """Show something that is no entry."""
    junk = world.random.choice(["{}", "[]", "null", '{"proof":{},"before":null}', "\x00"])
    return lambda _desk, _asker, _body, outcome: _shown(outcome, lambda _text: junk)


def showing_no_links(world: World, liar: Opened) -> Answer:
    """Do not show behind what an entry stands."""

    def change(text: str) -> str:
        return json.dumps(json.loads(text) | {"before": None})

    return lambda _desk, _asker, _body, outcome: _shown(outcome, change)


def _altered(world: World, document: dict[str, Any], *, keep_place: bool) -> dict[str, Any]:
    """Another entry in the place of one: same salt, another account."""
    text = document["entry"]
    account = decode(text.encode()).attempt.account.hex()
    forged = text.replace(account, _somebody(world).hex())
    leaf = anchor.audit_leaf(bytes.fromhex(document["salt"][2:]), forged.encode())
    batch = document["batch"] if keep_place else None
    return document | {"entry": forged, "leaf": "0x" + leaf.hex(), "batch": batch}


def forking(world: World, liar: Opened) -> Answer:
    """Show another trail to one of those who ask, and the true one to everybody else."""
    reads = liar is world.network[READER]
    name = world.random.choice(world.custodians() if reads else [READER])
    victim = world.network[name].node.organisation
    keep_place = world.random.random() < 0.5

    def change(text: str) -> str:
        form = json.loads(text)
        return json.dumps(form | {"proof": _altered(world, form["proof"], keep_place=keep_place)})

    def answer(desk: Desk, asker: Asker, body: Any, outcome: Outcome) -> Outcome:
        lied_to = asker.standing.organisation == victim
        return _shown(outcome, change) if lied_to else outcome

    return answer


def _log(outcome: Outcome, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Outcome:
    documents = [json.loads(str(one)) for one in outcome.body["entries"]]  # type: ignore[union-attr]
    changed = [made for one in documents if (made := change(one)) is not None]
    body = dict(outcome.body) | {"entries": [json.dumps(one) for one in changed]}
    return replace(outcome, body=body)


def _says(document: dict[str, Any]) -> Attempt:
    return decode(document["entry"].encode()).attempt


def log_without_one(world: World, liar: Opened) -> Answer:
    """Leave one access out of what the patient is shown."""
    which = _witnessed(liar)
    chosen: list[str] = []

    def change(document: dict[str, Any]) -> dict[str, Any] | None:
        if which(_says(document)) and not chosen:
            chosen.append(document["entry"])
        return None if document["entry"] in chosen else document

    return lambda _desk, _asker, _body, outcome: _log(outcome, change)


def log_of_before(world: World, liar: Opened) -> Answer:
    """Show the patient the trail as it was before the last readings."""
    which = _witnessed(liar)
    times = [one.recorded_ms for one in drafts(liar) if which(one.attempt)]
    until_ms = world.random.choice(times)

    def change(document: dict[str, Any]) -> dict[str, Any] | None:
        late = decode(document["entry"].encode()).recorded_ms >= until_ms
        return None if late else document

    return lambda _desk, _asker, _body, outcome: _log(outcome, change)


def log_of_others(world: World, liar: Opened) -> Answer:
    """Show the patient that somebody else read, as something that is not anchored yet."""
    which = _witnessed(liar)
    keep_place = world.random.random() < 0.5

    def change(document: dict[str, Any]) -> dict[str, Any]:
        if not which(_says(document)):
            return document
        return _altered(world, document, keep_place=keep_place)

    return lambda _desk, _asker, _body, outcome: _log(outcome, change)


def list_without_one(world: World, liar: Opened) -> Answer:
    """Leave a record out of what readers are told there is."""

    def answer(_desk: Desk, _asker: Asker, _body: Any, outcome: Outcome) -> Outcome:
        listed = list(outcome.body["entries"])  # type: ignore[arg-type]
        body = dict(outcome.body) | {"entries": listed[1:]}
        return replace(outcome, body=body)

    return answer


def leaving_out_of_lists(world: World, liar: Opened) -> None:
    """Hide a record that has been on chain for hours from a reader who looks again."""
    world.later(2 * HOUR)
    answering("manifests", list_without_one)(world, liar)
    world.read()
    world.lying.close()
    world.later(200)


def refusing(world: World, liar: Opened) -> None:
    """Answer no question about the trail for days."""
    kind, _ = custody._VERBS["reconcile"]
    true = custody._VERBS["reconcile"][1]

    def act(desk: Desk, asker: Asker, body: Any) -> Outcome:
        if desk.organisation == liar.node.organisation:
            raise Unavailable("Not now.")
        return true(desk, asker, body)

    world.lying.enter_context(mock.patch.dict(custody._VERBS, {"reconcile": (kind, act)}))
    world.anchor()
    world.later(2 * HOUR)
    for one in world.network.members.values():
        with suppress(SimdesError):
            reconciling.reconcile(one.node)
    world.later(73 * HOUR)


# All of them ------------------------------------------------------------------------------------

ONE_OF_THEM = "a custodian or the reader"
CUSTODIAN = "a custodian"


@dataclass(frozen=True, slots=True)
class Lie:
    """A way to lie: who can, and how."""

    who: str
    tell: Tell = field(repr=False)


LIES: dict[str, Lie] = {
    # The reader's organisation.
    "reader leaves out a reading": Lie(READER, dropping(is_read)),
    "reader leaves out a refusal": Lie(READER, dropping(is_refused)),
    "reader hides the whole batch": Lie(READER, hiding_all),
    "reader names somebody else": Lie(READER, saying(is_read, _attempt(account=_somebody))),
    "reader names another purpose": Lie(
        READER, saying(is_read, _attempt(purpose=int(Purpose.HPAYMT)))
    ),
    "reader names another consent": Lie(READER, saying(is_read, _attempt(handle=_bytes))),
    "reader names another role": Lie(READER, saying(is_read, _attempt(role=int(Role.PHARMACIST)))),
    "reader names another organisation": Lie(
        READER, saying(is_read, _attempt(organisation=_bytes))
    ),
    "reader says that it was refused": Lie(READER, saying(is_read, _attempt(reason="FORBIDDEN"))),
    "reader says that shares were too few": Lie(
        READER, saying(is_read, _attempt(reason="TOO_FEW_SHARES"))
    ),
    "reader names other records": Lie(READER, saying(is_read, _fewer_records)),
    "reader names another patient": Lie(READER, saying(is_read, _attempt(vault=_bytes))),
    "reader dates back": Lie(READER, saying(is_read, _earlier)),
    "reader dates ahead": Lie(READER, saying(is_read, _ahead)),
    "reader counts less": Lie(READER, dropping_repeats),
    # A custodian.
    "custodian leaves out a release": Lie(CUSTODIAN, dropping(is_release)),
    "custodian leaves out a list": Lie(CUSTODIAN, dropping(is_list)),
    "custodian leaves out a refusal": Lie(CUSTODIAN, dropping(is_refusal)),
    "custodian hides the whole batch": Lie(CUSTODIAN, hiding_all),
    "custodian names somebody else": Lie(
        CUSTODIAN, saying(is_release, _attempt(account=_somebody))
    ),
    "custodian says that it refused": Lie(
        CUSTODIAN, saying(is_release, _attempt(reason="REVOKED"))
    ),
    "custodian names another reason": Lie(
        CUSTODIAN, saying(is_refusal, _attempt(reason="EXPIRED"))
    ),
    "custodian names other records": Lie(CUSTODIAN, saying(is_release, _fewer_records)),
    "custodian names another consent": Lie(CUSTODIAN, saying(is_release, _attempt(handle=_bytes))),
    "custodian dates back": Lie(CUSTODIAN, saying(is_release, _earlier)),
    "custodian dates ahead": Lie(CUSTODIAN, saying(is_release, _ahead)),
    "custodian leaves records out of its list": Lie(CUSTODIAN, leaving_out_of_lists),
    # Either.
    "moves an entry and chains anew": Lie(ONE_OF_THEM, moving),
    "swaps two leaves": Lie(ONE_OF_THEM, swapping_leaves),
    "puts a second entry behind one": Lie(ONE_OF_THEM, inserting_leaf),
    "anchors a root of nothing": Lie(
        ONE_OF_THEM, anchoring(lambda world, _liar: world.random.randbytes(32))
    ),
    "anchors another's root": Lie(ONE_OF_THEM, anchoring(_others_root)),
    "changes an anchored entry": Lie(ONE_OF_THEM, changing_afterwards),
    "anchors nothing": Lie(ONE_OF_THEM, never_anchoring),
    "says that there is no entry": Lie(ONE_OF_THEM, answering("reconcile", showing_nothing)),
    "shows rubbish": Lie(ONE_OF_THEM, answering("reconcile", showing_rubbish)),
    "shows no links": Lie(ONE_OF_THEM, answering("reconcile", showing_no_links)),
    "shows two readers two trails": Lie(ONE_OF_THEM, answering("reconcile", forking)),
    "answers nobody": Lie(ONE_OF_THEM, refusing),
    "leaves an access out of the patient's log": Lie(
        ONE_OF_THEM, answering("log", log_without_one)
    ),
    "shows the patient a stale log": Lie(ONE_OF_THEM, answering("log", log_of_before)),
    "shows the patient somebody else": Lie(ONE_OF_THEM, answering("log", log_of_others)),
}


def tell(world: World, name: str) -> str:
    """Let a day pass, tell a lie about it, anchor what there is; who lied."""
    lie = LIES[name]
    world.day(reads=world.random.randint(2, 4))
    custodians = world.custodians()
    who = {
        READER: [READER],
        CUSTODIAN: custodians,
        ONE_OF_THEM: [READER, *custodians],
    }[lie.who]
    liar = world.random.choice(who)
    lie.tell(world, world.network[liar])
    world.anchor()
    world.later(2 * HOUR)
    return liar


__all__ = ["LIES", "READER", "World", "sha256", "tell", "trails", "world"]
