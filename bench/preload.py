"""A population put straight into an organisation's database, for measurements of large ones.

What `bench/fhirload.py` would post is stored by the same code of the storing layer as what comes
over HTTP (vault, encrypted version, search values), two thousand resources to a transaction. Left
out are validation, references' checks, audit, Provenance, the outbox row and the vault on the
ledger: what is stored so is never sealed nor anchored, and says ``pending`` when it is served. Runs
beside the server.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from simdes import app
from simdes.access.categories import classify
from simdes.access.vaults import vault_key
from simdes.exchange.indexing import Written, index_own
from simdes.exchange.node import Node
from simdes.exchange.placing import Home, begin
from simdes.exchange.subjects import identifiers_of
from simdes.exchange.versions import new_version
from simdes.fhir.json import dumps, loads
from simdes.index import moments, resources, vaults
from simdes.index.resources import NewResource
from simdes.index.transaction import Transaction
from support import consortium

AT_ONCE = 2_000
"""Resources of a transaction."""
Resource = Mapping[str, Any]


@contextmanager
def opened(data: str) -> Iterator[Direct]:
    """Store into the database of the organisation whose folder this is."""
    with consortium.own_settings(), app.opened(Path(data)) as one:
        yield Direct(one.node)


class Direct:
    """Answers a transaction Bundle of creations as the server would, without asking it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._homes: dict[str, Home] = {}

    async def __call__(
        self, method: str, path: str, bundle: Mapping[str, Any], extra: str = ""
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        """Status, headers and body. Every reference in the Bundle leads to what is stored."""
        given = [
            {**entry["resource"], "id": str(uuid.UUID(bytes=self._node.random(16), version=4))}
            for entry in loads(json.dumps(bundle).encode())["entry"]
        ]
        self._node.database.write(lambda tx: self._store(tx, given))
        entries = [
            {"response": {"status": "201", "location": f"{one['resourceType']}/{one['id']}"}}
            for one in given
        ]
        answer = {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}
        return 200, {}, json.dumps(answer).encode()

    def _store(self, tx: Transaction, given: Sequence[Resource]) -> None:
        self._begin(tx, [one for one in given if one["resourceType"] == "Patient"])
        now_ms = self._node.now_ms()
        rows = [self._row(one, now_ms) for one in given]
        stored = resources.add(tx, rows)
        written = map(Written, rows, stored, given)
        index_own(tx, self._node.organisation, written)
        moments.put(tx, {one.id: (None, now_ms) for one in stored})

    def _begin(self, tx: Transaction, patients: Sequence[Resource]) -> None:
        # As open ones, so that no worker opens them on the ledger while it is measured.
        new = {
            f"Patient/{one['id']}": replace(begin(self._node), state=vaults.OPEN)
            for one in patients
        }
        links = {}
        for one in patients:
            vault = new[f"Patient/{one['id']}"]
            links |= dict.fromkeys(identifiers_of(one, ""), vault.tag)
        if new:
            vaults.add_many(tx, list(new.values()))
            vaults.link_many(tx, links)
        keystore = self._node.desk.keystore
        self._homes |= {name: Home(row.tag, vault_key(keystore, row)) for name, row in new.items()}

    def _row(self, one: Resource, now_ms: int) -> NewResource:
        type_, id_ = one["resourceType"], one["id"]
        whose = f"Patient/{id_}" if type_ == "Patient" else one["subject"]["reference"]
        category, labels = classify(one)
        return new_version(
            self._homes[whose],
            type=type_,
            logical_id=id_,
            content=dumps(dict(one)),
            category=category,
            labels=labels,
            created_ms=now_ms,
            random=self._node.random,
        )
