"""Rows of the compiled maps: what is read, how it is turned into FHIR, where it goes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from simdes.mapper import primitives
from simdes.mapper.hl7v2.conditions import Condition, build
from simdes.mapper.hl7v2.functions import FUNCTIONS
from simdes.mapper.hl7v2.state import Leftover, Reference, State, read_reference
from simdes.mapper.model import Json
from simdes.mapper.places import Place, Slots, place

if TYPE_CHECKING:
    from simdes.mapper.hl7v2.maps import Maps

_COMPONENT = 2
_DAY = len("YYYYMMDD")
NULL = '""'
"""What v2 sends to have a value deleted."""

_COMPONENT = 2
_DAY = len("2024-12-31")  # as long or shorter, and it has no time


class Vocabulary:
    """A concept map: v2 codes to FHIR's [code, display, system], and the v2 table they are from."""

    __slots__ = ("codes", "table", "targets")

    def __init__(self, data: Json) -> None:
        self.codes: dict[str, list[str]] = data["codes"]
        self.targets = frozenset(entry[0] for entry in self.codes.values())
        name = data["table"].upper().removeprefix("HL7")
        digits = "".join(sign for sign in name if sign.isdigit())
        base = "http://terminology.hl7.org/CodeSystem/v2-"
        self.table = f"{base}{digits}" if len(digits) == 4 else ""


class Assign:
    """A constant, or a function of fields.

    ``fields`` are the numbers it takes on its own level, ``components`` those it takes of its
    source field (none: all); what it reads with ``~`` it does not take; ``first_leaf``: it reads
    the first subcomponent only.
    """

    __slots__ = ("arguments", "components", "fields", "first_leaf", "function", "text")

    def __init__(self, data: Json, level: int, segment: str, source: int) -> None:
        self.text: str | None = data.get("text")
        self.function = FUNCTIONS[data["call"]] if "call" in data else None
        self.first_leaf = data.get("call") == "code_system"
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

    def beside(self, state: State, text: str, level: int, path: str) -> list[Leftover]:
        """List the parts of the source ``text`` that the function does not read."""
        left: list[Leftover] = []
        if self.components:
            parts = enumerate(text.split(state.component), 1)
            left = [(f"{path}.{n}", part) for n, part in parts if part and n not in self.components]
        if self.first_leaf and level == _COMPONENT and state.subcomponent in text:
            parts = enumerate(text.split(state.subcomponent), 1)
            left += [(f"{path}.{n}", part) for n, part in parts if part and n > 1]
        return left

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
                text = "" if text == NULL else text
                found = found or bool(text)
                texts.append(text)
        return self.function(state, *texts) if found else ""


