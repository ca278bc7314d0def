"""ConceptMap/$translate (https://hl7.org/fhir/R4/conceptmap-operation-translate.html)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simdes.errors import Invalid, NotFound, TooLarge
from simdes.fhir.terminology.inputs import Inputs, Parameters, answer
from simdes.fhir.terminology.library import Library

Coding = dict[str, Any]
ConceptMap = dict[str, Any]

_DEEPEST = 10
_NO_TRANSLATION = frozenset({"unmatched", "disjoint"})
_TURNED = {
    "wider": "narrower",
    "narrower": "wider",
    "subsumes": "specializes",
    "specializes": "subsumes",
}
"""How the target relates to the source, read from the target; the others are symmetric."""


@dataclass(frozen=True, slots=True)
class _Match:
    equivalence: str
    concept: Coding
    source: str
    products: tuple[dict[str, Any], ...] = ()

    def parameter(self) -> dict[str, Any]:
        parts: list[dict[str, Any]] = [{"name": "equivalence", "valueCode": self.equivalence}]
        if self.concept:
            parts.append({"name": "concept", "valueCoding": self.concept})
        parts += [_product(p) for p in self.products]
        if self.source:
            parts.append({"name": "source", "valueUri": self.source})
        return {"name": "match", "part": parts}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be translated, and to what."""

    codings: tuple[Coding, ...]
    target_system: str
    is_reverse: bool
    dependencies: tuple[tuple[str, str], ...]
    """Pairs of property and code, as far as the client said what the translation depends on."""


def translate(
    parameters: Parameters, library: Library, *, instance: ConceptMap | None = None
) -> Parameters:
    """Return the translations of a code: ``result``, ``message`` and each ``match``.

    By the map named (``instance``, ``conceptMap`` or ``url``), else by every map loaded whose
    source and target fit. Raises ``NotFound`` if no map fits: then nothing is known.
    """
    inputs = Inputs(parameters)
    asked = _asked(inputs)
    maps = list(_maps(inputs, library, instance, asked))
    if not maps:
        raise NotFound("no concept map is loaded here that translates from and to what was named")
    found: dict[str, _Match] = {}
    for one in maps:
        for coding in asked.codings:
            for match in _matches(one, coding, asked, library, 0):
                found.setdefault(repr(match), match)
    matches = list(found.values())
    result = any(m.equivalence not in _NO_TRANSLATION for m in matches)
    message = None if result else {"name": "message", "valueString": "no translation is known"}
    return answer(
        [
            {"name": "result", "valueBoolean": result},
            message,
            *(m.parameter() for m in matches),
        ]
    )


def _asked(inputs: Inputs) -> _Asked:
    kind = inputs.one_of("code", "coding", "codeableConcept")
    if kind == "code":
        if not inputs.text("system"):
            raise Invalid("the parameter system must name the code system")
        codings = [{"system": inputs.text("system"), "code": inputs.text("code")}]
        if inputs.text("version"):
            codings[0]["version"] = inputs.text("version")
    elif kind == "coding":
        codings = [inputs.object("coding", "Coding") or {}]
    else:
        codings = (inputs.object("codeableConcept", "CodeableConcept") or {}).get("coding", [])
    known = tuple(c for c in codings if isinstance(c, dict) and "code" in c)
    if not known:
        raise Invalid("there is no code to translate")
    return _Asked(
        codings=known,
        target_system=inputs.text("targetsystem"),
        is_reverse=inputs.boolean("reverse") or False,
        dependencies=tuple(_dependencies(inputs)),
    )


def _dependencies(inputs: Inputs) -> Iterator[tuple[str, str]]:
    for part in inputs.parts("dependency"):
        concept = part.object("concept", "CodeableConcept") or {}
        for coding in concept.get("coding", ()):
            yield part.text("element"), str(coding.get("code", ""))
        if "text" in concept:
            yield part.text("element"), str(concept["text"])


