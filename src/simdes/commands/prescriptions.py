"""Commands of a prescription's journey: the patient's, the pharmacist's, and the issuer's round.

A doctor prescribes over FHIR; what needs a signature, the ledger or a proof can be done here, too.
"""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import segno
import typer

from simdes import console
from simdes.app import Opened
from simdes.commands.common import (
    AsJson,
    Data,
    Token,
    User,
    organisation,
    organisation_of,
    seconds,
    signed_in,
)
from simdes.commands.consent import OwnVault, own_vault
from simdes.errors import Invalid
from simdes.exchange import rights
from simdes.exchange.prescriptions import (
    codes,
    dispensing,
    holding,
    issuing,
    opening,
    settling,
    submitting,
)
from simdes.exchange.prescriptions.dispensing import Wanted
from simdes.exchange.prescriptions.holding import Told
from simdes.exchange.prescriptions.opening import At
from simdes.exchange.rights import Asking

Request = Annotated[str, typer.Option("--prescription", help="The id of the MedicationRequest.")]
Code = Annotated[str, typer.Option("--code", help="The code, or QR payload, that was shown.")]
To = Annotated[str, typer.Option("--to", help="The pharmacy, by name or id (0x…).")]
Valid = Annotated[str, typer.Option("--for", help="How long: 12h, 30d, 1y.")]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="Prescriptions, from order to counter.", no_args_is_help=True)
    for name, command in (
        ("list", list_prescriptions),
        ("status", status),
        ("submit", submit),
        ("transfer", transfer),
        ("withdraw", withdraw),
        ("prefer", prefer),
        ("open", open_),
        ("accept", accept),
        ("release", release),
        ("dispense", dispense),
        ("refuse", refuse),
        ("work", work),
    ):
        group.command(name)(command)
    cli.add_typer(group, name="prescription")


def _asking(one: Opened, user: str | None, token: str | None) -> Asking:
    session = signed_in(one, user, token)
    one.node.following.catch_up()
    return rights.ask(one.node, session)


def _at(one: Opened, asking: Asking, prescription: str, code: str) -> At:
    """Which prescription is meant; of a QR payload, its consent's code says it."""
    if code.startswith(codes.PREFIX):
        code = codes.code_of(codes.read_payload(code).handle)
    if not prescription and not code:
        raise Invalid("Which one? Give --prescription or --code.")
    return opening.at(one.node, asking, request_id=prescription, code=code)


# The patient ----------------------------------------------------------------------------------


def list_prescriptions(
    data: Data, user: User = None, token: Token = None, as_json: AsJson = False
) -> None:
    """List the prescriptions that you see: your own, or those submitted to your pharmacy."""
    with organisation(data) as one:
        asking = _asking(one, user, token)
        told = [holding.tell(one.node, held) for held in holding.all_held(one.node, asking)]
        if as_json:
            console.print_json([_json(each) for each in told])
            return
        console.print_table(
            "Prescriptions",
            ("Prescription", "State", "Left", "Until", "Next fill", "At"),
            [
                (
                    each.request.rpartition("/")[2],
                    each.state.value,
                    _amount(each.left),
                    each.last_day,
                    each.next_fill or "",
                    each.pharmacy,
                )
                for each in told
            ],
        )


