"""Run the compiled maps of segments and data types.

A map is followed from the source's side: every field, component and subcomponent that holds
something is looked up, so that what no row takes is known and can be kept or reported.
"""

from __future__ import annotations

from typing import Any

from simdes.mapper import primitives
from simdes.mapper.conditions import Condition, build
from simdes.mapper.functions import FUNCTIONS
from simdes.mapper.places import Place, Slots, place
from simdes.mapper.state import Json, Leftover, Node, Reference, State, read_reference

_NULL = '""'


class Vocabulary:
    """A concept map: v2 codes to FHIR's, and the v2 table they are from."""

    __slots__ = ("codes", "table")

    def __init__(self, data: Json) -> None:
        self.codes: dict[str, list[str]] = data["codes"]
        digits = "".join(sign for sign in data["table"].upper().removeprefix("HL7") if sign.isdigit())
        self.table = (
            f"http://terminology.hl7.org/CodeSystem/v2-{digits}" if len(digits) == 4 else ""
        )


class Assign:
    """A constant, or a function of fields.

    ``fields`` are the numbers it takes on its own level, ``components`` those it takes of its
    source field (none: all); what it reads with ``~`` it does not take.
    """

    __slots__ = ("arguments", "components", "fields", "function", "text")

    def __init__(self, data: Json, level: int, segment: str, source: int) -> None:
        self.text: str | None = data.get("text")
        self.function = FUNCTIONS[data["call"]] if "call" in data else None
        self.arguments: list[str | Reference] = []
        self.fields: list[int] = []
        self.components: set[int] = set()
        for argument in data.get("args", ()):
            if "text" in argument:
                self.arguments.append(argument["text"])
                continue
            name = argument["ref"]
            self.arguments.append(read_reference(name, level, whole=True))
            owner, _, numbers = name.replace("-", ".", 1).partition(".")
            if argument.get("keep") or not (level or owner == segment):
                continue
            field, _, component = numbers.partition(".")
            self.fields.append(int(field))
            if component and int(field) == source:
                self.components.add(int(component))

    def value(self, state: State, values: list[str]) -> str:
        """Give the text; empty when no field it reads holds anything."""
        if self.function is None:
            return self.text or ""
        found = False
        texts = []
        for argument in self.arguments:
            if isinstance(argument, str):
                texts.append(argument)
            else:
                text = argument(state, values)
                text = "" if text == _NULL else text
                found = found or bool(text)
                texts.append(text)
        return self.function(state, *texts) if found else ""


