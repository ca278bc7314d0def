"""A Claim from a finished Encounter: its charges, invoices or the tariff, and its Coverages (pure).

https://hl7.org/fhir/R4/encounter.html, chargeitem.html, invoice.html. A line's price is what an
Invoice says of its ChargeItem, else the ChargeItem's own, else the tariff's times the quantity
(rounded once). What has no price is left out and named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from simdes.claims.money import Money, read_money, times, total, write_money
from simdes.claims.reading import coded, day_of, quantity_of, reference_of
from simdes.claims.tariff import Tariff
from simdes.errors import Invalid

Json = dict[str, Any]
Resource = Mapping[str, Any]

_BILLED: Final = frozenset(("billable", "billed", "planned"))
_TAKEN_OFF: Final = frozenset(("deduction", "discount"))
_UNCOUNTED: Final = frozenset(("informational",))
_INSTITUTIONAL: Final = frozenset(("IMP", "ACUTE", "NONAC", "OBSENC", "SS"))
"""Classes of encounters (v3 ActCode) with a bed: claimed as institutional."""
_CLAIM_TYPE: Final = "http://terminology.hl7.org/CodeSystem/claim-type"
_PRIORITY: Final = "http://terminology.hl7.org/CodeSystem/processpriority"


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a claim is made from. ``procedures`` are priced by the tariff where there is no
    ChargeItem; ``provider`` is a Reference."""

    encounter: Resource
    charges: Sequence[Resource] = ()
    invoices: Sequence[Resource] = ()
    procedures: Sequence[Resource] = ()
    tariff: Tariff | None = None
    currency: str
    provider: Resource
    today: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """The lines as Claim.item, what they cost in all, the references of what had no price."""

    items: Sequence[Json]
    cost: Money
    unpriced: Sequence[str]


def is_finished(encounter: Resource) -> bool:
    """Whether an Encounter is over, so that it can be claimed for."""
    return encounter.get("resourceType") == "Encounter" and encounter.get("status") == "finished"


def is_of(resource: Resource, encounter: Resource) -> bool:
    """Whether a charge or procedure belongs to an Encounter."""
    name = f"Encounter/{encounter['id']}"
    return name in (reference_of(resource.get("context")), reference_of(resource.get("encounter")))


def build(basis: Basis) -> Built:
    """The lines of everything that belongs to the Encounter and has a price."""
    invoiced = _invoiced(basis)
    sources = [
        *(one for one in basis.charges if one.get("status") in _BILLED),
        *(basis.procedures if not basis.charges else ()),
    ]
    items: list[Json] = []
    unpriced = []
    for source in sources:
        if not is_of(source, basis.encounter):
            continue
        name = f"{source['resourceType']}/{source['id']}"
        net = invoiced.get(name) or _own_price(source, basis) or _by_tariff(source, basis)
        if net is None:
            unpriced.append(name)
        elif net.minor > 0:
            items.append(_item(source, len(items) + 1, net, basis))
    cost = total((read_money(one["net"]) for one in items), basis.currency)
    return Built(items=tuple(items), cost=cost, unpriced=tuple(unpriced))


def _invoiced(basis: Basis) -> dict[str, Money]:
    """What invoices say of ChargeItems, by their reference."""
    found: dict[str, Money] = {}
    for invoice in basis.invoices:
        if invoice.get("status") not in ("issued", "balanced"):
            continue
        for line in invoice.get("lineItem") or ():
            name = reference_of(line.get("chargeItemReference"))
            parts = [_component(one, basis) for one in line.get("priceComponent") or ()]
            if name and parts:
                found[name] = total(parts, basis.currency)
    return found


def _component(component: Resource, basis: Basis) -> Money:
    if component.get("type") in _UNCOUNTED or "amount" not in component:
        return Money(0, basis.currency)
    amount = read_money(component["amount"], currency=basis.currency)
    off = component.get("type") in _TAKEN_OFF
    return Money(-abs(amount.minor) if off else amount.minor, amount.currency)


def _own_price(source: Resource, basis: Basis) -> Money | None:
    if "priceOverride" not in source:
        return None
    return read_money(source["priceOverride"], currency=basis.currency)


