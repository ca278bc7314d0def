"""Apps, what people allowed them, and the secrets they hold, each as a digest.

What is single use is spent by one conditional UPDATE or INSERT, so that of two who present the
same code, refresh token or assertion at once exactly one succeeds, at any number of replicas.
Ids are 32 bytes, times unix milliseconds; ``key_wrapped`` was encrypted by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.errors import NotFound
from simdes.index.rows import read, row_of, select
from simdes.index.statements import Value
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """An app that an administrator registered.

    ``redirect_uris`` is a JSON list, ``keys`` a JSON Web Key Set.
    """

    id: str
    name: str
    kind: str
    secret_digest: bytes | None
    keys: str | None
    keys_url: str | None
    redirect_uris: str
    launch_url: str | None
    scope: str
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What is open in front of the person who starts an app: patient and encounter by FHIR id."""

    id: bytes
    client_id: str
    account: bytes
    vault: bytes | None
    patient: str
    encounter: str
    expires_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A validated authorization request that waits for a person; ``parameters`` is JSON."""

    id: bytes
    client_id: str
    parameters: str
    launch_account: bytes | None
    vault: bytes | None
    patient: str
    encounter: str
    created_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a person allowed an app; codes, refresh tokens and sessions hang on it."""

    id: bytes
    client_id: str
    account: bytes
    scope: str
    vault: bytes | None
    patient: str
    encounter: str
    fhir_user: str
    authenticated_ms: int
    methods: str
    lasting: str
    thumbprint: str
    created_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """An authorization code; ``key_wrapped`` None once it was used."""

    id: bytes
    grant_id: bytes
    redirect_uri: str
    challenge: str
    nonce: str
    key_wrapped: bytes | None
    expires_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """A refresh token; ``key_wrapped`` None once it was used."""

    id: bytes
    grant_id: bytes
    key_wrapped: bytes | None
    expires_ms: int


_CLIENT = select(Client, "client")
_LAUNCH = select(Launch, "launch_context")
_REQUEST = select(Request, "authorization_request")
_GRANT = select(Grant, "authorization_grant")
_CODE = select(Code, "authorization_code")
_REFRESH = select(Refresh, "refresh_token")


# Apps -------------------------------------------------------------------------------------------


def add_client(tx: Transaction, client: Client) -> None:
    """Register an app; `Conflict` when its id is taken."""
    tx.insert("client", [row_of(client)])


def client(tx: Transaction, id: str) -> Client | None:
    """Return an app; None also for what no id can be, which a database may refuse to compare."""
    if not id.isascii() or not id.isprintable():
        return None
    row = tx.one(_CLIENT + " WHERE id = :id", id=id)
    return None if row is None else read(Client, row)


def clients(tx: Transaction) -> list[Client]:
    """Return every app, oldest first."""
    return [read(Client, row) for row in tx.all(_CLIENT + " ORDER BY created_ms, id")]


def set_secret(tx: Transaction, id: str, digest: bytes) -> None:
    """Replace an app's secret. Raises `NotFound`."""
    if not tx.run("UPDATE client SET secret_digest = :d WHERE id = :id", d=digest, id=id):
        raise NotFound("No such app here.")


def set_keys(tx: Transaction, id: str, *, keys: str | None, keys_url: str | None) -> None:
    """Replace an app's keys. Raises `NotFound`."""
    if not tx.run(
        "UPDATE client SET keys = :keys, keys_url = :url WHERE id = :id",
        keys=keys,
        url=keys_url,
        id=id,
    ):
        raise NotFound("No such app here.")


def remove_client(tx: Transaction, id: str) -> bool:
    """Remove an app and end everything it was allowed; False when there was none."""
    tx.run("DELETE FROM authorization_grant WHERE client_id = :id", id=id)
    tx.run("DELETE FROM authorization_request WHERE client_id = :id", id=id)
    tx.run("DELETE FROM launch_context WHERE client_id = :id", id=id)
    return tx.run("DELETE FROM client WHERE id = :id", id=id) > 0


# Launches and requests --------------------------------------------------------------------------


