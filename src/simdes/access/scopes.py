"""SMART scopes as values: what an app asks for, was allowed, and may narrow it to.

Versions 1 and 2 of http://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html:
``patient/Observation.read`` and ``patient/Observation.rs?category=laboratory`` name resources,
``launch/patient`` asks for context, ``openid fhirUser offline_access`` for identity and lasting
access. Pure. What is not understood is told apart and never guessed at: a server may grant less
than was asked (RFC 6749 §3.3), so a scope that means nothing here is not granted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal
from urllib.parse import quote, unquote_plus

from simdes.access.categories import CATEGORY_OF_TYPE
from simdes.errors import Invalid

Context = Literal["patient", "user", "system"]
Pair = tuple[str, str]

INTERACTIONS: Final = "cruds"
"""Create, read, update, delete, search: the letters of version 2, in their only order."""
EVERY_TYPE: Final = "*"
MAX_CHARACTERS: Final = 8_192
MAX_SCOPES: Final = 256
_MAX_PAIRS: Final = 8

LAUNCH: Final = ("launch", "launch/patient", "launch/encounter")
IDENTITY: Final = ("openid", "fhirUser", "profile")
LASTING: Final = ("offline_access", "online_access")
NAMES: Final = frozenset((*LAUNCH, *IDENTITY, *LASTING))
"""Scopes that are a name and nothing else."""

_OF_VERSION_1: Final = {"read": "rs", "write": "cud", "*": INTERACTIONS}
_CONTEXTS: Final[dict[str, Context]] = {"patient": "patient", "user": "user", "system": "system"}
_FORM = re.compile(
    r"(patient|user|system)/(\*|[A-Za-z]{1,64})\.(read|write|\*|[a-z]{1,5})(?:\?(.+))?", re.DOTALL
)
# RFC 6749 §3.3: a scope-token is printable ASCII without blank, quote and backslash.
_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_PARAMETER = re.compile(r"(?!_has\b)_?[A-Za-z][A-Za-z0-9-]*(:[a-z-]+)?")
_NO_CONDITION: Final = frozenset(
    {
        *("_include", "_revinclude", "_sort", "_count", "_total", "_summary", "_elements"),
        *("_format", "_contained", "_containedType", "_score", "_pretty", "_query", "_filter"),
        *("_offset", "_page"),
    }
)


@dataclass(frozen=True, slots=True)
class ResourceScope:
    """Interactions with resources of one type (or `EVERY_TYPE`) that meet every constraint.

    ``constraint`` are search parameters and values, decoded. ``text`` is how it was written.
    """

    context: Context
    type: str
    interactions: frozenset[str]
    constraint: tuple[Pair, ...] = ()
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Scopes:
    """A parsed scope string. ``names`` are those of `NAMES`, ``unknown`` is what means nothing."""

    resources: tuple[ResourceScope, ...] = ()
    names: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What is understood, as a scope string; names first, each once."""
        names = [name for name in (*LAUNCH, *IDENTITY, *LASTING) if name in self.names]
        return " ".join(dict.fromkeys([*names, *(one.text for one in self.resources)]))

    def __bool__(self) -> bool:
        return bool(self.resources or self.names)


@lru_cache(maxsize=1_024)
def parse(text: str) -> Scopes:
    """Read a scope string, blanks between its parts.

    Raises `Invalid` where it is no scope string at all: other characters than RFC 6749 allows, or
    more than `MAX_CHARACTERS` or `MAX_SCOPES`.
    """
    parts = list(dict.fromkeys(part for part in text.split(" ") if part))
    if len(text) > MAX_CHARACTERS or len(parts) > MAX_SCOPES:
        raise Invalid("The scope is longer than this server takes.")
    if not all(_TOKEN.fullmatch(part) for part in parts):
        raise Invalid("The scope has characters that no scope has.")
    resources, names, unknown = [], [], []
    for part in parts:
        if part in NAMES:
            names.append(part)
        elif (one := resource_scope(part)) is not None:
            resources.append(one)
        else:
            unknown.append(part)
    return Scopes(tuple(resources), frozenset(names), tuple(unknown))


