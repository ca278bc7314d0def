"""What the owner of an account says of it through their wallet: guardians, the veto, no other key.

A wallet sends no transactions on our chain. It signs EIP-712 typed data
(https://eips.ethereum.org/EIPS/eip-712) that is put together here out of what waits on the chain
and what was chosen, and put together again when the signature comes: whoever brings it decides
nothing. One nonce follows the other (`Accounts.ownerNonce`), so that what was signed and held back
is worth nothing once something else was taken; what withdraws names what waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from simdes.access.guardians import code_of
from simdes.errors import Conflict, Forbidden, Invalid, NotFound
from simdes.exchange import guardians, recovering
from simdes.exchange.guardians import Plan
from simdes.exchange.node import Node
from simdes.exchange.wallet_signatures import NOT_THEIRS, signer, with_usual_v
from simdes.exchange.wallets import SIGN_SECONDS, count
from simdes.ledger.lane import Call
from simdes.ledger.typed_data import TypedData

APPOINT: Final = "SetGuardians"
TAKE_BACK: Final = "CancelGuardians"
VETO: Final = "VetoRecovery"
KEEP_KEY: Final = "CancelRotation"
MOVE_ON: Final = "RotateKey"

_Said = Mapping[str, bytes | int]


def to_sign(
    node: Node, account: bytes, verb: str, *, plan: Plan | None = None, deadline: int | None = None
) -> TypedData:
    """What the account's wallet signs for a verb; ``plan``: the guardians to be appointed.

    Raises NotFound for an account that the network does not know, Unsupported on a network whose
    contract is too old for it, Conflict where nothing waits that could be stopped or the veto is
    spent, Forbidden for a recovery that nobody can stop.
    """
    nonce = node.contracts.accounts.owner_nonce(account)
    said = _SAID[verb](node, account, plan)
    until = node.now_seconds() + SIGN_SECONDS if deadline is None else deadline
    data = node.contracts.accounts.owner_data
    return data(verb, account=account, **said, nonce=nonce, deadline=until)


def code(data: TypedData) -> str:
    """The code of the key that is withdrawn, as guardians heard it; nothing where none is."""
    named = {name: value for (_, name), value in zip(data.members, data.values, strict=True)}
    key = named.get("key")
    return code_of(key) if isinstance(key, bytes) else ""


def send(
    node: Node,
    account: bytes,
    verb: str,
    *,
    deadline: int,
    signature: bytes,
    plan: Plan | None = None,
) -> None:
    """Relay what the wallet signed. Raises as `to_sign`, Invalid where its time is over, Forbidden
    where the signature is another wallet's, or of what stood before, TooLarge where there were too
    many of this wallet's; nothing holds up what withdraws."""
    require_in_time(node, deadline)
    data = to_sign(node, account, verb, plan=plan, deadline=deadline)
    call = signed_call(node, account, data, signature)

    def relay() -> None:
        node.agent.transact(call)

    if plan is not None:
        count(node, account)
        guardians.set_out(node, account, plan, relay)
    else:
        _WITHDRAWS[verb](node, account, relay)


def require_in_time(node: Node, deadline: int) -> None:
    """Raise Invalid for what can't be signed until then any more, or could be for too long."""
    now = node.now_seconds()
    if not now <= deadline <= now + SIGN_SECONDS:
        raise Invalid("The time to sign is over.", advice="Begin again.")


def signed_call(node: Node, account: bytes, data: TypedData, signature: bytes) -> Call:
    """What relays a word of the account's wallet; Forbidden for a signature that is another's."""
    known, signed = node.contracts.accounts.account(account), with_usual_v(signature)
    if known is None or signer(data.digest, signed) != known.key:
        raise Forbidden(
            NOT_THEIRS, advice="Sign just this, with the wallet that keeps the account."
        )
    return node.contracts.accounts.owner_signed(data, signed)


def _appointed(node: Node, account: bytes, plan: Plan | None) -> _Said:
    del node, account
    if plan is None:
        raise Invalid("Name one to ten guardians.")
    return {"root": plan.root, "count": plan.count, "threshold": plan.threshold}


def _waiting_set(node: Node, account: bytes, _: Plan | None) -> _Said:
    waiting = node.contracts.accounts.pending_guardians(account)
    if waiting is None:
        raise Conflict("No guardians wait for this account.")
    return {"root": waiting.root}


def _waiting_recovery(node: Node, account: bytes, _: Plan | None) -> _Said:
    accounts = node.contracts.accounts
    known, waiting = accounts.account(account), accounts.pending_recovery(account)
    if known is None:
        raise NotFound("The network knows no such account.")
    if waiting is None:
        raise Conflict("No recovery of this account waits.")
    if waiting.attested:
        raise Forbidden(
            "A recovery that two organisations attested can't be stopped.",
            advice="Speak to your organisation.",
        )
    if known.vetoed:
        raise Conflict(
            "A recovery was stopped before, which is possible once for one set of guardians.",
            advice="Speak to your guardians.",
        )
    return {"key": waiting.key}


def _waiting_key(node: Node, account: bytes, _: Plan | None) -> _Said:
    waiting = node.contracts.accounts.pending_rotation(account)
    if waiting is None:
        raise Conflict("No new key waits for this account.")
    return {"key": waiting.key}


_SAID: Final[Mapping[str, Callable[[Node, bytes, Plan | None], _Said]]] = {
    APPOINT: _appointed,
    TAKE_BACK: _waiting_set,
    VETO: _waiting_recovery,
    KEEP_KEY: _waiting_key,
}
"""What stands in a type between account and nonce."""

_WITHDRAWS: Final[Mapping[str, Callable[[Node, bytes, Callable[[], None]], None]]] = {
    TAKE_BACK: guardians.take_back,
    VETO: recovering.stop,
    KEEP_KEY: recovering.keep_key,
}
"""What follows here from a word that was relayed."""
