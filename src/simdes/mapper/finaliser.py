"""Finish a message's resources: what R4 requires, links, ids, references, the Bundle."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from simdes.mapper import codings
from simdes.mapper.closing import Closing
from simdes.mapper.completing import absent, complete
from simdes.mapper.draft import Draft, Node
from simdes.mapper.identity import Namer, uuid
from simdes.mapper.model import Json
from simdes.mapper.paths import NoSuchElement, shape
from simdes.mapper.places import merge
from simdes.mapper.site import translate


def unmapped(kind: str) -> str:
    """Name the extension that keeps what FHIR has no element for; inner ones say where it stood."""
    return f"urn:simdes:{kind}:unmapped"


_FIRST = (
    "MessageHeader",
    "Composition",
    "Patient",
    "Encounter",
    "ServiceRequest",
    "DiagnosticReport",
)
_RANKS = {name: rank for rank, name in enumerate(_FIRST)}
_ORDERS = frozenset(("DiagnosticReport", "ServiceRequest"))  # ORC and OBR carry the same numbers
_SAID_TWICE = ("identifier", "basedOn", "specimen")
_LOOSE = frozenset(("Device", "Location", "Organization", "Practitioner", "PractitionerRole"))
_NO_FOCUS = frozenset(
    (
        "Bundle",
        "Device",
        "Location",
        "MessageHeader",
        "Organization",
        "Practitioner",
        "PractitionerRole",
        "Provenance",
    )
)


def finish(draft: Draft, closing: Closing, bundle: Json, namer: Namer, *, unmapped: str) -> Json:
    """Turn the draft's nodes into ``bundle``'s entries; returns the Bundle."""
    nodes = [node for node in draft.nodes if node.type != "Bundle"]
    for node in nodes:
        if draft.fragments:
            prune(node.body)
        _link(draft, node, closing)
        for entry in closing.required.get(node.type, ()):
            if len(entry.steps) > 1 or entry.steps[0] not in node.body:
                _require(node.body, *entry)
    ordered = sorted(_distinct(nodes, namer, unmapped), key=_rank)
    if closing.completes:  # what no mention of a resource says is missing
        for node in ordered:
            complete(node.body, node.type)
    named = {namer.id_of(reference["reference"]) for reference in draft.references}
    _focus(ordered, named)
    for reference in draft.references:
        reference["reference"] = f"urn:uuid:{namer.id_of(reference['reference'])}"
    for period in draft.periods:
        _order(period, unmapped)
    entries: list[Json] = []
    for node in ordered:
        if node.type in _ORDERS:
            _say_once(node.body)
        codings.settle(node.body)
        node.body["id"] = node.id
        if draft.site.translations:
            translate(node.body, draft.site.translations)
        entries.append({"fullUrl": f"urn:uuid:{node.id}", "resource": node.body})
    bundle["entry"] = entries
    return bundle


def _distinct(nodes: list[Node], namer: Namer, unmapped: str) -> list[Node]:
    """Make one of the resources that are the same; what they say differently is kept beside."""
    kept: dict[tuple[str, str], Node] = {}
    for key, node in [((node.type, namer.id_of(node)), node) for node in nodes]:
        if key in kept:
            join(kept[key].body, node.body, unmapped)
        else:
            kept[key] = node
    return list(kept.values())


def join(body: Json, other: Json, unmapped: str) -> None:
    """Make one resource of two that are the same; what ``other`` says differently is beside."""
    for name in [name for name in body if _is_absent(body[name]) and _bare(name) in _said(other)]:
        del body[name]
    more = {
        name: part
        for name, part in other.items()
        if not (_is_absent(part) and _bare(name) in _said(body))
    }
    rivals = {name for name in more if name not in body and _has_rival(body, name)}
    beside: list[tuple[str, str | Json]] = []
    for name in rivals:
        beside += _texts(more.pop(name), name)
    beside += _conflicts(body, more, "")
    merge(body, more)
    if beside:
        beside.sort(key=lambda leaf: (leaf[0], "" if isinstance(leaf[1], dict) else leaf[1]))
        kept = [
            {"url": path, f"value{'Reference' if isinstance(leaf, dict) else 'String'}": leaf}
            for path, leaf in beside
        ]
        body.setdefault("extension", []).append({"url": unmapped, "extension": kept})


def _is_absent(part: Any) -> bool:
    return part in (absent(), [absent()])


def _bare(name: str) -> str:
    return name.removeprefix("_")


def _said(body: Json) -> set[str]:
    return {_bare(name) for name, part in body.items() if part != [None] and not _is_absent(part)}


def _has_rival(body: Json, name: str) -> bool:
    """Say whether ``body`` has another of the elements that ``name`` is one choice of."""
    try:
        siblings = shape(body.get("resourceType", ""), _bare(name)).siblings
    except NoSuchElement:
        return False
    return not body.keys().isdisjoint(siblings)


def _conflicts(current: Json, value: Json, path: str) -> Iterator[tuple[str, str | Json]]:
    """Yield the texts and references of ``value`` that a merge would lose, by path."""
    for name, part in value.items():
        standing = current.get(name)
        if _target(part) and _target(standing):
            if _target(part) != _target(standing):
                yield f"{path}{name}", part  # lest nothing leads to that resource
        elif type(part) is dict and type(standing) is dict:
            yield from _conflicts(standing, part, f"{path}{name}.")
        elif standing is not None and standing != part and type(part) is not list:
            yield from _texts(part, f"{path}{name}")


def _target(part: Any) -> str:
    """Give the id of the resource that a reference leads to; "" where it is no reference."""
    target = part.get("reference") if isinstance(part, dict) else None
    return target.id if isinstance(target, Node) else ""


def _texts(part: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield what a value says, by path; a reference stays with the resource that it leads to."""
    if isinstance(part, dict):
        for name, inner in part.items():
            yield from _texts(inner, f"{path}.{name}")
    elif isinstance(part, list):
        for inner in part:
            yield from _texts(inner, path)
    elif isinstance(part, bool):
        yield path, str(part).lower()
    elif part is not None and not isinstance(part, Node):
        yield path, str(part)


