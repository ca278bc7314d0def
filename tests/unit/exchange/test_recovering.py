"""A patient's lost key: guardians appointed and told, a new key let in, vetoed, in force."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simdes.access.app_context import OWN_CLIENT
from simdes.access.audit_event import Verb
from simdes.access.categories import Purpose, Role
from simdes.access.guardians import code_of, start_of_code
from simdes.app import ADMINISTRATOR
from simdes.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    Unauthenticated,
)
from simdes.exchange import (
    consents,
    enrolment,
    guardians,
    recovering,
    renewal,
)
from simdes.exchange.guardians import Chosen
from simdes.exchange.renewal import Change
from simdes.exchange.signin import sign_in
from simdes.index import guardians as rows
from simdes.index import subscriptions
from simdes.index.subscriptions import Subscription
from support.consortium import passphrase_of
from support.town import Town, chosen, opened_town

ADDRESS = "203.0.113.7"
NEW = "a whole new passphrase"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with opened_town(tmp_path_factory.mktemp("recovery") / "network") as one:
        yield one


def appoint(town: Town) -> None:
    """Three guardians, of whom two suffice, in force."""
    node = town.network["north"].node
    own = town.rosa.actor.account
    before = entries(town, own, Verb.APPOINT)
    left = guardians.appoint(
        node, town.rosa, chosen(town, "north", "south", "east"), threshold=2, name="Rosa O."
    )
    assert left == 0
    assert entries(town, own, Verb.APPOINT) > before
    town.wait()


def begin(town: Town, passphrase: str = NEW) -> str:
    node = town.network["north"].node
    return recovering.begin(node, "rosa", passphrase, address=ADDRESS).code


def vouch(town: Town, name: str, code: str) -> None:
    node = town.network[name].node
    recovering.vouch(node, town.friend(name), town.rosa.actor.account, code)


def entries(town: Town, account: bytes, verb: Verb) -> int:
    """How often something of an account is on record at its organisation."""
    node = town.network["north"].node
    listed = (entry.attempt for _, entry in node.desk.trail.entries(node.database))
    return sum((one.account, one.verb) == (account, verb) for one in listed)


def heard_by(account: bytes, id_: str) -> Subscription:
    """A subscription that somebody asked for by themselves, with no app."""
    return Subscription(
        id=id_,
        resource_id=0,
        account=account,
        client=OWN_CLIENT,
        scope="",
        grant_id=None,
        launch_vault=None,
        purpose=int(Purpose.PATRQT),
        type="Observation",
        channel="rest-hook",
        status="active",
    )


@pytest.fixture
def guarded(town: Town) -> Town:
    node = town.network["north"].node
    with node.database.transaction() as tx:
        tx.run("DELETE FROM sign_in_delay")
    if (
        guardians.standing(
            node, town.network["north"].node.desk.keystore.person("rosa").account
        ).present
        is None
    ):
        appoint(town)
    return town


def test_a_set_waits_and_each_guardian_is_told(town: Town) -> None:
    node, account = town.network["north"].node, town.rosa.actor.account
    left = guardians.appoint(
        node, town.rosa, chosen(town, "north", "south", "east"), threshold=2, name=" Rosa O. "
    )
    assert left == 0
    seen = guardians.standing(node, account)
    assert seen.present is None and seen.waiting is not None
    assert (seen.waiting.count, seen.waiting.threshold) == (3, 2)
    assert sorted(one.label for one in seen.waiting.guardians) == [
        "from east",
        "from north",
        "from south",
    ]
    assert all(one.told for one in seen.waiting.guardians)
    [ward] = guardians.wards(town.network["south"].node, town.friend("south").actor.account)
    assert (ward.name, ward.account, ward.waiting) == ("Rosa O.", account, True)
    guardians.put_in_force(node)
    assert guardians.standing(node, account).present is None, "not before the delay"
    town.wait()
    seen = guardians.standing(node, account)
    assert seen.waiting is None and seen.present is not None and len(seen.present.guardians) == 3
    [ward] = guardians.wards(town.network["south"].node, town.friend("south").actor.account)
    assert not ward.waiting


def test_who_does_not_answer_is_told_later(guarded: Town) -> None:
    network, node = guarded.network, guarded.network["north"].node
    network.down("south")
    assert (
        guardians.appoint(
            node, guarded.rosa, chosen(guarded, "south", "east"), threshold=1, name="Rosa"
        )
        == 1
    )
    network.up("south")
    assert guardians.tell(node, guarded.rosa) == 0
    guardians.cancel(node, guarded.rosa)
    assert guardians.standing(node, guarded.rosa.actor.account).waiting is None
    with pytest.raises(Conflict):
        guardians.cancel(node, guarded.rosa)


@pytest.mark.parametrize(
    ("names", "threshold", "name"),
    [((), 1, "R"), (("south",), 2, "R"), (("south",), 0, "R"), (("south",), 1, " "),
     (("south", "south"), 1, "R"), (("south",), 1, "x" * 65)],
)  # fmt: skip
def test_a_set_that_is_none_is_refused(
    town: Town, names: tuple[str, ...], threshold: int, name: str
) -> None:
    node = town.network["north"].node
    with pytest.raises(Invalid):
        guardians.appoint(node, town.rosa, chosen(town, *names), threshold=threshold, name=name)


def test_nobody_guards_themselves_and_strangers_guard_nobody(town: Town) -> None:
    node = town.network["north"].node
    own = Chosen(account=town.rosa.actor.account, label="me")
    with pytest.raises(Invalid, match="their own"):
        guardians.appoint(node, town.rosa, [own], threshold=1, name="R")
    with pytest.raises(NotFound):
        guardians.appoint(
            node, town.rosa, [Chosen(account=b"\7" * 32, label="?")], threshold=1, name="R"
        )


def test_a_code_survives_being_misread_and_nothing_else(guarded: Town) -> None:
    code = begin(guarded)
    assert code_of(start_of_code(code.lower().replace("0", "o").replace("1", "l"))) == code
    for bad in ("", "ABCD", code[:-1], code + "A", "U" * 16):
        with pytest.raises(Invalid):
            start_of_code(bad)


def test_only_guardians_learn_of_a_recovery_and_only_by_its_code(guarded: Town) -> None:
    code = begin(guarded)
    other = code_of(bytes(10))
    with pytest.raises(Forbidden, match="NO_RECOVERY"):
        vouch(guarded, "south", other)
    with pytest.raises(NotFound, match="no guardian"):
        recovering.vouch(
            guarded.network["north"].node,
            guarded.network.session("north", "dr.north"),
            guarded.rosa.actor.account,
            code,
        )
    one = guarded.network["north"].node
    with one.database.read() as tx:
        assert all(not rows.proofs(tx, r.account, r.address) for r in rows.recoveries(tx))


def test_the_owner_stops_a_recovery_that_is_not_theirs(guarded: Town) -> None:
    north = guarded.network["north"].node
    code = begin(guarded, "what a thief would choose")
    vouch(guarded, "south", code)
    guarded.work()
    assert guardians.standing(north, guarded.rosa.actor.account).recovery is None
    vouch(guarded, "east", code)
    guarded.work()
    seen = guardians.standing(north, guarded.rosa.actor.account)
    assert seen.recovery is not None and not seen.recovery.attested
    recovering.veto(north, guarded.rosa)
    guarded.wait()
    seen = guardians.standing(north, guarded.rosa.actor.account)
    assert seen.recovery is None and seen.veto_spent
    assert code not in [one.code for one in recovering.under_way(north)]
    with pytest.raises(Unauthenticated):
        sign_in(north, "rosa", "what a thief would choose")


def test_a_lost_key_is_recovered_and_nothing_is_lost_with_it(guarded: Town) -> None:
    north, account = guarded.network["north"].node, guarded.rosa.actor.account
    old = guarded.rosa
    before = north.desk.keystore.person("rosa").address
    stale = begin(guarded, "asked for by a stranger")
    code = begin(guarded)
    assert stale != code
    vouch(guarded, "south", code)
    vouch(guarded, "east", code)
    guarded.work()
    [way] = [one for one in recovering.under_way(north) if one.code == code]
    assert (way.signed, way.needed) == (2, 2) and way.ready_at > 0
    with pytest.raises(Unauthenticated):
        sign_in(north, "rosa", NEW)  # not before the delay
    guarded.wait()
    new = sign_in(north, "rosa", NEW)
    assert new.actor.account == account and new.key.address != before
    with pytest.raises(Unauthenticated):
        sign_in(north, "rosa", passphrase_of("rosa"))
    with pytest.raises(Unauthenticated):
        _ = old.key
    assert recovering.under_way(north) == []
    assert consents.vaults_of(north, new) == [guarded.vault]
    assert any(
        one.attempt.verb is Verb.CREDENTIALS for _, one in north.desk.trail.entries(north.database)
    )
    # What whoever had the old key might have learnt is worth less in a new epoch.
    done = renewal.renew_one(north, guarded.vault, Change(), control=new.key)
    assert done.epoch == 2
    given = consents.grant(
        north,
        new,
        vault=guarded.vault,
        grantee=consents.whom(guarded.network["south"].node.organisation),
        categories=["observations"],
        purposes=["TREAT"],
        valid_seconds=600,
    )
    assert given.vault == guarded.vault
    guarded.network.sessions[("north", "rosa")] = new


def test_strangers_who_ask_for_keys_wait_and_learn_nothing(town: Town) -> None:
    node = town.network["north"].node
    with node.database.transaction() as tx:
        tx.run("DELETE FROM sign_in_delay")
    with node.database.read() as tx:
        before = len(rows.recoveries(tx))
    for number in range(5):
        begun = recovering.begin(node, f"nobody.{number}", NEW, address="198.51.100.1")
        assert len(begun.code) == 19
    with pytest.raises(TooLarge):
        for number in range(2):
            recovering.begin(node, f"nobody.{number}", NEW, address="198.51.100.1")
    with node.database.read() as tx:
        assert len(rows.recoveries(tx)) == before
    with pytest.raises(Invalid):
        recovering.begin(node, "rosa", "short", address=ADDRESS)


def test_a_veto_leaves_a_new_key_of_ones_own_that_waits(town: Town) -> None:
    node, south = town.network["north"].node, town.network["south"].node
    admin = town.network.session("north", ADMINISTRATOR)
    person = enrolment.add_person(node, admin, "nadia", role=Role.PATIENT, passphrase="a first one")
    owner = sign_in(node, "nadia", "a first one")
    guardians.appoint(node, owner, chosen(town, "south", "east"), threshold=1, name="Nadia")
    town.wait()
    owner = sign_in(node, "nadia", "a first one")
    begun = recovering.begin(node, "nadia", "what a thief would choose", address=ADDRESS)
    recovering.vouch(south, town.friend("south"), person.account, begun.code)
    recovering.tend(node)
    recovering.rotate(node, owner, NEW)
    recovering.veto(node, owner)
    town.wait()
    known = node.contracts.accounts.account(person.account)
    assert known is not None and known.key != person.address
    assert sign_in(node, "nadia", NEW).key.address == known.key


def test_a_rotation_in_force_leaves_the_key_of_a_recovery_that_waits(town: Town) -> None:
    node, south = town.network["north"].node, town.network["south"].node
    admin, first = town.network.session("north", ADMINISTRATOR), "a first passphrase"
    person = enrolment.add_person(node, admin, "olga", role=Role.PATIENT, passphrase=first)
    owner = sign_in(node, "olga", first)
    guardians.appoint(node, owner, chosen(town, "south", "east"), threshold=1, name="Olga")
    town.wait()
    recovering.rotate(node, sign_in(node, "olga", first), "what a thief would choose")
    town.clock.ahead_seconds += node.contracts.accounts.delay_seconds() // 2
    begun = recovering.begin(node, "olga", NEW, address="203.0.113.8")
    town.network.sessions.clear()
    recovering.vouch(south, town.friend("south"), person.account, begun.code)
    recovering.tend(node)
    town.clock.ahead_seconds += node.contracts.accounts.delay_seconds() // 2 + 1
    recovering.tend(node)
    sign_in(node, "olga", "what a thief would choose")
    town.wait()
    known = node.contracts.accounts.account(person.account)
    assert known is not None
    assert sign_in(node, "olga", NEW).key.address == known.key


def test_a_key_that_is_not_lost_is_rotated_after_the_delay(town: Town) -> None:
    node = town.network["north"].node
    befriended = "friend.north"
    session, accounts = town.network.session("north", befriended), node.contracts.accounts
    account = session.actor.account
    before = accounts.account(account)
    assert before is not None
    with pytest.raises(Invalid):
        recovering.rotate(node, session, "short")
    ready = recovering.rotate(node, session, NEW)
    waiting = accounts.pending_rotation(account)
    assert waiting is not None and waiting.ready_at == ready
    town.work()
    assert accounts.account(account) == before, "the delay is not over"
    before_it = entries(town, account, Verb.RECOVER)
    recovering.cancel_rotation(node, session)
    with pytest.raises(Conflict):
        recovering.cancel_rotation(node, session)
    assert entries(town, account, Verb.RECOVER) == before_it + 1
    town.wait()
    known = accounts.account(account)
    assert known is not None and known.key == before.key, "it was withdrawn"
    again = sign_in(node, befriended, passphrase_of(befriended))
    recovering.rotate(node, again, NEW)
    told, other = heard_by(account, "mine"), heard_by(bytes(31) + b"\x01", "another")
    with node.database.transaction() as tx:
        for one in (told, other):
            subscriptions.put(tx, one)
    town.wait()
    with node.database.read() as tx:
        kept = subscriptions.get_many(tx, [told.id, other.id])
    assert kept[told.id].end_ms is not None, "what the old key asked to be told of ends with it"
    assert kept[other.id] == other
    known = accounts.account(account)
    assert known is not None and known.key not in (before.key, waiting.key)
    with pytest.raises(Unauthenticated):
        sign_in(node, befriended, passphrase_of(befriended))
    assert sign_in(node, befriended, NEW).key.address == known.key
    assert not [one for one in recovering.under_way(node) if one.user == befriended]
