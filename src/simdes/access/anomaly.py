"""Unusual reading: a few rules over whose records an account read lately.

A rule that fires asks for a second factor (RFC 9470) and forbids nothing: whoever shows one goes
on. The rules catch a stolen session or a curious colleague that leafs through the hospital, not one
who reads slowly; the audit trail is for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from simdes.access.authentication import Authentication

FRESH_SECONDS: Final = 15 * 60
"""A second factor that was shown within this time passes every rule."""
TREATMENT_SECONDS: Final = 30 * 86_400
"""A patient with an encounter written here within this time is in treatment here; so is one whose
prescription, claim or request for a correction waits here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """More than ``most`` patients within ``seconds``; ``strangers``: not in treatment here."""

    name: str
    seconds: int
    most: int
    strangers: bool


RULES: Final = (
    Rule(name="many strangers in an hour", seconds=3_600, most=10, strangers=True),
    Rule(name="many patients in an hour", seconds=3_600, most=60, strangers=False),
    Rule(name="many patients in a day", seconds=86_400, most=200, strangers=False),
)
"""The default; 0 for ``most`` of a setting switches a rule off (see `rules`)."""


def rules(
    *, strangers_per_hour: int, patients_per_hour: int, patients_per_day: int
) -> tuple[Rule, ...]:
    """The rules with limits of an organisation's own; 0 switches one off."""
    limits = (strangers_per_hour, patients_per_hour, patients_per_day)
    return tuple(
        Rule(name=rule.name, seconds=rule.seconds, most=most, strangers=rule.strangers)
        for rule, most in zip(RULES, limits, strict=True)
        if most > 0
    )


def passes(authentication: Authentication | None, *, now_seconds: int) -> bool:
    """Whether a second factor was shown so lately that no rule asks for another."""
    return (
        authentication is not None
        and authentication.multiple
        and now_seconds - authentication.time_seconds <= FRESH_SECONDS
    )


def fires(applied: Sequence[Rule], count: Callable[[Rule], int]) -> Rule | None:
    """The first rule that is broken, ``count`` telling how many patients it counts."""
    return next((rule for rule in applied if count(rule) > rule.most), None)