class Rule:
    """One row of a map.

    ``mask`` has a bit for each field or component it takes; ``plain`` rows only convert text;
    ``constant`` ones (worth ``fixed``, or a group of such) follow what the others of their source
    did; ``borrows``: it reads its source without taking it (``~``); ``other`` is the field whose
    text is mapped where that is not the row's source.
    """

    __slots__ = (
        "_group",
        "_is_date",
        "_keeps_all",
        "_map",
        "_strict",
        "_vocabulary",
        "assign",
        "borrows",
        "constant",
        "convert",
        "fixed",
        "kind",
        "mask",
        "name",
        "other",
        "place",
        "plain",
        "target",
        "when",
    )

    def __init__(self, row: Json, maps: Maps, level: int, owner: str) -> None:
        segment = owner.partition("[")[0]
        source = int(row["source"])
        steps = [re.split(r"[*+|]", token)[0] for token in row["path"]]
        self.target = re.sub(r"\.>(\w+)", r"(\1)", ".".join(steps))
        self.name = f"{owner} {source}" if source else owner
        self.kind: str = row["kind"]
        self.place: Place = place(tuple(row["path"]))
        self.when: Condition | None = build(row["when"], level) if "when" in row else None
        self.assign = Assign(row["assign"], level, segment, source) if "assign" in row else None
        self._map = maps.datatype(row["map"]) if "map" in row else None
        self._vocabulary = maps.vocabulary(row["codes"]) if "codes" in row else None
        self._strict: bool = row.get("strict", False)
        self.convert = primitives.CONVERSIONS.get(self.kind)
        self._group: Json | None = row.get("group")
        function = self.assign is not None and self.assign.function is not None
        self.constant = not function and (self.assign is not None or self._group is not None)
        self.borrows = function and self.assign is not None and not self.assign.fields
        simple = not (self.assign or self._map or self._vocabulary or self.place.ends)
        self._is_date = self.kind == "date"  # takes the day alone of a date with time
        self.plain = self.convert is not None and simple and not self._is_date
        self.fixed: Any = None  # what a constant makes, the same every time
        if self.constant and self.convert is not None and not self._vocabulary:
            self.fixed = self.convert(self.assign.text or "", "Z") if self.assign else None
        self._keeps_all = row.get("assign", {}).get("call") in ("text", "lines")
        self.mask = 1 << source if source else 0
        self.other = 0
        if self.assign is not None:
            for number in self.assign.fields:
                self.mask |= 1 << number
            if self._map is not None and self.assign.fields:
                self.other = self.assign.fields[0] if self.assign.fields[0] != source else 0

    def shortens(self, text: str) -> bool:
        """Say whether the element holds less than ``text``: a day of a moment."""
        return self.kind == "date" and len(text) > _DAY

    def run(  # noqa: PLR0911, PLR0912 - the hot path: leave as soon as the answer is known
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
        if self._group is not None or self.fixed is not None:
            fixed = self.fixed if self._group is None else dict(self._group)
            if not self.place.put(state, slots, repetition, fixed):
                return None
            if state.explained is not None:
                self.explain(state, path)
            return []
        left: list[Leftover] = []
        if self.assign is not None:
            left = self.assign.beside(state, text, level, path)
            text = self.assign.value(state, values)
            if not text:
                return None
            path = str(self.other) if self.other else path
        if self._map is not None and self.place.direct and not self._map.is_text:
            made = self._map.make(state, text, level, path, left, into=slots.body)
            return None if made is None else left
        if state.explained is None and self._map is None:
            value = self._make(state, text, level, path, left)
            if value is None or not self.place.put(state, slots, repetition, value):
                state.fragments = state.fragments or value is not None or self.place.extends
                return None
        else:
            value = self._make_more(state, slots, text, repetition, level, path, left)
            if value is None:
                return None
        if self.place.ends or (type(value) is dict and "end" in value):
            self._note_period(state, slots, repetition)
        if self._vocabulary is not None and self.place.coding:
            self._name_coding(state, slots, repetition, text)
        if state.explained is not None and not isinstance(value, dict):
            self.explain(state, path)
        return left

    def put_plain(self, state: State, slots: Slots, text: str, path: str, at: int) -> bool:
        """Convert component ``at`` of ``path`` and put it; False where it has no place."""
        plain = text if state.escape not in text else state.plain(text)
        value = self.convert(plain, state.zone)  # type: ignore[misc]
        if value is None:
            state.fragments = state.fragments or self.place.extends
            return False
        if not self.place.put(state, slots, 0, value):
            state.fragments = True
            return False
        if state.explained is not None:
            self.explain(state, f"{path}.{at}")
        return True

    def _make_more(
        self,
        state: State,
        slots: Slots,
        text: str,
        repetition: int,
        level: int,
        path: str,
        left: list[Leftover],
    ) -> Any:
        """Put the value of a map, which may have made resources: without a place, they go."""
        nodes, references = len(state.nodes), len(state.references)
        explained, prefix = state.explained, state.prefix
        noted = 0
        if explained is not None:
            noted = len(explained)
            state.prefix = f"{prefix}{self.target}."
        if self.convert is None and self._map is not None:
            value = self._map.make(state, text, level, path, left)
            if self._vocabulary is not None and value:
                value = self._translate(value)
        else:
            value = self._make(state, text, level, path, left)
        state.prefix = prefix
        made, referred = len(state.nodes), len(state.references)
        if value is not None and self.place.put(state, slots, repetition, value):
            return value
        del state.nodes[nodes:made], state.references[references:referred]  # nothing refers to them
        if explained is not None:
            del explained[noted:]
        state.fragments = state.fragments or value is not None or self.place.extends
        return None

    def explain(self, state: State, path: str) -> None:
        """Note what came of the field or component at ``path``."""
        source = f"{state.fields[0]}-{path}" if path else state.fields[0]
        state.note(self.target, source, self.name)

    def _note_period(self, state: State, slots: Slots, repetition: int) -> None:
        body = self.place.container(state, slots, repetition)
        period = body if self.place.ends or body is None else body.get(self.place.name)
        if isinstance(period, dict) and "resourceType" not in period:  # an Appointment has an end
            state.periods.append(period)

    def _make(self, state: State, text: str, level: int, path: str, left: list[Leftover]) -> Any:
        """Make the primitive value of ``text``; None when it is not of this row's type."""
        if self.convert is None:
            return None
        if self._map is not None:
            text = self._map.make(state, text, level, path, left)
            if text is None:
                return None
        elif not self._keeps_all and self.assign is None:
            text = leaf(state, text, level, path, left)
        plain = state.plain(text)
        if self._vocabulary is not None:
            return self._code(plain, state)
        made = self.convert(plain, state.zone)
        if self._is_date and made is not None and len(plain.strip()) > _DAY and not left:
            left.append((path, text))
        return made

    def _code(self, plain: str, state: State) -> Any:
        """Translate a code; None where the element allows only what the vocabulary has."""
        assert self._vocabulary is not None and self.convert is not None  # noqa: S101
        entry = self._vocabulary.codes.get(plain.strip())
        if entry is not None:
            return entry[0] if self.kind != "boolean" else entry[0] == "true"
        if self._strict:
            return None
        if self.kind == "code" and not self.place.coding:  # some senders write FHIR's words
            word = plain.strip().lower()
            return word if word in self._vocabulary.targets else None
        return self.convert(plain, state.zone)

    def _translate(self, value: Json) -> Json:
        """Put the standard code before the sender's own (CodeableConcept), or in its stead."""
        vocabulary = self._vocabulary
        codings = [value] if self.kind == "Coding" else value.get("coding")
        if vocabulary is None or not codings or "code" not in codings[0]:
            return value
        coding = codings[0]
        entry = vocabulary.codes.get(coding["code"])
        if vocabulary.table:  # where the sender names no system, the field's table is meant
            coding.setdefault("system", vocabulary.table)
        if entry is None or not entry[2]:
            return value
        if entry[0] == coding["code"] and entry[2] == coding.get("system"):
            return value
        standard = {"system": entry[2], "code": entry[0]}
        if entry[1]:
            standard["display"] = entry[1]
        if self.kind == "Coding":
            return standard
        codings.insert(0, standard)
        return value

    def _name_coding(self, state: State, slots: Slots, repetition: int, text: str) -> None:
        """Give a bare code the system its vocabulary says, where it is in that vocabulary."""
        entry = self._vocabulary.codes.get(state.plain(text).strip()) if self._vocabulary else None
        if entry is None or not entry[2]:
            return
        body = self.place.container(state, slots, repetition)
        if body is not None:
            body.setdefault("system", entry[2])
            if entry[1]:
                body.setdefault("display", entry[1])


def leaf(state: State, text: str, level: int, path: str, left: list[Leftover]) -> str:
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


def by_source(rows: list[Json], maps: Maps, level: int, owner: str) -> dict[int, list[Rule]]:
    """Build the rules of a map, by the field or component they start from; 0: always run."""
    found: dict[int, list[Rule]] = {0: []}
    for row in _grouped(rows):
        found.setdefault(int(row["source"]), []).append(Rule(row, maps, level, owner))
    for source, rules in found.items():
        if source:
            rules.sort(key=lambda rule: rule.constant)
    return found


def _grouped(rows: list[Json]) -> list[Json]:
    """Make one row of constants that fill one element, such as a Coding's code and system."""
    found: list[Json] = []
    groups: dict[tuple[str, ...], Json] = {}
    for row in rows:
        path = row["path"]
        text = row.get("assign", {}).get("text")
        if text is None or len(path) < 2 or row.keys() & {"when", "codes", "map"}:
            found.append(row)
            continue
        value = primitives.CONVERSIONS[row["kind"]](text, "Z")
        key = (row["source"], *path[:-1])
        if key not in groups:
            group = {"source": row["source"], "path": path[:-1], "kind": "", "group": {}}
            groups[key] = group
            found.append(group)
        groups[key]["group"][path[-1]] = value
    return found
