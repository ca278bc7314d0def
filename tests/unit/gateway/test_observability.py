"""Alerts, dashboards and figures fit together: what is named exists; alarms have a runbook."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from simdes.exchange.operations import Operations
from simdes.gateway.app import Running, create_gateway
from unit.access.conftest import Scene
from unit.gateway.asgi import send
from unit.gateway.test_metrics import HERE, JOSE, question

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "observability"
RUNBOOK = ROOT / "docs" / "operations" / "alerts.md"
SCRAPED = {"instance", "job", "le"}
"""Labels that Prometheus adds."""


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
    assert set(document) == {"groups"}
    found = []
    for group in document["groups"]:
        assert set(group) == {"name", "rules"}
        found += group["rules"]
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Every expression of alerts and dashboards with where it stands."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for path in sorted((FOLDER / "grafana").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"]


@pytest.fixture
def figures(scene: Scene) -> dict[str, tuple[str, set[str]]]:
    """Every sample's name with its family's type and its labels, as a gateway shows them."""
    operations = Operations(scene.home.custody, places=(ROOT,))
    app = create_gateway(scene.home.custody, running=Running(operations=operations))
    send(app, "POST", "/custody/v1/release", content=question(scene), headers=JOSE)
    send(app, "POST", "/custody/v1/release", content=b"rubbish", headers=JOSE)
    found: dict[str, tuple[str, set[str]]] = {}
    text = send(app, "GET", "/metrics", headers=HERE).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            _, labels = found.setdefault(sample.name, (family.type, set()))
            labels |= set(sample.labels)
    return found


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on(
    rule: dict[str, Any],
) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Simdes[A-Z]\w+", rule["alert"])
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert re.fullmatch(r"\d+[smhd]", rule.get("for", "0s"))
    assert rule["annotations"]["summary"].endswith(".")
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert page == "docs/operations/alerts.md" and anchor == rule["alert"].lower()


def test_each_alert_has_its_runbook_entry_and_each_entry_its_alert() -> None:
    entries = re.findall(r"(?m)^## (\w+)\n\n(.+)", RUNBOOK.read_text())
    assert [name for name, _ in entries] == [rule["alert"] for rule in rules()]
    assert all(len(text) > 20 for _, text in entries)


@pytest.mark.parametrize(("where", "query"), queries(), ids=str)
def test_each_query_is_promql_and_names_figures_that_exist(
    where: str, query: str, figures: dict[str, tuple[str, set[str]]]
) -> None:
    promql_parser.parse(query.replace("$instance", ".*"))
    named = re.findall(r"\b(simdes_\w+)(?:\{([^}]*)\})?", query)
    assert named or re.match(r"up\{", query), where
    for name, matchers in named:
        assert name in figures, f"{where} names {name}"
        kind, labels = figures[name]
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers):
            assert label in labels | SCRAPED, f"{name} has no label {label}"
        if kind in ("counter", "histogram"):
            assert re.search(rf"(rate|increase)\([^()]*{name}", query), "counters only ever rise"


def test_dashboards_are_what_their_table_gives() -> None:
    spec = importlib.util.spec_from_file_location("dashboards", ROOT / "tools/write_dashboards.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    there = {path.name: path.read_text() for path in (FOLDER / "grafana").glob("*.json")}
    assert there == module.written()
    for text in there.values():
        document = json.loads(text)
        places = [tuple(one["gridPos"].values()) for one in document["panels"]]
        assert len(places) == len(set(places)) == len({one["id"] for one in document["panels"]})


def test_every_figure_of_ours_is_on_a_dashboard_or_in_an_alert(
    figures: dict[str, tuple[str, set[str]]],
) -> None:
    said = " ".join(query for _, query in queries())
    unseen = {
        name
        for name in figures
        if name not in said and not name.endswith(("_count", "_sum", "_created"))
    }
    assert unseen <= {
        "simdes_stopping",
        "simdes_store_kept_for_others",
        "simdes_process_virtual_memory_bytes",
        "simdes_process_start_time_seconds",
    }


def test_names_follow_the_conventions(figures: dict[str, tuple[str, set[str]]]) -> None:
    """https://prometheus.io/docs/practices/naming/: base units last, counters end in _total."""
    for name, (kind, labels) in figures.items():
        assert re.fullmatch(r"simdes_[a-z][a-z_]*[a-z]", name)
        assert all(re.fullmatch(r"[a-z]+", label) for label in labels)
        if kind == "counter" and not name.endswith("_created"):
            assert name.endswith("_total")
        if kind == "gauge":
            assert not name.endswith(("_total", "_count", "_sum", "_bucket"))
        if kind == "histogram":
            assert "_seconds" in name
        assert not re.search(r"_(ms|milliseconds|minutes|kb|mb|mib|percent)(_|$)", name)
