"""Which contracts make up a network, and what of them a custodian pins.

`Addresses` is what ``network.json`` holds and members hand to each other. `Pins` is what an
operator accepted: genesis, proxies, implementations and code. A custodian stops releasing as soon
as `check_pins` finds something else on its ledger, until the operator accepts the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from simdes.errors import Invalid, Tampered
from simdes.ledger.digests import keccak256
from simdes.ledger.ledger import Address, Ledger

# ERC-1967: keccak256("eip1967.proxy.implementation") - 1
IMPLEMENTATION_SLOT = int.from_bytes(keccak256(b"eip1967.proxy.implementation"), "big") - 1

CONTRACTS = (
    "accounts",
    "consents",
    "records",
    "audit_log",
    "statements",
    "prescriptions",
    "studies",
    "tags",
    "nullifiers",
    "dispense_verifier",
    "disclosure_verifier",
    "cohort_verifier",
    "claims",
    "claim_book",
    "claim_verifier",
    "settle_verifier",
    "free_verifier",
    "poseidon2",
    "poseidon3",
    "administrators",
    "timelock",
    "manager",
)
"""The members of `Addresses` that are contracts."""

NO_KEYS = bytes(32)
"""The pin of the proofs' keys where a network has none."""

PROXIES = (
    "accounts",
    "consents",
    "records",
    "statements",
    "prescriptions",
    "studies",
    "claims",
)
"""Those that can be upgraded, behind an ERC-1967 proxy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """A network's contracts. `first_block` is where their events begin.

    `keys` pins the keys of its proofs: the digest of their manifest (`proofs.keys.pin_of`).
    """

    chain_id: int
    genesis: bytes
    first_block: int
    accounts: Address
    consents: Address
    records: Address
    audit_log: Address
    statements: Address
    prescriptions: Address
    studies: Address
    tags: Address
    nullifiers: Address
    dispense_verifier: Address
    disclosure_verifier: Address
    cohort_verifier: Address
    claims: Address
    claim_book: Address
    claim_verifier: Address
    settle_verifier: Address
    free_verifier: Address
    poseidon2: Address
    poseidon3: Address
    administrators: Address
    timelock: Address
    manager: Address
    keys: bytes = NO_KEYS

    def to_dict(self) -> dict[str, Any]:
        """Return the form of ``network.json``: bytes as 0x-prefixed hex."""
        return {name: _written(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read the form of ``network.json``. Raises `Invalid` for anything malformed."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            if field.name == "keys" and "keys" not in document:
                continue  # founded before keys were pinned
            octets = {"genesis": 32, "keys": 32}.get(field.name, 0)
            octets = 20 if field.name in CONTRACTS else octets
            values[field.name] = _read(document, field.name, octets)
        return cls(**values)

    def watched(self) -> tuple[Address, ...]:
        """Return the contracts whose events a gateway follows."""
        return (
            self.accounts,
            self.consents,
            self.records,
            self.audit_log,
            self.statements,
            self.prescriptions,
            self.studies,
            self.claims,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """What an operator accepted of a network; names are those of `CONTRACTS`."""

    chain_id: int
    genesis: bytes
    addresses: Mapping[str, Address]
    implementations: Mapping[str, Address]
    code_hashes: Mapping[str, bytes]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON document: bytes as 0x-prefixed hex."""
        return {
            "chain_id": self.chain_id,
            "genesis": _written(self.genesis),
            "addresses": {name: _written(value) for name, value in self.addresses.items()},
            "implementations": {
                name: _written(value) for name, value in self.implementations.items()
            },
            "code_hashes": {name: _written(value) for name, value in self.code_hashes.items()},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote. Raises `Invalid` for anything malformed."""
        return cls(
            chain_id=_read(document, "chain_id", 0),
            genesis=_read(document, "genesis", 32),
            addresses=_read_map(document, "addresses", 20),
            implementations=_read_map(document, "implementations", 20),
            code_hashes=_read_map(document, "code_hashes", 32),
        )


def pins(ledger: Ledger, addresses: Addresses) -> Pins:
    """Read what stands on the ledger now, to be pinned or compared.

    `code_hashes` holds a proxy's own code under its name and its implementation's under
    ``<name>.implementation``.
    """
    genesis = ledger.block(0)
    where = {name: getattr(addresses, name) for name in CONTRACTS}
    slots = ledger.storages([(where[name], IMPLEMENTATION_SLOT) for name in PROXIES])
    implementations = {name: slot[-20:] for name, slot in zip(PROXIES, slots, strict=True)}
    coded = where | {f"{name}.implementation": one for name, one in implementations.items()}
    codes = ledger.codes(list(coded.values()))
    hashes = {name: keccak256(code) for name, code in zip(coded, codes, strict=True)}
    return Pins(
        chain_id=ledger.chain_id(),
        genesis=genesis.hash if genesis is not None else b"",
        addresses=where,
        implementations=implementations,
        code_hashes=hashes,
    )


def check_pins(ledger: Ledger, addresses: Addresses, accepted: Pins) -> None:
    """Compare the ledger with what the operator accepted.

    Raises `Tampered` naming what differs, `Unavailable` when the ledger doesn't answer.
    """
    found = pins(ledger, addresses)
    differing = [
        name for name in ("chain_id", "genesis") if getattr(found, name) != getattr(accepted, name)
    ]
    for part in ("addresses", "implementations", "code_hashes"):
        now, then = getattr(found, part), getattr(accepted, part)
        differing += [f"{part}.{n}" for n in sorted({*now, *then}) if now.get(n) != then.get(n)]
    if differing:
        raise Tampered(
            f"the network differs from what was accepted: {', '.join(differing)}",
            advice="Ask the network's owners what changed before accepting it.",
        )


def _written(value: Any) -> Any:
    return f"0x{value.hex()}" if isinstance(value, bytes) else value


def _read(document: Mapping[str, Any], name: str, octets: int) -> Any:
    """Read a number, or where `octets` is given, that many bytes."""
    value = document.get(name)
    try:
        if not octets and isinstance(value, int) and value >= 0:
            return value
        if octets and isinstance(value, str) and len(value) == 2 + 2 * octets:
            return bytes.fromhex(value.removeprefix("0x"))
    except ValueError:
        pass
    raise Invalid(f"the network description lacks a valid {name}")


def _read_map(document: Mapping[str, Any], name: str, octets: int) -> dict[str, bytes]:
    inner = document.get(name)
    if not isinstance(inner, Mapping):
        raise Invalid(f"the network description lacks a valid {name}")
    return {key: _read(inner, key, octets) for key in inner}
