"""Commands for vaults' custodians: who keeps the shares, and how that changes."""

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
    signed_in,
    vault_of,
)
from simdes.exchange import renewal
from simdes.exchange.renewal import Renewed, Waiting

Organisations = Annotated[
    list[str] | None, typer.Option(help="Name, or id (0x…, or its beginning); may be repeated.")
]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="Who keeps the shares of vaults.", no_args_is_help=True)
    group.command("custodians")(custodians)
    group.command("renew")(renew)
    cli.add_typer(group, name="vault")


def custodians(data: Data, as_json: AsJson = False) -> None:
    """List how many vaults opened here each organisation keeps shares of."""
    with organisation(data) as one:
        counted = renewal.custodians(one.node)
        if as_json:
            console.print_json({f"0x{org.hex()}": count for org, count in counted.items()})
            return
        console.print_table(
            "Custodians of vaults opened here",
            ("Id", "Vaults"),
            [(f"0x{org.hex()[:16]}…", str(count)) for org, count in counted.items()],
        )


def renew(
    data: Data,
    leaving: Organisations = None,
    joining: Organisations = None,
    without: Organisations = None,
    shares: Annotated[
        int | None, typer.Option("--shares", help="Shares needed (m); default: as before.")
    ] = None,
    patient: Annotated[
        str | None,
        typer.Option("--patient", help="One patient's vault alone (0x… or SYSTEM|VALUE)."),
    ] = None,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> int:
    """Give vaults other custodians: shares are dealt anew, records stay as they are.

    Without --patient all vaults that were opened here and have --leaving among their custodians,
    but those that patients control: these are listed, and each is renewed with --patient and
    --user, once the patient agrees. Run again, it goes on where it stopped.
    """
    with organisation(data) as one:
        node = one.node
        change = renewal.Change(
            leaving=tuple(organisation_of(node, name) for name in leaving or ()),
            joining=tuple(organisation_of(node, name) for name in joining or ()),
            without=tuple(organisation_of(node, name) for name in without or ()),
            m=shares,
        )
        if patient is None:
            done, waiting = renewal.renew_all(node, change)
        else:
            session = signed_in(one, user, token)
            vault = vault_of(node, patient)
            done, waiting = [renewal.renew_one(node, vault, change, control=session.key)], []
    _tell(done, waiting, as_json=as_json)
    return 1 if any(item.failed for item in waiting) else 0


def _tell(done: list[Renewed], waiting: list[Waiting], *, as_json: bool) -> None:
    if as_json:
        console.print_json(
            {
                "renewed": [
                    {"vault": one.vault, "epoch": one.epoch, "records": one.records} for one in done
                ],
                "waiting": [
                    {"vault": one.vault, "why": one.why, "failed": one.failed} for one in waiting
                ],
            }
        )
        return
    records = sum(one.records for one in done)
    console.say(f"{len(done)} vaults have their new custodians; {records} records were dealt.")
    for one in waiting:
        (console.warn if one.failed else console.say)(f"0x{one.vault.hex()}: {one.why}")