class Rule:
    """One row of a map."""

    __slots__ = ("_convert", "_keep", "assign", "codes", "constant", "kind", "map", "mask", "other", "place", "strict", "when")

    def __init__(self, row: Json, maps: Maps, level: int, segment: str) -> None:
        self.kind: str = row["kind"]
        self.place: Place = place(tuple(row["path"]))
        self.when: Condition | None = build(row["when"], level) if "when" in row else None
        self.assign = Assign(row["assign"], level, segment, int(row["source"])) if "assign" in row else None
        self.map: DatatypeMap | None = maps.datatype(row["map"]) if "map" in row else None
        self.codes: Vocabulary | None = maps.vocabulary(row["codes"]) if "codes" in row else None
        self.strict: bool = row.get("strict", False)
        self._convert = primitives.CONVERSIONS.get(self.kind)
        self.constant = self.assign is not None and self.assign.function is None
        source = int(row["source"])
        self.mask = 1 << source if source else 0
        if self.assign is not None:
            for number in self.assign.fields:
                self.mask |= 1 << number
        self.other = 0  # the field whose text is mapped, where that is not the row's source
        if self.assign is not None and self.map is not None and self.assign.fields:
            self.other = self.assign.fields[0] if self.assign.fields[0] != source else 0
        self._keep = self.assign is not None and row["assign"].get("call") in ("text", "lines")

    def run(
        self,
        state: State,
        slots: Slots,
        values: list[str],
        text: str,
        repetition: int,
        level: int,
        path: str,
    ) -> list[Leftover] | None:
        """Put what this row makes of ``text``; None if nothing, else the parts it did not take."""
        left: list[Leftover] = []
        if self.assign is not None:
            if self.assign.components:
                parts = enumerate(text.split(state.component), 1)
                taken = self.assign.components
                left = [(f"{path}.{at}", p) for at, p in parts if p and at not in taken]
            text = self.assign.value(state, values)
            if not text:
                return None
            path = str(self.other) if self.other else path
        if self.place.direct and self.map is not None and not self.map.is_text:
            made = self.map.make(state, text, level, path, left, into=slots.body)
            return None if made is None else left
        value = self.make(state, text, level, path, left)
        if value is None or not self.place.put(state, slots, repetition, value):
            return None
        if self.codes is not None and self.place.coding:
            self._name_coding(state, slots, repetition, text)
        return left

    def make(self, state: State, text: str, level: int, path: str, left: list[Leftover]) -> Any:
        """Make the value of ``text``; None when it is not of this row's type."""
        if self.map is not None:
            made = self.map.make(state, text, level, path, left)
            if self._convert is None:
                return self._translate_complex(made) if self.codes is not None and made else made
            if made is None:
                return None
            text = made
        elif self._convert is None:
            return None
        elif not self._keep and self.assign is None:
            text = _leaf(state, text, level, path, left)
        plain = state.plain(text)
        if self.codes is not None:
            entry = self.codes.codes.get(plain.strip())
            if entry is not None:
                return entry[0] if self.kind != "boolean" else entry[0] == "true"
            if self.strict or (self.kind == "code" and not self.place.coding):
                return None
        return self._convert(plain, state.zone)  # type: ignore[misc]

    def _translate_complex(self, value: Json) -> Json:
        """Put the standard code before the sender's own (CodeableConcept), or in its stead."""
        assert self.codes is not None  # noqa: S101 - the caller asked
        coding = value if self.kind == "Coding" else (value.get("coding") or [None])[0]
        if not coding or "code" not in coding:
            return value
        if "system" not in coding and self.codes.table:
            coding["system"] = self.codes.table
        entry = self.codes.codes.get(coding["code"])
        if entry is None or not entry[2] or (entry[0], entry[2]) == (coding["code"], coding["system"]):
            return value
        standard = {"system": entry[2], "code": entry[0]}
        if entry[1]:
            standard["display"] = entry[1]
        if self.kind == "Coding":
            return standard
        value["coding"].insert(0, standard)
        return value

    def _name_coding(self, state: State, slots: Slots, repetition: int, text: str) -> None:
        """Give a bare code the system its vocabulary says, where it is in that vocabulary."""
        entry = self.codes.codes.get(state.plain(text).strip()) if self.codes else None
        body = self.place.container(state, slots, repetition)
        if body is not None and entry is not None and entry[2]:
            body.setdefault("system", entry[2])
            if entry[1]:
                body.setdefault("display", entry[1])


def _leaf(state: State, text: str, level: int, path: str, left: list[Leftover]) -> str:
    """Take the first leaf of a field or component; what stands beside it is left over."""
    if level == 1 and state.component in text:
        parts = text.split(state.component)
        text = parts[0]
        left += [(f"{path}.{at}", part) for at, part in enumerate(parts[1:], 2) if part]
        path, level = f"{path}.1", 2
    if level <= 2 and state.subcomponent in text:
        parts = text.split(state.subcomponent)
        text = parts[0]
        left += [(f"{path}.{at}", part) for at, part in enumerate(parts[1:], 2) if part]
    return text


