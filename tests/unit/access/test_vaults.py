from __future__ import annotations

import os

import pytest

from simdes.access.categories import Role
from simdes.access.descriptors import (
    OrganisationDescriptor,
    VaultDescriptor,
    decode_organisation,
    decode_vault,
    encode_organisation,
    encode_vault,
)
from simdes.access.vaults import (
    Opener,
    add_local,
    ask_attestation,
    attest_here,
    claim,
    open_vaults,
    vault_key,
)
from simdes.crypto.capsule import Custodian
from simdes.crypto.digest import sha256
from simdes.crypto.keys import OpeningKey
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, SimdesError, Tampered, Unavailable
from simdes.index import custody, vaults
from unit.access.conftest import Scene
from unit.access.network import Network, Organisation


def opener(network: Network, home: Organisation) -> Opener:
    return Opener(
        keystore=home.keystore,
        database=home.database,
        store=network.store,
        directory=home.directory,
        caller=home.caller(),
        lane=home.agent,
        clock=network.clock,
        random=os.urandom,
    )


def fresh(home: Organisation) -> vaults.Vault:
    return home.database.write(
        lambda tx: add_local(
            tx,
            home.keystore,
            os.urandom(32),
            m=2,
            n=3,
            home=True,
            random=os.urandom,
            now_ms=1,
        )
    )


def test_an_opened_vault_names_each_custodian_with_a_key_of_its_own(network: Network) -> None:
    home, second, third = network.members[:3]
    vault = network.open_vault(home, (home, second, third), m=2)
    assert [one.organisation for one in vault.custodians] == [home.id, second.id, third.id]
    for index, member in enumerate((home, second, third), 1):
        assert vault.index_of(member.id) == index
        with member.database.read() as tx:
            key = custody.key_of(tx, vault.tag, 1)
        assert key is not None
        assert key.public == vault.custodians[index - 1].public
        assert key.private_wrapped is not None
    assert vault.index_of(os.urandom(32)) is None
    other = network.open_vault(home, (home, second, third), m=2)
    assert {one.public for one in vault.custodians}.isdisjoint(
        {one.public for one in other.custodians}
    )


def test_custodians_keep_a_row_and_a_local_key_for_the_vault(network: Network) -> None:
    home, second, third, fourth = network.members[:4]
    vault = network.open_vault(home, (home, second, third), m=2)
    keys = set()
    for member, expected in ((home, 1), (second, 0), (third, 0)):
        with member.database.read() as tx:
            row = vaults.get(tx, vault.tag)
        assert row is not None
        assert (row.home, row.state, row.m, row.n) == (expected, vaults.OPEN, 2, 3)
        keys.add(vault_key(member.keystore, row))
    assert len(keys) == 3
    with fourth.database.read() as tx:
        assert vaults.get(tx, vault.tag) is None


def test_opening_goes_on_where_a_crash_left_it(network: Network) -> None:
    home, second, third = network.members[:3]
    ids = [home.id, second.id, third.id]
    row = fresh(home)
    second.shut()
    try:
        with pytest.raises(Unavailable):
            open_vaults(opener(network, home), [row.tag], ids, m=2)
    finally:
        second.open()
    for _ in range(3):  # every repeat ends in the same vault
        assert open_vaults(opener(network, home), [row.tag], ids, m=2) == {row.tag: None}
    assert home.directory.vault(row.tag).m == 2


def test_many_vaults_are_opened_with_one_question_to_each_custodian(network: Network) -> None:
    home, second, third = network.members[:3]
    tags = [fresh(home).tag for _ in range(20)]
    asked: list[bytes] = []
    honest = second.custody.answer

    def counting(method: str, token: bytes) -> bytes:
        asked.append(token)
        return honest(method, token)

    network.client.open(second.id, counting)
    try:
        results = open_vaults(opener(network, home), tags, [home.id, second.id, third.id], m=2)
    finally:
        second.open()
    assert results == dict.fromkeys(tags)
    assert len(asked) == 1


def test_a_vault_needs_distinct_custodians_and_more_than_one_share(network: Network) -> None:
    home, second = network.members[:2]
    for ids, m in (([home.id, home.id], 2), ([home.id, second.id], 1), ([home.id], 2)):
        with pytest.raises(Invalid):
            open_vaults(opener(network, home), [fresh(home).tag], ids, m=m)


