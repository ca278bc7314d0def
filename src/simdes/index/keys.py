"""What erasure destroys, read for its backup and given back after a restore.

A database that was restored may hold no key that was destroyed since: its key columns are empty
(`simdes.index.snapshot`), and `give_back` fills in what there still is. A database that was brought
back by its own tools holds keys of its time: those destroyed since go. Whatever else was erased is
erased again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from simdes.index import contents, vaults
from simdes.index.transaction import Transaction

T = TypeVar("T")
_ROWS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodyKey:
    """A private key that a custodian holds: ``vault`` and ``epoch`` None while in the pool."""

    public_digest: bytes
    private_wrapped: bytes
    vault: bytes | None
    epoch: int | None
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Keys by what they are for, and all that was ever erased.

    ``custody`` by the public key's digest, ``vaults`` by tag (wrapped local keys); ``destroyed``
    and ``erased`` name those that are gone, ``contents`` CIDs of ours that were erased, ``dropped``
    (CID, organisation) what was deleted for others.
    """

    custody: dict[bytes, CustodyKey]
    vaults: dict[bytes, bytes]
    destroyed: frozenset[bytes]
    erased: frozenset[bytes]
    contents: frozenset[str]
    dropped: frozenset[tuple[str, bytes]]

    def followed_by(self, newer: Keys) -> Keys:
        """What is known now: nothing goes but what one of the two says is destroyed.

        So a database that was emptied by mistake takes no key along.
        """
        destroyed = self.destroyed | newer.destroyed
        erased = self.erased | newer.erased
        custody, local = self.custody | newer.custody, self.vaults | newer.vaults
        return Keys(
            custody={name: key for name, key in custody.items() if name not in destroyed},
            vaults={tag: key for tag, key in local.items() if tag not in erased},
            destroyed=destroyed,
            erased=erased,
            contents=self.contents | newer.contents,
            dropped=self.dropped | newer.dropped,
        )


