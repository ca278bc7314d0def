"""The Probe contract as tests call it, and transactions signed by an independent library."""

from __future__ import annotations

from typing import Any

from adapters.ethereum import Account as EthAccount
from adapters.ledgers import random_key
from simdes.crypto.keys import SigningKey
from simdes.ledger.abi import Artifact
from simdes.ledger.lane import Call, Lane, MemoryTransactionStore
from simdes.ledger.ledger import Address, Ledger

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Probe:
    def __init__(self, address: Address, code: Artifact) -> None:
        self.address = address
        self.code = code

    def call(self, verb: str, *arguments: object, gas: int | None = None) -> Call:
        return Call(self.address, self.code.call_data(verb, *arguments), f"Probe.{verb}", gas)

    def ask(self, ledger: Ledger, verb: str, *arguments: object, **options: Any) -> Any:
        data = self.code.call_data(verb, *arguments)
        return self.code.results(verb, ledger.call(self.address, data, **options))


def fresh_lane(ledger: Ledger, store: MemoryTransactionStore | None = None) -> Lane:
    return Lane(ledger, random_key(), store or MemoryTransactionStore())


def signed(ledger: Ledger, key: SigningKey, **changes: Any) -> bytes:
    """Sign with eth-account, an implementation that is not ours."""
    fields = {
        "chainId": ledger.chain_id(),
        "nonce": 0,
        "gas": 100_000,
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
        "to": key.address,
        "value": 0,
        "data": b"",
        **changes,
    }
    fields = {name: value for name, value in fields.items() if value is not None}
    return bytes(EthAccount.sign_transaction(fields, key.to_bytes()).raw_transaction)


LEGACY = {"maxFeePerGas": None, "maxPriorityFeePerGas": None, "gasPrice": 0}
ACCESS_LIST = {**LEGACY, "type": 1, "accessList": []}