class DatatypeMap:
    """A data type's map: makes an element, a resource's body, or (``$value``) a text."""

    __slots__ = ("_always", "_by_source", "_chain", "_defaults", "is_text", "kind")

    def __init__(self, name: str, data: Json, maps: Maps) -> None:
        self.kind: str = data["kind"]
        self._always: list[Rule] = []
        self._by_source: dict[int, list[Rule]] = {}
        self._chain = maps.chain if name == "pl[location]" else None
        self.is_text = self.kind in primitives.CONVERSIONS
        self._defaults = maps.defaults.get(self.kind, ())
        maps.built[name] = self  # before the rows, which may refer to it
        for row in data["rows"]:
            rule = Rule(row, maps, 1, "")
            if row["source"] == "0":
                self._always.append(rule)
            else:
                self._by_source.setdefault(int(row["source"]), []).append(rule)
        for rules in self._by_source.values():
            rules.sort(key=lambda rule: rule.constant)

    def make(
        self,
        state: State,
        text: str,
        level: int,
        path: str,
        left: list[Leftover],
        into: Json | None = None,
    ) -> Any:
        """Make the value of ``text``, a field (level 1) or component (2); None if it gives none.

        ``into``: an element to add to, for data types that are spread over their parent.
        """
        values = state.split(text, level)
        if self.is_text:
            return self._text(state, values, level, path, left)
        slots = Slots({} if into is None else into)
        done = 0
        if self._chain is not None:
            done = self._chain.make(state, slots, values, level, path, left)
        for rule in self._always:
            if rule.when is None or rule.when(state, values):
                if rule.run(state, slots, values, text, 0, level, path) is not None:
                    done |= rule.mask
        by_source = self._by_source
        pending: list[Leftover] = []
        for at in range(1, len(values)):
            part = values[at]
            if not part:
                continue
            if part == _NULL:
                done |= 1 << at
                continue
            rules = by_source.get(at)
            if rules is not None:
                done |= self._component(state, slots, values, at, level, path, pending)
            if not done >> at & 1:
                pending.append((f"{path}.{at}", part))
        if not slots.body or (into is not None and not done):
            return None
        for needs, element, default in self._defaults:
            if needs in slots.body:
                slots.body.setdefault(element, default)
        left += [item for item in pending if not _taken(item[0], path, done)] if pending else pending
        return slots.body

    def _component(
        self,
        state: State,
        slots: Slots,
        values: list[str],
        at: int,
        level: int,
        path: str,
        pending: list[Leftover],
    ) -> int:
        done = 0
        varies = False
        part = values[at]
        for rule in self._by_source[at]:
            if rule.when is not None and not rule.when(state, values):
                continue
            if rule.constant:
                if not (done or not varies):
                    continue
            else:
                varies = True
            rest = rule.run(state, slots, values, part, 0, level + 1, f"{path}.{at}")
            if rest is not None:
                if rest and not done:
                    pending += rest
                done |= rule.mask
        return done

    def _text(
        self, state: State, values: list[str], level: int, path: str, left: list[Leftover]
    ) -> str | None:
        found: str | None = None
        done = 0
        for rules in (self._always, *self._by_source.values()):
            for rule in rules:
                if found is not None or (rule.when is not None and not rule.when(state, values)):
                    continue
                source = rule.mask.bit_length() - 1
                text = rule.assign.value(state, values) if rule.assign else values_at(values, source)
                if rule.map is not None and text:
                    text = rule.map.make(state, text, level + 1, f"{path}.{source}", left) or ""
                if text and text != _NULL:
                    found = text
                    done |= rule.mask
        if found is None:
            return None
        left += [
            (f"{path}.{at}", part)
            for at, part in enumerate(values)
            if part and part != _NULL and not done >> at & 1
        ]
        return _leaf(state, found, level + 1, path, left)


def values_at(values: list[str], at: int) -> str:
    """Give component ``at``, empty when it is not there."""
    return values[at] if 0 < at < len(values) else ""


def _taken(path: str, base: str, done: int) -> bool:
    """Say whether a later row took the component after all."""
    rest = path[len(base) + 1 :]
    return rest.isdigit() and bool(done >> int(rest) & 1)


class Chain:
    """The places of a PL, each part of the next outer one (overlay table ``chains``)."""

    def __init__(self, levels: list[list[str]], maps: Maps) -> None:
        self._levels = [(int(component), code, display) for component, code, display in levels]
        self._maps = maps

    def make(
        self,
        state: State,
        slots: Slots,
        values: list[str],
        level: int,
        path: str,
        left: list[Leftover],
    ) -> int:
        """Make the Locations; the smallest into ``slots``, the others hung on it."""
        done = 0
        body: Json | None = None
        map_ = self._maps.datatype("pl[locationlevel]")
        for component, code, display in self._levels:
            text = values_at(values, component)
            if not text or text == _NULL:
                continue
            made = map_.make(state, text, level + 1, f"{path}.{component}", left)
            if made is None:
                continue
            made["physicalType"] = {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/location-physical-type",
                        "code": code,
                        "display": display,
                    }
                ]
            }
            done |= 1 << component
            if body is None:
                slots.body.update(made)
                body = slots.body
            else:
                node = state.node("Location")
                node.body.update(made)
                body["partOf"] = {"reference": node}
                body = node.body
        return done


Taken = dict[tuple[int, int], list[Leftover]]
"""For each field and repetition that a map took: the parts it left over."""


