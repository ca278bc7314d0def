"""Map one HL7 v2 message: walk its segments, run their maps, keep or report what is left over."""

from __future__ import annotations

import hashlib

from simdes.errors import TooLarge
from simdes.mapper import finaliser, primitives
from simdes.mapper.draft import Node
from simdes.mapper.explaining import explanation
from simdes.mapper.hl7v2 import documents, er7
from simdes.mapper.hl7v2.er7 import Message, Segment
from simdes.mapper.hl7v2.functions import authority
from simdes.mapper.hl7v2.grammar import Frame, Item, Walk
from simdes.mapper.hl7v2.naming import Parts, source_identifier
from simdes.mapper.hl7v2.segments import SegmentMap, Taken, common
from simdes.mapper.hl7v2.state import Leftover, State
from simdes.mapper.hl7v2.tables import Tables, Target, tables_of
from simdes.mapper.identity import Namer
from simdes.mapper.model import Dropped, Json, Limits, Mapped, Site
from simdes.mapper.places import Place, Slots
from simdes.mapper.refusal import Unreadable

UNMAPPED = finaliser.unmapped("hl7v2")
_REPETITIONS_EACH = 5
"""How many repetitions segments may have on average."""
_NULL = '""'
_NO_HOME = frozenset(("Bundle", "Provenance"))


