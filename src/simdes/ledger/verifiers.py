"""Verifiers of proofs with other keys than the shipped ones, or with none.

A key is constants of a verifier's code. A form was compiled with placeholders, each pushed as a
whole word, in whose places a network's own numbers are put: that needs no compiler.
docs/operations/ceremony.md; the sources are written by ``tools/write_verifiers.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simdes.errors import Tampered
from simdes.ledger.abi import Artifact, artifact

_PUSH32: Final = b"\x7f"
_WORD: Final = 32
# PUSH0 PUSH0 MSTORE PUSH1 32 PUSH0 RETURN: whatever is asked, no.
_NEVER: Final = bytes.fromhex("5f5f5260205ff3")
# PUSH7 the code, PUSH0 MSTORE, PUSH1 7 PUSH1 25 RETURN.
_DEPLOY_NEVER: Final = b"\x66" + _NEVER + bytes.fromhex("5f5260076019f3")


def with_key(name: str, numbers: Mapping[int, int]) -> Artifact:
    """A verifier with a network's key: placeholder -> number of the key.

    Raises Tampered where the form's code does not have every placeholder.
    """
    form = artifact(f"{name}Form")
    made = (_replaced(code, numbers) for code in (form.bytecode, form.deployed))
    return _like(artifact(name), *made)


def without_key(name: str) -> Artifact:
    """A verifier that takes no proof: of a network for which nobody held a ceremony."""
    return _like(artifact(name), _DEPLOY_NEVER, _NEVER)


def _like(shipped: Artifact, bytecode: bytes, deployed: bytes) -> Artifact:
    return Artifact(
        {
            "contractName": shipped.name,
            "abi": shipped.abi,
            "bytecode": f"0x{bytecode.hex()}",
            "deployedBytecode": f"0x{deployed.hex()}",
        }
    )


def _replaced(code: bytes, numbers: Mapping[int, int]) -> bytes:
    made, copied = bytearray(), 0
    missing = set(numbers)
    at = 0
    while at < len(code):
        operation = code[at]
        length = operation - 0x5F if 0x60 <= operation <= 0x7F else 0
        word = int.from_bytes(code[at + 1 : at + 1 + length], "big")
        if length == _WORD and word in numbers:
            made += code[copied : at + 1] + numbers[word].to_bytes(_WORD, "big")
            copied = at + 1 + _WORD
            missing.discard(word)
        at += 1 + length
    if missing:
        raise Tampered("the verifier's code does not have a place for this key")
    return bytes(made + code[copied:])
