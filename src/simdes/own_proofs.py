"""Which verifiers of proofs a network is founded with, and what pins the keys that they are of.

A ceremony's keys (docs/operations/ceremony.md); the shipped ones, by which proofs can be forged,
for networks of demo delays alone; else none, and no proof is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from simdes.ledger.abi import Artifact
from simdes.ledger.network import NO_KEYS
from simdes.ledger.verifiers import with_key, without_key
from simdes.proofs import keys
from simdes.proofs.verification_keys import numbers_of, placeholders, require_sound

VERIFIERS: Final = {name: f"{name.capitalize()}Verifier" for name in keys.CIRCUITS}
"""Circuit -> the contract that verifies its proofs."""


def verifiers_for(folder: Path | None, *, development: bool) -> tuple[list[Artifact], bytes]:
    """The verifiers in place of the shipped ones, and the pin of their keys.

    Raises what `keys.load` raises, also for development keys in a folder; Tampered for a key that
    isn't sound.
    """
    if folder is not None:
        return [_verifier(circuit, folder) for circuit in VERIFIERS], keys.pin_of(folder)
    if development:
        return [], keys.pin_of()
    return [without_key(name) for name in VERIFIERS.values()], NO_KEYS


def _verifier(circuit: str, folder: Path) -> Artifact:
    key = keys.load(circuit, folder).verification_key()
    shipped = keys.load(circuit, allow_development=True).verification_key()
    require_sound(circuit, key, inputs=shipped["nPublic"])
    places = placeholders(shipped["nPublic"])
    return with_key(VERIFIERS[circuit], dict(zip(places, numbers_of(key), strict=True)))
