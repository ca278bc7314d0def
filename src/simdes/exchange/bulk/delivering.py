"""Gives a file out, line by line, as far as who fetches it may see each line at that moment.

The decision is made anew for every page: a consent that ended since, a scope that the new token
lacks or an erased vault leaves its lines out. What is shown is on record before it leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from simdes.access.rights import Interaction
from simdes.crypto.digest import sha256
from simdes.errors import NotFound, Unavailable
from simdes.exchange.anomalies import require_usual
from simdes.exchange.bulk.asked import Asked, place_of, unsealed
from simdes.exchange.bulk.exporting import Lines
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.auditing import audit_found
from simdes.exchange.interactions.found import Found
from simdes.exchange.node import Node
from simdes.exchange.reach import reach
from simdes.exchange.rights import Asking, again
from simdes.fhir.json import dumps, loads
from simdes.fhir.outcome import outcome_resource, warning
from simdes.fhir.summary import Projection, projected, projection_of
from simdes.index import bulk, search
from simdes.index.bulk import RUNNING, Job, Part
from simdes.index.histories import LAST, versions
from simdes.index.visible import OWN

PAGE: Final = 500
"""Lines that are decided, opened and written down at once."""


def lines_of(node: Node, asking: Asking, job: Job, asked: Asked, file: int) -> Iterator[bytes]:
    """The lines of a finished file, several at a time, each with its line feed.

    Raises NotFound where there is none, Forbidden where the caller's app may not search its type
    now, `SecondFactorNeeded`; nothing is raised for a line that may not be seen.
    """
    with node.database.read() as tx:
        first = None if job.state == RUNNING else bulk.part(tx, job.id, file)
    if first is None or first.kind == "input":
        raise NotFound("There is no such file, or not any more.")
    if first.kind == "output":
        asking.rights.require(Interaction.SEARCH, first.type)
    asking = _ready(node, asking, job, file)
    elements = asked.exporting.elements if asked.exporting is not None else ""
    return _pages(node, asking, job, first, projection_of(None, elements or None))


def _ready(node: Node, asking: Asking, job: Job, file: int) -> Asking:
    """Whatever may stand in the way is asked before the first byte is sent."""
    vaults: set[bytes] = set()
    elsewhere: set[bytes] = set()
    for part in _parts(node, job, file):
        lines = _read(node, part)
        vaults.update(lines.vaults)
        elsewhere.update(vault for vault, _, _ in lines.copies)
    require_usual(node, asking.session, sorted(vaults - {asking.facts.home}))
    if elsewhere:
        asking = reach(node, asking, vaults=tuple(sorted(elsewhere))).asking
    return asking


def _parts(node: Node, job: Job, file: int) -> Iterator[Part]:
    after = -1
    while True:
        with node.database.read() as tx:
            part = bulk.part(tx, job.id, file, after=after)
        if part is None:
            return
        yield part
        after = part.part


def _read(node: Node, part: Part) -> Lines:
    place = place_of(part.file, part.part)
    return unsealed(node, part.job, part.content_wrapped, Lines, place=place)


def _pages(
    node: Node, asking: Asking, job: Job, first: Part, projection: Projection | None
) -> Iterator[bytes]:
    with node.database.read() as tx:
        whole = sum(one.count for one in bulk.files(tx, job.id) if one.number == first.file)
    given = 0
    for part in _parts(node, job, first.file):
        lines = _read(node, part)
        given += part.count
        for at in range(0, len(lines.rows), PAGE):
            yield _own(node, asking, part.type, lines.rows[at : at + PAGE], projection)
        for at in range(0, len(lines.copies), PAGE):
            yield _copied(node, asking, lines.copies[at : at + PAGE], projection)
        for at in range(0, len(lines.ended), PAGE):
            yield _ended(node, asking, lines.ended[at : at + PAGE])
        for text in lines.texts:
            yield dumps(outcome_resource([warning(text.decode())])) + b"\n"
        yield b"".join(one + b"\n" for one in lines.outcomes)
    if given != whole:
        # Cancelled or expired while it was fetched: whoever reads must not take it for the whole.
        raise Unavailable("The file was removed.")


def _own(
    node: Node, asking: Asking, type_: str, rows: Sequence[int], projection: Projection | None
) -> bytes:
    with node.database.read() as tx:
        asking = again(node, asking, tx)
        seen = versions(
            tx,
            asking.rights.searching,
            types=(type_,),
            rows=rows,
            before=LAST,
            limit=len(rows),
        )
        keys = finding.keys_of(node, tx, {one.vault for one in seen})
        found = [
            finding.version_of(node, one, keys[one.vault]) for one in seen if one.vault in keys
        ]
    return _shown(node, asking, found, projection)


def _copied(
    node: Node,
    asking: Asking,
    names: Sequence[tuple[bytes, str, str]],
    projection: Projection | None,
) -> bytes:
    wanted = set(names)
    with node.database.read() as tx:
        asking = again(node, asking, tx)
        visible = asking.rights.searching
        seen = search.named(tx, visible, [(type_, id_) for _, type_, id_ in names])
        chosen = {
            (one.vault, one.type, one.logical_id): one
            for one in reversed(seen)  # the first of them counts
            if one.handle != OWN and not one.deleted
        }
        found = finding.load(node, tx, [one for name, one in chosen.items() if name in wanted])
    return _shown(node, asking, found, projection)


def _shown(
    node: Node, asking: Asking, found: Sequence[Found], projection: Projection | None
) -> bytes:
    its = [one for one in found if not one.deleted]
    if not its:
        return b""
    audit_found(node, asking, its)
    if projection is None:
        return b"".join(one.content + b"\n" for one in its)
    return b"".join(dumps(projected(loads(one.content), projection)) + b"\n" for one in its)


def _ended(node: Node, asking: Asking, names: Sequence[tuple[bytes, str, str]]) -> bytes:
    """Bundles that say what to delete, each a transaction
    (https://hl7.org/fhir/uv/bulkdata/export.html#response---complete-status)."""
    wanted = set(names)
    with node.database.read() as tx:
        asking = again(node, asking, tx)
        visible = asking.rights.searching
        seen = search.named(tx, visible, [(type_, id_) for _, type_, id_ in names])
    gone = {(one.vault, one.type, one.logical_id) for one in seen if one.deleted} & wanted
    made = b""
    for _, type_, id_ in sorted(gone):
        made += dumps(_deletion(type_, id_)) + b"\n"
    return made


def _deletion(type_: str, logical_id: str) -> dict[str, Any]:
    name = f"{type_}/{logical_id}"
    return {
        "resourceType": "Bundle",
        "id": sha256(name.encode()).hex(),
        "type": "transaction",
        "entry": [{"request": {"method": "DELETE", "url": name}}],
    }
