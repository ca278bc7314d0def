"""Vaults this gateway knows, the identifiers of the patients behind them, and their local keys.

The local key of a vault (32 bytes, wrapped by the caller under the organisation's database key)
encrypts every copy of the vault's content in this database; `erase` drops it, and with it every
copy. Identifiers lie here in clear and only for patients of this organisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simdes.errors import Conflict, NotFound
from simdes.index import mail
from simdes.index.rows import read, row_of, select
from simdes.index.statements import MAX_LIST
from simdes.index.transaction import Transaction

OPENING, OPEN, ERASED = "opening", "open", "erased"
"""States: ``opening`` until its transaction is in a block, then ``open``; ``erased`` for good.

One that is erased with its local key still there is a chart that the law has this organisation
keep: readable here, never sealed for anybody again, and nothing new comes into it.
"""


ORGANISATION = "urn:simdes:organisation"
"""The system of identifiers that lead to organisations' own vaults, never to a patient's.

Whoever could give a patient such an identifier would make that patient's vault the one that
everybody here works in.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """A vault: ``m`` of ``n`` custodians, ``home`` 1 when this organisation opened it.

    ``control`` is the patient's account id, None while provisional; ``key_wrapped`` is None once
    erased here.
    """

    tag: bytes
    m: int
    n: int
    epoch: int
    descriptor_cid: str
    control: bytes | None
    home: int
    key_wrapped: bytes | None
    state: str
    created_ms: int

    @property
    def is_closed(self) -> bool:
        """Whether nothing may be written into it any more."""
        return self.key_wrapped is None or self.state == ERASED


_VAULT = select(Vault, "vault")


@dataclass(frozen=True, slots=True)
class Identifier:
    """A business identifier as in FHIR: the system's URI and the value in it."""

    system: str
    value: str

    @property
    def is_reserved(self) -> bool:
        """Whether it can be nobody's but an organisation's (`ORGANISATION`)."""
        return self.system.strip().lower() == ORGANISATION


def add(tx: Transaction, vault: Vault) -> bool:
    """Add a vault; False, and nothing changed, when its tag is known already."""
    sql = "(tag) DO NOTHING"
    return bool(tx.insert("vault", [row_of(vault)], conflict=sql, returning="tag"))


def add_many(tx: Transaction, new: Sequence[Vault]) -> None:
    """Add vaults with fresh tags. Raises `Conflict` for a tag known already."""
    tx.insert("vault", [row_of(vault) for vault in new])


def get(tx: Transaction, tag: bytes) -> Vault | None:
    """Return a vault by its tag."""
    row = tx.one(_VAULT + " WHERE tag = :tag", tag=tag)
    return None if row is None else read(Vault, row)


def get_many(tx: Transaction, tags: Sequence[bytes]) -> dict[bytes, Vault]:
    """Return the known ones among ``tags`` by tag, in one statement."""
    rows = tx.all(_VAULT + " WHERE tag IN :tags", tags=tags)
    return {row[0]: read(Vault, row) for row in rows}


def lock_many(tx: Transaction, tags: Sequence[bytes]) -> dict[bytes, Vault]:
    """Return vaults by tag as `get_many`, and keep others from writing into them until the end.

    Locked in the order of their tags, so that two transactions wait for each other, never both.
    """
    rows = tx.all(_VAULT + f" WHERE tag IN :tags ORDER BY tag {tx.lock_rows}", tags=tags)
    return {row[0]: read(Vault, row) for row in rows}


def controlled_by(tx: Transaction, control: bytes) -> list[Vault]:
    """Return the vaults that a patient's account controls."""
    rows = tx.all(
        _VAULT + " WHERE control = :control ORDER BY tag",
        control=control,
    )
    return [read(Vault, row) for row in rows]


def page(tx: Transaction, *, after: bytes = b"", limit: int = 1000) -> list[Vault]:
    """Return vaults in the order of their tags, those behind ``after``."""
    rows = tx.all(
        _VAULT + " WHERE tag > :after ORDER BY tag LIMIT :limit",
        after=after,
        limit=limit,
    )
    return [read(Vault, row) for row in rows]


def in_state(tx: Transaction, state: str, *, limit: int = MAX_LIST) -> list[Vault]:
    """Return the first vaults in a state, oldest first; a start resumes those ``opening``."""
    rows = tx.all(
        _VAULT + " WHERE state = :state ORDER BY created_ms, tag LIMIT :limit",
        state=state,
        limit=limit,
    )
    return [read(Vault, row) for row in rows]


def set_state(tx: Transaction, tag: bytes, state: str) -> None:
    """Set a vault's state; an erased one stays erased. Raises `NotFound`."""
    _changed(
        tx.run(
            "UPDATE vault SET state = :state WHERE tag = :tag"
            " AND (state <> 'erased' OR state = :state)",
            state=state,
            tag=tag,
        )
    )


def set_control(tx: Transaction, tag: bytes, control: bytes) -> None:
    """Set the patient's account, once: the same again is harmless. Raises `NotFound`."""
    _changed(
        tx.run(
            "UPDATE vault SET control = :control WHERE tag = :tag"
            " AND (control IS NULL OR control = :control)",
            control=control,
            tag=tag,
        )
    )


