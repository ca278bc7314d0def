"""Padmé padding: a ciphertext's size tells little about its content.

Lengths are rounded so that only O(log log L) bits of them leak, for at most 12 % more bytes
(https://lbarman.ch/blog/padme/, PURBs, PoPETs 2019/4). A 0x80 byte marks where the data ends.
"""

from __future__ import annotations

from simdes.errors import Tampered

MARK = b"\x80"


def padme(length: int) -> int:
    """Return the smallest Padmé length that is at least `length` bytes."""
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    zero_bits = exponent - exponent.bit_length()
    mask = (1 << zero_bits) - 1
    return (length + mask) & ~mask


def padded_size(length: int) -> int:
    """Return how many bytes `pad` makes of `length` bytes."""
    return padme(length + 1)


def pad(data: bytes) -> bytes:
    """Append the mark 0x80, then zeros up to the Padmé length."""
    return (data + MARK).ljust(padded_size(len(data)), b"\0")


def unpad(padded: bytes) -> bytes:
    """Undo `pad`; `Tampered` unless the padding is exactly what `pad` writes."""
    data = padded.rstrip(b"\0")
    if not data.endswith(MARK) or padded_size(len(data) - 1) != len(padded):
        raise Tampered("The padding is not what the format prescribes.")
    return data[:-1]
