"""`simdes claim x12` and `simdes claim remittance` as an insurer's clearing desk uses them.

Commands run as the program does, in this process: what is printed, what is written, exit codes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simdes import app
from simdes.cli import main
from simdes.exchange.claims import billing_desk
from support.claim_scene import CLERKS, Visit
from support.claiming import unbalanced_835
from support.consortium import Clock, Consortium, own_settings, passphrase_of
from unit.exchange.claims.conftest import Visiting
from unit.exchange.claims.test_inquiring import MEMBERS, SELF
from unit.exchange.claims.test_x12 import INQUIRY
from unit.mapper.x12.samples import FOLDER
from unit.mapper.x12.samples import one as x12

REFUSED, NOT_FOUND, BAD_INPUT, TAMPERED, CONFLICT = 3, 4, 5, 7, 8


@dataclass(frozen=True, slots=True)
class Told:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Told]


@pytest.fixture
def run(
    founded: tuple[Consortium, Clock, Path],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    """Give a command of ``claim`` at an insurer, or wherever, and wait for its end."""
    network, clock, folder = founded
    opened = app.opened
    monkeypatch.setattr(app, "opened", lambda data: opened(data, clock=clock))

    def run(verb: str, *words: object, at: str = "east", user: str = CLERKS["east"]) -> Told:
        asked = ["claim", verb, *map(str, words), "--data", str(folder / at)]
        monkeypatch.setattr(sys, "argv", ["simdes", *asked, *(["--user", user] if user else [])])
        monkeypatch.setenv("SIMDES_USER_PASSPHRASE", passphrase_of(user))
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        network.up(at)  # the command shut its custody API when it ended
        told = capfd.readouterr()
        assert "Traceback" not in told.err
        return Told(int(ended.value.code or 0), told.out, told.err)

    with own_settings():
        yield run


def files_of(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in sorted(folder.iterdir())}


def question(path: Path, number: str = "unknown") -> Path:
    """A status inquiry about a claim's number, in a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(x12("276", INQUIRY.format(trace="T1", number=number)))
    return path


# Questions ------------------------------------------------------------------------------------


