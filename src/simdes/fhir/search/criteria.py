"""What one parameter's values ask for: text to a condition on its slots, by kind and modifier.

https://hl7.org/fhir/R4/search.html#ptypes. Several values with commas between them are
alternatives. What each kind does with each modifier stands in `MODIFIERS`; a modifier that isn't
there is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import inf, isfinite, nextafter

from simdes.fhir.codes import UCUM
from simdes.fhir.definitions import resource_types
from simdes.fhir.reference import parse_reference
from simdes.fhir.search.conditions import (
    AnyOf,
    Condition,
    Exists,
    Kind,
    Match,
    NumberTest,
    Prefix,
    QuantityTest,
    ReferenceTest,
    Slot,
    SpanTest,
    Test,
    TextTest,
    Together,
    TokenTest,
    UriTest,
)
from simdes.fhir.search.grammar import MOST_EXPANDED, MOST_VALUES, split, too_many, unescape, wrong
from simdes.fhir.search.near import near
from simdes.fhir.search.parameters import Parameter
from simdes.fhir.search.spans import span_ms
from simdes.fhir.search.values import CASELESS_SYSTEMS, fold, fold_code, phone_digits
from simdes.fhir.units import canonical_unit

Expand = Callable[[str, str], Iterable[tuple[str, str]]]
"""Takes ``in``, ``not-in``, ``above`` or ``below`` and a value set's URL or ``system|code``.

Returns the codings (system, code) that are meant.
"""


@dataclass(frozen=True, slots=True)
class Asking:
    """What values are read with. ``base`` is this server's address with a slash at its end."""

    now_ms: int
    base: str = ""
    expand: Expand | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """A slot, the data types of its values, and what to call it in messages."""

    name: str
    slot: Slot
    datatypes: frozenset[str]


Found = tuple[str, tuple[Test, ...]]
"""What the slot's name is followed by, and the tests of one value there."""
Reader = Callable[[_Place, str, Asking], Found]


def condition(
    parameter: Parameter, *, name: str, modifier: str, text: str, asking: Asking
) -> Condition:
    """Return what ``parameter`` with ``modifier`` asks of resources of its type.

    ``name`` is what the client wrote, for messages. Negation (``:not``, ``:missing``) is left to
    `negates`: this is what is negated. Raises ``Invalid`` for wrong values and modifiers.
    """
    if modifier == "missing":
        return Exists(parameter.slots)
    texts = split(text, ",")
    if len(texts) > MOST_VALUES:
        raise too_many(name, "values", MOST_VALUES)
    if parameter.kind == "composite" and not modifier:
        return _any([_composite(parameter, name, t, asking) for t in texts])
    if parameter.kind == "special" and not modifier:
        return _any(
            [near(parameter.slots, name, [unescape(p) for p in split(t, "|")]) for t in texts]
        )
    reader = MODIFIERS.get((parameter.kind, modifier))
    if reader is None and parameter.kind == "reference" and modifier in resource_types():
        reader = _reference_to(modifier)
    if reader is None:
        raise wrong(name, "this modifier is not known or does not go with this kind of parameter")
    place = _Place(name, parameter.slot, parameter.datatypes)
    return _gathered(parameter.slot, [reader(place, t, asking) for t in texts])


def modifiers(kind: str) -> tuple[str, ...]:
    """Return the modifiers that go with a kind of parameter; ``:[type]`` of references beside."""
    return ("missing", *(m for k, m in MODIFIERS if k == kind and m))


def negates(modifier: str, text: str, *, name: str) -> bool:
    """Return whether ``modifier`` asks for resources that don't meet the `condition`."""
    if modifier == "missing":
        if text not in ("true", "false"):
            raise wrong(name, "true or false is needed")
        return text == "true"
    return modifier in ("not", "not-in")


def _gathered(slot: Slot, found: Sequence[Found]) -> Condition:
    """Return the alternatives, those of one slot in one match."""
    by_suffix: dict[str, list[Test]] = {}
    for suffix, tests in found:
        by_suffix.setdefault(suffix, []).extend(tests)
    return _any(
        [
            Match(
                Slot(slot.name + suffix, _KINDS.get(suffix, slot.kind)), tuple(dict.fromkeys(tests))
            )
            for suffix, tests in by_suffix.items()
        ]
    )


_KINDS = {":text": Kind.STRING, ":identifier": Kind.TOKEN, ":of-type": Kind.TOKEN}


def _any(of: list[Condition]) -> Condition:
    return of[0] if len(of) == 1 else AnyOf(tuple(of))


