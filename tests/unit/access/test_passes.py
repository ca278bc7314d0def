"""Reading passes: what a custodian does with a question that carries one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from adapters.ethereum import Account
from simdes.access import passes
from simdes.access.accounts import suspend_account
from simdes.access.asking import Because, Caller, ask
from simdes.access.categories import Purpose, Role
from simdes.access.consent import Grantee
from simdes.access.custody import VERBS, Custodian
from simdes.access.desk import Limits
from simdes.access.messages import CapsulesBody, EraseBody, LogBody, ManifestsBody, ReleaseBody
from simdes.access.passes import NOT_BY_PASS, Carried, Pass
from simdes.access.reading import gather, list_records
from simdes.access.requests import REQUEST_TYPE, hexed, sign_jws, sign_request, unb64
from simdes.crypto.keys import ORDER, SigningKey
from simdes.crypto.seal import open_body
from simdes.errors import Forbidden, Invalid, Tampered, TooLarge, Unauthenticated
from unit.access.conftest import Scene
from unit.access.network import Network, Organisation

OWN = Because(Purpose.PATRQT)


def fresh() -> SigningKey:
    return SigningKey.generate(os.urandom)


def signed(
    member: Organisation, wallet: SigningKey, *, key: SigningKey, account: bytes, **changes: Any
) -> Pass:
    """A pass as a wallet signs it: from the typed data's document alone, by a wallets' library."""
    until = int(member.network.clock()) + 3_600
    one = Pass(account=account, organisation=member.id, key=key.address, until_seconds=until)
    one = replace(one, **changes)
    document = passes.typed_data(member.contracts, one).document()
    signature = Account.sign_typed_data(wallet.to_bytes(), full_message=document).signature
    return replace(one, signature=bytes(signature))


def carried(
    member: Organisation, user: str, *, key: SigningKey | None = None, **changes: Any
) -> Caller:
    """A caller with a fresh key and a pass of this person's."""
    person, wallet = member.people[user]
    key = key or fresh()
    by = signed(member, wallet, key=key, **{"account": person.account} | changes)
    return replace(member.caller(key), by=by)


def entries(scene: Scene) -> list[tuple[str, str, bytes, bytes]]:
    found = scene.home.desk.trail.entries(scene.home.database, vault=scene.vault.tag)
    attempts = [one.attempt for _, one in found]
    return [(one.verb.value, one.reason, one.account, one.address) for one in attempts]


def test_a_pass_reads_what_the_account_controls_and_its_log(scene: Scene) -> None:
    caller, record = carried(scene.home, "ada"), scene.written.sealed.record_id
    assert [one.record_id for one in list_records(caller, scene.vault, OWN)] == [record]
    capsules = {record: scene.network.store.get(scene.written.capsule_cid)}
    got = gather(caller, scene.vault, OWN, capsules)
    body = scene.network.store.get(scene.written.body_cid)
    opened = open_body(body, got.secrets[record], record_id=record)
    assert opened.items[0].content == scene.written.item.content
    log = ask(caller, scene.home.id, "log", LogBody(vault=hexed(scene.vault.tag)))
    assert log.receipt["count"] == 2
    person, wallet = scene.home.people["ada"]
    who = (person.account, wallet.address)
    assert entries(scene) == [(verb, "", *who) for verb in ("manifests", "release", "log")], (
        "the trail says what the account did, as if its own key had asked"
    )


def test_without_a_pass_a_question_is_written_as_it_always_was(scene: Scene) -> None:
    asked = sign_request(
        fresh(), method="log", audience=scene.home.id, chain=1, body={}, now_seconds=1,
        random=os.urandom,
    )  # fmt: skip
    claims = msgspec.json.decode(unb64(asked.token.split(b".")[1].decode()))
    assert list(claims) == ["aud", "chain", "method", "iat", "exp", "nonce", "ephemeral", "body"]


