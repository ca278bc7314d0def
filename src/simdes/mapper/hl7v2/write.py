"""Write HL7 v2 pharmacy messages of FHIR: RDE^O11 of MedicationRequests, RDS^O13 of dispenses.

Chapter 4A of the HL7 v2 standard. The rows below mirror the overlay's maps of the same segments, so
that what is written here is read back as it was. Pure: the caller gives time and control id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from simdes.errors import Invalid
from simdes.mapper.hl7v2 import compose
from simdes.mapper.hl7v2 import wording as say
from simdes.mapper.hl7v2.compose import Field
from simdes.mapper.hl7v2.er7 import Separators
from simdes.mapper.model import Json

Row = tuple[int, str, Callable[..., say.Parts]]
"""A field, the FHIR path of what it says (``()`` follows a reference), and its data type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What MSH says: who writes to whom (plain names), when (DTM), and the message's number."""

    sender: tuple[str, str]
    receiver: tuple[str, str]
    time: str
    control: str
    version: str = "2.5.1"
    processing: str = "P"
    separators: Separators = compose.USUAL


_PID: tuple[Row, ...] = (
    (3, "identifier", say.cx),
    (5, "name", say.xpn),
    (7, "birthDate", say.dtm),
    (8, "gender", say.gender),
    (11, "address", say.xad),
    (13, "telecom", say.xtn),
)
_PV1: tuple[Row, ...] = ((19, "identifier", say.cx),)
_ORC: tuple[Row, ...] = (
    (4, "groupIdentifier", say.ei),
    (9, "authoredOn", say.dtm),
    (10, "recorder()", say.xcn),
    (12, "requester().practitioner()", say.xcn),
    (12, "requester()", say.xcn),
    (16, "statusReason", say.cwe),
    (21, "requester().organization()", say.xon),
)
_DOSE = "dosageInstruction.doseAndRate"
_SUPPLY = "dispenseRequest"
_RXE: tuple[Row, ...] = (
    (2, "medicationReference().code", say.cwe),
    (2, "medicationCodeableConcept", say.cwe),
    (3, f"{_DOSE}.doseQuantity", say.amount),
    (3, f"{_DOSE}.doseRange.low", say.amount),
    (4, f"{_DOSE}.doseRange.high", say.amount),
    (5, f"{_DOSE}.doseQuantity", say.units),
    (5, f"{_DOSE}.doseRange.low", say.units),
    (6, "medicationReference().form", say.cwe),
    (7, "dosageInstruction.additionalInstruction", say.cwe),
    (9, "substitution.allowedCodeableConcept", say.code),
    (10, f"{_SUPPLY}.quantity", say.amount),
    (11, f"{_SUPPLY}.quantity", say.units),
    (12, f"{_SUPPLY}.numberOfRepeatsAllowed", say.number),
    (19, "dosageInstruction.maxDosePerPeriod.numerator", say.cq),
    (23, f"{_DOSE}.rateQuantity", say.amount),
    (24, f"{_DOSE}.rateQuantity", say.units),
    (27, "reasonCode", say.cwe),
    (40, f"{_SUPPLY}.performer()", say.organization_code),
)
_RXO: tuple[Row, ...] = (
    (1, "medicationReference().code", say.cwe),
    (1, "medicationCodeableConcept", say.cwe),
    (2, f"{_DOSE}.doseQuantity", say.amount),
    (2, f"{_DOSE}.doseRange.low", say.amount),
    (3, f"{_DOSE}.doseRange.high", say.amount),
    (4, f"{_DOSE}.doseQuantity", say.units),
    (4, f"{_DOSE}.doseRange.low", say.units),
    (5, "medicationReference().form", say.cwe),
    (7, "dosageInstruction.additionalInstruction", say.cwe),
    (9, "substitution.allowedCodeableConcept", say.code),
    (11, f"{_SUPPLY}.quantity", say.amount),
    (12, f"{_SUPPLY}.quantity", say.units),
    (13, f"{_SUPPLY}.numberOfRepeatsAllowed", say.number),
    (20, "reasonCode", say.cwe),
)
_TQ1: tuple[Row, ...] = (
    (4, "timing.repeat.timeOfDay", say.tm),
    (6, "timing.repeat.boundsDuration", say.cq),
    (7, "timing.repeat.boundsPeriod.start", say.dtm),
    (8, "timing.repeat.boundsPeriod.end", say.dtm),
    (11, "text", say.text),
    (14, "timing.repeat.count", say.number),
)
_RXR: tuple[Row, ...] = ((1, "route", say.cwe), (2, "site", say.cwe), (4, "method", say.cwe))
_RXC: tuple[Row, ...] = (
    (2, "itemCodeableConcept", say.cwe),
    (3, "strength.numerator", say.amount),
    (4, "strength.numerator", say.units),
)
_RXD: tuple[Row, ...] = (
    (2, "medicationReference().code", say.cwe),
    (2, "medicationCodeableConcept", say.cwe),
    (3, "whenHandedOver", say.dtm),
    (3, "whenPrepared", say.dtm),
    (4, "quantity", say.amount),
    (5, "quantity", say.units),
    (6, "medicationReference().form", say.cwe),
    (9, "note.text", say.text),
    (10, "performer.actor().practitioner()", say.xcn),
    (10, "performer.actor()", say.xcn),
    (11, "substitution.type", say.code),
    (12, "dosageInstruction.maxDosePerPeriod.numerator", say.cq),
    (18, "medicationReference().batch.lotNumber", say.text),
    (19, "medicationReference().batch.expirationDate", say.dtm),
    (20, "medicationReference().manufacturer()", say.organization_code),
    (33, "type", say.cwe),
)
_CONTROL = {"cancelled": "CA", "stopped": "DC", "on-hold": "HD", "entered-in-error": "CA"}
_ORDER_STATUS = {
    "active": "IP",
    "on-hold": "HD",
    "cancelled": "CA",
    "completed": "CM",
    "stopped": "DC",
    "entered-in-error": "ER",
}
# A dispense that is complete needs no word: ORC-5 would say it of the whole order.
_DISPENSE_STATUS = {
    "preparation": "SC",
    "in-progress": "IP",
    "on-hold": "HD",
    "cancelled": "CA",
    "stopped": "DC",
    "entered-in-error": "ER",
}
_PRIORITY = {"stat": "S", "asap": "A", "urgent": "A", "routine": "R"}
_CLASS = {"IMP": "I", "ACUTE": "I", "NONAC": "I", "AMB": "O", "EMER": "E", "PRENC": "P"}