def test_an_erased_vault_has_no_local_key(network: Network) -> None:
    home = network.members[0]
    row = fresh(home)
    home.database.write(lambda tx: vaults.erase(tx, row.tag))
    with home.database.read() as tx:
        erased = vaults.get(tx, row.tag)
    assert erased is not None
    with pytest.raises(NotFound):
        vault_key(home.keystore, erased)


# Claiming -------------------------------------------------------------------------------------


def provisional(network: Network) -> VaultDescriptor:
    return network.open_vault(network.members[0], network.members[:3], m=2)


def deadline(network: Network) -> int:
    return int(network.clock()) + 3600


def approve(member: Organisation, **names: bytes) -> None:
    member.desk.attestations.decide(
        member.administrator,
        member.contracts,
        until_seconds=int(member.network.clock()) + 86_400,
        **names,
    )


def claimed(network: Network, vault: VaultDescriptor, attestations: list[bytes], by: int) -> None:
    home = network.members[0]
    person, key = home.people["ada"]
    claim(
        home.contracts,
        home.agent,
        key,
        tag=vault.tag,
        account=person.account,
        deadline_seconds=by,
        attestations=attestations,
    )


def test_a_patient_claims_a_vault_with_two_organisations_attestations(network: Network) -> None:
    home, second = network.members[:2]
    vault, by = provisional(network), deadline(network)
    account = home.people["ada"][0].account
    names = {"tag": vault.tag, "account": account, "deadline_seconds": by}
    with pytest.raises(Forbidden, match="NOT_DECIDED"):
        ask_attestation(home.caller(), second.id, **names)  # type: ignore[arg-type]
    approve(second, vault=vault.tag, account=account)
    first = attest_here(home.keystore, home.contracts, **names)  # type: ignore[arg-type]
    other = ask_attestation(home.caller(), second.id, **names)  # type: ignore[arg-type]
    claimed(network, vault, [first, other], by)
    known = home.contracts.accounts.vault(vault.tag)
    assert known is not None
    assert known.control == account
    with pytest.raises(Forbidden, match="NOT_CLAIMABLE"):
        ask_attestation(home.caller(), second.id, **names)  # type: ignore[arg-type]
    with pytest.raises(Conflict):
        claimed(network, vault, [first, other], by)


def test_a_standing_decision_to_rely_on_another_organisation_covers_its_own_patients_only(
    network: Network,
) -> None:
    home, second, third = network.members[:3]
    vault, by = provisional(network), deadline(network)
    ada = home.people["ada"][0]
    approve(third, checked_by=home.id)
    assert ask_attestation(
        home.caller(), third.id, tag=vault.tag, account=ada.account, deadline_seconds=by
    )
    name = f"p-{os.urandom(4).hex()}"
    stranger = second.enrol(name, Role.PATIENT)
    with pytest.raises(Forbidden, match="NOT_DECIDED"):
        ask_attestation(
            home.caller(), third.id, tag=vault.tag, account=stranger.account, deadline_seconds=by
        )


@pytest.mark.parametrize("count", [0, 1, 3])
def test_anything_but_two_attestations_is_refused(network: Network, count: int) -> None:
    vault, by = provisional(network), deadline(network)
    with pytest.raises(Forbidden):
        claimed(network, vault, [bytes(65)] * count, by)


def test_attestations_by_one_organisation_or_for_another_vault_do_not_count(
    network: Network,
) -> None:
    home, second = network.members[:2]
    vault, other, by = provisional(network), provisional(network), deadline(network)
    account = home.people["ada"][0].account

    def by_member(member: Organisation, tag: bytes) -> bytes:
        return attest_here(
            member.keystore, member.contracts, tag=tag, account=account, deadline_seconds=by
        )

    for bad in (
        [by_member(home, vault.tag), by_member(home, vault.tag)],
        [by_member(home, vault.tag), by_member(second, other.tag)],
        [by_member(home, vault.tag), bytes(65)],
    ):
        with pytest.raises(SimdesError):
            claimed(network, vault, bad, by)
    known = home.contracts.accounts.vault(vault.tag)
    assert known is not None
    assert known.control is None


