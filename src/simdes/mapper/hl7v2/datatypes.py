"""Run the map of a data type: a field or component into an element, a resource, or a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simdes.mapper import primitives
from simdes.mapper.hl7v2.rules import NULL, by_source, leaf
from simdes.mapper.hl7v2.state import Leftover, State
from simdes.mapper.model import Json
from simdes.mapper.places import Slots

if TYPE_CHECKING:
    from simdes.mapper.hl7v2.maps import Maps

_PLACES = ("pl[location]", "la2[location]")  # data types that begin with the parts of a PL
_PHYSICAL_TYPE = "http://terminology.hl7.org/CodeSystem/location-physical-type"


class DatatypeMap:
    """A data type's map; ``is_text`` when it gives a text (``$value``) for a primitive."""

    __slots__ = ("_all", "_alone", "_always", "_chain", "_defaults", "_rules", "is_text", "kind")

    def __init__(self, name: str, data: Json, maps: Maps) -> None:
        self.kind: str = data["kind"]
        self.is_text = self.kind in primitives.CONVERSIONS
        self._defaults = maps.defaults.get(self.kind, ())
        self._chain = maps.chain if name in _PLACES else None
        maps.built[name] = self  # before the rows, which may refer to it
        self._rules = by_source(data["rows"], maps, 1, name)
        self._always = self._rules.pop(0)
        self._alone = {  # components that one row converts, whatever else is there: most of them
            at: some[0]
            for at, some in self._rules.items()
            if len(some) == 1 and some[0].plain and some[0].when is None
        }
        self._all = [*self._always, *(rule for some in self._rules.values() for rule in some)]

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
        sign = state.component if level == 1 else state.subcomponent
        values = ["", *text.split(sign)] if level <= 2 else ["", text]
        if self.is_text:
            return self._text(state, values, level, path, left)
        slots = Slots({} if into is None else into)
        done = 0
        if self._chain is not None:
            done = self._chain.make(state, slots, values, level, path, left)
        for rule in self._always:
            if (rule.when is None or rule.when(state, values)) and rule.run(
                state, slots, values, text, 0, level, path
            ) is not None:
                done |= rule.mask
        done = self._components(state, slots, values, level, path, left, done)
        if not slots.body or (into is not None and not done):
            return None
        for needs, element, default in self._defaults:
            if needs in slots.body:
                slots.body.setdefault(element, default)
        return slots.body

    def _components(
        self,
        state: State,
        slots: Slots,
        values: list[str],
        level: int,
        path: str,
        left: list[Leftover],
        done: int,
    ) -> int:
        rules, alone = self._rules, self._alone
        missed: list[int] = []
        for at in range(1, len(values)):
            part = values[at]
            if not part:
                continue
            if part == NULL:
                done |= 1 << at
                continue
            one = alone.get(at)
            if one is not None and (level > 1 or state.subcomponent not in part):
                if one.put_plain(state, slots, part, path, at):
                    done |= one.mask
            elif at in rules:
                done |= self._component(state, slots, values, at, level, path, left)
            if not done >> at & 1:
                missed.append(at)
        if missed:  # a later row may have taken it after all
            left += [(f"{path}.{at}", values[at]) for at in missed if not done >> at & 1]
        return done

    def _component(
        self,
        state: State,
        slots: Slots,
        values: list[str],
        at: int,
        level: int,
        path: str,
        left: list[Leftover],
    ) -> int:
        done = 0
        varies = False
        text = values[at]
        bare = level > 1 or state.subcomponent not in text
        for rule in self._rules[at]:
            if rule.when is not None and not rule.when(state, values):
                continue
            if bare and rule.plain:
                varies = True
                if rule.put_plain(state, slots, text, path, at):
                    done |= rule.mask
                continue
            if not rule.constant:
                varies = True
            elif varies and not done:
                continue
            rest = rule.run(state, slots, values, text, 0, level + 1, f"{path}.{at}")
            if rest is not None:
                if rest and not done:
                    left += rest
                done |= rule.mask
        return done

    def _text(
        self, state: State, values: list[str], level: int, path: str, left: list[Leftover]
    ) -> str | None:
        found: str | None = None
        done = 0
        for rule in self._all:
            if found is not None or (rule.when is not None and not rule.when(state, values)):
                continue
            if rule.assign is not None:
                text = rule.assign.value(state, values)
            else:
                text = at_of(values, rule.mask.bit_length() - 1)
            if text and text != NULL:
                found = text
                done |= rule.mask
        if found is None:
            return None
        left += [
            (f"{path}.{at}", part)
            for at, part in enumerate(values)
            if part and part != NULL and not done >> at & 1
        ]
        if level == 1 and state.subcomponent not in found:  # only the first of a surname's parts
            for at, part in enumerate(values):
                if done >> at & 1 and state.subcomponent in part:
                    pieces = enumerate(part.split(state.subcomponent)[1:], 2)
                    left += [(f"{path}.{at}.{n}", piece) for n, piece in pieces if piece]
        return leaf(state, found, level + 1, path, left)


def at_of(values: list[str], at: int) -> str:
    """Give component ``at``, empty when it is not there."""
    return values[at] if 0 < at < len(values) else ""


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
            text = at_of(values, component)
            if not text or text == NULL:
                continue
            made = map_.make(state, text, level + 1, f"{path}.{component}", left)
            if made is None:
                continue
            coding = {"system": _PHYSICAL_TYPE, "code": code, "display": display}
            made["physicalType"] = {"coding": [coding]}
            done |= 1 << component
            if body is None:
                slots.body.update(made)
                body = slots.body
            else:
                node = state.node("Location")
                node.body.update(made)
                part_of: Json = {}
                body["partOf"] = part_of
                state.refer(part_of, node)
                body = node.body
        return done
