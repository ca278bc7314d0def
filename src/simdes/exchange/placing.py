"""Into which vaults a group of messages goes: known patients' own, new provisional ones for others.

A few statements for a group, however many messages and patients it has. What is decided here holds
to the end of the transaction: the vaults are locked, and the links are read again behind the locks,
so that of two feeds that meet a new patient at once the second starts over and finds the first's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from simdes.access import vaults as vault_access
from simdes.access.vaults import vault_key
from simdes.exchange.checking import Ready, refusal
from simdes.exchange.node import Node
from simdes.exchange.patients import Part
from simdes.index import vaults
from simdes.index.transaction import Repeat, Transaction
from simdes.index.vaults import Identifier, Vault
from simdes.mapper import Quarantined


@dataclass(frozen=True, slots=True)
class Home:
    """A vault that is written into, and its local key."""

    tag: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Placed:
    """A message and the vault of each of its parts, in their order."""

    ready: Ready
    homes: tuple[Home, ...]


def place(
    node: Node, tx: Transaction, group: Sequence[Ready], *, registers: bool = True
) -> list[Placed | Quarantined]:
    """Find or begin the vault of every part of every message, one answer each.

    ``registers``: whether the sender may give known patients further identifiers. Raises Repeat
    where another transaction linked an identifier elsewhere since we looked.
    """
    asked = [one for ready in group for part in ready.parts for one in part.identifiers]
    known = vaults.find_many(tx, asked)
    held = vaults.lock_many(tx, sorted(set(known.values())))
    placing = _Placing(node, known, held, registers=registers)
    answers = [placing.message(ready) for ready in group]
    vaults.add_many(tx, list(placing.new.values()))
    vaults.link_many(tx, placing.links)
    linked = vaults.find_many(tx, asked)
    if any(linked.get(one) != tag for one, tag in placing.expected().items()):
        raise Repeat("Another feed met the same patient at the same moment")  # and was first
    return answers


class _Placing:
    """What is known of identifiers while a group's messages are gone through in their order."""

    def __init__(
        self,
        node: Node,
        known: Mapping[Identifier, bytes],
        held: Mapping[bytes, Vault],
        *,
        registers: bool,
    ) -> None:
        self._registers = registers
        self._node = node
        self._known = dict(known)
        self._held = dict(held)
        self._homes: dict[bytes, Home] = {}
        self._used: set[Identifier] = set()
        self.new: dict[bytes, Vault] = {}
        self.links: dict[Identifier, bytes] = {}

    def message(self, ready: Ready) -> Placed | Quarantined:
        """Place one message: all its parts, or none."""
        tags = [self._tags(part) for part in ready.parts]
        if any(len(its) > 1 for its in tags):
            return refusal(
                ready.message,
                "identifiers-of-two-patients",
                "The message's identifiers belong to different patients here.",
                "Find out who the patient is; merge the two, or correct the identifiers.",
            )
        if any(self._held[tag].is_closed for its in tags for tag in its):
            return refusal(
                ready.message,
                "vault-erased",
                "The patient's records were erased here.",
                "Find out whether the patient wants records again before replaying it.",
            )
        if not self._registers and any(map(self._adds, ready.parts, tags)):
            return refusal(
                ready.message,
                "identifiers-need-registration",
                "The message says by which further identifiers a known patient is known, "
                "which its sender may not.",
                "Compare the identifiers; replay the message if they are this patient's.",
            )
        homes = [self._home(part, its) for part, its in zip(ready.parts, tags, strict=True)]
        return Placed(ready, tuple(homes))

    def expected(self) -> dict[Identifier, bytes]:
        """Where each identifier that was relied on must lead."""
        return {one: self._known[one] for one in self._used}

    def _adds(self, part: Part, tags: Collection[bytes]) -> bool:
        """Whether a known patient would get an identifier that nobody has yet."""
        return bool(tags) and any(one not in self._known for one in part.identifiers)

    def _tags(self, part: Part) -> set[bytes]:
        return {self._known[one] for one in part.identifiers if one in self._known}

    def _home(self, part: Part, tags: Iterable[bytes]) -> Home:
        tag = next(iter(tags), None) or self._begin()
        for one in part.identifiers:
            self._used.add(one)
            if one not in self._known:
                self._known[one] = self.links[one] = tag
        if tag not in self._homes:
            key = vault_key(self._node.desk.keystore, self._held[tag])
            self._homes[tag] = Home(tag, key)
        return self._homes[tag]

    def _begin(self) -> bytes:
        vault = begin(self._node)
        self.new[vault.tag] = self._held[vault.tag] = vault
        return vault.tag


def begin(node: Node) -> Vault:
    """A new provisional vault of this organisation, not in the database yet."""
    return vault_access.fresh_row(
        node.desk.keystore,
        node.random(32),
        m=node.shares_needed,
        n=node.custodians,
        home=True,
        random=node.random,
        now_ms=node.now_ms(),
    )
