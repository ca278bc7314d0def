"""Prove what contracts/test/halmos says, for all states, callers and arguments.

    make halmos && python -m tools.prove_contracts

halmos (https://github.com/a16z/halmos, AGPL-3.0, a tool in a place of its own) executes contracts
on symbols and asks a solver whether an assertion can fail. Functions `check_…` must hold; functions
`refute_…` must be found false, which shows that what is proved can happen at all.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
HALMOS = ROOT / ".tools/halmos/bin/halmos"
FORGE = ROOT / "node_modules/@foundry-rs/forge-linux-amd64/bin/forge"
LIMIT_SECONDS = 1_200


def outcomes(prefix: str) -> dict[str, str]:
    """Run all functions of a prefix; PASS, FAIL or another word of halmos for each."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "forge").symlink_to(FORGE)  # halmos calls forge by its name
        path = f"{folder}:{HALMOS.resolve().parent}:{os.environ['PATH']}"
        done = subprocess.run(  # noqa: S603
            [HALMOS, "--root", ROOT, "--forge-build-out", "contracts/out/halmos",
             "--function", prefix, "--solver", "yices", "--no-status"],
            cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
            env=os.environ | {
                "PATH": path,
                "FOUNDRY_CONFIG": str(ROOT / "contracts/halmos.toml"),
                "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1",
                "NO_COLOR": "1",
            },
        )  # fmt: skip
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    found = dict(reversed(one) for one in re.findall(r"^\[(\w+)\] (\w+)\(", plain, re.MULTILINE))
    if not found:
        raise RuntimeError(plain[-2_000:] + done.stderr[-2_000:])
    for line in re.findall(r"^\[\w+\] .*", plain, re.MULTILINE):
        print(line)
    return found


def main() -> int:
    """Return 0 where all is proved and all is refuted that must be."""
    proved, refuted = outcomes("check_"), outcomes("refute_")
    wrong = [name for name, outcome in proved.items() if outcome != "PASS"]
    wrong += [name for name, outcome in refuted.items() if outcome != "FAIL"]
    for name in wrong:
        print(f"not as it must be: {name}", file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
