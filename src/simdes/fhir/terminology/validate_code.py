"""ValueSet/$validate-code and CodeSystem/$validate-code.

https://hl7.org/fhir/R4/valueset-operation-validate-code.html,
https://hl7.org/fhir/R4/codesystem-operation-validate-code.html. ``result`` is true or false only
where what is loaded decides; otherwise the operation fails and names what is missing.
"""

from __future__ import annotations

from typing import Any

from simdes.errors import Invalid, NotFound
from simdes.fhir.codes import UCUM
from simdes.fhir.terminology.expand import named_value_set
from simdes.fhir.terminology.inputs import Inputs, Parameters, answer
from simdes.fhir.terminology.library import Library, known_system
from simdes.fhir.terminology.sets import Code, Sets, ValueSet, Versions
from simdes.fhir.terminology.system import System, is_abstract
from simdes.fhir.terminology.texts import in_language, is_one_of
from simdes.fhir.ucum import is_unit

Coding = dict[str, Any]
Resource = dict[str, Any]

_NOT_IN_SET = "the code is not in the value set"
_NOT_IN_SYSTEM = "the code system has no such code"
_WRONG_DISPLAY = "the display is not one of the code's"
_ABSTRACT = "the code is abstract: it only groups others"


def validate_in_value_set(
    parameters: Parameters, library: Library, *, instance: ValueSet | None = None
) -> Parameters:
    """Return whether a code is in a value set: ``result``, and ``message`` and ``display``."""
    asked = Inputs(parameters)
    value_set = named_value_set(asked, library, instance)
    codings = _codings(asked, "code")
    if "codeableConcept" not in asked and not codings[0].get("system"):
        codings = [{**codings[0], "system": _implied_system(value_set, codings[0], library)}]
    outcomes = [_in_set(value_set, coding, library, asked) for coding in codings]
    return _combined(outcomes, empty=_NOT_IN_SET)


def validate_in_system(
    parameters: Parameters, library: Library, *, instance: Resource | None = None
) -> Parameters:
    """Return whether a code system has a code: ``result``, and ``message`` and ``display``."""
    asked = Inputs(parameters)
    codings = _codings(asked, "code")
    given = instance if instance is not None else asked.resource("codeSystem", "CodeSystem")
    url = asked.text("url")
    if given is None and not url and asked.text("code"):
        raise Invalid("the parameter url must name the code system")
    system = System(given) if given is not None else None
    outcomes = []
    for coding in codings:
        named = coding.get("system") or (system.url if system else url)
        if not named:
            raise Invalid("a coding without a system")
        if (system and named != system.url) or (url and named != url):
            outcomes.append(_Outcome(False, "the coding is of another code system"))
            continue
        if system is None and named == UCUM:
            is_right = is_unit(coding["code"])
            outcomes.append(_Outcome(is_right, "" if is_right else _NOT_IN_SYSTEM))
            continue
        version = coding.get("version") or asked.text("version")
        outcomes.append(_in_system(system or known_system(library, named, version), coding, asked))
    return _combined(outcomes, empty=_NOT_IN_SYSTEM)


class _Outcome:
    """What one coding came to; ``result`` None with what is missing as ``message``."""

    __slots__ = ("display", "message", "result")

    def __init__(self, result: bool | None, message: str = "", display: str = "") -> None:
        self.result, self.message, self.display = result, message, display


def _codings(asked: Inputs, plain: str) -> list[Coding]:
    """Return the codings asked about: one, or those of the CodeableConcept."""
    kind = asked.one_of(plain, "coding", "codeableConcept")
    if kind == plain:
        names = {"system": "system", "systemVersion": "version", "display": "display"}
        found = {member: asked.text(name) for name, member in names.items() if name in asked}
        return [{**found, "code": asked.text(plain)}]
    if kind == "coding":
        coding = asked.object("coding", "Coding") or {}
        if not isinstance(coding.get("code"), str):
            raise Invalid("a coding without a code")
        return [coding]
    concept = asked.object("codeableConcept", "CodeableConcept") or {}
    codings = concept.get("coding", [])
    return [c for c in codings if isinstance(c, dict) and isinstance(c.get("code"), str)]


def _implied_system(value_set: ValueSet, coding: Coding, library: Library) -> str:
    """Return the one code system that a code without system can be of.

    As R4 says, a code alone is enough where the value set is of one code system.
    """
    compose = value_set.get("compose", {})
    systems = {i.get("system") for i in compose.get("include", ())}
    if len(systems) == 1 and None not in systems:
        return str(systems.pop())
    found = {s for s, c in Sets(library).codes(value_set) if c == coding["code"]}
    if len(found) > 1:
        raise Invalid("the code is of several code systems of this value set; name one")
    return found.pop() if found else ""


def _in_set(value_set: ValueSet, coding: Coding, library: Library, asked: Inputs) -> _Outcome:
    system, code = coding.get("system", ""), coding["code"]
    version = coding.get("version")
    versions = Versions(default={system: version}) if system and version else None
    found = Sets(library, versions=versions).contains(value_set, (system, code))
    if found is None:
        return _Outcome(None, f"whether the code is in the value set depends on {system}")
    if not isinstance(found, Code):
        loaded = library.system(system) if system else None
        is_unknown = loaded is not None and loaded.has(code) is False
        return _Outcome(False, _NOT_IN_SYSTEM if is_unknown else _NOT_IN_SET)
    return _judged(
        coding,
        asked,
        display=found.display,
        designations=found.designations,
        is_only_group=found.is_abstract,
    )


def _in_system(system: System, coding: Coding, asked: Inputs) -> _Outcome:
    code = system.code(coding["code"])
    if code is None:
        if system.has(coding["code"]) is None:
            return _Outcome(None, f"only a part of the code system {system.url}")
        return _Outcome(False, _NOT_IN_SYSTEM)
    concept = system.concepts[code]
    return _judged(
        coding,
        asked,
        display=concept.get("display", ""),
        designations=tuple(concept.get("designation", ())),
        is_only_group=is_abstract(concept),
    )


def _judged(
    coding: Coding,
    asked: Inputs,
    *,
    display: str,
    designations: tuple[dict[str, Any], ...],
    is_only_group: bool,
) -> _Outcome:
    """Return the outcome for a code that is there: is it abstract, is its display right."""
    shown = in_language(display, designations, asked.text("displayLanguage"))
    if is_only_group and asked.boolean("abstract") is False:
        return _Outcome(False, _ABSTRACT, shown)
    text = coding.get("display") or ""
    if text and display and not is_one_of(text, display, designations):
        return _Outcome(False, _WRONG_DISPLAY, shown)
    return _Outcome(True, "", shown)


def _combined(outcomes: list[_Outcome], *, empty: str) -> Parameters:
    """Return the answer for all codings: true if any is right; unknown before false."""
    order = {True: 0, None: 1, False: 2}
    best = min(outcomes, key=lambda o: order[o.result], default=_Outcome(False, empty))
    if best.result is None:
        raise NotFound(
            f"{best.message}, which is not loaded here",
            advice="Store the CodeSystem or load a package that has it, then ask again.",
        )
    wrong = [o.message for o in outcomes if o.message] if not best.result else []
    message = "; ".join(dict.fromkeys(wrong or [best.message]))
    return answer(
        [
            {"name": "result", "valueBoolean": best.result},
            {"name": "message", "valueString": message} if message else None,
            {"name": "display", "valueString": best.display} if best.display else None,
        ]
    )
