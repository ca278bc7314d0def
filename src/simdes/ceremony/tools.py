"""The two programs that a ceremony is held with: circom2 compiles, snarkjs calculates.

Both are npm packages under GPL-3.0 that who holds or checks a ceremony installs; they run as
programs of their own, and nothing of them is in this one. snarkjs' exit codes say little: what it
prints is read (https://github.com/iden3/snarkjs, 0.7).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simdes.errors import Invalid, Tampered, Unavailable

_LIMIT_SECONDS: Final = 3_600
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_CONTRIBUTION: Final = re.compile(
    r"contribution #(\d+)(?: (.*))?:\n((?:\s+(?:[0-9a-f]{8} ?){4}\n){4})"
    r"(?:.*Beacon generator: ([0-9a-f]+)\n.*Beacon iterations Exp: (\d+)\n)?"
)
_HASH: Final = re.compile(r"Contribution Hash: *\n((?:\s+(?:[0-9a-f]{8} ?){4}\n){4})")


@dataclass(frozen=True, slots=True)
class Found:
    """A contribution as snarkjs found it in a key; `beacon` is empty unless it is the last."""

    name: str
    hash: str
    beacon: str
    iterations: int


@dataclass(frozen=True, slots=True)
class Tools:
    """Where the programs are: each a command line's beginning."""

    circom: tuple[str, ...]
    snarkjs: tuple[str, ...]

    @classmethod
    def found(cls, folder: Path | None = None) -> Tools:
        """The programs in a folder with node_modules, else on the PATH. Raises Unavailable."""
        if folder is not None:
            modules = folder if folder.name == "node_modules" else folder / "node_modules"
            places = (modules / "circom2/cli.js", modules / "snarkjs/build/cli.cjs")
            node = shutil.which("node")
            if node is not None and all(place.is_file() for place in places):
                return cls(*((node, str(place.resolve())) for place in places))
        else:
            programs = [shutil.which(name) for name in ("circom2", "snarkjs")]
            if all(programs):
                return cls(*((str(one),) for one in programs))
        raise Unavailable(
            "circom2 or snarkjs is not here",
            advice="`npm install circom2 snarkjs` (GPL-3.0), and name the folder with --tools.",
        )

    def compile(self, source: Path, target: Path) -> tuple[bytes, bytes]:
        """Compile a circuit; return its constraints (.r1cs) and its code (.wasm)."""
        name = source.stem
        # circom2 sees the folder that it is started in, and what lies in it, alone.
        options = ("--r1cs", "--wasm", "--O1", "-o", str(target.resolve()))
        _run((*self.circom, source.name, *options), folder=source.parent)
        try:
            constraints = (target / f"{name}.r1cs").read_bytes()
            return constraints, (target / f"{name}_js/{name}.wasm").read_bytes()
        except FileNotFoundError:
            raise Invalid(f"the circuit {source.name} does not compile") from None

    def begin(self, constraints: Path, phase1: Path, key: Path) -> None:
        """Make a circuit's first key, which nobody contributed to. Raises Invalid."""
        said = self._snarkjs("groth16", "setup", constraints, phase1, key)
        if not key.exists() or "ERROR" in said:
            raise Invalid(
                "no key could be begun",
                advice="The file of phase 1 must be prepared for phase 2, and large enough.",
            )

    def contribute(self, before: Path, after: Path, *, name: str, entropy: bytes) -> str:
        """Add a contribution; return its hash (hex). What is random never shows in a process list.

        snarkjs adds randomness of the machine's own. Raises Tampered for a key that is none.
        """
        said = self._snarkjs(
            "zkey", "contribute", before, after, f"--name={name}", typed=entropy.hex()
        )
        return _hash_in(said)

    def beacon(self, before: Path, after: Path, *, beacon: bytes, iterations: int) -> str:
        """Add the beacon; return the contribution's hash (hex)."""
        said = self._snarkjs(
            "zkey", "beacon", before, after, beacon.hex(), str(iterations), "--name=beacon"
        )
        return _hash_in(said)

    def verify(self, constraints: Path, phase1: Path, key: Path) -> list[Found]:
        """Check a key from phase 1 and the circuit on; return its contributions, the first first.

        Raises Tampered where any step doesn't follow from the one before.
        """
        said = self._snarkjs("zkey", "verify", constraints, phase1, key)
        if "ZKey Ok!" not in said or "INVALID" in said:
            raise Tampered(
                f"{key.name} does not follow from phase 1, the circuit and its contributions",
                advice="Go back to the last state that verifies; do not use this key.",
            )
        found = {
            int(number): Found(name, _joined(digest), beacon, int(iterations or 0))
            for number, name, digest, beacon, iterations in _CONTRIBUTION.findall(said)
        }
        return [found[number] for number in sorted(found)]

    def verify_phase1(self, phase1: Path) -> None:
        """Check the file of phase 1. Raises Tampered."""
        if "Powers of Tau Ok!" not in self._snarkjs("powersoftau", "verify", phase1):
            raise Tampered("the file of phase 1 does not verify", advice="Get it again.")

    def export(self, key: Path, target: Path) -> None:
        """Write the verifying key of a proving key."""
        self._snarkjs("zkey", "export", "verificationkey", key, target)
        if not target.exists():
            raise Tampered(f"{key.name} holds no verifying key")

    def _snarkjs(self, *words: str | Path, typed: str = "") -> str:
        return _run((*self.snarkjs, *map(str, words)), typed=typed)


def _run(words: Sequence[str], *, folder: Path | None = None, typed: str = "") -> str:
    try:
        done = subprocess.run(  # noqa: S603 (our own words; no shell)
            words,
            cwd=folder,
            input=typed + "\n",
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise Unavailable(f"{Path(words[0]).name} could not be run, or took too long") from None
    return _COLOUR.sub("", done.stdout + done.stderr)


def _hash_in(said: str) -> str:
    found = _HASH.findall(said)
    if not found:
        raise Tampered(
            "the newest key takes no contribution",
            advice="Verify the ceremony; get the folder again from who contributed last.",
        )
    return _joined(found[-1])


def _joined(lines: str) -> str:
    return "".join(lines.split())
