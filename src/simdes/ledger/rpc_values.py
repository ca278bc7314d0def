"""How blocks, transactions, receipts and errors look in JSON-RPC.

Field by field after https://ethereum.github.io/execution-apis/. Roots of tries and the like, which
this ledger does not have, are zero; the bloom filter is computed, so that clients may rely on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from simdes.ledger.chain import BLOCK_GAS_LIMIT
from simdes.ledger.digests import keccak256
from simdes.ledger.journal import Entry, Header
from simdes.ledger.ledger import Log
from simdes.ledger.quantities import to_hex, to_quantity
from simdes.ledger.transactions import Transaction, read_transaction

_ZERO32 = "0x" + "00" * 32
_ZERO20 = "0x" + "00" * 20
_EMPTY_UNCLES = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"
_BLOOM_BITS = 2048


def bloom(parts: Iterable[bytes]) -> bytes:
    """Return the 256-byte filter over addresses and topics (Yellow Paper, 4.3.1)."""
    filled = 0
    for part in parts:
        digest = keccak256(part)
        for start in (0, 2, 4):
            filled |= 1 << (int.from_bytes(digest[start : start + 2], "big") % _BLOOM_BITS)
    return filled.to_bytes(_BLOOM_BITS // 8, "big")


def _entry_bloom(entries: Sequence[Entry]) -> str:
    parts = [p for e in entries for address, topics, _ in e.logs for p in (address, *topics)]
    return to_hex(bloom(parts))


def block_value(header: Header, entries: Sequence[Entry], *, full: bool) -> dict[str, Any]:
    """Return a block, with its transactions' hashes or, `full`, the transactions."""
    block = header.block
    transactions: list[Any] = [to_hex(entry.hash) for entry in entries]
    if full:
        transactions = [transaction_value(entry, block.hash) for entry in entries]
    return {
        "number": to_quantity(block.number),
        "hash": to_hex(block.hash),
        "parentHash": to_hex(block.parent),
        "timestamp": to_quantity(block.timestamp),
        "gasLimit": to_quantity(BLOCK_GAS_LIMIT),
        "gasUsed": to_quantity(header.gas_used),
        "baseFeePerGas": "0x0",
        "transactions": transactions,
        "logsBloom": _entry_bloom(entries),
        "size": to_quantity(sum(len(entry.raw) for entry in entries)),
        "miner": _ZERO20,
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "extraData": "0x",
        "nonce": "0x0000000000000000",
        "mixHash": _ZERO32,
        "sha3Uncles": _EMPTY_UNCLES,
        "uncles": [],
        "stateRoot": _ZERO32,
        "transactionsRoot": _ZERO32,
        "receiptsRoot": _ZERO32,
    }


def transaction_value(entry: Entry, block_hash: bytes) -> dict[str, Any]:
    """Return a transaction that stands in a block."""
    transaction = read_transaction(entry.raw)
    value: dict[str, Any] = {
        "hash": to_hex(entry.hash),
        "blockHash": to_hex(block_hash),
        "blockNumber": to_quantity(entry.block_number),
        "transactionIndex": to_quantity(entry.position),
        "type": to_quantity(transaction.kind),
        "chainId": to_quantity(transaction.chain_id),
        "nonce": to_quantity(transaction.nonce),
        "from": to_hex(transaction.sender),
        "to": None if transaction.to is None else to_hex(transaction.to),
        "value": to_quantity(transaction.value_wei),
        "gas": to_quantity(transaction.gas),
        "gasPrice": to_quantity(transaction.max_fee_wei),
        "input": to_hex(transaction.data),
        "v": to_quantity(_v(transaction)),
        "r": to_quantity(transaction.r),
        "s": to_quantity(transaction.s),
    }
    if transaction.kind:
        value["yParity"] = to_quantity(transaction.parity)
        value["accessList"] = [
            {"address": to_hex(address), "storageKeys": [f"0x{key:064x}" for key in keys]}
            for address, keys in transaction.access_list
        ]
    if transaction.kind == 2:
        value["maxFeePerGas"] = to_quantity(transaction.max_fee_wei)
        value["maxPriorityFeePerGas"] = to_quantity(transaction.priority_fee_wei)
    return value


def receipt_value(entry: Entry, block_hash: bytes, *, gas_before: int) -> dict[str, Any]:
    """Return a receipt; `gas_before` is what earlier transactions of the block used."""
    transaction = read_transaction(entry.raw)
    value: dict[str, Any] = {
        "transactionHash": to_hex(entry.hash),
        "transactionIndex": to_quantity(entry.position),
        "blockHash": to_hex(block_hash),
        "blockNumber": to_quantity(entry.block_number),
        "from": to_hex(entry.sender),
        "to": None if transaction.to is None else to_hex(transaction.to),
        "type": to_quantity(transaction.kind),
        "status": to_quantity(int(entry.succeeded)),
        "gasUsed": to_quantity(entry.gas_used),
        "cumulativeGasUsed": to_quantity(gas_before + entry.gas_used),
        "effectiveGasPrice": "0x0",
        "contractAddress": None if entry.contract is None else to_hex(entry.contract),
        "logs": [log_value(log, position=entry.position) for log in entry.chain_logs(block_hash)],
        "logsBloom": _entry_bloom([entry]),
    }
    if entry.revert:
        value["revertReason"] = to_hex(entry.revert)
    return value


def log_value(log: Log, *, position: int) -> dict[str, Any]:
    """Return an event; `position` is its transaction's in the block."""
    return {
        "address": to_hex(log.address),
        "topics": [to_hex(topic) for topic in log.topics],
        "data": to_hex(log.data),
        "blockNumber": to_quantity(log.block_number),
        "blockHash": to_hex(log.block_hash),
        "transactionHash": to_hex(log.transaction_hash),
        "transactionIndex": to_quantity(position),
        "logIndex": to_quantity(log.index),
        "removed": False,
    }


def _v(transaction: Transaction) -> int:
    if transaction.kind:
        return transaction.parity
    return 35 + 2 * transaction.chain_id + transaction.parity
