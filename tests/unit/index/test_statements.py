"""The translation of ``:name`` SQL for each driver."""

from __future__ import annotations

import pytest

from simdes.errors import TooLarge
from simdes.index.statements import (
    MAX_LIST,
    for_postgresql,
    for_sqlite,
    insert_arrays_text,
    insert_text,
)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT :a", "SELECT %(a)s"),
        ("WHERE x = :a AND y > :b_2", "WHERE x = %(a)s AND y > %(b_2)s"),
        ("WHERE x IN :xs", "WHERE x = ANY(%(xs)s)"),
        ("WHERE x in :xs OR y = :y", "WHERE x = ANY(%(xs)s) OR y = %(y)s"),
        ("WHERE x IN (SELECT y FROM z)", "WHERE x IN (SELECT y FROM z)"),
        ("WHERE x LIKE 'a%' AND y % 2 = 0", "WHERE x LIKE 'a%%' AND y %% 2 = 0"),
        ("SELECT ':no', 'it''s :no', :yes", "SELECT ':no', 'it''s :no', %(yes)s"),
    ],
)
def test_names_become_psycopgs(sql: str, expected: str) -> None:
    assert for_postgresql(sql) == expected.encode()


def test_lists_are_spelled_out_for_sqlite() -> None:
    sql, params = for_sqlite("x IN :xs AND y = :y AND z IN :zs", {"xs": [1, 2], "y": 3, "zs": []})
    assert sql == "x IN (:xs_0, :xs_1) AND y = :y AND z IN ()"
    assert params == {"xs": [1, 2], "y": 3, "zs": [], "xs_0": 1, "xs_1": 2}


def test_sql_without_lists_is_passed_on_as_it_is() -> None:
    params = {"a": 1}
    sql, same = for_sqlite("SELECT :a, ':b IN :c'", params)
    assert sql == "SELECT :a, ':b IN :c'"
    assert same is params


@pytest.mark.parametrize("value", [1, "text", b"bytes", None])
def test_only_a_list_stands_after_in(value: int | str | bytes | None) -> None:
    with pytest.raises(TypeError):
        for_sqlite("x IN :x", {"x": value})


def test_a_list_beyond_the_limit_is_refused() -> None:
    with pytest.raises(TooLarge):
        for_sqlite("x IN :x", {"x": list(range(MAX_LIST + 1))})


def test_an_insert_names_its_columns_once_and_marks_each_value() -> None:
    text = insert_text("t", ("a", "b"), conflict="(a) DO NOTHING", returning="a", rows=2, mark="?")
    assert text == (
        "INSERT INTO t (a, b) VALUES (?, ?), (?, ?) ON CONFLICT (a) DO NOTHING RETURNING a"
    )
    assert insert_text("t", ("a",), conflict="", returning="", rows=1, mark="%s") == (
        "INSERT INTO t (a) VALUES (%s)"
    )


def test_an_insert_of_arrays_is_the_same_for_any_number_of_rows() -> None:
    text = insert_arrays_text(
        "t", ("a", "b"), ("bytea", "bigint"), conflict="(a) DO NOTHING", returning="b"
    )
    assert text == (
        "INSERT INTO t (a, b) SELECT * FROM unnest(CAST(%s AS bytea[]), CAST(%s AS bigint[]))"
        " ON CONFLICT (a) DO NOTHING RETURNING b"
    )
