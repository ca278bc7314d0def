"""Write what answers inquiries: 271 (005010X279A1) and 277 (005010X212).

They mirror ``sheets/eligibility.psv`` and ``sheets/status.psv``.
"""

from __future__ import annotations

from simdes.errors import Invalid
from simdes.mapper.model import Json
from simdes.mapper.x12.compose import (
    OURS,
    X12,
    Bundled,
    Envelope,
    Lines,
    amount,
    born,
    code,
    digits,
    extension,
    interchange,
    located,
    named,
    period,
    references,
    segment,
    service,
)

_TOTALS = "http://terminology.hl7.org/CodeSystem/adjudication"
_CATEGORIES = "https://x12.org/codes/claim-status-category-codes"
_STATUSES = "https://x12.org/codes/claim-status-codes"
_SERVICE_TYPES = "https://x12.org/codes/service-type-codes"
_NETWORK = {"in": "Y", "out": "N"}


def eligibility(bundle: Json, envelope: Envelope) -> bytes:
    """Write the 271 of a Bundle. Raises `Invalid` without a CoverageEligibilityResponse."""
    bundled = Bundled(bundle)
    response = next(iter(bundled.of("CoverageEligibilityResponse")), None)
    if response is None:
        raise Invalid("a 271 needs a CoverageEligibilityResponse")
    insurance = (response.get("insurance") or [{}])[0]
    coverage = bundled.get(insurance.get("coverage"))
    patient = bundled.get(response.get("patient"))
    subscriber = bundled.get(coverage.get("subscriber"))
    own = [one["value"] for one in response.get("identifier", ()) if "system" not in one]
    transaction = own[0] if own else ""
    lines = [
        segment("BHT", "0022", "11", transaction, envelope.day, envelope.time),
        *_level(1, "", "20", named("PR", bundled.get(response.get("insurer")))),
        *_level(2, 1, "21", named("1P", bundled.get(response.get("requestor")))),
    ]
    member = _member(response, insurance, coverage)
    if subscriber.get("resourceType") == "RelatedPerson":
        lines += [*_level(3, 2, "22", named("IL", subscriber)), *located(subscriber)]
        lines += born(subscriber)
        lines += [segment("HL", 4, 3, "23", 0), *_trace(response), named("03", patient)]
    else:
        lines += [segment("HL", 3, 2, "22", 0), *_trace(response), named("IL", patient)]
    lines += [*located(patient), *_rejections(response), *born(patient), *member]
    for item in insurance.get("item", ()):
        lines += _benefit(bundled, item)
    return interchange(envelope, functional="HB", version="005010X279A1", kind="271", lines=lines)


def _level(number: int, above: int | str, code_: str, *lines: str) -> Lines:
    return [segment("HL", number, above, code_, 1), *lines]


def _trace(response: Json) -> Lines:
    identifier = response.get("request", {}).get("identifier")
    if not identifier:
        return []
    originator = identifier.get("system", "").removeprefix(f"{OURS}:trace").lstrip(":")
    return [segment("TRN", 2, identifier.get("value"), originator)]


def _member(response: Json, insurance: Json, coverage: Json) -> Lines:
    lines: Lines = []
    for kind, qualifier in (("group", "6P"), ("plan", "18")):
        for one in coverage.get("class", ()):
            if code(one.get("type")) == kind:
                lines.append(segment("REF", qualifier, one.get("value"), one.get("name")))
    relation = code(coverage.get("relationship"), f"{X12}/1069")
    if relation:
        lines.append(segment("INS", "Y" if relation == "18" else "N", relation))
    span = insurance.get("benefitPeriod", {})
    for qualifier, day in (("346", span.get("start")), ("347", span.get("end"))):
        if day:
            lines.append(segment("DTP", qualifier, "D8", digits(day)))
    if response.get("servicedDate"):
        lines.append(segment("DTP", "472", "D8", digits(response["servicedDate"])))
    if response.get("servicedPeriod"):
        lines.append(period("DTP", "472", response["servicedPeriod"]))
    return lines


def _rejections(response: Json) -> Lines:
    return [
        segment(
            "AAA",
            extension(error, "AAA01") or "N",
            "",
            code(error.get("code"), f"{X12}/901"),
            code(error.get("code"), f"{X12}/889"),
        )
        for error in response.get("error", ())
    ]


def _benefit(bundled: Bundled, item: Json) -> Lines:
    """Write EB and what hangs on it; money, percent and quantity share one EB."""
    parts = item.get("benefit", [])
    kind = next((code(one.get("type"), f"{X12}/1390") for one in parts), "1")
    money = next((amount(one["allowedMoney"]) for one in parts if "allowedMoney" in one), "")
    percent = quantity = measure = ""
    for one in parts:
        if "allowedString" in one and extension(one, "quantity") is not None:
            measure, quantity = code(extension(one, "quantity")), one["allowedString"]
        elif "allowedString" in one:
            percent = one["allowedString"]
    required = {True: "Y", False: "N"}.get(item.get("authorizationRequired"), "")  # type: ignore[arg-type]
    asked = item.get("productOrService")
    elements = [
        kind,
        code(item.get("unit"), f"{X12}/1207"),
        code(item.get("category"), _SERVICE_TYPES),
        code(extension(item, "insurance-type")),
        item.get("name"),
        code(item.get("term"), f"{X12}/615"),
        money,
        percent,
        measure,
        quantity,
        required,
        _NETWORK.get(code(item.get("network")), ""),
        service(asked, item.get("modifier", ())) if asked else "",
    ]
    lines = [segment("EB", *elements)]
    for one in item.get("extension", ()):
        if one["url"] == f"{OURS}:reference":
            lines += references([one["valueIdentifier"]])
    for one in item.get("extension", ()):
        if one["url"] == f"{OURS}:date":
            lines.append(segment("DTP", *one["valueString"].split(" ", 2)))
    if item.get("description"):
        lines.append(segment("MSG", item["description"]))
    provider = bundled.get(item.get("provider"))
    if provider:
        role = "P3"
        if provider["resourceType"] == "PractitionerRole":
            role = code((provider.get("code") or [{}])[0], f"{X12}/98") or role
            provider = bundled.get(provider.get("organization"))
        lines += [segment("LS", "2120"), named(role, provider), segment("LE", "2120")]
    return lines


