"""The statements behind an insurance claim: within the encounter's cost, paid within the claim.

docs/formats/claims.md; circuits ``claim``, ``settle`` and ``free``; paper Fig. 5. Amounts are whole
minor units of one currency. Each function named after a circuit gives all of its inputs by the
names that it gives them; `public` of it are those that the verifier sees, in its order.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simdes.errors import Conflict, Invalid
from simdes.proofs.poseidon import FIELD, poseidon
from simdes.proofs.trees import Place

LINES: Final = 30
MOST_AMOUNT: Final = 2**64 - 1
MOST_VERSION: Final = 2**32 - 1
PUBLIC: Final[Mapping[str, tuple[str, ...]]] = {
    "claim": ("root", "context", "holder", "tag", "claim", "before", "after", "claimed"),
    "settle": ("claim", "upper", "lower", "whole"),
    "free": ("tag", "claim", "before", "after", "counted", "kept"),
}
"""Public inputs by circuit, in the verifier's order."""
_LEAF, _HOLDER, _TAG, _AMOUNT, _TOTAL, _LINES, _BLIND = 6, 7, 8, 9, 10, 11, 12
_SLOT_BITS, _PACKED, _FIRST = 64, 3, 5
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


def currency_element(code: str) -> int:
    """What stands for a currency: the bytes of its three letters (ISO 4217). Raises Invalid."""
    if not _CURRENCY.fullmatch(code):
        raise Invalid("a currency is three capital letters (ISO 4217)")
    return int.from_bytes(code.encode(), "big")


def holder_of(secret: int) -> int:
    """What an organisation enrols: who knows its secret claims for its encounters."""
    return poseidon(_HOLDER, secret)


def salt_of(what: str, nonce: bytes, essence: bytes) -> int:
    """The salt of an ``encounter`` or a ``claim`` that commits to its document: 248 bits."""
    if what not in ("encounter", "claim") or (len(nonce), len(essence)) != (32, 32):
        raise Invalid("a salt is of an encounter or a claim, from 32 bytes twice")
    digest = hashlib.sha256(f"simdes/{what}-salt/v1".encode() + b"\0" + nonce + essence).digest()
    return int.from_bytes(digest, "big") >> 8


def total_salt(secret: int, *, claim: int, step: int) -> int:
    """The salt of a total after a claim's opening (step 0) or freeing (1, 2, 3)."""
    words = b"".join(one.to_bytes(32, "big") for one in (secret, claim, step))
    return int.from_bytes(hashlib.sha256(b"simdes/total-salt/v1\0" + words).digest(), "big") >> 8


def slots(lines: Sequence[int]) -> tuple[int, ...]:
    """The 30 slots of a claim's lines, however many they are. Raises Invalid."""
    if not lines or not all(0 <= one <= MOST_AMOUNT for one in lines):
        raise Invalid("a claim has lines, each of no amount below zero or beyond 64 bits")
    found = tuple(sum(lines[at::LINES]) for at in range(LINES))
    if sum(found) > MOST_AMOUNT:
        raise Invalid("a claim's amount has 64 bits at most")
    return found


def lines_digest(lines: Sequence[int]) -> int:
    """What stands for a claim's lines."""
    found = slots(lines)
    packed = [
        sum(one << _SLOT_BITS * i for i, one in enumerate(found[at : at + _PACKED]))
        for at in range(0, LINES, _PACKED)
    ]
    return poseidon(poseidon(_LINES, *packed[:_FIRST]), *packed[_FIRST:])


