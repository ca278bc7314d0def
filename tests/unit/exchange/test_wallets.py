"""A patient's own wallet: takes the vault, grants and revokes by typed data that anybody relays."""

from __future__ import annotations

import json
import secrets
import stat
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.ethereum import Account
from simdes.access import attempts, consent
from simdes.access.accounts import suspend_account
from simdes.access.categories import Role, State
from simdes.access.consent import Grantee
from simdes.app import ADMINISTRATOR
from simdes.cli import command_line
from simdes.crypto.digest import sha256
from simdes.crypto.keys import OpeningKey, SigningKey
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, SimdesError, Tampered, TooLarge
from simdes.exchange import consents, enrolment, retrieve, wallets
from simdes.exchange.node import Node
from simdes.index import vaults
from simdes.storage.cid import cid_of_digest
from support import consortium
from support.consortium import Clock, Consortium, passphrase_of


def sign_as_wallets_do(key: SigningKey, document: dict[str, Any]) -> bytes:
    """``eth_signTypedData_v4``, from the document alone, by a library that wallets use."""
    signed = Account.sign_typed_data(key.to_bytes(), full_message=document)
    return bytes(signed.signature)


@dataclass(frozen=True, slots=True)
class Town:
    """A network, a vault that a wallet controls, and the wallet's key, which no gateway has."""

    network: Consortium
    clock: Clock
    vault: bytes
    wallet: SigningKey

    @property
    def north(self) -> Node:
        return self.network["north"].node

    def sign(self, request: wallets.Request, key: SigningKey | None = None) -> bytes:
        document = json.loads(wallets.written(request))["typedData"]
        return sign_as_wallets_do(key or self.wallet, document)

    def let(self, organisation: str, **others: Any) -> wallets.Request:
        what: dict[str, Any] = {"categories": ["observations"], "purposes": ["TREAT"]} | others
        return wallets.grant(
            self.north,
            vault=self.vault,
            grantee=Grantee.organisation(self.network[organisation].node.organisation),
            valid_seconds=86_400,
            **what,
        )

    def standing(self) -> list[consents.Given]:
        return [one for one in consents.listed(self.north, self.vault) if one.state == "active"]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder, clock = tmp_path_factory.mktemp("wallets") / "network", Clock()
    consortium.found(folder)
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        for name, message in consortium.sample_messages():
            network.submit("north", name, message)
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
        made = Town(network, clock, tag, SigningKey.generate(secrets.token_bytes))
        administrator = network.session("north", ADMINISTRATOR)
        for _ in range(2):  # a second try goes on where the first one stopped
            request = wallets.enrol(
                north,
                administrator,
                made.wallet.address,
                vault=tag,
                attesters=[network["south"].node.organisation],
            )
        handed = wallets.read(north, wallets.written(request))
        with pytest.raises(Forbidden):
            wallets.send(north, handed, made.sign(handed, SigningKey.generate(secrets.token_bytes)))
        wallets.send(north, handed, made.sign(handed))
        with pytest.raises(SimdesError):
            wallets.send(north, handed, made.sign(handed))
        north.following.catch_up()
        yield made


def test_commands_prepare_show_and_relay(town: Town, tmp_path: Path) -> None:
    # Commands go by the real time, which later tests here leave behind.
    file, vault = tmp_path / "request.json", f"0x{town.vault.hex()}"

    def simdes(command: str, member: str, *words: str, code: int = 0) -> str:
        where = str(town.network[member].data)
        done = CliRunner().invoke(
            command_line("wallet"), ["wallet", command, "--data", where, *words]
        )
        assert (done.exit_code == 0) is (code == 0), done.output
        return done.output

    def signature() -> str:
        document = json.loads(file.read_text())["typedData"]
        return f"0x{sign_as_wallets_do(town.wallet, document).hex()}"

    let = ("--to", "doctor@Clinic South", "--category", "observations")
    simdes("grant", "north", "--vault", vault, *let, "--out", str(file))
    said = simdes("show", "south", str(file))
    assert "doctor at Clinic South" in said and "observations" in said
    assert f"0x{town.network['south'].node.organisation.hex()} (compare" in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600, "the terms and their salt are nobody else's"
    simdes("revoke", "east", "--vault", vault, "--all", "--out", str(file), code=1)
    given = ("--signature", signature())
    simdes("send", "south", str(file), *given)
    simdes("send", "south", str(file), *given, code=1)
    assert [one.role for one in town.standing()] == ["doctor"]
    file.unlink()
    simdes("revoke", "east", "--vault", vault, "--all", "--out", str(file))
    simdes("send", "east", str(file), "--signature", signature())
    assert town.standing() == []
    for member in town.network.members:
        town.network.up(member)  # a command that ends takes the member's custody API along


