"""Commands of a prescription's journey: the patient's, the pharmacist's, and the issuer's round.

A doctor prescribes over FHIR; what needs a signature, the ledger or a proof can be done here, too.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import segno
import typer

from simdes import console
from simdes.commands import counter
from simdes.commands.common import (
    AsJson,
    Data,
    Token,
    User,
    organisation,
    organisation_of,
    seconds,
)
from simdes.commands.consent import OwnVault, own_vault
from simdes.commands.prescription_views import (
    Code,
    Request,
    amount,
    as_document,
    asking_of,
    at,
    show,
)
from simdes.exchange.prescriptions import holding, issuing, opening, settling, submitting

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
        ("work", work),
    ):
        group.command(name)(command)
    counter.add_commands(group)
    cli.add_typer(group, name="prescription")


# The patient ----------------------------------------------------------------------------------


def list_prescriptions(
    data: Data, user: User = None, token: Token = None, as_json: AsJson = False
) -> None:
    """List the prescriptions that you see: your own, or those submitted to your pharmacy."""
    with organisation(data) as one:
        asking = asking_of(one, user, token)
        told = [holding.tell(one.node, held) for held in holding.all_held(one.node, asking)]
        if as_json:
            console.print_json([as_document(each) for each in told])
            return
        console.print_table(
            "Prescriptions",
            ("Prescription", "State", "Left", "Until", "Next fill", "At"),
            [
                (
                    each.request.rpartition("/")[2],
                    each.state.value,
                    amount(each.left),
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
        asking = asking_of(one, user, token)
        where = at(one, asking, prescription, code)
        told = opening.status(one.node, asking, where.request_id, vault=where.vault)
        show(told, as_json=as_json)


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
        asking = asking_of(one, user, token)
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
        asking = asking_of(one, user, token)
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
        asking = asking_of(one, user, token)
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
        asking = asking_of(one, user, token)
        submitting.prefer(
            one.node,
            asking,
            own_vault(one.node, asking.session, vault),
            organisation_of(one.node, to) if to else None,
            valid_seconds=seconds(valid),
        )
        console.say(f"Prescriptions go to {to}." if to else "Prescriptions go nowhere unasked.")


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
