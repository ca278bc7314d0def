"""What commands of prescriptions share: who asks, which one is meant, how it is shown."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from simdes import console
from simdes.app import Opened
from simdes.commands.common import signed_in
from simdes.errors import Invalid
from simdes.exchange import rights
from simdes.exchange.prescriptions import codes, opening
from simdes.exchange.prescriptions.holding import Told
from simdes.exchange.prescriptions.opening import At
from simdes.exchange.rights import Asking

Request = Annotated[str, typer.Option("--prescription", help="The id of the MedicationRequest.")]
Code = Annotated[str, typer.Option("--code", help="The code, or QR payload, that was shown.")]


def asking_of(one: Opened, user: str | None, token: str | None) -> Asking:
    """Who asks, with what the chain says by now."""
    session = signed_in(one, user, token)
    one.node.following.catch_up()
    return rights.ask(one.node, session)


def at(one: Opened, asking: Asking, prescription: str, code: str) -> At:
    """Which prescription is meant; of a QR payload, its consent's code says it."""
    if code.startswith(codes.PREFIX):
        code = codes.code_of(codes.read_payload(code).handle)
    if not prescription and not code:
        raise Invalid("Which one? Give --prescription or --code.")
    return opening.at(one.node, asking, request_id=prescription, code=code)


def meant(one: Opened, asking: Asking, prescription: str, code: str) -> At:
    """The prescription that is meant, its id found where only a code was given."""
    where = at(one, asking, prescription, code)
    if where.request_id:
        return where
    held = opening.open_(one.node, asking, where).held
    return At(str(held.request["id"]), held.vault, held.tag_bytes)


def show(told: Told, *, as_json: bool) -> None:
    """Show where a prescription stands."""
    if as_json:
        console.print_json(as_document(told))
        return
    console.say(f"{told.request}: {told.state.value}")
    console.say(f"Prescribed {amount(told.prescribed)}, left {amount(told.left)}.")
    console.say(f"From {told.first_day} to {told.last_day}.")
    if told.next_fill is not None:
        console.say(f"Next fill from {told.next_fill}.")
    for fill in told.fills:
        console.say(f"By {fill.began} at {fill.pharmacy}: {amount(fill.amount)} in all.")


def as_document(told: Told) -> dict[str, Any]:
    """The same for programs."""
    return {
        "prescription": told.request,
        "state": told.state.value,
        "prescribed": told.prescribed,
        "dispensed": told.dispensed,
        "left": told.left,
        "firstDay": told.first_day.isoformat(),
        "lastDay": told.last_day.isoformat(),
        "nextFill": told.next_fill.isoformat() if told.next_fill else None,
        "pharmacy": told.pharmacy,
        "controlled": told.controlled,
        "fills": [
            {
                "dispensed": one.amount,
                "pharmacy": one.pharmacy,
                "began": one.began.isoformat(),
            }
            for one in told.fills
        ],
    }


def amount(quantity: dict[str, Any]) -> str:
    """A Quantity in words."""
    return f"{quantity['value']} {quantity.get('unit', '')}".strip()