def test_the_wallet_controls_the_vault_and_no_key_here_does(town: Town) -> None:
    known = town.north.contracts.accounts.vault(town.vault)
    assert known is not None and known.control is not None
    account = town.north.contracts.accounts.account(known.control)
    assert account is not None and account.key == town.wallet.address
    for one in town.network.members.values():
        assert one.node.desk.keystore.person_of(known.control) is None
    with pytest.raises(Conflict):
        wallets.enrol(
            town.north,
            town.network.session("north", ADMINISTRATOR),
            SigningKey.generate(secrets.token_bytes).address,
            vault=town.vault,
        )


def test_a_grant_by_the_wallet_opens_and_its_revocation_closes(town: Town) -> None:
    south, doctor = town.network["south"].node, town.network.session("south", "dr.lee")
    with pytest.raises(Forbidden):
        retrieve.retrieve(south, doctor, vault=town.vault)
    request = town.let("south", categories=["demographics", "observations", "encounters"])
    wallets.send(town.north, request, town.sign(request))
    assert retrieve.retrieve(south, doctor, vault=town.vault)
    [given] = town.standing()
    assert given == wallets.given(town.north, request)
    # Any member relays, of a request that another prepared.
    east = town.network["east"].node
    undo = wallets.revoke(town.north, vault=town.vault, handle=given.handle)
    wallets.send(east, wallets.read(east, wallets.written(undo)), town.sign(undo))
    assert town.standing() == []
    with pytest.raises(Forbidden):
        retrieve.retrieve(south, doctor, vault=town.vault)


def test_an_account_that_the_wallet_lets_in_reads_for_the_patient_and_decides_nothing(
    town: Town,
) -> None:
    node, administrator = town.north, town.network.session("north", ADMINISTRATOR)
    reader = enrolment.add_person(
        node, administrator, "rosa", role=Role.PATIENT, passphrase=passphrase_of("rosa")
    )
    session = town.network.session("north", "rosa")
    with pytest.raises(Forbidden):
        retrieve.retrieve(node, session, vault=town.vault, purpose="PATRQT")
    request = wallets.grant(
        node,
        vault=town.vault,
        grantee=Grantee.account(reader.account),
        categories=["demographics", "observations", "encounters"],
        purposes=["PATRQT"],
        valid_seconds=86_400,
    )
    wallets.send(node, request, town.sign(request))
    assert retrieve.retrieve(node, session, vault=town.vault, purpose="PATRQT").resources
    stop = wallets.revoke_all(node, vault=town.vault)
    with pytest.raises(Forbidden):
        consents.revoke_all(node, session, vault=town.vault)
    with pytest.raises(Forbidden):
        wallets.send(node, stop, town.sign(stop, session.key))
    wallets.send(node, stop, town.sign(stop))


def test_everything_is_withdrawn_at_once(town: Town) -> None:
    for name in ("south", "east"):
        request = town.let(name)
        wallets.send(town.north, request, town.sign(request))
    assert len(town.standing()) == 2
    stop = wallets.revoke_all(town.north, vault=town.vault)
    wallets.send(town.north, stop, town.sign(stop))
    assert town.standing() == []


def test_nobody_elses_signature_counts_and_none_counts_twice(town: Town) -> None:
    request = town.let("south")
    stranger = SigningKey.generate(secrets.token_bytes)
    for wrong in (town.sign(request, stranger), bytes(65), b"", town.sign(town.let("south"))):
        with pytest.raises(Forbidden):
            wallets.send(town.north, request, wrong)
    assert town.standing() == []
    signed = town.sign(request)
    zero = signed[:64] + bytes((signed[64] - 27,))
    wallets.send(town.north, request, zero)  # some wallets write v so
    for again in (signed, zero):
        with pytest.raises(Conflict):
            wallets.send(town.north, request, again)
    [given] = town.standing()
    undo = wallets.revoke(town.north, vault=town.vault, handle=given.handle)
    wallets.send(town.north, undo, town.sign(undo))
    with pytest.raises(Conflict):
        wallets.send(town.north, request, signed)
    assert town.standing() == []


