"""A search as a client writes it, to the `Query` that everybody else works with.

https://hl7.org/fhir/R4/search.html: parameters that are repeated hold together, values with commas
between them are alternatives. A search of several types finds those of each that meet it; its
parameters have to be ones that every one of the types has.

Unknown parameters are errors, or with ``lenient`` (https://hl7.org/fhir/R4/search.html#errors,
``Prefer: handling=lenient``) passed over and listed in `Query.unknown`. A known parameter with a
wrong value is always an error, and so is a modifier that isn't supported, which the standard says
a server SHALL reject: to pass them over would return what was not asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from simdes.errors import Invalid
from simdes.fhir.definitions import resource_types
from simdes.fhir.search import results
from simdes.fhir.search.conditions import (
    All,
    AnyOf,
    Chain,
    Condition,
    Has,
    Ids,
    Listed,
    Match,
    Not,
    Query,
    ReferenceTest,
    Updated,
)
from simdes.fhir.search.criteria import Asking, Expand, condition, negates, span_test
from simdes.fhir.search.grammar import (
    LONGEST_NAME,
    LONGEST_VALUE,
    MOST_PARAMETERS,
    MOST_STEPS,
    MOST_VALUES,
    split,
    too_many,
    unescape,
    wrong,
)
from simdes.fhir.search.parameters import Parameter, compartments, parameter

Pairs = Iterable[tuple[str, str]]
Types = tuple[str, ...]

IGNORED = frozenset({"_format", "_pretty"})
"""Parameters of every request (https://hl7.org/fhir/R4/http.html#parameters), not of a search."""

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def parse(
    types: Sequence[str],
    pairs: Pairs,
    *,
    now_ms: int,
    lenient: bool = False,
    expand: Expand | None = None,
    base: str = "",
) -> Query:
    """Return the search for resources of ``types`` (none: of all) that ``pairs`` ask for.

    ``pairs`` are the decoded parameters in the order of the request; ``base`` is this server's
    address with a slash at its end, references under which are the same as relative ones;
    ``expand`` finds the codes of ``:in``, ``:not-in``, ``:above`` and ``:below``.

    Raises ``Invalid`` (``TooLarge`` beyond a limit) with the parameter's name and never its value.
    """
    asked = _within_limits(pairs)
    kept = _types(tuple(types), [text for name, text in asked if name == "_type"])
    asking = Asking(now_ms, base, expand)
    conditions: list[Condition] = []
    shaping: list[tuple[str, str]] = []
    used: list[tuple[str, str]] = []
    unknown: list[str] = []
    for name, text in asked:
        try:
            if name.partition(":")[0] in (*results.ONCE, *results.INCLUDES):
                results.read(kept, [(name, text)])  # whether it is good on its own
                shaping.append((name, text))
            elif name != "_type":
                conditions.append(criterion(kept, name, text, asking))
        except UnknownParameter as error:
            if not lenient:
                raise Invalid(error.message, advice=error.advice) from None
            unknown.append(name)
        else:
            used.append((name, text))
    return Query(
        types=kept,
        where=conditions[0] if len(conditions) == 1 else All(tuple(conditions)),
        unknown=tuple(unknown),
        used=tuple(used),
        **results.read(kept, shaping),
    )


class UnknownParameter(Invalid):
    """A parameter that isn't known here, which a lenient search passes over."""


def in_compartment(compartment: str, id_: str, type_: str) -> Condition:
    """Return the condition of resources of ``type_`` in the compartment ``compartment``/``id_``.

    https://hl7.org/fhir/R4/compartmentdefinition.html: what refers to the patient, encounter, ...
    by one of the compartment's parameters, and that resource itself. Of a type that the
    compartment has nothing of: `AnyOf` nothing. Raises ``Invalid`` if there is no such compartment.
    """
    rows = compartments().get(compartment)
    if rows is None:
        raise Invalid("there is no such compartment in FHIR R4")
    test = ReferenceTest(compartment, id_)
    found: list[Condition] = [Ids((id_,))] if type_ == compartment else []
    for code in rows.get(type_, ()):
        known = parameter(type_, code)
        if known is not None:
            found.append(Match(known.slot, (test,)))
    return found[0] if len(found) == 1 else AnyOf(tuple(found))


def _within_limits(pairs: Pairs) -> list[tuple[str, str]]:
    asked = [(name, text) for name, text in pairs if name not in IGNORED]
    if len(asked) > MOST_PARAMETERS:
        raise too_many("", "parameters", MOST_PARAMETERS)
    for name, text in asked:
        if len(name) > LONGEST_NAME or len(text) > LONGEST_VALUE:
            raise too_many(name, "characters", LONGEST_VALUE)
    return asked


def _types(types: Types, texts: list[str]) -> Types:
    for text in texts:
        named = tuple(dict.fromkeys(text.split(",")))
        if not set(named) <= resource_types():
            raise wrong("_type", "names of resource types with commas between them are needed")
        types = tuple(t for t in types if t in named) if types else named
        if not types:
            raise wrong("_type", "none of these types is searched here")
    return types


# Criteria ---------------------------------------------------------------------------------------


def criterion(types: Types, name: str, text: str, asking: Asking, step: int = 1) -> Condition:
    """Return what the parameter ``name`` with the value ``text`` asks of resources of ``types``.

    ``step`` counts how far along chains and ``_has`` this is.
    """
    if step > MOST_STEPS:
        raise too_many(name, "steps from one resource to another", MOST_STEPS)
    if name.startswith("_has:"):
        return _has(types, name, text, asking, step)
    head, dot, rest = name.partition(".")
    code, _, modifier = head.partition(":")
    if dot:
        return _chain(types, code, modifier, rest, text, asking, step)
    if not text and modifier != "missing":
        raise wrong(name, "a value is needed")
    if code in _OF_THE_ENTRY:
        return _of_the_entry(name, code, modifier, text, asking)
    found = _parameters(types, name, code)
    asked = [condition(p, name=name, modifier=modifier, text=text, asking=asking) for p in found]
    asked = list(dict.fromkeys(asked))
    whole = asked[0] if len(asked) == 1 else AnyOf(tuple(asked))
    return Not(whole) if negates(modifier, text, name=name) else whole


def _parameters(types: Types, name: str, code: str) -> list[Parameter]:
    """Return the parameter ``code`` of each type; raises `UnknownParameter` if one has none."""
    found = [parameter(type_, code) for type_ in types or ("Resource",)]
    known = [p for p in found if p is not None and p.walks]
    if len(known) < len(found) or not known:
        message = wrong(name, "is not known here, or not for all of the types searched").message
        raise UnknownParameter(message, advice="See the server's CapabilityStatement.")
    return known


def _of_the_entry(name: str, code: str, modifier: str, text: str, asking: Asking) -> Condition:
    if modifier not in ("", "not") or (modifier and code != "_id"):
        raise wrong(name, "this parameter does not take this modifier")
    texts = [unescape(t) for t in split(text, ",")]
    if len(texts) > MOST_VALUES:
        raise too_many(name, "values", MOST_VALUES)
    if code == "_lastUpdated":
        return Updated(tuple(span_test(name, t, asking.now_ms) for t in texts))
    if not all(map(_ID.fullmatch, texts)):
        raise wrong(name, "an id is needed: letters, digits, - and . (at most 64)")
    if code == "_list":
        lists = [Listed(t) for t in texts]
        return lists[0] if len(lists) == 1 else AnyOf(tuple(lists))
    ids = Ids(tuple(dict.fromkeys(texts)))
    return Not(ids) if modifier == "not" else ids


_OF_THE_ENTRY = frozenset({"_id", "_lastUpdated", "_list"})
"""Parameters of which the values aren't in the resource but belong to who keeps it."""


# Chains -----------------------------------------------------------------------------------------


def _chain(
    types: Types, code: str, target: str, rest: str, text: str, asking: Asking, step: int
) -> Condition:
    name = f"{code}.{rest}"
    found = _parameters(types, name, code)
    if any(p.kind != "reference" for p in found) or (target and target not in resource_types()):
        raise wrong(name, "only a reference can be followed, to a type that R4 has")
    asked: list[Condition] = []
    for reference in found:
        targets = (target,) if target else reference.targets
        if not targets:
            raise wrong(name, "can lead to any type; name one, as in subject:Patient.name")
        meant = tuple(t for t in targets if _has_criterion(t, rest))
        if target and reference.targets and target not in reference.targets:
            raise wrong(name, "the reference does not lead to this type")
        if not meant:
            raise UnknownParameter(wrong(name, "no type it leads to has this parameter").message)
        where = criterion(meant, rest, text, asking, step + 1)
        asked.append(Chain(reference.slot, meant, where))
    return asked[0] if len(asked) == 1 else AnyOf(tuple(asked))


def _has_criterion(type_: str, name: str) -> bool:
    """Whether a resource of ``type_`` can be asked about ``name``, a chain or not."""
    code = name.partition(".")[0].partition(":")[0]
    if code == "_has":
        _, _, rest = name.partition(":")
        source, _, rest = rest.partition(":")
        reference = parameter(source, rest.partition(":")[0])
        return reference is not None and (not reference.targets or type_ in reference.targets)
    found = parameter(type_, code)
    return code in _OF_THE_ENTRY or (found is not None and bool(found.walks))


def _has(types: Types, name: str, text: str, asking: Asking, step: int) -> Condition:
    parts = name.split(":", 3)
    if len(parts) < 4 or parts[1] not in resource_types() or not parts[3]:
        raise wrong(name, "_has:Type:reference:parameter is needed")
    _, source, code, rest = parts
    reference = parameter(source, code)
    if reference is None or reference.kind != "reference":
        raise UnknownParameter(wrong(name, "the type has no such reference parameter").message)
    if types and reference.targets and not set(types) & set(reference.targets):
        raise wrong(name, "the reference does not lead to a type that is searched")
    return Has(source, reference.slot, criterion((source,), rest, text, asking, step + 1))
