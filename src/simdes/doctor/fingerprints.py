"""Checks of fingerprints across insurers: our shares of keys open and can be used."""

from __future__ import annotations

from collections.abc import Iterator

from simdes.access.custody_fingerprints import share_of
from simdes.app import Opened
from simdes.crypto import oprf
from simdes.crypto.ristretto import multiply_base
from simdes.doctor.check import Said, good, wrong
from simdes.errors import SimdesError, Unsupported
from simdes.exchange.claims import fingerprint_keys


def shares(one: Opened) -> Iterator[Said]:
    """Every share held here opens, and evaluates."""
    held = [each.key for each in fingerprint_keys.held(one.node) if each.state == "held"]
    for key in held:
        try:
            share = share_of(one.node.desk, key or b"")
            oprf.evaluate(share or 1, [multiply_base(2)], random=one.node.random)
        except Unsupported as error:
            yield wrong(error.message, error.advice or "")
            return
        except SimdesError as error:
            yield wrong(f"A share of a key of fingerprints does not open: {error.message}")
            return
    yield good(f"{len(held)} shares of keys of fingerprints.")
