"""Regular expressions of filters: the same answers as ``re``, in linear time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Invalid, SimdesError, TooLarge, Unsupported
from simdes.fhir.terminology.regex import compile_pattern

_ATOMS = st.sampled_from(["a", "b", "[ab]", "[^a]", ".", "\\d", "\\.", "[a-c]", "\\w", "[\\d-]"])


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    counts = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,}", "{0}"])
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda p: f"(?:{p[0]}|{p[1]})"),
        st.tuples(inner, counts).map(lambda p: f"({p[0]}){p[1]}"),
    )


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.recursive(_ATOMS, _grow, max_leaves=6), st.text("abc1-.", max_size=8))
def test_patterns_match_what_the_standard_library_matches(pattern: str, text: str) -> None:
    try:
        own = compile_pattern(pattern)
    except TooLarge:
        return
    assert own.matches(text) is (re.fullmatch(pattern, text) is not None)


def test_anchors_around_the_whole_change_nothing() -> None:
    assert compile_pattern("^LP[0-9]+-[0-9]$").matches("LP43571-6")
    assert not compile_pattern("^LP[0-9]+-[0-9]$").matches("xLP43571-6")
    assert compile_pattern(r"a\$").matches("a$")


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|a)*", "(a*)*b", "a*a*a*a*a*a*a*b"])
def test_patterns_that_stop_a_backtracking_engine_are_quick(pattern: str) -> None:
    started = time.perf_counter()
    assert not compile_pattern(pattern).matches("a" * 5000 + "!")
    assert time.perf_counter() - started < 2


REFUSED = {
    "(": Invalid,
    "a)": Invalid,
    "[a": Invalid,
    "*a": Invalid,
    "a\\": Invalid,
    "[z-a]": Invalid,
    "a{3,1}": Invalid,
    "a{x}": Invalid,
    "a{,3}": Invalid,
    "(?=a)": Unsupported,
    "(?i)a": Unsupported,
    "(a)\\1": Unsupported,
    "\\bword": Unsupported,
    "a^b": Unsupported,
    "a*?": Unsupported,
    "a**": Unsupported,
    "[[a]]": Unsupported,
    "(((a{99}){99}){99}){99}": TooLarge,
    "a" * 501: TooLarge,
    "(" * 60 + ")" * 60: TooLarge,
}


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_is_not_regular_or_too_large_is_refused(number: int) -> None:
    pattern, error = [*REFUSED.items()][number]
    with pytest.raises(SimdesError) as failure:
        compile_pattern(pattern)
    assert type(failure.value) is error
