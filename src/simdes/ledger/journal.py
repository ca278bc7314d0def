"""The embedded ledger's memory: signed transactions and block headers in one SQLite file.

The journal is the truth; the state of the virtual machine follows from it. A block is durable once
`append` returns (WAL, synchronous FULL). Beside the journal lies the settled state of some block,
so that a start replays only what came after it; it can be thrown away at any time.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from simdes.errors import Invalid, Unavailable, Unsupported
from simdes.ledger import rlp
from simdes.ledger.digests import keccak256
from simdes.ledger.ledger import Address, Block, Log, Receipt
from simdes.ledger.machine import RawLog, State

FORMAT = 1
POSITION_BITS = 16
"""A transaction's key is its block's number shifted by this, plus its position in the block."""

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS block (
    number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, parent BLOB NOT NULL,
    timestamp INTEGER NOT NULL, gas_used INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS ledger_transaction (
    id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, sender BLOB NOT NULL,
    nonce INTEGER NOT NULL, succeeded INTEGER NOT NULL, gas_used INTEGER NOT NULL,
    first_log INTEGER NOT NULL, contract BLOB, revert BLOB NOT NULL, logs BLOB NOT NULL,
    raw BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS state_account (
    address BLOB PRIMARY KEY, nonce INTEGER NOT NULL, code BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state_slot (
    address BLOB NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (address, key)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state_nonce (
    address BLOB PRIMARY KEY, nonce INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""
_COLUMNS = "id, hash, sender, nonce, succeeded, gas_used, first_log, contract, revert, logs, raw"


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction as it stands in a block. `revert` is empty unless it failed."""

    block_number: int
    position: int
    hash: bytes
    sender: Address
    nonce: int
    succeeded: bool
    gas_used: int
    first_log: int
    contract: Address | None
    revert: bytes
    logs: tuple[RawLog, ...]
    raw: bytes

    def receipt(self, block_hash: bytes) -> Receipt:
        """Return the receipt that callers see."""
        return Receipt(
            transaction_hash=self.hash,
            succeeded=self.succeeded,
            block_number=self.block_number,
            block_hash=block_hash,
            gas_used=self.gas_used,
            logs=tuple(self.chain_logs(block_hash)),
            contract_address=self.contract,
            revert=self.revert,
        )

    def chain_logs(self, block_hash: bytes) -> Iterator[Log]:
        """Yield this transaction's events with their place on the chain."""
        for offset, (address, topics, data) in enumerate(self.logs):
            yield Log(
                address=address,
                topics=topics,
                data=data,
                block_number=self.block_number,
                block_hash=block_hash,
                transaction_hash=self.hash,
                index=self.first_log + offset,
            )


@dataclass(frozen=True, slots=True)
class Header:
    """A block with the gas it used."""

    block: Block
    gas_used: int


def seal_header(
    *, number: int, parent: bytes, timestamp: int, gas_used: int, entries: Sequence[Entry]
) -> Header:
    """Make a header whose hash binds its parent, its transactions and what they did."""
    done = [
        [
            entry.hash,
            rlp.encode_int(entry.succeeded),
            rlp.encode_int(entry.gas_used),
            keccak256(_pack(entry.logs)),
            keccak256(entry.revert),
        ]
        for entry in entries
    ]
    numbers = [rlp.encode_int(value) for value in (number, timestamp, gas_used)]
    digest = keccak256(rlp.encode([b"simdes/block/v1", parent, *numbers, done]))
    return Header(Block(number, digest, parent, timestamp), gas_used)


def genesis(chain_id: int) -> Header:
    """Return block 0, which follows from the chain id alone, so that it can be pinned."""
    digest = keccak256(rlp.encode([b"simdes/genesis/v1", rlp.encode_int(chain_id)]))
    return Header(Block(0, digest, bytes(32), 0), 0)


