"""The utility report: what a board reads, and that it tells nothing rare."""

from __future__ import annotations

from datetime import date

import pytest
from lxml import etree

from simdes.research import html_report, make_release, markdown_report, policy
from simdes.research.picturing import bars, likeness, svg
from unit.research.population import RARE, people


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    (folder / "work").mkdir()
    return make_release(
        people(100, seed=5),
        policy("hipaa-safe-harbor"),
        secret=b"s" * 32,
        today=date(2026, 11, 23),
        work=folder / "work",
        into=folder / "out",
    )


def test_the_page_has_a_picture_with_words_and_a_table_for_each_distribution(outcome):
    page = etree.HTML(html_report(outcome, title="Study <1>"))
    pictures = page.xpath("//*[local-name()='svg'][@role='img'][@aria-label]")
    assert len(pictures) == len(page.xpath("//section")) == len(page.xpath("//table")) > 5
    assert page.xpath("string(//h1)") == "Study <1>"
    assert page.xpath("//html/@lang") == ["en"]
    assert not page.xpath("//script")


def test_values_of_few_people_are_told_together(outcome):
    k = outcome.policy.rules.anonymity.k
    codes = outcome.before["codes of Condition"]
    few = [c for c in codes if codes[c] < k]
    assert any(c.endswith(RARE) for c in few)
    for page in (html_report(outcome, title="S"), markdown_report(outcome, title="S")):
        assert "all others" in page
        assert [c for c in few if c.partition("|")[2] in page] == []


def test_markdown_tells_the_same_numbers(outcome):
    text = markdown_report(outcome, title="S")
    told = outcome.resources_out["Observation"]
    before = outcome.before["resources by type"]["Observation"]
    assert f"| Observation | {before} | {told} |" in text


def test_bars_and_likeness_are_of_shares():
    assert likeness({"a": 10, "b": 10}, {"a": 1, "b": 1}) == 1
    assert likeness({"a": 10}, {"b": 10}) == 0
    assert likeness({}, {}) == 0
    made = bars({"a": 10, "b": 4, "c": 1}, {"a": 8}, 5)
    assert [tuple(b) for b in made] == [("a", 10, 8), ("all others", 5, 0)]
    etree.fromstring(svg("x & y", made))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"a": 9, "b": 2, "c": 4}, {"a": 9, "b": 7}, [("a", 9, 9), ("all others", 6, 7)]),
        ({"a": 9, "b": 8, "c": 6}, {"a": 9, "b": 2, "c": 6}, [("a", 9, 9), ("all others", 14, 8)]),
        ({"a": 9, "b": 6, "c": 2}, {"a": 9, "b": 6}, [("a", 9, 9), ("all others", 8, 6)]),
        ({"a": 9, "b": 2}, {"a": 9}, [("all others", 11, 9)]),
        ({"a": 9, "b": 7}, {"a": 9}, [("a", 9, 9), ("b", 7, 0)]),
        ({"a": 2}, {"a": 1}, []),
    ],
)
def test_no_number_below_k_is_told_before_or_after(before, after, told):
    assert [tuple(b) for b in bars(before, after, 5)] == told
