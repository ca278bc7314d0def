"""Running a compiled circuit on its inputs: every signal's value, in snarkjs' witness file form.

The interface is that of circom 2's WebAssembly
(https://docs.circom.io/getting-started/computing-the-witness/), run by wasmtime, an optional
dependency of the extra ``proofs``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Final

from simdes.errors import Invalid
from simdes.proofs.extra import extra
from simdes.proofs.poseidon import FIELD

_BYTES: Final = 32
_FNV_OFFSET, _FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3


def witness(circuit: Path, signals: Mapping[str, Any]) -> bytes:
    """Compute the witness of a circuit (its .wasm) for these inputs: numbers or nested lists.

    Raises Invalid where an assertion of the circuit fails, a signal is missing or unknown.
    """
    return b"".join(_sections(_Run(circuit), signals))


def _sections(run: _Run, signals: Mapping[str, Any]) -> Iterator[bytes]:
    values = run.values(signals)
    count = len(values) // _BYTES
    head = _BYTES.to_bytes(4, "little") + FIELD.to_bytes(_BYTES, "little")
    yield b"wtns" + (2).to_bytes(4, "little") + (2).to_bytes(4, "little")
    for number, content in ((1, head + count.to_bytes(4, "little")), (2, values)):
        yield number.to_bytes(4, "little") + len(content).to_bytes(8, "little") + content


class _Run:
    """One instance of a circuit; it holds what it calculated until it goes."""

    def __init__(self, circuit: Path) -> None:
        wasmtime, engine, module = _compiled(circuit)
        self._store = wasmtime.Store(engine)
        self._trap = (wasmtime.Trap, wasmtime.WasmtimeError)
        # The circuit reports an error by a call and goes on; the first one ends the run here.
        self._failed = False
        imports = [
            wasmtime.Func(self._store, one.type, self._note if i == 0 else _ignore)
            for i, one in enumerate(module.imports)
        ]
        self._exports = wasmtime.Instance(self._store, module, imports).exports(self._store)
        memory = self._exports["memory"]
        self._start = memory.data_ptr(self._store)
        self._shared = self._call("getSharedRWMemoryStart")

    def _note(self, *_: int) -> None:
        self._failed = True

    def _call(self, name: str, *arguments: int) -> int:
        try:
            result = self._exports[name](self._store, *arguments)
        except self._trap:
            self._failed = True
        if self._failed:
            raise Invalid("what is to be proved is not true")
        return int(result or 0)

    def _words(self) -> Any:
        address = ctypes.addressof(self._start.contents) + self._shared
        return (ctypes.c_char * _BYTES).from_address(address)

    def values(self, signals: Mapping[str, Any]) -> bytes:
        """All signals' values, 32 bytes each, little-endian."""
        self._call("init", 1)
        given = 0
        for name, value in signals.items():
            high, low = divmod(_fnv(name), 2**32)
            for index, number in enumerate(_flat(value)):
                if not 0 <= number < FIELD:
                    raise Invalid("an input of the circuit is no element of the field")
                self._words()[:] = number.to_bytes(_BYTES, "little")
                self._call("setInputSignal", _signed(high), _signed(low), index)
                given += 1
        if given != self._call("getInputSize"):
            raise Invalid("an input of the circuit is missing")
        found = bytearray()
        for index in range(self._call("getWitnessSize")):
            self._call("getWitness", index)
            found += self._words().raw
        return bytes(found)


@lru_cache(maxsize=8)
def _compiled(circuit: Path) -> tuple[Any, Any, Any]:
    """wasmtime, its engine and the circuit as its module. Raises Unavailable without the extra."""
    wasmtime = extra("wasmtime")
    engine = wasmtime.Engine()
    return wasmtime, engine, wasmtime.Module.from_file(engine, str(circuit))


def _ignore(*_: int) -> None:
    """What the circuit would print."""


def _fnv(name: str) -> int:
    """FNV-1a of 64 bits, by which circom names signals."""
    value = _FNV_OFFSET
    for octet in name.encode():
        value = (value ^ octet) * _FNV_PRIME % 2**64
    return value


def _signed(word: int) -> int:
    return word - 2**32 if word >= 2**31 else word


def _flat(value: Any) -> Iterator[int]:
    if isinstance(value, list):
        return chain.from_iterable(map(_flat, value))
    return iter((value,))