class Journal:
    """One chain's file. Appending is the embedded ledger's alone; reading is safe from threads."""

    def __init__(self, path: Path | None, *, chain_id: int | None, default_chain_id: int) -> None:
        """Open or create the file; `path` None keeps it in memory.

        Raises `Invalid` when the file belongs to another chain id, `Unsupported` when a newer
        release wrote it, `Unavailable` when it can't be opened.
        """
        # One lock where reader and writer are one connection, so that reads see no half a block.
        self._reading = threading.RLock()
        self._writing = self._reading if path is None else threading.RLock()
        where = str(path) if path is not None else ":memory:"
        try:
            self._writer = _connect(where)
            self._writer.executescript(_TABLES)
            self.chain_id = self._identify(chain_id, default_chain_id)
            self._reader = self._writer if path is None else _connect(where)
        except sqlite3.DatabaseError as error:
            raise Unavailable(
                f"the ledger's journal can't be opened: {error}",
                advice="Check the disk, and that the path is a SIMDES journal.",
            ) from None

    def _identify(self, chain_id: int | None, default_chain_id: int) -> int:
        known: dict[str, int] = dict(
            self._writer.execute("SELECT name, value FROM meta").fetchall()
        )
        if not known:
            known = {"format": FORMAT, "chain_id": chain_id or default_chain_id}
            first = genesis(known["chain_id"]).block
            with self._written():
                self._writer.executemany("INSERT INTO meta VALUES (?, ?)", known.items())
                self._writer.execute(
                    "INSERT INTO block VALUES (0, ?, ?, 0, 0)", (first.hash, first.parent)
                )
        if known["format"] != FORMAT:
            raise Unsupported("the journal was written by another release of SIMDES")
        if chain_id is not None and known["chain_id"] != chain_id:
            raise Invalid(
                f"the journal holds chain {known['chain_id']}, not {chain_id}",
                advice="Use the journal's chain id, or another path.",
            )
        return known["chain_id"]

    def close(self) -> None:
        """Close the file."""
        with self._reading, self._writing:
            self._reader.close()
            self._writer.close()

    # --- writing ---------------------------------------------------------------------------

    def append(self, headers: Sequence[tuple[Header, Sequence[Entry]]]) -> None:
        """Add blocks with their transactions in one durable step."""
        blocks = [
            (head.block.number, head.block.hash, head.block.parent, head.block.timestamp, gas)
            for head, gas in ((head, head.gas_used) for head, _ in headers)
        ]
        rows = [_row(entry) for _, entries in headers for entry in entries]
        with self._written():
            self._writer.executemany("INSERT INTO block VALUES (?, ?, ?, ?, ?)", blocks)
            self._writer.executemany(
                f"INSERT INTO ledger_transaction ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
                rows,
            )

    def keep_state(self, number: int, state: State, nonces: Iterable[tuple[Address, int]]) -> None:
        """Add what changed since the kept state, which is then that after block `number`."""
        with self._written():
            write = self._writer
            write.executemany(
                "INSERT OR REPLACE INTO state_account VALUES (?, ?, ?)",
                [(address, *account) for address, account in state.accounts.items()],
            )
            write.executemany(
                "INSERT OR REPLACE INTO state_slot VALUES (?, ?, ?)",
                [(a, key.to_bytes(32, "big"), rlp.encode_int(v)) for a, key, v in state.slots],
            )
            write.executemany("INSERT OR REPLACE INTO state_nonce VALUES (?, ?)", nonces)
            write.execute("INSERT OR REPLACE INTO meta VALUES ('state_block', ?)", (number,))

    def drop_state(self) -> None:
        """Forget the kept state, so that the next start replays everything."""
        with self._written():
            for table in ("state_account", "state_slot", "state_nonce"):
                self._writer.execute(f"DELETE FROM {table}")  # noqa: S608 (names above)
            self._writer.execute("DELETE FROM meta WHERE name = 'state_block'")

    def kept_state(self) -> tuple[int, State, dict[Address, int]]:
        """Return the block of the kept state (0: none), the state, and every sender's nonce."""
        kept = self._rows("SELECT value FROM meta WHERE name = 'state_block'")
        accounts = {
            address: (nonce, code)
            for address, nonce, code in self._rows("SELECT * FROM state_account")
        }
        slots = [
            (address, int.from_bytes(key, "big"), int.from_bytes(value, "big"))
            for address, key, value in self._rows("SELECT * FROM state_slot")
        ]
        nonces = dict(self._rows("SELECT * FROM state_nonce"))
        return (kept[0][0] if kept else 0), State(accounts, slots), nonces

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Run one durable step. Raises `Unavailable` when the file takes no more."""
        with self._writing:
            try:
                with self._writer:
                    self._writer.execute("BEGIN IMMEDIATE")
                    yield
            except sqlite3.Error as error:
                raise Unavailable(
                    f"the ledger's journal can't be written: {error}",
                    advice="Check the disk's free space.",
                ) from None

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._reading:
            try:
                return self._reader.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise Unavailable(f"the ledger's journal can't be read: {error}") from None

    # --- reading ---------------------------------------------------------------------------

    def header(self, number: int | None = None) -> Header | None:
        """Return a block's header; the newest when `number` is None."""
        if number is None:
            return self._header("ORDER BY number DESC LIMIT 1")
        return self._header("WHERE number = ?", number)

    def header_by_hash(self, block_hash: bytes) -> Header | None:
        """Return the header with this hash."""
        return self._header("WHERE hash = ?", block_hash)

    def headers_after(self, number: int) -> Iterator[Header]:
        """Yield the headers of later blocks in order; for the start, before others read."""
        query = "SELECT * FROM block WHERE number > ? ORDER BY number"
        for row in self._reader.execute(query, (number,)):
            yield _header(row)

    def entries_after(self, number: int) -> Iterator[Entry]:
        """Yield the transactions of later blocks in order; for the start, before others read."""
        query = f"SELECT {_COLUMNS} FROM ledger_transaction WHERE id >= ? ORDER BY id"  # noqa: S608
        for row in self._reader.execute(query, ((number + 1) << POSITION_BITS,)):
            yield _entry(row)

    def entry(self, transaction_hash: bytes) -> Entry | None:
        """Return the transaction with this hash."""
        rows = self._entries("WHERE hash = ?", transaction_hash)
        return rows[0] if rows else None

    def entries(self, first: int, last: int) -> list[Entry]:
        """Return the transactions of blocks `first`..`last` in order."""
        span = (first << POSITION_BITS, (last + 1) << POSITION_BITS)
        return self._entries("WHERE id >= ? AND id < ? ORDER BY id", *span)

    def hashes(self, first: int, last: int) -> dict[int, bytes]:
        """Return the hashes of blocks `first`..`last`."""
        query = "SELECT number, hash FROM block WHERE number BETWEEN ? AND ?"
        return dict(self._rows(query, first, last))

    def _header(self, condition: str, *values: object) -> Header | None:
        rows = self._rows(f"SELECT * FROM block {condition}", *values)  # noqa: S608
        return _header(rows[0]) if rows else None

    def _entries(self, condition: str, *values: object) -> list[Entry]:
        query = f"SELECT {_COLUMNS} FROM ledger_transaction {condition}"  # noqa: S608
        return [_entry(row) for row in self._rows(query, *values)]


