"""What is to be claimed of a vault: finished encounters with a cost, and claims that came by X12.

Only what this organisation wrote itself counts: its encounters, its charges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simdes import typed_numbers
from simdes.access.categories import Category
from simdes.access.requests import hexed
from simdes.access.vaults import vault_key
from simdes.claims.building import Basis, Built, build, claim_for, is_finished, is_of, remaining
from simdes.claims.claimed import claimed_of
from simdes.claims.coordination import in_order, payers
from simdes.claims.money import Money
from simdes.claims.reading import day_of, reference_of
from simdes.errors import Invalid, SimdesError
from simdes.exchange.claims.answers import Answered
from simdes.exchange.claims.steps import today
from simdes.exchange.indexing import opened
from simdes.exchange.node import Node
from simdes.fhir.prescribing import ORGANISATION
from simdes.index import resources, vaults
from simdes.index.transaction import Transaction

Json = dict[str, Any]
Resource = Mapping[str, Any]

TYPES: Final = (
    "Encounter",
    "ChargeItem",
    "Invoice",
    "Procedure",
    "Coverage",
    "Claim",
    "Organization",
)
_CATEGORIES: Final = (
    Category.ENCOUNTERS,
    Category.PROCEDURES,
    Category.CLAIMS,
    Category.ADMINISTRATIVE,
)
CLAIM_SYSTEM: Final = "urn:simdes:claim"
"""The identifier system of claims that are made here; others came from elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Something that costs: ``document`` (Encounter, or the Claim that came in) under ``key``,
    its business identifier, its lines, and the insurers in their order with their Coverages."""

    key: str
    document: Resource
    identifier: tuple[str, str]
    items: Sequence[Resource]
    cost: Money
    coverages: Sequence[Resource]
    payers: Sequence[bytes]
    basis: Basis

    def claim(self, node: Node, at: int, before: Mapping[int, Answered]) -> Json:
        """The Claim at the insurer at a place of the order, for what those before it left."""
        if self.document["resourceType"] == "Claim":
            return dict(self.document)
        id_ = node.new_id()
        paid: Counter[int] = Counter()
        for answer in before.values():
            paid.update(answer.by_line)
        return claim_for(
            self.basis,
            remaining(self.items, paid),
            self.coverages,
            focal=at,
            id_=id_,
            identifier={"system": CLAIM_SYSTEM, "value": id_},
            responses={place: one.response for place, one in before.items()},
        )


def own(node: Node, tx: Transaction, vault: bytes) -> dict[str, list[Json]]:
    """The newest versions of what matters for claims in a vault, by type."""
    row = vaults.get(tx, vault)
    if row is None or row.key_wrapped is None:
        return {}
    key = vault_key(node.desk.keystore, row)
    found: dict[str, list[Json]] = {one: [] for one in TYPES}
    after = 0
    while rows := resources.of_vault(tx, vault, categories=_CATEGORIES, types=TYPES, after=after):
        for one in rows:
            found[one.type].append(opened(key, one))
        after = rows[-1].id
    return found


def bills(node: Node, held: Mapping[str, Sequence[Json]]) -> list[Bill]:
    """Everything in a vault that is to be claimed; what can't be is left out."""
    found = []
    for encounter in held.get("Encounter", ()):
        try:
            bill = _of_encounter(node, held, encounter)
        except SimdesError:
            continue
        if bill is not None:
            found.append(bill)
    for claim in held.get("Claim", ()):
        try:
            bill = _of_claim(node, held, claim)
        except SimdesError:
            continue
        if bill is not None:
            found.append(bill)
    return found


def _of_encounter(node: Node, held: Mapping[str, Sequence[Json]], encounter: Json) -> Bill | None:
    if not is_finished(encounter):
        return None
    name = f"Encounter/{encounter['id']}"
    if any(name in _encounters(one) for one in held["Claim"] if _came_in(one)):
        return None  # a billing system claims for it
    basis = Basis(
        encounter=encounter,
        charges=held["ChargeItem"],
        invoices=held["Invoice"],
        procedures=held["Procedure"],
        tariff=node.claims.tariff,
        currency=_currency(node, held, encounter),
        provider={
            "identifier": {"system": ORGANISATION, "value": hexed(node.organisation)},
            "display": node.name,
        },
        today=today(node),
    )
    built: Built = build(basis)
    if not built.cost.minor:
        return None
    day = day_of((encounter.get("period") or {}).get("start")) or basis.today
    coverages = in_order(held["Coverage"], day)
    key = f"Encounter/{encounter['id']}"
    return _bill(node, held, key, encounter, built.items, built.cost, coverages, basis)