def _maps(
    inputs: Inputs, library: Library, instance: ConceptMap | None, asked: _Asked
) -> Iterator[ConceptMap]:
    if instance is not None:
        yield instance
        return
    given = inputs.resource("conceptMap", "ConceptMap")
    if given is not None:
        yield given
        return
    url, version = inputs.text("url"), inputs.text("conceptMapVersion")
    if url:
        name = f"{url}|{version}" if version and "|" not in url else url
        yield library.get("ConceptMap", name)
        return
    source, target = inputs.text("source"), inputs.text("target")
    for one in library.concept_maps():
        ends = [_end(one, "source"), _end(one, "target")]
        if asked.is_reverse:
            ends.reverse()
        fits = all(
            not named or named == end for named, end in zip((source, target), ends, strict=True)
        )
        if fits and any(_fits(g, c, asked) for g in _groups(one) for c in asked.codings):
            yield one


def _end(one: ConceptMap, name: str) -> str:
    return str(one.get(f"{name}Uri") or one.get(f"{name}Canonical") or "").partition("|")[0]


def _groups(one: ConceptMap) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = one.get("group", [])
    return groups


def _fits(group: dict[str, Any], coding: Coding, asked: _Asked) -> bool:
    """Whether the group is about the coding's system and leads to the system asked for."""
    ends = ["source", "target"]
    if asked.is_reverse:
        ends.reverse()
    origin, goal = group.get(ends[0]), group.get(ends[1])
    named = coding.get("system")
    if named is not None and origin is not None and named != origin:
        return False
    return not asked.target_system or goal == asked.target_system


def _matches(
    one: ConceptMap, coding: Coding, asked: _Asked, library: Library, depth: int
) -> Iterator[_Match]:
    if depth > _DEEPEST:
        raise TooLarge("concept maps refer to each other too often")
    for group in _groups(one):
        if not _fits(group, coding, asked):
            continue
        if asked.is_reverse:
            yield from _backward(one, group, coding, asked)
            continue
        elements = [e for e in group.get("element", ()) if e.get("code") == coding["code"]]
        for element in elements:
            yield from _forward(one, group, element, asked)
        if not elements:
            yield from _unmapped(group, coding, asked, library, depth, source=one.get("url", ""))


def _forward(
    one: ConceptMap, group: dict[str, Any], element: dict[str, Any], asked: _Asked
) -> Iterator[_Match]:
    for target in element.get("target", ()):
        if _depends_rightly(target, asked):
            concept = _coding(group, "target", target)
            products = tuple(target.get("product", ()))
            yield _Match(target["equivalence"], concept, one.get("url", ""), products)


def _backward(
    one: ConceptMap, group: dict[str, Any], coding: Coding, asked: _Asked
) -> Iterator[_Match]:
    for element in group.get("element", ()):
        for target in element.get("target", ()):
            if target.get("code") == coding["code"] and _depends_rightly(target, asked):
                equivalence = target["equivalence"]
                concept = _coding(group, "source", element)
                yield _Match(_TURNED.get(equivalence, equivalence), concept, one.get("url", ""))


def _depends_rightly(target: dict[str, Any], asked: _Asked) -> bool:
    """Whether all that the mapping depends on was said to be so."""
    return all(
        (row.get("property", ""), row.get("value", "")) in asked.dependencies
        for row in target.get("dependsOn", ())
    )


def _unmapped(
    group: dict[str, Any],
    coding: Coding,
    asked: _Asked,
    library: Library,
    depth: int,
    *,
    source: str,
) -> Iterator[_Match]:
    """Yield what the group says about codes it has no element for."""
    rule = group.get("unmapped", {})
    mode = rule.get("mode")
    if mode == "provided":
        yield _Match("equal", _coding(group, "target", coding), source)
    elif mode == "fixed":
        yield _Match("inexact", _coding(group, "target", rule), source)
    elif mode == "other-map":
        other = library.get("ConceptMap", rule["url"])
        yield from _matches(other, coding, asked, library, depth + 1)


def _coding(group: dict[str, Any], end: str, row: dict[str, Any]) -> Coding:
    if "code" not in row:
        return {}
    found = {"system": group.get(end), "version": group.get(f"{end}Version")}
    found |= {"code": row["code"], "display": row.get("display")}
    return {k: v for k, v in found.items() if v is not None}


def _product(product: dict[str, Any]) -> dict[str, Any]:
    coding = {"system": product.get("system"), "code": product.get("value")}
    coding |= {"display": product.get("display")}
    concept = {k: v for k, v in coding.items() if v is not None}
    return {
        "name": "product",
        "part": [
            {"name": "element", "valueUri": product.get("property", "")},
            {"name": "concept", "valueCoding": concept},
        ],
    }
