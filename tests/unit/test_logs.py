"""What goes to standard error: our own words, and of everybody else's only who spoke."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from simdes import logs

SEEDED = "Ada Lovelace 19121852"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    handlers, level, hook = logging.root.handlers[:], logging.root.level, threading.excepthook
    yield
    structlog.reset_defaults()
    logging.root.handlers[:], threading.excepthook = handlers, hook
    logging.root.setLevel(level)


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    shown = capsys.readouterr()
    assert shown.out == ""
    assert SEEDED not in shown.err
    return [json.loads(line) for line in shown.err.splitlines()]


def fail() -> None:
    raise ValueError(SEEDED)


def test_our_own_lines_are_json_with_time_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    logs.to_standard_error("info", "json")
    structlog.get_logger("simdes.worker").warning("round failed", issue="transient")
    structlog.get_logger("simdes.worker").debug("hidden")
    [line] = written(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "warning", "event": "round failed", "issue": "transient"}


def test_a_library_is_named_and_not_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    logs.to_standard_error("debug", "json")
    logging.getLogger("httpx").info("GET http://source/Patient?name=%s", SEEDED)
    try:
        fail()
    except ValueError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved: %s", SEEDED)
    [line] = written(capsys)
    assert (line["event"], line["logger"], line["kind"]) == (
        "a library reports",
        "asyncio",
        "ValueError",
    )
    assert line["where"].startswith("test_logs.py:")


def test_our_own_standard_logging_keeps_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    logs.to_standard_error("info", "json")
    logging.getLogger("simdes.gateway").error("unexpected %s", "KeyError")
    [line] = written(capsys)
    assert (line["event"], line["level"]) == ("unexpected KeyError", "error")


def test_a_thread_that_ends_by_an_error_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    logs.to_standard_error("info", "json")
    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()
    [line] = written(capsys)
    assert (line["event"], line["thread"], line["kind"]) == ("thread ended", "worker", "ValueError")


def test_the_level_is_the_least_that_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.to_standard_error("error", "text")
    structlog.get_logger().warning("hidden")
    structlog.get_logger().error("shown", count=3)
    shown = capsys.readouterr().err
    assert "hidden" not in shown
    assert "event='shown'" in shown and "count=3" in shown
