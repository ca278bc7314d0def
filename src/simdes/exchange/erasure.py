"""Erase a patient's vault everywhere: every organisation destroys its keys of it, and signs.

It holds once so many custodians of each epoch destroyed theirs that the others can't open a record
together (n - m + 1 of n). Who is away is asked again by the storekeeper's thread (`go_on`), with
growing pauses and without end, under the order that the patient signed (`access.orders`). What an
organisation keeps of its own by law stands in its receipt (docs/formats/vault.md, "Erasure").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import structlog

from simdes.access import epochs, orders
from simdes.access.asking import Caller, ask
from simdes.access.categories import State
from simdes.access.custody_erasure import BAD_ORDER, ERASED, KEPT, NONE
from simdes.access.descriptors import VaultDescriptor
from simdes.access.messages import EraseBody
from simdes.access.requests import Answer, Signer, hexed
from simdes.errors import (
    Forbidden,
    Invalid,
    NotFound,
    SimdesError,
    Tampered,
    Unauthenticated,
    Unavailable,
)
from simdes.exchange.mail import addresses
from simdes.exchange.node import Node
from simdes.exchange.wallet_signatures import SIGN_SECONDS, signed_by
from simdes.index import chain, erasures, merges
from simdes.index.erasures import Begun, Missing, Receipt
from simdes.index.transaction import Transaction
from simdes.ledger.accounts import Vault
from simdes.ledger.typed_data import TypedData

__all__ = [
    "SUSPENDED",
    "Begun",
    "Epoch",
    "Erasure",
    "erase",
    "go_on",
    "look",
    "ordered_by",
    "to_sign",
    "wallet_order",
]

MOST_TEXT: Final = 500
"""Characters of a law's name, or of why somebody did not sign, that are kept."""
FIRST_PAUSE_MS: Final = 2_000
LONGEST_PAUSE_MS: Final = 3_600_000
"""Between two rounds of asking who has not signed: doubled from the first to the longest."""
REFUSED_PAUSE_MS: Final = 86_400_000
"""Where everybody who is left refused: each refusal stands in a trail."""
SUSPENDED: Final = "is suspended: asked once it is verified again"
TAKEN_MS: Final = 60_000
"""How long others leave an erasure alone that one process asks for."""
ROUND: Final = 20
"""Erasures that are gone on with in one round."""

