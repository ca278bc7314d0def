"""Who asked for a job and what for, as it is kept: wrapped, because searches name patients.

A job has a key of its own, made of the database's key and the job's random id: when its row is
gone, nothing opens its pieces.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from simdes.access import accounts
from simdes.access.app_context import OWN_CLIENT, Context
from simdes.access.tokens import Actor
from simdes.crypto.digest import hkdf
from simdes.crypto.keys import SigningKey, unwrap, wrap
from simdes.decoding import ready
from simdes.errors import Forbidden
from simdes.exchange import scoping
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking, ask
from simdes.exchange.signin import Session
from simdes.index import authorization

_INFO: Final = b"simdes/bulk/v1"
T = TypeVar("T")

Pairs = tuple[tuple[str, str], ...]


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """Who asked, through which app, allowed what. ``scope`` None: no app stood between."""

    account: bytes
    address: bytes
    user: str
    client: str
    scope: str | None
    vault: bytes | None
    purpose: str


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """What to export.

    ``level`` is system, patient or group. ``filters`` are the searches by type, of which one has to
    be met; ``vaults`` the patients chosen, None: all. ``request`` is the URL that was asked.
    """

    request: str
    level: str
    types: tuple[str, ...]
    filters: dict[str, tuple[Pairs, ...]] = {}
    since_ms: int | None = None
    elements: str = ""
    vaults: tuple[bytes, ...] | None = None


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """A file to import: the type that its lines are said to be of, "" for any, and its address.

    What came with the request has the request's own address. ``ends``: its lines are Bundles that
    say what to delete, as an export's ``deleted`` files.
    """

    type: str
    url: str
    ends: bool = False


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """What to import.

    ``manifest`` is the address of a finished export's manifest whose files are the inputs, "" where
    they are named; ``begins``: it is where an export is begun first. ``source`` is the address of
    the server that wrote them: references to it become relative ones. ``credential``
    (``user:password``) is what their server asks for. ``request`` is the URL that was asked.
    """

    request: str
    inputs: tuple[Input, ...] = ()
    manifest: str = ""
    begins: bool = False
    source: str = ""
    credential: str = ""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A job's order: one of the two."""

    who: Who
    exporting: Export | None = None
    importing: Import | None = None

    @property
    def export(self) -> Export:
        """What to export."""
        assert self.exporting is not None  # noqa: S101 (jobs are begun as what they are)
        return self.exporting

    @property
    def load(self) -> Import:
        """What to import."""
        assert self.importing is not None  # noqa: S101 (jobs are begun as what they are)
        return self.importing

    @property
    def request(self) -> str:
        """The URL that was asked."""
        return self.load.request if self.importing is not None else self.export.request


def who_asks(asking: Asking) -> Who:
    """What is kept of a caller."""
    actor = asking.session.actor
    context = actor.context
    return Who(
        account=actor.account,
        address=actor.address,
        user=actor.user,
        client=context.client,
        scope=None if context.unrestricted else context.scope,
        vault=context.vault,
        purpose=asking.purpose.name,
    )


def unattended(node: Node, who: Who) -> Asking:
    """What the asker of a job may do now, while they are away.

    Raises Forbidden where the account may not act any more or the app was removed. The session
    signs for nobody: what needs the person's own key is not to be had with it.
    """
    standing = accounts.require_active(node.contracts, who.address)
    with node.database.read() as tx:
        gone = who.client != OWN_CLIENT and authorization.client(tx, who.client) is None
    if gone or standing.account != who.account or standing.organisation != node.organisation:
        raise Forbidden("The account or app that asked for this may not act any more.")
    actor = Actor(
        account=who.account,
        address=who.address,
        role=standing.role,
        organisation=standing.organisation,
        user=who.user,
        session=b"",
        context=Context(client=who.client, scope=who.scope or "", vault=who.vault),
    )
    vaults = (who.vault,) if who.vault is not None else ()
    scopes = None if who.scope is None else scoping.allowed(who.scope, vaults)
    session = Session(actor, _no_key, "")
    return ask(node, session, scopes=scopes, purpose=who.purpose)


def _no_key() -> SigningKey:
    raise Forbidden("Nobody is there to sign.", advice="Fetch the file: then the person is.")


def sealed(node: Node, job: bytes, what: Any, *, place: bytes = b"") -> bytes:
    """A value as it lies in the database, bound to its job and its place in it."""
    return wrap(_key(node, job), msgspec.msgpack.encode(what), aad=place, random=node.random)


def unsealed(node: Node, job: bytes, wrapped: bytes, kind: type[T], *, place: bytes = b"") -> T:
    """Undo `sealed`."""
    return msgspec.msgpack.decode(unwrap(_key(node, job), wrapped, aad=place), type=ready(kind))


def place_of(file: int, part: int) -> bytes:
    """Where a piece stands."""
    return f"{file}/{part}".encode()


def _key(node: Node, job: bytes) -> bytes:
    return hkdf(node.desk.keystore.database_key, salt=job, info=_INFO)
