"""The opening of a claim: what its payer needs to know what the ledger's commitment is about.

docs/formats/claims.md, "Opening". It goes with the sealed record, never on the ledger.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from simdes.errors import Invalid, Tampered
from simdes.proofs.claims import MOST_AMOUNT, Amount, claimed_amount, currency_element, salt_of
from simdes.proofs.facts import element_of_code
from simdes.proofs.openings import Bytes32, number, read

MOST_LINES: Final = 2_000
_MOST_BYTES: Final = 65_536

Minor = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class ClaimOpening(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A claim opened. Elements are 32 bytes, big-endian; ``lines`` are minor units in order.

    ``chain`` and ``contract`` say where it stands, ``system`` and ``value`` are the encounter's
    business identifier, ``voice`` is the patient's secret, empty in a payer's copy.
    """

    v: int = 1
    chain: int
    contract: Annotated[bytes, msgspec.Meta(min_length=20, max_length=20)]
    provider: Bytes32
    payer: Bytes32
    tag: Bytes32
    claim: Bytes32
    system: str
    value: str
    version: int
    currency: str
    lines: Annotated[tuple[Minor, ...], msgspec.Meta(min_length=1, max_length=MOST_LINES)]
    nonce: Bytes32
    essence: Bytes32
    voice: bytes = b""

    @property
    def claimed(self) -> Amount:
        """What is claimed. Raises Invalid for what no claim can be."""
        if sum(self.lines) > MOST_AMOUNT:
            raise Invalid("a claim's amount has 64 bits at most")
        return claimed_amount(
            number(self.claim),
            self.lines,
            encounter=element_of_code(self.system, self.value),
            version=self.version,
            currency=currency_element(self.currency),
            salt=salt_of("claim", self.nonce, self.essence),
        )

    def require_claimed(self, commitment: int) -> None:
        """Raise Tampered unless this is what the ledger has as claimed."""
        if self.claimed.commitment != commitment:
            raise Tampered("The claim is not the one that stands on the ledger.")


def encode(opening: ClaimOpening) -> bytes:
    """The bytes of an opening (MessagePack)."""
    return msgspec.msgpack.encode(opening)


def decode(content: bytes) -> ClaimOpening:
    """Read an opening. Raises Invalid for anything else, or another version."""
    return read(content, ClaimOpening, most_bytes=_MOST_BYTES, of="a claim")
