"""Commands of a provider's billing desk: its claims, and what software does not do by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from simdes import console
from simdes.access.categories import Role
from simdes.app import Opened
from simdes.commands.claim_desk import ClaimId, asking_of, claim_of, name_of
from simdes.commands.common import AsJson, Data, Token, User, file_bytes, organisation
from simdes.exchange.claims import appealing, billing_desk
from simdes.exchange.claims.billing_desk import Own


def mine(data: Data, user: User = None, token: Token = None, as_json: AsJson = False) -> None:
    """List the claims that were opened here, by when they are due."""
    with organisation(data) as one:
        told = [
            _own(one, each) for each in billing_desk.mine(one.node, asking_of(one, user, token))
        ]
        if as_json:
            console.print_json(told)
            return
        names = ("claim", "state", "insurer", "encounter", "claimed", "due")
        rows = [tuple(each[name] for name in names) for each in told]
        console.print_table("Claims", tuple(name.capitalize() for name in names), rows)


def _own(one: Opened, found: Own) -> dict[str, Any]:
    return {
        "claim": found.claim.hex(),
        "state": found.state.name.lower(),
        "final": found.final,
        "insurer": name_of(one, found.insurer),
        "encounter": found.encounter,
        "claimed": str(found.claimed),
        "due": console.instant(found.due_seconds) if found.due_seconds else "",
        "ended": found.ended,
    }


def accept(data: Data, claim: ClaimId, user: User = None, token: Token = None) -> None:
    """Take the insurer's decision as final: what it approved can be paid, the next one asked."""
    with organisation(data) as one:
        billing_desk.accept(one.node, asking_of(one, user, token), claim_of(claim))
        console.say("Accepted.")


def appeal(
    data: Data,
    claim: Annotated[str, typer.Option("--claim", help="The claim's id.")] = "",
    why: Annotated[
        str, typer.Option("--why", help="As the patient: why it should be decided again.")
    ] = "",
    copy: Annotated[
        Path | None,
        typer.Option("--copy", help="A patient's copy of their claim: send it for them."),
    ] = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Have the insurer decide again, three times at most: as provider, patient, or for a patient.

    The patient says why, which the insurer reads. With a patient's copy (`simdes claim copy`) any
    organisation sends their appeal.
    """
    with organisation(data) as one:
        asking = asking_of(one, user, token)
        if copy is not None:
            found = appealing.appeal_with(one.node, file_bytes(copy))
            console.say(f"Appealed: {found.hex()}.")
            return
        if asking.rights.role is Role.PATIENT:
            appealing.appeal(one.node, asking, claim_of(claim), why)
        else:
            billing_desk.appeal(one.node, asking, claim_of(claim))
        console.say("Appealed.")


def answer(
    data: Data,
    claim: ClaimId,
    resource: Annotated[
        list[str] | None,
        typer.Option("--resource", help="Type/id: offered to the patient; none: nothing more."),
    ] = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Answer an insurer that asked for more."""
    with organisation(data) as one:
        asking = asking_of(one, user, token)
        billing_desk.answer(one.node, asking, claim_of(claim), resource or ())
        console.say("Offered to the patient." if resource else "Answered: there is nothing more.")


def again(data: Data, claim: ClaimId, user: User = None, token: Token = None) -> None:
    """Claim once more for what a reversed claim was for."""
    with organisation(data) as one:
        billing_desk.again(one.node, asking_of(one, user, token), claim_of(claim))
        console.say("It opens by itself once its cost is stated anew.")


COMMANDS: Final = (
    ("mine", mine),
    ("accept", accept),
    ("appeal", appeal),
    ("answer", answer),
    ("again", again),
)