def _connect(where: str) -> sqlite3.Connection:
    connection = sqlite3.connect(where, check_same_thread=False, isolation_level=None, timeout=10)
    for setting in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4000"):
        connection.execute(f"PRAGMA {setting}")
    return connection


def _header(row: tuple[int, bytes, bytes, int, int]) -> Header:
    number, block_hash, parent, timestamp, gas_used = row
    return Header(Block(number, block_hash, parent, timestamp), gas_used)


def _row(entry: Entry) -> tuple[object, ...]:
    return (
        entry.block_number << POSITION_BITS | entry.position,
        entry.hash,
        entry.sender,
        entry.nonce,
        int(entry.succeeded),
        entry.gas_used,
        entry.first_log,
        entry.contract,
        entry.revert,
        _pack(entry.logs),
        entry.raw,
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    key, tx_hash, sender, nonce, succeeded, gas_used, first_log, contract, revert, logs, raw = row
    return Entry(
        block_number=key >> POSITION_BITS,
        position=key & ((1 << POSITION_BITS) - 1),
        hash=tx_hash,
        sender=sender,
        nonce=nonce,
        succeeded=bool(succeeded),
        gas_used=gas_used,
        first_log=first_log,
        contract=contract,
        revert=revert,
        logs=_unpack(logs),
        raw=raw,
    )


def _pack(logs: tuple[RawLog, ...]) -> bytes:
    return msgspec.msgpack.encode(logs) if logs else b""


def _unpack(data: bytes) -> tuple[RawLog, ...]:
    return _LOGS.decode(data) if data else ()


_LOGS = msgspec.msgpack.Decoder(tuple[tuple[bytes, tuple[bytes, ...], bytes], ...])