def set_epoch(
    tx: Transaction, tag: bytes, *, epoch: int, m: int, n: int, descriptor_cid: str
) -> None:
    """Follow a vault into a new epoch; older epochs than the present are ignored."""
    tx.run(
        "UPDATE vault SET epoch = :epoch, m = :m, n = :n, descriptor_cid = :cid"
        " WHERE tag = :tag AND epoch <= :epoch",
        epoch=epoch,
        m=m,
        n=n,
        cid=descriptor_cid,
        tag=tag,
    )


def erase(tx: Transaction, tag: bytes) -> None:
    """Drop the vault's local key for good, all that searches know of it, and where its patient
    was written to. Raises `NotFound`.

    What of it waits to be sealed never can be, and waits no more.
    """
    tx.shred()
    _changed(
        tx.run("UPDATE vault SET key_wrapped = NULL, state = 'erased' WHERE tag = :tag", tag=tag)
    )
    mail.forget_vault(tx, tag)
    tx.run("DELETE FROM entry WHERE vault = :tag", tag=tag)
    tx.run(
        "DELETE FROM outbox WHERE resource_id IN (SELECT id FROM resource WHERE vault = :tag)",
        tag=tag,
    )


def close(tx: Transaction, tag: bytes) -> None:
    """Let an erased vault's chart stand here under its local key. Raises `NotFound`."""
    _changed(tx.run("UPDATE vault SET state = 'erased' WHERE tag = :tag", tag=tag))
    mail.forget_vault(tx, tag)
    tx.run(
        "DELETE FROM outbox WHERE resource_id IN (SELECT id FROM resource WHERE vault = :tag)",
        tag=tag,
    )


def systems(tx: Transaction, *, limit: int) -> list[str]:
    """Return the identifier systems of patients here, each once: one look at the index for each."""
    rows = tx.all(
        "WITH RECURSIVE one(system) AS (SELECT min(system) FROM identifier UNION ALL"
        " SELECT (SELECT min(system) FROM identifier WHERE system > one.system) FROM one"
        " WHERE one.system IS NOT NULL)"
        " SELECT system FROM one WHERE system IS NOT NULL LIMIT :limit",
        limit=limit,
    )
    return [str(row[0]) for row in rows]


def link_many(tx: Transaction, links: Mapping[Identifier, bytes]) -> None:
    """Say whose vaults these are, in one statement; an earlier link of an identifier stays.

    Of two feeds that see a new patient at once, both go on with the same vault: the one found.
    Raises Conflict for an organisation's identifier, which `link_organisation` alone takes.
    """
    if any(one.is_reserved for one in links):
        raise Conflict("An identifier of an organisation is no patient's")
    _link(tx, links)


def link_organisation(tx: Transaction, value: str, tag: bytes) -> None:
    """Say which vault is the organisation's own; ``value`` is its id."""
    _link(tx, {Identifier(ORGANISATION, value): tag})


def _link(tx: Transaction, links: Mapping[Identifier, bytes]) -> None:
    tx.insert(
        "identifier",
        [
            {"system": one.system, "value": one.value, "tag": links[one]}
            # In the order of their keys: two feeds that add the same ones wait, never deadlock.
            for one in sorted(links, key=lambda one: (one.system, one.value))
        ],
        conflict="(system, value) DO NOTHING",
    )


def relink(tx: Transaction, prior: bytes, survivor: bytes) -> int:
    """Let every identifier of the vault ``prior`` lead to ``survivor``; how many."""
    return tx.run("UPDATE identifier SET tag = :new WHERE tag = :old", new=survivor, old=prior)


def find(tx: Transaction, identifier: Identifier) -> bytes | None:
    """Return the tag of the patient's vault, None for a patient unknown here."""
    row = tx.one(
        "SELECT tag FROM identifier WHERE system = :system AND value = :value",
        system=identifier.system,
        value=identifier.value,
    )
    return None if row is None else bytes(row[0])


def find_many(tx: Transaction, identifiers: Sequence[Identifier]) -> dict[Identifier, bytes]:
    """Return tags of the known patients among ``identifiers``, in one statement."""
    wanted = set(identifiers)
    rows = tx.all(
        "SELECT system, value, tag FROM identifier WHERE value IN :values",
        values=sorted({identifier.value for identifier in wanted}),
    )
    found = {Identifier(system, value): bytes(tag) for system, value, tag in rows}
    return {identifier: tag for identifier, tag in found.items() if identifier in wanted}


def identifiers(tx: Transaction, tag: bytes) -> list[Identifier]:
    """Return what the patient of a vault is known by here."""
    rows = tx.all(
        "SELECT system, value FROM identifier WHERE tag = :tag ORDER BY system, value", tag=tag
    )
    return [Identifier(*row) for row in rows]


def _changed(count: int) -> None:
    if count == 0:
        raise NotFound("No such vault here, or it is past this change")
