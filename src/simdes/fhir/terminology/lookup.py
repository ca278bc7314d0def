"""CodeSystem/$lookup and CodeSystem/$subsumes.

https://hl7.org/fhir/R4/codesystem-operation-lookup.html,
https://hl7.org/fhir/R4/codesystem-operation-subsumes.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simdes.errors import Invalid, NotFound
from simdes.fhir.terminology.inputs import Inputs, Parameters, answer
from simdes.fhir.terminology.library import Library, known_system
from simdes.fhir.terminology.system import Concept, System, is_inactive
from simdes.fhir.terminology.texts import in_language

Resource = dict[str, Any]
Row = dict[str, Any]

_VALUES = ("Code", "Coding", "String", "Integer", "Boolean", "DateTime", "Decimal")


def lookup(
    parameters: Parameters, library: Library, *, instance: Resource | None = None
) -> Parameters:
    """Return what is known about a code: display, designations, properties.

    Without ``property`` all of them, else those named. Raises ``NotFound`` for a code system that
    is not loaded and for a code that it does not have.
    """
    asked = Inputs(parameters)
    coding = _coding(asked, "code", "coding")
    system = _system(coding, asked, library, instance)
    code = system.code(coding["code"])
    if code is None:
        raise NotFound(f"the code system {system.url} has no such code")
    concept = system.concepts[code]
    wanted = frozenset(asked.texts("property"))
    display = in_language(
        concept.get("display", ""), concept.get("designation", ()), asked.text("displayLanguage")
    )
    name = system.resource.get("title") or system.resource.get("name") or system.url
    rows: list[Row | None] = [
        {"name": "name", "valueString": name},
        {"name": "version", "valueString": system.version} if system.version else None,
        {"name": "display", "valueString": display or code},
    ]
    if not wanted or "designation" in wanted:
        rows += [_designation(d) for d in concept.get("designation", ())]
    languages = {w.removeprefix("lang.") for w in wanted if w.startswith("lang.")}
    if languages:
        designations = concept.get("designation", ())
        rows += [_designation(d) for d in designations if d.get("language") in languages]
    found = (p for p in _properties(system, concept) if not wanted or p.code in wanted)
    return answer([*rows, *(p.parameter() for p in found)])


def subsumes(
    parameters: Parameters, library: Library, *, instance: Resource | None = None
) -> Parameters:
    """Return how two codes of one system relate: ``equivalent``, ``subsumes``, ...

    ``outcome`` says how A relates to B. Raises ``NotFound`` where a code or the system is not
    known, ``Unsupported`` where the hierarchy of the system is no subsumption.
    """
    asked = Inputs(parameters)
    first, second = _coding(asked, "codeA", "codingA"), _coding(asked, "codeB", "codingB")
    system = _system(first, asked, library, instance)
    if second.get("system", system.url) != system.url:
        raise Invalid("both codes must be of one code system")
    codes = [system.code(c["code"]) for c in (first, second)]
    one, other = codes
    if one is None or other is None:
        raise NotFound(f"the code system {system.url} has no such code")
    if one == other:
        outcome = "equivalent"
    elif other in system.below(one):
        outcome = "subsumes"
    else:
        outcome = "subsumed-by" if one in system.below(other) else "not-subsumed"
    return answer([{"name": "outcome", "valueCode": outcome}])


def _coding(asked: Inputs, plain: str, full: str) -> dict[str, Any]:
    """Return the one coding asked about, given as a code or as a Coding."""
    if asked.one_of(plain, full) == plain:
        return {"code": asked.text(plain)}
    coding = asked.object(full, "Coding") or {}
    if not isinstance(coding.get("code"), str):
        raise Invalid("a coding without a code")
    return coding


def _system(
    coding: dict[str, Any], asked: Inputs, library: Library, instance: Resource | None
) -> System:
    named = coding.get("system") or asked.text("system")
    if instance is not None:
        system = System(instance)
        if named and named != system.url:
            raise Invalid("the code is of another code system")
        return system
    if not named:
        raise Invalid("the parameter system must name the code system")
    return known_system(library, named, coding.get("version") or asked.text("version"))


class _Property:
    """A property of a concept, ready to become a parameter."""

    __slots__ = ("code", "description", "key", "value")

    def __init__(self, code: str, key: str, value: Any, description: str = "") -> None:
        self.code, self.key, self.value, self.description = code, key, value, description

    def parameter(self) -> Row:
        parts = [{"name": "code", "valueCode": self.code}, {"name": "value", self.key: self.value}]
        if self.description:
            parts.append({"name": "description", "valueString": self.description})
        return {"name": "property", "part": parts}


def _properties(system: System, concept: Concept) -> Iterator[_Property]:
    code = concept["code"]
    if concept.get("definition"):
        yield _Property("definition", "valueString", concept["definition"])
    for name, others in (("parent", system.parents(code)), ("child", system.children(code))):
        for other in others:
            described = system.concepts.get(other, {}).get("display", "")
            yield _Property(name, "valueCode", other, described)
    yield _Property("inactive", "valueBoolean", is_inactive(concept))
    for row in concept.get("property", ()):
        key = next((f"value{v}" for v in _VALUES if f"value{v}" in row), None)
        if key and row.get("code") not in ("parent", "child", "inactive"):
            yield _Property(row["code"], key, row[key])


def _designation(designation: dict[str, Any]) -> Row:
    keys = (("language", "valueCode"), ("use", "valueCoding"), ("value", "valueString"))
    parts = [{"name": n, key: designation[n]} for n, key in keys if n in designation]
    return {"name": "designation", "part": parts}
