"""A patient's own copy of their record: made here, sealed to a key that never was here.

The patient's browser or `simdes own-copy key` makes the key and hands over its public half alone.
Nothing about a copy is kept: whoever has file, key and passphrase opens it without anybody, and
nobody, erasure included, ends it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from simdes.access.accounts import check_passphrase
from simdes.crypto import own_copy
from simdes.crypto.digest import Random
from simdes.crypto.keys import OpeningKey
from simdes.exchange.interactions.collecting import as_bundle
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key's file, for its owner alone, and the text of its public half."""

    file: bytes = field(repr=False)
    public: str


def sealed(node: Node, asking: Asking, logical_id: str, public: str) -> bytes:
    """Everything that a patient may see of their record, sealed to the key they named.

    Raises Invalid for what is no public key, and as `collected`.
    """
    key = own_copy.read_public(public)
    return own_copy.seal_copy(key, as_bundle(node, asking, logical_id))


def new_key(passphrase: str, *, random: Random = secrets.token_bytes) -> NewKey:
    """Make a key on its owner's machine. Raises Invalid for a passphrase that is too short."""
    check_passphrase(passphrase)
    key = OpeningKey.generate(random)
    file = own_copy.lock_own_key(key.to_bytes(), passphrase, random=random)
    return NewKey(file, own_copy.to_text(key.public))


def public_of(key_file: bytes, passphrase: str) -> str:
    """The public half of a key's file. Raises as `opened`."""
    return own_copy.to_text(own_copy.unlock_own_key(key_file, passphrase).public)


def opened(copy: bytes, key_file: bytes, passphrase: str) -> bytes:
    """The record in a copy, on its owner's machine.

    Raises Unauthenticated for a wrong passphrase, Tampered for another key's copy or altered
    bytes, Invalid and Unsupported for files that are none of these.
    """
    return own_copy.open_copy(own_copy.unlock_own_key(key_file, passphrase), copy)
