"""Fixtures of the fault suite: a nursery, a template network for each database, a summary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.postgres import Databases
from faults import cases
from faults.cases import Nursery, Stage
from faults.writer import WRITER
from support import acceptance, consortium


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    acceptance.choose(config, items)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with cases.nursery() as started:
        yield started


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with everybody on SQLite, to be copied."""
    folder = tmp_path_factory.mktemp("template") / "network"
    consortium.found(folder)
    return folder


@pytest.fixture(scope="module")
def sqlite_stage(
    template: Path, nursery: Nursery, tmp_path_factory: pytest.TempPathFactory
) -> Stage:
    """Cases with everybody on SQLite."""
    stage = Stage(template, lambda: {}, nursery, {}, {})
    return stage.counted(tmp_path_factory.mktemp("counted"))


@pytest.fixture(scope="module")
def postgresql_stage(
    nursery: Nursery, tmp_path_factory: pytest.TempPathFactory, postgres_url: str
) -> Iterator[Stage]:
    """Cases with the writer on PostgreSQL, its custodians on SQLite."""
    folder = tmp_path_factory.mktemp("template")

    def found(url: str) -> None:
        consortium.found(folder / "network", databases={WRITER: url})

    databases = Databases(postgres_url, found)
    stage = Stage(
        folder / "network", lambda: {WRITER: databases.create()}, nursery, {}, {}
    ).counted(tmp_path_factory.mktemp("counted"))
    yield stage
    databases.drop_all()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    properties = [
        entry
        for report in terminalreporter.stats.get("passed", [])
        + terminalreporter.stats.get("failed", [])
        for entry in report.user_properties
    ]
    places = [place for name, found in properties if name == "killed" for place in found]
    faults = [str(row) for name, row in properties if name == "fault"]
    if faults:
        terminalreporter.section("what callers saw")
        for line in [*cases.FAULTS_SEEN, *faults]:
            terminalreporter.write_line(line)
    for name, line in properties:
        if name in ("soak", "ipfs"):
            terminalreporter.write_line(f"{name}: {line}")
    seconds = [value for name, value in properties if name == "seconds"]
    if places:
        terminalreporter.section("processes killed")
        terminalreporter.write_line(
            f"{len(seconds)} cases, {len(places)} SIGKILLs; consistent again within "
            f"{max(seconds):.1f} s, {cases.LEASE_SECONDS} s of it the dead worker's lease"
        )
        for line in cases.summary(places):
            terminalreporter.write_line(line)
