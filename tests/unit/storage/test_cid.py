"""CIDs: known vectors, one spelling each, everything else refused."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import libipld
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simdes.errors import Invalid, SimdesError, Tampered, Unsupported
from simdes.storage.cid import (
    DAG_CBOR,
    RAW,
    binary_cid,
    check,
    cid_of,
    cid_of_digest,
    digest_of_cid,
    parse,
    text_cid,
)

# Published, in the examples of many IPFS tools: the raw block "hello world" and the empty one.
HELLO = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
EMPTY = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"


def test_the_cids_of_known_blocks_are_the_published_ones() -> None:
    assert cid_of(b"hello world") == HELLO
    assert cid_of(b"") == EMPTY


@given(st.binary(min_size=32, max_size=32), st.sampled_from([RAW, DAG_CBOR]))
def test_digest_text_and_binary_forms_lead_to_each_other(digest: bytes, codec: int) -> None:
    cid = cid_of_digest(digest, codec=codec)
    assert parse(cid) == (codec, digest)
    assert text_cid(binary_cid(cid)) == cid
    assert libipld.encode_cid(binary_cid(cid)) == cid


def test_the_digest_of_a_raw_block_gives_its_cid_back() -> None:
    digest = hashlib.sha256(b"terms").digest()
    assert digest_of_cid(cid_of(b"terms")) == digest
    assert cid_of_digest(digest) == cid_of(b"terms")


def test_a_root_has_no_digest_to_put_on_chain_alone() -> None:
    with pytest.raises(Invalid):
        digest_of_cid(cid_of(b"root", codec=DAG_CBOR))


@pytest.mark.parametrize(
    "cid",
    [
        "",
        "b",
        HELLO.upper(),
        HELLO[:-1],
        HELLO + "a",
        HELLO[:-1] + chr(ord(HELLO[-1]) + 1),  # bits beyond the digest
        "QmWATWQ7fVPP2EFGu71UkfnqhYXDYH566qy47CnJDgvs8u",  # version 0
        "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA",  # base58
        "../../../../etc/passwd",
        HELLO[:30] + "/" + HELLO[31:],
        HELLO + "\n",
    ],
)
def test_another_spelling_of_a_cid_is_refused(cid: str) -> None:
    with pytest.raises(Invalid):
        parse(cid)


@pytest.mark.parametrize(
    ("position", "value"),
    [(1, 0x70), (2, 0x13), (3, 0x1F)],
)
def test_other_codecs_and_hashes_are_not_supported(position: int, value: int) -> None:
    binary = bytearray(binary_cid(HELLO))
    binary[position] = value
    with pytest.raises(Unsupported):
        text_cid(bytes(binary))
    with pytest.raises(Unsupported):
        parse(libipld.encode_multibase("b", bytes(binary)))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_cid_or_a_clear_refusal(binary: bytes) -> None:
    with suppress(SimdesError):
        assert binary_cid(text_cid(binary)) == binary


def test_a_digest_of_another_length_is_refused() -> None:
    with pytest.raises(Invalid):
        cid_of_digest(b"short")


def test_checking_returns_the_block_or_names_the_cid() -> None:
    assert check(HELLO, b"hello world") == b"hello world"
    with pytest.raises(Tampered, match=HELLO):
        check(HELLO, b"hello worle")
