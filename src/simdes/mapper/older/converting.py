"""Convert resources of FHIR DSTU2 and STU3 to R4 (https://hl7.org/fhir/R4/diff.html).

An element is walked by its definition in the older version and in R4: rows of the sheets (`maps`)
come first, then every element that R4 has under the same name is carried over if its value fits
the type R4 gives it, by `coercing.TYPES` if not. What is left is kept beside (`beside`). Required
elements are completed, and what R4's rules still refuse is kept beside, too (`mending`).
"""

from __future__ import annotations

import re
from typing import Any

from simdes.errors import Invalid, Unsupported
from simdes.fhir.elements import Part
from simdes.fhir.primitives import PRIMITIVES
from simdes.mapper import codings, primitives
from simdes.mapper.completing import complete
from simdes.mapper.identity import uuid
from simdes.mapper.model import Dropped, Json, Site
from simdes.mapper.older.beside import Beside, has_extension_value, is_valid
from simdes.mapper.older.coercing import FUNCTIONS, TYPES, Made, settled_coding
from simdes.mapper.older.maps import Maps, Row, maps_of
from simdes.mapper.older.mending import mend, mend_around
from simdes.mapper.older.placing import (
    Labels,
    Target,
    candidates,
    chosen,
    constant,
    goes_into,
    has_room,
    holder_of,
    is_bound,
    ordered,
    put,
)
from simdes.mapper.older.shapes import R4, is_primitive, resource_names, shape
from simdes.mapper.older.slots import Keys, Slot, slots_of, text_at, without

_REFERENCE = re.compile(
    r"(?P<base>(?:https?://[^?#]*/)?)(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})"
    r"(?P<rest>(?:/_history/[A-Za-z0-9\-.]{1,64})?(?:#.*)?)"
)
_RENAMED = frozenset((("Reference", "reference"), ("Bundle.entry", "fullUrl")))
_WHOSE = ("subject", "patient")
_OF_ALL = ("id", "meta", "implicitRules", "language", "text")
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}")
_COMMENT = frozenset(("fhir_comments", "_fhir_comments"))
_COMMENTS = "comments of the file, no content of the resource"
_TIMES = {"dateTime": primitives.date_time, "instant": primitives.instant}
_FORM = "Send resources as the version of FHIR defines them that they are sent as."


