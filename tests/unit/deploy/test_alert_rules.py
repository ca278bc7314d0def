"""Alerts as Prometheus itself reads them (`make promrules`: its own parser, built with Go)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ALERTS = ROOT / "deploy" / "observability" / "alerts.yaml"
PROGRAM = ROOT / ".tools" / "promrules" / "promrules"

pytestmark = pytest.mark.accept


def read(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, path], capture_output=True, text=True, check=False)


def test_prometheus_takes_every_alert() -> None:
    done = read(ALERTS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"{ALERTS.read_text().count('- alert:')} rules\n")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("expr: ", "expr: sum(("),
        ("    for: ", "    fur: "),
        ("$labels.instance }}", "$labels.instance"),
    ],
    ids=["an expression", "a member", "a template"],
)
def test_it_would_notice_a_mistake(right: str, wrong: str, tmp_path: Path) -> None:
    text = ALERTS.read_text()
    assert right in text
    changed = tmp_path / "alerts.yaml"
    changed.write_text(text.replace(right, wrong, 1))
    assert read(changed).returncode == 1
