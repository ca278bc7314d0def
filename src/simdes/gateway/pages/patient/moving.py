"""My account moves to a wallet of my own: read, proven by the wallet, asked for, called off.

The wallet signs typed data before anything is asked of the ledger, so that a mistyped address locks
nobody out. It waits for the network's delay; calling it off needs no fresh proof. Where a wallet
keeps the account already, that one signs last; the form carries what the other one signed, and each
of the two is judged again when they come together.
"""

from __future__ import annotations

import json
from typing import Any, Final

from simdes.errors import Invalid, SimdesError
from simdes.exchange import moving, owners
from simdes.exchange.moving import Signed
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.patient import owning
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
    step, node, session = asked.field("step", most=8), asked.node, asked.visit.session
    if step not in ("move", "own"):
        return _sign(asked, data.document(), None)
    try:
        if asked.field("sure", most=3) != "yes":
            raise _UNREAD
        if session.wallet:
            return _move_on(asked, wallet, own=step == "own")
        said = _signed(asked)
        moving.move(node, session, wallet, deadline=said.deadline, signature=said.signature)
    except SimdesError as error:
        return _sign(asked, data.document(), error)
    return Moved(f"{PATH}?done=wallet-asked")


def call_off(asked: Asked) -> Shown | Moved:
    """Keep the key that is here, or the wallet that there is, which signs that."""
    if asked.visit.session.wallet:
        return owning.say(asked, owners.KEEP_KEY)
    moving.call_off(asked.node, asked.visit.session)
    return Moved("/account?done=wallet-off")


def _move_on(asked: Asked, wallet: bytes, *, own: bool) -> Shown | Moved:
    """From the other wallet's signature to that of the one that keeps the account."""
    node, session = asked.node, asked.visit.session
    if not own:
        return _own(asked, wallet, _signed(asked), None)
    proof = _signed(asked, "proof", "proven")
    try:
        moving.move_on(node, session, wallet, proof=proof, own=_signed(asked))
    except SimdesError as error:
        return _own(asked, wallet, proof, error)
    return Moved(f"{PATH}?done=wallet-asked")


def _signed(asked: Asked, signature: str = "signature", deadline: str = "deadline") -> Signed:
    """What a form brings of a wallet."""
    until = asked.field(deadline, most=16)
    seconds = int(until) if until.isdecimal() and until.isascii() else 0
    return Signed(seconds, signature_of(asked, signature))


def _own(asked: Asked, wallet: bytes, proof: Signed, problem: SimdesError | None) -> Shown:
    """What the wallet that keeps the account signs. Raises as `moving.to_move_on`."""
    document = moving.to_move_on(asked.node, asked.visit.session, wallet, proof).document()
    return Shown(
        "moving_on.html",
        {
            "problem": problem,
            "document": json.dumps(document),
            "said": document["message"],
            "shown": json.dumps(document["message"], indent=1),
            "domain": document["domain"],
            "proof": {"proof": f"0x{proof.signature.hex()}", "proven": str(proof.deadline)},
            "present": asked.visit.session.wallet,
        },
        here=PATH,
        status=STATUS[type(problem)] if problem else 200,
        script="wallet.js",
    )


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
