"""The turn in which processes write to one SQLite file."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path

import pytest

from simdes.budget import within
from simdes.errors import Unavailable
from simdes.index.database import open_database


def test_who_waits_for_a_process_that_hangs_is_told_in_time(tmp_path: Path) -> None:
    database = open_database(f"sqlite:{tmp_path / 'one.db'}")
    with (tmp_path / "one.db-turn").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        begun = time.monotonic()
        with (
            within(0.0),
            pytest.raises(Unavailable, match="Another process"),
            database.transaction(),
        ):
            pytest.fail("two processes write at once")
        assert time.monotonic() - begun < 5
    database.write(lambda tx: tx.run("CREATE TABLE one (a INTEGER)"))
    database.close()
