"""Killed at any point of the write path, on SQLite; see `cases`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faults.cases import SEEDS, Stage, survives


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_writer_on_sqlite_loses_nothing_and_anchors_nothing_twice(
    sqlite_stage: Stage,
    tmp_path: Path,
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    survives(sqlite_stage, tmp_path, seed, record_property)
