"""Write 271 (005010X279A1): what a CoverageEligibilityResponse says of somebody's cover.

It mirrors ``sheets/eligibility.psv``. Benefits that name X12's kinds are written as they were read;
those in FHIR's own (http://terminology.hl7.org/CodeSystem/benefit-type) are translated, each with
what is left of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

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
    born,
    code,
    digits,
    extension,
    interchange,
    level,
    located,
    named,
    period,
    references,
    segment,
    service,
    traced,
)

_SET: Final = TransactionSet("271", "HB", "005010X279A1")
_SERVICE_TYPES: Final = "https://x12.org/codes/service-type-codes"
_WHOLE_PLAN: Final = "30"
_NETWORK: Final = {"in": "Y", "out": "N"}
_UNABLE: Final = "42"

# The kind (EB01), period (EB06) and measure (EB09) of FHIR's types of benefits; an empty period is
# that of the item's term.
_KINDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "benefit": ("F", "", ""),
    "deductible": ("C", "", ""),
    "copay": ("B", "27", ""),
    "copay-percent": ("A", "27", ""),
    "copay-maximum": ("G", "", ""),
    "visit": ("F", "", "VS"),
    "room": ("F", "", "DY"),
}
_TERMS: Final = {"annual": "23", "day": "7", "lifetime": "32"}
_UNITS: Final = {"individual": "IND", "family": "FAM"}
_REMAINING: Final = "29"


def eligibility(bundle: Json, envelope: Envelope) -> bytes:
    """Write the 271 of a Bundle. Raises `Invalid` without a CoverageEligibilityResponse."""
    return eligibilities([bundle], envelope)


def eligibilities(bundles: Sequence[Json], envelope: Envelope) -> bytes:
    """Write a 271 with a transaction for each Bundle."""
    return interchange(envelope, _SET, [_transaction(one, envelope) for one in bundles])


def _transaction(bundle: Json, envelope: Envelope) -> Lines:
    bundled = Bundled(bundle)
    response = next(iter(bundled.of("CoverageEligibilityResponse")), None)
    if response is None:
        raise Invalid("a 271 needs a CoverageEligibilityResponse")
    insurance = (response.get("insurance") or [{}])[0]
    coverage = bundled.get(insurance.get("coverage")) or _asked(bundled)
    own = [one["value"] for one in response.get("identifier", ()) if "system" not in one]
    number = own[0] if own else ""
    lines = [
        segment("BHT", "0022", "11", number, envelope.day, envelope.time),
        *level(1, "", "20", named("PR", bundled.party(response.get("insurer")))),
        *level(2, 1, "21", named("1P", bundled.party(response.get("requestor")))),
        *_people(bundled, response, insurance, coverage),
    ]
    items = insurance.get("item", ())
    if _is_told_by_x12(items):
        return [*lines, *(line for item in items for line in _benefit(bundled, item))]
    return [*lines, *_cover(insurance, coverage), *(one for each in items for one in _told(each))]


def _asked(bundled: Bundled) -> Json:
    """The Coverage that was asked about, where nothing is insured."""
    for request in bundled.of("CoverageEligibilityRequest"):
        for one in request.get("insurance", ()):
            return bundled.get(one.get("coverage"))
    return {}


def _people(bundled: Bundled, response: Json, insurance: Json, coverage: Json) -> Lines:
    """Write the subscriber, and the dependent where the patient is one, as the guide orders it."""
    patient = bundled.get(response.get("patient"))
    subscriber = bundled.subscriber(coverage, patient)
    trace = _trace(response)
    number = coverage.get("subscriberId", "")
    about = [*located(patient), *_rejections(response), *born(patient)]
    about += _member(response, insurance, coverage)
    groups = _groups(coverage)
    if not subscriber:
        name = named("IL", patient, member=number)
        return [segment("HL", 3, 2, "22", 0), *trace, name, *groups, *about]
    return [
        *level(3, 2, "22", named("IL", subscriber, member=number)),
        *groups,
        *located(subscriber),
        *born(subscriber),
        segment("HL", 4, 3, "23", 0),
        *trace,
        named("03", patient),
        *about,
    ]


def _trace(response: Json) -> Lines:
    identifier = response.get("request", {}).get("identifier")
    return [traced(identifier, kind="2")] if identifier else []


def _groups(coverage: Json) -> Lines:
    return [
        segment("REF", qualifier, one.get("value"), one.get("name"))
        for kind, qualifier in (("group", "6P"), ("plan", "18"))
        for one in coverage.get("class", ())
        if code(one.get("type")) == kind
    ]


def _member(response: Json, insurance: Json, coverage: Json) -> Lines:
    lines: Lines = []
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
            code(error.get("code"), f"{X12}/901") or _UNABLE,
            code(error.get("code"), f"{X12}/889") or "C",
        )
        for error in response.get("error", ())
    ]


# Benefits as X12 told them --------------------------------------------------------------------


def _is_told_by_x12(items: Sequence[Json]) -> bool:
    """Whether these items name X12's kinds of benefits."""
    return any(
        code(concept, f"{X12}/1390")
        for item in items
        for concept in (item.get("category"), *(one["type"] for one in item.get("benefit", ())))
    )


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
        *_conditions(item),
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


