"""Write the Grafana dashboards of deploy/observability/grafana from one table; a test compares.

python tools/write_dashboards.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "deploy" / "observability" / "grafana"
SOURCE = {"type": "prometheus", "uid": "${source}"}
HERE = 'instance=~"$instance"'

Panel = tuple[str, str, tuple[tuple[str, str], ...]]
"""Title, unit, and each line's query with its legend."""

GATEWAY: tuple[Panel, ...] = (
    (
        "Requests a second by status",
        "reqps",
        ((f"sum by (status) (rate(simdes_requests_total{{{HERE}}}[5m]))", "{{status}}"),),
    ),
    (
        "Seconds by route, 99 of 100 below",
        "s",
        (
            (
                "histogram_quantile(0.99, sum by (route, le)"
                f" (rate(simdes_request_seconds_bucket{{{HERE}}}[5m])))",
                "{{route}}",
            ),
        ),
    ),
    (
        "Seconds, median and 99 of 100",
        "s",
        tuple(
            (
                f"histogram_quantile({part}, sum by (le)"
                f" (rate(simdes_request_seconds_bucket{{{HERE}}}[5m])))",
                name,
            )
            for part, name in (("0.5", "median"), ("0.99", "99 of 100"))
        ),
    ),
    (
        "Requests under way",
        "short",
        ((f"simdes_requests_under_way{{{HERE}}}", "{{instance}}"),),
    ),
    ("Ready", "short", ((f"min by (part) (simdes_ready{{{HERE}}})", "{{part}}"),)),
    (
        "Processor seconds a second",
        "short",
        ((f"rate(simdes_process_cpu_seconds_total{{{HERE}}}[5m])", "{{instance}}"),),
    ),
    (
        "Memory",
        "bytes",
        ((f"simdes_process_resident_memory_bytes{{{HERE}}}", "{{instance}}"),),
    ),
    ("Files open", "short", ((f"simdes_process_open_fds{{{HERE}}}", "{{instance}}"),)),
    ("Releases", "short", (("count by (version, schema) (simdes_build_info)", "{{version}}"),)),
)
RECORDS: tuple[Panel, ...] = (
    (
        "Resources that wait, by state",
        "short",
        ((f'max by (state) (simdes_resources{{{HERE},state!="anchored"}})', "{{state}}"),),
    ),
    (
        "Anchored a second",
        "short",
        ((f'max(deriv(simdes_resources{{{HERE},state="anchored"}}[10m]))', "resources"),),
    ),
    (
        "The longest wait",
        "s",
        ((f"max(simdes_oldest_unanchored_seconds{{{HERE}}})", "not anchored"),),
    ),
    (
        "Age of the newest block",
        "s",
        ((f"simdes_ledger_head_age_seconds{{{HERE}}}", "{{instance}}"),),
    ),
    ("Blocks a second", "short", ((f"deriv(simdes_ledger_head{{{HERE}}}[5m])", "{{instance}}"),)),
    (
        "Audit entries not on chain",
        "short",
        ((f"max(simdes_audit_unanchored{{{HERE}}})", "entries"),),
    ),
    ("Outbox", "short", ((f"max by (state) (simdes_outbox{{{HERE}}})", "{{state}}"),)),
    ("In quarantine", "short", ((f"max(simdes_quarantine_open{{{HERE}}})", "messages"),)),
)
CUSTODY: tuple[Panel, ...] = (
    (
        "Decisions a second",
        "reqps",
        (
            (
                f"sum by (verb, outcome) (rate(simdes_custody_decisions_total{{{HERE}}}[5m]))",
                "{{verb}} {{outcome}}",
            ),
        ),
    ),
    (
        "Refusals a second by reason",
        "reqps",
        (
            (
                "sum by (reason) (rate(simdes_custody_decisions_total"
                f'{{{HERE},outcome="refused"}}[5m]))',
                "{{reason}}",
            ),
        ),
    ),
    (
        "Turned away a second",
        "reqps",
        ((f"sum by (kind) (rate(simdes_custody_turned_away_total{{{HERE}}}[5m]))", "{{kind}}"),),
    ),
    (
        "Refusals that stand in no trail",
        "short",
        ((f"sum(increase(simdes_audit_lost_total{{{HERE}}}[1h]))", "an hour"),),
    ),
    ("Copies of others held", "short", ((f"max(simdes_copies{{{HERE}}})", "records"),)),
    (
        "Contents with something wrong",
        "short",
        ((f'max by (state) (simdes_store_contents{{{HERE},state!="kept"}})', "{{state}}"),),
    ),
    (
        "Contents of ours",
        "short",
        ((f'max(simdes_store_contents{{{HERE},state="kept"}})', "contents"),),
    ),
    (
        "Kept for others",
        "bytes",
        ((f"max(simdes_store_kept_for_others_bytes{{{HERE}}})", "bytes"),),
    ),
    (
        "Vaults whose erasure waits for somebody",
        "short",
        ((f'max(simdes_vault_erasures{{{HERE},state="waiting"}})', "vaults"),),
    ),
    ("Not read again in time", "short", ((f"max(simdes_store_overdue{{{HERE}}})", "contents"),)),
    ("Mails on their way", "short", ((f"max(simdes_mail{{{HERE}}}) by (state)", "{{state}}"),)),
    (
        "Oldest mail on its way",
        "s",
        ((f"max(simdes_mail_oldest_seconds{{{HERE}}})", "age"),),
    ),
    (
        "Free space where it is least",
        "bytes",
        ((f"simdes_disk_free_bytes{{{HERE}}}", "{{instance}}"),),
    ),
    (
        "Disagreements of audit trails, open",
        "short",
        ((f"max(simdes_audit_findings{{{HERE}}})", "findings"),),
    ),
    (
        "Events that others have not shown yet",
        "short",
        ((f"max(simdes_audit_waiting{{{HERE}}})", "events"),),
    ),
)
DASHBOARDS = {
    "gateway": ("SIMDES: gateway", GATEWAY),
    "records": ("SIMDES: records and ledger", RECORDS),
    "custody": ("SIMDES: custody and storage", CUSTODY),
}


def dashboard(uid: str, title: str, panels: tuple[Panel, ...]) -> dict[str, Any]:
    """A dashboard in Grafana's JSON model, two panels a row."""
    return {
        "uid": f"simdes-{uid}",
        "title": title,
        "tags": ["simdes"],
        "schemaVersion": 39,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [_source(), _instances()]},
        "panels": [_panel(at, *one) for at, one in enumerate(panels)],
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}


def _instances() -> dict[str, Any]:
    return {
        "name": "instance",
        "type": "query",
        "label": "Gateway",
        "datasource": SOURCE,
        "query": "label_values(simdes_ready, instance)",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _panel(at: int, title: str, unit: str, lines: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return {
        "id": at + 1,
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "gridPos": {"x": 12 * (at % 2), "y": 8 * (at // 2), "w": 12, "h": 8},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(65 + n), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
            for n, (expr, legend) in enumerate(lines)
        ],
    }


def written() -> dict[str, str]:
    """Every file's name with its content."""
    return {
        f"{uid}.json": json.dumps(dashboard(uid, title, panels), indent=2) + "\n"
        for uid, (title, panels) in DASHBOARDS.items()
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in written().items():
        (FOLDER / name).write_text(content)
