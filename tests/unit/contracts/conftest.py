"""Keeps the slow runs of the contracts' tests for `make accept`."""

from __future__ import annotations

import pytest

from support import acceptance


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    acceptance.choose(config, items)
