"""The marker ``accept``: slow suites that run only with SIMDES_ACCEPT=1 (`make accept`)."""

from __future__ import annotations

import os

import pytest


def choose(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, not skip, what is marked ``accept``, unless it is asked for."""
    if os.environ.get("SIMDES_ACCEPT") == "1":
        return
    left = [item for item in items if item.get_closest_marker("accept")]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("accept")]
