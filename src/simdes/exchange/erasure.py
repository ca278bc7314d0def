"""Erase a patient's vault everywhere: every organisation destroys its keys of it, and signs.

It holds once so many custodians of each epoch destroyed theirs that the others can't open a record
together (n - m + 1 of n); whoever does not answer is asked again by repeating it. What an
organisation keeps of its own by law stands in its receipt (docs/formats/vault.md, "Erasure").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simdes.access import epochs
from simdes.access.asking import ask
from simdes.access.categories import State
from simdes.access.custody_erasure import ERASED, KEPT, NONE
from simdes.access.messages import EraseBody
from simdes.access.requests import Answer, Signer, hexed
from simdes.errors import Forbidden, NotFound, SimdesError, Tampered
from simdes.exchange.mail import addresses
from simdes.exchange.node import Node
from simdes.index import chain, erasures, merges
from simdes.index.erasures import Receipt

MOST_TEXT = 500
"""Characters of a law's name that are kept of a receipt."""


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
    """

    vault: bytes
    epochs: tuple[Epoch, ...]
    receipts: tuple[Receipt, ...]
    waiting: Mapping[bytes, str]
    linked: tuple[bytes, ...]
    unknown: int

    @property
    def holds(self) -> bool:
        """Whether nobody can open a record of the vault by custodians' shares any more."""
        return not self.unknown and all(one.holds for one in self.epochs)


def look(node: Node, vault: bytes) -> Erasure:
    """How far it is, asking nobody. Raises NotFound for a vault that the network does not know."""
    node.following.catch_up()
    return _standing(node, vault, {})


def erase(node: Node, vault: bytes, *, control: Signer | None = None) -> Erasure:
    """Ask everybody who has not signed yet, ourselves first, and keep their receipts.

    ``control`` signs for the patient who controls the vault; without, this organisation's software
    does, for one that it opened and that no patient controls. Raises Forbidden, with nothing
    changed anywhere, where the ledger does not let them. This can't be undone.
    """
    before = look(node, vault)
    letter = addresses.last_of(node, vault)
    caller = node.agent_caller() if control is None else node.caller(control)
    body = EraseBody(vault=hexed(vault))
    failed: dict[bytes, str] = {}
    for organisation in before.waiting:
        try:
            answer = ask(caller, organisation, "erase", body)
            _keep(node, _receipt(node, vault, organisation, answer))
            if letter is not None and organisation == node.organisation:
                addresses.send_last(node, letter)
        except Forbidden as error:
            if organisation == node.organisation:
                raise
            failed[organisation] = error.message
        except SimdesError as error:
            failed[organisation] = error.message
    return _standing(node, vault, failed)


def _keep(node: Node, receipt: Receipt) -> None:
    node.database.write(lambda tx: erasures.add(tx, receipt))


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


def _standing(node: Node, vault: bytes, failed: Mapping[bytes, str]) -> Erasure:
    known = node.contracts.accounts.vault(vault)
    if known is None:
        raise NotFound("The network knows no such vault.")
    descriptors = epochs.ever(node.desk, vault)
    with node.database.read() as tx:
        receipts = erasures.of_vault(tx, vault)
        verified = [one.id for one in chain.organisations(tx) if one.state == State.VERIFIED]
        linked = {tag for one in merges.of(tx, vault) for tag in (one.prior, one.survivor)} - {
            vault
        }
    signed = {one.organisation: one.epochs for one in receipts}
    ours_first = sorted(verified, key=lambda one: (one != node.organisation, one))
    return Erasure(
        vault=vault,
        epochs=tuple(
            Epoch(
                number=one.epoch,
                custodians=tuple(each.organisation for each in one.custodians),
                gone=tuple(
                    each.organisation
                    for each in one.custodians
                    if signed.get(each.organisation, 0) >= one.epoch
                ),
                needed=one.n - one.m + 1,
            )
            for one in descriptors
        ),
        receipts=tuple(receipts),
        waiting={
            one: failed.get(one, "was not asked yet")
            for one in ours_first
            if signed.get(one, 0) < known.epoch
        },
        linked=tuple(sorted(linked)),
        unknown=known.epoch - len(descriptors),
    )
