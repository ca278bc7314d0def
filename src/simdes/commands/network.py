"""Commands of the operator: make an organisation, admit others, serve, and check the set-up."""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from simdes import app, config, console, doctor, processes, serving
from simdes.commands.common import (
    ADMINISTRATOR_PASSPHRASE,
    AsJson,
    Data,
    Token,
    User,
    organisation,
    organisation_of,
    passphrase,
    seconds,
    signed_in,
)
from simdes.exchange import enrolment, members, membership


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


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    cli.command("init")(init)
    cli.command("serve")(serve)
    cli.command("doctor")(check)
    group = typer.Typer(help="The organisations of the network.", no_args_is_help=True)
    group.command("list")(list_organisations)
    group.command("verify")(verify)
    group.command("suspend")(suspend)
    group.command("trust")(trust)
    cli.add_typer(group, name="organisation")


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
    stale_after: Annotated[
        int,
        typer.Option(
            "--stale-after",
            help="Seconds without a block after which custodians refuse; 0: blocks come on demand.",
        ),
    ] = 0,
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
    app.create(
        data,
        settings,
        passphrase=os.environ.get("SIMDES_PASSPHRASE"),
        administrator_passphrase=words,
        network=network,
        delays=app.DELAYS[str(delays)],
        keys=keys,
    )
    made = {
        "organisation": settings.organisation,
        "name": name,
        "data": str(data),
        "network": str(data / "network.json"),
        "verified": network is None,
    }
    if as_json:
        console.print_json(made)
        return
    console.say(f"{name} is {settings.organisation}, in {data}.")
    if network is None:
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


def serve(
    data: Data,
    port: Annotated[
        int | None, typer.Option("--port", help="Default: the port of the custody URL.")
    ] = None,
    address: Annotated[
        str,
        typer.Option("--address", help="Where to listen; beyond this machine only behind TLS."),
    ] = serving.ADDRESS,
    count: Annotated[
        int,
        typer.Option(
            "--processes",
            min=1,
            max=processes.MOST,
            help="How many answer on the port; from 2 on the worker has one of its own.",
        ),
    ] = 1,
) -> int:
    """Serve the custody API and do the worker's steps until stopped.

    It speaks clear text, to this machine alone by default: TLS is for the balancer in front.
    """
    settings = config.load(data)
    number = port or urlsplit(settings.custody_url).port or 8400

    def ready() -> None:
        console.say(f"{settings.name} answers on http://{address}:{number}")
        sys.stdout.flush()

    if count > 1:
        place = processes.Place(data=data, address=address, port=number, processes=count)
        return processes.serve(place, ready)
    with app.opened(data) as one:
        serving.serve(one, address=address, port=number, ready=ready)
    return 0


def check(
    data: Annotated[
        Path | None, typer.Option("--data", help="The organisation's folder; not for --list.")
    ] = None,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Accept the network's contracts as they are now."),
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--check", help="Run this check alone; may be given several times."),
    ] = None,
    list_checks: Annotated[
        bool, typer.Option("--list", help="Say what is looked at, and look at nothing.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Check the set-up: keys, address, machine, ledger, storage, database, custodians, clocks."""
    if list_checks:
        _list_checks(as_json)
        return 0
    if data is None:
        raise typer.BadParameter("is missing", param_hint="--data")
    unknown = sorted(set(only or ()) - set(doctor.CHECKS))
    if unknown:
        raise typer.BadParameter(f"no such check: {', '.join(unknown)}", param_hint="--check")
    findings = doctor.examine(data, accept=accept, only=only or ())
    if as_json:
        console.print_json([asdict(one) for one in findings])
    else:
        _tell(findings)
    return 1 if any(one.state in ("failed", "unknown") for one in findings) else 0


_MARKS = {
    "ok": ("ok     ", "green"),
    "warning": ("warning", "yellow"),
    "failed": ("FAILED ", "bold red"),
    "unknown": ("unknown", "yellow"),
}


def _tell(findings: list[doctor.Finding]) -> None:
    for one in findings:
        mark, style = _MARKS[one.state]
        console.say(f"{mark} {one.check}: {one.message}", style=style)
        if one.advice:
            console.say(f"        {one.advice}")


def _list_checks(as_json: bool) -> None:
    checks = doctor.CHECKS.values()
    if as_json:
        rows = [{"check": c.name, "part": c.part, "means": c.means, "do": c.advice} for c in checks]
        console.print_json(rows)
        return
    console.print_table(
        "Checks",
        ("Name", "What it means", "What to do"),
        [(c.name, c.means, c.advice) for c in checks],
    )


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


Which = Annotated[str, typer.Argument(help="Name, or id (0x…, or its beginning).")]


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
