"""Exit codes and what is printed: every failure has a code, text is never read as markup."""

from __future__ import annotations

import json

import pytest

from simdes import console, errors

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.SimdesError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_failure_has_its_exit_code_issue_and_advice(kind: type[errors.SimdesError]) -> None:
    assert console.exit_code(kind("x")) != 0
    assert kind.issue
    assert kind("x").advice
    assert (console.exit_code(kind("x")) == 1) == (kind is errors.SimdesError)


def test_a_subclass_exits_like_its_parent() -> None:
    class Reverted(errors.Conflict):
        pass

    assert console.exit_code(Reverted("x")) == console.exit_code(errors.Conflict("x"))


def test_json_shows_ids_as_hex_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"id": b"\x01\xff", "names": {"é"}})
    assert json.loads(capsys.readouterr().out) == {"id": "0x01ff", "names": ["é"]}


def test_text_is_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("[red]not red[/red]")
    assert "[red]not red[/red]" in capsys.readouterr().out


def test_times_are_written_as_readers_do() -> None:
    assert console.instant(1_795_373_406) == "2026-11-22 18:50:06 UTC"


def test_nothing_that_is_printed_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[2J\x07\x00\x7f\x9b2K\u202eevil\u2066"
    console.say(hostile)
    console.warn(hostile)
    console.show_error(errors.Invalid(hostile, advice=hostile))
    console.print_table(hostile, ("a",), [(hostile,)])
    console.print_json({hostile: hostile})
    said = capsys.readouterr()
    assert not set("\x1b\x07\x00\x7f\x9b\u202e\u2066") & set(said.out + said.err)
    assert "\\x1b[2J" in said.out
    assert "\\u202eevil" in said.err


def test_json_keeps_what_it_spells_out(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = {"\x9b": ["\x7f\u202e\x1b", "é\n"]}
    console.print_json(hostile)
    assert json.loads(capsys.readouterr().out) == hostile