def status(bundle: Json, envelope: Envelope) -> bytes:
    """Write the 277 of a Bundle: each answered Task. Raises `Invalid` where there is none."""
    bundled = Bundled(bundle)
    tasks = [task for task in bundled.of("Task") if task.get("output") and "for" in task]
    if not tasks:
        raise Invalid("a 277 needs a Task with output")
    told = {code(one.get("type")): one for one in tasks[0].get("input", ())}
    sender = bundled.get(told.get("41", {}).get("valueReference"))
    patient = bundled.get(tasks[0].get("for"))
    subscriber = bundled.get(told.get("IL", {}).get("valueReference"))
    transaction = told.get("BHT03", {}).get("valueString")
    lines = [
        segment("BHT", "0010", "08", transaction, envelope.day, envelope.time, "DG"),
        *_level(1, "", "20", named("PR", bundled.get(tasks[0].get("owner")))),
        *_level(2, 1, "21", named("41", sender)),
        *_level(3, 2, "19", named("1P", bundled.get(tasks[0].get("requester")))),
    ]
    if subscriber:
        lines += [*_level(4, 3, "22", named("IL", subscriber)), segment("HL", 5, 4, "23")]
        lines.append(named("QC", patient))
    else:
        lines += [segment("HL", 4, 3, "22", 0), named("IL", patient)]
    for task in tasks:
        lines += _answer(bundled, task)
    return interchange(envelope, functional="HN", version="005010X212", kind="277", lines=lines)


def _answer(bundled: Bundled, task: Json) -> Lines:
    response = next(
        (bundled.get(one["valueReference"]) for one in task["output"] if "valueReference" in one),
        {},
    )
    trace = (task.get("identifier") or [{}])[0].get("value")
    lines = [segment("TRN", 2, trace), _stc(task, response)]
    identifiers = response.get("identifier", ())
    ours = [one for one in identifiers if "type" not in one]
    lines += [segment("REF", "1K", one.get("value")) for one in ours]
    lines += references(identifiers)
    claim = task.get("focus", {}).get("identifier", {}).get("value")
    lines += [segment("REF", "EJ", claim)] if claim else []
    for one in task.get("input", ()):
        qualifier = code(one.get("type"), f"{X12}/374")
        if qualifier:
            span = one.get("valuePeriod") or {"start": one.get("valueDateTime")}
            lines.append(period("DTP", qualifier, span))
    for item in response.get("addItem", ()):
        lines += _line(item)
    return lines


def _reason(concept: Json | None) -> list[str]:
    said = [code(concept, one) for one in (_CATEGORIES, _STATUSES, f"{X12}/98")]
    return said if any(said) else []


def _reasons(body: Json) -> list[list[str]]:
    found = (_reason(one.get("reason")) for one in body.get("adjudication", ()))
    return [one for one in found if one]


def _stc(task: Json, response: Json) -> str:
    totals = {
        code(one["category"], _TOTALS): one.get("amount") for one in response.get("total", ())
    }
    payment = response.get("payment", {})
    reasons = [*_reasons(response), [], []]
    return segment(
        "STC",
        _reason(task.get("businessStatus")),
        digits(response.get("created")),
        extension(response, "STC03"),
        amount(totals.get("submitted")),
        amount(totals.get("benefit")),
        digits(extension(response, "finalized")),
        extension(response, "STC07"),
        digits(payment.get("date")),
        payment.get("identifier", {}).get("value"),
        reasons[1],
        reasons[2],
        response.get("disposition"),
    )


def _line(item: Json) -> Lines:
    paid = {code(one.get("category"), _TOTALS): one.get("amount") for one in item["adjudication"]}
    composite = service(item.get("productOrService"), item.get("modifier", ()))
    lines = [
        segment(
            "SVC",
            composite,
            amount(paid.get("submitted")),
            amount(paid.get("benefit")),
            extension(item, "revenue"),
            "",
            "",
            amount(item.get("quantity")),
        )
    ]
    effective = digits(extension(item, "effective"))
    lines += [segment("STC", reason, effective) for reason in _reasons(item)]
    for one in item.get("extension", ()):
        if one["url"] == f"{OURS}:reference":
            lines += references([one["valueIdentifier"]])
    if item.get("servicedDate"):
        lines.append(segment("DTP", "472", "D8", digits(item["servicedDate"])))
    if item.get("servicedPeriod"):
        lines.append(period("DTP", "472", item["servicedPeriod"]))
    return lines