def test_only_an_administrator_decides_and_decisions_end(scene: Scene) -> None:
    network, home = scene.network, scene.home
    attestations = home.desk.attestations
    until = int(network.clock()) + 100
    name = f"dr-{os.urandom(4).hex()}"
    home.enrol(name, Role.DOCTOR)
    names = {"vault": os.urandom(32), "account": os.urandom(32)}
    for key in (
        home.people[name][1],
        home.keystore.lanes[0],
        scene.second.administrator,
    ):
        with pytest.raises(Forbidden):
            attestations.decide(key, home.contracts, until_seconds=until, **names)
    for wrong in (
        {},
        {"vault": os.urandom(32)},
        {"checked_by": home.id},
        names | {"checked_by": scene.second.id},
    ):
        with pytest.raises(Invalid):
            attestations.decide(home.administrator, home.contracts, until_seconds=until, **wrong)
    attestations.decide(home.administrator, home.contracts, until_seconds=until, **names)
    assert attestations.covers(home.contracts, now_seconds=until - 1, **names)
    assert not attestations.covers(home.contracts, now_seconds=until, **names)


def test_a_decision_forged_into_the_file_does_not_count(network: Network) -> None:
    import dataclasses

    from simdes.access.attestations import Attestations

    home = network.members[0]
    listed = Attestations(home.folder / f"{os.urandom(4).hex()}.json", home.id)
    until = int(network.clock()) + 100
    names = {"vault": os.urandom(32), "account": os.urandom(32)}
    decision = listed.decide(home.administrator, home.contracts, until_seconds=until, **names)
    forged = dataclasses.replace(decision, account=os.urandom(32))
    listed._add(forged)
    longer = dataclasses.replace(decision, until_seconds=until + 1000)
    listed._add(longer)
    assert not listed.covers(
        home.contracts, vault=forged.vault, account=forged.account, now_seconds=until - 1
    )
    assert not listed.covers(home.contracts, now_seconds=until + 500, **names)


# Descriptors ----------------------------------------------------------------------------------


def vault_descriptor(n: int = 3, m: int = 2) -> VaultDescriptor:
    custodians = tuple(
        Custodian(os.urandom(32), OpeningKey.generate(os.urandom).public) for _ in range(n)
    )
    return VaultDescriptor(os.urandom(32), 1, m, custodians)


def test_descriptors_come_back_as_they_were_and_any_changed_byte_is_refused() -> None:
    vault = vault_descriptor()
    organisation = OrganisationDescriptor(
        os.urandom(32), 1, "Mercy", "https://mercy.invalid", OpeningKey.generate(os.urandom).public
    )
    for value, encode, decode in (
        (vault, encode_vault, decode_vault),
        (organisation, encode_organisation, decode_organisation),
    ):
        block = encode(value)  # type: ignore[arg-type]
        assert decode(block, digest=sha256(block)) == value
        for at in range(0, len(block), 97):
            changed = block[:at] + bytes([block[at] ^ 1]) + block[at + 1 :]
            with pytest.raises(Tampered):
                decode(changed, digest=sha256(block))


@pytest.mark.parametrize(("n", "m"), [(2, 1), (2, 3), (3, 0)])
def test_a_vault_descriptor_with_a_bad_threshold_is_refused(n: int, m: int) -> None:
    with pytest.raises(Invalid):
        encode_vault(vault_descriptor(n, m))


def test_a_vault_descriptor_with_a_custodian_twice_is_refused() -> None:
    vault = vault_descriptor()
    twice = (vault.custodians[0], vault.custodians[0], vault.custodians[1])
    with pytest.raises(Invalid):
        encode_vault(VaultDescriptor(vault.tag, 1, 2, twice))


@pytest.mark.parametrize("url", ["ftp://x", "javascript:1", "", "x" * 600])
def test_an_organisation_with_a_strange_url_is_refused(url: str) -> None:
    value = OrganisationDescriptor(
        os.urandom(32), 1, "x", url, OpeningKey.generate(os.urandom).public
    )
    block = encode_organisation(value)
    with pytest.raises(Invalid):
        decode_organisation(block, digest=sha256(block))


def test_the_directory_knows_only_what_the_chain_knows(network: Network) -> None:
    directory = network.members[0].directory
    for look in (directory.organisation, directory.vault):
        with pytest.raises(NotFound):
            look(os.urandom(32))
    assert directory.organisation(network.members[1].id).name == "second"
