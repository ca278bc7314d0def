"""The disaster drill (`make drill`): killed while it wrote and was backed up, lost, restored."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.gateways import variables

ROOT = Path(__file__).parents[2]


@pytest.mark.accept
@pytest.mark.parametrize("seconds", [1, 6])
def test_nothing_acknowledged_before_a_backup_is_lost_and_nothing_is_half(
    seconds: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    asked = ("--json", "--seconds", str(seconds), "--folder", str(tmp_path / "drill"))
    done = subprocess.run(
        [sys.executable, "-m", "tools.drill", *asked],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=variables({"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}),
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    facts = json.loads(done.stdout)
    assert facts["acknowledged"] > 0
    assert facts["restored"]["anchors"]["wrong"] == []
    assert facts["read_elsewhere"] > 0
    record_property("drill", facts)
