"""The order of an import's lines: targets first, circles together, nobody's apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simdes.exchange.bulk.ordering import NOBODYS, OTHER, PATIENT, Line, batches

Made = list[tuple[tuple[int, ...], ...]]


@st.composite
def graphs(draw: st.DrawFn) -> list[Line]:
    """Lines that refer to each other, to themselves and to what is not there; some names twice."""
    names = draw(st.lists(st.integers(0, 12), max_size=20))
    ranks = st.sampled_from((NOBODYS, PATIENT, OTHER))
    refers = st.lists(st.integers(0, 14), max_size=3)
    return [
        Line(place, draw(ranks), f"X/{name}", tuple(f"X/{one}" for one in draw(refers)))
        for place, name in enumerate(names)
    ]


def places(made: Made) -> list[int]:
    return [place for batch in made for group in batch for place in group]


@given(graphs(), st.integers(1, 6))
def test_every_line_comes_once_and_after_what_it_refers_to(lines: list[Line], most: int) -> None:
    made = batches(lines, at_once=most)
    assert sorted(places(made)) == [line.place for line in lines]
    first: dict[str, int] = {}
    for line in lines:
        first.setdefault(line.name, line.place)
    group_of = {
        place: number
        for number, group in enumerate(group for batch in made for group in batch)
        for place in group
    }
    for line in lines:
        for name in line.refers:
            assert name not in first or group_of[first[name]] <= group_of[line.place]


@given(graphs(), st.integers(1, 6))
def test_a_batch_has_one_line_of_a_name_and_no_more_than_it_may(
    lines: list[Line], most: int
) -> None:
    for batch in batches(lines, at_once=most):
        its = [lines[place] for group in batch for place in group]
        assert len({line.name for line in its}) == len(its)
        assert len(its) <= most or len(batch) == 1
        alone = [all(lines[place].rank == NOBODYS for place in group) for group in batch]
        assert all(alone) or not any(alone)


@given(graphs())
def test_lines_of_a_group_lead_to_each_other(lines: list[Line]) -> None:
    leads = {line.place: set(line.refers) for line in lines}
    for batch in batches(lines, at_once=100):
        for group in batch:
            met, left = {group[0]}, [group[0]]
            while left:
                names = leads[left.pop()]
                found = {one for one in group if lines[one].name in names} - met
                met |= found
                left += found
            assert met == set(group)


def test_of_a_name_that_stands_twice_the_first_comes_first() -> None:
    lines = [Line(0, OTHER, "X/1", ("X/2",)), Line(1, OTHER, "X/1"), Line(2, OTHER, "X/2")]
    assert batches(lines, at_once=10) == [((2,), (0,)), ((1,),)]


def test_nobodys_come_first_then_patients() -> None:
    lines = [Line(0, OTHER, "A/1"), Line(1, PATIENT, "B/1"), Line(2, NOBODYS, "C/1")]
    assert batches(lines, at_once=10) == [((2,),), ((1,), (0,))]


def test_a_chain_as_long_as_the_file_needs_no_stack() -> None:
    count = 50_000
    lines = [Line(at, OTHER, f"X/{at}", (f"X/{at + 1}",)) for at in range(count)]
    assert places(batches(lines, at_once=100)) == list(range(count))[::-1]


def test_of_nothing_there_is_no_batch() -> None:
    assert batches([], at_once=10) == []