def test_a_relay_that_holds_a_grant_back_comes_too_late(town: Town) -> None:
    one, other = town.let("south"), town.let("east")
    signed = town.sign(one), town.sign(other)
    undo = wallets.revoke(town.north, vault=town.vault, handle=one.message["handle"])
    wallets.send(town.north, undo, town.sign(undo))
    stop = wallets.revoke_all(town.north, vault=town.vault)
    wallets.send(town.north, stop, town.sign(stop))
    for request, signature in zip((one, other), signed, strict=True):
        with pytest.raises(SimdesError):
            wallets.send(town.north, request, signature)
    late = town.let("south")
    town.clock.ahead_seconds += wallets.SIGN_SECONDS + 60
    with pytest.raises(SimdesError):
        wallets.send(town.north, late, town.sign(late))
    assert town.standing() == []


def _domain(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda it: it["typedData"]["domain"].update({name: value})


@pytest.mark.parametrize(
    ("spoil", "refusal"),
    [
        (_domain("chainId", 1), Invalid),
        (_domain("verifyingContract", "0x" + "11" * 20), Invalid),
        (_domain("name", "SIMDES Accounts"), Invalid),
        (lambda it: it["typedData"].update(primaryType="Revoke"), Invalid),
        (lambda it: it["typedData"]["types"]["Grant"].pop(), Invalid),
        (lambda it: it["typedData"]["message"].update(extra="1"), Invalid),
        (lambda it: it["typedData"]["message"].update(handle=5), Invalid),
        (lambda it: it["terms"].update(categories="9999999"), Tampered),
        (lambda it: it["terms"].update(expiry=str(2**60)), Tampered),
        (lambda it: it["terms"].pop("labels"), Invalid),
        (lambda it: it.update(salt="0x" + "00" * 32), Tampered),
        (lambda it: it.pop("terms"), Invalid),
        (lambda it: it.update(v=3), Invalid),
        (lambda it: it["terms"].update(labels="-5"), Invalid),
        (lambda it: it["terms"].update(grantee="7"), Invalid),
        (lambda it: it["typedData"]["message"].update(tag="5"), Invalid),
        (lambda it: it["typedData"]["message"].update(deadline=str(2**250)), Invalid),
        (lambda it: it["typedData"]["message"].update(nonce=str(2**256)), Invalid),
    ],
)
def test_a_request_that_says_other_than_it_signs_is_refused(
    town: Town, spoil: Callable[[dict[str, Any]], object], refusal: type[SimdesError]
) -> None:
    spoilt = json.loads(wallets.written(town.let("south")))
    spoil(spoilt)
    with pytest.raises(refusal):
        wallets.read(town.north, json.dumps(spoilt))


@pytest.mark.parametrize(
    "odd",
    [
        {"grantee_role": 99},
        {"grantee_role": 2},  # told as doctors, while the whole organisation is let in
        {"grantee_kind": 9},
        {"expiry": 2**64 - 1},
        {"purposes": 2**15},
        {"categories": 2**63 + 1},
        {"records": b"\1" * 32},
        {"condition": b"\1" * 20},
        {"condition_id": b"\1" * 32},
    ],
)
def test_terms_that_have_no_words_are_refused_though_they_are_committed_to(
    town: Town, odd: dict[str, int]
) -> None:
    request = town.let("south")
    assert request.drafted is not None
    strange = replace(request.drafted, terms=replace(request.drafted.terms, **odd))
    told = request.message | {"commitment": strange.commitment}
    data = town.north.contracts.consents.grant_data(**told)
    with pytest.raises(SimdesError):
        wallets.read(town.north, wallets.written(wallets.Request(data=data, drafted=strange)))


def pointed(letter: bytes, request: wallets.Request, *, pointer: bytes = b"") -> str:
    """The same grant, pointing at another letter."""
    said = request.message | {"pointer": pointer or sha256(letter)}
    data = replace(request.data, values=tuple(said.values()))
    return wallets.written(replace(request, data=data, letter=letter))


def test_a_grant_points_at_a_letter_that_says_the_same_terms(town: Town) -> None:
    request, other = town.let("south"), town.let("south")
    assert request.drafted is not None and other.drafted is not None
    for node in (town.north, town.network["south"].node):
        assert wallets.read(node, wallets.written(request)).listed
    with pytest.raises(Tampered):
        wallets.read(town.north, pointed(request.letter, request, pointer=bytes(32)))
    with pytest.raises(SimdesError):
        wallets.read(town.north, pointed(b"no letter", request))
    ours = [town.north.desk.keystore.descriptor_key.public]
    elsewise = consent.seal_terms(other.drafted, ours, random=secrets.token_bytes)
    with pytest.raises(Tampered):
        wallets.read(town.north, pointed(elsewise, request))
    strangers = [OpeningKey.generate(secrets.token_bytes).public]
    hidden = consent.seal_terms(request.drafted, strangers, random=secrets.token_bytes)
    assert not wallets.read(town.north, pointed(hidden, request)).listed


def test_what_a_wallet_never_signs_is_never_stored(town: Town) -> None:
    request = town.let("south")
    cid = cid_of_digest(request.message["pointer"])
    handed = wallets.read(town.north, wallets.written(request))
    with pytest.raises(Forbidden):
        wallets.send(
            town.north, handed, town.sign(handed, SigningKey.generate(secrets.token_bytes))
        )
    assert not town.north.store.has(cid)
    wallets.send(town.north, handed, town.sign(handed))
    assert town.north.store.has(cid)
    [given] = town.standing()
    undo = wallets.revoke(town.north, vault=town.vault, handle=given.handle)
    wallets.send(town.north, undo, town.sign(undo))


def test_a_withdrawal_brings_no_letter_along(town: Town) -> None:
    """Its signature says nothing of one, and is on the ledger for everybody to bring again."""
    stop = wallets.revoke_all(town.north, vault=town.vault)
    wallets.send(town.north, stop, signed := town.sign(stop))
    filth = b"bytes of a stranger's"
    handed = wallets.read(town.north, with_letter(stop, filth))
    with pytest.raises(Conflict):
        wallets.send(town.north, handed, signed)
    assert not town.north.store.has(cid_of_digest(sha256(filth)))


def with_letter(request: wallets.Request, letter: bytes) -> str:
    handed = json.loads(wallets.written(request))
    return json.dumps(handed | {"letter": urlsafe_b64encode(letter).decode()})


def test_a_request_of_the_release_before_has_its_letter_in_the_store(town: Town) -> None:
    request = town.let("south")
    before = json.loads(wallets.written(request)) | {"v": 1}
    del before["letter"], before["records"]
    with pytest.raises(Invalid, match="nowhere"):
        wallets.read(town.north, json.dumps(before))
    town.north.store.put(request.letter)
    assert wallets.read(town.north, json.dumps(before)).listed


def claim_of(town: Town, key: SigningKey) -> wallets.Request:
    """The vault, claimed by the account of another wallet, of whom organisations attested another
    vault."""
    south = [town.network["south"].node.organisation]
    other = wallets.enrol(
        town.north,
        town.network.session("north", ADMINISTRATOR),
        key.address,
        vault=free_vault(town.north),
        attesters=south,
    )
    data = town.north.contracts.accounts.claim_vault_data(**other.message | {"tag": town.vault})
    return replace(other, data=data)


def test_a_wallet_has_so_many_grants_an_hour_and_strangers_use_none_of_them_up(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.clock.ahead_seconds += 3_601  # what other tests let through is forgotten
    few = attempts.Allowance(free=2, first_ms=900_000, most_ms=900_000)
    monkeypatch.setattr(attempts, "WALLET", few)
    stranger = SigningKey.generate(secrets.token_bytes)
    for _ in range(5):
        request = town.let("south")
        with pytest.raises(Forbidden):
            wallets.send(town.north, request, town.sign(request, stranger))
    for _ in range(3):  # an account of one's own signs a claim of anybody's vault
        claim = claim_of(town, stranger)
        with pytest.raises(Conflict):
            wallets.send(town.north, claim, town.sign(claim, stranger))
    for at in range(3):
        request = town.let("south")
        wallets.send(town.north, request, signed := town.sign(request))
        for _ in range(5 if at == 0 else 0):  # whom it names knows all of it, and brings it again
            with pytest.raises(Conflict):
                wallets.send(town.north, request, signed)
    refused = town.let("south")
    with pytest.raises(TooLarge):
        wallets.send(town.north, refused, town.sign(refused))
    stop = wallets.revoke_all(town.north, vault=town.vault)
    wallets.send(town.north, stop, town.sign(stop))
    assert town.standing() == [], "a withdrawal waits for nothing"
    town.clock.ahead_seconds += 3_601


@pytest.mark.parametrize("text", ["", "{}", "[]", "7", "x" * 20_000, '{"typedData": {}}'])
def test_what_is_no_request_is_refused(town: Town, text: str) -> None:
    with pytest.raises(Invalid):
        wallets.read(town.north, text)


def test_a_hosted_key_is_no_wallet(town: Town) -> None:
    node, administrator = town.north, town.network.session("north", ADMINISTRATOR)
    doctor = node.desk.keystore.person("dr.north")
    for address in (doctor.address, node.desk.keystore.lane_addresses()[0]):
        with node.database.read() as tx:
            free = next(one.tag for one in vaults.page(tx) if one.control is None)
        with pytest.raises(Conflict):
            wallets.enrol(node, administrator, address, vault=free)
    with pytest.raises(Forbidden):
        wallets.enrol(node, town.network.session("north", "dr.north"), bytes(20), vault=town.vault)
    with pytest.raises(NotFound):
        wallets.revoke_all(node, vault=bytes(32))


def free_vault(node: Node) -> bytes:
    """A vault that nobody has yet."""
    with node.database.read() as tx:
        return next(one.tag for one in vaults.page(tx) if one.control is None)


def test_no_account_may_act_that_nobody_attested_for(town: Town) -> None:
    node, administrator = town.north, town.network.session("north", ADMINISTRATOR)
    address = SigningKey.generate(secrets.token_bytes).address
    with pytest.raises(Forbidden):
        wallets.enrol(node, administrator, address, vault=free_vault(node), attesters=[])
    standing = node.contracts.accounts.standing(address)
    assert standing is not None and standing.account_state is State.PENDING
    south = [town.network["south"].node.organisation]
    wallets.enrol(node, administrator, address, vault=free_vault(node), attesters=south)
    standing = node.contracts.accounts.standing(address)
    assert standing is not None and standing.active, "and a second try goes on"


def test_a_suspended_wallet_is_not_let_in_again_by_enrolling_it(town: Town) -> None:
    node, administrator = town.north, town.network.session("north", ADMINISTRATOR)
    address = SigningKey.generate(secrets.token_bytes).address
    south = [town.network["south"].node.organisation]
    wallets.enrol(node, administrator, address, vault=free_vault(node), attesters=south)
    account = node.contracts.accounts.account_of(address)
    assert account is not None
    suspend_account(node.contracts, node.lane(administrator.key), account)
    with pytest.raises(Conflict):
        wallets.enrol(node, administrator, address, vault=free_vault(node), attesters=south)
    standing = node.contracts.accounts.standing(address)
    assert standing is not None and standing.account_state is State.SUSPENDED


def test_strangers_do_not_learn_from_a_withdrawal_whose_keys_are_kept_here(town: Town) -> None:
    node, administrator = town.north, town.network.session("north", ADMINISTRATOR)
    tag = free_vault(node)
    enrolment.enrol(
        node,
        administrator,
        "hosted.patient",
        vault=tag,
        passphrase=passphrase_of("hosted.patient"),
        attesters=[town.network["south"].node.organisation],
    )
    for vault in (tag, town.vault):
        request = wallets.revoke_all(node, vault=vault)
        with pytest.raises(Forbidden, match="not a signature of the wallet"):
            wallets.send(
                node, request, town.sign(request, SigningKey.generate(secrets.token_bytes))
            )
    with pytest.raises(Forbidden):
        wallets.grant(
            node,
            vault=tag,
            grantee=Grantee.organisation(node.organisation),
            categories=["observations"],
            purposes=["TREAT"],
            valid_seconds=60,
        )