def resource_scope(text: str) -> ResourceScope | None:
    """Read one scope over resources; None where it is none that this server knows."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    context, type_, letters, query = match.groups()
    if type_ != EVERY_TYPE and type_ not in CATEGORY_OF_TYPE:
        return None
    first_version = letters in _OF_VERSION_1
    granted = _OF_VERSION_1.get(letters, letters)
    if not first_version and not _in_order(granted):
        return None
    if query is not None and first_version:
        return None
    constraint = () if query is None else _constraint(query)
    if constraint is None:
        return None
    return ResourceScope(_CONTEXTS[context], type_, frozenset(granted), constraint, text)


def covers(granted: Iterable[ResourceScope], asked: ResourceScope) -> bool:
    """Whether everything that ``asked`` allows is allowed by ``granted``.

    Each interaction by some scope of the same context, whose type is the same or every type and
    whose constraints are all among those asked for: more constraints allow less, never more.
    """
    wide = [
        one
        for one in granted
        if one.context == asked.context
        and one.type in (asked.type, EVERY_TYPE)
        and set(one.constraint) <= set(asked.constraint)
    ]
    return all(any(letter in one.interactions for one in wide) for letter in asked.interactions)


def within(granted: Scopes, asked: Scopes) -> bool:
    """Whether ``asked`` is no more than ``granted`` (RFC 6749 §6: what a refresh may ask for)."""
    return (
        not asked.unknown
        and asked.names <= granted.names
        and all(covers(granted.resources, one) for one in asked.resources)
    )


def meet(scopes: Scopes, allowed: Scopes) -> Scopes:
    """What both allow. A scope that ``allowed`` covers whole stays as it was written."""
    found: list[ResourceScope] = []
    for one in scopes.resources:
        if covers(allowed.resources, one):
            found.append(one)
        else:
            found += [both for other in allowed.resources if (both := _both(one, other))]
    kept = tuple(dict.fromkeys(found))[:MAX_SCOPES]
    return Scopes(kept, scopes.names & allowed.names)


def _both(one: ResourceScope, other: ResourceScope) -> ResourceScope | None:
    letters = one.interactions & other.interactions
    types = {one.type, other.type} - {EVERY_TYPE} or {EVERY_TYPE}
    if one.context != other.context or not letters or len(types) > 1:
        return None
    return written(
        one.context, types.pop(), letters, tuple(dict.fromkeys(one.constraint + other.constraint))
    )


def written(
    context: Context, type_: str, interactions: frozenset[str], constraint: tuple[Pair, ...] = ()
) -> ResourceScope:
    """A scope with its text in version 2."""
    letters = "".join(one for one in INTERACTIONS if one in interactions)
    query = "&".join(f"{quote(name, safe=':')}={quote(value)}" for name, value in constraint)
    text = f"{context}/{type_}.{letters}" + (f"?{query}" if query else "")
    return ResourceScope(context, type_, interactions, constraint, text)


def of_contexts(scopes: Scopes, *contexts: Context) -> Scopes:
    """The same without scopes over resources of other contexts, and without what is unknown."""
    kept = tuple(one for one in scopes.resources if one.context in contexts)
    return Scopes(kept, scopes.names)


def without(scopes: Scopes, names: Sequence[str]) -> Scopes:
    """The same without some names."""
    return Scopes(scopes.resources, scopes.names - set(names), scopes.unknown)


def _in_order(letters: str) -> bool:
    """Whether these are letters of ``cruds``, each once and in this order (SMART 2.0)."""
    return bool(letters) and letters == "".join(one for one in INTERACTIONS if one in letters)


def _constraint(query: str) -> tuple[Pair, ...] | None:
    """Search parameters of a constraint, None where one of them is not a condition.

    Ignoring one would grant more than was written, so a chain, ``_has`` or ``_include`` makes the
    whole scope unknown.
    """
    pairs = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        name, value = unquote_plus(name), unquote_plus(value)
        if not equals or not value or not _PARAMETER.fullmatch(name):
            return None
        if name.partition(":")[0] in _NO_CONDITION or "\0" in value or "\ufffd" in value:
            return None
        pairs.append((name, value))
    return tuple(pairs) if len(pairs) <= _MAX_PAIRS else None
