"""The journey of a prescription over FHIR: operations on a MedicationRequest (paper Fig. 4).

The order and what is dispensed are plain MedicationRequest and MedicationDispense; an operation is
what needs the ledger or the patient's signature (docs/prescriptions.md lists parameters).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from simdes.errors import Invalid
from simdes.exchange import members
from simdes.exchange.interactions.everything import vaults_of
from simdes.exchange.prescriptions import dispensing, holding, opening, submitted, submitting
from simdes.exchange.prescriptions.dispensing import Wanted
from simdes.exchange.prescriptions.holding import Told
from simdes.exchange.prescriptions.opening import At
from simdes.exchange.prescriptions.submitting import Submitted
from simdes.fhir.checks import detected_issue
from simdes.fhir.search.spans import span_ms
from simdes.gateway.fhir.call import Call, Reply
from simdes.gateway.fhir.operations import parameters_of

Json = dict[str, Any]
_SECONDS_A_DAY: Final = 86_400
_MOST_DAYS: Final = 366


def submit(call: Call) -> Reply:
    """``POST [base]/MedicationRequest/[id]/$submit``: to a pharmacy, as its patient."""
    return _submitted(call, submitting.submit)


def transfer(call: Call) -> Reply:
    """``POST …/$transfer``: to another pharmacy, away from those before."""
    return _submitted(call, submitting.transfer)


def _submitted(call: Call, verb: Callable[..., Submitted]) -> Reply:
    asked = _Asked(call)
    made = verb(
        call.node,
        call.asking,
        call.id,
        asked.organisation("pharmacy"),
        valid_seconds=asked.days("days", submitting.SUBMITTED_SECONDS),
    )
    return _parameters(
        {"name": "code", "valueString": made.code},
        {"name": "payload", "valueString": made.payload},
        {"name": "consent", "valueReference": {"reference": f"Consent/{made.handle.hex()}"}},
        {"name": "until", "valueInstant": holding.instant_of(made.until_seconds)},
    )


def withdraw(call: Call) -> Reply:
    """``POST …/$withdraw``: from every pharmacy that it was submitted to."""
    count = submitting.withdraw(call.node, call.asking, call.id)
    return _parameters({"name": "withdrawn", "valueInteger": count})


def prefer(call: Call) -> Reply:
    """``POST [base]/Patient/[id]/$prefer-pharmacy``: where every prescription goes; without the
    parameter ``pharmacy`` nowhere."""
    asked = _Asked(call)
    pharmacy = asked.organisation("pharmacy") if asked.text("pharmacy") else None
    own = [
        one for one in call.asking.facts.vaults if one in vaults_of(call.node, call.asking, call.id)
    ]
    made = None
    for vault in own:
        made = submitting.prefer(
            call.node,
            call.asking,
            vault,
            pharmacy,
            valid_seconds=asked.days("days", submitting.PREFERRED_SECONDS),
        )
    if not own:
        raise Invalid("Only the patient says where a prescription goes.")
    if made is None:
        return _parameters({"name": "preferred", "valueBoolean": False})
    reference = {"reference": f"Consent/{made.handle.hex()}"}
    return _parameters(
        {"name": "preferred", "valueBoolean": True},
        {"name": "consent", "valueReference": reference},
    )


def status(call: Call) -> Reply:
    """``POST …/$prescription-status``: what the ledger says of it, to whoever may know."""
    told = opening.status(call.node, call.asking, call.id, vault=_at(call).vault)
    return _parameters(*_told(told))


def queue(call: Call) -> Reply:
    """``GET|POST [base]/MedicationRequest/$queue``: what was submitted here, newest first;
    ``since`` leaves out what came before an instant. It opens nothing."""
    found = submitted.queue(call.node, call.asking, since_seconds=_Asked(call).instant("since"))
    return _parameters(
        *(
            {
                "name": "submission",
                "part": [
                    {"name": "code", "valueString": one.code},
                    {
                        "name": "consent",
                        "valueReference": {"reference": f"Consent/{one.handle.hex()}"},
                    },
                    {"name": "every", "valueBoolean": one.every},
                    {"name": "submitted", "valueInstant": holding.instant_of(one.since_seconds)},
                    {"name": "until", "valueInstant": holding.instant_of(one.until_seconds)},
                ],
            }
            for one in found
        )
    )


def open_(call: Call) -> Reply:
    """``POST …/$open``, or ``[base]/MedicationRequest/$open`` with a code: for the pharmacist, the
    prescription with the record beside it and what the checks found."""
    seen = opening.open_(call.node, call.asking, _at(call))
    rows: list[Json] = [{"name": "request", "resource": seen.held.request}]
    rows += [{"name": "status", "part": _told(seen.told)}]
    rows += [{"name": "record", "resource": one} for one in seen.review.record]
    rows += [
        {
            "name": "finding",
            "resource": detected_issue(
                one,
                order=seen.held.opening.request,
                patient=seen.held.request["subject"],
                identified=holding.instant_of(call.node.now_seconds()),
            ),
        }
        for one in seen.review.findings
    ]
    rows += [{"name": "warning", "valueString": one} for one in seen.review.warnings]
    return _parameters(*rows)


def accept(call: Call) -> Reply:
    """``POST …/$accept``: bind it to this pharmacy."""
    state = dispensing.accept(call.node, call.asking, call.id, vault=_at(call).vault)
    return _parameters({"name": "state", "valueCode": state.value})


def release(call: Call) -> Reply:
    """``POST …/$release``: let it go."""
    state = dispensing.release(call.node, call.asking, call.id, vault=_at(call).vault)
    return _parameters({"name": "state", "valueCode": state.value})


def dispense(call: Call) -> Reply:
    """``POST …/$dispense``: the answer says that it may be handed out; ``dry-run`` only looks."""
    asked = _Asked(call)
    wanted = Wanted(
        quantity=asked.quantity("quantity"),
        medication=asked.value("medication", "valueCodeableConcept"),
        why=asked.text("substitution-reason"),
        reason=asked.text("reason"),
        offline=asked.flag("offline"),
    )
    where = _at(call).vault
    if asked.flag("dry-run"):
        planned = dispensing.plan(call.node, call.asking, call.id, wanted, vault=where)
        return _parameters(
            {"name": "dispense", "resource": planned.dispense},
            {"name": "dispensed", "valueBoolean": False},
        )
    made = dispensing.dispense(call.node, call.asking, call.id, wanted, vault=where)
    return _parameters(
        {"name": "dispense", "resource": made}, {"name": "dispensed", "valueBoolean": True}
    )


def refuse(call: Call) -> Reply:
    """``POST …/$refuse-dispense``: with a coded reason."""
    asked = _Asked(call)
    made = dispensing.refuse(
        call.node,
        call.asking,
        call.id,
        asked.text("reason"),
        text=asked.text("text"),
        vault=_at(call).vault,
    )
    return _parameters({"name": "dispense", "resource": made})


def _at(call: Call) -> At:
    """Which prescription is meant: by the address, or by the code that the patient showed."""
    return opening.at(call.node, call.asking, request_id=call.id, code=_Asked(call).text("code"))


def _told(told: Told) -> list[Json]:
    rows: list[Json] = [
        {"name": "request", "valueReference": {"reference": told.request}},
        {"name": "state", "valueCode": told.state.value},
        {"name": "prescribed", "valueQuantity": told.prescribed},
        {"name": "dispensed", "valueQuantity": told.dispensed},
        {"name": "left", "valueQuantity": told.left},
        {"name": "firstDay", "valueDate": told.first_day.isoformat()},
        {"name": "lastDay", "valueDate": told.last_day.isoformat()},
        {"name": "controlled", "valueBoolean": told.controlled},
    ]
    if told.next_fill is not None:
        rows.append({"name": "nextFill", "valueDate": told.next_fill.isoformat()})
    if told.pharmacy:
        rows.append({"name": "pharmacy", "valueString": told.pharmacy})
    for fill in told.fills:
        part: Sequence[Json] = (
            {"name": "dispensed", "valueQuantity": fill.amount},
            {"name": "pharmacy", "valueString": fill.pharmacy},
            {"name": "began", "valueDate": fill.began.isoformat()},
        )
        rows.append({"name": "fill", "part": list(part)})
    return rows


def _parameters(*rows: Json) -> Reply:
    found = {"parameter": list(rows)} if rows else {}
    return Reply(resource={"resourceType": "Parameters", **found})


class _Asked:
    """The parameters of a call by name; a name stands once."""

    def __init__(self, call: Call) -> None:
        self._node = call.node
        self._rows: dict[str, Mapping[str, Any]] = {}
        for row in parameters_of(call)["parameter"]:
            name = str(row.get("name"))
            if name in self._rows:
                raise Invalid(f"The parameter {name} stands more than once.")
            self._rows[name] = row

    def value(self, name: str, kind: str) -> Any:
        """A value of one kind, None where the parameter is missing."""
        row = self._rows.get(name)
        if row is None:
            return None
        if kind not in row:
            raise Invalid(f"The parameter {name} needs a {kind}.")
        return row[kind]

    def text(self, name: str) -> str:
        """A string or code, "" where it is missing."""
        row = self._rows.get(name, {})
        found = row.get("valueString", row.get("valueCode", ""))
        if row and not isinstance(found, str):
            raise Invalid(f"The parameter {name} needs a valueString.")
        return str(found)

    def flag(self, name: str) -> bool:
        """A boolean, false where it is missing."""
        row = self._rows.get(name, {})
        found = row.get("valueBoolean", row.get("valueString") == "true")
        return found is True

    def instant(self, name: str) -> int:
        """An instant or date as unix seconds, 0 where it is missing."""
        row = self._rows.get(name)
        if row is None:
            return 0
        kinds = ("valueInstant", "valueDateTime", "valueDate", "valueString")
        found = next((row[kind] for kind in kinds if kind in row), None)
        try:
            return span_ms(str(found))[0] // 1_000
        except ValueError:
            raise Invalid(f"The parameter {name} is an instant or a date.") from None

    def days(self, name: str, default_seconds: int) -> int:
        """A number of days, in seconds."""
        row = self._rows.get(name)
        if row is None:
            return default_seconds
        found = row.get("valueInteger", row.get("valuePositiveInt"))
        if not isinstance(found, int) or isinstance(found, bool) or not 0 < found <= _MOST_DAYS:
            raise Invalid(f"The parameter {name} is 1 to {_MOST_DAYS} days.")
        return found * _SECONDS_A_DAY

    def quantity(self, name: str) -> Decimal | None:
        """How much, as a Quantity or a decimal."""
        row = self._rows.get(name)
        if row is None:
            return None
        given = row.get("valueQuantity", {})
        found = given.get("value") if isinstance(given, Mapping) else None
        found = row.get("valueDecimal", row.get("valueInteger", found))
        try:
            return Decimal(str(found))
        except InvalidOperation:
            raise Invalid(f"The parameter {name} needs a valueQuantity.") from None

    def organisation(self, name: str) -> bytes:
        """An organisation of the network, by id or name."""
        if not self.text(name):
            raise Invalid(f"The parameter {name} names an organisation of the network.")
        return members.find(self._node, self.text(name))
