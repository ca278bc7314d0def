"""Folders for what is not anonymous yet: gone with the program that made them, however it ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simdes.exchange.research import passing

_ENDS_AT_ONCE = """
import os
from pathlib import Path
from simdes.exchange.research.passing import folder
with folder("release") as place:
    (place / "work").mkdir()
    (place / "work" / "Patient.ndjson").write_text("{}")
    os._exit(70)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    monkeypatch.setattr(passing.tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_program_left_that_was_ended_at_once_is_gone_at_the_next_start(
    temporary: Path,
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _ENDS_AT_ONCE],
        env={**os.environ, "TMPDIR": str(temporary)},
        check=False,
    )
    [left] = temporary.iterdir()
    assert ended.returncode == 70 and (left / "work" / "Patient.ndjson").exists()
    assert left.stat().st_mode & 0o777 == 0o700
    assert passing.sweep() == 1
    assert not left.exists()


def test_folders_in_use_and_those_of_others_stay(temporary: Path) -> None:
    others = [temporary / name for name in ("simdes-release-x", "simdes-", "simdes-other-y")]
    for one in others:
        one.mkdir()
    (others[2] / "lock").touch()
    (temporary / "simdes-open-z").symlink_to(others[2])
    with passing.folder("order") as place:
        assert passing.sweep() == 0
        assert place.is_dir()
    assert not place.exists()
    assert all(one.is_dir() for one in others) and (others[2] / "lock").exists()
