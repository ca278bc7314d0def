"""Proofs of claims with this network's keys, and this organisation's secret that they rest on."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from simdes.errors import Invalid
from simdes.exchange.node import Node
from simdes.fhir.json import dumps
from simdes.proofs import claims, prover
from simdes.proofs import keys as proving_keys
from simdes.proofs.keys import SHIPPED, Keys

_SECRET: Final = b"simdes/claims-holder/v1"


def secret_of(node: Node) -> int:
    """This organisation's secret of claims: from its key store, the same after a restore."""
    digest = hmac.new(node.desk.keystore.database_key, _SECRET, hashlib.sha256).digest()
    return int.from_bytes(digest, "big") >> 8


def prove(node: Node, circuit: str, signals: Mapping[str, Any]) -> bytes:
    """Prove a statement of ``claim``, ``settle`` or ``free``. Raises Invalid without keys."""
    rules = node.rules
    if rules.keys is None and not rules.development:
        raise Invalid(
            "This organisation has no keys to prove with.",
            advice="Hold a ceremony and name its folder in the setting `proving_keys`.",
        )
    keys = _loaded(circuit, rules.keys or SHIPPED, rules.development)
    return prover.prove(keys, signals, claims.public(circuit, signals))


@lru_cache(maxsize=8)
def _loaded(circuit: str, folder: Path, development: bool) -> Keys:
    return proving_keys.load(circuit, folder, allow_development=development)


def essence_of(resource: Mapping[str, Any]) -> bytes:
    """The digest that a salt commits to: of a resource's members in order, without its meta."""
    kept = {name: one for name, one in resource.items() if name != "meta"}
    return hashlib.sha256(dumps(_ordered(kept))).digest()


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _ordered(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_ordered(one) for one in value]
    return value
