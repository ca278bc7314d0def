"""Nothing is silently lost: a value of its own in every place of every segment of every structure.

Each message has all segments of its structure, in order, and in every field that a map reads (and
two beyond) values that occur nowhere else. Each must be in the output, or its field must be listed
as dropped.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simdes.fhir.validate import validate
from simdes.mapper import map_bytes
from simdes.mapper.hl7v2.grammar import Item
from simdes.mapper.hl7v2.tables import hl7v2
from unit.mapper.hl7v2.test_vectors import strings

TABLE = json.loads(
    (Path(__file__).parents[4] / "src/simdes/mapper/hl7v2/table.json").read_text(encoding="utf-8")
)
EVENTS = {structure: event for event, structure in reversed(TABLE["events"].items())}
COMPONENTS = 10
WORD = re.compile(r"q\d{6}z|\d+")
"""What is planted, as far as it stands alone: looked up before all text is searched for it."""
UNTOUCHED = {("MSH", 1), ("MSH", 2), ("MSH", 9), ("MSH", 12), ("MSH", 18)}
"""Fields that say how to read the message."""


def widths() -> dict[str, int]:
    """How many fields of each segment the maps read, and two more."""
    found: dict[str, int] = {}
    for data in TABLE["segments"].values():
        last = max(int(row["source"]) for row in data["rows"])
        found[data["segment"]] = max(found.get(data["segment"], 6), last + 2)
    return found


WIDTHS = widths()


def segments(item: Item) -> Iterator[str]:
    """The segments of a structure in order, each group once."""
    if not item.items:
        yield item.name
    for inner in item.items:
        yield from segments(inner)


Plant = Callable[[Iterator[int]], tuple[str, list[tuple[str, str]]]]
"""Makes a field's text, and lists the values in it with the end of their path."""


def word(numbers: Iterator[int]) -> tuple[str, list[tuple[str, str]]]:
    text = f"q{next(numbers):06d}z"
    return text, [(text, "")]


def parts(numbers: Iterator[int]) -> tuple[str, list[tuple[str, str]]]:
    texts = [word(numbers)[0] for _ in range(COMPONENTS + 1)]
    field = "^".join([f"{texts[0]}&{texts[1]}", *texts[2:]])
    return field, [(texts[0], ".1.1"), (texts[1], ".1.2")] + [
        (text, f".{at}") for at, text in enumerate(texts[2:], 2)
    ]


def repeated(numbers: Iterator[int]) -> tuple[str, list[tuple[str, str]]]:
    one, two, three = (word(numbers)[0] for _ in range(3))
    return f"{one}~{two}^{three}", [(one, ""), (two, ".1[2]"), (three, ".2[2]")]


def time(numbers: Iterator[int]) -> tuple[str, list[tuple[str, str]]]:
    number = next(numbers)
    day, second = divmod(number, 86400)
    clock = f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"
    text = f"20{10 + day:02d}0203{clock}"
    return text, [(text, "")]


def number(numbers: Iterator[int]) -> tuple[str, list[tuple[str, str]]]:
    text = str(7000000 + next(numbers))
    return text, [(text, "")]


PLANTS: dict[str, Plant] = {
    "words": word,
    "components": parts,
    "repetitions": repeated,
    "times": time,
    "numbers": number,
}


def planted(structure: str, plant: Plant) -> tuple[bytes, list[tuple[str, int, int, str, str]]]:
    """Write a message; returns it and (segment, its number, field, rest of path, value)."""
    numbers = itertools.count(1)
    values: list[tuple[str, int, int, str, str]] = []
    lines: list[str] = []
    seen: dict[str, int] = {}
    event = EVENTS[structure]
    for name in segments(hl7v2().structures[structure]):
        seen[name] = seen.get(name, 0) + 1
        fields = [""] * (WIDTHS.get(name, 6) + 1)
        for at in range(1, len(fields)):
            if (name, at) in UNTOUCHED:
                continue
            fields[at], made = plant(numbers)
            values += [(name, seen[name], at, rest, value) for value, rest in made]
        if name == "MSH":
            fields[2], fields[9], fields[12], fields[18] = "^~\\&", event, "2.5.1", ""
            fields = [fields[0], *fields[2:]]
        lines.append("|".join([name, *fields[1:]]))
    return "\r".join(lines).encode(), values


def covering() -> list[str]:
    """Choose structures that have every segment between them, those with most new ones first."""
    left = {name: set(segments(hl7v2().structures[name])) for name in sorted(EVENTS)}
    chosen: list[str] = []
    while any(left.values()):
        best = max(left, key=lambda name: len(left[name]))
        seen = left.pop(best)
        left = {name: more - seen for name, more in left.items()}
        chosen.append(best)
    return chosen


def cases() -> Iterator[tuple[str, str]]:
    """Components in every structure; the other plants once in every segment, which goes its way
    by the rows of its map, whatever the structure."""
    yield from ((structure, "components") for structure in sorted(EVENTS))
    yield from (
        (structure, kind)
        for structure in covering()
        for kind in sorted(PLANTS.keys() - {"components"})
    )


@pytest.mark.parametrize(("structure", "kind"), list(cases()))
def test_every_planted_value_is_found_or_reported(structure: str, kind: str) -> None:
    data, values = planted(structure, PLANTS[kind])
    mapping = map_bytes("planted.hl7", data)
    assert not mapping.quarantined, mapping.quarantined[0].reason
    (one,) = mapping.messages
    assert [p for p in validate(one.bundle) if p.is_error] == []
    texts = set(strings(one.bundle))
    joined = "\n".join(texts)
    words = set(WORD.findall(joined))
    digits = {re.sub(r"\D", "", text)[:14] for text in texts if re.match(r"\d{4}-\d\d", text)}
    dropped = {re.sub(r"\[\d+\]", "", entry.path) for entry in one.dropped}
    lost = [
        f"{name}[{turn}]-{at}{rest}"
        for name, turn, at, rest, value in values
        if value not in words
        and value not in joined
        and value not in digits
        and f"{name}-{at}" not in dropped
        and f"{name}-{at}{rest.partition('[')[0]}" not in dropped
    ]
    assert lost == []
    assert len(values) > 100


def test_the_plants_cover_every_segment_that_a_map_reads() -> None:
    used = {name for structure in EVENTS for name in segments(hl7v2().structures[structure])}
    assert {data["segment"] for data in TABLE["segments"].values()} <= used
