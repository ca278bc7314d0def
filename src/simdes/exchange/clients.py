"""The apps of an organisation: its administrators register and remove them.

There is no open registration: an app that may read records is somebody's decision. Who holds the
organisation's folder and passphrase may act without a session, as with the quarantine: they could
open the database anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from simdes.access import clients, handles, scopes
from simdes.access.clients import Client, Kind
from simdes.errors import Conflict, Invalid, NotFound
from simdes.exchange.enrolment import require_administrator
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import authorization
from simdes.index.transaction import Transaction

__all__ = ["Client", "Kind", "Registered", "listed", "register", "remove", "rotate"]


@dataclass(frozen=True, slots=True)
class Registered:
    """An app and, this once, its secret ("" where it has none)."""

    client: Client
    secret: str = field(default="", repr=False)


def register(
    node: Node,
    administrator: Session | None,
    *,
    name: str,
    kind: Kind,
    scope: str,
    redirect_uris: Sequence[str] = (),
    launch_url: str = "",
    keys: str | None = None,
    keys_url: str | None = None,
    client_id: str = "",
) -> Registered:
    """Register an app. A confidential one without keys gets a secret, which is shown here alone.

    Raises `Forbidden` unless the session is an administrator's, `Invalid` saying what can't be,
    `Conflict` when the client id is taken.
    """
    _require(administrator)
    secret = ""
    if kind is Kind.CONFIDENTIAL and not keys and not keys_url:
        secret = handles.draw(node.random)
    client = Client(
        id=client_id or f"app-{node.random(8).hex()}",
        name=name.strip(),
        kind=kind,
        scope=scopes.parse(scope),
        redirect_uris=tuple(dict.fromkeys(redirect_uris)),
        launch_url=launch_url,
        secret_digest=handles.digest("client", secret) if secret else None,
        keys=keys or None,
        keys_url=keys_url or None,
        created_ms=node.now_ms(),
    )
    clients.require_registrable(client)

    def write(tx: Transaction) -> None:
        if authorization.client(tx, client.id) is not None:
            raise Conflict("The client id is taken.", advice="Choose another, or remove it first.")
        authorization.add_client(tx, client.row())

    node.database.write(write)
    return Registered(client, secret)


def listed(node: Node) -> list[Client]:
    """Every app, oldest first."""
    with node.database.read() as tx:
        return [clients.of_row(row) for row in authorization.clients(tx)]


def find(node: Node, client_id: str) -> Client | None:
    """An app by its id."""
    with node.database.read() as tx:
        row = authorization.client(tx, client_id)
    return None if row is None else clients.of_row(row)


def origins(node: Node) -> frozenset[str]:
    """The origins of public apps' pages, which a browser may let call us."""
    return clients.origins([one for one in listed(node) if one.kind is Kind.PUBLIC])


def remove(node: Node, administrator: Session | None, client_id: str) -> None:
    """Remove an app and end all it was allowed, its tokens included. Raises `NotFound`."""
    _require(administrator)
    if not node.database.write(lambda tx: authorization.remove_client(tx, client_id)):
        raise NotFound("No such app here.")


def rotate(
    node: Node,
    administrator: Session | None,
    client_id: str,
    *,
    keys: str | None = None,
    keys_url: str | None = None,
) -> Registered:
    """Give an app a new secret, or other keys; what it had is refused from now on.

    Raises `NotFound`, `Invalid` for an app that proves itself in another way.
    """
    _require(administrator)
    client = find(node, client_id)
    if client is None:
        raise NotFound("No such app here.")
    if client.secret_digest is not None and not keys and not keys_url:
        secret = handles.draw(node.random)
        digest = handles.digest("client", secret)
        node.database.write(lambda tx: authorization.set_secret(tx, client_id, digest))
        return Registered(replace(client, secret_digest=digest), secret)
    if client.secret_digest is not None or not (keys or keys_url):
        raise Invalid("An app with keys is given other keys, an app with a secret a new secret.")
    changed = replace(client, keys=keys or None, keys_url=keys_url or None)
    clients.require_registrable(changed)
    node.database.write(
        lambda tx: authorization.set_keys(
            tx, client_id, keys=changed.keys, keys_url=changed.keys_url
        )
    )
    return Registered(changed)


def _require(administrator: Session | None) -> None:
    if administrator is not None:
        require_administrator(administrator)