class SegmentMap:
    """A segment's map onto one resource."""

    __slots__ = ("_always", "_by_source", "ignored", "resource", "segment")

    def __init__(self, data: Json, maps: Maps) -> None:
        self.segment: str = data["segment"]
        self.resource: str = data["resource"]
        self.ignored: dict[int, str] = {int(k): v for k, v in data["ignored"].items()}
        self._always: list[Rule] = []
        self._by_source: dict[int, list[Rule]] = {}
        for row in data["rows"]:
            rule = Rule(row, maps, 0, self.segment)
            if row["source"] == "0":
                self._always.append(rule)
            else:
                self._by_source.setdefault(int(row["source"]), []).append(rule)
        for rules in self._by_source.values():
            rules.sort(key=lambda rule: rule.constant)

    def run(self, state: State, node: Node, slots: Slots) -> Taken:
        """Map the segment at hand onto ``node``."""
        del node
        fields = state.fields
        taken: Taken = {}
        state.field = 0
        for rule in self._always:
            if rule.when is None or rule.when(state, fields):
                if rule.run(state, slots, fields, "", 0, 1, "") is not None and rule.mask:
                    self._take_all(state, rule, taken)
        repetition_sign = state.separators.repetition
        by_source = self._by_source
        for at in range(1, len(fields)):
            text = fields[at]
            if not text or at not in by_source:
                continue
            state.field = at
            if repetition_sign in text and not (at == 2 and fields[0] == "MSH"):
                for repetition, part in enumerate(text.split(repetition_sign)):
                    if part and part != _NULL:
                        self._field(state, slots, at, repetition, part, taken)
            elif text != _NULL:
                self._field(state, slots, at, 0, text, taken)
        state.field = 0
        return taken

    def _field(
        self, state: State, slots: Slots, at: int, repetition: int, text: str, taken: Taken
    ) -> None:
        state.text = text
        fields = state.fields
        path = str(at)
        best: list[Leftover] | None = taken.get((at, repetition))
        varies = False
        extra = 0
        for rule in self._by_source[at]:
            if rule.when is not None and not rule.when(state, fields):
                continue
            if rule.constant:
                if varies and best is None:
                    continue
            else:
                varies = True
            rest = rule.run(state, slots, fields, text, repetition, 1, path)
            if rest is not None:
                if rule.other:
                    taken[(rule.other, 0)] = rest
                    continue
                if not rule.constant:
                    best = rest if best is None else common(best, rest)
                elif best is None:
                    best = []
                extra |= rule.mask
        if best is not None:
            taken[(at, repetition)] = best
            extra &= ~(1 << at)
            if extra:
                for other in range(1, len(fields)):
                    if extra >> other & 1:
                        taken[(other, 0)] = []

    def _take_all(self, state: State, rule: Rule, taken: Taken) -> None:
        for at in range(1, len(state.fields)):
            if rule.mask >> at & 1:
                for repetition in range(state.fields[at].count(state.separators.repetition) + 1):
                    taken[(at, repetition)] = []


def common(one: list[Leftover], other: list[Leftover]) -> list[Leftover]:
    """Give the leftovers that neither of two maps took."""
    if not one or not other:
        return []
    paths = {path for path, _ in other}
    return [item for item in one if item[0] in paths]


class Maps:
    """All compiled maps, built from the table when first needed."""

    def __init__(self, table: Json) -> None:
        self._table = table
        self.built: dict[str, DatatypeMap] = {}
        self._segments: dict[str, SegmentMap] = {}
        self._vocabularies: dict[str, Vocabulary] = {}
        self.defaults: dict[str, list[tuple[str, str, str]]] = {}
        for kind, needs, element, default in table["tables"]["defaults"]:
            self.defaults.setdefault(kind, []).append((needs, element, default))
        self.chain = Chain(table["tables"]["chains"], self)

    def datatype(self, name: str) -> DatatypeMap:
        """Give a data type's map."""
        found = self.built.get(name)
        return found or DatatypeMap(name, self._table["datatypes"][name], self)

    def segment(self, name: str) -> SegmentMap:
        """Give a segment's map."""
        found = self._segments.get(name)
        if found is None:
            found = self._segments[name] = SegmentMap(self._table["segments"][name], self)
        return found

    def vocabulary(self, name: str) -> Vocabulary:
        """Give a concept map."""
        found = self._vocabularies.get(name)
        if found is None:
            found = self._vocabularies[name] = Vocabulary(self._table["codes"][name])
        return found
