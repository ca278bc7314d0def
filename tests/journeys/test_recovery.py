"""A patient's key is lost or stolen: guardians at three organisations let a new one in (0064).

The whole way over the organisations between them: appointed and told, a code read out, vouched for
elsewhere, a delay in which the owner can say no, then the new key alone. What was shared goes on.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from journeys.conftest import Scene
from journeys.scenes import journey_ledger
from simdes.access.audit_event import Verb
from simdes.access.categories import Role
from simdes.app import ADMINISTRATOR
from simdes.errors import Forbidden, SimdesError, Unauthenticated
from simdes.exchange import (
    attesting,
    consents,
    enrolment,
    erasure,
    freezing,
    guardians,
    logbook,
    notices,
    recovering,
    renewal,
    retrieve,
)
from simdes.exchange.guardians import Chosen
from simdes.exchange.renewal import Change
from simdes.exchange.signin import Session, held, sign_in
from support import consortium
from support.consortium import passphrase_of

pytestmark = pytest.mark.skipif(
    journey_ledger() != consortium.EMBEDDED, reason="waits for the network's delay by its clock"
)
OLD, NEW, THIEF = passphrase_of("ada"), "a whole new passphrase", "what a thief would choose"
GUARDIANS = ("north", "south", "east")


@pytest.fixture
def guarded(scene: Scene) -> Scene:
    """Ada has three guardians, each an account of another organisation; two suffice."""
    chosen = []
    with consortium.cheap_locks():
        for name in GUARDIANS:
            person = enrolment.add_person(
                scene.network[name].node,
                scene.network.session(name, ADMINISTRATOR),
                friend(name),
                role=Role.PATIENT,
                passphrase=passphrase_of(friend(name)),
            )
            chosen.append(Chosen(account=person.account, label=f"from {name}"))
    north = scene.network["north"].node
    left = guardians.appoint(north, ada(scene), chosen, threshold=2, name="Ada L.")
    assert left == 0, "each guardian's organisation knows"
    wait(scene)
    return scene


def friend(name: str) -> str:
    """A guardian's user name."""
    return f"friend.{name}"


def ada(scene: Scene) -> Session:
    """By the key that she has had from the beginning."""
    return scene.network.session("north", "ada")


def work(scene: Scene) -> None:
    """What workers of all organisations do now and then."""
    for one in scene.network.members.values():
        guardians.put_in_force(one.node)
        recovering.tend(one.node)
        freezing.tend(one.node)


def wait(scene: Scene) -> None:
    """Let the network's delay pass."""
    delay = scene.network["north"].node.contracts.accounts.delay_seconds()
    scene.clock.ahead_seconds += delay + 1
    work(scene)


def ask(scene: Scene, passphrase: str) -> str:
    """Ask for a new key at `/lost`, as anybody may; its code."""
    north = scene.network["north"].node
    with consortium.cheap_locks():
        return recovering.begin(north, "ada", passphrase, address="203.0.113.7").code


def vouch(scene: Scene, name: str, code: str) -> None:
    """A guardian types what was read to them, at their own organisation."""
    account = scene.network["north"].node.desk.keystore.person("ada").account
    session = scene.network.session(name, friend(name))
    recovering.vouch(scene.network[name].node, session, account, code)


def test_a_lost_key_is_replaced_and_what_was_shared_stays_shared(guarded: Scene) -> None:
    scene, north = guarded, guarded.network["north"].node
    scene.grant("observations", valid_seconds=30 * 86_400)
    shared = [one.content for one in scene.read().resources]
    code = ask(scene, NEW)
    vouch(scene, "south", code)
    work(scene)
    assert recovering.under_way(north)[0].ready_at == 0, "one guardian is not enough"
    vouch(scene, "east", code)
    work(scene)
    with pytest.raises(Unauthenticated):
        sign_in(north, "ada", NEW)  # not before the delay
    assert [one.kind for one in notices.listed(north, ada(scene))] == [notices.RECOVERY]
    wait(scene)
    new = sign_in(north, "ada", NEW)
    assert consents.vaults_of(north, new) == [scene.ada]
    assert [one.content for one in scene.read().resources] == shared
    assert retrieve.retrieve(north, new, vault=scene.ada).resources
    told = logbook.read_log(north, new, vault=scene.ada)
    assert told.silent == {}, "every organisation answers the new key"
    assert renewal.renew_one(north, scene.ada, Change(), control=new.key).epoch == 2
    scene.network.settle()
    assert [one.content for one in scene.read().resources] == shared


