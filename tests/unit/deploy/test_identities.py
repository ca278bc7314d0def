"""Node keys: published vectors, files that only their owner reads."""

from __future__ import annotations

import base64
import hashlib
import stat
from pathlib import Path

import pytest

from simdes.crypto.keys import SigningKey
from simdes.deploy import identities
from simdes.errors import Invalid

# github.com/libp2p/specs, peer-ids/peer-ids.md, "Test vectors": an Ed25519 key as protobuf. Its
# peer id as other implementations of the specification test it.
PRIVATE = bytes.fromhex(
    "080112407e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d"
    "1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"
)
PEER = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"


def random(count: int) -> bytes:
    return hashlib.shake_256(b"identities").digest(count)


def test_the_published_key_has_the_published_peer_id(tmp_path: Path) -> None:
    assert identities.peer_id(PRIVATE[36:]) == PEER
    (tmp_path / identities.IPFS_KEY).write_text(base64.b64encode(PRIVATE).decode())
    assert identities.make(tmp_path, random).peer == PEER


def test_a_made_ipfs_key_is_the_protobuf_that_kubo_reads(tmp_path: Path) -> None:
    calls = iter([bytes(31) + b"\1", PRIVATE[4:36], bytes(24)])
    made = identities.make(tmp_path, lambda count: next(calls))
    assert base64.b64decode((tmp_path / identities.IPFS_KEY).read_text()) == PRIVATE
    assert made.peer == PEER


@pytest.mark.parametrize(
    "text", ["", "1", PEER[:-1], PEER + "a", "0" + PEER[1:], "Qm" + "a" * 44, PEER[:-1] + "0"]
)
def test_what_is_no_peer_id_of_an_ed25519_key_is_told(text: str) -> None:
    assert identities.is_peer_id(PEER)
    assert not identities.is_peer_id(text)


def test_secrets_are_for_their_owner_alone_and_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    first = identities.make(folder, random)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(written) == {"node.key", "ipfs.key", "database-password"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    again = identities.make(folder, lambda count: b"\7" * count)
    assert again == first
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == written


def test_a_node_key_is_besus_form(tmp_path: Path) -> None:
    made = identities.make(tmp_path, random)
    text = (tmp_path / identities.NODE_KEY).read_text()
    key = SigningKey.from_bytes(bytes.fromhex(text.removeprefix("0x")))
    assert len(text) == 66
    assert made.node == key.public[1:]
    assert made.address == key.address


@pytest.mark.parametrize("name", ["node.key", "ipfs.key"])
@pytest.mark.parametrize("content", [b"", b"0x12", b"\xff\xfe", b"z" * 64, b"0x" + b"0" * 64])
def test_a_damaged_key_is_named_and_not_replaced(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid, match=name):
        identities.make(tmp_path, random)
    assert (tmp_path / name).read_bytes() == content


def test_a_swarm_key_is_a_pre_shared_key_of_version_1() -> None:
    lines = identities.swarm_key(random).split("\n")
    assert lines == ["/key/swarm/psk/1.0.0/", "/base16/", random(32).hex(), ""]
