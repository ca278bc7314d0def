"""Commands of the operator: make an organisation, admit others, serve, and check the set-up."""

from __future__ import annotations

import os
import secrets
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from simdes import app, config, console
from simdes.commands.common import (
    ADMINISTRATOR_PASSPHRASE,
    AsJson,
    Data,
    passphrase,
)


class Kind(StrEnum):
    """What an organisation is."""

    HOSPITAL = "hospital"
    PHARMACY = "pharmacy"
    INSURER = "insurer"
    RESEARCH = "research"


class Delays(StrEnum):
    """How long a new network's timelocks are."""

    PRODUCTION = "production"
    DEMO = "demo"


StaleAfter = Annotated[
    int,
    typer.Option(
        "--stale-after",
        help="Seconds without a block after which custodians refuse; 0: blocks come on demand.",
    ),
]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's command."""
    cli.command("init")(init)


def init(
    data: Data,
    name: Annotated[str, typer.Option("--name", help="The organisation's name.")],
    kind: Annotated[Kind, typer.Option("--kind", help="What it is.")],
    network: Annotated[
        Path | None,
        typer.Option("--network", help="network.json of the network to join; none founds one."),
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option("--ledger", help="embedded:PATH or http://…; default embedded:ledger.sqlite."),
    ] = None,
    store: Annotated[
        str, typer.Option("--store", help="file:PATH or ipfs:http://…")
    ] = "file:blocks",
    database: Annotated[
        str, typer.Option("--database", help="sqlite:PATH or postgresql://…")
    ] = "sqlite:simdes.sqlite",
    custody_url: Annotated[
        str, typer.Option("--custody-url", help="Where others reach this custody API.")
    ] = "http://127.0.0.1:8400",
    shares: Annotated[str, typer.Option("--shares", help="m-of-n for new vaults.")] = "2-of-3",
    time_zone: Annotated[
        str, typer.Option("--time-zone", help="Zone of messages' times that carry none.")
    ] = "UTC",
    delays: Annotated[
        Delays, typer.Option("--delays", help="Timelocks of a network that is founded.")
    ] = Delays.PRODUCTION,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", help="A ceremony's keys of proofs, for a network that is founded."),
    ] = None,
    stale_after: StaleAfter = 0,
    as_json: AsJson = False,
) -> None:
    """Make a new organisation: keys, database, contracts or their addresses.

    The key store is locked with SIMDES_PASSPHRASE, or with a passphrase made for you in the file
    `passphrase`, readable by you alone. The user `admin` gets the passphrase in
    SIMDES_ADMIN_PASSPHRASE, or the one you type.
    """
    needed, all_ = _shares(shares)
    settings = config.Settings(
        name=name,
        kind=str(kind),
        organisation="0x" + secrets.token_bytes(32).hex(),
        ledger_url=ledger or "embedded:ledger.sqlite",
        store_url=store,
        database_url=database,
        custody_url=custody_url,
        shares_needed=needed,
        custodians=all_,
        time_zone=time_zone,
        stale_after_seconds=stale_after,
    )
    words = passphrase("New passphrase of admin", variable=ADMINISTRATOR_PASSPHRASE, confirm=True)
    settings = config.with_limits_of_kind(settings)
    app.create(
        data,
        settings,
        passphrase=os.environ.get("SIMDES_PASSPHRASE"),
        administrator_passphrase=words,
        network=network,
        delays=app.DELAYS[str(delays)],
        keys=keys,
    )
    _tell(data, settings, founded=network is None, as_json=as_json)


def _tell(data: Path, settings: config.Settings, *, founded: bool, as_json: bool) -> None:
    if as_json:
        console.print_json(
            {
                "organisation": settings.organisation,
                "name": settings.name,
                "data": str(data),
                "network": str(data / "network.json"),
                "verified": founded,
            }
        )
        return
    console.say(f"{settings.name} is {settings.organisation}, in {data}.")
    if founded:
        console.say(f"It founded a network; others join with --network {data / 'network.json'}.")
    else:
        console.say("An owner of the network must verify it:")
        console.say(
            f"  simdes organisation verify {settings.organisation[:18]} --data … --user admin"
        )


def _shares(text: str) -> tuple[int, int]:
    needed, of, all_ = text.partition("-of-")
    if not (of and needed.isdigit() and all_.isdigit()):
        raise typer.BadParameter("Write m-of-n, for example 2-of-3.", param_hint="--shares")
    return int(needed), int(all_)
