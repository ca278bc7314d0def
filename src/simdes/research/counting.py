"""How many would a study find? Counts with differential privacy, within a budget; pure.

An answer is the count plus noise of the discrete Laplace distribution (Ghosh, Roughgarden and
Sundararajan 2009), made by OpenDP (https://docs.opendp.org, extra ``research``): whether one person
is in the data changes the chance of any answer by a factor of at most e^epsilon. Each answer costs
its epsilon; what a researcher's answers cost together stays below a budget, which bounds what they
tell together, however they are combined: by averaging, by differences, by asking in other words.
The same question of anybody within one period is answered from memory, so that asking again, or
asking with friends, averages nothing out.

Budgets are whole millionths of epsilon, so that no rounding gives anything away. Who keeps
accounts and answers across restarts and processes has to charge in one statement
(:func:`charged` is its rule) before it calls the mechanism.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simdes.errors import Invalid, TooLarge, Unsupported
from simdes.fhir.json import dumps

MICRO = 1_000_000
Mechanism = Callable[[int, int], int]
"""Takes the true count and epsilon in millionths; returns the noisy count."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How feasibility is told. ``budget`` and ``epsilon`` (of one answer) are in millionths.

    ``smallest``: what comes out below it is told as fewer than that.
    """

    budget: int = 2 * MICRO
    epsilon: int = MICRO // 10
    smallest: int = 20

    def __post_init__(self) -> None:
        if not 0 < self.epsilon <= self.budget or self.smallest < 1:
            raise Invalid("an answer costs more than nothing and no more than the budget")


@dataclass(frozen=True, slots=True)
class Told:
    """What the researcher gets: ``count`` (noisy), None for fewer than ``fewer_than``."""

    count: int | None
    fewer_than: int
    epsilon: int

    @property
    def margin(self) -> int:
        """By how much the count is off at most, 19 times of 20."""
        return margin(self.epsilon)


def question(criteria: Any, *, period: str) -> bytes:
    """Return the digest (32 bytes) by which a question is remembered, within ``period``.

    ``criteria`` is JSON; the order of members and of the lists of codes, where it says nothing, is
    the caller's to settle. The answer belongs to everybody, so the researcher is not part of it.
    """
    body = dumps(_sorted(criteria))
    return hashlib.sha256(b"simdes question 1\0" + period.encode() + b"\0" + body).digest()


def charged(spent: int, terms: Terms) -> int:
    """Return what is spent after one more answer; raises ``TooLarge`` beyond the budget."""
    after = spent + terms.epsilon
    if after > terms.budget:
        raise TooLarge(
            "this researcher's budget for counts is used up",
            advice="Ask what was asked before, or have the study approved.",
        )
    return after


def told(noisy: int, terms: Terms) -> Told:
    """Return ``noisy`` as it is told: small ones as fewer than a bound."""
    return Told(noisy if noisy >= terms.smallest else None, terms.smallest, terms.epsilon)


def noisy_count(count: int, epsilon: int) -> int:
    """Return ``count`` (of people, each once) with noise for ``epsilon`` millionths.

    Raises ``Unsupported`` without OpenDP. Noise is of the operating system's randomness.
    """
    if count < 0 or epsilon <= 0:
        raise Invalid("a count is 0 or more and epsilon more than 0")
    try:
        import opendp.prelude as dp  # noqa: PLC0415 (an extra)
    except ImportError:
        raise Unsupported(
            "counts with differential privacy need OpenDP",
            advice="Install SIMDES with its extra `research`.",
        ) from None
    dp.enable_features("contrib")
    space = dp.atom_domain(T=int), dp.absolute_distance(T=int)
    scale = MICRO / epsilon
    measurement: Any = dp.m.make_laplace(*space, scale=scale)
    if measurement.map(1) > epsilon / MICRO * (1 + 1e-9):
        raise Invalid("the mechanism spends more than epsilon")
    return int(measurement(count))


def margin(epsilon: int) -> int:
    """Return the noise that 19 of 20 answers for ``epsilon`` millionths stay within."""
    return round(3 * MICRO / epsilon)  # ln 20 = 2.996


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(v) for v in value] if isinstance(value, list) else value