def _require_elements(*values: int) -> None:
    if not all(0 <= one < FIELD for one in values):
        raise Invalid("a number is no element of the field")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encounter:
    """A stated cost. `encounter` is the element of its business identifier (`facts`), `secret` the
    organisation's; `version` counts from 1.
    """

    secret: int
    encounter: int
    cost: int
    currency: int
    version: int
    salt: int

    def __post_init__(self) -> None:
        """Refuse what the circuit could never prove anything about. Raises Invalid."""
        _require_elements(self.secret, self.encounter, self.currency, self.salt)
        if not (0 <= self.cost <= MOST_AMOUNT and 1 <= self.version <= MOST_VERSION):
            raise Invalid("the encounter's cost or version is outside what can be proved")

    @property
    def holder(self) -> int:
        """Whose it is."""
        return holder_of(self.secret)

    @property
    def leaf(self) -> int:
        """Its commitment, to be issued in a batch."""
        terms = poseidon(self.encounter, self.cost, self.currency, self.version)
        return poseidon(_LEAF, self.holder, self.salt, terms)

    def tag(self, context: int) -> int:
        """The name under which a contract knows the encounter, the same for all versions."""
        return poseidon(_TAG, context, self.secret, self.encounter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """An amount of a claim: claimed, approved or paid."""

    claim: int
    amount: int
    currency: int
    blind: int

    def __post_init__(self) -> None:
        """Raise Invalid for what the circuits refuse."""
        _require_elements(self.claim, self.currency, self.blind)
        if not 1 <= self.amount <= MOST_AMOUNT:
            raise Invalid("an amount is above zero and has 64 bits at most")

    @property
    def commitment(self) -> int:
        """What the ledger sees."""
        return poseidon(_AMOUNT, self.claim, self.amount, self.currency, self.blind)


def claimed_amount(
    claim: int, lines: Sequence[int], *, encounter: int, version: int, currency: int, salt: int
) -> Amount:
    """What a claim is about, from what its opening says. Raises Invalid."""
    blind = poseidon(_BLIND, lines_digest(lines), encounter, version, salt)
    return Amount(claim=claim, amount=sum(lines), currency=currency, blind=blind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What is claimed of an encounter in all; `version` is the newest that was claimed under."""

    sum: int = 0
    version: int = 0
    salt: int = 0

    def commitment(self, *, tag: int, currency: int) -> int:
        """What the ledger sees; 0 where nothing was ever claimed."""
        if self == NOTHING:
            return 0
        return poseidon(_TOTAL, tag, currency, self.sum, self.version, self.salt)


NOTHING: Final = Total()
"""The total of an encounter of which nothing was ever claimed."""


def claim(
    stated: Encounter,
    lines: Sequence[int],
    before: Total,
    place: Place,
    *,
    identity: int,
    root: int,
    context: int,
    claim_salt: int,
    salt_after: int,
) -> dict[str, Any]:
    """All inputs of the circuit claim; `identity` is the claim's id. Raises Conflict, Invalid."""
    tag = stated.tag(context)
    mine = claimed_amount(
        identity,
        lines,
        encounter=stated.encounter,
        version=stated.version,
        currency=stated.currency,
        salt=claim_salt,
    )
    after = _with(stated, before, mine.amount, salt_after)
    known = {"tag": tag, "currency": stated.currency}
    return {
        "root": root,
        "context": context,
        "holder": stated.holder,
        "tag": tag,
        "claim": identity,
        "before": before.commitment(**known),
        "after": after.commitment(**known),
        "claimed": mine.commitment,
        "secret": stated.secret,
        "salt": stated.salt,
        "encounter": stated.encounter,
        "cost": stated.cost,
        "currency": stated.currency,
        "version": stated.version,
        **place.signals(),
        "lines": list(slots(lines)),
        "claimSalt": claim_salt,
        "continues": int(before != NOTHING),
        "sumBefore": before.sum,
        "versionBefore": before.version,
        "saltBefore": before.salt,
        "saltAfter": salt_after,
    }


def _with(stated: Encounter, before: Total, amount: int, salt: int) -> Total:
    """The total once this amount is claimed too. Raises Conflict in words."""
    if before.version > stated.version:
        raise Conflict("a newer version of the encounter's cost was claimed under")
    if before.sum + amount > stated.cost:
        left = max(stated.cost - before.sum, 0)
        raise Conflict(f"{left} minor units are left of the encounter's cost")
    return Total(sum=before.sum + amount, version=stated.version, salt=salt)


def settle(upper: Amount, lower: Amount) -> dict[str, Any]:
    """All inputs of the circuit settle. Raises Conflict where it is more, or of another claim."""
    if (upper.claim, upper.currency) != (lower.claim, lower.currency):
        raise Conflict("the amounts are of different claims or currencies")
    if lower.amount > upper.amount:
        raise Conflict(f"{upper.amount} minor units is the most that it can be")
    return {
        "claim": upper.claim,
        "upper": upper.commitment,
        "lower": lower.commitment,
        "whole": int(lower.amount == upper.amount),
        "currency": upper.currency,
        "upperAmount": upper.amount,
        "upperBlind": upper.blind,
        "lowerAmount": lower.amount,
        "lowerBlind": lower.blind,
    }


def free(
    counted: Amount, kept: Amount | None, before: Total, *, tag: int, salt_after: int
) -> tuple[dict[str, Any], Total]:
    """All inputs of the circuit free, and the total that it leaves. Raises Conflict."""
    remains = 0 if kept is None else kept.amount
    if kept is not None and (kept.claim, kept.currency) != (counted.claim, counted.currency):
        raise Conflict("the amounts are of different claims or currencies")
    if not remains <= counted.amount <= before.sum:
        raise Conflict("more can't be freed than is counted")
    total = Total(
        sum=before.sum - counted.amount + remains, version=before.version, salt=salt_after
    )
    known = {"tag": tag, "currency": counted.currency}
    return {
        "tag": tag,
        "claim": counted.claim,
        "before": before.commitment(**known),
        "after": total.commitment(**known),
        "counted": counted.commitment,
        "kept": 0 if kept is None else kept.commitment,
        "currency": counted.currency,
        "sum": before.sum,
        "version": before.version,
        "saltBefore": before.salt,
        "saltAfter": salt_after,
        "countedAmount": counted.amount,
        "countedBlind": counted.blind,
        "keeps": int(kept is not None),
        "keptAmount": remains,
        "keptBlind": 0 if kept is None else kept.blind,
    }, total


def public(circuit: str, signals: Mapping[str, Any]) -> list[int]:
    """What the verifier of ``claim``, ``settle`` or ``free`` sees, in its order."""
    return [signals[name] for name in PUBLIC[circuit]]
