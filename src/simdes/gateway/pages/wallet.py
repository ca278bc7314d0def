"""What a patient's own wallet is asked to sign: in words, as typed data, signed there, relayed.

Nobody signs in: the wallet's signature says who asks, and whoever has one may use any
organisation's page, above all to withdraw. EIP-1193 (https://eips.ethereum.org/EIPS/eip-1193) is
how the page's script speaks to the wallet; without JavaScript the signature is typed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from simdes import typed_numbers
from simdes.errors import Invalid, SimdesError
from simdes.exchange import members, wallets
from simdes.exchange.consents import Given
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.problems import STATUS

PATH: Final = "/wallet"
_NOTHING: Final[Mapping[str, str]] = {}
PER_MINUTE: Final = 30
"""Forms of one network address: somebody signs a few, each of which costs the ledger a block."""


def show(asked: Asked) -> Shown:
    """A request to put in, everything to withdraw, or a recovery to stop (`patient.owning`)."""
    return begin(asked, None)


def act(asked: Asked) -> Shown | Moved:
    """Show a request, prepare the withdrawal of everything, or relay what was signed."""
    step = asked.field("step", most=16)
    try:
        if step == "stop":
            return show_request(asked, wallets.revoke_all(asked.node, vault=_vault(asked)), None)
        request = wallets.read(asked.node, asked.field("request", most=wallets.MOST_BYTES))
    except SimdesError as error:
        return begin(asked, error)
    if step != "send":
        return show_request(asked, request, None)
    try:
        wallets.send(asked.node, request, signature_of(asked))
    except SimdesError as error:
        return show_request(asked, request, error)
    return Moved(f"{PATH}?done=wallet-sent")


def begin(asked: Asked, problem: SimdesError | None) -> Shown:
    """The forms, with what was typed and what is wrong with it."""
    names = ("request", "vault", "account")
    given = {name: asked.field(name, most=wallets.MOST_BYTES) for name in names}
    return Shown(
        "wallet.html",
        {"problem": problem, "given": given},
        here=PATH,
        status=STATUS[type(problem)] if problem else 200,
    )


def show_request(
    asked: Asked,
    request: wallets.Request,
    problem: SimdesError | None,
    *,
    back: str = PATH,
    action: str = PATH,
    kept: Mapping[str, str] = _NOTHING,
    about: object = None,
    ends: Given | None = None,
) -> Shown:
    """A request in words and as typed data, to be signed.

    ``action`` takes the signature, with what is ``kept`` beside it; ``back`` leads away. ``about``
    says what a consent hangs on (`patient.meanings`), ``ends`` which one would be withdrawn.
    """
    node = asked.node
    given = wallets.given(node, request) if request.verb == wallets.GRANT else None
    told = given or ends
    document: dict[str, Any] = request.data.document()
    return Shown(
        "wallet_request.html",
        {
            "problem": problem,
            "request": request,
            "given": given,
            "ends": ends,
            "about": about,
            "names": {told.organisation: members.name_of(node, told.organisation)} if told else {},
            "written": wallets.written(request),
            "document": json.dumps(document),
            "shown": json.dumps(document["message"], indent=1),
            "domain": document["domain"],
            "back": back,
            "action": action,
            "kept": kept,
        },
        here=back,
        status=STATUS[type(problem)] if problem else 200,
        script="wallet.js",
    )


def _vault(asked: Asked) -> bytes:
    return _typed(asked.field("vault", most=80), 32, "That is no number of a record.")


def address_of(asked: Asked) -> bytes:
    """The address of a wallet that a form brings; Invalid for what is none."""
    return _typed(asked.field("address", most=64), 20, "That is no address of a wallet.")


def signature_of(asked: Asked, name: str = "signature") -> bytes:
    """The signature that a form brings; Invalid for what is none."""
    return _typed(asked.field(name, most=140), 65, "That is no signature.")


def _typed(text: str, size: int, wrong: str) -> bytes:
    found = typed_numbers.octets(text.strip(), size)
    if found is None:
        raise Invalid(wrong, advice="It is 0x and hexadecimal digits: copy all of it.")
    return found
