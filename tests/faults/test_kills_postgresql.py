"""Killed at any point of the write path, on PostgreSQL; see `cases`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faults.cases import SEEDS, SHARES, Stage, survives, survives_every_commit


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_writer_on_postgresql_loses_nothing_and_anchors_nothing_twice(
    postgresql_stage: Stage,
    tmp_path: Path,
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    survives(postgresql_stage, tmp_path, seed, record_property)


@pytest.mark.accept
@pytest.mark.parametrize("share", range(SHARES))
def test_a_writer_on_postgresql_killed_after_any_one_of_its_commits_loses_nothing(
    postgresql_stage: Stage,
    tmp_path: Path,
    share: int,
    record_property: Callable[[str, object], None],
) -> None:
    survives_every_commit(postgresql_stage, tmp_path, share, record_property)
