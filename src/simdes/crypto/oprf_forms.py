"""What custodians of fingerprints write to each other: a plan, what each dealt, the finished key.

Deterministic CBOR, signed by accounts of the organisations that the plan names. None of it is
secret; parts are sealed to their receivers. Format: ``docs/formats/fingerprints.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from simdes.crypto import cbor
from simdes.crypto.digest import Random, sha256
from simdes.crypto.keys import OpeningKey, recover, seal_to
from simdes.crypto.oprf import PROOF_BYTES
from simdes.crypto.oprf_shares import (
    check_known,
    check_part,
    check_shares,
    deal,
    join_elements,
    join_parts,
    prove_known,
    public_part,
    weights,
)
from simdes.crypto.ristretto import ELEMENT_BYTES, random_scalar, read_scalar, scalar_bytes
from simdes.errors import Invalid, Tampered

MAX_CUSTODIANS: Final = 16
MAX_SYSTEMS: Final = 8
MAX_FORM_BYTES: Final = 256 << 10
_PART_INFO: Final = b"simdes/fingerprint-part/v1"
_DEALING_TAG: Final = b"simdes/fingerprint-dealing/v1\0"
_KEY_TAG: Final = b"simdes/fingerprint-key/v1\0"
_PLAN: Final = frozenset(
    ("type", "v", "suite", "chain", "m", "custodians", "persons", "places", "nonce", "previous")
)
_DEALING: Final = frozenset(
    ("type", "v", "suite", "plan", "dealer", "commitments", "proof", "sealed", "signature")
)
_KEY: Final = frozenset(("type", "v", "suite", "plan", "public", "shares", "signatures"))

Sign = Callable[[bytes], bytes]
"""Signs a 32-byte digest with an account's key: 65 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who is to hold a key, how many of them it takes, and what is fingerprinted by.

    ``persons`` and ``places`` are the systems of the identifiers by which a patient and a provider
    are known to every insurer. With ``previous``, a finished key in bytes, that key is handed on.
    """

    chain: int
    m: int
    custodians: tuple[bytes, ...]
    persons: tuple[str, ...]
    places: tuple[str, ...]
    nonce: bytes
    previous: bytes = b""

    def encode(self) -> bytes:
        """The plan's bytes."""
        return cbor.encode(
            {
                "type": "fingerprint-plan",
                "v": 1,
                "suite": 1,
                "chain": self.chain,
                "m": self.m,
                "custodians": list(self.custodians),
                "persons": list(self.persons),
                "places": list(self.places),
                "nonce": self.nonce,
            }
            | ({"previous": self.previous} if self.previous else {})
        )

    @property
    def digest(self) -> bytes:
        """By what the plan is named."""
        return sha256(self.encode())

    def index_of(self, organisation: bytes) -> int | None:
        """The number (1..n) of a custodian, None for who is none."""
        known = organisation in self.custodians
        return self.custodians.index(organisation) + 1 if known else None


def read_plan(data: bytes) -> Plan:
    """Read a plan; `Invalid` or `Unsupported` where it is none."""
    value = _decode(data)
    fields = cbor.Fields(value, kind="fingerprint-plan", known=_PLAN)
    fields.suite()
    plan = Plan(
        chain=fields.uint("chain", (1 << 53) - 1),
        m=fields.uint("m", MAX_CUSTODIANS),
        custodians=_list(fields, "custodians", 32, MAX_CUSTODIANS),
        persons=_texts(fields, "persons"),
        places=_texts(fields, "places"),
        nonce=fields.fixed("nonce", 32),
        previous=cbor.as_bytes(value["previous"], "previous") if fields.has("previous") else b"",
    )
    check_plan(plan)
    return plan


