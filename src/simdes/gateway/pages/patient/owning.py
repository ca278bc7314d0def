"""What a patient's wallet signs about their account: shown in words and as typed data, relayed.

The form that asked brings the signature, too: what is signed is put together again of what it says
and of what waits on the ledger, so that it decides nothing by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from simdes import typed_numbers
from simdes.errors import SimdesError
from simdes.exchange import guardians, members, owners
from simdes.exchange.guardians import Chosen, Plan
from simdes.gateway.pages import account_numbers, wallet
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.wallet import signature_of
from simdes.gateway.problems import STATUS

BACK: Final = "/guardians"
STOP: Final = "/wallet/veto"
_DONE: Final = {
    owners.TAKE_BACK: "guardians-back",
    owners.VETO: "vetoed",
    owners.KEEP_KEY: "key-back",
}
_ACTION: Final = {
    owners.APPOINT: "/guardians/new",
    owners.TAKE_BACK: "/guardians/cancel",
    owners.VETO: "/guardians/veto",
    owners.KEEP_KEY: "/guardians/cancel",
}


def say(asked: Asked, verb: str) -> Shown | Moved:
    """Show what the wallet signs to withdraw something; with its signature, relay it."""
    account = asked.visit.session.actor.account
    kept = {"what": "key"} if verb == owners.KEEP_KEY else {}
    if not asked.field("signature", most=140):
        return show(asked, account, verb, kept)
    try:
        send(asked, account, verb)
    except SimdesError as error:
        return show(asked, account, verb, kept, problem=error)
    return Moved(f"{BACK}?done={_DONE[verb]}")


def stop(asked: Asked) -> Shown | Moved:
    """Stop a recovery at any organisation, by the account's wallet; nobody signs in."""
    try:
        account = account_numbers.account_of(
            asked.field("account", most=account_numbers.MOST),
            advice="Your account page shows it: 0x and 64 digits.",
        )
        kept = {"account": f"0x{account.hex()}"}
        shown = show(asked, account, owners.VETO, kept, action=STOP, back=wallet.PATH)
    except SimdesError as error:
        return wallet.begin(asked, error)
    if not asked.field("signature", most=140):
        return shown
    try:
        send(asked, account, owners.VETO)
    except SimdesError as error:
        return show(asked, account, owners.VETO, kept, action=STOP, back=wallet.PATH, problem=error)
    return Moved(f"{wallet.PATH}?done=wallet-sent")


def appoint(asked: Asked, chosen: Sequence[Chosen], *, threshold: int, name: str) -> Shown | Moved:
    """Show the set that the wallet would sign for; with its signature, relay it and tell them."""
    node, session = asked.node, asked.visit.session
    account = session.actor.account
    seed = typed_numbers.octets(asked.field("seed", most=66), 32) or node.random(32)
    plan = guardians.plan(node, account, chosen, threshold=threshold, name=name, seed=seed)
    lines = enumerate(chosen, start=1)
    kept = {"seed": f"0x{seed.hex()}", "needed": str(threshold), "name": name}
    for place, one in lines:
        kept |= {f"number-{place}": f"0x{one.account.hex()}", f"label-{place}": one.label}
    if not asked.field("signature", most=140):
        return show(asked, account, owners.APPOINT, kept, plan=plan, chosen=chosen)
    try:
        send(asked, account, owners.APPOINT, plan=plan)
    except SimdesError as error:
        return show(asked, account, owners.APPOINT, kept, plan=plan, chosen=chosen, problem=error)
    left = guardians.tell(node, session)
    return Moved(f"{BACK}?done={'appointed' if not left else 'appointed-untold'}")


def send(asked: Asked, account: bytes, verb: str, *, plan: Plan | None = None) -> None:
    """Relay what a form brings of the wallet."""
    deadline = asked.field("deadline", most=16)
    owners.send(
        asked.node,
        account,
        verb,
        deadline=int(deadline) if deadline.isdecimal() and deadline.isascii() else 0,
        signature=signature_of(asked),
        plan=plan,
    )


def show(
    asked: Asked,
    account: bytes,
    verb: str,
    kept: Mapping[str, str],
    *,
    plan: Plan | None = None,
    chosen: Sequence[Chosen] = (),
    problem: SimdesError | None = None,
    action: str = "",
    back: str = BACK,
) -> Shown:
    """What the wallet signs. Raises as `owners.to_sign`: there may be nothing to be signed."""
    node = asked.node
    data = owners.to_sign(node, account, verb, plan=plan)
    document: dict[str, Any] = data.document()
    said = document["message"]
    seen = guardians.standing(node, account)
    numbers = {one.account for one in chosen}
    numbers |= {one.account for one in seen.waiting.guardians} if seen.waiting else set()
    known = {number: node.contracts.accounts.account(number) for number in numbers}
    return Shown(
        "owner_sign.html",
        {
            "problem": problem,
            "verb": verb,
            "said": said,
            "code": owners.code(data),
            "seen": seen,
            "printed": typed_numbers.printed,
            "chosen": chosen,
            "names": {
                number: members.name_of(node, one.organisation)
                for number, one in known.items()
                if one is not None
            },
            "kept": kept,
            "document": json.dumps(document),
            "shown": json.dumps(said, indent=1),
            "domain": document["domain"],
            "action": action or _ACTION[verb],
            "back": back,
        },
        here=back,
        status=STATUS[type(problem)] if problem else 200,
        script="wallet.js",
    )
