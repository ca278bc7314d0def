"""Map X12 transactions to FHIR by the sheets in this package, one Bundle for each patient.

Each Bundle is a collection; its identifier is the transaction's control numbers and its timestamp
the functional group's. A transaction in an envelope with wrong counts is mapped, and what is wrong
is told with what was dropped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

from simdes.errors import SimdesError, TooLarge
from simdes.mapper.documents import finished
from simdes.mapper.draft import Node, Scope
from simdes.mapper.identity import uuid
from simdes.mapper.model import Json, Limits, Mapped, Mapping, Quarantined, Site
from simdes.mapper.primitives import date_time, string
from simdes.mapper.refusal import Unreadable, attempt, gathered, quarantine
from simdes.mapper.shipped import Shipped
from simdes.mapper.tree import Branch
from simdes.mapper.work import Work
from simdes.mapper.x12.functions import FUNCTIONS, begin
from simdes.mapper.x12.loops import Kind, kind_of, tree
from simdes.mapper.x12.reader import Fault, Segment, Transaction, read
from simdes.mapper.x12.units import source_of, units

SHIPPED = Shipped("simdes.mapper.x12", "x12", FUNCTIONS)
maps_of = SHIPPED.maps_of


def map_input(
    name: str, data: bytes, *, site: Site, limits: Limits, explain: bool = False
) -> Mapping:
    """Map every transaction of a file; what can't be mapped is quarantined by itself."""
    found: list[Mapped | Quarantined] = []
    for part in read(data, encoding=site.encoding):
        if len(found) >= limits.messages:
            over = TooLarge(f"more than {limits.messages} messages in one input")
            found.append(quarantine(len(found), b"", over))
            break
        if isinstance(part, Fault):
            error = Unreadable(part.code, part.reason, part.advice)
            found.append(quarantine(len(found), part.source, error))
        else:
            found += _map_all(part, len(found), site=site, limits=limits, explain=explain)
    return gathered(name, "x12", found)


def _map_all(
    transaction: Transaction, index: int, *, site: Site, limits: Limits, explain: bool
) -> Iterator[Mapped | Quarantined]:
    """Map a transaction for each of its patients."""
    site = site.sent_by(transaction.group.interchange.header.element(6))
    whole = source_of(transaction, [], whole=True)
    try:
        kind = kind_of(transaction)
        if kind is None:
            raise Unreadable("unsupported-transaction", *_unsupported(transaction))
        parts = units(transaction)
    except SimdesError as error:
        yield quarantine(index, whole, error)
        return
    for number, unit in enumerate(parts, index):
        source = whole if len(parts) == 1 else source_of(transaction, unit, whole=False)
        if len(unit) > limits.segments:
            over = TooLarge(f"{len(unit)} segments; the limit is {limits.segments}")
            yield quarantine(number, source, over)
            continue
        mapping = partial(
            _mapped, transaction, unit, kind, source, number, site=site, explain=explain
        )
        yield attempt(number, source, mapping, code="invalid-x12")


def _unsupported(transaction: Transaction) -> tuple[str, str]:
    name = transaction.name
    known = f" {name}" if name.isdigit() and len(name) == 3 else ""
    return (
        f"transaction set{known} is not mapped",
        "837, 835, 834, 270, 271, 276 and 277 are mapped; acknowledgements need no mapping.",
    )


def _mapped(
    transaction: Transaction,
    unit: list[Segment],
    kind: Kind,
    source: bytes,
    index: int,
    *,
    site: Site,
    explain: bool,
) -> Mapped:
    root = tree(kind.set, transaction, unit)
    root.add("@set", kind.event).taken = True
    work = Work(site, explain=explain)
    work.fragments = True
    begin(work, root)
    maps_of(site).run("Transaction", work, root, Scope())
    if not work.nodes:
        raise Unreadable(
            "nothing-to-map", "the transaction holds nothing to map", "Check the sender's export."
        )
    control = _control(transaction, unit)
    for note in transaction.problems():
        if note not in work.dropped:
            work.dropped.append(note)
    return finished(
        work,
        root,
        bundle=_bundle(work, transaction),
        kind="x12",
        event=f"X12 {kind.event}",
        source=source,
        control=control,
        ignored=SHIPPED.ignored,
        facility=f"urn:simdes:x12:sender:{_word(transaction)}",
        home=_home(work, root),
        index=index,
    )


def _home(work: Work, root: Branch) -> Node:
    """Give the resource that keeps what belongs to the transaction as a whole."""
    return root.node if isinstance(root.node, Node) else work.nodes[0]


def _word(transaction: Transaction) -> str:
    sender = transaction.group.interchange.header.element(6)
    return "-".join(sender.split()) or "unknown"


def _control(transaction: Transaction, unit: list[Segment]) -> str:
    """Name what was mapped for ids: the sender, and all of its segments."""
    digest = hashlib.sha256(b"\n".join(one.raw for one in unit)).hexdigest()
    group = transaction.group
    return uuid(group.interchange.header.element(6), group.header.element(6), digest)


def _bundle(work: Work, transaction: Transaction) -> Json:
    group = transaction.group
    isa = group.interchange.header
    numbers = (isa.element(13), group.header.element(6), transaction.segments[0].element(2))
    made: Json = {"type": "collection"}
    value = string("/".join(numbers))
    if value:
        system = f"urn:simdes:x12:sender:{_word(transaction)}"
        made["identifier"] = {"system": system, "value": value}
    day = group.header.element(4)
    day = f"20{day}" if len(day) == 6 else day
    time = date_time(day + group.header.element(5), work.zone)
    if time and "T" in time:
        made["timestamp"] = time
    if isa.element(15) == "T":
        made["meta"] = {"tag": [_TEST]}
    return made


_TEST = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "test health data",
}
