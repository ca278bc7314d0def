"""The part of deterministic CBOR that the formats use, read strictly.

https://www.rfc-editor.org/rfc/rfc8949#section-4.2: unsigned integers, byte strings, text strings,
arrays, maps with text keys. Nothing else exists here: no floats, tags, simple values or indefinite
lengths. Exactly one encoding of a value is accepted, so equal values have equal bytes and a reader
cannot be shown two meanings. Writing is left to `cbor2`; reading is our own because a general
decoder is lax about duplicates, order and lengths and gives tags a life of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import cbor2

from simdes.errors import Invalid, Unsupported

Value = int | bytes | str | list["Value"] | dict[str, "Value"]
MAX_DEPTH = 6
_UNSIGNED, _BYTES, _TEXT, _ARRAY, _MAP = 0, 2, 3, 4, 5
_SMALLEST = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}


def encode(value: object) -> bytes:
    """Encode integers, bytes, text, lists and text-keyed dicts deterministically."""
    return cbor2.dumps(value, canonical=True)


def encode_header(fields: Mapping[str, object]) -> bytes:
    """Encode a map whose values hold no maps: `encode`, at less than half the cost."""
    return cbor2.dumps({key: fields[key] for key in sorted(fields, key=_key_order)})


def _key_order(key: str) -> tuple[int, bytes]:
    # Bytewise order of encoded text keys: the head, which is the length, comes first.
    encoded = key.encode()
    return len(encoded), encoded


def head(major: int, argument: int) -> bytes:
    """Encode one item head: major type 0..7 and its argument, in the shortest form."""
    if argument < 24:
        return bytes((major << 5 | argument,))
    for extra, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * size):
            return bytes((major << 5 | extra,)) + argument.to_bytes(size, "big")
    raise Invalid("A number does not fit in 64 bits.")


def bytes_head(length: int) -> bytes:
    """Encode the head of a byte string of `length` bytes, for content written piecewise."""
    return head(_BYTES, length)


def decode(data: bytes) -> Value:
    """Decode exactly one item that fills `data`; `Invalid` for anything not deterministic."""
    value, end = decode_first(data)
    if end != len(data):
        raise Invalid("Bytes follow the end of the item.")
    return value


def decode_first(data: bytes, at: int = 0) -> tuple[Value, int]:
    """Decode the item that starts at `at`; return it and where it ends."""
    return _item(data, at, 0)


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """Read an item's head; return major type, argument and where its content starts."""
    if at >= len(data):
        raise Invalid("The item ends too early.")
    first = data[at]
    if first & 31 < 24:
        return first >> 5, first & 31, at + 1
    return first >> 5, *_long_argument(data, at)


def _long_argument(data: bytes, at: int) -> tuple[int, int]:
    extra = data[at] & 31
    smallest = _SMALLEST.get(extra)
    if smallest is None:
        raise Invalid("Indefinite and reserved lengths are not allowed.")
    end = at + 1 + (1 << (extra - 24))
    if end > len(data):
        raise Invalid("The item ends too early.")
    argument = int.from_bytes(data[at + 1 : end], "big")
    if argument < smallest:
        raise Invalid("A number is not in its shortest form.")
    return argument, end


