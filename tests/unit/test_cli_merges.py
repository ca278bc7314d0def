"""`simdes merge` as a patient types it, and what an administrator's `quarantine show` adds."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from simdes.cli import main
from simdes.index.vaults import Identifier, find
from support import consortium
from support.bundles import SYSTEM, bundle
from support.consortium import passphrase_of
from unit.exchange.test_merging import merge

NOT_FOUND, BAD_INPUT, CONFLICT = 4, 5, 8


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Hospital north, which says that vera's record and one that is nobody's are one person's."""
    folder = tmp_path_factory.mktemp("merges") / "network"
    consortium.found(folder, names=("north", "south"))
    with consortium.own_settings(), consortium.opened(folder) as network:
        for one in ("number-old-417", "number-new-932"):
            network.submit("north", f"{one}.json", bundle(one))
        network.settle()
        with network["north"].node.database.read() as tx:
            vault = find(tx, Identifier(SYSTEM, "number-old-417"))
        assert vault is not None
        network.enrol(vault, "vera")
        network.submit("north", "merge", merge("number-new-932", "number-old-417"))
    yield folder / "north"


def run(data: Path, *words: object, user: str = "vera", expect: int = 0) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SIMDES_")}
    if user:
        words = (*words, "--user", user)
        kept["SIMDES_USER_PASSPHRASE"] = passphrase_of(user)
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, kept, clear=True),
        mock.patch.object(sys, "argv", ["simdes", *map(str, words), "--data", str(data)]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert int(ended.value.code or 0) == expect, (words, out.getvalue(), err.getvalue())
    return out.getvalue()


def answer(data: Path, *words: object, **more: Any) -> Any:
    return json.loads(run(data, *words, "--json", **more))


def test_a_patient_reads_accepts_and_an_administrator_carries_it_out(data: Path) -> None:
    [asked] = answer(data, "merge", "list")
    assert (asked["answer"], asked["state"]) == ("waiting", "waiting")
    number = asked["id"]
    shown = answer(data, "merge", "show", number)
    assert shown["kept"]["numbers"] == ["number-old-417"] and shown["kept"]["mine"]
    assert shown["moved"]["numbers"] == ["…932"] and not shown["moved"]["mine"]
    assert "number-new-932" not in run(data, "merge", "show", number)
    [document] = answer(data, "quarantine", "list", user="")["entries"]
    told = answer(data, "quarantine", "show", document["id"], user="")["merge"]
    assert [(one["user"], one["answer"]) for one in told["people"]] == [("vera", "waiting")]
    assert "vera" in run(data, "quarantine", "show", document["id"], user="")
    assert answer(data, "merge", "accept", number)["answer"] == "accepted"
    run(data, "merge", "accept", number, expect=CONFLICT)
    replayed = answer(data, "quarantine", "replay", document["id"], "--no-wait", user="")
    assert replayed["refused"] == 0
    assert answer(data, "merge", "list")[0]["state"] == "moved"
    run(data, "merge", "withdraw", number, expect=CONFLICT)


def test_what_is_no_question_of_yours_is_refused(data: Path) -> None:
    [asked] = answer(data, "merge", "list")
    run(data, "merge", "show", "0x12", expect=BAD_INPUT)
    run(data, "merge", "decline", "0x" + "00" * 32, expect=NOT_FOUND)
    run(data, "merge", "show", asked["id"], user="admin", expect=NOT_FOUND)
