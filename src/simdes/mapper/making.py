"""What a row of a sheet (`rows`) makes of a branch.

Its text, a constant or what a function gives; translated, and converted to the target's type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from simdes.mapper import primitives
from simdes.mapper.draft import Scope
from simdes.mapper.model import Json
from simdes.mapper.sheets import BadSheet
from simdes.mapper.tree import Branch, select
from simdes.mapper.work import Work

Function = Callable[..., Any]
"""Called with the work, the branch, and each argument as a text or a list of texts."""

Make = Callable[[Work, Branch, Scope], Any]

CODED = ("CodeableConcept", "Coding")
"""The types that a vocabulary makes of a code alone."""

CALL = re.compile(r"([a-z_]\w*)\((.*)\)")
TEXT = re.compile(r"'([^']*)'")


class Vocabulary:
    """Codes of a source, as (code, display, system) in FHIR; ``*`` stands for all others."""

    __slots__ = ("codes",)

    def __init__(self) -> None:
        self.codes: dict[str, tuple[str, str, str]] = {}

    def find(self, code: str) -> tuple[str, str, str] | None:
        """Translate ``code``; None where the vocabulary does not know it."""
        return self.codes.get(code.strip()) or self.codes.get("*")


def taken(work: Work, branch: Branch, scope: Scope) -> Any:
    """Count a branch as said by what is made of its surroundings."""
    del scope
    work.take(branch)
    return True


def left_out(reason: str) -> Make:
    """Report what is left out on purpose. Raises `BadSheet` without a reason."""
    if not reason:
        raise BadSheet("what is left out needs a reason (why)")

    def make(work: Work, branch: Branch, scope: Scope) -> Any:
        del scope
        if branch.value:
            work.drop(branch, reason)
        return True

    return make


def text(work: Work, branch: Branch, scope: Scope) -> Any:
    """Give the branch's own text."""
    del scope
    return work.take(branch) or None


def constant(text: str, kind: str, *, taken: bool) -> Make:
    """Give the same value each time; ``taken``: the branch counts as said by it."""
    convert = primitives.CONVERSIONS.get(kind)
    value = convert(text, "Z") if convert is not None else None
    if value is None:
        raise BadSheet(f"{text!r} is no {kind or 'target'}")

    def make(work: Work, branch: Branch, scope: Scope) -> Any:
        del scope
        if taken:
            work.take(branch)
        return value

    return make


def name(text: str, functions: Mapping[str, Function]) -> Make:
    """Give the name that a source calls a resource by: at a path, or what a function gives."""
    if CALL.fullmatch(text):
        return call(text, functions)
    one = _argument(text)
    return lambda work, branch, _: one(work, branch)


def call(how: str, functions: Mapping[str, Function]) -> Make:
    """Call a function of the format: ``name(path, 'text', all:path)``. Raises `KeyError`."""
    match = CALL.fullmatch(how)
    function, text = (functions[match[1]], match[2]) if match else (functions[how], "")
    arguments = [_argument(part.strip()) for part in text.split(",")] if text.strip() else []

    def make(work: Work, branch: Branch, scope: Scope) -> Any:
        del scope
        return function(work, branch, *[argument(work, branch) for argument in arguments])

    return make


def _argument(text: str) -> Callable[[Work, Branch], str | list[str]]:
    constant = TEXT.fullmatch(text)
    if constant is not None:
        return lambda *_: constant[1]
    if text.startswith("all:"):
        several = select(text[4:])
        return lambda work, branch: [work.take(one) for one in several(branch)]
    one = select(text)

    def first(work: Work, branch: Branch) -> str:
        found = one(branch)
        return work.take(found[0]) if found else ""

    return first


def finished(
    make: Make, convert: Callable[..., Any] | None, kind: str, vocabulary: Vocabulary | None
) -> Make:
    """Translate and convert what ``make`` gives to the target's type."""
    if vocabulary is None and convert is None:
        return make

    def finish(work: Work, branch: Branch, scope: Scope) -> Any:
        value = make(work, branch, scope)
        if vocabulary is not None and value is not None:
            value = _translated(value, kind, vocabulary)
        if convert is not None and isinstance(value, str):
            value = convert(value, work.zone)
        return value

    return finish


def _translated(value: Any, kind: str, vocabulary: Vocabulary) -> Any:
    """Translate a code, or put the standard code before the source's own."""
    if isinstance(value, str):
        found = vocabulary.find(value)
        if found is None or kind in primitives.CONVERSIONS:
            return None if found is None else found[0]
        return _coded(found, kind)
    codings = [value] if kind == "Coding" else value.get("coding", [])
    for coding in codings:
        found = vocabulary.find(coding.get("code", ""))
        if found is None:
            continue
        standard = _coding(found)
        if kind == "Coding":
            return standard
        if standard.items() <= coding.items():
            return value
        return {**value, "coding": [standard, *codings]}
    return value


def _coding(found: tuple[str, str, str]) -> Json:
    code, display, system = found
    coding = {"system": system, "code": code, "display": display}
    return {name: text for name, text in coding.items() if text}


def _coded(found: tuple[str, str, str], kind: str) -> Json:
    return _coding(found) if kind == "Coding" else {"coding": [_coding(found)]}
