"""Emergencies: open one, list them, review them."""

from __future__ import annotations

from typing import Annotated

import typer

from simdes import console
from simdes.commands.common import (
    AsJson,
    Data,
    Patient,
    Token,
    User,
    organisation,
    signed_in,
    vault_of,
)
from simdes.errors import NotFound
from simdes.exchange import emergencies
from simdes.exchange.emergencies import OUTCOMES, REASONS, Emergency
from simdes.exchange.node import Node
from simdes.exchange.signin import Session

Handle = Annotated[str, typer.Option("--handle", help="The emergency (0x…, or its beginning).")]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="Break glass, and review who did.", no_args_is_help=True)
    group.command("open")(open_)
    group.command("list")(list_)
    group.command("review")(review)
    cli.add_typer(group, name="emergency")


def open_(
    data: Data,
    patient: Patient,
    reason: Annotated[str, typer.Option("--reason", help=", ".join(REASONS) + ".")],
    text: Annotated[str, typer.Option("--text", help="In a few words; needed for other.")] = "",
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Open a patient's record without their consent; they are told at once, and it is reviewed."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        made = emergencies.open_(
            one.node,
            session,
            vault=vault_of(one.node, patient, session),
            reason=reason,
            text=text,
            name=session.actor.user,
        )
        if as_json:
            console.print_json(vars_of(made))
            return
        console.say(f"Open until {console.instant(made.until_seconds)}, for you alone.")
        console.say(f"Read under it: simdes read --emergency 0x{made.handle.hex()} …")


def list_(
    data: Data,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those to review now.")] = False,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List the organisation's emergencies; to a doctor or nurse, their own."""
    with organisation(data) as one:
        listed = emergencies.listed(one.node, signed_in(one, user, token))
        shown = [each for each in listed if each.overdue or not overdue]
        if as_json:
            console.print_json([vars_of(each) for each in shown])
            return
        console.print_table(
            "Emergencies",
            ("Handle", "Opened", "Until", "By", "Reason", "Review"),
            [
                (
                    f"0x{each.handle.hex()[:16]}…",
                    console.instant(each.opened_seconds),
                    console.instant(each.until_seconds),
                    each.name,
                    each.reason,
                    each.outcome
                    or ("overdue" if each.overdue else console.instant(each.review_due_seconds)),
                )
                for each in shown
            ],
        )


def review(
    data: Data,
    handle: Handle,
    outcome: Annotated[str, typer.Option("--outcome", help=" or ".join(OUTCOMES) + ".")],
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Judge an emergency as an administrator; an unjustified one ends at once."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        made = emergencies.review(
            one.node, session, _handle(one.node, session, handle), outcome=outcome
        )
        if as_json:
            console.print_json(vars_of(made))
        else:
            console.say(f"Reviewed: {made.outcome}.")


def vars_of(one: Emergency) -> dict[str, object]:
    """An emergency as JSON."""
    return {
        "handle": one.handle,
        "vault": one.vault,
        "account": one.account,
        "name": one.name,
        "reason": one.reason,
        "text": one.text,
        "opened": one.opened_seconds,
        "until": one.until_seconds,
        "reviewDue": one.review_due_seconds,
        "outcome": one.outcome,
        "open": one.open,
        "overdue": one.overdue,
    }


def _handle(node: Node, session: Session, text: str) -> bytes:
    digits = text.removeprefix("0x").lower()
    listed = emergencies.listed(node, session)
    found = [one.handle for one in listed if one.handle.hex().startswith(digits)]
    if len(found) != 1:
        raise NotFound("No one emergency has this handle.", advice="See `simdes emergency list`.")
    return found[0]
