"""Commands of who wants evidence: the patient's log, and checking a proof anywhere."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from simdes import app, console
from simdes.commands.common import AsJson, Data, Token, User, organisation, signed_in
from simdes.commands.consent import own_vault
from simdes.errors import NotFound
from simdes.exchange import findings, logbook, members, verification
from simdes.exchange.logbook import Logged
from simdes.exchange.node import Node


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    cli.command("log")(log)
    cli.command("verify")(verify)


def log(
    data: Data,
    vault: Annotated[
        str | None,
        typer.Option("--patient", "--vault", help="The vault's tag; needed by who has several."),
    ] = None,
    user: User = None,
    token: Token = None,
    proofs: Annotated[
        Path | None, typer.Option("--proofs", help="Write a proof file for each entry here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Who looked, who was refused, why and when: asked of every organisation, with proofs."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        found = logbook.read_log(one.node, session, vault=own_vault(one.node, session, vault))
        if proofs is not None:
            _write_proofs(proofs, found.entries)
        if as_json:
            console.print_json(
                {
                    "entries": [_as_json(entry) for entry in found.entries],
                    "silent": {f"0x{who.hex()}": why for who, why in found.silent.items()},
                    "doubts": [
                        {
                            "kind": doubt.kind,
                            "organisations": doubt.organisations,
                            "by": doubt.by,
                            "timeMs": doubt.time_ms,
                        }
                        for doubt in found.doubts
                    ],
                }
            )
            return
        console.print_table(
            f"{len(found.entries)} entries",
            ("When", "Who", "What", "Why", "Outcome", "Written by", "On chain"),
            [_row(one.node, entry) for entry in found.entries],
        )
        for who, why in found.silent.items():
            console.warn(f"{members.name_of(one.node, who)} did not answer: {why}")
        for doubt in found.doubts:
            names = " or ".join(members.name_of(one.node, who) for who in doubt.organisations)
            when = console.instant(doubt.time_ms / 1000)
            by = f" (by {members.name_of(one.node, doubt.by)})" if doubt.by else ""
            console.warn(f"{when}: {names}: {findings.KINDS[doubt.kind].means}{by}")


def _row(node: Node, entry: Logged) -> tuple[object, ...]:
    return (
        console.instant(entry.time_ms / 1000),
        f"{entry.role} of {members.name_of(node, entry.organisation)}",
        entry.verb if entry.count == 1 else f"{entry.verb} ×{entry.count}",
        entry.purpose,
        "granted" if entry.granted else f"refused: {entry.words}",
        members.name_of(node, entry.observer),
        "yes" if entry.anchored else "not yet",
    )


def _as_json(entry: Logged) -> dict[str, object]:
    return {
        "time": console.instant(entry.time_ms / 1000),
        "timeMs": entry.time_ms,
        "observer": entry.observer,
        "verb": entry.verb,
        "account": entry.account,
        "role": entry.role,
        "organisation": entry.organisation,
        "purpose": entry.purpose,
        "granted": entry.granted,
        "reason": entry.reason,
        "count": entry.count,
        "records": entry.records,
        "anchored": entry.anchored,
    }


def _write_proofs(folder: Path, entries: tuple[Logged, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, entry in enumerate(entries, 1):
        outcome = "granted" if entry.granted else "refused"
        path = folder / f"{number:04}-{entry.verb}-{outcome}.json"
        path.write_text(json.dumps(entry.proof, indent=2) + "\n", encoding="utf-8")


def verify(
    proof: Annotated[Path, typer.Argument(help="A proof file of `simdes log` or `read`.")],
    ledger: Annotated[
        str, typer.Option("--ledger", help="A node you trust: http://… or embedded:PATH.")
    ],
    network: Annotated[
        Path, typer.Option("--network", help="network.json of the network, from who you trust.")
    ],
    content: Annotated[
        Path | None, typer.Option("--content", help="The resource's bytes, for a record's proof.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a proof against the chain, trusting no gateway."""
    try:
        document = proof.read_bytes()
        body = content.read_bytes() if content is not None else None
    except OSError as error:
        raise NotFound(f"{error.filename} can't be read: {error.strerror}.") from error
    with app.network(ledger, network, clock=time.time) as contracts:
        found = verification.verify(document, contracts, content=body)
    if as_json:
        console.print_json(found)
        return
    console.say("The proof holds.", style="bold green")
    for name, value in found.items():
        console.say(f"  {name}: {value}")
