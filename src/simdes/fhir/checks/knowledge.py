"""What is known of drugs: the shipped tables, and the port for anybody's larger source.

The tables (``tables/*.psv``) are small: substances that many prescriptions are of, and pairs and
states that are widely published (docs/prescriptions/checks.md says which and from where). A site
with a licence for a larger source gives its own `Interactions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Final, Protocol

from simdes.fhir.checks.finding import Severity, Text
from simdes.fhir.checks.reading import words

TABLE_SOURCE: Final = "SIMDES table of drugs, version 1"
UNLISTED: Final = "ATC "
"""How the key of a substance begins that the tables lack: the same twice, and nothing else."""
_LABEL: Final = {
    "ONC": "ONC high-priority interactions (Phansalkar et al., JAMIA 2012)",
    "Label": "US prescribing information",
}


@dataclass(frozen=True, slots=True)
class Drug:
    """What a medicine is known to be.

    ``name`` is how the record calls it, ``codes`` its codes there. ``is_whole``: each of its
    ingredients was recognised.
    """

    name: str
    codes: frozenset[tuple[str, str]]
    substances: frozenset[str]
    classes: frozenset[str]
    is_whole: bool = True
    phrase: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """By what rules are looked up."""
        return self.substances | self.classes

    @property
    def is_known(self) -> bool:
        """Whether any rule can apply to it."""
        return any(not key.startswith(UNLISTED) for key in self.keys)


@dataclass(frozen=True, slots=True)
class Known:
    """A fact about two drugs: its key, how grave, the words, whose it is."""

    key: str
    severity: Severity
    text: Text
    source: str


class Interactions(Protocol):
    """A source of interactions. Pure: the same for the same drugs, whichever is first."""

    def covers(self, drug: Drug) -> bool:
        """Whether the source knows this drug at all; where it does not, people are told."""
        ...

    def between(self, one: Drug, other: Drug) -> Iterable[Known]:
        """What is known of the two taken together."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Substance:
    """A substance: the name used as key, and in French."""

    key: str
    fr: str
    classes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugClass:
    """A class: names, ATC prefixes, how grave a second one or an allergy to another is."""

    key: str
    name: Text
    atc: tuple[str, ...]
    duplicate: Severity | None
    allergy: Severity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A state of the patient that drugs may not go with; ``past``: also once it is over."""

    key: str
    name: Text
    past: bool
    icd10: tuple[str, ...]
    snomed: frozenset[str]
    phrases: frozenset[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row that joins two keys."""

    one: str
    other: str
    known: Known


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The usual most of a substance (mg); None where nothing is said."""

    once_mg: float | None
    day_mg: float | None
    child_day_mg_kg: float | None
    from_years: float | None
    every_days: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The shipped tables, indexed."""

    substances: Mapping[str, Substance]
    classes: Mapping[str, DrugClass]
    by_code: Mapping[tuple[str, str], frozenset[str]] = field(repr=False)
    by_words: Mapping[tuple[str, ...], tuple[frozenset[str], frozenset[str]]] = field(repr=False)
    states: Mapping[str, State]
    contraindications: tuple[Rule, ...]
    crossings: tuple[Rule, ...]
    limits: Mapping[str, Limit]

    def name(self, key: str) -> Text:
        """The name of a substance or class."""
        if key in self.classes:
            return self.classes[key].name
        return Text(key, self.substances[key].fr) if key in self.substances else Text(key, key)


@dataclass(frozen=True, slots=True)
class TableInteractions:
    """The shipped table of pairs."""

    rules: tuple[Rule, ...]
    keys: frozenset[str]

    def covers(self, drug: Drug) -> bool:
        """A drug that one of the rows could be about."""
        return not drug.keys.isdisjoint(self.keys)

    def between(self, one: Drug, other: Drug) -> list[Known]:
        """The rows for both; a row of a class with itself is for two different substances."""
        mine, theirs = one.keys, other.keys
        return [
            rule.known
            for rule in self.rules
            if (
                (rule.one in mine and rule.other in theirs)
                or (rule.other in mine and rule.one in theirs)
            )
            and (rule.one != rule.other or one.substances != other.substances)
        ]


