"""The local key of a vault: 32 random bytes that encrypt this organisation's copies of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simdes.access.keystore import KeyStore
from simdes.crypto.keys import unwrap, wrap
from simdes.errors import NotFound
from simdes.index.vaults import Vault

_AAD: Final = b"simdes/vault-key/v1"


def fresh_vault_key(keystore: KeyStore, tag: bytes, *, random: Callable[[int], bytes]) -> bytes:
    """A new local key, wrapped under the organisation's database key."""
    return wrap(keystore.database_key, random(32), aad=_AAD + tag, random=random)


def vault_key(keystore: KeyStore, vault: Vault) -> bytes:
    """The 32-byte local key of a vault; `NotFound` once the vault is erased here."""
    if vault.key_wrapped is None:
        raise NotFound("The vault is erased here.")
    return unwrap(keystore.database_key, vault.key_wrapped, aad=_AAD + vault.tag)
