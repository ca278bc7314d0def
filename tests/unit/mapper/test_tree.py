"""Paths select branches as the sheets' language says."""

import pytest

from simdes.mapper.tree import BadPath, Branch, select, test

compiled = test  # pytest would take a function of that name for a test
del test


def _tree() -> Branch:
    root = Branch("document")
    for number, code in enumerate(("a", "b", "c"), 1):
        entry = root.add("entry")
        entry.add("@code", code)
        entry.add("id", f"id{number}").add("@root", "1.2")
    root.inner["entry"][1].add("note", "second")
    root.add("title", "A title")
    return root


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("title", ["A title"]),
        ("entry/id", ["id1", "id2", "id3"]),
        ("entry[@code=b]/id", ["id2"]),
        ("entry[@code=a,c]/id", ["id1", "id3"]),
        ("entry[@code!=a,c]/id", ["id2"]),
        ("entry[note]/id", ["id2"]),
        ("entry[!note]/id", ["id1", "id3"]),
        ("entry[!note and @code=c]/id", ["id3"]),
        ("entry[!note][@code=c]/id", ["id3"]),
        ("entry[id/@root=1.2]/@code", ["a", "b", "c"]),
        ("entry/*", ["id1", "id2", "second", "id3"]),
        ("entry/note/../id", ["id2"]),
        ("entry/note/^document/title", ["A title"]),
        ("entry/note or title", ["second"]),
        ("missing or title", ["A title"]),
        ("entry[note or missing]/id", ["id2"]),
        ("missing/deeper", []),
        ("^document", []),
        ("**[@root]", ["id1", "id2", "id3"]),
        (".", [None]),
    ],
)
def test_a_path_selects_what_it_says(path: str, values: list[str | None]) -> None:
    assert [branch.value for branch in select(path)(_tree())] == values


def test_a_condition_of_several_tests_needs_all() -> None:
    root = _tree()
    assert compiled("title and entry/@code=b")(root)
    assert not compiled("title and entry/@code=z")(root)
    assert not compiled("!title")(root)


@pytest.mark.parametrize(
    "path", ["", "a/", "a[b", "a]b[", "a[b]c", "/a", "a[]", "a b=c/[d]", "x=y"]
)
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        select(path)


def test_a_branch_tells_where_it_stands() -> None:
    root = _tree()
    second = select("entry[note]/id/@root")(root)[0]
    assert second.path() == "document/entry[2]/id/@root"
    assert second.path(root) == "entry[2]/id/@root"


def test_a_very_deep_tree_is_walked_without_recursion() -> None:
    root = branch = Branch("top")
    for _ in range(50_000):
        branch = branch.add("in")
    assert sum(1 for _ in root.below()) == 50_000


def test_a_path_may_ask_for_the_branchs_own_name_and_for_what_is_left() -> None:
    top = Branch("top")
    taken, left = top.add("a"), top.add("b")
    taken.add("c", "x").taken = True
    left.add("c", "y")
    assert select("rest::*")(top) == select("rest::b")(top) == [left]
    assert select("rest::a")(top) == []
    assert select("self::b")(left) == [left]
    assert select("self::b")(taken) == []


def test_new_is_what_nothing_was_made_of() -> None:
    root = Branch("top")
    used, left = root.add("entry"), root.add("entry")
    used.add("act").add("@code", "a").taken = True
    left.add("act").add("@code", "a")
    assert select("entry[new]")(root) == [left]
