"""Limits of the routes: what a request may bring and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """How much a request may bring and how long its answer may take.

    ``tokens_per_minute`` is how often one app at one address may call the authorization server,
    ``cds_per_minute`` how often one clinical system may ask for decision support.
    ``websockets`` are open at a time; a message to us has ``websocket_bytes`` at most, and who does
    not take one of ours within ``websocket_seconds`` is dropped.
    """

    body_bytes: int = 1 << 20
    fhir_body_bytes: int = 32 << 20
    body_seconds: float = 15.0
    answer_seconds: float = 30.0
    tokens_per_minute: int = 600
    cds_body_bytes: int = 4 << 20
    cds_per_minute: int = 1_200
    websockets: int = 256
    websocket_bytes: int = 4096
    websocket_seconds: float = 5.0


LIMITS = GatewayLimits()
