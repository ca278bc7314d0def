"""A plan tried on X12 claims of others: lines reconcile, the 835 balances and is read again."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from simdes.claims.plan import Plan, read_plan
from simdes.errors import Invalid, NotFound
from simdes.exchange.claims.trying import remit, try_plan
from simdes.fhir.validate import validate
from simdes.mapper import map_bytes
from support.claiming import PLAN, unbalanced_835
from support.gateways import simdes

SAMPLES = Path(__file__).parents[3] / "vectors/x12"
CLAIMS = sorted(path for path in SAMPLES.rglob("*.837*"))
DAY = date(2019, 12, 31)
NOW = 1_700_000_000


def plan() -> Plan:
    """A plan with shares of all kinds that is in dollars and patient with old claims."""
    text = PLAN.replace("EUR", "USD").replace("filing_days = 180", "filing_days = 9999")
    return read_plan(text)


def bundles(path: Path) -> list[dict[str, Any]]:
    return [one.bundle for one in map_bytes(path.name, path.read_bytes()).messages]


def test_there_are_enough_samples() -> None:
    assert len(CLAIMS) > 15


@pytest.mark.parametrize("path", CLAIMS, ids=lambda path: path.name)
def test_a_plan_decides_every_sample_and_its_835_balances(path: Path) -> None:
    found = bundles(path)
    tried = try_plan(plan(), found, received=DAY)
    for one in tried:
        problems = [*validate(one.response), *validate(one.benefit)]
        assert [each for each in problems if each.severity == "error"] == []
        total = one.claim.get("total", {}).get("value")
        submitted = one.response["total"][0]["amount"]["value"]
        assert total is None or submitted == total
        taken = sum(each.amount for line in one.proposal.lines for each in line.adjustments)
        assert one.proposal.submitted == one.proposal.benefit + taken
    text = remit(tried, found, now_seconds=NOW, sender="PAYER", receiver="PROVIDER")
    assert unbalanced_835(text) == []
    [again] = {one.kind for one in [map_bytes("x.835", text)] if not one.quarantined}
    assert again == "x12"
    assert text.count(b"CLP*") == len(tried)


def test_what_one_claim_uses_up_the_next_one_lacks() -> None:
    found = bundles(SAMPLES / "demo/demo.837")
    alone = try_plan(plan(), found, received=DAY)
    again = try_plan(plan(), [*found, *found], received=DAY)
    assert again[0].proposal == alone[0].proposal
    assert again[-1].proposal.patient < again[0].proposal.patient


def test_files_without_a_claim_or_of_several_providers_are_refused() -> None:
    with pytest.raises(NotFound):
        try_plan(plan(), bundles(SAMPLES / "demo/demo.270"), received=DAY)
    both = [*bundles(CLAIMS[0]), *bundles(CLAIMS[-1])]
    tried = try_plan(plan(), both, received=DAY)
    with pytest.raises(Invalid):
        remit(tried, both, now_seconds=NOW, sender="A", receiver="B")
    with pytest.raises(Invalid):
        try_plan(read_plan(PLAN), bundles(CLAIMS[0]), received=DAY)


def test_the_command_prints_what_is_paid_and_writes_the_835(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN.replace("EUR", "USD"))
    asked = ("claim", "try", "--plan", tmp_path / "plan.toml", SAMPLES / "demo/demo.837")
    out = ("--remittance", tmp_path / "out.835", "--received", "2019-12-31")
    done = simdes(*asked, *out, "--json")
    assert done.returncode == 0, done.stderr
    [told] = json.loads(done.stdout)
    assert told["claimed"] == "100.00 USD"
    assert {line["line"] for line in told["lines"]} == {1, 2, 3, 4}
    assert unbalanced_835((tmp_path / "out.835").read_bytes()) == []
    (tmp_path / "plan.toml").write_text("nonsense")
    assert simdes(*asked).returncode == 5