def status(
    data: Data,
    prescription: Request = "",
    code: Code = "",
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show where a prescription stands, by the ledger."""
    with organisation(data) as one:
        asking = _asking(one, user, token)
        where = _at(one, asking, prescription, code)
        told = opening.status(one.node, asking, where.request_id, vault=where.vault)
        _show(told, as_json=as_json)


def submit(
    data: Data,
    to: To,
    prescription: Request,
    valid: Valid = "14d",
    qr: Annotated[bool, typer.Option("--qr", help="Draw the QR code as well.")] = False,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Submit a prescription to a pharmacy; show its code at the counter."""
    with organisation(data) as one:
        asking = _asking(one, user, token)
        pharmacy = organisation_of(one.node, to)
        made = submitting.submit(
            one.node, asking, prescription, pharmacy, valid_seconds=seconds(valid)
        )
        _submitted(made, to, qr=qr, as_json=as_json)


def transfer(
    data: Data,
    to: To,
    prescription: Request,
    valid: Valid = "14d",
    qr: Annotated[bool, typer.Option("--qr", help="Draw the QR code as well.")] = False,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Submit a prescription to another pharmacy, and withdraw it from those before."""
    with organisation(data) as one:
        asking = _asking(one, user, token)
        pharmacy = organisation_of(one.node, to)
        made = submitting.transfer(
            one.node, asking, prescription, pharmacy, valid_seconds=seconds(valid)
        )
        _submitted(made, to, qr=qr, as_json=as_json)


def _submitted(made: submitting.Submitted, to: str, *, qr: bool, as_json: bool) -> None:
    if as_json:
        console.print_json(
            {
                "prescription": made.request,
                "code": made.code,
                "payload": made.payload,
                "handle": made.handle,
                "until": made.until_seconds,
            }
        )
        return
    console.say(f"Submitted to {to} until {console.instant(made.until_seconds)}.")
    console.say(f"Code for the counter: {made.code}")
    if qr:
        segno.make(made.payload, error="l").terminal(compact=True)


def withdraw(
    data: Data,
    prescription: Request,
    user: User = None,
    token: Token = None,
) -> None:
    """Withdraw a prescription from every pharmacy that it was submitted to."""
    with organisation(data) as one:
        asking = _asking(one, user, token)
        count = submitting.withdraw(one.node, asking, prescription)
        console.say(f"Withdrawn from {count}.")


def prefer(
    data: Data,
    to: Annotated[
        str, typer.Option("--to", help="The pharmacy; none: no prescription goes by itself.")
    ] = "",
    valid: Valid = "1y",
    vault: OwnVault = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Let every prescription go to one pharmacy by itself, until you say otherwise."""
    with organisation(data) as one:
        asking = _asking(one, user, token)
        submitting.prefer(
            one.node,
            asking,
            own_vault(one.node, asking.session, vault),
            organisation_of(one.node, to) if to else None,
            valid_seconds=seconds(valid),
        )
        console.say(f"Prescriptions go to {to}." if to else "Prescriptions go nowhere unasked.")


# The pharmacist -------------------------------------------------------------------------------


def open_(
    data: Data,
    prescription: Request = "",
    code: Code = "",
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Open a prescription with the record beside it and what the checks find."""
    with organisation(data) as one:
        asking = _asking(one, user, token)
        seen = opening.open_(one.node, asking, _at(one, asking, prescription, code))
        if as_json:
            console.print_json(
                {
                    "request": seen.held.request,
                    "status": _json(seen.told),
                    "record": list(seen.review.record),
                    "findings": [
                        {"severity": one.severity.value, "code": one.code, "text": one.summary.en}
                        for one in seen.review.findings
                    ],
                    "warnings": list(seen.review.warnings),
                }
            )
            return
        _show(seen.told, as_json=False)
        for finding in seen.review.findings:
            console.say(f"{finding.severity.value}: {finding.summary.en}")
        for warning in seen.review.warnings:
            console.warn(warning)


def accept(
    data: Data,
    prescription: Request = "",
    code: Code = "",
    user: User = None,
    token: Token = None,
) -> None:
    """Bind a prescription to this pharmacy; nobody else dispenses from it until it is released."""
    with organisation(data) as one:
        asking = _asking(one, user, token)
        where = _meant(one, asking, prescription, code)
        dispensing.accept(one.node, asking, where.request_id, vault=where.vault)
        console.say("Accepted.")


def release(
    data: Data,
    prescription: Request = "",
    code: Code = "",
    user: User = None,
    token: Token = None,
) -> None:
    """Let a prescription go that this pharmacy accepted."""
    with organisation(data) as one:
        asking = _asking(one, user, token)
        where = _meant(one, asking, prescription, code)
        dispensing.release(one.node, asking, where.request_id, vault=where.vault)
        console.say("Released.")


def dispense(
    data: Data,
    prescription: Request = "",
    code: Code = "",
    quantity: Annotated[
        str, typer.Option("--quantity", help="How much; the rest of a fill without it.")
    ] = "",
    instead: Annotated[
        str, typer.Option("--instead", help="What is handed out in place of what was ordered.")
    ] = "",
    why: Annotated[str, typer.Option("--why", help="Why something else is handed out.")] = "",
    reason: Annotated[
        str, typer.Option("--reason", help="Why it is dispensed over what the checks found.")
    ] = "",
    offline: Annotated[
        bool, typer.Option("--offline", help="Hand out even while the ledger is away.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be dispensed; do nothing.")
    ] = False,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Dispense. Hand out only once this says so: exit code 0."""
    wanted = Wanted(
        quantity=_quantity(quantity),
        medication={"text": instead} if instead else None,
        why=why,
        reason=reason,
        offline=offline,
    )
    with organisation(data) as one:
        asking = _asking(one, user, token)
        where = _meant(one, asking, prescription, code)
        verb = dispensing.plan if dry_run else dispensing.dispense
        found = verb(one.node, asking, where.request_id, wanted, vault=where.vault)
        made = found.dispense if isinstance(found, dispensing.Planned) else found
        if as_json:
            console.print_json({"dispensed": not dry_run, "dispense": made})
            return
        amount = _amount(made["quantity"])
        console.say(f"It would be: {amount}." if dry_run else f"Hand out: {amount}.")


def refuse(
    data: Data,
    reason: Annotated[
        str, typer.Option("--reason", help="outofstock, clarif, saig, sddi, sdupther …")
    ],
    prescription: Request = "",
    code: Code = "",
    text: Annotated[str, typer.Option("--text", help="More in words.")] = "",
    user: User = None,
    token: Token = None,
) -> None:
    """Refuse to dispense, with a coded reason that goes into the record."""
    with organisation(data) as one:
        asking = _asking(one, user, token)
        where = _meant(one, asking, prescription, code)
        dispensing.refuse(one.node, asking, where.request_id, reason, text=text, vault=where.vault)
        console.say("Refused, and on record.")


# The organisation -----------------------------------------------------------------------------


def work(data: Data, as_json: AsJson = False) -> None:
    """Issue what is due by the timetable, cancel what ended, settle what was handed out offline.

    `simdes serve` does it by itself; this is for an organisation that runs no server.
    """
    with organisation(data) as one:
        issued, settled = issuing.work(one.node), settling.settle(one.node)
        if as_json:
            console.print_json({"issued": asdict(issued), "settled": asdict(settled)})
            return
        console.say(
            f"{issued.batches} batches with {issued.prescriptions} prescriptions, "
            f"{issued.cancelled} cancelled; {settled.dispensed} settled, "
            f"{settled.refused} never happened, {settled.conflicts} in conflict."
        )


def _meant(one: Opened, asking: Asking, prescription: str, code: str) -> At:
    """The prescription that is meant, its id found where only a code was given."""
    where = _at(one, asking, prescription, code)
    if where.request_id:
        return where
    held = opening.open_(one.node, asking, where).held
    return At(str(held.request["id"]), held.vault, held.tag_bytes)


def _quantity(text: str) -> Decimal | None:
    try:
        return Decimal(text) if text else None
    except InvalidOperation:
        raise Invalid("The quantity is a number.") from None


def _show(told: Told, *, as_json: bool) -> None:
    if as_json:
        console.print_json(_json(told))
        return
    console.say(f"{told.request}: {told.state.value}")
    console.say(f"Prescribed {_amount(told.prescribed)}, left {_amount(told.left)}.")
    console.say(f"From {told.first_day} to {told.last_day}.")
    if told.next_fill is not None:
        console.say(f"Next fill from {told.next_fill}.")
    for fill in told.fills:
        console.say(f"By {fill.began} at {fill.pharmacy}: {_amount(fill.amount)} in all.")


def _json(told: Told) -> dict[str, Any]:
    return {
        "prescription": told.request,
        "state": told.state.value,
        "prescribed": told.prescribed,
        "dispensed": told.dispensed,
        "left": told.left,
        "firstDay": told.first_day.isoformat(),
        "lastDay": told.last_day.isoformat(),
        "nextFill": told.next_fill.isoformat() if told.next_fill else None,
        "pharmacy": told.pharmacy,
        "controlled": told.controlled,
        "fills": [
            {
                "dispensed": one.amount,
                "pharmacy": one.pharmacy,
                "began": one.began.isoformat(),
            }
            for one in told.fills
        ],
    }


def _amount(quantity: dict[str, Any]) -> str:
    return f"{quantity['value']} {quantity.get('unit', '')}".strip()