@cache
def interactions() -> TableInteractions:
    """The shipped interactions."""
    rules = tuple(_rule(row, "interaction", "a", "b") for row in _rows("interactions"))
    return TableInteractions(rules, frozenset(key for one in rules for key in (one.one, one.other)))


@cache
def tables() -> Tables:
    """The shipped tables."""
    classes = {row["class"]: _class(row) for row in _rows("classes")}
    substances, by_code = {}, dict[tuple[str, str], frozenset[str]]()
    by_words = dict[tuple[str, ...], tuple[frozenset[str], frozenset[str]]]()
    for row in _rows("substances"):
        key = row["substance"]
        substances[key] = Substance(key=key, fr=row["fr"], classes=frozenset(_list(row["classes"])))
        for system in ("rxnorm", "atc"):
            for code in _list(row[system]):
                by_code[system, code] = by_code.get((system, code), frozenset()) | {key}
        for name in (key, row["fr"], *_list(row["names"])):
            known = by_words.get(words(name), (frozenset(), frozenset()))
            by_words[words(name)] = (known[0] | {key}, known[1])
    for row in _rows("classes"):
        for name in (row["class"], row["en"], row["fr"], *_list(row["words"])):
            for phrase in (words(name), words(f"{name}s")):
                known = by_words.get(phrase, (frozenset(), frozenset()))
                by_words[phrase] = (known[0], known[1] | {row["class"]})
    contraindications = _rows("contraindications")
    return Tables(
        substances=substances,
        classes=classes,
        by_code=by_code,
        by_words=by_words,
        states={row["condition"]: _state(row) for row in _rows("conditions")},
        contraindications=tuple(
            _rule(row, "condition", "condition", "drug") for row in contraindications
        ),
        crossings=tuple(
            _rule(row | {"source": ""}, "allergy", "allergic_to", "ordered")
            for row in _rows("crossings")
        ),
        limits={row["substance"]: _limit(row) for row in _rows("doses")},
    )


def _class(row: Mapping[str, str]) -> DrugClass:
    return DrugClass(
        key=row["class"],
        name=Text(row["en"], row["fr"]),
        atc=tuple(_list(row["atc"])),
        duplicate=_severity(row["duplicate"]),
        allergy=_severity(row["allergy"]),
    )


def _state(row: Mapping[str, str]) -> State:
    return State(
        key=row["condition"],
        name=Text(row["en"], row["fr"]),
        past=row["past"] == "yes",
        icd10=tuple(_list(row["icd10"])),
        snomed=frozenset(_list(row["snomed"])),
        phrases=frozenset(words(one) for one in _list(row["words"])),
    )


def _limit(row: Mapping[str, str]) -> Limit:
    values = {
        name: None if cell == "-" else float(cell)
        for name, cell in row.items()
        if name != "substance"
    }
    return Limit(**values)


def _rule(row: Mapping[str, str], kind: str, one: str, other: str) -> Rule:
    source = _LABEL.get(row["source"], TABLE_SOURCE)
    known = Known(
        f"{kind}:{row[one]}+{row[other]}".replace(" ", "-"),
        Severity(row["severity"]),
        Text(row["en"], row["fr"]),
        source,
    )
    return Rule(one=row[one], other=row[other], known=known)


def _severity(cell: str) -> Severity | None:
    return None if cell == "-" else Severity(cell)


def _list(cell: str) -> list[str]:
    return [] if cell == "-" else [one.strip() for one in cell.split(",")]


def _rows(name: str) -> list[dict[str, str]]:
    """The rows of a table: cells between ``|``, the first line naming the columns."""
    path = resources.files("simdes.fhir.checks").joinpath("tables", f"{name}.psv")
    lines = [line for line in path.read_text("utf-8").splitlines() if line and line[0] != "#"]
    head, *rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [dict(zip(head, row, strict=True)) for row in rows]