def _by_tariff(source: Resource, basis: Basis) -> Money | None:
    if basis.tariff is None:
        return None
    factor = source.get("factorOverride", 1)
    if isinstance(factor, bool) or not isinstance(factor, Decimal | int):
        raise Invalid("A factor is a number.")
    for system, code in coded(source.get("code")):
        found = basis.tariff.price(system, code, _day(source, basis))
        if found is not None:
            quantity = quantity_of(source.get("quantity")) * factor
            return Money(times(found.price.minor, quantity), found.price.currency)
    return None


def _day(source: Resource, basis: Basis) -> date:
    for name in ("occurrence", "performed"):
        period = source.get(f"{name}Period") or {}
        day = day_of(source.get(f"{name}DateTime")) or day_of(period.get("start"))
        if day is not None:
            return day
    period = basis.encounter.get("period") or {}
    return day_of(period.get("start")) or day_of(period.get("end")) or basis.today


def _item(source: Resource, sequence: int, net: Money, basis: Basis) -> Json:
    item: Json = {
        "sequence": sequence,
        "productOrService": source.get("code") or {"text": "Service"},
        "servicedDate": _day(source, basis).isoformat(),
    }
    if "quantity" in source:
        item["quantity"] = source["quantity"]
    item["net"] = write_money(net)
    item["encounter"] = [{"reference": f"Encounter/{basis.encounter['id']}"}]
    return item


def claim_for(
    basis: Basis,
    items: Sequence[Resource],
    coverages: Sequence[Resource],
    *,
    focal: int,
    id_: str,
    identifier: Resource,
    responses: Mapping[int, str] | None = None,
) -> Json:
    """The Claim at the insurer of the Coverage at place ``focal`` of their order.

    ``responses`` are the ids of the ClaimResponses of insurers before, by their place.
    """
    encounter = basis.encounter
    period = {
        name: text[:10]
        for name, text in (encounter.get("period") or {}).items()
        if name in ("start", "end") and isinstance(text, str)
    }
    whole = total((read_money(one["net"]) for one in items), basis.currency)
    kind = "institutional" if _class(encounter) in _INSTITUTIONAL else "professional"
    diagnoses = _diagnoses(encounter)
    return {
        "resourceType": "Claim",
        "id": id_,
        "identifier": [dict(identifier)],
        "status": "active",
        "type": {"coding": [{"system": _CLAIM_TYPE, "code": kind}]},
        "use": "claim",
        "patient": encounter["subject"],
        **({"billablePeriod": period} if period else {}),
        "created": basis.today.isoformat(),
        "provider": dict(basis.provider),
        "priority": {"coding": [{"system": _PRIORITY, "code": "normal"}]},
        **({"diagnosis": diagnoses} if diagnoses else {}),
        "insurance": [
            _insurance(one, at, focal, (responses or {}).get(at))
            for at, one in enumerate(coverages)
        ],
        "item": [dict(one) for one in items],
        "total": write_money(whole),
    }


def _class(encounter: Resource) -> str:
    return str((encounter.get("class") or {}).get("code", ""))


def _diagnoses(encounter: Resource) -> list[Json]:
    references = [reference_of(one.get("condition")) for one in encounter.get("diagnosis") or ()]
    return [
        {"sequence": at, "diagnosisReference": {"reference": one}}
        for at, one in enumerate((each for each in references if each), 1)
    ]


def _insurance(coverage: Resource, at: int, focal: int, response: str | None) -> Json:
    return {
        "sequence": at + 1,
        "focal": at == focal,
        "coverage": {"reference": f"Coverage/{coverage['id']}"},
        **({"claimResponse": {"reference": f"ClaimResponse/{response}"}} if response else {}),
    }


def remaining(items: Sequence[Resource], paid: Mapping[int, int]) -> list[Json]:
    """The lines as the next insurer is asked for them: less what those before it paid, by line.

    Lines of which nothing is left are left out; numbers stay.
    """
    found = []
    for item in items:
        net = read_money(item["net"])
        left = net - Money(paid.get(int(item["sequence"]), 0), net.currency)
        if left.minor > 0:
            kept = {name: one for name, one in item.items() if name not in ("unitPrice", "factor")}
            found.append({**kept, "net": write_money(left)})
    return found
