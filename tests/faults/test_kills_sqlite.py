"""Killed at any point of the write path, on SQLite; see `cases`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faults.cases import SEEDS, SHARES, Stage, survives, survives_every_commit


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_writer_on_sqlite_loses_nothing_and_anchors_nothing_twice(
    sqlite_stage: Stage,
    tmp_path: Path,
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    survives(sqlite_stage, tmp_path, seed, record_property)


@pytest.mark.accept
@pytest.mark.parametrize("share", range(SHARES))
def test_a_writer_on_sqlite_killed_after_any_one_of_its_commits_loses_nothing(
    sqlite_stage: Stage,
    tmp_path: Path,
    share: int,
    record_property: Callable[[str, object], None],
) -> None:
    survives_every_commit(sqlite_stage, tmp_path, share, record_property)