_log = structlog.get_logger("simdes.erasure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """Custodians of an epoch, those who signed that their keys are gone, and how many must."""

    number: int
    custodians: tuple[bytes, ...]
    gone: tuple[bytes, ...]
    needed: int

    @property
    def holds(self) -> bool:
        """Whether too few are left to open anything."""
        return len(self.gone) >= self.needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """How far a vault's erasure is.

    ``waiting`` names who has not signed and why, ``linked`` other vaults of the same patient,
    which are erased by themselves; ``unknown`` are epochs whose custodians can't be read now.
    ``begun`` is the job that asks who is left, None where nobody asked for it.
    """

    vault: bytes
    epochs: tuple[Epoch, ...]
    receipts: tuple[Receipt, ...]
    waiting: Mapping[bytes, str]
    linked: tuple[bytes, ...]
    unknown: int
    begun: Begun | None

    @property
    def holds(self) -> bool:
        """Whether nobody can open a record of the vault by custodians' shares any more."""
        return not self.unknown and all(one.holds for one in self.epochs)

    @property
    def refusing(self) -> tuple[bytes, ...]:
        """Who takes what the patient signed for no order: of an older release, say, which reads
        none of a wallet, or because the patient has another key since."""
        return tuple(one for one, why in self.waiting.items() if BAD_ORDER in why)


def look(node: Node, vault: bytes) -> Erasure:
    """How far it is, asking nobody. Raises NotFound for a vault that the network does not know."""
    node.following.catch_up()
    return _standing(node, vault)


def to_sign(node: Node, vault: bytes) -> TypedData:
    """What the wallet that controls a vault signs now to have it erased."""
    return orders.typed_data(node.contracts, vault=vault, issued_seconds=node.now_seconds())


def wallet_order(
    node: Node, vault: bytes, *, wallet: bytes, issued_seconds: int, signature: bytes
) -> str:
    """The order that this wallet signed within the last half an hour.

    Raises Invalid where its time is over, Forbidden where the signature is not the wallet's, or of
    something else.
    """
    now = node.now_seconds()
    if not now - SIGN_SECONDS <= issued_seconds <= now:
        raise Invalid("The time to sign is over.", advice="Begin again.")
    data = orders.typed_data(node.contracts, vault=vault, issued_seconds=issued_seconds)
    signed = signed_by(wallet, data.digest, signature)
    return orders.wallet_order(issued_seconds=issued_seconds, signature=signed)


def ordered_by(node: Node, vault: bytes, address: bytes) -> bool:
    """Whether an order by this key is carried on already."""
    with node.database.read() as tx:
        begun = erasures.get(tx, vault)
    return begun is not None and _signer(node, vault, begun.signed) == address


def erase(node: Node, vault: bytes, *, control: Signer | None = None, order: str = "") -> Erasure:
    """Ask everybody who has not signed yet, ourselves first, and keep their receipts.

    ``control`` signs for the patient who controls the vault, ``order`` is what their wallet signed
    (`wallet_order`). Without either, what the patient signed before is carried on; where there is
    nothing, this organisation's software asks, for a vault that it opened and that no patient
    controls. Who does not answer is asked again by `go_on`. Raises Forbidden, with nothing changed
    anywhere, where the ledger does not let them. This can't be undone.
    """
    before = look(node, vault)
    if order and not _controls(node, vault, _signer(node, vault, order)):
        raise Forbidden("The order is not by who controls the vault.")
    wanted = _begun(node, vault, before.begun, control, order)
    body = EraseBody(vault=hexed(vault))
    by = None if control is None else (node.caller(control), body)
    if not wanted.signed and _known(node, vault).control is not None:
        caller = node.agent_caller() if by is None else by[0]
        ask(caller, node.organisation, "erase", body)  # refused, on record, before it is a job
    earlier, begun = node.database.write(partial(_keep, wanted=wanted))
    asked = _ask_all(node, begun, _unsigned(node, vault), by=by)
    ours = asked.get(node.organisation)
    if isinstance(ours, Forbidden):
        node.database.write(partial(_put_back, begun=begun, earlier=earlier))
        raise ours
    _put_off(node, begun, asked)
    return _standing(node, vault)


def go_on(node: Node) -> int:
    """Ask again whoever has not signed for an erasure that is due; how many signed now.

    One that does not answer is asked once a round. Raises Unavailable where the ledger or the
    database does not answer.
    """
    with node.database.read() as tx:
        found = erasures.due(tx, now_ms=node.now_ms(), limit=ROUND)
    signed, silent = 0, set[bytes]()
    for begun in found:
        if not node.database.write(partial(_take, node, begun)):
            continue
        asked = _ask_all(node, begun, _unsigned(node, begun.vault), silent=silent)
        silent |= {one for one, error in asked.items() if isinstance(error, Unavailable)}
        signed += sum(error is None for error in asked.values())
        _put_off(node, begun, asked)
        missing = sum(error is not None for error in asked.values())
        _log.info("erasure went on", signed=len(asked) - missing, missing=missing)
    return signed


# Asking -----------------------------------------------------------------------------------------


def _begun(
    node: Node, vault: bytes, before: Begun | None, control: Signer | None, order: str
) -> Begun:
    now_ms = node.now_ms()
    begun = before or Begun(vault=vault, signed="", begun_ms=now_ms)
    if control is not None and _controls(node, vault, control.address):
        chain_id, now = node.contracts.ledger.chain_id(), now_ms // 1000
        order = orders.sign_order(control, chain=chain_id, vault=vault, now_seconds=now)
    begun = replace(begun, signed=order or begun.signed)
    return replace(begun, tries=0, next_ms=now_ms + TAKEN_MS, settled_ms=None)


def _signer(node: Node, vault: bytes, order: str) -> bytes | None:
    try:
        return orders.read_order(order, contracts=node.contracts, vault=vault)
    except (Invalid, Unauthenticated):
        return None


def _controls(node: Node, vault: bytes, address: bytes | None) -> bool:
    """Whether it is the patient's: what somebody else signs must not replace their order."""
    standing = None if address is None else node.contracts.accounts.standing(address)
    return standing is not None and standing.account == _known(node, vault).control


def _take(node: Node, begun: Begun, tx: Transaction) -> bool:
    return erasures.take(tx, begun, until_ms=node.now_ms() + TAKEN_MS)


def _keep(tx: Transaction, *, wanted: Begun) -> tuple[Begun | None, Begun]:
    """What was kept until now, and what is from now on."""
    tx.lock(f"erasure {wanted.vault.hex()}")
    return erasures.get(tx, wanted.vault), erasures.put(tx, wanted)


def _put_back(tx: Transaction, *, begun: Begun, earlier: Begun | None) -> None:
    """Take back what `_keep` kept, unless somebody asked or went on since."""
    tx.lock(f"erasure {begun.vault.hex()}")
    if erasures.forget(tx, begun) and earlier is not None:
        erasures.put(tx, earlier)


def _ask_all(
    node: Node,
    begun: Begun,
    organisations: Iterable[bytes],
    *,
    by: tuple[Caller, EraseBody] | None = None,
    silent: Iterable[bytes] = (),
) -> dict[bytes, SimdesError | None]:
    """Ask each, and keep its receipt or why there is none; nobody else once we refuse ourselves."""
    order = begun.signed or None
    caller, body = by or (
        node.agent_caller(),
        EraseBody(vault=hexed(begun.vault), order=order),
    )
    asked: dict[bytes, SimdesError | None] = {}
    for organisation in organisations:
        if organisation in silent:
            continue
        asked[organisation] = _ask(node, caller, organisation, body, begun.vault)
        if organisation == node.organisation and isinstance(asked[organisation], Forbidden):
            break
    return asked


def _ask(
    node: Node, caller: Caller, organisation: bytes, body: EraseBody, vault: bytes
) -> SimdesError | None:
    ours = organisation == node.organisation
    letter = addresses.last_of(node, vault) if ours else None  # before its key goes
    try:
        answer = ask(caller, organisation, "erase", body)
        receipt = _receipt(node, vault, organisation, answer)
    except SimdesError as error:
        missing = Missing(
            vault=vault,
            organisation=organisation,
            why=error.message[:MOST_TEXT],
            asked_ms=node.now_ms(),
        )
        node.database.write(lambda tx: erasures.miss(tx, missing))
        return error
    node.database.write(lambda tx: erasures.add(tx, receipt))
    if letter is not None:
        addresses.send_last(node, letter)
    return None


def _put_off(node: Node, begun: Begun, asked: Mapping[bytes, SimdesError | None]) -> None:
    """Note that everybody signed, or when who is left is asked again."""
    vault, now_ms, found = begun.vault, node.now_ms(), _standing(node, begun.vault)
    if not found.waiting and not found.unknown:
        node.database.write(lambda tx: erasures.settle(tx, vault, now_ms=now_ms))
        return
    away = set(found.waiting) - set(_unsigned(node, vault))
    tries = 0 if None in asked.values() else begun.tries + 1
    pause = min(FIRST_PAUSE_MS << min(tries, 12), LONGEST_PAUSE_MS)
    if asked and all(isinstance(one, Forbidden) for one in asked.values()):
        pause = REFUSED_PAUSE_MS
    elif away and len(away) == len(found.waiting):  # nobody can be asked now
        pause = LONGEST_PAUSE_MS

    def write(tx: Transaction) -> None:
        for one in sorted(away):
            missing = Missing(vault=vault, organisation=one, why=SUSPENDED, asked_ms=now_ms)
            erasures.miss(tx, missing)
        erasures.put_off(tx, vault, tries=tries, next_ms=now_ms + pause)

    node.database.write(write)


def _receipt(node: Node, vault: bytes, organisation: bytes, answer: Answer) -> Receipt:
    said = answer.receipt
    listed, chart, duty = said.get("epochs"), said.get("chart"), said.get("duty")
    if (
        said.get("vault") != hexed(vault)
        or not isinstance(listed, list)
        or listed != list(range(1, len(listed) + 1))
        or chart not in (NONE, ERASED, KEPT)
        or not isinstance(duty, str)
    ):
        raise Tampered("A receipt of an erasure is not of the agreed form.")
    return Receipt(
        vault=vault,
        organisation=organisation,
        epochs=len(listed),
        chart=str(chart),
        duty=duty[:MOST_TEXT],
        token=answer.token,
        received_ms=node.now_ms(),
    )


def _known(node: Node, vault: bytes) -> Vault:
    found = node.contracts.accounts.vault(vault)
    if found is None:
        raise NotFound("The network knows no such vault.")
    return found


def _unsigned(node: Node, vault: bytes) -> list[bytes]:
    """Verified organisations that have not signed for every epoch, ourselves first."""
    epoch = _known(node, vault).epoch
    with node.database.read() as tx:
        signed = {one.organisation: one.epochs for one in erasures.of_vault(tx, vault)}
        verified = [one.id for one in chain.organisations(tx) if one.state == State.VERIFIED]
    ours_first = sorted(verified, key=lambda one: (one != node.organisation, one))
    return [one for one in ours_first if signed.get(one, 0) < epoch]


def _standing(node: Node, vault: bytes) -> Erasure:
    known, unsigned = _known(node, vault), _unsigned(node, vault)
    descriptors = epochs.ever(node.desk, vault)
    with node.database.read() as tx:
        receipts = erasures.of_vault(tx, vault)
        linked = {tag for one in merges.of(tx, vault) for tag in (one.prior, one.survivor)} - {
            vault
        }
        begun, missing = erasures.get(tx, vault), erasures.missing(tx, vault)
    of_epochs = tuple(_epoch(one, receipts) for one in descriptors)
    left = {one for epoch in of_epochs for one in epoch.custodians if one not in epoch.gone}
    whys = {one: missing[one].why if one in missing else "was not asked yet" for one in unsigned}
    return Erasure(
        vault=vault,
        epochs=of_epochs,
        receipts=tuple(receipts),
        waiting=whys | dict.fromkeys(sorted(left - set(unsigned)), SUSPENDED),
        linked=tuple(sorted(linked)),
        unknown=known.epoch - len(descriptors),
        begun=begun,
    )


def _epoch(one: VaultDescriptor, receipts: Sequence[Receipt]) -> Epoch:
    signed = {each.organisation: each.epochs for each in receipts}
    custodians = tuple(each.organisation for each in one.custodians)
    return Epoch(
        number=one.epoch,
        custodians=custodians,
        gone=tuple(each for each in custodians if signed.get(each, 0) >= one.epoch),
        needed=one.n - one.m + 1,
    )
