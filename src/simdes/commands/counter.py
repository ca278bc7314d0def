"""Commands at the counter: a pharmacist's queue, and what is done with a prescription."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Annotated

import typer

from simdes import console, typed_numbers
from simdes.app import Opened
from simdes.commands.common import AsJson, Data, Token, User, organisation, seconds
from simdes.commands.prescription_views import (
    Code,
    Request,
    amount,
    as_document,
    asking_of,
    at,
    meant,
    show,
)
from simdes.errors import Invalid
from simdes.exchange.prescriptions import dispensing, holding, opening, submitted
from simdes.exchange.prescriptions.dispensing import Wanted
from simdes.exchange.rights import Asking

WATCH_SECONDS = 2.0
"""How often the queue is looked at while somebody watches it."""


def add_commands(group: typer.Typer) -> None:
    """Add this module's commands to the group of prescriptions."""
    for name, command in (
        ("queue", queue),
        ("open", open_),
        ("accept", accept),
        ("release", release),
        ("dispense", dispense),
        ("refuse", refuse),
    ):
        group.command(name)(command)


def queue(
    data: Data,
    since: Annotated[
        str, typer.Option("--since", help="Only of the last 2h, 1d …; everything without it.")
    ] = "",
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on, and say what comes, until Ctrl-C.")
    ] = False,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show what was submitted to this pharmacy; it opens nothing."""
    with organisation(data) as one:
        asking = asking_of(one, user, token)
        first = one.node.now_seconds() - seconds(since) if since else 0
        found = submitted.queue(one.node, asking, since_seconds=first)
        if as_json:
            console.print_json([_submission(each) for each in found])
        else:
            console.print_table(
                "Submitted",
                ("Code", "Since", "Until", "What"),
                [tuple(_submission(each).values())[:4] for each in found],
            )
        if watch:
            _watch(one, asking, {each.handle for each in found}, as_json)


def _watch(one: Opened, asking: Asking, known: set[bytes], as_json: bool) -> None:
    """Ring for each submission that is new, as long as the session lasts."""
    while True:
        time.sleep(WATCH_SECONDS)
        for each in submitted.queue(one.node, asking):
            if each.handle in known:
                continue
            known.add(each.handle)
            if as_json:
                console.print_json(_submission(each))
            else:
                typer.echo("\a", nl=False)
                console.say(f"{each.code} was submitted, until {_when(each.until_seconds)}.")


def _submission(one: submitted.Submission) -> dict[str, object]:
    return {
        "code": one.code,
        "submitted": _when(one.since_seconds),
        "until": _when(one.until_seconds),
        "what": "every prescription" if one.every else "one prescription",
        "consent": one.handle.hex(),
    }


def _when(unix_seconds: int) -> str:
    return holding.instant_of(unix_seconds)


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
        asking = asking_of(one, user, token)
        seen = opening.open_(one.node, asking, at(one, asking, prescription, code))
        if as_json:
            console.print_json(
                {
                    "request": seen.held.request,
                    "status": as_document(seen.told),
                    "record": list(seen.review.record),
                    "findings": [
                        {"severity": one.severity.value, "code": one.code, "text": one.summary.en}
                        for one in seen.review.findings
                    ],
                    "warnings": list(seen.review.warnings),
                }
            )
            return
        show(seen.told, as_json=False)
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
        asking = asking_of(one, user, token)
        where = meant(one, asking, prescription, code)
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
        asking = asking_of(one, user, token)
        where = meant(one, asking, prescription, code)
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
        asking = asking_of(one, user, token)
        where = meant(one, asking, prescription, code)
        verb = dispensing.plan if dry_run else dispensing.dispense
        found = verb(one.node, asking, where.request_id, wanted, vault=where.vault)
        made = found.dispense if isinstance(found, dispensing.Planned) else found
        if as_json:
            console.print_json({"dispensed": not dry_run, "dispense": made})
            return
        quantity = amount(made["quantity"])
        console.say(f"It would be: {quantity}." if dry_run else f"Hand out: {quantity}.")


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
        asking = asking_of(one, user, token)
        where = meant(one, asking, prescription, code)
        dispensing.refuse(one.node, asking, where.request_id, reason, text=text, vault=where.vault)
        console.say("Refused, and on record.")


def _quantity(text: str) -> Decimal | None:
    number = typed_numbers.read(text)
    if text and number is None:
        raise Invalid("The quantity is a number.")
    return number
