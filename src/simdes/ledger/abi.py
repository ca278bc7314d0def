"""Compiled contracts and their calling convention.

``artifacts/<Contract>.json`` holds what the pinned compiler made of ``contracts/src``; the calling
convention is https://docs.soliditylang.org/en/latest/abi-spec.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError

from simdes.errors import Invalid, NotFound, Tampered
from simdes.ledger.digests import keccak256, selector
from simdes.ledger.ledger import Log


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a contract: its selector and the ABI types of arguments and results."""

    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One event: topic 0, and for each field its name, ABI type and whether it is a topic."""

    name: str
    topic: bytes
    fields: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes of the deployed code that the constructor fills in: offset and length."""

    start: int
    length: int


class Artifact:
    """A compiled contract: interface, code to deploy, and code as it lies on the chain."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.name: str = document["contractName"]
        self.abi: Sequence[Mapping[str, Any]] = document["abi"]
        self.bytecode = _code(document.get("bytecode", "0x"))
        self.deployed = _code(document.get("deployedBytecode", "0x"))
        self.immutables = _slices(document)
        self.functions: dict[str, Function] = {}
        self.events: dict[bytes, Event] = {}
        self.errors: set[str] = set()
        self.constructor: tuple[str, ...] = ()
        for entry in self.abi:
            self._add(entry)

    def _add(self, entry: Mapping[str, Any]) -> None:
        inputs = tuple(_type(part) for part in entry.get("inputs", ()))
        match entry["type"]:
            case "function":
                outputs = tuple(_type(part) for part in entry["outputs"])
                name = entry["name"]
                function = Function(name, selector(f"{name}({','.join(inputs)})"), inputs, outputs)
                self.functions[name] = function
            case "event":
                signature = f"{entry['name']}({','.join(inputs)})"
                fields = tuple(
                    (part["name"], kind, bool(part["indexed"]))
                    for part, kind in zip(entry["inputs"], inputs, strict=True)
                )
                topic = keccak256(signature.encode())
                self.events[topic] = Event(entry["name"], topic, fields)
            case "error":
                self.errors.add(f"{entry['name']}({','.join(inputs)})")
            case "constructor":
                self.constructor = inputs

    def call_data(self, name: str, *arguments: object) -> bytes:
        """Return selector and encoded arguments. Raises `Invalid` where they don't fit."""
        function = self._function(name)
        try:
            return function.selector + encode(function.inputs, arguments)
        except (EncodingError, TypeError, ValueError, OverflowError):
            raise Invalid(f"the arguments of {self.name}.{name} don't fit its types") from None

    def results(self, name: str, data: bytes) -> tuple[Any, ...]:
        """Decode what a call returned. Raises `Tampered` where it is not of the expected types."""
        try:
            return tuple(decode(self._function(name).outputs, data))
        except (DecodingError, ValueError, OverflowError):
            raise Tampered(
                f"the ledger's answer to {self.name}.{name} is not of the expected form",
                advice="Check that the addresses in network.json belong to this ledger.",
            ) from None

    def deployment(self, *arguments: object) -> bytes:
        """Return the data of a transaction that deploys this contract."""
        return self.bytecode + encode(self.constructor, arguments)

    def is_code(self, code: bytes) -> bool:
        """Say whether this is the contract's code, whatever its constructor filled in."""
        blanked = bytearray(code)
        for place in self.immutables:
            blanked[place.start : place.start + place.length] = bytes(place.length)
        return bytes(blanked) == self.deployed

    def event(self, log: Log) -> tuple[str, dict[str, Any]] | None:
        """Decode an event into its name and fields, None where this contract has no such event."""
        event = self.events.get(log.topics[0]) if log.topics else None
        if event is None:
            return None
        try:
            return event.name, _fields(event, log)
        except (DecodingError, ValueError, IndexError):
            raise Tampered(f"an event {self.name}.{event.name} is malformed") from None

    def _function(self, name: str) -> Function:
        return self.functions[name]


@cache
def artifact(name: str) -> Artifact:
    """Return a compiled contract that ships with the package. Raises `NotFound`."""
    place = files("simdes.ledger") / "artifacts" / f"{name}.json"
    try:
        return Artifact(json.loads(place.read_bytes()))
    except FileNotFoundError:
        raise NotFound(
            f"the compiled contract {name} is missing from the package",
            advice="Install SIMDES again.",
        ) from None


def _fields(event: Event, log: Log) -> dict[str, Any]:
    topics = iter(log.topics[1:])
    plain = [kind for _, kind, indexed in event.fields if not indexed]
    values = iter(decode(plain, log.data))
    fields: dict[str, Any] = {}
    for name, kind, indexed in event.fields:
        fields[name] = _word(kind, next(topics, b"")) if indexed else next(values)
    return fields


def _word(kind: str, topic: bytes) -> object:
    """Decode one topic; members longer than a word arrive as their digest."""
    (value,) = decode([kind], topic)
    return value


def _type(part: Mapping[str, Any]) -> str:
    """Write an ABI type in full: a tuple by its components."""
    kind: str = part["type"]
    if not kind.startswith("tuple"):
        return kind
    inner: Sequence[Mapping[str, Any]] = part["components"]
    return f"({','.join(_type(component) for component in inner)}){kind.removeprefix('tuple')}"


def _code(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _slices(document: Mapping[str, Any]) -> tuple[Slice, ...]:
    places = document.get("immutableReferences") or ()
    return tuple(Slice(int(place["start"]), int(place["length"])) for place in places)
