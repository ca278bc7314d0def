"""Proving: what needs the optional extra ``proofs``.

groth16py (GPL-3.0, https://pypi.org/project/groth16py/), imported in this module alone, proves with
arkworks. Verifying needs none of it: a ledger node does that. Everything secret stays in this
process: the witness passes through memory, not through a file system.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from simdes.errors import Invalid
from simdes.proofs.extra import extra
from simdes.proofs.keys import Keys
from simdes.proofs.poseidon import FIELD
from simdes.proofs.witness import witness

PROOF_BYTES: Final = 256


def prove(keys: Keys, signals: Mapping[str, Any], public: Sequence[int]) -> bytes:
    """Prove that the signals satisfy the circuit; `public` are its public inputs in order.

    Returns A, B, C as EIP-197 orders them, 256 bytes. Raises Invalid where the statement is not
    true, Unavailable without the extra.
    """
    module = _module()
    proving_key, verifier = _loaded(keys)
    content = witness(keys.circuit_code, signals)
    memory = os.memfd_create("witness")
    try:
        with os.fdopen(os.dup(memory), "wb") as file:
            file.write(content)
        proof: bytes = module.prove_wtns(proving_key, f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)
    # The prover proves anything, also what isn't so: nobody but a verifier notices.
    if not verifier.verify(proof, list(public)):
        raise Invalid("what is to be proved is not true")
    return proof


def holds(keys: Keys, proof: bytes, public: Sequence[int]) -> bool:
    """Whether a proof holds for these public inputs; False for anything malformed.

    An input that is no element of the field is refused, never reduced: else one statement would
    have many names. Raises Unavailable without the extra.
    """
    _, verifier = _loaded(keys)
    inputs = keys.verification_key()["nPublic"]
    if len(proof) != PROOF_BYTES or len(public) != inputs:
        return False
    if not all(0 <= one < FIELD for one in public):
        return False
    try:
        return bool(verifier.verify(proof, list(public)))
    except (ValueError, _module().EncodingError, _module().VerificationError):
        return False


@lru_cache(maxsize=8)
def _loaded(keys: Keys) -> tuple[Any, Any]:
    module = _module()
    proving_key, verifying_key = module.import_zkey(str(keys.proving_key))
    return proving_key, module.Verifier(verifying_key)


def _module() -> Any:
    return extra("groth16py")
