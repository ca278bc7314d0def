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
_PAGE: Final = 65_536
_GATHER: Final = """(module
  (import "" "" (func $get (param i32)))
  (import "" "" (memory 0))
  (func (export "gather") (param $count i32) (param $from i32) (param $to i32)
    (local $index i32)
    (loop $next
      (call $get (local.get $index))
      (memory.copy (local.get $to) (local.get $from) (i32.const 32))
      (local.set $to (i32.add (local.get $to) (i32.const 32)))
      (local.set $index (i32.add (local.get $index) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $index) (local.get $count))))))"""
"""Copies every signal's value: asking for each from Python took a quarter of a proof's time."""
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
        wasmtime, engine, module, gather = _compiled(circuit)
        self._store = wasmtime.Store(engine)
        self._trap = (wasmtime.Trap, wasmtime.WasmtimeError)
        # The circuit reports an error by a call and goes on; the first one ends the run here.
        self._failed = False
        imports = [
            wasmtime.Func(self._store, one.type, self._note if i == 0 else _ignore)
            for i, one in enumerate(module.imports)
        ]
        self._exports = wasmtime.Instance(self._store, module, imports).exports(self._store)
        self._memory = self._exports["memory"]
        asked = [self._exports["getWitness"], self._memory]
        self._gather = wasmtime.Instance(self._store, gather, asked).exports(self._store)["gather"]
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
        address = ctypes.addressof(self._memory.data_ptr(self._store).contents) + self._shared
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
        count = self._call("getWitnessSize")
        first = self._memory.grow(self._store, -(-count * _BYTES // _PAGE)) * _PAGE
        self._gather(self._store, count, self._shared, first)
        return bytes(self._memory.read(self._store, first, first + count * _BYTES))


@lru_cache(maxsize=8)
def _compiled(circuit: Path) -> tuple[Any, Any, Any, Any]:
    """wasmtime, its engine, the circuit as its module, and what gathers its values.

    Raises Unavailable without the extra.
    """
    wasmtime = extra("wasmtime")
    engine = wasmtime.Engine()
    gather = wasmtime.Module(engine, _GATHER)
    return wasmtime, engine, wasmtime.Module.from_file(engine, str(circuit)), gather


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