class _Writer:
    """Writes the segments of one message from the resources of one Bundle."""

    def __init__(self, bundle: Json, signs: Separators) -> None:
        self.signs = signs
        self.resources: list[Json] = [
            entry["resource"] for entry in bundle.get("entry", ()) if "resource" in entry
        ]
        self._known: dict[str, Json] = {}
        for entry in bundle.get("entry", ()):
            resource = entry.get("resource", {})
            self._known[f"{resource.get('resourceType')}/{resource.get('id')}"] = resource
            if "fullUrl" in entry:
                self._known[entry["fullUrl"]] = resource
        self.lines: list[str] = []

    def all(self, kind: str) -> list[Json]:
        return [found for found in self.resources if found.get("resourceType") == kind]

    def follow(self, holder: Json, reference: Json) -> Json | None:
        target = reference.get("reference", "")
        if target.startswith("#"):
            contained: list[Json] = holder.get("contained", [])
            return next((one for one in contained if one.get("id") == target[1:]), None)
        return self._known.get(target)

    def values(self, holder: Json, path: str) -> Iterator[Any]:
        """Give what stands at ``path``, lists taken apart, references followed at ``()``."""
        found: list[Any] = [holder]
        for step in path.split("."):
            name = step.removesuffix("()")
            inner = [one.get(name) for one in found if isinstance(one, dict)]
            flat = [
                item
                for one in inner
                if one is not None
                for item in (one if isinstance(one, list) else [one])
            ]
            if step != name:
                flat = [self.follow(holder, one) for one in flat if isinstance(one, dict)]
            found = [one for one in flat if one is not None]
        yield from found

    def fields(self, holder: Json, rows: Sequence[Row]) -> dict[int, Field]:
        """Fill the fields of a segment; of two rows for one field the first that says anything."""
        made: dict[int, Field] = {}
        for number, path, write in rows:
            if number not in made:
                parts = [write(value) for value in self.values(holder, path)]
                said = [part for part in parts if any(part)]
                if said:
                    made[number] = said
        return made

    def put(self, name: str, fields: dict[int, Field]) -> None:
        self.lines.append(compose.segment(name, fields, self.signs))

    def header(self, envelope: Envelope, event: tuple[str, str, str]) -> None:
        fields: dict[int, Field] = {
            3: envelope.sender[0],
            4: envelope.sender[1],
            5: envelope.receiver[0],
            6: envelope.receiver[1],
            7: envelope.time,
            9: event,
            10: envelope.control,
            11: envelope.processing,
            12: envelope.version,
            18: "UNICODE UTF-8",
        }
        self.put("MSH", fields)
        patients, visits = self.all("Patient"), self.all("Encounter")
        if len(patients) != 1:
            raise Invalid(
                f"a pharmacy message is about one patient, this Bundle holds {len(patients)}",
                advice="Write a message for each patient.",
            )
        self.put("PID", self.fields(patients[0], _PID))
        if visits:
            kind = _CLASS.get(visits[0].get("class", {}).get("code", ""), "U")
            self.put("PV1", {2: kind, **self.fields(visits[0], _PV1)})

    def order(self, request: Json, control: str, statuses: dict[str, str], status: str) -> None:
        fields = self.fields(request, _ORC)
        identifiers = request.get("identifier", [])
        for number, code in ((2, "PLAC"), (3, "FILL")):
            own = [one for one in identifiers if say.type_code(one) == code]
            if not own and code == "PLAC":
                own = [one for one in identifiers if not one.get("type")]
            if own:
                fields[number] = say.ei(own[0])
        fields |= {1: control, 5: statuses.get(status, "")}
        self.put("ORC", fields)

    def drug(self, holder: Json) -> None:
        """Write RXR of each dosage, and RXC of each ingredient of a mixture."""
        for dosage in holder.get("dosageInstruction", ()):
            route = self.fields(dosage, _RXR)
            if route:
                self.put("RXR", route)
        for ingredient in self.values(holder, "medicationReference().ingredient"):
            kind = "A" if ingredient.get("isActive", True) else "B"
            self.put("RXC", {1: kind, **self.fields(ingredient, _RXC)})

    def timing(self, request: Json) -> None:
        for number, dosage in enumerate(request.get("dosageInstruction", ()), 1):
            fields = self.fields(dosage, _TQ1)
            pattern = _pattern(dosage)
            if any(pattern):
                fields[3] = pattern
            elif 11 not in fields:
                fields[11] = say.repeat_words(dosage.get("timing", {}).get("repeat", {}))
            if request.get("priority") in _PRIORITY:
                fields[9] = _PRIORITY[request["priority"]]
            if dosage.get("asNeededBoolean") is True and fields.get(9, "R") == "R":
                fields[9] = "PRN"
            if fields:
                self.put("TQ1", {1: str(number), **fields})

    def notes(self, holder: Json) -> None:
        for number, note in enumerate(holder.get("note", ()), 1):
            self.put("NTE", {1: str(number), 3: note.get("text", "")})

    def encoded(self, request: Json) -> None:
        """Write RXE with its notes, timing, route and components."""
        fields = self.fields(request, _RXE)
        prescription = _number_of(request)
        if prescription:
            fields[15] = prescription
        self.put("RXE", fields)
        self.notes(request)
        self.timing(request)
        self.drug(request)

    def asked(self, request: Json) -> Json | None:
        """Find the original order that ``request`` is the pharmacy's view of."""
        for base in self.values(request, "basedOn()"):
            if base.get("intent") == "original-order":
                found: Json = base
                return found
        return None


