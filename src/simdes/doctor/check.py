"""What a check is, what it finds, and how it runs: apart, beside others, and not for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Self

from simdes import logs
from simdes.config import Settings
from simdes.errors import SimdesError, Unavailable

OK: Final = "ok"
WARNING: Final = "warning"
FAILED: Final = "failed"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    ``state`` is ok, warning, failed, or unknown where it could not look; ``advice`` may be empty.
    """

    check: str
    part: str
    state: str
    message: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a check says; the row's advice stands below it unless it has its own."""

    state: str
    message: str
    advice: str = ""


Look = Callable[[Any], Iterable[Said]]


@dataclass(frozen=True, slots=True)
class Check:
    """A row of the table: ``means`` is what it finds, ``advice`` what to do about it.

    ``look`` gets a `Place` or, where the organisation has to be open, an `Opened`; it says nothing
    at all where it does not apply.
    """

    name: str
    part: str
    means: str
    advice: str
    look: Look

    def finding(self, said: Said) -> Finding:
        """What it says, with what to do where something is wrong."""
        advice = said.advice or (self.advice if said.state in (WARNING, FAILED) else "")
        return Finding(self.name, self.part, said.state, said.message, advice)


def good(message: str) -> Said:
    """All is well."""
    return Said(OK, message)


def warning(message: str, advice: str = "") -> Said:
    """It works, and somebody should look."""
    return Said(WARNING, message, advice)


def wrong(message: str, advice: str = "") -> Said:
    """It does not work, or must not go on like this."""
    return Said(FAILED, message, advice)


def unknown(why: str) -> Said:
    """It could not look, because of something that another check names."""
    return Said(UNKNOWN, f"Not examined: {why}.")


def failed(check: Check, error: SimdesError) -> Finding:
    """A check that ended with an error; the error's own advice goes before the row's."""
    told = error.advice if error.advice != type(error).default_advice else ""
    return check.finding(Said(FAILED, error.message, told or ""))


@dataclass(slots=True)
class Task:
    """Something that runs in a thread of its own, which nobody waits for at the program's end."""

    check: Check | None = None
    result: Any = None
    error: SimdesError | None = None
    _over: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, name: str, work: Callable[[], Any], check: Check | None = None) -> Self:
        """Start it."""
        task = cls(check)

        def run() -> None:
            try:
                task.result = work()
            except SimdesError as error:
                task.error = error
            except Exception as error:  # a fault of ours must not hide what the others find
                kind = logs.described(error)
                task.error = Unavailable(f"This check broke off ({kind['kind']}, {kind['where']}).")
            task._over.set()

        threading.Thread(target=run, name=f"doctor {name}", daemon=True).start()
        return task

    @classmethod
    def ended(cls, finding: Finding) -> Self:
        """One that found this without looking."""
        task = cls(result=[finding])
        task._over.set()
        return task

    @property
    def done(self) -> bool:
        """Whether it came to its end."""
        return self._over.is_set()

    def wait(self, deadline: float) -> None:
        """Wait for its end, but no longer than that (`time.monotonic`)."""
        self._over.wait(max(0.0, deadline - time.monotonic()))

    def findings(self) -> list[Finding]:
        """What it found; that it did not answer is a finding, too."""
        if self.check is None:
            return list(self.result)
        if not self.done:
            return [self.check.finding(wrong("No answer in time."))]
        if self.error is not None:
            return [failed(self.check, self.error)]
        return [self.check.finding(said) for said in self.result]


def start(check: Check, subject: Any, settings: Settings) -> Task:
    """Let a check look at its subject."""
    return Task.of(check.name, lambda: list(check.look(subject)), check)
