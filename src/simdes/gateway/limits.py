"""Limits of the routes: what a request may bring and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """How much a request may bring and how long its answer may take."""

    body_bytes: int = 1 << 20
    body_seconds: float = 15.0
    answer_seconds: float = 30.0


LIMITS = GatewayLimits()
