"""CIDs of this network: CIDv1, sha2-256, base32, codec raw or dag-cbor, and nothing else.

https://github.com/multiformats/cid. One spelling for each, so equal blocks have equal CIDs: a text
in another base, version or hash is refused rather than normalised.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from typing import Final

from simdes.errors import Invalid, Tampered, Unsupported

RAW: Final = 0x55
DAG_CBOR: Final = 0x71
_SHA2_256: Final = b"\x12\x20"  # multihash: function, digest length
_TEXT: Final = re.compile(r"b[a-z2-7]{58}")


def cid_of(block: bytes, *, codec: int = RAW) -> str:
    """Return the CID of a block's bytes."""
    return _text(codec, hashlib.sha256(block).digest())


def cid_of_digest(digest: bytes, *, codec: int = RAW) -> str:
    """Return the CID of the block with this SHA-256 digest; by default of a raw block.

    Raises:
        Invalid: the digest is not 32 bytes long.

    """
    if len(digest) != 32:
        raise Invalid("A SHA-256 digest has 32 bytes")
    return _text(codec, digest)


def digest_of_cid(cid: str) -> bytes:
    """Return the SHA-256 digest of a raw block, so that `cid_of_digest` gives its CID back.

    Raises:
        Invalid: not a CID, or one of a block that is not raw (content above 1 MiB).

    """
    codec, digest = parse(cid)
    if codec != RAW:
        raise Invalid("This CID is not of a single raw block")
    return digest


def binary_cid(cid: str) -> bytes:
    """Return a CID in binary form (36 bytes), as contracts and links hold it. Raises `Invalid`."""
    codec, digest = parse(cid)
    return bytes((1, codec)) + _SHA2_256 + digest


def text_cid(binary: bytes) -> str:
    """Return the text of a binary CID.

    Raises:
        Invalid: not a CID.
        Unsupported: of a version, codec or hash that is not used here.

    """
    if len(binary) < 4 or binary[0] != 1:
        raise Invalid("This is not a binary CID of version 1")
    if binary[1] not in (RAW, DAG_CBOR) or binary[2:4] != _SHA2_256 or len(binary) != 36:
        raise Unsupported("Only sha2-256 CIDs of raw and dag-cbor blocks are used here")
    return _text(binary[1], binary[4:])


@lru_cache(maxsize=1024)  # every layer of a store parses it once more
def parse(cid: str) -> tuple[int, bytes]:
    """Return codec and SHA-256 digest of a CID.

    Raises:
        Invalid: not the one spelling of a CID used here.
        Unsupported: of a version, codec or hash that is not used here.

    """
    if not _TEXT.fullmatch(cid):
        raise Invalid("This is not a CID of version 1 in base32 with a 32-byte digest")
    binary = base64.b32decode(cid[1:].upper() + "======")
    if text_cid(binary) != cid:
        raise Invalid("This CID has another spelling")
    return binary[1], binary[4:]


def check(cid: str, block: bytes) -> bytes:
    """Return ``block`` if it is the one the CID names.

    Raises:
        Tampered: its bytes hash to something else.

    """
    if hashlib.sha256(block).digest() != parse(cid)[1]:
        raise Tampered(f"The block under {cid} has other bytes than its CID names")
    return block


def _text(codec: int, digest: bytes) -> str:
    binary = bytes((1, codec)) + _SHA2_256 + digest
    return "b" + base64.b32encode(binary).decode().rstrip("=").lower()