class Engine:
    """Maps one message; made anew for each."""

    def __init__(
        self,
        message: Message,
        site: Site,
        limits: Limits,
        tables: Tables,
        *,
        explain: bool = False,
    ) -> None:
        self.message = message
        self.limits = limits
        self.tables = tables
        self.state = State(
            message.separators, message.encoding, site, tables.systems, explain=explain
        )
        self.home: Node | None = None
        self.waiting: list[tuple[Slots | str, Place, str, Frame]] = []
        self.counts: dict[str, int] = {}

    def run(self, event: str, structure: Item, source: bytes, index: int) -> Mapped:
        """Map the message. Raises `Unreadable` where it cannot be mapped as a whole."""
        walk = Walk(structure)
        sign = self.message.separators.repetition
        repetitions = source.count(sign.encode())
        if repetitions > self.limits.segments * _REPETITIONS_EACH:
            raise TooLarge("more repetitions in one message than all its segments may have")
        check = repetitions >= self.limits.repetitions
        self.state.names = [segment.name for segment in self.message.segments]
        totals: dict[str, int] = {}
        for segment in self.message.segments:
            totals[segment.name] = totals.get(segment.name, 0) + 1
        for segment in self.message.segments:
            number = self.counts[segment.name] = self.counts.get(segment.name, 0) + 1
            label = f"{segment.name}[{number}]" if totals[segment.name] > 1 else segment.name
            if check:
                self._check(segment)
            self._segment(walk, segment, label)
            if len(self.state.nodes) > self.limits.resources:
                raise Unreadable(
                    "too-large",
                    f"more than {self.limits.resources} resources from one message",
                    "Send it in several messages.",
                )
        for holder, path, to, frame in self.waiting:
            self._refer(holder, path, to, frame, last=True)
        return self._mapped(event, source, index)

    def _check(self, segment: Segment) -> None:
        sign = self.message.separators.repetition
        for number, text in enumerate(segment.fields):
            if len(text) > self.limits.repetitions and text.count(sign) >= self.limits.repetitions:
                raise Unreadable(
                    "too-large",
                    f"{segment.name}-{number} repeats more than {self.limits.repetitions} times",
                    "Check the sender: a field repeated so often is usually a fault.",
                )

    def _segment(self, walk: Walk, segment: Segment, label: str) -> None:
        state = self.state
        item = walk.place(segment.name) if segment.name[0] != "Z" else None
        frame = walk.frame
        state.frame, state.fields, state.place = frame, segment.fields, segment.place
        frame.segments[segment.name] = segment.fields
        taken: list[Taken] = []
        maps: list[SegmentMap] = []
        home: Node | None = None
        for target in item.targets if item is not None else ():
            node = self._target(target, segment, taken, maps)
            if node is not None and home is None and node.type not in _NO_HOME:
                home = node
        for map_ in self.tables.local.get(segment.name, ()):
            node = self._nearest(map_.resource, frame)
            home = home or node
            state.here = node
            taken.append(map_.run(state, Slots(node.body)))
            maps.append(map_)
        self._keep(segment, label, taken, maps, home or self._home(segment.name, frame))

    def _nearest(self, kind: str, frame: Frame) -> Node:
        """Find the latest resource of a type in the groups around; begin one if there is none."""
        around: Frame | None = frame
        while around is not None:
            for node in reversed(self.state.nodes):
                if node.type == kind and node.frame is around:
                    return node
            around = around.outer
        return self.state.node(kind)

    def _target(
        self, target: Target, segment: Segment, taken: list[Taken], maps: list[SegmentMap]
    ) -> Node | None:
        state = self.state
        if target.when is not None and not target.when(state, segment.fields):
            return None
        alias = target.alias
        node = state.frame.find(alias)
        if node is None or (node.maker == segment.name and node.origin is not segment.fields):
            node = state.node(target.type)
            node.maker = segment.name
            state.frame.aliases[alias] = node
        slots = Slots(node.body)
        map_ = target.map
        state.here = node
        taken.append(map_.run(state, slots))
        maps.append(map_)
        for owner, path, to in target.references:
            self._refer(slots if owner == alias else owner, path, to, state.frame, last=False)
        return node

    def _refer(
        self, holder: Slots | str, path: Place, to: str, frame: Frame, *, last: bool
    ) -> None:
        """Refer from ``holder`` (or the resource of that alias) to ``to``, once both are there."""
        owner = frame.find(holder) if isinstance(holder, str) else None
        slots = holder if isinstance(holder, Slots) else Slots(owner.body) if owner else None
        found = frame.find(to)
        if slots is not None and found is not None:
            _refer(self.state, slots, path, found)
        elif not last:
            self.waiting.append((holder, path, to, frame))

    def _home(self, name: str, frame: Frame) -> Node | None:
        if name[0] == "Z":
            return None
        for alias in self.tables.homes.get(name, ()):
            found = frame.find(alias)
            if isinstance(found, Node):
                return found
        return self.home

    def _keep(
        self,
        segment: Segment,
        label: str,
        taken: list[Taken],
        maps: list[SegmentMap],
        home: Node | None,
    ) -> None:
        """Keep what no map took on the ``home`` resource; report what cannot be kept."""
        if home is not None:
            self.home = home
        kept: list[Json] = []
        sign = self.message.separators.repetition
        for at, text in enumerate(segment.fields):
            if not text or not at or _all_taken(at, text, sign, taken):
                continue
            ignoring = [map_ for map_ in maps if at in map_.ignored] if maps else maps
            if ignoring:
                self.state.dropped.append(Dropped(f"{label}-{at}", ignoring[0].ignored[at]))
                continue
            for repetition, part in enumerate(text.split(sign)):
                mark = f"[{repetition + 1}]" if repetition else ""
                for path, rest in self._left(at, repetition, part, taken) if part else ():
                    self._keep_one(f"{label}-{path}{mark}", rest, home, kept)
        if kept and home is not None:
            extension = {"url": UNMAPPED, "extension": kept}
            self.state.here = home
            for one in kept if self.state.explained is not None else ():
                self.state.note("extension.valueString", one["url"], "no row: kept beside")
            home.body.setdefault("extension", []).append(extension)

    def _left(self, at: int, repetition: int, text: str, taken: list[Taken]) -> list[Leftover]:
        found: list[Leftover] | None = None
        for one in taken:
            left = one.get((at, repetition))
            if left is not None:
                found = left if found is None else common(found, left)
                if not found:
                    return []
        return [(str(at), text)] if found is None else found

    def _keep_one(self, path: str, text: str, home: Node | None, kept: list[Json]) -> None:
        state = self.state
        if home is not None and text.isalnum() and len(text) < primitives.MAX_STRING:
            kept.append({"url": _extension_name(path), "valueString": text})
            return
        for leaf, raw in _leaves(state, path, text):
            if raw == _NULL:
                state.dropped.append(Dropped(leaf, "sent as null: the sender deletes the value"))
                continue
            if home is None:
                reason = (
                    "locally defined segment" if path[0] == "Z" else "no resource to keep it on"
                )
                state.dropped.append(Dropped(leaf, f"{reason} ({len(raw)} characters)"))
                continue
            value = primitives.string(state.plain(raw))
            if value is None:
                reason = "blank" if not raw.strip() else "longer than a FHIR string or unprintable"
                state.dropped.append(Dropped(leaf, f"{reason} ({len(raw)} characters)"))
                continue
            kept.append({"url": _extension_name(leaf), "valueString": value})

    def _mapped(self, event: str, source: bytes, index: int) -> Mapped:
        state = self.state
        header = self.message.header
        sender = [*header.field(4).split(state.component), ""]
        facility = authority(state, sender[0], sender[1])
        control = state.plain(header.field(10)).strip() or hashlib.sha256(source).hexdigest()
        parts = Parts(state, control=control, facility=facility)
        namer = Namer(state.site.identity, self.tables.closing.identity, parts)
        bundle: Json = {
            "resourceType": "Bundle",
            "id": finaliser.bundle_id(state.site.identity, facility, control),
        }
        for node in state.nodes:
            if node.type == "Bundle":
                finaliser.prune(node.body)
                own = ("resourceType", "id")
                bundle.update({k: v for k, v in node.body.items() if k not in own})
        for node in state.nodes:
            if node.type == "DocumentReference":
                documents.join(node.body)
        finaliser.finish(state, self.tables.closing, bundle, namer, unmapped=UNMAPPED)
        identifiers = self._identifiers(facility)
        explained = explanation(state)
        for (
            node
        ) in state.nodes:  # frames and nodes name each other: let both go without a collector
            node.frame.aliases.clear()
        return Mapped(
            index=index,
            bundle=bundle,
            source=source,
            event=event,
            dropped=tuple(state.dropped),
            patient_identifiers=identifiers,
            facility=facility,
            explained=explained,
        )

    def _identifiers(self, facility: str) -> tuple[tuple[str, str], ...]:
        """List the patients' identifiers, the one their ids come from first."""
        found: dict[tuple[str, str], None] = {}
        for node in self.state.nodes:
            if node.type != "Patient":
                continue
            for reference in ("PID-3", "PID-2", "PID-4"):
                best = source_identifier(self.state, node.origin, reference)
                if best is not None:
                    found[(best[0] or facility, best[1])] = None
                    break
            for identifier in node.body.get("identifier", ()):
                if "value" in identifier:
                    found[(identifier.get("system") or facility, identifier["value"])] = None
        return tuple(found)


