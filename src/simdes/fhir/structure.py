"""Structure: elements, cardinality, choices, primitives and their extensions, contained resources.

https://hl7.org/fhir/R4/json.html and the definition of each type. A type is compiled once, on first
use, into a table from member name to a check of that member's value; validating is one pass over
the members of each object.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from simdes.fhir import bindings, invariants, rules
from simdes.fhir.definitions import Element, definition, resource_types
from simdes.fhir.primitives import PRIMITIVES
from simdes.fhir.run import Run

Json = Any
Check = Callable[[Json, Run], None]
"""Checks one value."""
MemberCheck = Callable[[Json, dict[str, Json], Run], None]
"""Checks the value of a member of the given object."""

_PLAIN_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,63}")


class Member:
    """A member an object of some type may have: its step in FHIRPath and its check."""

    __slots__ = ("check", "choice", "step")

    def __init__(self, step: str, check: MemberCheck, choice: str) -> None:
        self.step = step
        self.check = check
        self.choice = choice


class Structure:
    """The compiled definition of a resource, data type or backbone."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_resource = name in resource_types()
        self.members: dict[str, Member] = {}
        self.required: list[str] = []
        self.required_choices: list[str] = []
        self.rules = rules.RULES.get(name, ())
        type_ = definition(name)
        self.invariants = invariants.invariants(type_.constraints)
        for element in type_.elements.values():
            self._compile_element(element)
        if self.is_resource:
            self.members["resourceType"] = Member(".resourceType", _nothing, "")

    def _compile_element(self, element: Element) -> None:
        if element.minimum and element.is_choice:
            self.required_choices.append(element.name)
        elif element.minimum:
            self.required.append(element.name)
        for name, type_name in element.json_names.items():
            step, choice = "." + element.name, ""
            if element.is_choice:
                step, choice = f".{element.name}.ofType({type_name})", element.name
            check, plain = _value_check(element, type_name, owner=self.name)
            is_primitive = type_name in PRIMITIVES
            if element.is_list:
                member_check = _list_check(check, "_" + name if is_primitive else "")
            elif plain and is_primitive:
                member_check = _single_primitive_check(type_name)
            else:
                member_check = _single_check(check)
            if element.maximum == 0:
                member_check = _forbidden
            self.members[name] = Member(step, member_check, choice)
            if is_primitive:
                companion = _companion_check(name, type_name, element)
                self.members["_" + name] = Member(step, companion, choice)

    def check(self, value: Json, run: Run) -> None:
        """Add to ``run`` every rule that the object ``value`` breaks."""
        if type(value) is not dict:
            run.add("structure", "object", "a JSON object is needed")
            return
        findings = run.findings
        members = self.members
        choices: dict[str, str] | None = None
        for name, item in value.items():
            member = members.get(name)
            if member is None:
                _refuse_unknown(name, run)
                continue
            before = len(findings)
            member.check(item, value, run)
            if len(findings) != before:
                run.place(before, member.step)
            if member.choice:
                choices = choices if choices is not None else {}
                _note_choice(choices, member.choice, name.lstrip("_"), run)
        if self.required or self.required_choices:
            self._check_presence(value, choices or {}, run)
        if len(value) < 2 and not self.is_resource and (not value or "id" in value):
            run.add("invariant", "ele-1", "ele-1: an element must have a value or children")
        for rule in self.rules:
            rule(value, run)
        if self.invariants:
            invariants.check(self.invariants, value, run)

    def _check_presence(self, value: dict[str, Json], choices: dict[str, str], run: Run) -> None:
        for name in self.required:
            if name not in value and "_" + name not in value:
                run.add("required", "minimum", f"{name} is required", step="." + name)
        for name in self.required_choices:
            if name not in choices:
                run.add("required", "minimum", f"{name}[x] is required", step="." + name)


@cache
def compiled(name: str) -> Structure:
    """Return the type ``name``, compiled on first use."""
    return Structure(name)


def check_resource(value: Json, run: Run) -> None:
    """Check ``value``, a resource of the type it names, and be in it while doing so."""
    if type(value) is not dict:
        run.add("structure", "object", "a resource, which is a JSON object, is needed")
        return
    name = value.get("resourceType")
    if type(name) is not str or name not in resource_types():
        run.add(
            "structure", "resource-type", "resourceType is missing or unknown", step=".resourceType"
        )
        return
    outer = run.enter(value)
    compiled(name).check(value, run)
    run.leave(outer)


def _check_inner_resource(value: Json, run: Run) -> None:
    before = len(run.findings)
    check_resource(value, run)
    if len(run.findings) != before and type(value) is dict:
        name = value.get("resourceType")
        if type(name) is str and name in resource_types():
            run.place(before, f".ofType({name})")


def _check_entry_resource(value: Json, run: Run) -> None:
    """Check a resource that stands on its own inside another: in a Bundle or in Parameters."""
    outer = run.root
    run.root = value if type(value) is dict else outer
    _check_inner_resource(value, run)
    run.root = outer


def _in_entry(check: Check) -> Check:
    def check_entry(value: Json, run: Run) -> None:
        run.enter_entry(value)
        check(value, run)

    return check_entry


