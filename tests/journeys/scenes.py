"""Prepared networks for journeys: copied on the embedded ledger, one each on a shared node.

A folder on the embedded ledger holds its chain, so that a copy of it is a network of its own. On a
node that SIMDES_LEDGER_URL names two copies would write to one chain; so each test gets a network
that was founded for it. Founding is mostly waiting for blocks: the next ones are prepared while
tests run, by processes of their own.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import pytest

from simdes.exchange.submit import Accepted
from support import consortium
from support.bundles import bundle
from support.stored import stores

SHAPES = {
    "2-of-3": (("north", "south", "east"), 2),
    "3-of-4": (("north", "south", "east", "west"), 3),
}


# Read now: an open network keeps the settings in the environment away.
NODE_URL = os.environ.get("SIMDES_LEDGER_URL", "")

AHEAD = 4
"""Networks that are prepared at once."""


def journey_ledger() -> str:
    """The ledger that journeys run on: the node of SIMDES_LEDGER_URL, or the embedded one."""
    return NODE_URL if NODE_URL.startswith("http") else consortium.EMBEDDED


def prepare(folder: Path, shape: str, ledger_url: str) -> Path:
    """Found a network with two enrolled patients and their records."""
    names, shares_needed = SHAPES[shape]
    consortium.found(
        folder,
        names=names,
        shares_needed=shares_needed,
        ledger_url=ledger_url,
        stores=stores(names),
    )
    with consortium.opened(folder) as network:
        vaults = {}
        for patient in ("ada", "bea"):
            [answer] = network.submit("north", f"{patient}.json", bundle(patient))
            assert isinstance(answer, Accepted)
            vaults[patient] = answer.vault
        network.settle()
        for patient, vault in vaults.items():
            network.enrol(vault, patient)
            (folder / patient).write_bytes(vault)
        network.settle()
    return folder


class Templates:
    """Prepared networks by shape."""

    def __init__(self, folder: Path, ledger_url: str, items: Sequence[pytest.Item]) -> None:
        """`items` are the tests of the session, which say how many networks will be needed."""
        self._folder = folder
        self._ledger_url = ledger_url
        self._shared: dict[str, Path] = {}
        self._wanted = Counter(shape for item in items if (shape := _own_shape(item)))
        self._made = 0
        self._waiting: defaultdict[str, list[Future[Path]]] = defaultdict(list)
        self._pool: ProcessPoolExecutor | None = None

    def give(self, shape: str, folder: Path, *, alone: bool) -> Path:
        """Return a network for one test: `alone` on its ledger, or a copy that only reads it."""
        if alone and self._ledger_url != consortium.EMBEDDED:
            return self._next(shape)
        if shape not in self._shared:
            self._shared[shape] = prepare(self._place(), shape, self._ledger_url)
        return consortium.copy(self._shared[shape], folder)

    def _place(self) -> Path:
        self._made += 1
        return self._folder / f"network-{self._made}"

    def _next(self, shape: str) -> Path:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(AHEAD, multiprocessing.get_context("spawn"))
        waiting = self._waiting[shape]
        while len(waiting) < max(1, min(AHEAD, self._wanted[shape])):
            waiting.append(self._pool.submit(prepare, self._place(), shape, self._ledger_url))
        self._wanted[shape] -= 1
        return waiting.pop(0).result()

    def close(self) -> None:
        """End what is being prepared for nobody."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _own_shape(item: pytest.Item) -> str:
    """The shape of the network that a test will have for itself, "" where it shares or has none."""
    if "scene" not in getattr(item, "fixturenames", ()) or item.get_closest_marker("silent"):
        return ""
    called = getattr(item, "callspec", None)
    return str(called.params.get("scene", "2-of-3")) if called is not None else "2-of-3"