def check_plan(plan: Plan) -> None:
    """`Invalid` unless 2 ≤ m ≤ n ≤ 16, all custodians are distinct, and persons have a system."""
    if not 2 <= plan.m <= len(plan.custodians) <= MAX_CUSTODIANS:
        raise Invalid(f"A plan has 2 ≤ m ≤ n ≤ {MAX_CUSTODIANS} custodians.")
    if len(set(plan.custodians)) != len(plan.custodians):
        raise Invalid("A plan names each custodian once.")
    if not plan.persons or not plan.places:
        raise Invalid("A plan names systems of identifiers for persons and for places.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A finished key: its public half, and those of its shares by number, signed by all."""

    plan: Plan
    public: bytes
    shares: tuple[bytes, ...]
    signatures: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """The key's bytes, with its signatures."""
        return cbor.encode(self._fields() | {"signatures": list(self.signatures)})

    @property
    def digest(self) -> bytes:
        """By what the key is named: what its custodians signed."""
        return sha256(_KEY_TAG + cbor.encode(self._fields()))

    def _fields(self) -> dict[str, object]:
        return {
            "type": "fingerprint-key",
            "v": 1,
            "suite": 1,
            "plan": self.plan.encode(),
            "public": self.public,
            "shares": list(self.shares),
        }

    def signers(self) -> tuple[bytes, ...]:
        """The address behind each custodian's signature, for the caller to look up on chain."""
        return tuple(recover(self.digest, one) for one in self.signatures)


def read_key(data: bytes) -> Key:
    """Read a key whose parts belong together; `Tampered` where they do not.

    The caller still has to check that `Key.signers` are the custodians' accounts.
    """
    value = _decode(data)
    fields = cbor.Fields(value, kind="fingerprint-key", known=_KEY)
    fields.suite()
    plan = read_plan(cbor.as_bytes(value["plan"] if fields.has("plan") else None, "plan"))
    n = len(plan.custodians)
    key = Key(
        plan=plan,
        public=fields.fixed("public", ELEMENT_BYTES),
        shares=_list(fields, "shares", ELEMENT_BYTES, n, least=n),
        signatures=_list(fields, "signatures", 65, n, least=n),
    )
    check_shares(key.public, key.shares, m=plan.m)
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Dealing:
    """What one custodian dealt: commitments, that it knows its number, a sealed part for each."""

    plan: bytes
    dealer: int
    commitments: tuple[bytes, ...]
    proof: bytes
    sealed: tuple[bytes, ...]
    signature: bytes = b""

    def encode(self) -> bytes:
        """The dealing's bytes, with its signature."""
        return cbor.encode(self._fields() | {"signature": self.signature})

    @property
    def signer(self) -> bytes:
        """The address that signed, for the caller to look up on chain."""
        return recover(self._digest(), self.signature)

    def signed(self, sign: Sign) -> Dealing:
        """The same with a signature."""
        return replace(self, signature=sign(self._digest()))

    def _digest(self) -> bytes:
        return sha256(_DEALING_TAG + cbor.encode(self._fields()))

    def _fields(self) -> dict[str, object]:
        return {
            "type": "fingerprint-dealing",
            "v": 1,
            "suite": 1,
            "plan": self.plan,
            "dealer": self.dealer,
            "commitments": list(self.commitments),
            "proof": self.proof,
            "sealed": list(self.sealed),
        }


def read_dealing(data: bytes) -> Dealing:
    """Read what a custodian dealt; `Invalid` or `Unsupported` where it is no dealing."""
    value = _decode(data)
    fields = cbor.Fields(value, kind="fingerprint-dealing", known=_DEALING)
    fields.suite()
    sealed = fields.array("sealed", least=2, most=MAX_CUSTODIANS)
    return Dealing(
        plan=fields.fixed("plan", 32),
        dealer=fields.uint("dealer", MAX_CUSTODIANS),
        commitments=_list(fields, "commitments", ELEMENT_BYTES, MAX_CUSTODIANS, least=2),
        proof=fields.fixed("proof", PROOF_BYTES),
        sealed=tuple(cbor.as_bytes(one, "sealed") for one in sealed),
        signature=fields.fixed("signature", 65),
    )


def make_dealing(
    plan: Plan,
    *,
    dealer: int,
    publics: Sequence[bytes],
    share: int | None,
    sign: Sign,
    random: Random,
) -> Dealing:
    """Deal a fresh number, or with ``share`` this one, to custodians with these public keys."""
    number = random_scalar(random) if share is None else share
    dealt = deal(number, m=plan.m, n=len(plan.custodians), random=random)
    digest = plan.digest
    sealed = tuple(
        seal_to(public, scalar_bytes(part), info=_PART_INFO, aad=_place(digest, dealer, index))
        for index, (public, part) in enumerate(zip(publics, dealt.parts, strict=True), 1)
    )
    return Dealing(
        plan=digest,
        dealer=dealer,
        commitments=dealt.commitments,
        proof=prove_known(number, bound=_place(digest, dealer, 0), random=random),
        sealed=sealed,
    ).signed(sign)


def conclude(
    plan: Plan, dealings: Sequence[Dealing], *, index: int, opening: OpeningKey
) -> tuple[int, Key]:
    """Return receiver `index`'s share and the key without signatures, every part checked.

    A fresh key takes a dealing of every custodian; one that is handed on of at least m of those
    that held it. `Tampered` names the dealer whose dealing does not hold.
    """
    by_dealer = {one.dealer: one for one in dealings}
    weighing = _weighing(plan, by_dealer, dealings)
    for one in dealings:
        _check_dealing(plan, one)
    parts = {dealer: _open_part(plan, one, index, opening) for dealer, one in by_dealer.items()}
    joined = [
        join_elements(
            {dealer: public_part(to, one.commitments) for dealer, one in by_dealer.items()},
            weighing,
        )
        for to in range(len(plan.custodians) + 1)
    ]
    if plan.previous and joined[0] != read_key(plan.previous).public:
        raise Tampered("What was dealt gives another key than the one to hand on.")
    return join_parts(parts, weighing), Key(plan=plan, public=joined[0], shares=tuple(joined[1:]))


def _weighing(
    plan: Plan, by_dealer: Mapping[int, Dealing], dealings: Sequence[Dealing]
) -> dict[int, int]:
    if len(by_dealer) != len(dealings):
        raise Invalid("A dealer dealt twice.")
    if not plan.previous:
        everybody = range(1, len(plan.custodians) + 1)
        if sorted(by_dealer) != list(everybody):
            raise Invalid("A fresh key takes a dealing of every custodian.")
        return dict.fromkeys(everybody, 1)
    old = read_key(plan.previous).plan
    if len(by_dealer) < old.m or max(by_dealer) > len(old.custodians):
        raise Invalid(f"Handing on takes dealings of {old.m} custodians of the key.")
    return weights(sorted(by_dealer))


def _check_dealing(plan: Plan, one: Dealing) -> None:
    fits = (one.plan, len(one.commitments), len(one.sealed)) == (
        plan.digest,
        plan.m,
        len(plan.custodians),
    )
    if not fits:
        raise Tampered(f"Dealer {one.dealer} dealt for another plan.")
    try:
        check_known(one.commitments[0], one.proof, bound=_place(one.plan, one.dealer, 0))
    except Tampered as error:
        raise Tampered(f"Dealer {one.dealer}: {error.message}") from error
    if plan.previous and one.commitments[0] != read_key(plan.previous).shares[one.dealer - 1]:
        raise Tampered(f"Dealer {one.dealer} dealt another number than its share of the key.")


def _open_part(plan: Plan, one: Dealing, index: int, opening: OpeningKey) -> int:
    place = _place(one.plan, one.dealer, index)
    try:
        part = read_scalar(opening.open(one.sealed[index - 1], info=_PART_INFO, aad=place))
        check_part(index, part, one.commitments)
    except (Tampered, Invalid) as error:
        raise Tampered(f"Dealer {one.dealer}: {error.message}") from error
    return part


def _place(plan: bytes, dealer: int, index: int) -> bytes:
    return plan + bytes((dealer, index))


def _decode(data: bytes) -> dict[str, cbor.Value]:
    if len(data) > MAX_FORM_BYTES:
        raise Invalid("A form of fingerprints is at most 256 KiB.")
    value = cbor.decode(data)
    if not isinstance(value, dict):
        raise Invalid("A form of fingerprints is a map.")
    return value


def _list(
    fields: cbor.Fields, name: str, size: int, most: int, *, least: int = 1
) -> tuple[bytes, ...]:
    found = fields.array(name, least=least, most=most)
    return tuple(cbor.as_fixed(one, size, name) for one in found)


def _texts(fields: cbor.Fields, name: str) -> tuple[str, ...]:
    found = fields.array(name, least=1, most=MAX_SYSTEMS)
    return tuple(cbor.as_text(one, name)[:256] for one in found)
