"""Runs the contracts' own tests (contracts/test), so that `make test` covers them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from tools import prove_contracts

REPOSITORY = Path(__file__).parents[3]
TESTS = REPOSITORY / "contracts/test"
LEAST_TESTS = 250


def forge_test(profile: str, timeout_seconds: int) -> str:
    done = subprocess.run(
        [str(REPOSITORY / "contracts/forge"), "test"],
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
        env=os.environ | {"FOUNDRY_PROFILE": profile, "NO_COLOR": "1"},
    )
    failures = re.findall(r"\[FAIL.*", done.stdout)
    assert done.returncode == 0, "\n".join(failures) or done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_contracts_pass_their_tests() -> None:
    output = forge_test("default", 600)
    summary = re.search(r"(\d+) tests passed, 0 failed, 0 skipped", output)
    assert summary is not None
    assert int(summary.group(1)) >= LEAST_TESTS


@pytest.mark.accept
def test_the_contracts_pass_many_more_runs() -> None:
    assert re.search(r"tests passed, 0 failed, 0 skipped", forge_test("accept", 7200))


@pytest.mark.accept
def test_the_limits_are_proved_for_every_order_of_calls() -> None:
    assert prove_contracts.main() == 0


def test_every_verb_has_its_test() -> None:
    text = "".join(path.read_text() for path in TESTS.rglob("*.t.sol"))
    for path in (REPOSITORY / "contracts/src/interfaces").glob("I*.sol"):
        for verb in re.findall(r"^    function (\w+)\(", path.read_text(), re.MULTILINE):
            assert re.search(rf"\b{verb}\b", text), f"{path.stem}.{verb} is in no test"


def test_the_sources_are_formatted_and_free_of_warnings() -> None:
    forge = str(REPOSITORY / "contracts/forge")
    for arguments in (["fmt", "--check"], ["lint"]):
        done = subprocess.run(
            [forge, *arguments], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:]
        assert "warning[" not in done.stdout + done.stderr
