"""The utility report: what anonymisation changed, in pictures that can also be read as tables.

For the ethics board and for who releases: distributions before (de-identified, all who opted in)
and after. One HTML page without scripts, colours told apart by pattern and place as well, every
picture with its numbers in a table beneath (WCAG 2.2: 1.1.1, 1.4.1), and the same as Markdown.
Values that fewer than k people or resources had before or have after are told together, with as
many others as it takes for k.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape
from typing import NamedTuple

from simdes.research.release import Outcome

MOST_BARS = 15
_OTHER = "all others"
_BAR, _GAP, _LEFT, _WIDE = 11, 8, 250, 560

_STYLE = """body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{padding:.1rem .8rem;text-align:left;
border-bottom:1px solid #aaa}
td+td,th+th{text-align:right}svg{max-width:100%;height:auto}.before{fill:#767676}
.after{fill:#0b5394}"""


class Bar(NamedTuple):
    """One value with how many had it before and have it after."""

    label: str
    before: int
    after: int


def bars(before: Mapping[str, int], after: Mapping[str, int], k: int) -> list[Bar]:
    """Return the commonest values, those of fewer than ``k`` before or after as one.

    No number from 1 to k - 1 is in it: the rarest of the others join what is told as one.
    """
    names = sorted({*before, *after}, key=lambda n: (-before.get(n, 0), n))
    every = [Bar(n, before.get(n, 0), after.get(n, 0)) for n in names]
    common = [one for one in every if _told(one, k)][:MOST_BARS]
    while common != every:
        rest = [one for one in every if one not in common]
        together = Bar(_OTHER, sum(b.before for b in rest), sum(b.after for b in rest))
        if _told(together, k):
            return [*common, together]
        if not common:
            return []
        common.pop()
    return common


def _told(one: Bar, k: int) -> bool:
    return all(count == 0 or count >= k for count in (one.before, one.after))


def likeness(before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """Return how much of two distributions overlaps: 1 less their total variation distance."""
    whole = [sum(side.values()) for side in (before, after)]
    if not all(whole):
        return 0.0
    names = {*before, *after}
    shares = [(before.get(n, 0) / whole[0], after.get(n, 0) / whole[1]) for n in names]
    return sum(min(pair) for pair in shares)


def html_report(outcome: Outcome, *, title: str) -> str:
    """Return the report as a page of its own."""
    parts = [f"<h1>{escape(title)}</h1>", *(f"<p>{escape(s)}</p>" for s in _summary(outcome))]
    for heading, before, after in _distributions(outcome):
        rows = bars(before, after, outcome.policy.rules.anonymity.k)
        same = f"{likeness(before, after):.0%} of the distribution is as before."
        parts += [
            f"<section><h2>{escape(heading)}</h2><p>{same}</p>",
            svg(heading, rows),
            _table(rows),
            "</section>",
        ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def markdown_report(outcome: Outcome, *, title: str) -> str:
    """Return the report as Markdown, with the numbers alone."""
    lines = [f"# {title}", "", *(f"{s}\n" for s in _summary(outcome))]
    for heading, before, after in _distributions(outcome):
        lines += [f"## {heading}", "", "| value | before | after |", "| --- | ---: | ---: |"]
        rows = bars(before, after, outcome.policy.rules.anonymity.k)
        lines += [f"| {b.label.replace('|', ' ')} | {b.before} | {b.after} |" for b in rows]
        lines += ["", f"{likeness(before, after):.0%} of the distribution is as before.", ""]
    return "\n".join(lines)


def svg(heading: str, rows: list[Bar]) -> str:
    """Return the bars of before and after, one above the other, as SVG."""
    most = max((max(b.before, b.after) for b in rows), default=1) or 1
    step = 2 * _BAR + _GAP
    height = step * len(rows) + 30
    label = f"{heading}: bars before and after; the table below has the numbers"
    parts = [
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {_LEFT + _WIDE + 70} {height}"'
        ' xmlns="http://www.w3.org/2000/svg" font-size="12">',
        '<rect class="before" x="0" y="4" width="12" height="11" fill="#767676"/>'
        '<text x="18" y="14">before</text>'
        '<rect class="after" x="80" y="4" width="12" height="11" fill="#0b5394"/>'
        '<text x="98" y="14">after</text>',
    ]
    for place, bar in enumerate(rows):
        top = 26 + place * step
        parts.append(
            f'<text x="{_LEFT - 6}" y="{top + _BAR + 3}" text-anchor="end">'
            f"{escape(bar.label[-38:])}</text>"
        )
        sides = (("before", "#767676", bar.before), ("after", "#0b5394", bar.after))
        for row, (side, colour, count) in enumerate(sides):
            wide, y = round(count / most * _WIDE, 1), top + row * _BAR
            parts.append(
                f'<rect class="{side}" fill="{colour}" x="{_LEFT}" y="{y}" width="{wide}"'
                f' height="{_BAR - 1}"/><text x="{_LEFT + wide + 4}" y="{y + 9}">{count}</text>'
            )
    return "".join([*parts, "</svg>"])


def _table(rows: list[Bar]) -> str:
    cells = "".join(
        f'<tr><th scope="row">{escape(b.label)}</th><td>{b.before}</td><td>{b.after}</td></tr>'
        for b in rows
    )
    head = (
        '<tr><th scope="col">value</th><th scope="col">before</th><th scope="col">after</th></tr>'
    )
    return f"<details><summary>Numbers</summary><table>{head}{cells}</table></details>"


def _summary(outcome: Outcome) -> Iterator[str]:
    measured, report = outcome.measured, outcome.report()
    yield (
        f"Policy {outcome.policy.label}: every combination of birth, sex, place and death is "
        f"shared by {measured.k} people or more, with {measured.l} main diagnoses or more among "
        f"them; any {outcome.policy.rules.anonymity.known_facts} dated facts of a person by "
        f"{outcome.policy.rules.anonymity.k} people or more."
    )
    people = report["people"]
    yield f"{people['out']} of {people['in']} people who may be in it are in the release."
    told = sum(outcome.resources_out.values())
    left_out = sum(outcome.suppressed.resources.values())
    yield f"{told} resources are told, {left_out} of the same people are suppressed."
    steps = ", ".join(f"{q} at {s}" for q, s in outcome.steps.items())
    yield f"Steps of the quasi-identifiers (* is not told): {steps}."


def _distributions(outcome: Outcome) -> Iterator[tuple[str, Counter[str], Counter[str]]]:
    for heading in sorted({*outcome.before, *outcome.after}):
        empty: Counter[str] = Counter()
        yield heading, outcome.before.get(heading, empty), outcome.after.get(heading, empty)
