"""Look up organisations and vaults: chain state first, then the block whose digest it holds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from simdes.access.descriptors import (
    OrganisationDescriptor,
    VaultDescriptor,
    decode_organisation,
    decode_vault,
)
from simdes.errors import NotFound, Tampered, Unavailable
from simdes.ledger.accounts import Vault
from simdes.ledger.contracts import Contracts
from simdes.storage.store import Store, cid_of_digest

_KEPT: Final = 10_000
_MOST_BYTES: Final = 256 << 10
V = TypeVar("V")


class _Recent(Generic[V]):
    """Blocks by digest: they never change, so they are read and checked once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, V] = OrderedDict()

    def get(self, digest: bytes, read: Callable[[], V]) -> V:
        with self._lock:
            found = self._kept.get(digest)
            if found is not None:
                self._kept.move_to_end(digest)
                return found
        found = read()
        with self._lock:
            self._kept[digest] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found


class Directory:
    """Organisations and vaults as the chain says now. Safe to use from several threads."""

    def __init__(self, contracts: Contracts, store: Store) -> None:
        self.contracts = contracts
        self.store = store
        self._organisations: _Recent[OrganisationDescriptor] = _Recent()
        self._vaults: _Recent[VaultDescriptor] = _Recent()

    def organisation(self, organisation: bytes) -> OrganisationDescriptor:
        """Name, address and key of an organisation.

        Raises `NotFound` for one that the chain does not know, `Unavailable` when its descriptor
        is not in the content store now, `Tampered` when it names another organisation.
        """
        known = self.contracts.accounts.organisation(organisation)
        if known is None:
            raise NotFound("No organisation has this id.")
        digest = known.descriptor

        def read() -> OrganisationDescriptor:
            return decode_organisation(self._block(digest), digest=digest)

        descriptor = self._organisations.get(digest, read)
        if descriptor.organisation != organisation:
            raise Tampered("An organisation's descriptor names another organisation.")
        return descriptor

    def vault(self, tag: bytes, *, known: Vault | None = None) -> VaultDescriptor:
        """The custodians of a vault in its present epoch; `known` is what the chain just said.

        Raises `NotFound` for a vault that the chain does not know, `Unavailable` when its
        descriptor is not in the content store now, `Tampered` when chain and descriptor differ.
        """
        known = known or self.contracts.accounts.vault(tag)
        if known is None:
            raise NotFound("No vault has this tag.")
        descriptor = self.descriptor(known.descriptor)
        found = (descriptor.tag, descriptor.m, descriptor.n, descriptor.epoch)
        if found != (tag, known.m, known.n, known.epoch):
            raise Tampered("A vault's descriptor differs from what the chain says of the vault.")
        return descriptor

    def descriptor(self, digest: bytes) -> VaultDescriptor:
        """The vault descriptor with this digest; `Unavailable` when it is not in the store now."""
        return self._vaults.get(digest, lambda: decode_vault(self._block(digest), digest=digest))

    def _block(self, digest: bytes) -> bytes:
        try:
            return self.store.get(cid_of_digest(digest), most_bytes=_MOST_BYTES)
        except NotFound as error:
            raise Unavailable("A descriptor is not in the content store now.") from error