def add_launch(tx: Transaction, launch: Launch) -> None:
    """Keep what is open for the app that is being started."""
    tx.insert("launch_context", [row_of(launch)])


def take_launch(tx: Transaction, id: bytes, *, client_id: str, now_ms: int) -> Launch | None:
    """Return a launch of this app and forget it: a handle is good once."""
    row = tx.one(
        _LAUNCH + " WHERE id = :id AND client_id = :client AND expires_ms > :now",
        id=id,
        client=client_id,
        now=now_ms,
    )
    if row is None or not tx.run("DELETE FROM launch_context WHERE id = :id", id=id):
        return None
    return read(Launch, row)


def add_request(tx: Transaction, request: Request) -> None:
    """Keep a validated request until a person answers it."""
    tx.insert("authorization_request", [row_of(request)])


def request(tx: Transaction, id: bytes, *, now_ms: int) -> Request | None:
    """Return a request that still waits."""
    row = tx.one(
        _REQUEST + " WHERE id = :id AND expires_ms > :now",
        id=id,
        now=now_ms,
    )
    return None if row is None else read(Request, row)


def take_request(tx: Transaction, id: bytes) -> bool:
    """Forget a request; False when somebody answered it already."""
    return tx.run("DELETE FROM authorization_request WHERE id = :id", id=id) > 0


def patient_id(tx: Transaction, vault: bytes) -> str | None:
    """Return the FHIR id of a vault's Patient, the last one written; None without one.

    What was brought along from a vault that was joined to this one comes last.
    """
    row = tx.one(
        "SELECT logical_id FROM resource WHERE vault = :vault AND type = 'Patient'"
        " ORDER BY CASE WHEN logical_id IN (SELECT r.logical_id FROM vault_merge AS m"
        " JOIN resource AS r ON r.vault = m.prior AND r.type = 'Patient'"
        " WHERE m.survivor = :vault AND m.state = 'moved') THEN 1 ELSE 0 END, id DESC LIMIT 1",
        vault=vault,
    )
    return None if row is None else str(row[0])


def vaults_of_patient(tx: Transaction, logical_id: str) -> list[bytes]:
    """Return the vaults that hold a Patient of this FHIR id; usually one."""
    rows = tx.all(
        "SELECT DISTINCT vault FROM resource WHERE type = 'Patient' AND logical_id = :id",
        id=logical_id,
    )
    return [bytes(row[0]) for row in rows]


def has_encounter(tx: Transaction, vault: bytes, logical_id: str) -> bool:
    """Whether a vault holds an Encounter of this FHIR id."""
    sql = "SELECT 1 FROM resource WHERE type = 'Encounter' AND logical_id = :id AND vault = :vault"
    return tx.one(sql, id=logical_id, vault=vault) is not None


# Grants -----------------------------------------------------------------------------------------


def add_grant(tx: Transaction, grant: Grant) -> None:
    """Keep what somebody allowed."""
    tx.insert("authorization_grant", [row_of(grant)])


def grant(tx: Transaction, id: bytes, *, now_ms: int) -> Grant | None:
    """Return a grant in force."""
    row = tx.one(_GRANT + " WHERE id = :id AND expires_ms > :now", id=id, now=now_ms)
    return None if row is None else read(Grant, row)


def lock_grant(tx: Transaction, id: bytes, *, now_ms: int) -> Grant | None:
    """Return a grant in force and let nobody else end it until the transaction does."""
    sql = f"{_GRANT} WHERE id = :id AND expires_ms > :now {tx.lock_rows}"
    row = tx.one(sql, id=id, now=now_ms)
    return None if row is None else read(Grant, row)


def grants_of(tx: Transaction, account: bytes, *, now_ms: int) -> list[Grant]:
    """Return what an account allows at present, newest first."""
    rows = tx.all(
        _GRANT + " WHERE account = :account AND expires_ms > :now ORDER BY created_ms DESC, id",
        account=account,
        now=now_ms,
    )
    return [read(Grant, row) for row in rows]


