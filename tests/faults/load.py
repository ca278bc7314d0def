"""What people do at three organisations while something goes wrong, and what they got to see.

One client writes observations at north and sends each until it is acknowledged, as an interface
engine does (conditional create, so that a repetition is none); one reads them back; a doctor at
south reads Ada's results, which she granted, and must never see Bea's, who revoked. Every call is
over HTTP to a real process and is written down: how long it took, and which of four things it was.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from support.besieged import RESULTS, Siege

SYSTEM = "urn:oid:2.16.840.1.113883.19.7"
GIVE_UP_SECONDS = 60
PAUSE_SECONDS = 0.2
FINE, PARTLY, REFUSED, BROKEN = "fine", "partly", "refused", "broken off"
"""Answered as it should be; with a warning that something could not be reached; an answer that says
"not now" (503, 429); a connection that is refused or ends. Anything else is a wrong answer."""

Json = dict[str, Any]


@dataclass(slots=True)
class Seen:
    """What callers saw of one kind of call."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    fine_since: float = float("-inf")
    """When the present row of fine answers began."""

    def note(self, outcome: str, seconds: float) -> None:
        """Count a call."""
        if outcome != FINE:
            self.fine_since = float("inf")
        elif self.fine_since == float("inf"):
            self.fine_since = time.monotonic()
        self.outcomes[outcome] += 1
        self.slowest = max(self.slowest, seconds)


class Load:
    """Clients of a siege. `wrong` lists every answer that nobody should have got."""

    def __init__(self, siege: Siege) -> None:
        self.siege = siege
        self.acknowledged: dict[str, str] = {}
        self.wrong: list[str] = []
        self.seen = {name: Seen() for name in ("write", "read", "remote")}
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._north = siege.members["north"].url + "/fhir"
        self._south = siege.members["south"].url + "/fhir"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Clients at work while this is open."""
        self._stop.clear()
        self.seen = {name: Seen() for name in self.seen}
        self.wrong.clear()
        threads = [
            threading.Thread(target=self._repeat, args=(act,))
            for act in (self._write, self._write, self._read, self._remote)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def fine_again(self, since: float, seconds: float) -> float:
        """Wait until every kind of call is answered as before; how long after ``since`` it was."""
        while True:
            late = [name for name, one in self.seen.items() if one.fine_since == float("inf")]
            if not late:
                return max(max(one.fine_since for one in self.seen.values()) - since, 0.0)
            assert time.monotonic() < since + seconds, f"not answered as before: {late}"
            time.sleep(0.1)

    def row(self, fault: str, answered: float, anchored: float) -> str:
        """A line of the table of what callers saw."""
        cells = []
        for one in self.seen.values():
            said = ", ".join(f"{count} {what}" for what, count in sorted(one.outcomes.items()))
            cells.append(f"{said}; {one.slowest:.1f} s")
        return f"| {fault} | {' | '.join(cells)} | {answered:.0f} s | {anchored:.0f} s |"

    def _repeat(self, act: Callable[[httpx.Client], None]) -> None:
        with httpx.Client(timeout=GIVE_UP_SECONDS) as client:
            while not self._stop.is_set():
                act(client)
                self._stop.wait(PAUSE_SECONDS)

    def _call(
        self,
        kind: str,
        ask: Callable[[], httpx.Response],
        judge: Callable[[httpx.Response], str],
    ) -> str:
        begun = time.monotonic()
        try:
            answer = ask()
        except httpx.TransportError as error:
            outcome = BROKEN
            if isinstance(error, httpx.TimeoutException):
                self.wrong.append(f"{kind}: no answer in {GIVE_UP_SECONDS} s")
        else:
            late = answer.status_code == 401 and self.siege.signing_in
            outcome = REFUSED if late or answer.status_code in (429, 503) else judge(answer)
        if outcome not in (FINE, PARTLY, REFUSED, BROKEN):
            self.wrong.append(f"{kind}: {outcome}")
        self.seen[kind].note(outcome, time.monotonic() - begun)
        return outcome

    def _write(self, client: httpx.Client) -> None:
        """One observation, sent until it is acknowledged."""
        value = f"note-{next(self._numbers)}"
        resource = {
            "resourceType": "Observation",
            "status": "final",
            "identifier": [{"system": SYSTEM, "value": value}],
            "code": {"text": "a note of the load"},
            "valueString": f"value of {value}",
        }
        once = {"If-None-Exist": f"identifier={SYSTEM}|{value}"}

        def judge(answer: httpx.Response) -> str:
            if answer.status_code not in (200, 201):
                return f"{answer.status_code} {answer.text[:300]}"
            self.acknowledged[value] = answer.headers["location"].partition("/_history")[0]
            return FINE

        while not self._stop.is_set():
            post = lambda: client.post(  # noqa: E731
                f"{self._north}/Observation",
                json=resource,
                headers=self.of("dr.north") | once,  # the token of now: it may be a new one
            )
            if self._call("write", post, judge) == FINE:
                return
            self._stop.wait(PAUSE_SECONDS)

    def _read(self, client: httpx.Client) -> None:
        """One of the last acknowledged ones again."""
        if not self.acknowledged:
            return
        value, location = list(self.acknowledged.items())[-1]
        get = lambda: client.get(location, headers=self.of("dr.north"))  # noqa: E731

        def judge(answer: httpx.Response) -> str:
            if answer.status_code == 200 and answer.json()["valueString"] == f"value of {value}":
                return FINE
            return f"{answer.status_code} {answer.text[:300]}"

        self._call("read", get, judge)

    def _remote(self, client: httpx.Client) -> None:
        """Everything that south's doctor sees: Ada's results, nothing of Bea's."""
        get = lambda: client.get(  # noqa: E731
            f"{self._south}/Observation?_count=100", headers=self.of("dr.lee")
        )
        self._call("remote", get, _judge_remote)

    def of(self, user: str) -> dict[str, str]:
        """Headers of a request in somebody's name."""
        return {"authorization": f"Bearer {self.siege.tokens[user]}", "prefer": "return=minimal"}


def _judge_remote(answer: httpx.Response) -> str:
    if answer.status_code != 200:
        return f"{answer.status_code} {answer.text[:300]}"
    entries = answer.json().get("entry", [])
    found = {one["resource"]["id"] for one in entries if one["search"]["mode"] == "match"}
    warned = any(one["search"]["mode"] == "outcome" for one in entries)
    if any(one.startswith("bea") for one in found):
        return "shows what was revoked"
    if len(found) == RESULTS:
        return FINE
    return PARTLY if warned else f"shows {len(found)} of {RESULTS} results and says nothing"