WRONG: dict[str, dict[str, Any]] = {
    "over": {"until_seconds": 1},
    "too long": {"until_seconds": 1 << 40},
    "of another account": {"account": os.urandom(32)},
    "for another organisation": {"organisation": os.urandom(32)},
    "for another key": {"key": SigningKey.generate(os.urandom)},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_a_pass_that_does_not_say_this_is_worth_nothing(
    scene: Scene, changes: dict[str, Any]
) -> None:
    caller, (person, wallet) = carried(scene.home, "ada"), scene.home.people["ada"]
    said = {"key": caller.signer, "account": person.account} | changes
    with pytest.raises(Unauthenticated):
        list_records(replace(caller, by=signed(scene.home, wallet, **said)), scene.vault, OWN)
    assert entries(scene) == []


@pytest.mark.parametrize("name", ["account", "organisation", "until_seconds"])
def test_what_a_pass_says_can_not_be_changed_after_it_was_signed(scene: Scene, name: str) -> None:
    caller = carried(scene.home, "ada")
    assert caller.by is not None
    value = getattr(caller.by, name)
    other = value + 1 if isinstance(value, int) else os.urandom(32)
    with pytest.raises(Unauthenticated):
        list_records(replace(caller, by=replace(caller.by, **{name: other})), scene.vault, OWN)
    with pytest.raises(Unauthenticated):
        list_records(replace(caller, by=replace(caller.by, signature=bytes(65))), scene.vault, OWN)


def test_the_second_form_of_a_signature_is_none(scene: Scene) -> None:
    caller = carried(scene.home, "ada")
    assert caller.by is not None
    r, s, v = caller.by.signature[:32], caller.by.signature[32:64], caller.by.signature[64]
    mirrored = r + (ORDER - int.from_bytes(s, "big")).to_bytes(32, "big") + bytes([55 - v])
    with pytest.raises(Unauthenticated):
        list_records(replace(caller, by=replace(caller.by, signature=mirrored)), scene.vault, OWN)


def test_a_pass_that_somebody_copied_reads_nothing_without_its_key(scene: Scene) -> None:
    caller = carried(scene.home, "ada")
    for thief in (fresh(), scene.reader.people["doctor"][1]):
        with pytest.raises(Unauthenticated):
            list_records(replace(caller, signer=thief), scene.vault, OWN)
    assert entries(scene) == []


def test_a_pass_for_another_chain_or_contract_is_another_signers(scene: Scene) -> None:
    key, (person, wallet) = fresh(), scene.home.people["ada"]
    until = int(scene.network.clock()) + 60
    one = Pass(account=person.account, organisation=scene.home.id, key=key.address,
               until_seconds=until)  # fmt: skip
    right = passes.typed_data(scene.home.contracts, one)
    for data in (replace(right, chain_id=right.chain_id + 1), replace(right, contract=bytes(20))):
        by = replace(one, signature=wallet.sign(data.digest))
        with pytest.raises(Unauthenticated, match="No account"):
            list_records(replace(scene.home.caller(key), by=by), scene.vault, OWN)


def test_a_pass_is_over_when_it_says_so_and_no_later_than_twelve_hours_from_now(
    scene: Scene,
) -> None:
    clock = scene.network.clock
    most = int(clock()) + passes.MAX_SECONDS
    caller = carried(scene.home, "ada", until_seconds=most)
    assert list_records(caller, scene.vault, OWN)
    with pytest.raises(Unauthenticated, match="twelve hours"):
        list_records(carried(scene.home, "ada", until_seconds=most + 60), scene.vault, OWN)
    soon = carried(scene.home, "ada", until_seconds=int(clock()) + 30)
    assert list_records(soon, scene.vault, OWN)
    clock.advance(31)
    with pytest.raises(Unauthenticated, match="over"):
        list_records(soon, scene.vault, OWN)


def test_every_verb_is_in_the_table_or_refused_and_written_down(scene: Scene) -> None:
    assert set(passes.QUESTIONS) <= set(VERBS)
    assert set(passes.QUESTIONS) == {"manifests", "capsules", "release", "log", "appoint"}, (
        "whoever adds a verb here says why it decides nothing"
    )
    caller = carried(scene.home, "ada")
    with pytest.raises(Forbidden, match=NOT_BY_PASS):
        ask(caller, scene.home.id, "erase", EraseBody(vault=hexed(scene.vault.tag)))
    person, wallet = scene.home.people["ada"]
    assert entries(scene) == [("erase", NOT_BY_PASS, person.account, wallet.address)]


def test_what_others_let_the_account_read_takes_its_own_key(scene: Scene, network: Network) -> None:
    """A consent to the account opens by its key; a pass of it reads its own vaults alone."""
    eve = scene.reader.people["eve"][0] if "eve" in scene.reader.people else scene.reader.enrol(
        "eve", Role.PATIENT
    )  # fmt: skip
    consent = network.grant(
        scene.home, "ada", scene.vault, Grantee.account(eve.account), purposes=("PATRQT", "TREAT")
    )
    record = hexed(scene.written.sealed.record_id)
    caller = carried(scene.reader, "eve")
    for purpose in (Purpose.PATRQT, Purpose.TREAT):
        because = Because(purpose, consent)
        assert list_records(scene.reader.caller("eve"), scene.vault, because)
        basis = because.basis(scene.vault.tag)
        for method, body in (
            ("manifests", ManifestsBody(basis=basis)),
            ("capsules", CapsulesBody(basis=basis, records=[record])),
            ("release", ReleaseBody(basis=basis, records=[record], epoch=1)),
        ):
            with pytest.raises(Forbidden, match=NOT_BY_PASS):
                ask(caller, scene.home.id, method, body)
    with pytest.raises(Forbidden, match="UNKNOWN_HANDLE"):
        list_records(caller, scene.vault, OWN)
    with pytest.raises(Forbidden, match="UNKNOWN_HANDLE"):
        ask(caller, scene.home.id, "log", LogBody(vault=hexed(scene.vault.tag)))


def test_a_clinicians_pass_opens_nothing_that_their_organisation_wrote(scene: Scene) -> None:
    member = scene.home
    if "nurse" not in member.people:
        member.enrol("nurse", Role.NURSE)
    caller = carried(member, "nurse")
    assert list_records(member.caller("nurse"), scene.vault, Because(Purpose.TREAT))
    for because in (Because(Purpose.TREAT), OWN):
        with pytest.raises(Forbidden):
            list_records(caller, scene.vault, because)


@pytest.fixture
def fay(scene: Scene) -> Iterator[str]:
    """Somebody with a vault of their own whose account may be spoiled."""
    user = f"fay{len(scene.home.people)}"
    scene.home.enrol(user, Role.PATIENT)
    yield user


def _own_vault(scene: Scene, user: str) -> Any:
    network, home = scene.network, scene.home
    vault = network.open_vault(home, (home, scene.second, scene.third), m=2, follow=False)
    network.claim(home, scene.second, vault.tag, user, follow=False)
    network.write(home, vault, b'{"resourceType":"Observation","id":"o2"}')
    return vault


def test_a_suspended_accounts_pass_is_worth_nothing_at_once(scene: Scene, fay: str) -> None:
    vault = _own_vault(scene, fay)
    caller = carried(scene.home, fay)
    assert list_records(caller, vault, OWN)
    administrator = scene.network.lane(scene.home.administrator)
    suspend_account(scene.home.contracts, administrator, scene.home.people[fay][0].account)
    for method, body in (
        ("manifests", ManifestsBody(basis=OWN.basis(vault.tag))),
        ("log", LogBody(vault=hexed(vault.tag))),
    ):
        with pytest.raises(Forbidden, match="INACTIVE_ACTOR"):
            ask(caller, scene.home.id, method, body)


def test_a_pass_of_a_key_that_was_replaced_is_worth_nothing_at_once(scene: Scene, fay: str) -> None:
    vault = _own_vault(scene, fay)
    old, new, home = carried(scene.home, fay), fresh(), scene.home
    person, wallet = home.people[fay]
    accounts = home.contracts.accounts
    scene.network.lane(wallet).transact(accounts.rotate_key(new.address))
    assert list_records(old, vault, OWN), "it waits"
    ready = accounts.pending_rotation(person.account)
    assert ready is not None
    scene.network.clock.now = max(scene.network.clock.now, ready.ready_at + 1)
    scene.network.lane(home.keystore.lanes[0]).transact(accounts.complete_rotation(person.account))
    home.people[fay] = (person, new)
    later = int(scene.network.clock()) + 60
    by = signed(home, wallet, key=fresh(), account=person.account, until_seconds=later)
    with pytest.raises(Unauthenticated):
        list_records(replace(old, by=by), vault, OWN)
    assert old.by is not None
    again = signed(home, wallet, key=old.signer, account=person.account, until_seconds=later)  # type: ignore[arg-type]
    with pytest.raises(Unauthenticated, match="No account"):
        list_records(replace(old, by=again), vault, OWN)
    assert list_records(carried(home, fay), vault, OWN), "the new key signs another one"


@pytest.mark.parametrize("by", [{}, {"account": "0x00"}, None, "pass"])
def test_a_pass_of_another_form_is_refused(scene: Scene, by: object) -> None:
    _, wallet = scene.home.people["ada"]
    asked = sign_request(
        wallet, method="log", audience=scene.home.id, chain=scene.network.ledger.chain_id(),
        body=LogBody(vault=hexed(scene.vault.tag)), now_seconds=int(scene.network.clock()),
        random=os.urandom,
    )  # fmt: skip
    claims = msgspec.json.decode(unb64(asked.token.split(b".")[1].decode())) | {"pass": by}
    token = sign_jws(wallet, REQUEST_TYPE, msgspec.json.encode(claims))
    with pytest.raises(Invalid):
        scene.home.custody.answer("log", token)


def test_a_kept_pass_comes_back_as_it_was_and_nothing_else_does(scene: Scene) -> None:
    key, (person, wallet) = fresh(), scene.home.people["ada"]
    by = signed(scene.home, wallet, key=key, account=person.account)
    kept = Carried(key, by, wallet.address)
    back = Carried.from_bytes(kept.to_bytes())
    assert (back.signed, back.wallet, back.key.to_bytes()) == (by, wallet.address, key.to_bytes())
    assert key.to_bytes().hex() not in repr(kept)
    with pytest.raises(Tampered):
        Carried.from_bytes(key.to_bytes())


def test_the_account_counts_its_calls_by_whatever_key_they_come(scene: Scene) -> None:
    desk = replace(scene.home.desk, limits=Limits(calls_per_minute=2))
    custodian = Custodian(desk)
    for number in range(3):
        caller = carried(scene.home, "ada")
        asked = sign_request(
            caller.signer,
            method="log",
            audience=scene.home.id,
            chain=scene.network.ledger.chain_id(),
            body=LogBody(vault=hexed(scene.vault.tag)),
            now_seconds=int(scene.network.clock()),
            random=os.urandom,
            by=caller.by,
        )
        if number < 2:
            assert custodian.answer("log", asked.token)
        else:
            with pytest.raises(TooLarge):
                custodian.answer("log", asked.token)
