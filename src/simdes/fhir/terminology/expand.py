"""ValueSet/$expand (https://hl7.org/fhir/R4/valueset-operation-expand.html)."""

from __future__ import annotations

from typing import Any

from simdes.errors import Invalid, TooLarge, Unsupported
from simdes.fhir.terminology.inputs import Inputs, Parameters
from simdes.fhir.terminology.library import Library
from simdes.fhir.terminology.sets import Code, Sets, ValueSet, Versions
from simdes.fhir.terminology.texts import folded, in_language

MOST_LISTED = 10_000
"""The most codes in one answer; more are to be asked for in pages (``offset``, ``count``)."""

_UNCLOSED = {
    "url": "http://hl7.org/fhir/StructureDefinition/valueset-unclosed",
    "valueBoolean": True,
}
"""Marks an expansion that a code system which is only partly loaded may have more codes for."""

_ECHOED = {
    "filter": "valueString",
    "offset": "valueInteger",
    "count": "valueInteger",
    "displayLanguage": "valueCode",
    "activeOnly": "valueBoolean",
    "includeDesignations": "valueBoolean",
    "exclude-system": "valueUri",
    "system-version": "valueUri",
    "check-system-version": "valueUri",
    "force-system-version": "valueUri",
}
"""Inputs that change the expansion, as they are repeated in ``expansion.parameter``."""


def expand(
    parameters: Parameters, library: Library, *, now: str, instance: ValueSet | None = None
) -> ValueSet:
    """Return the value set asked for, expanded; ``now`` is a dateTime, for its timestamp.

    ``instance`` is the value set that the operation was called on, if it was. Raises ``NotFound``
    for a value set or code system that is not loaded, ``TooLarge`` where pages must be asked for.
    """
    asked = Inputs(parameters)
    value_set = named_value_set(asked, library, instance)
    sets = Sets(
        library,
        versions=_versions(asked),
        left_out=frozenset(asked.texts("exclude-system")),
        active_only=asked.boolean("activeOnly") or False,
        may_be_open=True,
    )
    codes = list(sets.codes(value_set).values())
    words = folded(asked.text("filter")).split()
    if words:
        codes = [c for c in codes if _has_words(c, words)]
    offset, count = asked.number("offset") or 0, asked.number("count")
    page = codes[offset:] if count is None else codes[offset : offset + count]
    if len(page) > MOST_LISTED:
        raise TooLarge(
            f"the expansion has {len(page)} codes, more than {MOST_LISTED}",
            advice="Ask for pages with offset and count, or narrow it with filter.",
        )
    expansion: dict[str, Any] = {"extension": [_UNCLOSED]} if sets.is_open else {}
    expansion |= {"timestamp": now, "total": len(codes)}
    if count is not None or offset:
        expansion["offset"] = offset
    expansion["parameter"] = [*_echo(asked), *_used(sets)]
    expansion["contains"] = [_row(c, asked) for c in page]
    kept = {k: v for k, v in value_set.items() if k not in ("expansion", "text", "compose")}
    if asked.boolean("includeDefinition") and "compose" in value_set:
        kept["compose"] = value_set["compose"]
    return {**kept, "expansion": {k: v for k, v in expansion.items() if v != []}}


def named_value_set(asked: Inputs, library: Library, instance: ValueSet | None) -> ValueSet:
    """Return the value set that an operation is about: the instance, ``valueSet`` or ``url``."""
    if instance is not None:
        return instance
    if "context" in asked:
        raise Unsupported("a value set named by a context is not looked up; name it by url")
    if asked.one_of("url", "valueSet") == "url":
        url, version = asked.text("url"), asked.text("valueSetVersion")
        return library.get("ValueSet", f"{url}|{version}" if version and "|" not in url else url)
    found = asked.resource("valueSet", "ValueSet")
    if found is None:
        raise Invalid("the parameter valueSet must hold a ValueSet")
    return found


def _versions(asked: Inputs) -> Versions:
    def by_system(name: str) -> dict[str, str]:
        pairs = [text.partition("|") for text in asked.texts(name)]
        if any(not version for _, _, version in pairs):
            raise Invalid(f"the parameter {name} is a system, a bar and a version")
        return {system: version for system, _, version in pairs}

    names = ("system-version", "check-system-version", "force-system-version")
    return Versions(*map(by_system, names))


def _has_words(code: Code, words: list[str]) -> bool:
    """Whether each word begins a word of the code, its display or one designation."""
    texts = [code.code, code.display, *(str(d.get("value", "")) for d in code.designations)]
    for text in texts:
        here = f" {folded(text)}"
        if all(f" {w}" in here or f"-{w}" in here or f"({w}" in here for w in words):
            return True
    return False


def _echo(asked: Inputs) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, key in _ECHOED.items():
        if name in asked:
            rows += [{"name": name, key: value} for value in _given(asked, name, key)]
    return rows


def _given(asked: Inputs, name: str, key: str) -> list[Any]:
    if key == "valueBoolean":
        return [asked.boolean(name)]
    return [asked.number(name)] if key == "valueInteger" else asked.texts(name)


def _used(sets: Sets) -> list[dict[str, Any]]:
    return [{"name": "version", "valueUri": canonical} for canonical in sets.used]


def _row(code: Code, asked: Inputs) -> dict[str, Any]:
    display = in_language(code.display, code.designations, asked.text("displayLanguage"))
    row: dict[str, Any] = {"system": code.system}
    row |= {"abstract": True} if code.is_abstract else {}
    row |= {"inactive": True} if code.is_inactive else {}
    row |= {"version": code.version} if code.version else {}
    row["code"] = code.code
    row |= {"display": display} if display else {}
    if asked.boolean("includeDesignations") and code.designations:
        row["designation"] = [_designation(d) for d in code.designations]
    return row


def _designation(designation: dict[str, Any]) -> dict[str, Any]:
    return {k: designation[k] for k in ("language", "use", "value") if k in designation}