NONE: Final = Keys(
    custody={},
    vaults={},
    destroyed=frozenset(),
    erased=frozenset(),
    contents=frozenset(),
    dropped=frozenset(),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenBack:
    """What `give_back` did: keys that are in the database again or newly; custody keys and vaults
    destroyed (again); contents of ours erased again, contents of others to be deleted again."""

    custody_keys: int
    vault_keys: int
    custody_keys_destroyed: int
    vaults_erased: int
    contents_erased: int
    contents_dropped: int


def held(tx: Transaction) -> Keys:
    """Read every key in the database, and what was erased."""
    found = tx.all(
        "SELECT public_digest, private_wrapped, vault, epoch, created_ms FROM custody_key"
        " WHERE length(private_wrapped) > 0"
    )
    names = ("public_digest", "private_wrapped", "vault", "epoch", "created_ms")
    custody = [CustodyKey(**dict(zip(names, row, strict=True))) for row in found]
    return Keys(
        custody={key.public_digest: key for key in custody},
        vaults=dict(tx.all("SELECT tag, key_wrapped FROM vault WHERE length(key_wrapped) > 0")),
        destroyed=frozenset(
            row[0]
            for row in tx.all("SELECT public_digest FROM custody_key WHERE state = 'destroyed'")
        ),
        erased=frozenset(
            row[0]
            for row in tx.all(
                "SELECT tag FROM vault WHERE state = 'erased' AND key_wrapped IS NULL"
            )
        ),
        contents=frozenset(
            row[0] for row in tx.all("SELECT cid FROM content WHERE state <> 'kept'")
        ),
        dropped=frozenset(
            (cid, organisation)
            for cid, organisation in tx.all(
                "SELECT cid, organisation FROM kept_content WHERE state IN ('dropping', 'dropped')"
            )
        ),
    )


def give_back(
    tx: Transaction,
    keys: Keys,
    public: Callable[[CustodyKey], bytes],
    others: Callable[[Transaction], Sequence[bytes]],
    *,
    now_ms: int,
) -> GivenBack:
    """Fill in the keys that there are, destroy what was destroyed, erase what was erased.

    ``public`` gives the public half of a key that the database does not know; ``others`` lists the
    organisations that may have copies of what is erased. Repeating it is harmless.
    """
    destroyed = _destroy(tx, keys)
    erased = _erase_vaults(tx, keys)
    return GivenBack(
        custody_keys=_fill_custody(tx, keys, public),
        vault_keys=_fill_vaults(tx, keys),
        custody_keys_destroyed=destroyed + _close_custody(tx),
        vaults_erased=erased + _close_vaults(tx),
        contents_erased=_erase_contents(tx, keys, others, now_ms=now_ms),
        contents_dropped=_drop_contents(tx, keys, now_ms=now_ms),
    )


def _destroy(tx: Transaction, keys: Keys) -> int:
    count = 0
    for part in _parts(sorted(keys.destroyed)):
        count += tx.run(
            "UPDATE custody_key SET state = 'destroyed', private_wrapped = NULL"
            " WHERE public_digest IN :names AND state = 'bound'",
            names=part,
        )
        tx.run(
            "DELETE FROM custody_key WHERE public_digest IN :names AND state = 'pool'", names=part
        )
    return count


def _erase_vaults(tx: Transaction, keys: Keys) -> int:
    known: list[bytes] = []
    for part in _parts(sorted(keys.erased)):
        rows = tx.all(
            "SELECT tag FROM vault WHERE tag IN :tags"
            " AND (state <> 'erased' OR key_wrapped IS NOT NULL)",
            tags=part,
        )
        known += [row[0] for row in rows]
    for tag in known:
        vaults.erase(tx, tag)
    return len(known)


def _fill_custody(tx: Transaction, keys: Keys, public: Callable[[CustodyKey], bytes]) -> int:
    rows = tx.all("SELECT public_digest, state, length(private_wrapped) FROM custody_key")
    known = {row[0]: (row[1], row[2]) for row in rows}
    new, back = [], []
    for name, key in keys.custody.items():
        state, length = known.get(name, ("", None))
        if not state:
            new.append(key)
        elif length == 0 or (state == "pool" and key.vault is not None):
            back.append(key)
    tx.many(
        "UPDATE custody_key SET private_wrapped = :private, vault = :vault, epoch = :epoch,"
        " state = :state WHERE public_digest = :name",
        [
            {
                "private": key.private_wrapped,
                "vault": key.vault,
                "epoch": key.epoch,
                "state": _state(key),
                "name": key.public_digest,
            }
            for key in back
        ],
    )
    tx.insert(
        "custody_key",
        [
            {
                "public_digest": key.public_digest,
                "public": public(key),
                "private_wrapped": key.private_wrapped,
                "vault": key.vault,
                "epoch": key.epoch,
                "state": _state(key),
                "created_ms": key.created_ms,
            }
            for key in new
        ],
    )
    return len(new) + len(back)


def _state(key: CustodyKey) -> str:
    return "pool" if key.vault is None else "bound"


def _fill_vaults(tx: Transaction, keys: Keys) -> int:
    empty = {row[0] for row in tx.all("SELECT tag FROM vault WHERE length(key_wrapped) = 0")}
    back = [{"tag": tag, "key": key} for tag, key in keys.vaults.items() if tag in empty]
    return tx.many("UPDATE vault SET key_wrapped = :key WHERE tag = :tag", back)


def _close_custody(tx: Transaction) -> int:
    """Keys that are in no copy were destroyed: what is empty never opens anything again."""
    tx.run("DELETE FROM custody_key WHERE length(private_wrapped) = 0 AND state = 'pool'")
    return tx.run(
        "UPDATE custody_key SET state = 'destroyed', private_wrapped = NULL"
        " WHERE length(private_wrapped) = 0"
    )


def _close_vaults(tx: Transaction) -> int:
    empty = [row[0] for row in tx.all("SELECT tag FROM vault WHERE length(key_wrapped) = 0")]
    for tag in empty:
        vaults.erase(tx, tag)
    return len(empty)


def _erase_contents(
    tx: Transaction,
    keys: Keys,
    others: Callable[[Transaction], Sequence[bytes]],
    *,
    now_ms: int,
) -> int:
    known: list[str] = []
    for part in _parts(sorted(keys.contents)):
        rows = tx.all("SELECT cid FROM content WHERE cid IN :cids AND state = 'kept'", cids=part)
        known += [row[0] for row in rows]
    if known:
        asked = others(tx)
        for part in _parts(known):
            contents.erase(tx, part, asked, now_ms=now_ms)
    return len(known)


def _drop_contents(tx: Transaction, keys: Keys, *, now_ms: int) -> int:
    return tx.many(
        "UPDATE kept_content SET state = 'dropping', tries = 0, next_ms = :now"
        " WHERE cid = :cid AND organisation = :organisation AND state IN ('wanted', 'held')",
        [
            {"cid": cid, "organisation": organisation, "now": now_ms}
            for cid, organisation in sorted(keys.dropped)
        ],
    )


def _parts(listed: Sequence[T]) -> Iterator[list[T]]:
    return (list(listed[at : at + _ROWS]) for at in range(0, len(listed), _ROWS))


# What a restored database must not go on with ---------------------------------------------------

_OF_THE_MOMENT: Final = (
    "remote_copy",
    "session",
    "browser_session",
    "authorization_request",
    "launch_context",
    "authorization_grant",
    "subscription_binding",
    "mail_code",
    "mail_letter WHERE address_wrapped IS NOT NULL",
)
"""Copies of what consents opened, and of addresses; what lets somebody in: revoked since, they
would be back."""


def forget_the_moment(tx: Transaction) -> None:
    """Sign everybody out, end apps' permissions and drop copies, leases and work that was held."""
    for rows in _OF_THE_MOMENT:
        tx.run(f"DELETE FROM {rows}")  # noqa: S608 (names above)
    tx.run("UPDATE outbox SET claimed_by = NULL, claimed_until_ms = 0")
    tx.run("UPDATE duty SET holder = NULL, held_until_ms = 0")
    tx.run("UPDATE bulk_job SET holder = NULL, held_until_ms = 0")


_MARKS: Final = (
    "SELECT state, count(*) FROM custody_key GROUP BY state ORDER BY state",
    "SELECT state, key_wrapped IS NULL, count(*) FROM vault GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT count(*) FROM content WHERE state <> 'kept'",
    "SELECT count(*) FROM kept_content WHERE state IN ('dropping', 'dropped')",
)


def marks(tx: Transaction) -> tuple[object, ...]:
    """Counts that differ whenever `held` does: keys only come, are bound and go."""
    return tuple(tuple(tx.all(query)) for query in _MARKS)
