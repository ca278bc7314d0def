"""The circuits' keys: which are pinned, where they lie, whether they may be used.

A proving key is the outcome of a ceremony in which one honest contributor is enough: whoever knew
all contributions could forge proofs. The keys that ship were made by one machine for development;
anybody must assume that they are forgeable, and they are refused outside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from simdes.errors import Invalid, NotFound, Tampered

CIRCUITS: Final = ("dispense", "disclosure", "cohort", "claim", "settle", "free")
SOURCES: Final = Path(__file__).parent / "circuits"
SHIPPED: Final = Path(__file__).parent / "development"
MANIFEST: Final = "manifest.json"
FILES: Final = ("proving_key.zkey", "circuit.wasm", "verification_key.json")


@dataclass(frozen=True, slots=True)
class Keys:
    """One circuit's keys, their digests checked; `development` keys are forgeable."""

    circuit: str
    folder: Path
    development: bool

    @property
    def proving_key(self) -> Path:
        """The ceremony's outcome (snarkjs' .zkey)."""
        return self.folder / FILES[0]

    @property
    def circuit_code(self) -> Path:
        """The compiled circuit, which computes witnesses."""
        return self.folder / FILES[1]

    def verification_key(self) -> dict[str, Any]:
        """The verification key in snarkjs' form."""
        found: dict[str, Any] = json.loads((self.folder / FILES[2]).read_bytes())
        return found


def load(circuit: str, folder: Path = SHIPPED, *, allow_development: bool = False) -> Keys:
    """The keys of a circuit from a folder with a manifest.

    Raises NotFound where there are none, Tampered where a digest differs, Invalid for development
    keys where they aren't allowed.
    """
    manifest = _manifest(folder)
    pinned = manifest.get("circuits", {}).get(circuit)
    if pinned is None:
        raise NotFound(f"there are no keys of the circuit {circuit}")
    for name in FILES:
        if pinned.get(name) != digest_of(folder / circuit / name):
            raise Tampered(
                f"{circuit}/{name} is not the file whose digest was pinned",
                advice="Take the keys again from those who held the ceremony.",
            )
    # A copy of what ships stays what it is, whatever its manifest says.
    development = bool(manifest["development"]) or pinned[FILES[0]] in _shipped()
    if development and not allow_development:
        raise Invalid(
            "these are development keys, whose proofs can be forged",
            advice="Hold a ceremony (`simdes ceremony`) and use its keys.",
        )
    return Keys(circuit, folder / circuit, development)


@cache
def _shipped() -> frozenset[str]:
    return frozenset(one[FILES[0]] for one in _manifest(SHIPPED)["circuits"].values())


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal. Raises NotFound."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise NotFound(f"the key file {path.name} is missing") from None


def write_manifest(
    folder: Path,
    *,
    development: bool,
    circuits: Sequence[str] = CIRCUITS,
    ceremony: str | None = None,
) -> None:
    """Pin what lies in a folder; `ceremony` is the digest of the transcript it comes from."""
    pinned = {
        circuit: {name: digest_of(folder / circuit / name) for name in FILES}
        for circuit in circuits
    }
    document: dict[str, Any] = {"v": 1, "development": development, "circuits": pinned}
    if ceremony is not None:
        document["ceremony"] = ceremony
    text = json.dumps(document, indent=1)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def pin_of(folder: Path = SHIPPED) -> bytes:
    """SHA-256 of a folder's manifest: 32 bytes that pin all keys in it. Raises NotFound."""
    return bytes.fromhex(digest_of(folder / MANIFEST))


def _manifest(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise NotFound(f"there are no proving keys in {folder.name}") from None
    except ValueError:
        raise Invalid("the manifest of the proving keys is not JSON") from None
    if not isinstance(found, dict) or found.get("v") != 1 or "development" not in found:
        raise Invalid("the manifest of the proving keys is of another version")
    return found
