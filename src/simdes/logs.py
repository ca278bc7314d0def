"""The log of a running program: one document a line on standard error, without patient data.

Our own lines are structlog's (https://www.structlog.org): names, numbers, codes. Libraries and
unexpected errors write what they like, a value they choked on or an address with a query; of those
only the logger's name, the error's class and its place in the code are written.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from pathlib import Path
from typing import Final

import structlog

from simdes import tracing

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_RENDERERS: Final = {
    "json": structlog.processors.JSONRenderer,
    "text": structlog.processors.KeyValueRenderer,
}
_OWN: Final = "simdes"


def to_standard_error(level: str, format_: str) -> None:
    """Send everything that is logged to standard error; see `simdes.config` for the values."""
    least = _LEVELS[level]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _with_trace,
            _RENDERERS[format_](),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.root.handlers[:] = [_Passing()]
    logging.root.setLevel(max(least, logging.WARNING))
    threading.excepthook = _thread_ended


def _with_trace(_: object, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Name the trace that a line belongs to, where one is made."""
    line.update(tracing.ids())
    return line


def described(error: BaseException | None) -> dict[str, str]:
    """An unexpected error for the log: its class and place. Its text could hold anything."""
    if error is None:
        return {}
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return {"kind": type(error).__name__, "where": where}


class _Passing(logging.Handler):
    """Takes what goes to the standard library's logging."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on our own words; of others who spoke and about which error."""
        own = record.name.partition(".")[0] == _OWN
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger().log(
            record.levelno,
            record.getMessage() if own else "a library reports",
            logger=record.name,
            **described(error),
        )


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    name = "" if ended.thread is None else ended.thread.name
    structlog.get_logger().error("thread ended", thread=name, **described(ended.exc_value))