def _erase(scene: Scene, session: Session) -> None:
    done = erasure.erase(scene.network["north"].node, scene.ada, control=session.key)
    if not done.receipts:
        raise Forbidden("Nobody signed.")


OPENS: dict[str, Callable[[Scene, Session], object]] = {
    "reads": lambda scene, session: retrieve.retrieve(
        scene.network["north"].node, session, vault=scene.ada
    ),
    "asks for the log": lambda scene, session: logbook.read_log(
        scene.network["north"].node, session, vault=scene.ada
    ),
    "shares": lambda scene, session: consents.grant(
        scene.network["north"].node,
        session,
        vault=scene.ada,
        grantee=consents.whom(scene.network["south"].node.organisation),
        categories=["observations"],
        purposes=["TREAT"],
        valid_seconds=600,
    ),
    "erases": _erase,
    "appoints guardians": lambda scene, session: guardians.dismiss(
        scene.network["north"].node, session
    ),
    "begins an epoch": lambda scene, session: renewal.renew_one(
        scene.network["north"].node, scene.ada, Change(), control=session.key
    ),
}


def test_the_old_key_is_nobody_s_afterwards_whoever_kept_it(guarded: Scene) -> None:
    """Taken from the disk with its passphrase, it signs as before; everybody refuses it."""
    scene = guarded
    stolen = held(ada(scene))
    code = ask(scene, NEW)
    for name in ("south", "east"):
        vouch(scene, name, code)
    work(scene)
    for what in ("reads", "asks for the log"):
        OPENS[what](scene, stolen)  # until the delay is over it is hers
    wait(scene)
    with pytest.raises(Unauthenticated):
        sign_in(scene.network["north"].node, "ada", OLD)
    for what, tried in OPENS.items():
        with pytest.raises(SimdesError):
            tried(scene, stolen)
            pytest.fail(f"the old key {what}")
    assert scene.network["north"].node.contracts.accounts.account_of(stolen.key.address) is None


def test_a_stolen_key_is_frozen_and_two_organisations_let_its_owner_in(guarded: Scene) -> None:
    """The guardians stop the thief; ada, who can't reach them again, takes papers to two desks."""
    scene, north = guarded, guarded.network["north"].node
    scene.grant("observations", valid_seconds=30 * 86_400)
    shared = [one.content for one in scene.read().resources]
    account, stolen = north.desk.keystore.person("ada").account, held(ada(scene))
    for name in ("south", "east"):
        one, session = scene.network[name].node, scene.network.session(name, friend(name))
        freezing.join(one, session, account)
    assert [one.kind for one in notices.listed(north, ada(scene))] == [notices.FREEZE]
    work(scene)
    for what, tried in OPENS.items():
        with pytest.raises(SimdesError):
            tried(scene, stolen)
            pytest.fail(f"the thief {what}")
    assert [one.content for one in scene.read().resources] == shared, "care goes on"
    code = ask(scene, NEW)
    for name in ("north", "south"):
        one, clerk = scene.network[name].node, scene.network.session(name, ADMINISTRATOR)
        attesting.attest(one, clerk, account, code, checked="passport, seen in person")
    work(scene)
    wait(scene)
    new = sign_in(north, "ada", NEW)
    assert consents.vaults_of(north, new) == [scene.ada]
    assert retrieve.retrieve(north, new, vault=scene.ada).resources
    told = logbook.read_log(north, new, vault=scene.ada)
    assert told.silent == {}
    by = {(one.verb, one.organisation) for one in told.entries}
    ids = {name: scene.network[name].node.organisation for name in GUARDIANS}
    assert {("vouch", ids["south"]), ("vouch", ids["east"])} <= by
    assert {("recover", ids["north"]), ("recover", ids["south"])} <= by, "all is in her log"


def test_the_owner_is_told_of_a_thief_s_key_and_stops_it(guarded: Scene) -> None:
    scene, north = guarded, guarded.network["north"].node
    code = ask(scene, THIEF)
    for name in ("south", "east"):  # deceived
        vouch(scene, name, code)
    work(scene)
    assert notices.RECOVERY in [one.kind for one in notices.listed(north, ada(scene))]
    recovering.veto(north, ada(scene))
    wait(scene)
    scene.network.sessions.clear()
    with pytest.raises(Unauthenticated):
        sign_in(north, "ada", THIEF)
    assert consents.vaults_of(north, ada(scene)) == [scene.ada]
    noted = [one.attempt.verb for _, one in north.desk.trail.entries(north.database)]
    assert Verb.RECOVER in noted
