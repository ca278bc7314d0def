"""Releases of small studies, ordered on a page: made after the request, fetched when they are.

It is `releasing.release` with the orderer's key, which stays in the memory of the process that took
the order (`simdes.exchange.aside`): a restart ends it, and it is ordered again; once the ledger has
taken it, that number stays without a package. What comes of it, sealed to this organisation, waits
a week in the database. Larger ones are made by the command.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from simdes.access.audit_event import Verb
from simdes.access.categories import Purpose, Role
from simdes.crypto.digest import sha256
from simdes.crypto.keys import unwrap, wrap
from simdes.errors import Conflict, Forbidden, NotFound, SimdesError, TooLarge, Unavailable
from simdes.exchange.node import Node
from simdes.exchange.on_record import attempt_of
from simdes.exchange.research import passing
from simdes.exchange.research.documents import keep
from simdes.exchange.research.opening import open_release
from simdes.exchange.research.releasing import MANIFEST, Released, release, taking_part
from simdes.exchange.research.studies import Document, id_of, octets
from simdes.exchange.signin import Session, held
from simdes.index import studies as rows
from simdes.index.studies import FAILED, KEPT_MS, MADE, READING
from simdes.index.transaction import Transaction
from simdes.research.policy import Policy

MOST_PATIENTS: Final = 200
MOST_BYTES: Final = 16 * 1024 * 1024
MOST_ORDERS: Final = 4
"""How many of one account may wait or run: as long as they do, its key is held in memory."""
STALLED_MS: Final = 15 * 60_000
"""After how long without a change an order is taken to be ended by a restart."""
TABLES: Final = ("csv", "parquet")
_AAD: Final = b"simdes/study-report/v1"
_AGAIN: Final = "It stood still, and was ordered again."
_LARGE: Final = "Make a release this large by the command “simdes study run”."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """An account's order as researchers see it. ``state``: reading, stalled, made or failed.

    ``report`` is the policy's, None until it is made; ``failure`` says why nothing came of it.
    """

    id: bytes
    account: bytes
    state: str
    done: int
    total: int
    number: int
    patients: int
    failure: str
    report: Mapping[str, Any] | None
    asked_ms: int
    kept_until_ms: int


def order(node: Node, session: Session, document: Document, policy: Policy) -> bytes:
    """Order a release of a study, whose id is returned; it is made after this returns.

    Raises as `releasing.release`, TooLarge where more take part than a page releases, Conflict
    where one of this study is being made or four of this account are.
    """
    study, now_ms = id_of(node, document), node.now_ms()
    total = taking_part(node, session, document)
    if total > MOST_PATIENTS:
        raise TooLarge("More patients take part than a page makes a release of.", advice=_LARGE)
    made = rows.Order(
        id=node.random(32),
        study=study,
        account=session.actor.account,
        state=READING,
        total=total,
        asked_ms=now_ms,
        changed_ms=now_ms,
    )

    def write(tx: Transaction) -> None:
        tx.lock("study-release")  # so that two who order at once do not both find none
        rows.forget(tx, now_ms=now_ms)
        _make_way(tx, made)
        rows.add_order(tx, made)

    keep(node, document)
    session = held(session)
    node.database.write(write)
    node.aside.start(
        lambda: _make(node, session, document, policy, made.id),
        beat=lambda: node.database.write(
            lambda tx: rows.touch(tx, made.id, now_ms=node.now_ms()),
        ),
    )
    return made.id


def listed(node: Node, study: bytes) -> list[Ordered]:
    """The orders of a study that are kept, the newest first."""
    now_ms = node.now_ms()
    with node.database.read() as tx:
        found = rows.orders(tx, study)
    return [_told(node, one, now_ms) for one in found if one.changed_ms >= now_ms - KEPT_MS]


def sealed(node: Node, session: Session, document: Document, id_: bytes) -> bytes:
    """The package of a release that was made. Raises Forbidden, NotFound."""
    content = _package(node, session, document, id_)
    _fetched(node, session, content)
    return content


def pictures(node: Node, session: Session, document: Document, id_: bytes) -> bytes:
    """What anonymisation changed, in pictures, as a page of its own. Raises as `sealed`.

    It tells what was before: to who ordered the release, and to nobody else there is one.
    """
    found = _made(node, session, document, id_)
    if found.account != session.actor.account:
        raise _gone()
    _fetched(node, session, _package(node, session, document, id_))
    return str(_report(node, found)["pictures"]).encode()


def opened(node: Node, session: Session, document: Document, id_: bytes, *, accepts: bool) -> bytes:
    """The opened files of a release with the acceptance of its terms, as a ZIP archive.

    Raises as `sealed` and `opening.open_release`.
    """
    content = _package(node, session, document, id_)
    out = io.BytesIO()
    with passing.folder("open") as place:
        package, into = place / "release.zip", place / "data"
        package.write_bytes(content)
        open_release(node, session, document, package, into, accepts=accepts)
        _fetched(node, session, content)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(one for one in into.rglob("*") if one.is_file()):
                file.write(path, str(path.relative_to(into)))
    return out.getvalue()


def may_order(session: Session, document: Document) -> bool:
    """Whether this is a researcher of the study's sponsor, who orders releases and fetches them."""
    actor = session.actor
    return actor.role == Role.RESEARCHER and actor.organisation == octets(document.sponsor)


