"""Small contracts and senders for the embedded ledger's own tests; no compiler needed."""

from __future__ import annotations

from simdes.crypto.keys import SigningKey
from simdes.ledger.embedded import EmbeddedLedger
from simdes.ledger.transactions import sign_transaction

START = 1_800_000_000.0


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def initcode(runtime: str) -> bytes:
    """Return code that deploys `runtime` (hex), at most 255 bytes."""
    size = len(runtime) // 2
    # PUSH1 size, DUP1, PUSH1 11, PUSH1 0, CODECOPY, PUSH1 0, RETURN
    return bytes.fromhex(f"60{size:02x}80600b6000396000f3" + runtime)


# Adds one to slot 0 and logs the new count as data: SLOAD(0)+1 -> SSTORE, MSTORE, LOG0.
COUNTER = initcode("600054600101806000556000526020 6000a000".replace(" ", ""))
# Writes its 32 bytes of call data into a slot of that number.
WRITER = initcode("600035805500")
# Refuses with its call data as reason.
REFUSER = initcode("366000600037366000fd")
# Returns the block's number and time.
TELLER = initcode("436000524260205260406000f3")


class Sender:
    """A key that signs its transactions in order."""

    def __init__(self, ledger: EmbeddedLedger, secret: int = 1) -> None:
        self.ledger = ledger
        self.key = SigningKey.from_bytes(secret.to_bytes(32, "big"))
        self.nonce = ledger.nonce(self.key.address)

    def sign(self, to: bytes | None, data: bytes = b"", *, gas: int = 500_000) -> bytes:
        """Sign the next transaction."""
        _, raw = sign_transaction(
            self.key,
            chain_id=self.ledger.chain_id(),
            nonce=self.nonce,
            gas=gas,
            to=to,
            data=data,
        )
        self.nonce += 1
        return raw

    def send(self, to: bytes | None, data: bytes = b"", *, gas: int = 500_000) -> bytes:
        """Sign and send; return the hash."""
        return self.ledger.send(self.sign(to, data, gas=gas))

    def deploy(self, code: bytes) -> bytes:
        """Deploy; return the address."""
        receipt = self.ledger.receipt(self.send(None, code))
        assert receipt is not None
        assert receipt.contract_address is not None
        return receipt.contract_address