def _value_check(element: Element, type_name: str, *, owner: str) -> tuple[Check, bool]:
    """Return the check of a value, and whether its type's is all there is to it."""
    check = _type_check(element, type_name)
    if element.path == "Bundle.entry":
        check = _in_entry(check)
    more = [
        c for c in (bindings.check(element, type_name), rules.element_rule(element, owner)) if c
    ]
    found = invariants.invariants(element.constraints)
    if not more and not found:
        return check, True

    def check_all(value: Json, run: Run) -> None:
        before = len(run.findings)
        check(value, run)
        if len(run.findings) == before:
            for extra in more:
                extra(value, run)
        if found:
            invariants.check(found, value, run)

    return check_all, False


def _type_check(element: Element, type_name: str) -> Check:
    if type_name in PRIMITIVES:
        return _primitive_check(type_name)
    if type_name == "Resource":
        is_contained = element.name == "contained"
        return _check_inner_resource if is_contained else _check_entry_resource
    return _object_check(type_name)


def _object_check(type_name: str) -> Check:
    found: Structure | None = None

    def check(value: Json, run: Run) -> None:
        nonlocal found
        if found is None:
            found = compiled(type_name)
        found.check(value, run)

    return check


def _primitive_check(type_name: str) -> Check:
    test = PRIMITIVES[type_name]

    def check(value: Json, run: Run) -> None:
        message = test(value)
        if message is not None:
            run.add("value", type_name, f"not a valid {type_name}: {message}")

    return check


def _single_primitive_check(type_name: str) -> MemberCheck:
    """Return the check of a primitive that nothing else is asked of: most members, so no detour."""
    test = PRIMITIVES[type_name]

    def check_member(value: Json, owner: dict[str, Json], run: Run) -> None:
        message = test(value)  # which no array passes
        if message is None:
            return
        if type(value) is list:
            run.add("structure", "maximum", _NO_ARRAY)
        else:
            run.add("value", type_name, f"not a valid {type_name}: {message}")

    return check_member


_NO_ARRAY = "at most one value, not an array"


def _single_check(check: Check) -> MemberCheck:
    def check_member(value: Json, owner: dict[str, Json], run: Run) -> None:
        if type(value) is list:
            run.add("structure", "maximum", _NO_ARRAY)
        else:
            check(value, run)

    return check_member


def _list_check(check: Check, companion: str) -> MemberCheck:
    """Return a check of an array; nulls may fill it up where the ``companion`` has elements."""

    def check_member(value: Json, owner: dict[str, Json], run: Run) -> None:
        if type(value) is not list:
            run.add("structure", "array", "a JSON array is needed")
            return
        if not value:
            run.add("structure", "empty", "an array must not be empty")
        findings = run.findings
        for index, item in enumerate(value):
            if item is None and companion and _has_element(owner.get(companion), index):
                continue
            before = len(findings)
            check(item, run)
            if len(findings) != before:
                run.place(before, f"[{index}]")

    return check_member


def _has_element(elements: Json, index: int) -> bool:
    return type(elements) is list and index < len(elements) and elements[index] is not None


def _companion_check(name: str, type_name: str, element: Element) -> MemberCheck:
    """Return the check of ``_name``: the ids and extensions of the primitive ``name``."""
    needs_code = bindings.needs_code(element)

    def check_one(value: Json, primitive: Json, run: Run) -> None:
        if primitive is None and needs_code:
            run.add("code-invalid", "binding", "a code is required, not only an extension")
        if type(value) is not dict:
            run.add("structure", "object", "a JSON object with id or extension is needed")
            return
        before = len(run.findings)
        compiled(type_name).check(value, run)
        if primitive is not None and "id" in value and len(value) == 1:
            # An id beside a value is fine; only alone does it break ele-1.
            run.findings[before:] = [f for f in run.findings[before:] if f.rule != "ele-1"]

    def check_single(value: Json, owner: dict[str, Json], run: Run) -> None:
        check_one(value, owner.get(name), run)

    def check_list(value: Json, owner: dict[str, Json], run: Run) -> None:
        if type(value) is not list:
            run.add("structure", "array", "a JSON array is needed")
            return
        primitives = owner.get(name)
        values = primitives if type(primitives) is list else []
        if all(item is None for item in value):
            run.add("structure", "empty", "an array must not be empty")
        for index, item in enumerate(value):
            primitive = values[index] if index < len(values) else None
            before = len(run.findings)
            if item is not None:
                check_one(item, primitive, run)
            elif primitive is None:
                run.add("structure", "null", "null in both arrays of a primitive")
            run.place(before, f"[{index}]")

    return check_list if element.is_list else check_single


def _nothing(value: Json, owner: dict[str, Json], run: Run) -> None:
    """Accept any value: it was decided before the object was entered."""


def _forbidden(value: Json, owner: dict[str, Json], run: Run) -> None:
    run.add("structure", "maximum", "this element is not allowed here")


def _note_choice(choices: dict[str, str], choice: str, name: str, run: Run) -> None:
    if choices.setdefault(choice, name) != name:
        message = f"only one type of {choice}[x] may be present"
        run.add("structure", "choice", message, step="." + choice)


def _refuse_unknown(name: str, run: Run) -> None:
    """Name the member only if it looks like one: a name can be made of anything."""
    step = f".{name}" if type(name) is str and _PLAIN_NAME.fullmatch(name) else ""
    run.add("structure", "unknown-element", "no such element in this type", step=step)