def test_a_question_is_answered_in_a_file_that_is_named(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "new" / "answers"
    told = run("x12", question(tmp_path / "q.276"), "--out", out, "--sender", "EAST-7")
    assert (told.code, told.out) == (0, f"{out / '001.277'}: 1 transactions\n"), told.err
    [content] = files_of(out).values()
    assert b"STC*D0:35*" in content
    assert b"~TRN*2*T1~" in content
    assert b"*ZZ*EAST7          *ZZ*SENDER " in content[:106]


def test_a_folder_of_questions_is_answered_as_json(
    run: Run, network: Consortium, tmp_path: Path
) -> None:
    network.submit("east", "members.834", x12("834", MEMBERS))
    asked, out = tmp_path / "asked", tmp_path / "answers"
    question(asked / "b.276")
    (asked / "a.270").write_bytes(x12("270", SELF))
    told = run("x12", asked, "--out", out, "--json")
    assert told.code == 0, told.err
    assert json.loads(told.out) == [
        {"file": str(out / "001.271"), "kind": "271", "transactions": 1},
        {"file": str(out / "002.277"), "kind": "277", "transactions": 1},
    ]
    assert list(files_of(out)) == ["001.271", "002.277"]


def test_nothing_of_an_earlier_run_is_replaced(run: Run, tmp_path: Path) -> None:
    asked, out = question(tmp_path / "q.276"), tmp_path / "out"
    assert run("x12", asked, "--out", out).code == 0
    before = files_of(out)
    told = run("x12", asked, "--out", out)
    assert (told.code, files_of(out)) == (CONFLICT, before)
    assert "001.277 exists already" in told.err
    told = run("x12", asked, "--out", asked)
    assert told.code == CONFLICT


def rubbish(tmp_path: Path) -> dict[str, tuple[list[Path], int, str]]:
    """Inputs, the exit code, what is said."""
    good = question(tmp_path / "good.276")
    nonsense, empty, folder = tmp_path / "nonsense", tmp_path / "empty", tmp_path / "folder"
    nonsense.write_bytes(b"\x00\xffnonsense" * 9)
    empty.write_bytes(b"")
    folder.mkdir()
    torn = tmp_path / "torn.276"
    torn.write_bytes(good.read_bytes()[:-40])
    claim = FOLDER / "demo/demo.837"
    return {
        "nonsense": ([nonsense], BAD_INPUT, "nonsense can't be read whole"),
        "empty": ([empty], BAD_INPUT, "empty can't be read whole"),
        "torn": ([torn], BAD_INPUT, "torn.276 can't be read whole"),
        "good and nonsense": ([good, nonsense], BAD_INPUT, "nonsense can't be read whole"),
        "an empty folder": ([folder], NOT_FOUND, "Nothing is asked"),
        "a claim": ([claim], NOT_FOUND, "Nothing is asked"),
        "no such file": ([tmp_path / "gone"], NOT_FOUND, "does not exist"),
    }


@pytest.mark.parametrize(
    "case",
    [
        "nonsense",
        "empty",
        "torn",
        "good and nonsense",
        "an empty folder",
        "a claim",
        "no such file",
    ],
)
def test_what_is_no_question_is_said_and_nothing_is_written(
    run: Run, tmp_path: Path, case: str
) -> None:
    sources, code, said = rubbish(tmp_path)[case]
    told = run("x12", *sources, "--out", tmp_path / "out", "--json")
    assert (told.code, told.out) == (code, "")
    assert said in told.err
    assert not (tmp_path / "out").exists()


def test_a_command_line_without_a_folder_for_answers_is_refused(run: Run, tmp_path: Path) -> None:
    told = run("x12", question(tmp_path / "q.276"))
    assert (told.code, told.out) == (2, "")
    assert "--out" in told.err


# Remittances ----------------------------------------------------------------------------------


@pytest.fixture
def paid(visiting: Visiting) -> tuple[Visit, str]:
    """A visit whose claim is paid, and the claim's number."""
    visit = visiting()
    claim = visit.disclosed()
    number = str(visit.shown(claim).claim["identifier"][0]["value"])
    visit.decide(claim)
    billing_desk.accept(visit.node("north"), visit.biller, claim)
    visit.settle(claim)
    return visit, number


def test_remittances_are_written_a_file_each_provider(
    run: Run, paid: tuple[Visit, str], tmp_path: Path
) -> None:
    visit, number = paid
    out = tmp_path / "out"
    told = run("remittance", "--out", out, "--sender", "EAST-7", "--json")
    assert told.code == 0, told.err
    [row] = json.loads(told.out)
    assert (row["file"], row["kind"]) == (str(out / "001.835"), "835")
    [content] = files_of(out).values()
    assert unbalanced_835(content) == []
    assert content.count(b"~ST*835*") == row["transactions"]
    assert f"~CLP*{number}*1*320.00*153.00*167.00*ZZ*".encode() in content
    assert content[:106].count(b"EAST7") == 1

    today = datetime.fromtimestamp(visit.clock(), UTC).date().isoformat()
    told = run("remittance", "--out", tmp_path / "day", "--from", today, "--to", today)
    assert told.code == 0, told.err
    assert told.out.startswith(f"{tmp_path / 'day' / '001.835'}: ")
    told = run("remittance", "--out", out)
    assert (told.code, files_of(out)) == (CONFLICT, {"001.835": content})


SPANS: dict[str, tuple[tuple[str, ...], int]] = {
    "before anything was paid": (("--to", "2001-01-01"), NOT_FOUND),
    "not yet": (("--from", "2999-01-01"), NOT_FOUND),
    "no day": (("--from", "yesterday"), BAD_INPUT),
    "a year": (("--from", "2026"), BAD_INPUT),
    "a day that is none": (("--to", "2026-02-30"), BAD_INPUT),
    "more than a day": (("--to", "2026-02-03T10:00:00Z"), BAD_INPUT),
    "from behind to": (("--from", "2026-03-02", "--to", "2026-03-01"), BAD_INPUT),
}


@pytest.mark.parametrize("case", SPANS)
def test_days_without_payments_or_that_are_none_write_nothing(
    run: Run, tmp_path: Path, case: str
) -> None:
    words, code = SPANS[case]
    told = run("remittance", *words, "--out", tmp_path / "out", "--json")
    assert (told.code, told.out) == (code, ""), told.err
    assert not (tmp_path / "out").exists()


# Who may --------------------------------------------------------------------------------------


WHO: dict[str, dict[str, Any]] = {
    "nobody": {"user": ""},
    "a stranger": {"user": "nobody.here"},
    "the insurer's administrator": {"user": app.ADMINISTRATOR},
    "a doctor": {"at": "north", "user": "dr.north"},
}


@pytest.mark.parametrize("who", WHO)
def test_who_is_no_claims_clerk_gets_nothing(run: Run, tmp_path: Path, who: str) -> None:
    out = tmp_path / "out"
    for words in (("x12", question(tmp_path / "q.276")), ("remittance",)):
        told = run(*words, "--out", out, "--json", **WHO[who])
        assert (told.code, told.out) == (REFUSED, ""), told.err
        assert told.err
    assert not out.exists()