def _focus(nodes: list[Node], named: set[str]) -> None:
    """Let the header name what the message is about, so that its resources hang together.

    People and places are named by others; one that is not (a second device where R4 has room for
    one) would be lost to a reader, and is named here.
    """
    if nodes and nodes[0].type == "MessageHeader":
        focused = [
            node
            for node in nodes
            if node.type not in _NO_FOCUS or (node.type in _LOOSE and node.id not in named)
        ]
        if focused:
            nodes[0].body["focus"] = [{"reference": f"urn:uuid:{node.id}"} for node in focused]


def _say_once(body: Json) -> None:
    for name in _SAID_TWICE:
        found = body.get(name)
        if type(found) is list and len(found) > 1:
            body[name] = list({repr(value): value for value in reversed(found)}.values())[::-1]


def _rank(node: Node) -> int:
    return _RANKS.get(node.type, len(_FIRST))


def _link(draft: Draft, node: Node, closing: Closing) -> None:
    link = closing.links.get(node.type)
    if link is None or link[0] in node.body:
        return
    found = node.frame.find(link[2])
    if found is not None:
        reference: Json = {}
        draft.refer(reference, found)
        node.body[link[0]] = [reference] if link[1] else reference


def _holders(body: Json, steps: list[str]) -> Iterator[Json]:
    if not steps:
        yield body
        return
    inner = body.get(steps[0])
    for item in inner if isinstance(inner, list) else [inner] if inner is not None else []:
        if isinstance(item, dict):
            yield from _holders(item, steps[1:])


def _is_given(holder: Json, given: str) -> bool:
    """Say whether an element is there, or is one of some: ``status=booked,noshow``."""
    name, some, values = given.partition("=")
    return holder.get(name) in values.split(",") if some else name in holder


def _require(
    body: Json, steps: list[str], kind: str, value: str, unless: list[str], given: str
) -> None:
    name = steps[-1]
    for holder in (body,) if len(steps) == 1 else _holders(body, steps[:-1]):
        if name in holder or f"_{name}" in holder:
            continue
        if given and not _is_given(holder, given):
            continue
        if unless and not holder.keys().isdisjoint(unless):
            continue
        if kind == "text":
            holder[name] = value
        elif kind == "primitive":
            holder[f"_{name}"] = absent()
        elif kind == "dar":
            holder[name] = absent()
        elif kind == "list":
            holder[name] = [absent()]
        elif kind == "attachment":
            holder[name] = [{"attachment": absent()}]
        elif kind == "agent":
            holder[name] = [{"who": absent()}]
        elif kind == "source":
            holder[name] = {"_endpoint": absent()}


def _order(period: Json, unmapped: str) -> None:
    """Keep an end apart that is not known to lie after the start: per-1 forbids it as such."""
    start, end = period.get("start", ""), period.get("end", "")
    if not start or not end:
        return
    if "T" in start and "T" in end:
        if datetime.fromisoformat(end) >= datetime.fromisoformat(start):
            return
    else:
        known = min(len(start), len(end), 10)
        alike = len(start) == len(end)  # FHIRPath cannot order a day and an hour of it
        if end[:known] > start[:known] or (alike and end[:known] == start[:known]):
            return
    kept = {"url": unmapped, "extension": [{"url": "end", "valueString": period.pop("end")}]}
    period.setdefault("extension", []).append(kept)


def prune(body: Json) -> bool:
    """Take out elements that hold nothing, and extensions without value; say if any is left."""
    empty: list[str] = []
    for name, part in body.items():
        kind = type(part)
        if kind is dict:
            if not prune(part):
                empty.append(name)
        elif kind is list:
            kept = [item for item in part if type(item) is not dict or prune(item)]
            if name == "extension":
                kept = [item for item in kept if "url" in item and len(item) > 1]
            if not kept:
                empty.append(name)
            elif len(kept) < len(part):
                part[:] = kept
    for name in empty:
        del body[name]
    return bool(body)


def bundle_id(site: str, facility: str, control: str) -> str:
    """Name the Bundle of a message."""
    return uuid(site, "Bundle", facility, control)
