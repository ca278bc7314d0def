"""The Ethereum virtual machine in this process: revm, through pyrevm.

Everything pyrevm does differently from a node is dealt with here (docs/decisions/0002), so that it
can be replaced: state is never finalised, so slots stay warm and gas is understated until `fold`;
nonces and balances are the caller's business (`embedded`); a refusal is the text of an exception.
Not safe for threads: `embedded` holds a lock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pyrevm

from simdes.errors import Unsupported
from simdes.ledger.digests import keccak256
from simdes.ledger.ledger import Address

SPECIFICATION = "CANCUN"
"""The newest rules that this revm and Besu both run; the contracts are compiled for it."""

_REVERTED = re.compile(r"Revert \{ gas_used: (\d+), output: 0x([0-9a-f]*) \}")
_HALTED = re.compile(r"Halt \{ reason: (.*), gas_used: (\d+) \}")
_ACCOUNT = re.compile(
    r"(0x[0-9a-f]{40}): Account \{ info: AccountInfo \{ balance: \d+, nonce: (\d+), "
    r"code_hash: 0x[0-9a-f]{64}, .*?storage: \{(.*?)\}, status: AccountStatus\((.*?)\) \}"
)
_SLOT = re.compile(
    r"(\d+): StorageSlot \{ previous_or_original_value: (\d+), present_value: (\d+) \}"
)
# pyrevm returns created code with the padding that revm's analysis appends.
_PADDING_OCTETS = 33

RawLog = tuple[bytes, tuple[bytes, ...], bytes]
"""Address, topics, data."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an execution did. `output` is the result, or the revert data where it failed.

    `halted` names the reason where the machine stopped it, such as ``OutOfGas(Basic)``.
    """

    succeeded: bool
    gas_used: int
    output: bytes
    logs: tuple[RawLog, ...] = ()
    created: Address | None = None
    halted: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """Accounts (address: nonce, code) and storage slots (address, key, value)."""

    accounts: dict[Address, tuple[int, bytes]]
    slots: list[tuple[Address, int, int]]


class Machine:
    """One chain's state, and the execution of transactions and calls on it."""

    def __init__(self, *, chain_id: int, gas_limit: int) -> None:
        environment = pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=chain_id))
        self._gas_limit = gas_limit
        self._evm = pyrevm.EVM(env=environment, gas_limit=gas_limit, spec_id=SPECIFICATION)
        self._origin = self._evm.snapshot()

    def at(self, *, number: int, timestamp: int) -> None:
        """Set the block in which what follows runs."""
        self._evm.set_block_env(
            pyrevm.BlockEnv(number=number, timestamp=timestamp, gas_limit=self._gas_limit)
        )

    def transact(
        self, *, sender: Address, nonce: int, to: Address | None, data: bytes, gas: int
    ) -> Outcome:
        """Run a transaction and keep its effects."""
        self._evm.reset_transient_storage()
        if to is None:
            self._set_nonce(sender, nonce)
        return self._run(sender, to, data, gas)

    def call(
        self, *, sender: Address, nonce: int, to: Address | None, data: bytes, gas: int
    ) -> Outcome:
        """Run a call and take all its effects back, warm slots included."""
        if to is None:
            self._set_nonce(sender, nonce)
        self._evm.reset_transient_storage()
        before = self._evm.snapshot()
        try:
            return self._run(sender, to, data, gas)
        finally:
            self._evm.revert(before)

    def code(self, address: Address) -> bytes:
        """Return the contract's code, empty for a plain account."""
        before = self._evm.snapshot()
        try:
            padded = bytes(self._evm.get_code(_text(address)) or b"")
            digest = self._evm.basic(_text(address)).code_hash
        finally:
            self._evm.revert(before)
        return padded if keccak256(padded) == digest else padded[:-_PADDING_OCTETS]

    def storage(self, address: Address, slot: int) -> int:
        """Return the value of a storage slot."""
        before = self._evm.snapshot()
        try:
            return int(self._evm.storage(_text(address), slot))
        finally:
            self._evm.revert(before)

    def fold(self) -> State:
        """Settle what transactions changed since the last fold, and return it.

        Bounds the memory of revm's undo journal, and makes every slot cold again. The changes are
        read from the text form of the journal, the only way out that pyrevm offers, everything is
        undone, and the new values are laid down as the settled state.
        """
        changed = self._changes()
        self._evm.revert(self._origin)
        self.load(changed)
        return changed

    def load(self, state: State) -> None:
        """Lay down accounts and slots as settled state."""
        evm = self._evm
        evm.revert(self._origin) if self._origin in evm.checkpoint_ids else None
        for address, (nonce, code) in state.accounts.items():
            info = pyrevm.AccountInfo(nonce=nonce, code=code) if code else None
            evm.insert_account_info(_text(address), info or pyrevm.AccountInfo(nonce=nonce))
        self._load_slots(state.slots)
        self._origin = evm.snapshot()

    def _set_nonce(self, sender: Address, nonce: int) -> None:
        """Tell revm the nonce from which a new contract's address follows.

        It comes with the whole account, so a contract's code would be erased, for good and also by
        a mere call: contracts are left alone (no transaction comes from one, EIP-3607).
        """
        if self.code(sender):
            return
        self._evm.insert_account_info(_text(sender), pyrevm.AccountInfo(nonce=nonce))

    def _load_slots(self, slots: Iterable[tuple[Address, int, int]]) -> None:
        # A slot of an account not yet loaded goes to the settled state, but loads the account;
        # taking that back keeps it out of the undo journal for the next slot.
        snapshot, insert, revert = (
            self._evm.snapshot,
            self._evm.insert_account_storage,
            self._evm.revert,
        )
        last, text = b"", ""
        for address, key, value in slots:
            if address != last:
                last, text = address, _text(address)
            before = snapshot()
            insert(text, key, value)
            revert(before)

    def _changes(self) -> State:
        text = self._evm.journal_str
        end = text.index("}, transient_storage: {")
        accounts: dict[Address, tuple[int, bytes]] = {}
        slots: list[tuple[Address, int, int]] = []
        for match in _ACCOUNT.finditer(text, 0, end + 1):
            written, nonce, storage, status = match.groups()
            if "SelfDestructed" in status:
                raise Unsupported(
                    "a contract destroyed itself; the embedded ledger can't keep that"
                )
            address = bytes.fromhex(written[2:])
            for key, before, now in _SLOT.findall(storage):
                if before != now:
                    slots.append((address, int(key), int(now)))
            if "Touched" in status or "Created" in status:
                code = self.code(address)
                if code or nonce != "0":
                    accounts[address] = (int(nonce), code)
        return State(accounts, slots)

    def _run(self, sender: Address, to: Address | None, data: bytes, gas: int) -> Outcome:
        evm = self._evm
        try:
            if to is None:
                created = bytes.fromhex(evm.deploy(_text(sender), data, gas=gas)[2:])
                output = b""
            else:
                created = None
                output = evm.message_call(_text(sender), _text(to), data, gas=gas)
        except RuntimeError as error:
            return _failure(str(error), gas)
        result = evm.result
        assert result is not None  # noqa: S101 (it ran)
        logs = tuple((bytes.fromhex(log.address[2:]), *_log_data(log)) for log in result.logs)
        return Outcome(True, result.gas_used, output, logs, created)


def _log_data(log: pyrevm.Log) -> tuple[tuple[bytes, ...], bytes]:
    topics, data = log.data
    return tuple(topics), data


def _failure(text: str, gas: int) -> Outcome:
    reverted = _REVERTED.fullmatch(text)
    if reverted:
        return Outcome(False, int(reverted[1]), bytes.fromhex(reverted[2]))
    halted = _HALTED.fullmatch(text)
    if halted:
        return Outcome(False, int(halted[2]), b"", halted=halted[1])
    # Refused before it ran (its gas doesn't cover the data, say).
    return Outcome(False, gas, b"", halted="the transaction is not fit to run")


def _text(address: Address) -> str:
    return f"0x{address.hex()}"