class Converter:
    """Converts the resources of one input."""

    def __init__(self, version: str, site: Site, dropped: list[Dropped]) -> None:
        self.version = version
        self.maps: Maps = maps_of(version, site)
        self._site = site
        self._zone = primitives.zone(site.time_zone)
        self._dropped = dropped

    def resource(self, value: Any, *, inside: str = "") -> Json:
        """Convert a resource; ``inside`` is the element that holds it, if one does.

        Raises `Unsupported` if no version has such a type; inside another it becomes a Basic.
        """
        kind = value.get("resourceType") if isinstance(value, dict) else None
        kind = kind if isinstance(kind, str) else ""
        is_known = kind in resource_names(self.version) or kind in resource_names(R4)
        if not is_known and not (inside and _TYPE.fullmatch(kind)):
            raise Unsupported("a resourceType that no version of FHIR has", advice=_FORM)
        contained = inside == "contained"
        target = self.target_of(kind)
        if target == "Basic" != kind:
            return self._basic(value, kind)
        beside = self._beside(kind)
        made: Json = {"resourceType": target}
        made |= ordered(self.element(value, kind, target, "", beside), target)
        if isinstance(made.get("id"), str) and not contained:
            made["id"] = self._new_id(kind, made["id"])
        complete(made, target)
        codings.settle(made)
        if target == "Bundle":
            mend_around(made, beside)
        elif not contained and not mend(made, beside):
            return self._basic(value, kind)
        beside.settle(made)
        return made

    def _beside(self, kind: str) -> Beside:
        return Beside(kind, f"urn:simdes:fhir-{self.version}:unmapped", self._dropped)

    def _basic(self, value: Json, kind: str) -> Json:
        """Make a Basic of what R4 has no type for, or what cannot be valid as its type."""
        beside = self._beside(kind)
        made: Json = {"resourceType": "Basic"}
        whose = {name: value[name] for name in _WHOSE if isinstance(value.get(name), dict)}
        kept = {name: value[name] for name in _OF_ALL if name in value}
        trial = self.element(kept, "Basic", "Basic", "", beside)
        for one in whose.values():
            trial.setdefault("subject", self.element(one, "Reference", "Reference", "", beside))
        made |= ordered(trial, "Basic")
        system = f"urn:simdes:fhir-{self.version}:resource-type"
        made["code"] = {"coding": [{"system": system, "code": kind}]}
        old = shape(self.version, kind)
        for slot in slots_of({n: v for n, v in value.items() if n not in kept}, old, None):
            self.keep(slot, slot.path, beside)
        if isinstance(made.get("id"), str):
            made["id"] = self._new_id(kind, made["id"])
        complete(made, "Basic")
        if not mend(made, beside):
            raise Invalid("a resource breaks the rules of R4 beyond mending", advice=_FORM)
        beside.settle(made)
        return made

    def target_of(self, kind: str) -> str:
        """Name the R4 type of an older one: Basic where R4 has none."""
        renamed = self.maps.types.get(kind)
        if renamed is not None:
            return renamed.target
        return kind if kind in resource_names(R4) else "Basic"

    def _new_id(self, kind: str, given: str) -> str:
        renamed = self.maps.types.get(kind)
        if renamed is None or renamed.keeps_ids:
            return given
        return uuid(self._site.identity, kind, given)

    def _new_reference(self, text: Any) -> Any:
        """Name the R4 type (and id) in a reference or the URL of a resource."""
        match = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
        if match is None or match["type"] not in resource_names(self.version):
            return text
        kind = match["type"]
        named = f"{self.target_of(kind)}/{self._new_id(kind, match['id'])}"
        return f"{match['base']}{named}{match['rest']}"

    def element(self, value: Json, source: str, target: str, path: str, beside: Beside) -> Json:
        """Convert an element of type ``source`` into one of R4's type ``target``."""
        made: Json = {}
        block = self.maps.blocks.get(source)
        if block is not None and block.target == target:
            value = self._run_rows(block.rows, value, source, target, path, beside, made)
        old = shape(self.version, source)
        new = shape(R4, target)
        for slot in slots_of(value, old, new):
            here = f"{path}.{slot.path}" if path else slot.path
            self._carry(slot, made, source, target, here, beside)
        return settled_coding(made) if source == "Coding" == target else made

    def _carry(
        self, slot: Slot, made: Json, source: str, target: str, here: str, beside: Beside
    ) -> None:
        """Carry a value over to the element of the same name, or keep it."""
        name = slot.keys[0][0]
        if (source, name) in _RENAMED:
            slot = Slot(slot.keys, self._new_reference(slot.value), slot.extra, slot.type)
        for other in candidates(name, slot.type, shape(self.version, source), shape(R4, target)):
            if self._place(made, target, ((other, ""),), slot, here, beside, {}):
                return
        self.keep(slot, here, beside)

    def _run_rows(
        self,
        rows: tuple[Row, ...],
        value: Json,
        source: str,
        target: str,
        path: str,
        beside: Beside,
        made: Json,
    ) -> Json:
        """Run a block's rows; returns what of ``value`` no row claims."""
        placed: dict[Keys, bool] = {}
        found: dict[Keys, Slot] = {}
        labels: Labels = {}
        for row in rows:
            slots = self._select(row, value, source)
            for group in [slots] if row.how == "join" and slots else [[slot] for slot in slots]:
                slot = group[0]
                here = f"{path}.{slot.path}" if path else slot.path
                is_placed = row.how != "-" and self._follow(
                    row, group, made, target, here, beside, labels
                )
                for one in group:
                    found[one.keys] = one
                    said = is_placed and row.how != "constant"
                    placed[one.keys] = placed.get(one.keys, False) or said
        for keys, slot in found.items():
            if not placed[keys] and len(keys) == 1:
                self.keep(slot, f"{path}.{slot.path}" if path else slot.path, beside)
                placed[keys] = True
        return without(value, [keys for keys in placed if placed[keys]])

    def _follow(
        self,
        row: Row,
        group: list[Slot],
        made: Json,
        target: str,
        here: str,
        beside: Beside,
        labels: Labels,
    ) -> bool:
        slot = group[0]
        if row.how == "constant":
            slot = Slot(slot.keys, row.constant, None, "constant")
        elif row.how == "value":
            slot = self._extension_value(slot)
        elif row.how:
            given = [one.value for one in group]
            done = FUNCTIONS[row.how](given if row.how == "join" else slot.value)
            if done is None:
                return False
            if not done.whole:
                self.keep(slot, here, beside)
            slot = Slot(slot.keys, done.value, slot.extra, done.type or "made")
        return self._place(made, target, row.target, slot, here, beside, labels, row.codes)

    def _extension_value(self, slot: Slot) -> Slot:
        parts = shape(self.version, "Extension")
        for name, part in (parts.parts if parts else {}).items():
            if part.name == "value" and name in slot.value:
                return Slot(slot.keys, slot.value[name], slot.value.get(f"_{name}"), part.type)
        return slot

    def _select(self, row: Row, value: Json, source: str) -> list[Slot]:
        """Give the values a row's source path leads to."""
        found = [Slot((), value, None, source)]
        for step in row.source:
            inner: list[Slot] = []
            for one in found:
                if not isinstance(one.value, dict):
                    continue
                old = shape(self.version, one.type)
                for slot in slots_of(one.value, old, None, step.name):
                    inner.append(Slot((*one.keys, *slot.keys), slot.value, slot.extra, slot.type))
            found = [
                one
                for number, one in enumerate(inner, 1)
                if step.first <= number <= step.last
                and (not step.tested or text_at(one.value, step.tested) in step.values)
            ]
        return found

    def _place(
        self,
        made: Json,
        target: str,
        steps: Target,
        slot: Slot,
        here: str,
        beside: Beside,
        labels: Labels,
        codes: str = "",
    ) -> bool:
        """Put a slot's value where ``steps`` lead in ``made``; say if it has a place there."""
        kind = target
        for name, _ in steps[:-1]:
            parts = shape(R4, kind)
            kind = parts.parts[name].type if parts else ""
        last = chosen(kind, steps[-1][0], slot.type)
        if last is None:
            return False
        name, part = last
        value = self._made(slot, kind, name, part, here, beside, codes)
        if value is None:
            return False
        if value.value is None and slot.extra is None:
            return True  # the vocabulary says it by leaving the element out
        if not has_room(made, target, steps, name, part, labels):
            return False
        if not value.whole:
            self.keep(slot, here, beside)
        holder = holder_of(made, target, steps, labels)
        put(holder, name, part, value.value, self._extra(slot, part, here, beside))
        return True

    def _extra(self, slot: Slot, part: Part, here: str, beside: Beside) -> Any:
        if not isinstance(slot.extra, dict) or not is_primitive(part.type):
            if slot.extra is not None and slot.extra != {}:
                self.keep(Slot(slot.keys, slot.extra, None, "Element"), f"{here}._", beside)
            return None
        return self.element(slot.extra, "Element", "Element", here, beside) or None

    def _made(
        self, slot: Slot, owner: str, name: str, part: Part, here: str, beside: Beside, codes: str
    ) -> Made | None:
        """Make a value of R4's type for an element; None where it cannot be one."""
        if slot.type == "constant":
            return Made(constant(slot.value, part.type))
        found = self._translated(slot, part, codes) if codes else None
        if found is not None or (codes and part.type != "code" and slot.type != "CodeableConcept"):
            return found
        if slot.value is None:
            return Made(None) if isinstance(slot.extra, dict) and is_primitive(part.type) else None
        coerced = TYPES.get((slot.type, part.type))
        done = coerced(slot.value) if coerced else Made(slot.value, slot.type)
        if done is None:
            return None
        return self._read(done, owner, name, part, here, beside)

    def _read(
        self, done: Made, owner: str, name: str, part: Part, here: str, beside: Beside
    ) -> Made | None:
        """Read a value into R4's type; one without an older type is R4 already."""
        value, kind = done.value, done.type or "made"
        if is_primitive(part.type):
            is_text = kind == "made" or is_primitive(kind)
            text = self._primitive(value, owner, part) if is_text else None
            return None if text is None else Made(text, "", done.whole)
        if not isinstance(value, dict) or not (kind == "made" or goes_into(kind, part.type)):
            return None
        if kind == "made":
            return done
        if part.type == "Resource":
            return Made(self.resource(value, inside=name))
        inner = self.element(value, kind, part.type, here, beside)
        return Made(ordered(inner, part.type) or None, "", done.whole)

    def _translated(self, slot: Slot, part: Part, codes: str) -> Made | None:
        value, whole = slot.value, True
        if slot.type in ("CodeableConcept", "Coding"):
            done = TYPES[slot.type, "code"](value)
            if done is None:
                return None
            value, whole = done.value, done.whole
        text = str(value).lower() if isinstance(value, bool) else value
        found = self.maps.vocabularies[codes].find(text) if isinstance(text, str) else None
        if found is None:
            return None
        code, display, system = found
        whole = whole and self.maps.vocabularies[codes].says_all(text)
        if not code:
            return Made(None, "", whole)
        if part.type == "boolean":
            return Made(code == "true", "", whole)
        if is_primitive(part.type):
            return Made(code, "", whole)
        coding = {"system": system, "code": code} | ({"display": display} if display else {})
        return Made(coding if part.type == "Coding" else {"coding": [coding]}, "", whole)

    def _primitive(self, value: Any, owner: str, part: Part) -> Any:
        """Give a primitive value if R4 takes it there, mended where its meaning is plain."""
        if isinstance(value, (dict, list)):
            return None
        test = PRIMITIVES[part.type]
        if test(value) is not None:
            mended = None
            if part.type in _TIMES and isinstance(value, str):
                mended = _TIMES[part.type](value, self._zone)
            elif isinstance(value, str):
                mended = value.strip()
            if mended is None or test(mended) is not None:
                return None
            value = mended
        return value if part.type != "code" or is_bound(value, owner, part.name) else None

    def keep(self, slot: Slot, path: str, beside: Beside) -> None:
        """Keep a value beside, as its type where R4 has that, else part by part."""
        value, kind = slot.value, slot.type
        if slot.extra:
            extra = Slot(slot.keys, slot.extra, None, "Element")
            self.keep(extra, f"{path}._", beside)
        if isinstance(value, list):
            for number, one in enumerate(value):
                self.keep(Slot(slot.keys, one, None, kind), f"{path}[{number}]", beside)
        elif isinstance(value, dict):
            if path.rpartition(".")[2] in _COMMENT:
                beside.drop(path, _COMMENTS)
            elif not self._keep_typed(value, kind, path, beside):
                old = shape(self.version, kind)
                for inner in slots_of(value, old, None):
                    self.keep(inner, f"{path}.{inner.path}", beside)
        elif value is not None:
            if path.rpartition(".")[2] in _COMMENT:
                beside.drop(path, _COMMENTS)
            else:
                beside.keep_plain(path, value, kind if kind in PRIMITIVES else "")

    def _keep_typed(self, value: Json, kind: str, path: str, beside: Beside) -> bool:
        """Keep an object as its data type if R4 has that and all of it is valid there."""
        if "." in kind or is_primitive(kind) or not has_extension_value(kind):
            return False
        target = "Quantity" if kind == "Money" and "currency" not in value else kind
        source = "Quantity" if target == "Quantity" else kind
        trial = Beside(beside.kind, beside.url, [])
        made = self.element(value, source, target, path, trial)
        if trial.kept or not made or not is_valid(target, made):
            return False
        beside.keep_value(path, target, made)
        return True
