from __future__ import annotations

import contextlib
import dataclasses
import os

import pytest

from simdes.access.consent import (
    Consent,
    Grantee,
    check_terms,
    decode_terms_row,
    draft,
    encode_terms_row,
    open_terms,
    seal_terms,
)
from simdes.access.record_lists import record_listed, record_proof, records_root
from simdes.crypto.keys import OpeningKey
from simdes.errors import Invalid, NotFound, SimdesError, Tampered
from simdes.ledger.terms import ZERO32
from unit.access.network import Network


def drafted(**options: object) -> Consent:
    parts: dict[str, object] = {
        "categories": ("observations",),
        "purposes": ("TREAT",),
        "not_before_seconds": 100,
        "expiry_seconds": 200,
        "random": os.urandom,
    }
    return draft(os.urandom(32), Grantee.account(os.urandom(32)), **(parts | options))  # type: ignore[arg-type]


def test_a_draft_speaks_in_names_and_holds_numbers() -> None:
    consent = drafted(
        categories=("observations", "conditions"), purposes=("TREAT", "HPAYMT"), labels=("HIV",)
    )
    assert consent.terms.categories == 0b1100
    assert consent.terms.purposes == 0b11
    assert consent.terms.labels == 0b10
    assert consent.terms.records == ZERO32
    assert drafted().handle != drafted().handle
    assert drafted().salt != drafted().salt


def test_a_role_in_an_organisation_is_a_grantee() -> None:
    organisation = os.urandom(32)
    grantee = Grantee.role_in(organisation, "nurse")
    assert (grantee.id, int(grantee.kind), grantee.role) == (organisation, 3, 3)
    assert int(Grantee.organisation(organisation).kind) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"categories": ()},
        {"purposes": ()},
        {"categories": ("everything",)},
        {"labels": ("SECRET",)},
        {"expiry_seconds": 100},
        {"not_before_seconds": -1},
        {"expiry_seconds": 1 << 64},
    ],
)
def test_a_consent_that_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        drafted(**wrong)


def test_the_commitment_is_the_contracts(network: Network) -> None:
    """`isAllowed` recomputes it: with one bit of salt or terms changed the terms do not match."""
    home = network.members[0]
    vault = network.open_vault(home, network.members[:3], m=2)
    network.claim(home, network.members[1], vault.tag, "ada")
    consent = network.grant(home, "ada", vault, Grantee.organisation(home.id))
    on_chain = home.contracts.consents.consent(tag=vault.tag, handle=consent.handle)
    assert on_chain is not None
    assert on_chain.commitment == consent.commitment
    for field in dataclasses.fields(consent.terms):
        value = getattr(consent.terms, field.name)
        other = value + 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:]
        changed = dataclasses.replace(consent.terms, **{field.name: other})
        assert dataclasses.replace(consent, terms=changed).commitment != consent.commitment


def test_sealed_terms_open_for_their_recipients_and_nobody_else() -> None:
    keys = [OpeningKey.generate(os.urandom) for _ in range(4)]
    consent = drafted()
    letter = seal_terms(consent, [key.public for key in keys[:3]], random=os.urandom)
    for key in keys[:3]:
        assert open_terms(letter, [keys[3], key]) == consent
    assert open_terms(letter, [keys[3]]) is None
    assert open_terms(letter, []) is None


def test_every_changed_byte_of_a_letter_is_refused() -> None:
    key = OpeningKey.generate(os.urandom)
    letter = seal_terms(drafted(), [key.public], random=os.urandom)
    for at in range(len(letter)):
        changed = letter[:at] + bytes([letter[at] ^ 1]) + letter[at + 1 :]
        with contextlib.suppress(SimdesError):
            assert open_terms(changed, [key]) is None  # a changed hint: not for this key


def test_terms_of_another_vault_handle_or_commitment_are_refused() -> None:
    consent = drafted()
    right = {
        "vault": consent.vault,
        "handle": consent.handle,
        "committed": consent.commitment,
    }
    check_terms(consent, **right)
    for name in right:
        with pytest.raises(Tampered):
            check_terms(consent, **(right | {name: os.urandom(32)}))


def test_a_letter_names_the_records_of_the_terms_and_no_others() -> None:
    key = OpeningKey.generate(os.urandom)
    consent = drafted(records=[os.urandom(32) for _ in range(3)])
    found = open_terms(seal_terms(consent, [key.public], random=os.urandom), [key])
    assert found == consent
    right = {"vault": consent.vault, "handle": consent.handle, "committed": consent.commitment}
    check_terms(consent, **right)
    for listed in (consent.listed[1:], (*consent.listed, os.urandom(32))):
        with pytest.raises(Tampered):
            check_terms(dataclasses.replace(consent, listed=listed), **right)
    unlisted = drafted()
    with pytest.raises(Tampered):
        check_terms(
            dataclasses.replace(unlisted, listed=(os.urandom(32),)),
            vault=unlisted.vault,
            handle=unlisted.handle,
            committed=unlisted.commitment,
        )


def test_kept_terms_come_back_as_they_were() -> None:
    assert decode_terms_row(encode_terms_row(drafted(), block_number=7)).listed == ()
    consent = drafted(records=[os.urandom(32), os.urandom(32)])
    assert len(consent.listed) == 2
    assert decode_terms_row(encode_terms_row(consent, block_number=7)) == consent


def test_a_list_of_records_proves_its_members_and_no_others() -> None:
    for count in range(1, 20):
        records = [os.urandom(32) for _ in range(count)]
        root = records_root(records)
        for record in records:
            proof = record_proof(records, record)
            assert record_listed(root, record, proof)
            assert not record_listed(root, os.urandom(32), proof)
            assert not record_listed(root, record, (*proof, os.urandom(32)))
        assert records_root(records[::-1]) == root
    with pytest.raises(NotFound):
        record_proof(records, os.urandom(32))
    with pytest.raises(Invalid):
        records_root([])
