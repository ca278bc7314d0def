"""Bindings: codes from the value set that an element requires.

https://hl7.org/fhir/R4/terminologies.html#strength. Checked are required bindings (and maximum
value sets, which bind like them) to what the definitions enumerate or what has a grammar; an
extensible or weaker binding makes nothing invalid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simdes.fhir.definitions import Element, definition, type_names, value_set_codings
from simdes.fhir.primitives import SYNTAXES
from simdes.fhir.run import Run

Check = Callable[[Any, Run], None]

_TEXTS = frozenset({"code", "string", "uri"})
_CODED = frozenset({"Coding", "CodeableConcept"})


@dataclass(frozen=True, slots=True)
class UncheckedBinding:
    """A required binding whose value set can't be enumerated here."""

    path: str
    value_set: str
    reason: str


def check(element: Element, type_name: str) -> Check | None:
    """Return the check of ``element``'s codes in its form ``type_name``, None if there is none."""
    binding = element.binding
    if binding is None or type_name not in _TEXTS | _CODED:
        return None
    if binding.strength == "required":
        return _required(binding.value_set, type_name, may_be_absent=False)
    if binding.maximum is not None:
        return _required(binding.maximum, type_name, may_be_absent=True)
    return None


def needs_code(element: Element) -> bool:
    """Whether a code must be there wherever ``element`` is, and extensions can't stand for it."""
    binding = element.binding
    return binding is not None and binding.strength == "required" and element.types == ("code",)


def unchecked_bindings() -> tuple[UncheckedBinding, ...]:
    """Return the required bindings that are not, or only in their syntax, checked."""
    found = []
    for name in sorted(type_names()):
        for element in definition(name).elements.values():
            binding = element.binding
            if binding is None or not element.path.startswith(name + "."):
                continue
            url = binding.value_set if binding.strength == "required" else binding.maximum
            if url is not None and value_set_codings(url) is None:
                reason = "syntax only" if url in SYNTAXES else "no list of its codes in R4"
                found.append(UncheckedBinding(element.path, url, reason))
    return tuple(found)


def _required(url: str, type_name: str, *, may_be_absent: bool) -> Check | None:
    codings = value_set_codings(url)
    if codings is not None:
        if type_name in _TEXTS:
            return _text_in_list(url, codings)
        return _coded(url, _listed(codings), type_name, may_be_absent=may_be_absent)
    if url in SYNTAXES:
        system, pattern = SYNTAXES[url]
        if type_name in _TEXTS:
            return _text_of_form(url, pattern)
        return _coded(url, _of_form(system, pattern), type_name, may_be_absent=may_be_absent)
    return None


def _refuse(url: str, run: Run) -> None:
    run.add("code-invalid", "binding", f"a code from the value set {url} is required")


def _text_in_list(url: str, codings: Mapping[str, frozenset[str]]) -> Check:
    codes = frozenset().union(*codings.values())

    def check_text(value: Any, run: Run) -> None:
        if value not in codes:
            _refuse(url, run)

    return check_text


def _text_of_form(url: str, pattern: re.Pattern[str]) -> Check:
    def check_text(value: Any, run: Run) -> None:
        if not pattern.fullmatch(value):
            _refuse(url, run)

    return check_text


IsIn = Callable[[dict[str, Any]], bool]


def _listed(codings: Mapping[str, frozenset[str]]) -> IsIn:
    nothing: frozenset[str] = frozenset()
    return lambda coding: coding.get("code") in codings.get(coding.get("system", ""), nothing)


def _of_form(system: str, pattern: re.Pattern[str]) -> IsIn:
    def is_in(coding: dict[str, Any]) -> bool:
        code = coding.get("code")
        is_right = coding.get("system") == system and isinstance(code, str)
        return is_right and pattern.fullmatch(code or "") is not None

    return is_in


def _coded(url: str, is_in: IsIn, type_name: str, *, may_be_absent: bool) -> Check:
    """Return the check of a Coding, or of a CodeableConcept, one of whose codings must be in."""

    def check_coding(value: Any, run: Run) -> None:
        if not is_in(value):
            _refuse(url, run)

    def check_concept(value: Any, run: Run) -> None:
        codings = value.get("coding", ())
        if not any(map(is_in, codings)) and (codings or not may_be_absent):
            _refuse(url, run)

    return check_coding if type_name == "Coding" else check_concept
