"""Tables are read as they come, and a bad row costs nobody but itself."""

import pytest

from simdes.mapper import DEFAULT_SITE, LIMITS, Site
from simdes.mapper.refusal import Unreadable
from simdes.mapper.tabular.reader import Row, Table, read, separator_of


def _table(text: str | bytes, name: str = "labs.csv", site: Site = DEFAULT_SITE) -> Table:
    data = text if isinstance(text, bytes) else text.encode()
    return read(name, data, site=site, limits=LIMITS)


def _cells(table: Table) -> list[tuple[str, ...]]:
    return [row.cells for row in table.rows(LIMITS.messages) if not row.fault]


def test_quotes_line_breaks_and_separators_in_cells_are_read_as_rfc_4180_says() -> None:
    table = _table('a,b\r\n"x, ""y""","line\r\nbreak"\r\n')
    assert _cells(table) == [('x, "y"', "line\r\nbreak")]


def test_a_row_keeps_its_own_text() -> None:
    table = _table('a,b\n"1\n2",3\n4,5\n')
    assert [row.text for row in table.rows(LIMITS.messages)] == ['"1\n2",3\n', "4,5\n"]
    assert table.header == "a,b\n"


@pytest.mark.parametrize(
    ("text", "name", "sign"),
    [
        ("a,b,c\n", "x.csv", ","),
        ("a;b;c\n", "x.csv", ";"),
        ("a\tb\n", "x.csv", "\t"),
        ("a|b\n", "x.txt", "|"),
        ("a,b\tc\n", "x.tsv", "\t"),
        ("a,b\tc\n", "x.tsv.gz", "\t"),
    ],
)
def test_the_separator_is_found(text: str, name: str, sign: str) -> None:
    assert separator_of(name, text) == sign


def test_titles_become_names_for_paths() -> None:
    table = _table("First Name,First Name,,Größe (cm)\n1,2,3,4\n")
    assert table.columns == ("First_Name", "First_Name_2", "column_3", "Größe_cm")


@pytest.mark.parametrize(
    "data", ["a\né\n".encode("utf-8-sig"), "a\né\n".encode("utf-16"), "a\né\n".encode()]
)
def test_unicode_is_recognised(data: bytes) -> None:
    assert _cells(_table(data)) == [("é",)]


def test_the_sites_encoding_is_used_and_else_the_byte_is_named() -> None:
    data = "a\né\n".encode("latin-1")
    assert _cells(_table(data, site=Site(encoding="latin-1"))) == [("é",)]
    with pytest.raises(Unreadable, match="byte 2"):
        _table(data)


def test_rows_of_the_wrong_length_or_with_open_quotes_are_faulty_and_alone() -> None:
    table = _table('a,b\n1\n2,3\n4,5,6\n\n"7,8\n')
    rows = list(table.rows(LIMITS.messages))
    assert [(row.number, bool(row.fault)) for row in rows] == [
        (1, True),
        (2, False),
        (3, True),
        (4, True),
    ]


@pytest.mark.parametrize("text", ["", '"', '"a'])
def test_a_table_without_a_header_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="header"):
        _table(text)


def test_a_header_of_countless_columns_is_refused() -> None:
    with pytest.raises(Unreadable, match="columns"):
        _table("a," * 5_000 + "\n")


def test_an_enormous_cell_is_a_faulty_row() -> None:
    table = _table("a,b\n" + "x" * 2_000_000 + ",1\n2,3\n")
    assert next(bool(row.fault) for row in table.rows(LIMITS.messages))


def test_empty_cells_give_no_branch_but_every_column_is_known() -> None:
    table = _table("a,b\n1, \n")
    branch = table.branch(Row(1, "", ("1", " ")))
    assert [one.name for one in branch.branches()] == ["@table", "columns", "a"]
    assert list(branch.inner["columns"][0].inner) == ["a", "b"]