def _all_taken(at: int, text: str, sign: str, taken: list[Taken]) -> bool:
    """Say whether a map took all of a field that does not repeat: the usual case, answered fast."""
    if sign in text:
        return False
    key = (at, 0)
    for one in taken:
        left = one.get(key)
        if left is not None and not left:
            return True
    return False


def _refer(state: State, slots: Slots, where: Place, node: Node) -> None:
    """Refer to ``node`` at ``path``; a list gets one more, an element that stands is left."""
    body = where.container(state, slots, 0)
    if body is not None and "reference" not in body and "identifier" not in body:
        state.refer(body, node)


def _extension_name(path: str) -> str:
    """Name an inner extension: ``ARV[2]-6.1[3]`` is ``ARV-6.1~3``; brackets are not for URIs."""
    if "[" not in path:
        return path
    segment, _, rest = path.partition("-")
    return f"{segment[:3]}-{rest.replace('[', '~').rstrip(']')}"


def _leaves(state: State, path: str, text: str) -> list[Leftover]:
    """Take a field or component apart into its leaves, each with its path."""
    head, mark, tail = path.partition("-")
    tail, bracket, repetition = tail.partition("[")
    depth = tail.count(".")
    signs = (state.component, state.subcomponent)[depth:]
    found = [(tail, text)]
    for sign in signs:
        if sign not in text:
            continue
        found = [
            (f"{inner}.{at}" if sign in part else inner, piece)
            for inner, part in found
            for at, piece in enumerate(part.split(sign), 1)
            if piece
        ]
    return [(f"{head}{mark}{inner}{bracket}{repetition}", part) for inner, part in found]


def map_message(
    source: bytes,
    index: int,
    *,
    site: Site,
    limits: Limits,
    tables: Tables | None = None,
    explain: bool = False,
) -> Mapped:
    """Map the bytes of one message. Raises errors of `simdes.errors` when it cannot be mapped."""
    site = site.sent_by(er7.sender(source)) if site.senders else site
    tables = tables or tables_of(site)
    message = er7.read(source, default_encoding=site.encoding, limits=limits)
    event, structure = _event(message, tables)
    if event.startswith("ADT") and all(s.name != "PID" for s in message.segments):
        raise Unreadable(
            "no-patient",
            f"{event} without a PID segment",
            "Send the message again, whole; an ADT message has to name its patient.",
        )
    made = Engine(message, site, limits, tables, explain=explain)
    return made.run(event, structure, source, index)


def _event(message: Message, tables: Tables) -> tuple[str, Item]:
    parts = [*message.header.field(9).split(message.separators.component), ""]
    event = f"{parts[0].strip()}^{parts[1].strip()}"
    if not parts[0].strip():
        raise Unreadable(
            "no-message-type", "MSH-9 names no message type", "Send MSH-9, such as ADT^A01."
        )
    named = [*parts, ""][2].strip()  # MSH-9.3, asked where the event is not known
    ours = named in tables.structures and named[:3] == parts[0].strip()
    structure = tables.events.get(event) or (named if ours else None)
    if structure is None:
        shown = event if event.replace("^", "").isalnum() and len(event) < 16 else "in MSH-9"
        known = ", ".join(sorted({name.partition("^")[0] for name in tables.events}))
        raise Unreadable(
            "unsupported-message",
            f"message type {shown} not supported yet",
            f"Supported are events of {known} (docs/mapping.md); replay it after an upgrade.",
        )
    return event, tables.structures[structure]
