"""A hospital that keeps its FHIR server: a real one over HTTP, and what of it is stored here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from simdes.access.vaults import vault_key
from simdes.crypto.keys import unwrap
from simdes.exchange.facade import Facade, Options
from simdes.exchange.node import Node
from simdes.exchange.storing import resource_context
from simdes.fhir.json import loads
from simdes.fhir_http import HttpSource
from simdes.index import vaults
from support.consortium import Consortium
from support.fhir_server import MODES, FhirServer, running

_NUMBERS = count()


@dataclass
class Hospital:
    """The server, the node that reads it, and a reader."""

    server: FhirServer
    node: Node
    reader: Facade
    stack: ExitStack

    def another(self, **options: Any) -> Facade:
        """A reader as after a restart: it remembers nothing but what is in the database."""
        source = HttpSource(self.server.base)
        self.stack.callback(source.close)
        given = {"page_size": 5, "overlap_seconds": 2} | options
        return Facade(self.node, source, Options(**given))

    def stored(self, *ids: str) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Every version of resources by type and id, oldest first; with shared ones, by vault."""
        with self.node.database.read() as tx:
            found = tx.all(
                "SELECT type, logical_id, vault, content_wrapped FROM resource"
                " WHERE logical_id IN :ids ORDER BY version",
                ids=ids,
            )
            known = vaults.get_many(tx, sorted({row[2] for row in found}))
        made: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for type_, id_, vault, content in found:
            key = vault_key(self.node.desk.keystore, known[vault])
            text = unwrap(key, content, aad=resource_context(vault, type_, id_))
            made.setdefault((type_, id_), []).append(loads(text))
        return made

    def vaults_of(self, *ids: str) -> set[bytes]:
        """The vaults in which resources are."""
        with self.node.database.read() as tx:
            rows = tx.all("SELECT DISTINCT vault FROM resource WHERE logical_id IN :ids", ids=ids)
        return {bytes(row[0]) for row in rows}

    def quarantined(self) -> list[tuple[str, str]]:
        """Code and reason of what is in quarantine."""
        with self.node.database.read() as tx:
            return [(row[0], row[1]) for row in tx.all("SELECT code, reason FROM quarantine")]


Made = Callable[..., Hospital]


@pytest.fixture
def hospital(network: Consortium) -> Iterator[Made]:
    """Makes hospitals with a server of their own."""
    with ExitStack() as stack:

        def make(mode: str = MODES[0], **options: Any) -> Hospital:
            path = f"/fhir/{next(_NUMBERS)}"  # ports come again
            server = stack.enter_context(running(FhirServer(mode=mode, path=path)))
            node = network["north"].node
            one = Hospital(server, node, None, stack)  # type: ignore[arg-type]
            one.reader = one.another(**options)
            return one

        yield make