def _item(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    if at >= len(data):
        raise Invalid("The item ends too early.")
    major, argument = data[at] >> 5, data[at] & 31
    if argument < 24:
        at += 1
    else:
        argument, at = _long_argument(data, at)
    if major == _UNSIGNED:
        return argument, at
    end = at + argument
    if end > len(data):
        raise Invalid("The item ends too early.")
    if major == _BYTES:
        return data[at:end], end
    if major == _TEXT:
        return _utf8(data[at:end]), end
    if depth >= MAX_DEPTH:
        raise Invalid("The item is nested too deeply.")
    if major == _MAP:
        return _map(data, at, argument, depth + 1)
    if major != _ARRAY:
        raise Invalid("Only integers, bytes, text, arrays and maps are allowed.")
    items: list[Value] = []
    for _ in range(argument):
        item, at = _item(data, at, depth + 1)
        items.append(item)
    return items, at


def _map(data: bytes, at: int, count: int, depth: int) -> tuple[dict[str, Value], int]:
    result: dict[str, Value] = {}
    previous = b""
    for _ in range(count):
        start = at
        key, at = _item(data, at, depth)
        encoded = data[start:at]
        if not isinstance(key, str):
            raise Invalid("Map keys are text.")
        if encoded <= previous:
            raise Invalid("Map keys are repeated or out of order.")
        previous = encoded
        result[key], at = _item(data, at, depth)
    return result, at


@lru_cache(maxsize=64)
def _fixed_head(size: int) -> bytes:
    return bytes_head(size)


class Reader:
    """Reads items of known types one after the other; `at` is the position in `data`."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def _typed(self, wanted: int, name: str) -> int:
        major, argument, at = _head(self.data, self.at)
        if major != wanted:
            raise Invalid(f"Expected {name}.")
        self.at = at
        return argument

    def _take(self, length: int) -> bytes:
        end = self.at + length
        if end > len(self.data):
            raise Invalid("The item ends too early.")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def uint(self, limit: int) -> int:
        """Read an unsigned integer of at most `limit`."""
        value = self._typed(_UNSIGNED, "an unsigned integer")
        if value > limit:
            raise Invalid("A number is over its limit.")
        return value

    def fixed(self, size: int) -> bytes:
        """Read a byte string of exactly `size` bytes."""
        head = _fixed_head(size)
        if not self.data.startswith(head, self.at):
            raise Invalid("A byte string is missing or has the wrong length.")
        self.at += len(head)
        return self._take(size)

    def bytes_length(self) -> int:
        """Read the head of a byte string and return its length; the content comes next."""
        return self._typed(_BYTES, "a byte string")

    def text(self) -> str:
        """Read a text string."""
        return _utf8(self._take(self._typed(_TEXT, "a text string")))

    def array(self, count: int) -> None:
        """Read the head of an array of exactly `count` items, under 24; the items come next."""
        if self.data[self.at : self.at + 1] != bytes((_ARRAY << 5 | count,)):
            raise Invalid("An array is missing or has the wrong number of items.")
        self.at += 1

    def end(self) -> None:
        """`Invalid` unless everything was read."""
        if self.at != len(self.data):
            raise Invalid("Bytes follow the end of the item.")


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Invalid("Text is not UTF-8.") from None


class Fields:
    """The header of an object: a map that tells its type and version, read by a schema.

    A key that starts with ``_`` is an extension that a reader ignores; every other key that the
    schema does not name is critical and refused.
    """

    __slots__ = ("_values",)

    def __init__(self, value: Value, *, kind: str, known: frozenset[str]) -> None:
        if not isinstance(value, dict):
            raise Invalid(f"A {kind} starts with a map.")
        self._values: Mapping[str, Value] = value
        if value.get("type") != kind:
            raise Invalid(f"This is not a {kind}.")
        if value.get("v") != 1:
            raise Unsupported(f"This version of the {kind} format is not known.")
        for key in value:
            if key not in known and not key.startswith("_"):
                raise Unsupported(f"This {kind} has a critical field that is not known.")

    def has(self, key: str) -> bool:
        """Whether there is a `key`."""
        return key in self._values

    def uint(self, key: str, limit: int) -> int:
        """Return the unsigned integer `key`, at most `limit`."""
        return as_uint(self._values.get(key), limit, key)

    def fixed(self, key: str, size: int) -> bytes:
        """Return the byte string `key` of exactly `size` bytes."""
        return as_fixed(self._values.get(key), size, key)

    def array(self, key: str, *, least: int, most: int) -> Sequence[Value]:
        """Return the array `key` of `least` to `most` items."""
        return as_array(self._values.get(key), key, least=least, most=most)

    def suite(self) -> None:
        """`Unsupported` unless the field `suite` names the one suite of this version."""
        if self._values.get("suite") != 1:
            raise Unsupported("This cryptographic suite is not known.")


def as_bytes(value: Value | None, name: str) -> bytes:
    """Return `value` if it is a byte string, else `Invalid` naming the field."""
    if not isinstance(value, bytes):
        raise Invalid(f"Field {name} is missing or not bytes.")
    return value


def as_fixed(value: Value | None, size: int, name: str) -> bytes:
    """Return `value` if it is a byte string of `size` bytes, else `Invalid`."""
    raw = as_bytes(value, name)
    if len(raw) != size:
        raise Invalid(f"Field {name} has the wrong length.")
    return raw


def as_array(value: Value | None, name: str, *, least: int, most: int) -> list[Value]:
    """Return `value` if it is an array of `least` to `most` items, else `Invalid`."""
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise Invalid(f"Field {name} is missing or not an array of an allowed size.")
    return value


def as_text(value: Value | None, name: str) -> str:
    """Return `value` if it is a text string, else `Invalid`."""
    if not isinstance(value, str):
        raise Invalid(f"Field {name} is missing or not text.")
    return value


def as_uint(value: Value | None, limit: int, name: str) -> int:
    """Return `value` if it is a number of at most `limit`, else `Invalid`."""
    if not isinstance(value, int) or value > limit:
        raise Invalid(f"Field {name} is missing or not a number in its range.")
    return value