def bind_grant(tx: Transaction, id: bytes, thumbprint: str) -> None:
    """Bind what a grant gives from now on to a DPoP key."""
    tx.run(
        "UPDATE authorization_grant SET thumbprint = :thumbprint WHERE id = :id",
        thumbprint=thumbprint,
        id=id,
    )


def extend_grant(tx: Transaction, id: bytes, expires_ms: int) -> None:
    """Let a grant stand until then."""
    tx.run(
        "UPDATE authorization_grant SET expires_ms = :expires WHERE id = :id",
        expires=expires_ms,
        id=id,
    )


def note_use(tx: Transaction, id: bytes, *, now_ms: int) -> None:
    """Remember that an app got a token by a grant that the transaction holds."""
    row: dict[str, Value] = {"grant_id": id, "used_ms": now_ms}
    tx.insert("grant_use", [row], conflict="(grant_id) DO UPDATE SET used_ms = excluded.used_ms")


def last_uses(tx: Transaction, ids: Sequence[bytes]) -> dict[bytes, int]:
    """Return when tokens were last got by grants, in ms; those never used are left out."""
    if not ids:
        return {}
    rows = tx.all("SELECT grant_id, used_ms FROM grant_use WHERE grant_id IN :ids", ids=ids)
    return {bytes(id): int(used) for id, used in rows}


def end_grants(tx: Transaction, ids: Sequence[bytes]) -> int:
    """End grants with their codes, refresh tokens and sessions; how many there were."""
    if not ids:
        return 0
    return tx.run("DELETE FROM authorization_grant WHERE id IN :ids", ids=ids)


def end_lasting(tx: Transaction, account: bytes, lasting: str) -> int:
    """End an account's grants of one kind, as `end_grants`."""
    return tx.run(
        "DELETE FROM authorization_grant WHERE account = :account AND lasting = :lasting",
        account=account,
        lasting=lasting,
    )


# Codes and refresh tokens -----------------------------------------------------------------------


def add_code(tx: Transaction, code: Code) -> None:
    """Keep an authorization code."""
    tx.insert("authorization_code", [row_of(code)])


def code(tx: Transaction, id: bytes) -> Code | None:
    """Return a code, used and expired ones too: presenting one again must be noticed."""
    row = tx.one(_CODE + " WHERE id = :id", id=id)
    return None if row is None else read(Code, row)


def use_code(tx: Transaction, id: bytes) -> bool:
    """Use a code up; False when somebody did already."""
    sql = "UPDATE authorization_code SET key_wrapped = NULL WHERE id = :id"
    return tx.run(sql + " AND key_wrapped IS NOT NULL", id=id) > 0


def add_refresh(tx: Transaction, refresh: Refresh) -> None:
    """Keep a refresh token."""
    tx.insert("refresh_token", [row_of(refresh)])


def refresh(tx: Transaction, id: bytes) -> Refresh | None:
    """Return a refresh token, used and expired ones too."""
    row = tx.one(_REFRESH + " WHERE id = :id", id=id)
    return None if row is None else read(Refresh, row)


def use_refresh(tx: Transaction, id: bytes) -> bool:
    """Use a refresh token up; False when somebody did already."""
    sql = "UPDATE refresh_token SET key_wrapped = NULL WHERE id = :id"
    return tx.run(sql + " AND key_wrapped IS NOT NULL", id=id) > 0


def spend(tx: Transaction, id: bytes, *, expires_ms: int) -> bool:
    """Remember that something signed was used; False when it was used before."""
    row: dict[str, Value] = {"id": id, "expires_ms": expires_ms}
    return bool(tx.insert("spent_assertion", [row], conflict="(id) DO NOTHING", returning="id"))


_EXPIRING = (
    "session",
    "authorization_grant",
    "authorization_request",
    "launch_context",
    "refresh_token",
    "spent_assertion",
)


def purge(tx: Transaction, *, now_ms: int, reading_before_ms: int) -> None:
    """Drop what has expired."""
    for table in _EXPIRING:
        tx.run(f"DELETE FROM {table} WHERE expires_ms <= :now", now=now_ms)  # noqa: S608 (ours)
    tx.run("DELETE FROM recent_reading WHERE read_ms <= :before", before=reading_before_ms)
