"""Signing in with a wallet: one signature opens a session that reads and can't decide."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapters.ethereum import Account
from simdes.access import attempts
from simdes.access.accounts import suspend_account, verify_account
from simdes.access.app_context import OWN_CLIENT
from simdes.access.asking import Because
from simdes.access.audit_event import Verb
from simdes.access.categories import Purpose
from simdes.access.consent import Grantee
from simdes.access.keystore import Person
from simdes.access.reading import list_records
from simdes.app import ADMINISTRATOR
from simdes.crypto.keys import SigningKey
from simdes.errors import Conflict, Forbidden, NotFound, SimdesError, TooLarge, Unauthenticated
from simdes.exchange import (
    consents,
    credentials,
    enrolment,
    logbook,
    rights,
    wallet_sign_ins,
    wallets,
)
from simdes.exchange.credentials import Admitted, Client, Half, Visit
from simdes.exchange.node import Node
from simdes.exchange.reach import reach
from simdes.exchange.signin import caller, held, sign_in
from simdes.exchange.subscriptions import owners
from simdes.exchange.wallet_sign_ins import Asking
from simdes.index import copies, vaults
from simdes.index.subscriptions import Subscription
from support import consortium
from support.consortium import Clock, Consortium, passphrase_of

BROWSER = Client("127.0.0.1", "a browser")
BINDING = "the secret of this browser"


def wallet_of() -> SigningKey:
    return SigningKey.generate(secrets.token_bytes)


def sign(asking: Asking, wallet: SigningKey) -> bytes:
    document = asking.data.document()
    return bytes(Account.sign_typed_data(wallet.to_bytes(), full_message=document).signature)


@dataclass(slots=True)
class Town:
    """A network, and a patient of north whose key is in a wallet."""

    network: Consortium
    clock: Clock
    vault: bytes
    wallet: SigningKey

    @property
    def node(self) -> Node:
        return self.network["north"].node

    @property
    def person(self) -> Person:
        return self.node.desk.keystore.person("ada")

    def ask(self, binding: str = BINDING) -> Asking:
        return wallet_sign_ins.prepare(self.node, self.wallet.address, binding=binding)

    def enter(self, asking: Asking | None = None, *, cookie: str = "") -> Admitted:
        asking = asking or self.ask()
        return wallet_sign_ins.sign_in(
            self.node,
            asking.held,
            sign(asking, self.wallet),
            binding=BINDING,
            client=BROWSER,
            cookie=cookie,
        )

    def visit(self, admitted: Admitted) -> Visit:
        found = credentials.resume(self.node, admitted.cookie)
        assert isinstance(found, Visit)
        return found

    def administrate(self, change: Callable[..., None]) -> None:
        lane = self.node.lane(self.network.session("north", ADMINISTRATOR).key)
        change(self.node.contracts, lane, self.person.account)

    def last(self) -> tuple[Verb, str]:
        trail = self.node.desk.trail.entries(self.node.database, vault=None)
        attempt = [one.attempt for _, one in trail if one.attempt.account == self.person.account][
            -1
        ]
        return attempt.verb, attempt.reason


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder, clock = tmp_path_factory.mktemp("wallet-sign-ins") / "network", Clock()
    consortium.found(folder)
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        network.submit("north", *consortium.sample_messages()[0])
        network.settle()
        north = network["north"].node
        with north.database.read() as tx:
            tag = next(one.tag for one in vaults.page(tx) if one.control is None)
        enrolment.trust_checks(
            network["south"].node,
            network.session("south", ADMINISTRATOR),
            checked_by=north.organisation,
            valid_seconds=86_400,
        )
        town = Town(network, clock, tag, wallet_of())
        for _ in range(2):  # a second try goes on where the first one stopped
            request = wallets.enrol(
                north,
                network.session("north", ADMINISTRATOR),
                town.wallet.address,
                vault=tag,
                user="ada",
                display="Ada",
                attesters=[network["south"].node.organisation],
            )
        wallets.send(north, request, town.wallet.sign(request.data.digest))
        for one in network.members.values():
            one.node.following.catch_up()
        yield town


def test_enrolling_a_wallet_makes_the_portal_know_its_owner_without_a_key(town: Town) -> None:
    person = town.person
    assert (person.wallet, person.display, person.address) == (True, "Ada", town.wallet.address)
    with pytest.raises(Unauthenticated, match="User name or passphrase is wrong"):
        sign_in(town.node, "ada", passphrase_of("ada"))
    with pytest.raises(Unauthenticated, match="User name or passphrase is wrong"):
        credentials.sign_in(town.node, "ada", "", client=BROWSER)
    administrator = town.network.session("north", ADMINISTRATOR)
    for address, user in ((wallet_of().address, "ada"), (town.wallet.address, "eve")):
        with pytest.raises(Conflict):
            wallets.enrol(town.node, administrator, address, vault=town.vault, user=user)


def test_one_signature_opens_a_session_that_reads_and_can_not_decide(town: Town) -> None:
    visit = town.visit(town.enter())
    session = visit.session
    assert session.wallet == town.wallet.address
    assert (visit.person, visit.wanted) == (town.person, frozenset({"wallet"}))
    assert town.last() == (Verb.SIGN_IN, "")
    assert credentials.is_recent(town.node, visit)
    with pytest.raises(Forbidden, match="more than your wallet"):
        _ = session.key
    with pytest.raises(Forbidden, match="more than your wallet"):
        session.unlock()
    assert held(session) is session
    log = logbook.read_log(town.node, session, vault=town.vault)
    assert log.entries and not log.silent
    with pytest.raises(Forbidden, match="more than your wallet"):
        consents.grant(
            town.node,
            session,
            vault=town.vault,
            grantee=Grantee.organisation(town.network["south"].node.organisation),
            categories=["observations"],
            purposes=["TREAT"],
            valid_seconds=60,
        )
    with pytest.raises(Forbidden, match="more than your wallet"):
        consents.revoke_all(town.node, session, vault=town.vault)


def test_a_signature_signs_in_once_and_in_the_browser_that_it_was_made_for(town: Town) -> None:
    asking = town.ask("another browser")
    with pytest.raises(Unauthenticated, match="too old"):
        town.enter(asking)
    asking = town.ask()
    assert town.enter(asking).whole
    with pytest.raises(Unauthenticated, match="used before"):
        town.enter(asking)


def test_what_was_prepared_is_good_for_half_an_hour(town: Town) -> None:
    asking = town.ask()
    assert wallet_sign_ins.again(town.node, asking.held, binding=BINDING).data == asking.data
    town.clock.ahead_seconds += wallets.SIGN_SECONDS + 1
    with pytest.raises(Unauthenticated, match="too old"):
        town.enter(asking)
    with pytest.raises(Unauthenticated, match="too old"):
        wallet_sign_ins.again(town.node, asking.held, binding=BINDING)


def changed(town: Town, **what: Any) -> bytes:
    """A signature of the wallet over something else than what was asked."""
    asking = town.ask()
    data, names = asking.data, [name for _, name in asking.data.members]
    values = [what.get(name, value) for name, value in zip(names, data.values, strict=True)]
    others = {name: value for name, value in what.items() if name not in names}
    return town.wallet.sign(replace(data, values=tuple(values), **others).digest)


@pytest.mark.parametrize(
    "what",
    [
        {"chain_id": 1},
        {"contract": bytes(20)},
        {"key": bytes(20)},
        {"organisation": bytes(32)},
        {"account": bytes(32)},
        {"until": 1},
        {},
    ],
    ids=["chain", "contract", "key", "organisation", "account", "until", "of another session"],
)
def test_a_signature_of_anything_else_is_refused_and_written_down(
    town: Town, what: dict[str, Any]
) -> None:
    asking = town.ask()
    with pytest.raises(Unauthenticated, match="not a signature of that wallet"):
        wallet_sign_ins.sign_in(
            town.node, asking.held, changed(town, **what), binding=BINDING, client=BROWSER
        )
    assert town.last() == (Verb.SIGN_IN, "WRONG_SIGNATURE")


def test_wrong_signatures_of_a_network_address_have_to_wait_and_right_ones_never(
    town: Town,
) -> None:
    asking, noisy = town.ask(), replace(BROWSER, address="192.0.2.1")
    said = set()
    for _ in range(attempts.ADDRESS.free + 2):
        with pytest.raises((Unauthenticated, TooLarge)) as refused:
            wallet_sign_ins.sign_in(
                town.node, asking.held, bytes(65), binding=BINDING, client=noisy
            )
        said.add(type(refused.value))
    assert said == {Unauthenticated, TooLarge}
    signature = sign(asking, town.wallet)
    assert wallet_sign_ins.sign_in(
        town.node, asking.held, signature, binding=BINDING, client=noisy
    ).whole


def test_a_strangers_wallet_and_a_hosted_persons_key_are_nobodys_here(town: Town) -> None:
    hosted = town.node.desk.keystore.person(ADMINISTRATOR)
    for address in (wallet_of().address, hosted.address, bytes(20)):
        with pytest.raises(NotFound):
            wallet_sign_ins.prepare(town.node, address, binding=BINDING)
    south = town.network["south"].node
    with pytest.raises(NotFound):
        wallet_sign_ins.prepare(south, town.wallet.address, binding=BINDING)


def test_a_pass_can_not_be_carried_to_another_gateway(town: Town) -> None:
    asking, south = town.ask(), town.network["south"].node
    with pytest.raises(Unauthenticated):
        wallet_sign_ins.sign_in(
            south, asking.held, sign(asking, town.wallet), binding=BINDING, client=BROWSER
        )


def test_a_session_ends_with_its_pass_and_a_suspended_account_has_none(town: Town) -> None:
    admitted = town.enter()
    town.administrate(suspend_account)
    with pytest.raises(Forbidden):
        credentials.resume(town.node, admitted.cookie)
    with pytest.raises(Forbidden):
        town.enter()
    town.administrate(verify_account)
    assert town.visit(admitted)
    for _ in range(25):  # never at rest for half an hour
        town.clock.ahead_seconds += 1_740
        try:
            visit = town.visit(admitted)
        except Unauthenticated:
            break
    assert visit.session.by is not None
    assert town.node.now_seconds() >= visit.session.by.signed.until_seconds


def test_a_fresh_proof_is_a_fresh_signature_and_takes_the_old_sessions_place(town: Town) -> None:
    first = town.enter()
    begun = town.visit(first)
    town.clock.ahead_seconds += credentials.RECENT_SECONDS + 1
    assert not credentials.is_recent(town.node, town.visit(first))
    asking = town.ask()
    second = town.enter(asking, cookie=first.cookie)
    with pytest.raises(Unauthenticated):
        credentials.resume(town.node, first.cookie)
    visit = town.visit(second)
    assert credentials.is_recent(town.node, visit)
    assert visit.session.by != begun.session.by
    with pytest.raises(SimdesError):
        credentials.add_passphrase(town.node, second.cookie, "a passphrase", client=BROWSER)
    with pytest.raises(Forbidden, match="more than your wallet"):
        credentials.add_code(town.node, second.cookie, "123456")


def test_another_persons_session_is_not_gone_on_with(town: Town) -> None:
    stranger = credentials.sign_in(
        town.node, ADMINISTRATOR, passphrase_of(ADMINISTRATOR), client=BROWSER
    )
    with pytest.raises(Unauthenticated, match="another person's"):
        town.enter(cookie=stranger.cookie)
    assert not isinstance(credentials.resume(town.node, stranger.cookie), Half)


def test_the_session_of_a_key_ends_where_a_wallet_takes_its_place(town: Town) -> None:
    keystore, account = town.node.desk.keystore, town.person.account
    admitted = town.enter()
    keystore.replace_key(account, wallet_of().address, b"")
    with pytest.raises(Unauthenticated):
        credentials.resume(town.node, admitted.cookie)
    assert town.enter().whole, "the chain knows which wallet it is; the portal follows"
    assert town.person.address == town.wallet.address
    hosted = wallet_of()
    keystore.replace_key(account, hosted.address, keystore.lock_key(hosted, "a whole passphrase"))
    with pytest.raises(Unauthenticated):
        credentials.resume(town.node, admitted.cookie)
    assert town.enter().whole, "the chain alone says whose key it is: a restore may be of before"
    keystore.replace_key(account, town.wallet.address, b"")


def test_custodians_are_asked_by_the_sessions_key_and_pass(town: Town) -> None:
    session = town.visit(town.enter()).session
    asker = caller(town.node, session)
    assert asker.by is not None and asker.signer.address == asker.by.key
    assert asker.by.account == session.actor.account
    descriptor = town.node.desk.directory.vault(town.vault)
    assert list_records(asker, descriptor, Because(Purpose.PATRQT))
    hosted = town.network.session("north", "dr.north")
    assert caller(town.node, hosted).by is None


def test_what_others_let_the_account_read_is_not_even_asked_for(town: Town) -> None:
    network, node = town.network, town.node
    for message in consortium.sample_messages()[1:]:  # several are of the same patient
        network.submit("north", *message)
    network.settle()
    with node.database.read() as tx:
        other = next(one.tag for one in vaults.page(tx) if one.control is None)
    eve = network.enrol(other, "eve")
    given = consents.grant(
        node,
        eve,
        vault=other,
        grantee=Grantee.account(town.person.account),
        categories=["demographics", "observations"],
        purposes=["PATRQT"],
        valid_seconds=86_400,
    )
    node.following.catch_up()
    session = town.visit(town.enter()).session
    asking = rights.ask(node, session)
    assert reach(node, asking, vaults=None).warnings == ()
    trail = node.desk.trail.entries(node.database, vault=other)
    assert town.person.account not in {one.attempt.account for _, one in trail}
    copy = copies.Copy(  # as the account's own key had opened it before the wallet took over
        record_id=bytes(32),
        vault=other,
        handle=given.handle,
        content_wrapped=b"",
        expires_ms=node.now_ms() + 60_000,
    )
    node.database.write(lambda tx: copies.put(tx, [copy]))
    seen = rights.ask(node, session).rights.reading.grounds
    assert seen and all(other not in (ground.vaults or (other,)) for ground in seen)


def test_what_a_hosted_key_had_itself_told_of_ends_where_a_wallet_keeps_it(town: Town) -> None:
    """Nobody with a wallet can ask for a subscription here, or see and end an older one."""
    node = town.node
    hosted = node.desk.keystore.person("dr.north")
    one = Subscription(
        id="",
        resource_id=0,
        account=hosted.account,
        client=OWN_CLIENT,
        scope="",
        grant_id=None,
        launch_vault=None,
        purpose=int(Purpose.TREAT),
        type="Observation",
        channel="rest-hook",
        status="active",
    )
    assert owners.present(node, one).facts.account == hosted.account
    theirs = replace(one, account=town.person.account, purpose=int(Purpose.PATRQT))
    with pytest.raises(Forbidden, match="has ended"):
        owners.present(node, theirs)
    assert owners.writer(node, theirs), "that it ended can be written down"