def _composite(parameter: Parameter, name: str, text: str, asking: Asking) -> Condition:
    texts = split(text, "$")
    if len(texts) != len(parameter.components):
        raise wrong(name, f"{len(parameter.components)} values with $ between them are needed")
    matches = []
    for component, part in zip(parameter.components, texts, strict=True):
        slot = component.slot
        place = _Place(name, slot, frozenset(w.type for w in component.walks))
        suffix, tests = MODIFIERS[slot.kind.value, ""](place, part, asking)
        matches.append(Match(Slot(slot.name + suffix, slot.kind), tests))
    return Together(tuple(matches))


# Tokens -----------------------------------------------------------------------------------------


def _token(place: _Place, text: str, asking: Asking) -> Found:
    system, code = _coding(place, text)
    if place.datatypes <= _TRUTHS and code not in ("true", "false"):
        raise wrong(place.name, "true or false is needed")
    return "", _token_tests(place, system, code)


def _coding(place: _Place, text: str) -> tuple[str | None, str | None]:
    """Return the system and the code of ``system|code``; None is any."""
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) > 2 or not any(parts):
        raise wrong(place.name, "a code, system|code, |code or system| is needed")
    if len(parts) == 1:
        return None, parts[0]
    return parts[0], parts[1] or None


_TRUTHS = frozenset({"boolean", "deceased"})
_CASELESS = frozenset({"ContactPoint", "string"})


def _token_tests(place: _Place, system: str | None, code: str | None) -> tuple[Test, ...]:
    if code is None:
        return (TokenTest(system, None),)
    if place.datatypes <= _CASELESS:
        folded = fold_code(code)
        digits = phone_digits(folded) if "ContactPoint" in place.datatypes else ""
        return tuple(TokenTest(system, c) for c in dict.fromkeys((folded, digits)) if c)
    if system is not None and system.startswith(CASELESS_SYSTEMS):
        code = code.lower()
    return (TokenTest(system, code),)


def _token_text(place: _Place, text: str, asking: Asking) -> Found:
    return ":text", (TextTest(fold(_needed(place, text)), "contains"),)


def _of_type(place: _Place, text: str, asking: Asking) -> Found:
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) != 3 or not all(parts):
        raise wrong(place.name, "system|code|value is needed")
    return ":of-type", (TokenTest(f"{parts[0]}|{parts[1]}", parts[2]),)


def _expanded(how: str) -> Reader:
    def read(place: _Place, text: str, asking: Asking) -> Found:
        if asking.expand is None:
            raise wrong(place.name, "no terminology is at hand for this modifier")
        codings = list(asking.expand(how, _needed(place, text)))
        if len(codings) > MOST_EXPANDED:
            raise too_many(place.name, "codes", MOST_EXPANDED)
        tests = [t for system, code in codings for t in _token_tests(place, system, code)]
        return "", tuple(tests)

    return read


def _needed(place: _Place, text: str) -> str:
    if not text.strip():
        raise wrong(place.name, "a value is needed")
    return unescape(text)


# Strings and URIs -------------------------------------------------------------------------------


def _string(place: _Place, text: str, asking: Asking) -> Found:
    return "", (TextTest(fold(_needed(place, text))),)


def _string_containing(place: _Place, text: str, asking: Asking) -> Found:
    return "", (TextTest(fold(_needed(place, text)), "contains"),)


def _string_exact(place: _Place, text: str, asking: Asking) -> Found:
    return "", (TextTest(_needed(place, text), "exact"),)


def _uri(place: _Place, text: str, asking: Asking) -> Found:
    return "", (UriTest(_needed(place, text)),)


def _uri_below(place: _Place, text: str, asking: Asking) -> Found:
    return "", (UriTest(_needed(place, text), "below"),)


def _uri_above(place: _Place, text: str, asking: Asking) -> Found:
    return "", (UriTest(_needed(place, text), "above"),)


# References -------------------------------------------------------------------------------------

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def _reference(place: _Place, text: str, asking: Asking) -> Found:
    value = _needed(place, text)
    if asking.base and value.startswith(asking.base):
        value = value[len(asking.base) :]
    if _ID.fullmatch(value):
        return "", (ReferenceTest("", value),)
    literal = parse_reference(value)
    if literal.kind == "relative":
        return "", (ReferenceTest(literal.type, literal.id, literal.version),)
    if literal.kind == "absolute":
        return "", (ReferenceTest("", literal.versionless, literal.version),)
    if literal.kind in ("urn", "other"):
        target, _, version = value.partition("|")
        return "", (ReferenceTest("", target, version),)
    raise wrong(place.name, "an id, Type/id or a URL is needed")


