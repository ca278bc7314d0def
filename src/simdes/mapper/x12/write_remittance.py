"""Write 835 (005010X221A1): a PaymentReconciliation and the ExplanationOfBenefits it pays.

It mirrors ``sheets/remittance.psv``, so that what is written here is read back as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simdes.errors import Invalid
from simdes.mapper.model import Json
from simdes.mapper.x12.compose import (
    OURS,
    X12,
    Bundled,
    Envelope,
    Lines,
    TransactionSet,
    amount,
    code,
    codes,
    digits,
    extension,
    interchange,
    located,
    named,
    numbered,
    references,
    segment,
    service,
    traced,
)

_SET = TransactionSet("835", "HP", "005010X221A1")
_DOLLARS = "USD"
_GROUPS = "https://x12.org/codes/claim-adjustment-group-codes"
_REASONS = "https://x12.org/codes/claim-adjustment-reason-codes"
_REMARKS = "https://x12.org/codes/remittance-advice-remark-codes"
_TOTALS = "http://terminology.hl7.org/CodeSystem/adjudication"
_OWN = "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBAdjudication"
_CAS_AT_ONCE = 6
_RATE = "reimbursement rate"
_REMARKS_AT = {"MIA": (5, 20, 21, 22, 23), "MOA": (3, 4, 5, 6, 7)}
_CLP = ("CLP08", "CLP09", "CLP10", "", "CLP12", "CLP13", "CLP14")


def remittance(bundle: Json, envelope: Envelope) -> bytes:
    """Write the 835 of a Bundle. Raises `Invalid` where it holds no payment."""
    return remittances([bundle], envelope)


def remittances(bundles: Sequence[Json], envelope: Envelope) -> bytes:
    """Write an 835 with a transaction for each Bundle."""
    return interchange(envelope, _SET, [_transaction(one) for one in bundles])


def _transaction(bundle: Json) -> Lines:
    bundled = Bundled(bundle)
    payment = next(iter(bundled.of("PaymentReconciliation")), None)
    if payment is None:
        raise Invalid("an 835 needs a PaymentReconciliation")
    lines = [_bpr(payment), _trace(payment), *_currency(payment)]
    lines += references(payment.get("identifier", ()))
    if payment.get("created"):
        lines.append(segment("DTM", "405", digits(payment["created"])))
    lines += _party("PR", bundled.party(payment.get("paymentIssuer")))
    lines += _party("PE", bundled.party(payment.get("requestor")))
    benefits = bundled.of("ExplanationOfBenefit")
    lines += [segment("LX", 1)] if benefits else []
    for benefit in benefits:
        lines += _claim(bundled, benefit)
    lines += _provider_adjustments(payment)
    return lines


def _bpr(payment: Json) -> str:
    accounts: list[str | None] = []
    for bank, account, between in (("sending", "sending", 2), ("receiving", "receiving", 0)):
        for name, element in ((f"{bank}-bank", "506"), (f"{account}-account", "569")):
            identifier = extension(payment, name) or {}
            accounts += [code(identifier.get("type"), f"{X12}/{element}"), identifier.get("value")]
        if between:
            accounts += [extension(payment, "BPR10"), extension(payment, "BPR11")]
    return segment(
        "BPR",
        extension(payment, "BPR01") or "I",
        amount(payment.get("paymentAmount")),
        extension(payment, "BPR03") or "C",
        code(payment.get("formCode"), f"{X12}/591") or "NON",
        extension(payment, "BPR05"),
        *accounts,
        digits(payment.get("paymentDate")),
    )


def _trace(payment: Json) -> str:
    identifier = payment.get("paymentIdentifier", {})
    return traced(identifier, kind="1", more=extension(payment, "TRN04"))


def _currency(payment: Json) -> Lines:
    """Write CUR where the payment is in another currency than dollars."""
    found = payment.get("paymentAmount", {}).get("currency", _DOLLARS)
    return [] if found == _DOLLARS else [segment("CUR", "PR", found)]


def _party(role: str, party: Json) -> Lines:
    qualifier, value = next(numbered(party.get("identifier", ()), "66"), ("", ""))
    name = party.get("name", "")
    if isinstance(name, list):
        name = " ".join([*name[0].get("given", ()), name[0].get("family", "")])
    lines = [segment("N1", role, name, qualifier, value), *located(party)]
    return [*lines, *references(party.get("identifier", ()))]


def _totals(benefit: Json) -> dict[str, str]:
    return {
        one: amount(total.get("amount"))
        for total in benefit.get("total", ())
        for system in (_TOTALS, _OWN)
        for one in codes(total.get("category"), system)
    }


def _claim(bundled: Bundled, benefit: Json) -> Lines:
    told = benefit.get("supportingInfo", [])
    by_element = {code(one["category"], f"{OURS}:element"): one for one in told}
    coverage = bundled.get((benefit.get("insurance") or [{}])[0].get("coverage"))
    claimed = benefit.get("claim", {}).get("identifier") or {}
    totals = _totals(benefit)
    first = (benefit.get("identifier") or [{}])[0]
    rest = [by_element.get(name, {}).get("valueString", "") for name in _CLP]
    rest[3] = next((code(one.get("code")) for one in told if code(one["category"]) == "drg"), "")
    lines = [
        segment(
            "CLP",
            claimed.get("value"),
            code(by_element.get("CLP02", {}).get("code")) or "1",
            totals.get("submitted"),
            totals.get("benefit"),
            totals.get("memberliability"),
            code(coverage.get("type"), f"{X12}/1032") or "ZZ",
            first.get("value"),
            *rest,
        )
    ]
    lines += _adjustments(benefit.get("adjudication", ()))
    patient, number = bundled.get(benefit.get("patient")), coverage.get("subscriberId", "")
    subscriber = bundled.subscriber(coverage, patient)
    lines.append(named("QC", patient, member="" if subscriber else number))
    lines += [named("IL", subscriber, member=number)] if subscriber else []
    for member in benefit.get("careTeam", ()):
        role = code(member.get("role"), f"{X12}/98") or "82"
        lines.append(named(role, bundled.get(member.get("provider"))))
    lines += _outpatient(benefit, by_element)
    lines += references(benefit.get("identifier", ())[1:])
    lines += _span(benefit.get("billablePeriod", {}), "232", "233")
    used = {at for item in benefit.get("item", ()) for at in item.get("informationSequence", ())}
    lines += _told([one for one in told if one["sequence"] not in used])
    for item in benefit.get("item", ()):
        lines += _item(item, told)
    return lines


def _span(span: Json, start: str, end: str) -> Lines:
    pairs = ((start, span.get("start")), (end, span.get("end")))
    return [segment("DTM", qualifier, digits(day)) for qualifier, day in pairs if day]


def _adjustments(adjudications: Sequence[Json]) -> Lines:
    """Write CAS: reasons of one group that follow each other share a segment."""
    lines: Lines = []
    group = ""
    parts: list[str] = []
    for one in [*adjudications, {}]:
        reason, found = code(one.get("reason"), _REASONS), code(one.get("category"), _GROUPS)
        if parts and (found != group or len(parts) == 3 * _CAS_AT_ONCE):
            lines.append(segment("CAS", group, *parts))
            parts = []
        if reason and found:
            group = found
            quantity = one.get("value")
            parts += [
                reason,
                amount(one.get("amount")),
                "" if quantity is None else f"{quantity:f}",
            ]
    return lines


def _remarks(adjudications: Sequence[Json]) -> list[str]:
    return [
        code(one.get("reason"), _REMARKS)
        for one in adjudications
        if code(one.get("reason"), _REMARKS)
    ]


def _outpatient(benefit: Json, told: Mapping[str, Json]) -> Lines:
    """Write MIA where any of it was told, else MOA; both name the claim's remarks."""
    decided = benefit.get("adjudication", ())
    elements = {name: _element(one) for name, one in told.items() if name[:3] in ("MIA", "MOA")}
    name = "MIA" if any(one.startswith("MIA") for one in elements) else "MOA"
    if name == "MOA":
        rates = [one for one in decided if one.get("category", {}).get("text") == _RATE]
        elements["MOA01"] = f"{rates[0]['value']:f}" if rates else ""
    for at, remark in zip(_REMARKS_AT[name], _remarks(decided), strict=False):
        elements[f"{name}{at:02}"] = remark
    texts = [elements.get(f"{name}{at:02}", "") for at in range(1, 25)]
    return [segment(name, *texts)] if any(texts) else []


