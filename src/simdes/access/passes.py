"""Reading passes: what a patient's own wallet signs once, so that their gateway may read for them.

A wallet signs each thing that it is shown; custodians want every question signed. So the wallet
signs one pass as EIP-712 typed data (https://eips.ethereum.org/EIPS/eip-712): until then, this
account reads its own record with that fresh key, which a gateway made and keeps. A pass decides
nothing: it is good for a closed table of questions, of the vaults that the account controls, and is
worth nothing once the account has another key or may not act (docs/formats/custody-release.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from simdes.access.categories import Purpose
from simdes.crypto.keys import SigningKey, recover
from simdes.errors import Tampered, Unauthenticated
from simdes.ledger.contracts import Contracts
from simdes.ledger.typed_data import TypedData

MAX_SECONDS: Final = 12 * 3_600
"""The longest that a pass may still be good for when it is shown."""
SKEW_SECONDS: Final = 5
NOT_BY_PASS: Final = "NOT_BY_PASS"  # noqa: S105 (the name of a reason)
_SIZE: Final = 32 + 32 + 32 + 20 + 8 + 65


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Until then ``account`` of ``organisation`` reads with ``key``, says its wallet."""

    account: bytes
    organisation: bytes
    key: bytes
    until_seconds: int
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Carried:
    """A pass with the key that it names, and the wallet's address that signed it: what a gateway
    keeps of it under the secret of a session."""

    key: SigningKey = field(repr=False)
    signed: Pass
    wallet: bytes

    def to_bytes(self) -> bytes:
        """To be wrapped; the organisation is the gateway's own, too."""
        one = self.signed
        until = one.until_seconds.to_bytes(8, "big")
        parts = (self.key.to_bytes(), one.account, one.organisation, self.wallet, until)
        return b"".join((*parts, one.signature))

    @classmethod
    def from_bytes(cls, data: bytes) -> Carried:
        """What `to_bytes` wrote."""
        if len(data) != _SIZE:
            raise Tampered("That is no kept pass.")
        key = SigningKey.from_bytes(data[:32])
        signed = Pass(
            account=data[32:64],
            organisation=data[64:96],
            key=key.address,
            until_seconds=int.from_bytes(data[116:124], "big"),
            signature=data[124:],
        )
        return cls(key, signed, data[96:116])


def typed_data(contracts: Contracts, one: Pass) -> TypedData:
    """What the wallet signs."""
    return contracts.accounts.read_pass_data(
        account=one.account, organisation=one.organisation, key=one.key, until=one.until_seconds
    )


def signer(contracts: Contracts, one: Pass, *, now_seconds: int) -> bytes:
    """The address that signed a pass, as far as it can be judged without the account.

    Raises Unauthenticated where it is over, is good for longer than twelve hours from now, or is
    not signed for this chain and these contracts (then the address is somebody else's, or none).
    """
    if now_seconds >= one.until_seconds:
        raise Unauthenticated("The reading pass is over.", advice="Sign in with the wallet again.")
    if one.until_seconds > now_seconds + MAX_SECONDS + SKEW_SECONDS:
        raise Unauthenticated("The reading pass is good for longer than twelve hours.")
    try:
        return recover(typed_data(contracts, one).digest, one.signature)
    except Tampered as error:
        raise Unauthenticated("The reading pass is not signed.") from error


def _of_own_vault(body: Any) -> bool:
    return body.basis.purpose == Purpose.PATRQT and body.basis.handle is None


QUESTIONS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "manifests": _of_own_vault,
    "capsules": _of_own_vault,
    "release": _of_own_vault,
    "log": lambda _: True,
    "appoint": lambda _: True,
}
"""The verbs that a pass is good for, each with what its body must say: that the account asks as
the one who controls the vault. What others let the account read takes the account's own key.
`appoint` tells a guardian of a seat in a set that the wallet itself signed for the chain."""


def opens(method: str, body: Any) -> bool:
    """Whether a question may be asked with a pass at all."""
    return method in QUESTIONS and QUESTIONS[method](body)


def vault_named(body: Any) -> str:
    """The vault (0x…) that a question is about, "" where it names none, or several."""
    return str(getattr(getattr(body, "basis", body), "vault", ""))