def _make_way(tx: Transaction, new: rows.Order) -> None:
    """End what stalled of this study. Raises Conflict where one runs, or four of the account."""
    now_ms = new.asked_ms
    for one in rows.orders(tx, new.study):
        if _state(one, now_ms) == READING:
            raise Conflict("A release of this study is being made.", advice="Wait for it.")
        rows.fail(tx, one.id, _AGAIN, now_ms=now_ms)
    theirs = [one for one in rows.reading(tx, new.account) if _state(one, now_ms) == READING]
    if len(theirs) >= MOST_ORDERS:
        raise Conflict("You have 4 releases being made.", advice="Wait for one of them.")


def _make(node: Node, session: Session, document: Document, policy: Policy, id_: bytes) -> None:
    """Carry an order out, and keep what came of it."""

    def progress(done: int, total: int) -> None:
        if node.aside.ending:
            raise Unavailable("The gateway was stopped meanwhile.", advice="Order it again.")
        now_ms = node.now_ms()
        if not node.database.write(
            lambda tx: rows.advance(tx, id_, done=done, total=total, now_ms=now_ms)
        ):
            raise Conflict(_AGAIN)

    try:
        with passing.folder("order") as place:
            whole = release(
                node,
                session,
                document,
                policy,
                place / "release.zip",
                tables=TABLES,
                progress=progress,
                most_bytes=MOST_BYTES,
            )
            _finish(node, id_, whole)
    except SimdesError as error:
        failure = error.message
        node.database.write(lambda tx: rows.fail(tx, id_, failure, now_ms=node.now_ms()))
    except Exception:
        failure = "Something went wrong here; it was written down for who runs this gateway."
        node.database.write(lambda tx: rows.fail(tx, id_, failure, now_ms=node.now_ms()))
        raise


def _finish(node: Node, id_: bytes, whole: Released) -> None:
    told = json.dumps({"report": whole.report, "pictures": whole.pictures}).encode()
    wrapped = wrap(node.desk.keystore.database_key, told, aad=_AAD + id_, random=node.random)
    package = whole.package.read_bytes()
    node.database.write(
        lambda tx: rows.finish(
            tx,
            id_,
            number=whole.number,
            patients=whole.members,
            report=wrapped,
            package=package,
            now_ms=node.now_ms(),
        )
    )


def _made(node: Node, session: Session, document: Document, id_: bytes) -> rows.Order:
    if not may_order(session, document) or session.actor.organisation != node.organisation:
        raise Forbidden("Only a researcher of the study's sponsor opens a release.")
    with node.database.read() as tx:
        found = rows.order(tx, id_)
    if found is None or found.study != id_of(node, document) or found.state != MADE:
        raise _gone()
    if found.changed_ms < node.now_ms() - KEPT_MS:
        raise _gone()
    return found


def _package(node: Node, session: Session, document: Document, id_: bytes) -> bytes:
    _made(node, session, document, id_)
    with node.database.read() as tx:
        return rows.package(tx, id_)


def _fetched(node: Node, session: Session, package: bytes) -> None:
    """Our trail's entry of who fetched a release, named as its patients' entries name it."""
    with zipfile.ZipFile(io.BytesIO(package)) as file:
        named = (sha256(file.read(MANIFEST)),)
    attempt = attempt_of(session.actor, Verb.READ, None, purpose=int(Purpose.HRESCH), records=named)
    node.database.write(lambda tx: node.desk.trail.append(tx, [attempt]))


def _gone() -> NotFound:
    return NotFound("There is no such release here any more.", advice="Order it again.")


def _report(node: Node, one: rows.Order) -> dict[str, Any]:
    key = node.desk.keystore.database_key
    found: dict[str, Any] = json.loads(unwrap(key, one.report, aad=_AAD + one.id))
    return found


def _state(one: rows.Order, now_ms: int) -> str:
    late = one.changed_ms < now_ms - STALLED_MS
    return "stalled" if one.state == READING and late else one.state


def _told(node: Node, one: rows.Order, now_ms: int) -> Ordered:
    return Ordered(
        id=one.id,
        account=one.account,
        state=_state(one, now_ms),
        done=one.done,
        total=one.total,
        number=one.number,
        patients=one.patients,
        failure=one.failure if one.state == FAILED else "",
        report=_report(node, one)["report"] if one.state == MADE else None,
        asked_ms=one.asked_ms,
        kept_until_ms=one.changed_ms + KEPT_MS,
    )