def _reference_to(type_: str) -> Reader:
    def read(place: _Place, text: str, asking: Asking) -> Found:
        _, tests = _reference(place, text, asking)
        (test,) = tests
        if not isinstance(test, ReferenceTest) or test.type not in ("", type_):
            raise wrong(place.name, "the reference is to another type than the modifier's")
        if test.type or "/" in test.target or ":" in test.target:
            return "", tests
        return "", (ReferenceTest(type_, test.target, test.version),)

    return read


def _reference_identifier(place: _Place, text: str, asking: Asking) -> Found:
    return ":identifier", (TokenTest(*_coding(place, text)),)


# Dates, numbers and quantities ------------------------------------------------------------------

_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)
_NUMBER = re.compile(r"([+-]?)(\d{1,30})(?:\.(\d{0,30}))?(?:[eE]([+-]?\d{1,3}))?", re.ASCII)
_TENTH = Decimal("0.1")


def _prefixed(text: str) -> tuple[Prefix, str]:
    match = _PREFIX.fullmatch(text.strip())
    prefix: Prefix = match[1] or "eq"  # type: ignore[index,assignment]
    return prefix, match[2] if match else ""


def span_test(name: str, text: str, now_ms: int) -> SpanTest:
    """Return the test of a date with its prefix; ``ap`` adds a tenth of its distance to now."""
    prefix, written = _prefixed(text)
    # A + in a query means a space to who decodes it; before a time zone it can't be one.
    try:
        low, high = span_ms(written.replace(" ", "+") if "T" in written else written)
    except ValueError:
        raise wrong(name, "a date is needed, such as ge2024-01-31") from None
    if prefix == "ap":
        margin = abs(now_ms - (low + high) // 2) // 10
        low, high = low - margin, high + margin
    return SpanTest(prefix, low, high)


def _date(place: _Place, text: str, asking: Asking) -> Found:
    return "", (span_test(place.name, text, asking.now_ms),)


def _number_test(place: _Place, text: str, *, convert: Callable[[Decimal], float]) -> NumberTest:
    """Return the test of a number with its prefix and the range that its digits stand for.

    100 is 99.5 to 100.5, 100.00 is 99.995 to 100.005. Of 1e2 the standard says 95 to 105, so with
    an exponent a whole number counts one digit more than it shows. ``ap`` is within a tenth.
    """
    prefix, written = _prefixed(text)
    match = _NUMBER.fullmatch(written)
    if match is None:
        raise wrong(place.name, "a number is needed, such as gt5.4")
    value = Decimal(written)
    digits = len(match[3] or "")
    if match[4] is not None and not digits:
        digits = 1
    margin = Decimal(5).scaleb(int(match[4] or 0) - digits - 1)
    if prefix == "ap":
        margin = max(abs(value) * _TENTH, margin)
    point = convert(value)
    if not isfinite(point):
        raise wrong(place.name, "the number is too large")
    low, high = convert(value - margin), convert(value + margin)
    # Beyond a float's digits the range would be empty.
    return NumberTest(prefix, point, min(low, point), max(high, nextafter(point, inf)))


def _number(place: _Place, text: str, asking: Asking) -> Found:
    return "", (_number_test(place, text, convert=float),)


def _quantity(place: _Place, text: str, asking: Asking) -> Found:
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) not in (1, 3):
        raise wrong(place.name, "number, number|system|code or number||code is needed")
    number, system, code = parts if len(parts) == 3 else (parts[0], "", "")
    unit = canonical_unit(code) if system == UCUM and code else None
    if unit is not None:
        test = _number_test(place, number, convert=unit.convert)
        return ":canonical", (QuantityTest(test, UCUM, unit.code),)
    test = _number_test(place, number, convert=float)
    return "", (QuantityTest(test, system or None, code or None),)


MODIFIERS: Mapping[tuple[str, str], Reader] = {
    ("date", ""): _date,
    ("number", ""): _number,
    ("quantity", ""): _quantity,
    ("reference", ""): _reference,
    ("reference", "identifier"): _reference_identifier,
    ("string", ""): _string,
    ("string", "contains"): _string_containing,
    ("string", "exact"): _string_exact,
    ("token", ""): _token,
    ("token", "above"): _expanded("above"),
    ("token", "below"): _expanded("below"),
    ("token", "in"): _expanded("in"),
    ("token", "not"): _token,
    ("token", "not-in"): _expanded("not-in"),
    ("token", "of-type"): _of_type,
    ("token", "text"): _token_text,
    ("uri", ""): _uri,
    ("uri", "above"): _uri_above,
    ("uri", "below"): _uri_below,
}
"""By kind and modifier: how a value is read. ``:missing`` and ``:[type]`` are apart."""
