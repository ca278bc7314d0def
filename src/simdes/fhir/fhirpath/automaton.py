"""A pattern as states that are run together, in time linear in the text.

One step per character, whatever the pattern: each state is entered once at each place, the one of
the highest priority first, so that the match found is the one a backtracking engine would find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from simdes.errors import TooLarge

MOST_STATES = 4_000

Spend = Callable[[int], None]
Test = Callable[[str], bool]


@dataclass(slots=True)
class Step:
    """One state: consume a character, fork, note a position, test the place, or accept."""

    kind: str
    test: Test | None = None
    targets: tuple[int, ...] = ()
    slot: int = 0


@dataclass(slots=True)
class Program:
    """A compiled pattern: its states from 0 on, its groups."""

    steps: list[Step] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    groups: int = 1

    def add(self, step: Step) -> int:
        """Add a state and return its number; raises ``TooLarge`` when there are too many."""
        if len(self.steps) >= MOST_STATES:
            raise TooLarge("the regular expression is too large")
        self.steps.append(step)
        return len(self.steps) - 1

    def matches(self, text: str, spend: Spend) -> Iterator[list[int]]:
        """Yield the slots (start and end of every group, -1 if unused) of each match in turn."""
        at = 0
        while at <= len(text):
            slots = self._match(text, at, spend)
            if slots is None:
                return
            yield slots
            at = slots[1] + (slots[1] == slots[0])  # an empty match is passed by one character

    def _match(self, text: str, start: int, spend: Spend) -> list[int] | None:
        """Return the slots of the first match that begins at ``start`` or later."""
        found: list[int] | None = None
        threads: list[tuple[int, list[int]]] = []
        for at in range(start, len(text) + 1):
            seen: set[int] = set()
            ready: list[tuple[int, list[int]]] = []
            for state, slots in threads:
                self._follow(state, slots, text, at, seen, ready)
            if found is None:
                self._follow(0, [-1] * (2 * self.groups), text, at, seen, ready)
            spend(1 + len(seen))
            threads = []
            letter = text[at] if at < len(text) else None
            for state, slots in ready:
                step = self.steps[state]
                if step.kind == "accept":
                    found = slots
                    break  # threads behind this one have a lower priority
                if letter is not None and step.test is not None and step.test(letter):
                    threads.append((step.targets[0], slots))
            if not threads and found is not None:
                break
        return found

    def _follow(
        self,
        state: int,
        slots: list[int],
        text: str,
        at: int,
        seen: set[int],
        ready: list[tuple[int, list[int]]],
    ) -> None:
        """Add the states reached from ``state`` without a character, in order of priority."""
        waiting = [(state, slots)]
        while waiting:
            state, slots = waiting.pop()
            if state in seen:
                continue
            seen.add(state)
            step = self.steps[state]
            if step.kind == "fork":
                waiting += [(t, slots) for t in reversed(step.targets)]
            elif step.kind == "note":
                slots = slots.copy()
                slots[step.slot] = at
                waiting.append((step.targets[0], slots))
            elif step.kind in PLACES:
                if PLACES[step.kind](text, at):
                    waiting.append((step.targets[0], slots))
            else:
                ready.append((state, slots))


def _is_word(text: str, at: int) -> bool:
    return 0 <= at < len(text) and (text[at].isalnum() or text[at] == "_")


def _is_boundary(text: str, at: int) -> bool:
    return _is_word(text, at - 1) is not _is_word(text, at)


PLACES: dict[str, Callable[[str, int], bool]] = {
    "^": lambda text, at: at == 0,
    "$": lambda text, at: at == len(text),
    "\\b": _is_boundary,
    "\\B": lambda text, at: not _is_boundary(text, at),
}
