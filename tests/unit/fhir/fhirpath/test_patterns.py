"""Patterns run in linear time and find what a backtracking engine finds."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Invalid, SimdesError, TooLarge
from simdes.fhir.fhirpath.patterns import find, matches_whole, substitute

ATOMS = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", "\\d", "\\w", "\\s", "\\.", "^", "$", "\\b", "\\B", "[a-c1]"]
)
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: (
        st.builds("{}{}".format, inner, inner)
        | st.builds("(?:{}|{})".format, inner, inner)
        | st.builds("({})".format, inner)
        | st.builds("(?:{}){}".format, inner, st.sampled_from(["?", "{2}", "{0,2}", "{1,}", "??"]))
        | st.builds("(?:x{}){}".format, inner, st.sampled_from(["*", "+", "*?", "+?"]))
    ),
    max_leaves=8,
)


def free(_: int) -> None:
    """Count nothing."""


def _spans(pattern: str, text: str) -> Iterator[re.Match[str]]:
    """Yield Python's matches, an empty one passed by one character."""
    compiled, at = re.compile(pattern, re.DOTALL), 0
    while at <= len(text) and (match := compiled.search(text, at)):
        yield match
        at = match.end() + (match.end() == match.start())


@settings(derandomize=True, max_examples=300, deadline=None)
@given(PATTERNS, st.text("abcx1. \n", min_size=1, max_size=8))
def test_it_finds_what_python_finds(pattern: str, text: str) -> None:
    compiled = re.compile(pattern.replace("$", "\\Z"), re.DOTALL)
    assert find(text, pattern, spend=free) is (compiled.search(text) is not None)
    assert matches_whole(text, pattern, spend=free) is (compiled.fullmatch(text) is not None)
    pieces, at = [], 0
    for match in _spans(compiled.pattern, text):
        pieces += [text[at : match.start()], f"<{match[0]}>"]
        at = match.end()
    assert substitute(text, pattern, "<$0>", spend=free) == "".join([*pieces, text[at:]])


@pytest.mark.parametrize("spend", [free, None], ids=["counted", "own"])
def test_groups_are_put_into_the_replacement(spend: None) -> None:
    pattern = r"\b(?<month>\d{1,2})/(?<day>\d{1,2})/(?<year>\d{2,4})\b"
    assert substitute("on 11/30/1972.", pattern, "${day}-${month}-$3", spend=spend) == (
        "on 30-11-1972."
    )
    assert substitute("abc", "(b)|(x)", "[$1$2]\\$", spend=spend) == "a[b]$c"
    assert substitute("abc", "", "x", spend=spend) == "abc"
    with pytest.raises(Invalid):
        substitute("abc", "b", "$7", spend=spend)


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "[", "a)", "*a", "a**", "a{3,2}", "\\", "\\1", "(?=a)", "(?<!a)", "(a)\\1", "[z-a]",
     "(?P=x)", "\\p{L}", "(?<1>a)"],
)  # fmt: skip
def test_what_is_no_pattern_or_needs_backtracking_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid):
        find("aaa", pattern, spend=free)


@pytest.mark.parametrize(
    "pattern", ["a" * 3000, "(" * 100 + ")" * 100, "(((a{99}){99}){99}){99}", "[a-z]{9999}"]
)
def test_a_pattern_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(TooLarge):
        find("aaa", pattern, spend=free)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a|aa)*$", "(.*a){9}$", "(a?){40}a{40}$"])
def test_what_ruins_a_backtracking_engine_takes_few_steps(pattern: str) -> None:
    steps = 0

    def spend(count: int) -> None:
        nonlocal steps
        steps += count

    assert find("a" * 39 + "!", pattern, spend=spend) is False
    assert steps < 50_000


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.text("ab()[]{}*+?|^$\\.-,1<:=!PdbB ", max_size=12))
def test_no_text_as_a_pattern_crashes_it(pattern: str) -> None:
    try:
        find("ab1 ", pattern, spend=free)
    except SimdesError:
        return
    if "$" in pattern and ("[" in pattern or "\\" in pattern):  # it may be a plain character
        return
    # What is understood here means the same in Python.
    with_python = pattern.replace("$", "\\Z").replace("(?<", "(?P<")
    assert find("ab1 ", pattern, spend=free) is (re.search(with_python, "ab1 ", re.S) is not None)
