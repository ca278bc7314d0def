"""In whose vault something is: told by who wrote it in a row of numbers, known to who may look.

A claim is told by its provider to its insurer, a prescription by its prescriber to a pharmacy that
its patient let in. A number is a time in milliseconds, or the one after the last where that is
higher: who was restored from a backup gives no number twice, and nobody misses what is told later.
"""

# Names of tables and columns are those of the registers in this file; values are bound.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from simdes.index import vaults
from simdes.index.statements import Value
from simdes.index.transaction import Transaction

PAGE: Final = 500
"""Most that is told at once."""


@dataclass(frozen=True, slots=True)
class Told:
    """An item (its id on the ledger) with its vault, under a number of who tells; ``handle`` of
    the consent under which it is told, b"" where that is not written down."""

    number: int
    item: bytes
    vault: bytes
    handle: bytes = b""


@dataclass(frozen=True, slots=True)
class Register:
    """The tables ``name``_told, ``name``_heard and ``name``_known, whose column ``name`` is an item
    and ``hearer`` who is told. ``by_consent``: it is told anew under each consent."""

    name: str
    hearer: str
    by_consent: bool = False

    # At who tells ------------------------------------------------------------------------------

    def tell(
        self,
        tx: Transaction,
        item: bytes,
        vault: bytes,
        hearer: bytes,
        *,
        now_ms: int,
        handle: bytes = b"",
    ) -> bool:
        """Have somebody told of an item; False where they were before, or the vault was erased."""
        table = f"{self.name}_told"
        tx.lock(table)  # numbers become visible in their order
        if self.is_settled(tx, item, vault, handle=handle):
            return False
        row = tx.one(f"SELECT max(number) FROM {table}")
        newest = int(row[0]) if row and row[0] is not None else 0
        made: dict[str, Value] = {
            "number": max(now_ms, newest + 1),
            self.name: item,
            "vault": vault,
            self.hearer: hearer,
            **self._under(handle),
        }
        tx.insert(table, [made])
        return True

    def is_settled(
        self, tx: Transaction, item: bytes, vault: bytes, *, handle: bytes = b""
    ) -> bool:
        """Whether nobody is to be told of an item (any more)."""
        same = " AND handle = :handle" if self.by_consent else ""
        told = tx.one(
            f"SELECT 1 FROM {self.name}_told WHERE {self.name} = :item{same}",
            item=item,
            **self._under(handle),
        )
        row = vaults.get(tx, vault)
        return told is not None or (row is not None and row.state == vaults.ERASED)

    def _under(self, handle: bytes) -> dict[str, bytes]:
        return {"handle": handle} if self.by_consent else {}

    def told(self, tx: Transaction, hearer: bytes, *, after: int) -> list[Told]:
        """What somebody is told behind a number, `PAGE` at most, in order."""
        more = ", handle" if self.by_consent else ""
        rows = tx.all(
            f"SELECT number, {self.name}, vault{more} FROM {self.name}_told"
            f" WHERE {self.hearer} = :hearer AND number > :after ORDER BY number LIMIT :most",
            hearer=hearer,
            after=after,
            most=PAGE,
        )
        return [Told(int(row[0]), *map(bytes, row[1:])) for row in rows]

    def unsay(self, tx: Transaction, numbers: Sequence[int]) -> None:
        """Drop what can't be told any more."""
        tx.many(
            f"DELETE FROM {self.name}_told WHERE number = :number",
            [{"number": one} for one in numbers],
        )

    # At who is told ----------------------------------------------------------------------------

    def learn(
        self, tx: Transaction, teller: bytes, rows: Sequence[Told], *, up_to: int | None = None
    ) -> None:
        """Write down what somebody told, heard ``up_to`` a number, else that of the last; who told
        of an item first is not overwritten."""
        if up_to is None and not rows:
            return
        heard = rows[-1].number if up_to is None else up_to
        tx.insert(
            f"{self.name}_known",
            [
                {
                    self.name: one.item,
                    "vault": one.vault,
                    "provider": teller,
                    "number": one.number,
                }
                for one in rows
            ],
            conflict=f"({self.name}) DO NOTHING",
        )
        tx.insert(
            f"{self.name}_heard",
            [{"provider": teller, "number": heard}],
            conflict="(provider) DO UPDATE SET number = excluded.number"
            f" WHERE {self.name}_heard.number < excluded.number",
        )

    def heard_up_to(self, tx: Transaction, teller: bytes) -> int:
        """The newest number that somebody told, 0 before the first."""
        row = tx.one(f"SELECT number FROM {self.name}_heard WHERE provider = :one", one=teller)
        return int(row[0]) if row else 0

    def known(self, tx: Transaction) -> dict[bytes, bytes]:
        """Every known item with its vault, newest first."""
        rows = tx.all(
            f"SELECT {self.name}, vault FROM {self.name}_known ORDER BY number DESC, {self.name}"
        )
        return {bytes(item): bytes(vault) for item, vault in rows}

    def vault_of(self, tx: Transaction, item: bytes) -> bytes | None:
        """The vault of an item, None where nobody told of it."""
        row = tx.one(f"SELECT vault FROM {self.name}_known WHERE {self.name} = :item", item=item)
        return None if row is None else bytes(row[0])

    def among(self, tx: Transaction, vaults: Collection[bytes]) -> set[bytes]:
        """Those of the vaults of which an item is known."""
        rows = tx.all(
            f"SELECT DISTINCT vault FROM {self.name}_known WHERE vault IN :vaults",
            vaults=sorted(vaults),
        )
        return {bytes(vault) for (vault,) in rows}

    def count_of(self, tx: Transaction, vault: bytes, teller: bytes) -> int:
        """How many items of a vault are known of somebody."""
        row = tx.one(
            f"SELECT count(*) FROM {self.name}_known WHERE vault = :vault AND provider = :teller",
            vault=vault,
            teller=teller,
        )
        return int(row[0]) if row else 0

    def forget(self, tx: Transaction, items: Sequence[bytes]) -> None:
        """Drop items that have ended; what was heard is not heard again."""
        tx.many(
            f"DELETE FROM {self.name}_known WHERE {self.name} = :item",
            [{"item": one} for one in items],
        )

    # Both --------------------------------------------------------------------------------------

    def drop_vault(self, tx: Transaction, vault: bytes) -> None:
        """Drop whose items these were: the vault was erased."""
        tx.run(f"DELETE FROM {self.name}_told WHERE vault = :vault", vault=vault)
        tx.run(f"DELETE FROM {self.name}_known WHERE vault = :vault", vault=vault)


CLAIMS: Final = Register("claim", "insurer")
PRESCRIPTIONS: Final = Register("prescription", "pharmacy", by_consent=True)
