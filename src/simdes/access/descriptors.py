"""Descriptors: who an organisation is and who keeps a vault's shares, as blocks on IPFS.

Deterministic CBOR whose SHA-256 stands on chain, set by an agent or administrator of the
organisation: the digest is the signature (docs/formats/vault.md). Both are public; neither holds a
word about a patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from simdes.crypto import cbor
from simdes.crypto.capsule import Custodian
from simdes.crypto.digest import sha256
from simdes.crypto.keys import PUBLIC_BYTES
from simdes.errors import Invalid, Tampered

MAX_CUSTODIANS: Final = 64
MAX_EPOCH: Final = (1 << 32) - 1
_ORGANISATION_FIELDS: Final = frozenset(
    {"type", "v", "organisation", "kind", "name", "url", "public"}
)
_VAULT_FIELDS: Final = frozenset({"type", "v", "vault", "epoch", "m", "custodians"})


@dataclass(frozen=True, slots=True)
class OrganisationDescriptor:
    """Where an organisation's custody API answers and which key letters to it are sealed to."""

    organisation: bytes
    kind: int
    name: str
    url: str
    public: bytes


@dataclass(frozen=True, slots=True)
class VaultDescriptor:
    """A vault's custodians with their public keys for this vault and epoch, in share order."""

    tag: bytes
    epoch: int
    m: int
    custodians: tuple[Custodian, ...]

    @property
    def n(self) -> int:
        """How many custodians there are."""
        return len(self.custodians)

    def index_of(self, organisation: bytes) -> int | None:
        """The share number (1..n) of an organisation, None when it is no custodian."""
        for index, custodian in enumerate(self.custodians, 1):
            if custodian.organisation == organisation:
                return index
        return None


def encode_organisation(descriptor: OrganisationDescriptor) -> bytes:
    """The block of an organisation's descriptor."""
    return cbor.encode(
        {
            "type": "organisation",
            "v": 1,
            "organisation": descriptor.organisation,
            "kind": descriptor.kind,
            "name": descriptor.name,
            "url": descriptor.url,
            "public": descriptor.public,
        }
    )


def decode_organisation(block: bytes, *, digest: bytes) -> OrganisationDescriptor:
    """Read a block whose digest the chain holds; `Tampered` when it has another digest."""
    _check(block, digest)
    value = cbor.decode(block)
    fields = cbor.Fields(value, kind="organisation", known=_ORGANISATION_FIELDS)
    texts = value if isinstance(value, dict) else {}
    url = cbor.as_text(texts.get("url"), "url")
    if urlsplit(url).scheme not in ("http", "https") or len(url) > 512:
        raise Invalid("An organisation's custody address is not an http(s) URL.")
    return OrganisationDescriptor(
        organisation=fields.fixed("organisation", 32),
        kind=fields.uint("kind", 255),
        name=cbor.as_text(texts.get("name"), "name")[:200],
        url=url,
        public=fields.fixed("public", PUBLIC_BYTES),
    )


def encode_vault(descriptor: VaultDescriptor) -> bytes:
    """The block of a vault's descriptor; `Invalid` unless 2 ≤ m ≤ n ≤ 64 and all are distinct."""
    _check_custodians(descriptor)
    return cbor.encode(
        {
            "type": "vault",
            "v": 1,
            "vault": descriptor.tag,
            "epoch": descriptor.epoch,
            "m": descriptor.m,
            "custodians": [[one.organisation, one.public] for one in descriptor.custodians],
        }
    )


def decode_vault(block: bytes, *, digest: bytes) -> VaultDescriptor:
    """Read a block whose digest the chain holds; `Tampered` when it has another digest."""
    _check(block, digest)
    fields = cbor.Fields(cbor.decode(block), kind="vault", known=_VAULT_FIELDS)
    custodians = []
    for item in fields.array("custodians", least=2, most=MAX_CUSTODIANS):
        organisation, public = cbor.as_array(item, "custodians", least=2, most=2)
        custodians.append(
            Custodian(
                cbor.as_fixed(organisation, 32, "custodians"),
                cbor.as_fixed(public, PUBLIC_BYTES, "custodians"),
            )
        )
    descriptor = VaultDescriptor(
        tag=fields.fixed("vault", 32),
        epoch=fields.uint("epoch", MAX_EPOCH),
        m=fields.uint("m", MAX_CUSTODIANS),
        custodians=tuple(custodians),
    )
    _check_custodians(descriptor)
    return descriptor


def _check(block: bytes, digest: bytes) -> None:
    if sha256(block) != digest:
        raise Tampered("A descriptor is not the one that the chain commits to.")


def _check_custodians(descriptor: VaultDescriptor) -> None:
    organisations = {one.organisation for one in descriptor.custodians}
    publics = {one.public for one in descriptor.custodians}
    if not 2 <= descriptor.m <= descriptor.n <= MAX_CUSTODIANS:
        raise Invalid("A vault needs 2 ≤ m ≤ n ≤ 64 custodians.")
    if len(organisations) != descriptor.n or len(publics) != descriptor.n:
        raise Invalid("A vault's custodians must be distinct organisations with distinct keys.")
