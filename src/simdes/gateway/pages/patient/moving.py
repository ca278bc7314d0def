"""My account moves to a wallet of my own: read, proven by the wallet, asked for, called off.

The wallet signs typed data before anything is asked of the ledger, so that a mistyped address locks
nobody out. It waits for the network's delay; calling it off needs no fresh proof.
"""

from __future__ import annotations

import json
from typing import Any, Final

from simdes.errors import Invalid, SimdesError
from simdes.exchange import moving
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.wallet import address_of, signature_of
from simdes.gateway.problems import STATUS

PATH: Final = "/account/wallet"
OFF: Final = "/account/wallet/off"
_UNREAD: Final = Invalid(
    "Say first that you know what it means.", advice="Tick the box above the signature."
)


def show(asked: Asked) -> Shown:
    """What it means, and the wallet's address to be named; or what waits."""
    return _begin(asked, None)


def act(asked: Asked) -> Shown | Moved:
    """From the address to what the wallet signs, and on to the ledger."""
    try:
        wallet = address_of(asked)
        data = moving.prepare(asked.node, asked.visit.session, wallet)
    except SimdesError as error:
        return _begin(asked, error)
    if asked.field("step", most=8) != "move":
        return _sign(asked, data.document(), None)
    try:
        if asked.field("sure", most=3) != "yes":
            raise _UNREAD
        deadline = asked.field("deadline", most=16)
        moving.move(
            asked.node,
            asked.visit.session,
            wallet,
            deadline=int(deadline) if deadline.isdecimal() and deadline.isascii() else 0,
            signature=signature_of(asked),
        )
    except SimdesError as error:
        return _sign(asked, data.document(), error)
    return Moved(f"{PATH}?done=wallet-asked")


def call_off(asked: Asked) -> Moved:
    """Keep the key that is here."""
    moving.call_off(asked.node, asked.visit.session)
    return Moved("/account?done=wallet-off")


def _begin(asked: Asked, problem: SimdesError | None) -> Shown:
    standing = moving.standing(asked.node, asked.visit.session)
    return Shown(
        "moving.html",
        {
            "problem": problem,
            "standing": standing,
            "counts_ms": asked.node.now_ms() + standing.delay_seconds * 1000,
            "given": asked.form.get("address", [""])[0][:64],
        },
        here=PATH,
        status=STATUS[type(problem)] if problem else 200,
        script="wallet.js",
    )


def _sign(asked: Asked, document: dict[str, Any], problem: SimdesError | None) -> Shown:
    return Shown(
        "moving_sign.html",
        {
            "problem": problem,
            "document": json.dumps(document),
            "said": document["message"],
            "shown": json.dumps(document["message"], indent=1),
            "domain": document["domain"],
            "standing": moving.standing(asked.node, asked.visit.session),
        },
        here=PATH,
        status=STATUS[type(problem)] if problem else 200,
        script="wallet.js",
    )
