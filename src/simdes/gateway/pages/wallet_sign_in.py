"""Sign in with a wallet of one's own, and prove again who one is: its address, then its signature.

What is signed lets the portal read until a time and nothing else; the page says so in words, and
shows the typed data that the wallet will show. Without JavaScript both are typed.
"""

from __future__ import annotations

import json
from typing import Any, Final

from simdes.errors import SimdesError
from simdes.exchange import wallet_sign_ins
from simdes.exchange.credentials import Visit
from simdes.exchange.wallet_sign_ins import MOST_HELD, Asking
from simdes.gateway.pages import sign_in
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import START, Asked
from simdes.gateway.pages.wallet import address_of, signature_of
from simdes.gateway.problems import STATUS

PATH: Final = sign_in.WALLET
PER_MINUTE: Final = 30
"""Forms of one network address: somebody sends two to sign in."""


def show(asked: Asked) -> Shown | Moved:
    """Which wallet; whoever signed in with one is asked for its signature again."""
    wallet = _signed_in(asked)
    if wallet is not None:
        return _sign(asked, wallet_sign_ins.prepare(asked.node, wallet, binding=asked.binding))
    return _begin(asked, None) if asked.state is None else Moved(asked.next or START)


def act(asked: Asked) -> Shown | Moved:
    """From the address to what the wallet signs, and on into the record."""
    if isinstance(asked.state, Visit) and _signed_in(asked) is None:
        return Moved(asked.next or START)
    held = asked.field("held", most=MOST_HELD)
    try:
        if not held:
            wallet = address_of(asked)
            return _sign(asked, wallet_sign_ins.prepare(asked.node, wallet, binding=asked.binding))
        asking = wallet_sign_ins.again(asked.node, held, binding=asked.binding)
    except SimdesError as error:
        return _begin(asked, error)
    try:
        signature = signature_of(asked)
        admitted = wallet_sign_ins.sign_in(
            asked.node,
            held,
            signature,
            binding=asked.binding,
            client=asked.client,
            cookie=asked.cookie,
        )
    except SimdesError as error:
        return _sign(asked, asking, error)
    return sign_in.go_on(asked, admitted)


def _signed_in(asked: Asked) -> bytes | None:
    return asked.visit.session.wallet if isinstance(asked.state, Visit) else None


def _begin(asked: Asked, problem: SimdesError | None) -> Shown:
    return Shown(
        "wallet_sign_in.html",
        {
            "problem": problem,
            "next": asked.next,
            "given": asked.form.get("address", [""])[0][:64],
        },
        here=sign_in.with_next(PATH, asked),
        status=STATUS[type(problem)] if problem else 200,
        script="wallet.js",
    )


def _sign(asked: Asked, asking: Asking, problem: SimdesError | None = None) -> Shown:
    document: dict[str, Any] = asking.data.document()
    return Shown(
        "wallet_sign_in_sign.html",
        {
            "problem": problem,
            "next": asked.next,
            "again": isinstance(asked.state, Visit),
            "until_ms": asking.until_seconds * 1000,
            "held": asking.held,
            "said": document["message"],
            "document": json.dumps(document),
            "shown": json.dumps(document["message"], indent=1),
            "domain": document["domain"],
        },
        here=sign_in.with_next(PATH, asked),
        status=STATUS[type(problem)] if problem else 200,
        script="wallet.js",
    )