def _element(told: Json) -> str:
    return told.get("valueString") or amount(told.get("valueQuantity"))


def _told(told: Sequence[Json]) -> Lines:
    """Write REF, DTM, AMT and QTY of what is told beside, in the order of the guide."""
    lines: Lines = []
    for one in told:
        if reference := code(one["category"], f"{X12}/128"):
            lines.append(segment("REF", reference, one.get("valueString")))
        elif day := code(one["category"], f"{X12}/374"):
            lines.append(segment("DTM", day, digits(one.get("timingDate"))))
        elif qualifier := code(one["category"], f"{X12}/522"):
            lines.append(segment("AMT", qualifier, amount(one.get("valueQuantity"))))
        elif quantity := code(one["category"], f"{X12}/673"):
            lines.append(segment("QTY", quantity, amount(one.get("valueQuantity"))))
    order = ("REF", "DTM", "AMT", "QTY")
    return sorted(lines, key=lambda line: order.index(line[:3]))


def _item(item: Json, told: Sequence[Json]) -> Lines:
    decided = item.get("adjudication", ())
    said = {code(one.get("category"), _TOTALS): amount(one.get("amount")) for one in decided}
    lines = [
        segment(
            "SVC",
            service(item.get("productOrService"), item.get("modifier", ())),
            said.get("submitted"),
            said.get("benefit"),
            code(item.get("revenue")),
            amount(item.get("quantity")),
        )
    ]
    if item.get("servicedDate"):
        lines.append(segment("DTM", "472", digits(item["servicedDate"])))
    lines += _span(item.get("servicedPeriod", {}), "150", "151")
    lines += _adjustments(decided)
    numbers = item.get("informationSequence", ())
    lines += _told([one for one in told if one["sequence"] in numbers])
    if "eligible" in said:
        lines.append(segment("AMT", "B6", said["eligible"]))
    return [*lines, *(segment("LQ", "HE", remark) for remark in _remarks(decided))]


def _provider_adjustments(payment: Json) -> Lines:
    lines: Lines = []
    for detail in payment.get("detail", ()):
        kind = code(detail.get("type"), f"{X12}/426")
        if not kind:
            continue
        money = amount(detail.get("amount"))
        taken = money[1:] if money.startswith("-") else f"-{money}"
        provider = detail.get("submitter", {}).get("identifier", {}).get("value")
        named_by = [kind, detail.get("identifier", {}).get("value", "")]
        lines.append(segment("PLB", provider, digits(detail.get("date")), named_by, taken))
    return lines