def _number_of(holder: Json) -> str:
    """Find the prescription number, which has a type in words."""
    own = [one for one in holder.get("identifier", ()) if "text" in one.get("type", {})]
    return str(own[0].get("value", "")) if own else ""


def _pattern(dosage: Json) -> say.Parts:
    """Write a Timing as RPT: the code, else what repeats it; a period with its unit; the event."""
    timing = dosage.get("timing", {})
    repeat = timing.get("repeat", {})
    said = say.code(timing.get("code", {})) or say.repeat_pattern(repeat)
    period = (
        say.number(repeat["period"]) if "period" in repeat and "frequency" not in repeat else ()
    )
    unit = repeat.get("periodUnit", "") if period else ""
    when = next(iter(repeat.get("when", ())), "")
    return (*(said or ("",)), "", "", "", *(period or ("",)), unit, "", when)


def rde(bundle: Json, envelope: Envelope) -> bytes:
    """Write the MedicationRequests of ``bundle`` as RDE^O11, for its one Patient.

    A request based on an ``original-order`` of the Bundle takes that one along as RXO. Raises
    `Invalid` without a request, or without exactly one patient.
    """
    writer = _Writer(bundle, envelope.separators)
    requests = writer.all("MedicationRequest")
    if not requests:
        raise Invalid("no MedicationRequest", advice="Give a Bundle with one, and its Patient.")
    writer.header(envelope, ("RDE", "O11", "RDE_O11"))
    originals = [id(found) for one in requests if (found := writer.asked(one)) is not None]
    for request in requests:
        if id(request) in originals:
            continue
        status = request.get("status", "")
        writer.order(request, _CONTROL.get(status, "NW"), _ORDER_STATUS, status)
        original = writer.asked(request)
        if original is not None:
            writer.put("RXO", writer.fields(original, _RXO))
            writer.notes(original)
            writer.drug(original)
        writer.encoded(request)
    return compose.message(writer.lines)


def rds(bundle: Json, envelope: Envelope) -> bytes:
    """Write the MedicationDispenses of ``bundle`` as RDS^O13, for its one Patient.

    Each has the order it was dispensed for before it, where the Bundle holds that. Raises `Invalid`
    without a dispense, or without exactly one patient.
    """
    writer = _Writer(bundle, envelope.separators)
    dispenses = writer.all("MedicationDispense")
    if not dispenses:
        raise Invalid("no MedicationDispense", advice="Give a Bundle with one, and its Patient.")
    writer.header(envelope, ("RDS", "O13", "RDS_O13"))
    for number, dispense in enumerate(dispenses, 1):
        status = dispense.get("status", "")
        request = next(writer.values(dispense, "authorizingPrescription()"), None)
        writer.order(request or dispense, "RE", _DISPENSE_STATUS, status)
        if request is not None:
            writer.encoded(request)
        fields = {1: str(number), **writer.fields(dispense, _RXD)}
        prescription = _number_of(dispense) or _number_of(request or {})
        if prescription:
            fields[7] = prescription
        writer.put("RXD", fields)
        writer.drug(dispense)
    return compose.message(writer.lines)
