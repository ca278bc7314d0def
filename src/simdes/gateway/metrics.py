"""``/metrics``: figures for operators, in the text format of Prometheus and OpenMetrics.

https://prometheus.io/docs/instrumenting/exposition_formats/. No label carries an id, a user, a
patient or any part of a path that a caller chose: routes are named by their templates, methods and
reasons come from closed sets. Numbers still tell how busy a hospital is, so they are for operators:
whoever shows the bearer token of the settings, or, where none is set, this machine alone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simdes.exchange.operations import (
    Backlog,
    Erasures,
    Figures,
    Operations,
    Reconciliation,
    Storekeeping,
    Waiting,
)
from simdes.gateway.facade import bears
from simdes.gateway.problems import outcome
from simdes.gateway.stopping import Stopping

PATH: Final = "/metrics"
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the latency histogram's buckets."""

STAGES: Final = "0: serving, 1: leaving, 2: closed."
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
OTHER: Final = "other"
"""The label of methods and addresses that are none of ours: senders choose those."""


class Meter:
    """Counts requests of one gateway, in a registry of its own."""

    def __init__(self, operations: Operations, stopping: Stopping) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "simdes_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "simdes_request_seconds",
            "From a request's headers to the end of its answer.",
            ("route", "method"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._operations = operations
        self._watch(stopping)

    def _watch(self, stopping: Stopping) -> None:
        """Register what is looked up when somebody asks."""
        under_way = Gauge(
            "simdes_requests_under_way", "Requests begun, not ended.", registry=self.registry
        )
        under_way.set_function(lambda: float(stopping.under_way))
        stage = Gauge("simdes_stopping", STAGES, registry=self.registry)
        stage.set_function(lambda: float(stopping.stage))
        self.registry.register(Condition(self._operations))
        self.registry.register(_Counts(self._operations))
        ProcessCollector(namespace="simdes", registry=self.registry)

    def shown(self) -> CollectorRegistry:
        """What is to be shown now."""
        return self.registry

    def begun(self) -> None:
        """Take note of a request that begins."""

    def count(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request; ``route`` is a template, `OTHER` where none matched."""
        method = method if method in METHODS else OTHER
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)


class Condition(Collector):
    """What the exchange knows, asked for when somebody looks."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Ask and format."""
        version, schema = self._operations.release()
        yield InfoMetricFamily(
            "simdes_build",
            "The program's release, and the database schema that it was written for.",
            value={"version": version, "schema": schema},
        )
        ready = self._operations.ready()
        yield _gauge("simdes_ready", "1: this part answers.", "part", _flags(ready))
        yield from _figures(self._operations.figures())


class _Counts(Collector):
    """What this process counted in the exchange."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def describe(self) -> list[Metric]:
        """Nothing is known before it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Ask and format."""
        yield _decisions(self._operations.decisions())
        lost = self._operations.refusals_lost()
        yield CounterMetricFamily(
            "simdes_audit_lost", "Refusals that could not be written down.", value=lost
        )
        away = CounterMetricFamily(
            "simdes_custody_turned_away",
            "Custody requests turned away before they named an account.",
            labels=("kind",),
        )
        for kind, count in sorted(self._operations.turned_away().items()):
            away.add_metric((kind,), count)
        yield away


def _flags(parts: Mapping[str, str]) -> dict[str, float]:
    return {part: float(state == "ok") for part, state in parts.items()}


def _figures(figures: Figures) -> Iterator[Metric]:
    if figures.backlog is not None:
        yield from _backlog(figures.backlog)
    if figures.storekeeping is not None:
        yield from _storekeeping(figures.storekeeping)
    if figures.reconciliation is not None:
        yield from _reconciliation(figures.reconciliation)
    if figures.erasures is not None:
        yield _erasures(figures.erasures)
    if figures.mails is not None:
        yield _mails(figures.mails)
    single = {
        "simdes_mail_oldest_seconds": (
            "Age of the oldest mail that no server took; 0: none waits.",
            figures.mails_seconds,
        ),
        "simdes_oldest_unanchored_seconds": (
            "Age of the oldest resource that is not anchored; 0: none waits.",
            figures.oldest_seconds,
        ),
        "simdes_vault_erasure_oldest_seconds": (
            "Age of the oldest erasure of a vault that somebody has not signed; 0: none waits.",
            figures.oldest_erasure_seconds,
        ),
        "simdes_ledger_head_age_seconds": (
            "Age of the newest block of this organisation's node.",
            figures.head_seconds,
        ),
        "simdes_ledger_head": ("Number of that block.", figures.head_number),
        "simdes_disk_free_bytes": ("Free space where it is least.", figures.free_bytes),
    }
    for name, (text, value) in single.items():
        if value is not None:
            yield GaugeMetricFamily(name, text, value=value)


def _backlog(counted: Backlog) -> Iterator[Metric]:
    yield _gauge(
        "simdes_resources",
        "Versions of resources by how far they have come.",
        "state",
        {"pending": counted.pending, "sealed": counted.sealed, "anchored": counted.anchored},
    )
    yield _gauge(
        "simdes_outbox",
        "Rows of the outbox: free to take, or with a worker or put off.",
        "state",
        {"free": counted.pending - counted.claimed, "claimed": counted.claimed},
    )
    for name, text, value in (
        ("simdes_copies", "Records of other organisations held for a time.", counted.copies),
        ("simdes_audit_unanchored", "Audit entries not on chain yet.", counted.audit),
        ("simdes_quarantine_open", "Documents in quarantine, undecided.", counted.quarantine),
    ):
        yield GaugeMetricFamily(name, text, value=value)


def _storekeeping(counted: Storekeeping) -> Iterator[Metric]:
    yield _gauge(
        "simdes_store_contents",
        "Contents of this organisation: all that are kept, and those that something is wrong with.",
        "state",
        {
            "kept": counted.contents,
            "short": counted.short,  # of confirmed copies
            "damaged": counted.damaged,
            "erasing": counted.erasing,
        },
    )
    yield _gauge(
        "simdes_store_kept_for_others",
        "Contents of other organisations: held, or on their way here.",
        "state",
        {"held": counted.kept, "fetching": counted.fetching},
    )
    for name, text, value in (
        ("simdes_store_overdue", "Contents that should have been read again.", counted.overdue),
        ("simdes_store_kept_for_others_bytes", "Their size.", counted.kept_bytes),
    ):
        yield GaugeMetricFamily(name, text, value=value)


def _reconciliation(counted: Reconciliation) -> Iterator[Metric]:
    for name, text, value in (
        ("simdes_audit_findings", "What audit trails do not agree about, open.", counted.findings),
        ("simdes_audit_waiting", "Events that others have not shown yet.", counted.waiting),
        (
            "simdes_audit_compared_timestamp_seconds",
            "When audit trails were compared last; 0: never.",
            (counted.done_ms or 0) / 1000,
        ),
    ):
        yield GaugeMetricFamily(name, text, value=value)


def _erasures(counted: Erasures) -> Metric:
    return _gauge(
        "simdes_vault_erasures",
        "Erasures of vaults asked for here: everybody signed, or somebody has not.",
        "state",
        {"waiting": counted.waiting, "settled": counted.settled},
    )


def _mails(counted: Waiting) -> Metric:
    return _gauge(
        "simdes_mail",
        "Mails on their way: all, and those that a server did not take before.",
        "state",
        {"waiting": counted.letters, "again": counted.again},
    )


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for one, value in values.items():
        family.add_metric((one,), value)
    return family


def _decisions(decisions: Mapping[tuple[str, str], int]) -> Metric:
    family = CounterMetricFamily(
        "simdes_custody_decisions",
        'What custody verbs decided; reason "" where it was granted.',
        labels=("verb", "outcome", "reason"),
    )
    for (verb, reason), count in sorted(decisions.items()):
        family.add_metric((verb, "refused" if reason else "granted", reason), count)
    return family


def metrics_route(meter: Meter, token: str) -> Route:
    """The route; with a ``token`` for its bearer, else for this machine."""

    def metrics(request: Request) -> Response:
        refused = _refusal(request, token)
        if refused is not None:
            return refused
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(meter.shown()), headers={"Content-Type": media_type})

    return Route(PATH, metrics, methods=["GET"])


def _refusal(request: Request, token: str) -> Response | None:
    if not token:
        return None if _from_here(request) else outcome(403, code="forbidden", text=_NOT_HERE)
    if bears(request, token):
        return None
    return outcome(
        401,
        code="login",
        text="This address is for operators.",
        headers={"WWW-Authenticate": 'Bearer realm="operators"'},
    )


_NOT_HERE: Final = "This address answers to this machine alone."
_FORWARDED: Final = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def _from_here(request: Request) -> bool:
    """Whether a program of this machine asks, of its own accord.

    A proxy on this machine asks for others, and says so in a header; a page in a browser of this
    machine asks under another host's name.
    """
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    return _is_loopback(request.client.host) and _is_loopback(request.url.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
