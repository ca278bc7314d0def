"""Write 277 (005010X212): what became of claims that somebody asked about.

It mirrors ``sheets/status.psv``.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    digits,
    extension,
    interchange,
    level,
    named,
    period,
    references,
    segment,
    service,
)

_SET = TransactionSet("277", "HN", "005010X212")
_TOTALS = "http://terminology.hl7.org/CodeSystem/adjudication"
_CATEGORIES = "https://x12.org/codes/claim-status-category-codes"
_STATUSES = "https://x12.org/codes/claim-status-codes"


def status(bundle: Json, envelope: Envelope) -> bytes:
    """Write the 277 of a Bundle: each answered Task. Raises `Invalid` where there is none."""
    return statuses([bundle], envelope)


def statuses(bundles: Sequence[Json], envelope: Envelope) -> bytes:
    """Write a 277 with a transaction for each Bundle."""
    return interchange(envelope, _SET, [_transaction(one, envelope) for one in bundles])


def _transaction(bundle: Json, envelope: Envelope) -> Lines:
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
        *level(1, "", "20", named("PR", bundled.party(tasks[0].get("owner")))),
        *level(2, 1, "21", named("41", sender)),
        *level(3, 2, "19", named("1P", bundled.party(tasks[0].get("requester")))),
    ]
    if subscriber:
        lines += [*level(4, 3, "22", named("IL", subscriber)), segment("HL", 5, 4, "23")]
        lines.append(named("QC", patient))
    else:
        lines += [segment("HL", 4, 3, "22", 0), named("IL", patient)]
    for task in tasks:
        lines += _answer(bundled, task)
    return lines


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
    reasons = [*_reasons(response), [], [], []]
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
