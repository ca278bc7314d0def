"""An organisation's node identities: its Besu key and its IPFS key, made where they stay.

A Besu node is its secp256k1 key: the public half is its name in enode URLs, the address made of it
its vote (https://besu.hyperledger.org/public-networks/concepts/node-keys). An IPFS node is an
Ed25519 key (https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md). Secrets are written
readable by their owner alone and never printed; one that is there already is kept.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from simdes.crypto.digest import keccak256
from simdes.crypto.keys import SigningKey
from simdes.errors import Invalid

NODE_KEY: Final = "node.key"
IPFS_KEY: Final = "ipfs.key"
SWARM_KEY: Final = "swarm.key"
DATABASE_PASSWORD: Final = "database-password"  # noqa: S105 - the name of a file

Random = Callable[[int], bytes]

_PUBLIC_PREFIX: Final = bytes.fromhex("08011220")
_PRIVATE_PREFIX: Final = bytes.fromhex("08011240")
_IDENTITY_HASH: Final = 0x00
_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Identity:
    """The public halves: 64 bytes of a secp256k1 point, and an IPFS peer id."""

    node: bytes
    peer: str

    @property
    def address(self) -> bytes:
        """20 bytes: what the node votes and seals blocks with."""
        return keccak256(self.node)[12:]


def make(folder: Path, random: Random) -> Identity:
    """The identity whose secrets are in a folder, made there where they are missing.

    Raises `Invalid` where a file holds no key.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    node = folder / NODE_KEY
    write_secret(node, "0x" + SigningKey.generate(random).to_bytes().hex())
    peer = folder / IPFS_KEY
    write_secret(peer, _private_of(random(32)))
    write_secret(folder / DATABASE_PASSWORD, base64.urlsafe_b64encode(random(24)).decode())
    return Identity(_node_public(node), _peer_of(peer))


def swarm_key(random: Random) -> str:
    """A key that closes an IPFS network to everybody else (libp2p pre-shared key, version 1)."""
    return f"/key/swarm/psk/1.0.0/\n/base16/\n{random(32).hex()}\n"


def write_secret(path: Path, text: str) -> bool:
    """Write a new file with mode 0600; False where it is there already, whatever it holds."""
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        return True
    return False


def peer_id(public: bytes) -> str:
    """The peer id of a 32-byte Ed25519 public key: base58 of its identity multihash."""
    encoded = _PUBLIC_PREFIX + public
    return _base58(bytes((_IDENTITY_HASH, len(encoded))) + encoded)


def is_peer_id(text: str) -> bool:
    """Whether this is the peer id of an Ed25519 key."""
    number = 0
    for letter in text:
        place = _ALPHABET.find(letter)
        if place < 0:
            return False
        number = number * 58 + place
    body = number.to_bytes((number.bit_length() + 7) // 8, "big")
    # The multihash begins with a zero byte, which base58 writes as its first letter.
    return text[:1] == "1" and len(body) == 37 and body[0] == 36 and body[1:5] == _PUBLIC_PREFIX


def _private_of(seed: bytes) -> str:
    """Kubo's `Identity.PrivKey`: base64 of a protobuf of seed and public key."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return base64.b64encode(_PRIVATE_PREFIX + seed + public).decode()


def _peer_of(path: Path) -> str:
    try:
        raw = base64.b64decode(path.read_text(encoding="ascii").strip(), validate=True)
    except (UnicodeDecodeError, ValueError):
        raw = b""
    if len(raw) != 68 or not raw.startswith(_PRIVATE_PREFIX):
        raise Invalid(f"{path} holds no Ed25519 key of an IPFS node.")
    return peer_id(raw[36:])


def _node_public(path: Path) -> bytes:
    text = path.read_text(encoding="ascii", errors="replace").strip().removeprefix("0x")
    try:
        return SigningKey.from_bytes(bytes.fromhex(text)).public[1:]
    except (ValueError, Invalid):
        raise Invalid(f"{path} holds no key of a Besu node.") from None


def _base58(raw: bytes) -> str:
    number, letters = int.from_bytes(raw, "big"), ""
    while number:
        number, place = divmod(number, 58)
        letters = _ALPHABET[place] + letters
    zeros = len(raw) - len(raw.lstrip(b"\0"))
    return _ALPHABET[0] * zeros + letters