def _currency(node: Node, held: Mapping[str, Sequence[Json]], encounter: Json) -> str:
    """The currency of an encounter's charges, the tariff's where they name none."""
    for charge in held["ChargeItem"]:
        named = (charge.get("priceOverride") or {}).get("currency")
        if isinstance(named, str) and is_of(charge, encounter):
            return named
    return node.claims.currency


def _came_in(claim: Json) -> bool:
    """Whether a Claim is asked for by a billing system of ours, not made here."""
    numbers = [one.get("system") for one in claim.get("identifier") or ()]
    active = claim.get("status") == "active" and claim.get("use") == "claim"
    return active and CLAIM_SYSTEM not in numbers


def _of_claim(node: Node, held: Mapping[str, Sequence[Json]], claim: Json) -> Bill | None:
    """A Claim that a billing system sent: what it asks for is what it costs."""
    if not _came_in(claim):
        return None
    read = claimed_of(claim)
    by_name = {f"Coverage/{one['id']}": one for one in held["Coverage"]}
    named = [
        reference_of(one.get("coverage"))
        for one in sorted(claim["insurance"], key=lambda one: not one.get("focal"))
    ]
    coverages = [by_name[one] for one in named if one in by_name][:1]
    basis = Basis(
        encounter=claim, currency=read.currency, provider=claim["provider"], today=today(node)
    )
    key = f"Claim/{claim['id']}"
    return _bill(node, held, key, claim, claim["item"], read.total, coverages, basis)


def _bill(
    node: Node,
    held: Mapping[str, Sequence[Json]],
    key: str,
    document: Json,
    items: Sequence[Resource],
    cost: Money,
    coverages: Sequence[Resource],
    basis: Basis,
) -> Bill:
    number = next(
        (one for one in _numbered(held, document).get("identifier") or () if one.get("value")), None
    )
    system, value = ("urn:simdes:resource", key)
    if number is not None:
        system, value = str(number.get("system", "")), str(number["value"])
    parties = {f"Organization/{one['id']}": one for one in held["Organization"]}
    paying = [insurer_of(node, one, parties) for one in coverages]
    if not any(paying):
        raise Invalid("No insurer of the network is named.")
    chosen = [at for at, one in enumerate(paying) if one]
    return Bill(
        key=key,
        document=document,
        identifier=(system, value),
        items=items,
        cost=cost,
        coverages=[coverages[at] for at in chosen],
        payers=[paying[at] for at in chosen],
        basis=basis,
    )


def _numbered(held: Mapping[str, Sequence[Json]], document: Json) -> Json:
    """What a bill's business identifier is taken from: the Encounter where a Claim names one.

    So a visit that is billed from its charges and by a Claim that came in has one tag.
    """
    named = _encounters(document) if document["resourceType"] == "Claim" else frozenset()
    for one in held["Encounter"]:
        if f"Encounter/{one['id']}" in named and one.get("identifier"):
            return one
    return document


def _encounters(claim: Json) -> frozenset[str]:
    """The encounters that a Claim's lines name."""
    return frozenset(
        reference_of(one) for item in claim.get("item") or () for one in item.get("encounter") or ()
    )


def insurer_of(node: Node, coverage: Resource, parties: Mapping[str, Resource]) -> bytes:
    """The insurer of the network that a Coverage names, itself or by an identifier that a feed
    uses; ``parties`` are organisations by how they are referred to. b"" for none."""
    return _id(payers([coverage])[0]) or _named(node, coverage, parties)


def _named(node: Node, coverage: Resource, parties: Mapping[str, Resource]) -> bytes:
    for payor in coverage.get("payor") or ():
        known = [payor.get("identifier") or {}]
        known += parties.get(reference_of(payor), {}).get("identifier") or ()
        for one in known:
            found = node.claims.named.get((str(one.get("system", "")), str(one.get("value", ""))))
            if found is not None:
                return found
    return b""


def _id(text: str) -> bytes:
    return typed_numbers.octets(text, 32) or b""