def _conditions(item: Json) -> list[str | list[str]]:
    """EB11 to EB13: whether it needs authorisation, whose network it holds in, the service."""
    required = {True: "Y", False: "N"}.get(item.get("authorizationRequired"), "")  # type: ignore[arg-type]
    asked = item.get("productOrService")
    return [
        required,
        _NETWORK.get(code(item.get("network")), ""),
        service(asked, item.get("modifier", ())) if asked else "",
    ]


# Benefits in FHIR's own kinds -----------------------------------------------------------------


def _cover(insurance: Json, coverage: Json) -> Lines:
    """Write EB for cover in force or not, once for each type of service that is told of."""
    if "inforce" not in insurance:
        return []
    plans = [one for one in coverage.get("class", ()) if code(one.get("type")) == "plan"]
    name = next((one.get("name") or one.get("value") for one in plans), "")
    items = insurance.get("item", ())
    types = [_service_type(one) for one in items if not one.get("excluded")]
    every = dict.fromkeys([_WHOLE_PLAN, *(one for one in types if one)])
    kind = "1" if insurance["inforce"] else "6"
    return [segment("EB", kind, "", one, "", name) for one in every]


def _service_type(item: Json) -> str:
    return code(item.get("category"), _SERVICE_TYPES)


def _told(item: Json) -> Iterator[str]:
    """Write EB for each benefit of an item, and for what is left of it.

    What names neither a type of service nor a code, such as a rule for a range of codes, has no
    place in an EB that would not promise it for more.
    """
    if not _service_type(item) and not code(item.get("productOrService")):
        return
    if item.get("excluded"):
        yield _eb(item, "I", "", _NO_PARTS)
        return
    benefits = item.get("benefit", ())
    if not benefits and code(item.get("productOrService")):
        yield _eb(item, "1", "", _NO_PARTS)
    for one in benefits:
        known = _KINDS.get(code(one.get("type")))
        if known is None:
            continue
        kind, time, measure = known
        time = time or _TERMS.get(code(item.get("term")), "")
        yield _eb(item, kind, time, _allowed(one, measure))
        if "usedMoney" in one or "usedUnsignedInt" in one:
            yield _eb(item, kind, _REMAINING, _left(one, measure))


_Parts = tuple[str, str, str, str]
"""EB07 to EB10: money, a share of one, what is counted and how many of it."""
_NO_PARTS: Final = ("", "", "", "")


def _allowed(benefit: Json, measure: str) -> _Parts:
    if "allowedMoney" in benefit:
        return amount(benefit["allowedMoney"]), "", "", ""
    if "allowedUnsignedInt" in benefit:
        return "", "", measure, str(benefit["allowedUnsignedInt"])
    return "", _share(benefit.get("allowedString", "")), "", ""


def _share(percent: str) -> str:
    """Write a percentage as X12 does, as a share of one; nothing for what is none."""
    try:
        return f"{(Decimal(percent) / 100).normalize():f}"
    except InvalidOperation:
        return ""


def _left(benefit: Json, measure: str) -> _Parts:
    if "usedMoney" in benefit:
        allowed, used = benefit["allowedMoney"], benefit["usedMoney"]
        left = max(Decimal(allowed["value"]) - Decimal(used["value"]), Decimal(0))
        return amount({"value": left}), "", "", ""
    count = max(benefit["allowedUnsignedInt"] - benefit["usedUnsignedInt"], 0)
    return "", "", measure, str(count)


def _eb(item: Json, kind: str, time: str, parts: _Parts) -> str:
    return segment(
        "EB",
        kind,
        _UNITS.get(code(item.get("unit")), ""),
        _service_type(item),
        "",
        item.get("name"),
        time,
        *parts,
        *_conditions(item),
    )
