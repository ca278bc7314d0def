"""Commands for the organisations of a network: who is in it, verifying, suspending, trusting."""

from __future__ import annotations

from typing import Annotated

import typer

from simdes import console
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
from simdes.exchange import enrolment, members, membership

Which = Annotated[str, typer.Argument(help="Name, or id (0x…, or its beginning).")]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="The organisations of the network.", no_args_is_help=True)
    group.command("list")(list_organisations)
    group.command("verify")(verify)
    group.command("suspend")(suspend)
    group.command("trust")(trust)
    cli.add_typer(group, name="organisation")


def list_organisations(data: Data, as_json: AsJson = False) -> None:
    """List the organisations of the network and where they stand."""
    with organisation(data) as one:
        listed = members.listed(one.node)
        if as_json:
            console.print_json(
                [
                    {
                        "id": member.id,
                        "name": member.name,
                        "kind": member.kind,
                        "state": member.state,
                        "url": member.url,
                    }
                    for member in listed
                ]
            )
            return
        console.print_table(
            "Organisations",
            ("Id", "Name", "Kind", "State", "Custody API"),
            [(f"0x{one.id.hex()[:16]}…", one.name, one.kind, one.state, one.url) for one in listed],
        )


def verify(data: Data, which: Which, user: User = None, token: Token = None) -> None:
    """Verify an organisation and its software, as an owner of the network."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        found = organisation_of(one.node, which)
        done = membership.verify_organisation(one.node, session.key, found)
        console.say("Verified." if done else "Confirmed; more owners must confirm.")


def suspend(data: Data, which: Which, user: User = None, token: Token = None) -> None:
    """Suspend an organisation, as an owner of the network."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        found = organisation_of(one.node, which)
        done = membership.suspend_organisation(one.node, session.key, found)
        console.say("Suspended." if done else "Confirmed; more owners must confirm.")


def trust(
    data: Data,
    which: Which,
    valid: Annotated[str, typer.Option("--for", help="How long: 30d, 1y.")] = "1y",
    user: User = None,
    token: Token = None,
) -> None:
    """Attest for patients whose identity another organisation checked, as an administrator."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        enrolment.trust_checks(
            one.node,
            session,
            checked_by=organisation_of(one.node, which),
            valid_seconds=seconds(valid),
        )
        console.say(f"Identity checks of {which} count here for {valid}.")
