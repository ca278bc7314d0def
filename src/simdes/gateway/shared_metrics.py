"""Figures of several processes on one port: whichever is asked shows the sums of all.

Each process keeps its counts in a file beside the others' (Prometheus' multiprocess mode,
https://prometheus.github.io/client_python/multiprocess/), in the folder that the environment
variable `FOLDER` names before the process starts. What a process counted stays when it ends, so a
counter never goes back; what only the living have (requests under way, memory) goes with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from simdes.gateway.metrics import STAGES, Condition, Meter
from simdes.gateway.stopping import Stopping

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
_LIVING: Final = "gauge_livesum_*.db"


class SharedMeter(Meter):
    """Counts requests of one of several processes, and shows what all of them counted."""

    def _watch(self, stopping: Stopping) -> None:
        self._stopping = stopping
        self._under_way = Gauge(
            "simdes_requests_under_way",
            "Requests begun, not ended.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self._stage = Gauge(
            "simdes_stopping", STAGES, registry=self.registry, multiprocess_mode="livemax"
        )
        self._lost = Counter(
            "simdes_audit_lost", "Refusals that could not be written down.", registry=self.registry
        )
        self._decisions = Counter(
            "simdes_custody_decisions",
            'What custody verbs decided; reason "" where it was granted.',
            ("verb", "outcome", "reason"),
            registry=self.registry,
        )
        self._away = Counter(
            "simdes_custody_turned_away",
            "Custody requests turned away before they named an account.",
            ("kind",),
            registry=self.registry,
        )
        self._counted: dict[tuple[str, ...], int] = {}
        join(self.registry)

    def shown(self) -> CollectorRegistry:
        """What all processes counted, and the organisation's condition."""
        self._stage.set(float(self._stopping.stage))
        shown = CollectorRegistry()
        MultiProcessCollector(shown)  # type: ignore[no-untyped-call]
        shown.register(Condition(self._operations))
        shown.register(_Living())
        return shown

    def begun(self) -> None:
        """Take note of a request that begins."""
        self._under_way.set(float(self._stopping.under_way))

    def count(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """See `Meter.count`; what the exchange counted meanwhile goes into the file as well."""
        super().count(route=route, method=method, status=status, seconds=seconds)
        self._under_way.set(float(self._stopping.under_way))
        operations = self._operations
        if more := self._more(("lost",), operations.refusals_lost()):
            self._lost.inc(more)
        for (verb, reason), count in operations.decisions().items():
            if more := self._more(("decision", verb, reason), count):
                self._decisions.labels(verb, "refused" if reason else "granted", reason).inc(more)
        for kind, count in operations.turned_away().items():
            if more := self._more(("away", kind), count):
                self._away.labels(kind).inc(more)

    def _more(self, name: tuple[str, ...], count: int) -> int:
        """How much was counted since the last time."""
        more = count - self._counted.get(name, 0)
        self._counted[name] = count
        return more


def join(registry: CollectorRegistry) -> None:
    """Count this process among the living, be it one that answers or the worker."""
    processes = Gauge(
        "simdes_processes",
        "Processes of this gateway that run, the worker among them.",
        registry=registry,
        multiprocess_mode="livesum",
    )
    processes.set(1)


def left(pid: int) -> None:
    """Take a process that ended off the living."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]


class _Living(Collector):
    """Processor time, memory and files of all processes together."""

    def describe(self) -> list[Metric]:
        """Nothing is known before it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Add up what the system says of each."""
        sums: dict[str, Metric] = {}
        for pid in self._pids():
            for metric in ProcessCollector("simdes", _constantly(pid), registry=None).collect():
                if metric.name.endswith("start_time_seconds"):
                    continue
                known = sums.setdefault(metric.name, _empty(metric))
                before = known.samples.pop().value if known.samples else 0.0
                found = metric.samples[0]
                known.add_sample(found.name, {}, before + found.value)
        yield from sums.values()

    def _pids(self) -> list[int]:
        files = Path(os.environ[FOLDER]).glob(_LIVING)
        return sorted(int(one.stem.rpartition("_")[2]) for one in files)


def _constantly(pid: int) -> Callable[[], int]:
    return lambda: pid


def _empty(metric: Metric) -> Metric:
    kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
    return kind(metric.name, metric.documentation)
