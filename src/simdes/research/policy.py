"""Policies of de-identification: data files, declared, versioned, known by their digest.

What may leave is named; what is not named doesn't leave. A policy says it by resource type, by the
kind of an element (its data type in R4's definitions) and, where a kind is not enough, by element.
Two are in ``policies/`` after HIPAA's Safe Harbor, 45 CFR 164.514(b)(2), and one, stricter, after
GDPR recital 26 and the Article 29 Working Party's opinion 05/2014 on singling out, linkability and
inference. The digest is SHA-256 of the file's bytes: it goes on chain with each release.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

import msgspec

from simdes.decoding import ready
from simdes.errors import Invalid, NotFound
from simdes.fhir.definitions import resource_types

RULES = frozenset(
    ("keep", "drop", "bound", "shift", "inside", "coding", "quantity", "reference")
) | {"birth", "place", "deceased"}
PRECISIONS = ("day", "month", "year")


class System(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Codes of a system that may pass: of this ``pattern``, and true to the ``check`` if one."""

    pattern: str
    check: str = ""


class Dates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Dates move by up to ``shift_days`` per subject and keep ``finest`` of day, month, year."""

    shift_days: int
    finest: str


class Birth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Birth is told in spans of ``years``; who is older than ``oldest`` counts as that and one."""

    years: int
    oldest: int


class Places(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of a patient's address stays, of country, state, postal3 (three digits of a ZIP)."""

    kept: tuple[str, ...]
    sparse: frozenset[str]
    """Three-digit areas of at most 20,000 people; they become 000."""


class Anonymity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a release has to reach (`simdes.research.enforce`)."""

    k: int
    l: int  # noqa: E741 (its name in the literature)
    ladders: Mapping[str, tuple[str, ...]]
    """Per quasi-identifier the steps from what the policy leaves to nothing (``*``)."""
    sensitive: str
    """The resource type whose latest code an attacker wants to learn."""
    class_at_least: int
    suppress_at_most: float
    known_facts: int
    """How many dated facts of one person the attacker is taken to know: 1 or 2."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    version: str
    title: str
    basis: str
    types: tuple[str, ...]
    kinds: Mapping[str, str]
    elements: Mapping[str, str]
    references: frozenset[str]
    systems: Mapping[str, System]
    known_prefixes: tuple[str, ...]
    unit_notes: frozenset[str]
    withheld: frozenset[str]
    dates: Dates
    birth: Birth
    places: Places
    anonymity: Anonymity


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A policy and the digest (32 bytes) of the file that declares it, by which it is known."""

    rules: _File
    digest: bytes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def name(self) -> str:
        """Its name, such as ``hipaa-safe-harbor``."""
        return self.rules.name

    @property
    def version(self) -> str:
        """Its version; bytes change only with it."""
        return self.rules.version

    @property
    def label(self) -> str:
        """Name and version, as a manifest says them."""
        return f"{self.name}@{self.version}"


def read_policy(data: bytes) -> Policy:
    """Return the policy that the JSON in ``data`` declares; raises ``Invalid`` for what is none."""
    try:
        file = msgspec.json.decode(data, type=ready(_File))
    except msgspec.DecodeError as error:
        raise Invalid(f"not a policy: {error}") from None
    _check(file)
    return Policy(file, hashlib.sha256(data).digest())


def policy(name: str) -> Policy:
    """Return the policy ``name`` that comes with this release; raises ``NotFound``."""
    found = policies().get(name)
    if found is None:
        raise NotFound(
            "no policy of that name", advice=f"There are: {', '.join(sorted(policies()))}."
        )
    return found


@cache
def policies() -> Mapping[str, Policy]:
    """Return the policies that come with this release, by name."""
    folder = resources.files("simdes.research").joinpath("policies")
    files = [f for f in folder.iterdir() if f.name.endswith(".json") and f.name[0] != "_"]
    found = [read_policy(f.read_bytes()) for f in files]
    return MappingProxyType({p.name: p for p in sorted(found, key=lambda p: p.name)})


@cache
def regions() -> Mapping[str, str]:
    """Return the states and countries that may be named: every spelling to its code."""
    folder = resources.files("simdes.research").joinpath("policies")
    table: dict[str, str] = {}
    for line in folder.joinpath("regions.psv").read_text("utf-8").splitlines():
        kind, code, *names = line.split("|")
        table.update({f"{kind}|{name.casefold()}": code for name in (code, *names)})
    return MappingProxyType(table)


def _check(file: _File) -> None:
    wrong: list[str] = []
    wrong += [f"types: {t}" for t in file.types if t not in resource_types()]
    rules: dict[str, Any] = {**file.kinds, **file.elements}
    wrong += [f"rule of {k}" for k, r in rules.items() if r not in RULES]
    wrong += [f"pattern of {s}" for s, v in file.systems.items() if not _compiles(v.pattern)]
    if file.dates.finest not in PRECISIONS or not 1 <= file.dates.shift_days <= 3650:
        wrong.append("dates")
    if file.anonymity.k < 2 or file.anonymity.l < 1 or file.anonymity.known_facts not in (1, 2):
        wrong.append("anonymity")
    if wrong:
        raise Invalid("not a policy: " + ", ".join(wrong))


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
