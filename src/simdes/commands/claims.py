"""Commands of a claim: the patient discloses, provider and insurer work, software goes round.

A claim opens by itself; nobody has to ask for it (docs/claims.md).
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from simdes import console
from simdes.app import Opened
from simdes.commands import claim_billing, claim_desk, claim_x12
from simdes.commands.claim_desk import ClaimId, asking_of, claim_of, name_of
from simdes.commands.claim_trying import eligibility, try_
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
from simdes.commands.fingerprints import signals
from simdes.errors import Invalid
from simdes.exchange.claims import appealing, disclosing, opening, steps
from simdes.exchange.claims.disclosing import Request

Valid = Annotated[str, typer.Option("--for", help="How long: 30d, 1y.")]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="Insurance claims, from visit to refund.", no_args_is_help=True)
    for name, command in (
        ("list", list_claims),
        ("disclose", disclose),
        ("withdraw", withdraw),
        ("copy", copy),
        ("prefer", prefer),
        *claim_desk.COMMANDS,
        *claim_billing.COMMANDS,
        *claim_x12.COMMANDS,
        ("work", work),
        ("try", try_),
        ("eligibility", eligibility),
        ("signals", signals),
    ):
        group.command(name)(command)
    cli.add_typer(group, name="claim")


# The patient ----------------------------------------------------------------------------------


def list_claims(
    data: Data, user: User = None, token: Token = None, as_json: AsJson = False
) -> None:
    """List your claims, and line by line what each insurer asks to see, and why."""
    with organisation(data) as one:
        asking = asking_of(one, user, token)
        found = disclosing.requests(one.node, asking)
        if as_json:
            console.print_json([_asked(one, each) for each in found])
            return
        for each in found:
            console.say(
                f"{each.claim.hex()}: {each.state.name.lower()}, {name_of(one, each.insurer)}"
            )
            for line in each.lines:
                console.say(f"  {line.reference}: {line.why}")


def _asked(one: Opened, found: Request) -> dict[str, Any]:
    return {
        "claim": found.claim.hex(),
        "state": found.state.name.lower(),
        "insurer": name_of(one, found.insurer),
        "lines": [{"reference": line.reference, "why": line.why} for line in found.lines],
    }


def disclose(
    data: Data,
    claim: ClaimId,
    but: Annotated[
        list[str] | None, typer.Option("--but", help="A line (Type/id) that is kept back.")
    ] = None,
    valid: Valid = "180d",
    no_answers: Annotated[
        bool,
        typer.Option("--no-answers", help="Keep from the provider what the insurer answers."),
    ] = False,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Let the insurer see the lines of a claim, until it ends."""
    with organisation(data) as one:
        asking = asking_of(one, user, token)
        made = disclosing.disclose(
            one.node,
            asking,
            claim_of(claim),
            but=but or (),
            valid_seconds=seconds(valid),
            answers=not no_answers,
        )
        if as_json:
            console.print_json({"consent": made.handle.hex(), "lines": len(made.listed)})
            return
        console.say(f"Disclosed: {len(made.listed)} lines, until the claim ends.")


def withdraw(data: Data, claim: ClaimId, user: User = None, token: Token = None) -> None:
    """Take back what you disclosed of a claim."""
    with organisation(data) as one:
        asking = asking_of(one, user, token)
        count = disclosing.withdraw(one.node, asking, claim_of(claim))
        console.say(f"Withdrawn: {count}.")


def copy(
    data: Data,
    claim: ClaimId,
    out: Annotated[Path, typer.Option("--out", help="The file to write; keep it as a key.")],
    user: User = None,
    token: Token = None,
) -> None:
    """Write your copy of a claim, with a secret: any organisation can send your appeal with it."""
    with organisation(data) as one:
        content = appealing.own_copy(one.node, asking_of(one, user, token), claim_of(claim))
        try:
            with open(out, "xb", opener=_own) as file:
                file.write(content)
        except OSError as error:
            raise Invalid(f"The file can't be written: {error.strerror}.") from None
        console.say(f"Written: {out}")


def _own(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # whoever reads it can appeal


def prefer(
    data: Data,
    to: Annotated[
        str, typer.Option("--to", help="The insurer; none: nothing is disclosed unasked.")
    ] = "",
    valid: Valid = "1y",
    vault: OwnVault = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Let what your insurer declared to need of a claim go to it by itself."""
    with organisation(data) as one:
        asking = asking_of(one, user, token)
        disclosing.prefer(
            one.node,
            asking,
            own_vault(one.node, asking.session, vault),
            organisation_of(one.node, to) if to else None,
            valid_seconds=seconds(valid),
        )
        console.say(f"Claims are disclosed to {to}." if to else "Nothing is disclosed unasked.")


# The organisation -----------------------------------------------------------------------------


def work(data: Data, as_json: AsJson = False) -> None:
    """Open what is due, offer what insurers need, end what ended, settle what a crash left open.

    `simdes serve` does it by itself; this is for an organisation that runs no server.
    """
    with organisation(data) as one:
        done, settled = opening.work(one.node), steps.settle(one.node)
        if as_json:
            console.print_json({**asdict(done), "settled": settled})
            return
        console.say(
            f"{done.stated} costs stated, {done.opened} claims opened, {done.offered} offered, "
            f"{done.disclosed} disclosed, {done.ended} ended; {settled} settled."
        )
