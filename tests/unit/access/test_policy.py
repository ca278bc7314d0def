"""`policy.decide` and `Consents.isAllowed` are one rule: shown on random histories, both ways."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest

from adapters.ledgers import running_anvil
from simdes.access import policy
from simdes.index.database import Database, open_database
from simdes.index.migrations import migrate
from simdes.ledger.abi import Artifact
from simdes.ledger.consents import Reason
from simdes.ledger.ledger import open_ledger
from unit.access.histories import Judge, compare
from unit.access.network import Clock
from unit.access.stage import Stage

ROOT = Path(__file__).parents[3]

# Each line of the rule, changed as a slip would change it: (as it is, as it is not).
MUTATIONS = {
    "no account is an account": ("if actor is None:", "if False:"),
    "a pending account acts": ("actor.account_state != State.VERIFIED or", "False or"),
    "an organisation's state is ignored": ("actor.organisation_state != State.VERIFIED", "False"),
    "an unknown vault opens": ("if vault is None:", "if vault is None and not request.labels:"),
    "the patient needs a purpose other than PATRQT": (
        "request.purpose == Purpose.PATRQT",
        "request.purpose != Purpose.PATRQT",
    ),
    "anybody is the patient": ("and actor.account == control", ""),
    "an unknown handle is revoked": (
        "return Decision(False, Reason.UNKNOWN_HANDLE)",
        "return Decision(False, Reason.REVOKED)",
    ),
    "a revoked handle goes on": ("if held.status == ConsentState.REVOKED:", "if False:"),
    "revokeAll is ignored": ("held.generation != generation", "held.generation > generation"),
    "terms are not compared": ("commitment(terms, salt) != held.commitment", "False"),
    "the grantee is ignored": ("of is None or of(actor) != terms.grantee", "of is None"),
    "an unknown kind of grantee is anybody": ("if of is None or", "if of is not None and"),
    "a role is not compared": ("and actor.role != terms.grantee_role", "and False"),
    "a purpose is not compared": (
        "request.purpose > LAST_PURPOSE or not purposes >> request.purpose & 1",
        "request.purpose > LAST_PURPOSE",
    ),
    "purposes have no end": ("request.purpose > LAST_PURPOSE or", ""),
    "a category is not compared": (
        "request.category > LAST_CATEGORY or not categories >> request.category & 1",
        "request.category > LAST_CATEGORY",
    ),
    "labels are ignored": ("if request.labels & ~labels:", "if False:"),
    "one common label is enough": (
        "request.labels & ~labels",
        "request.labels and not request.labels & labels",
    ),
    "not-before is exclusive": (
        "request.time < terms.not_before",
        "request.time <= terms.not_before",
    ),
    "expiry is inclusive": ("request.time >= terms.expiry", "request.time > terms.expiry"),
    "listed records are ignored": ("if terms.records != ZERO32 and not", "if False and not"),
    "conditions are ignored": ("terms.condition != ZERO20", "False"),
    "an emergency is everybody's": ("if actor.account != held.account:", "if False:"),
    "an emergency opens every category": (
        "1 << Purpose.ETREAT, EMERGENCY_CATEGORIES, 0",
        "1 << Purpose.ETREAT, (1 << 64) - 1, 0",
    ),
    "an emergency opens labels": (
        "1 << Purpose.ETREAT, EMERGENCY_CATEGORIES, 0",
        "1 << Purpose.ETREAT, EMERGENCY_CATEGORIES, (1 << 64) - 1",
    ),
    "an emergency serves every purpose": (
        "1 << Purpose.ETREAT, EMERGENCY_CATEGORIES, 0",
        "0xFFFF, EMERGENCY_CATEGORIES, 0",
    ),
    "an emergency ends late": (
        "request.time >= held.until_seconds",
        "request.time > held.until_seconds",
    ),
    "an emergency begins early": ("request.time < held.opened_seconds", "False"),
    "a review changes nothing": ("or held.outcome == _UNJUSTIFIED", ""),
}
CONTRACT_MUTATIONS = (
    ("request.time >= terms.expiry", "request.time > terms.expiry"),
    ("c.generation != $.generations[request.vault]", "c.generation > $.generations[request.vault]"),
)


def mutant(before: str, after: str) -> Judge:
    source = inspect.getsource(policy)
    assert source.count(before) == 1, f"the rule has no such line (or several): {before}"
    module = types.ModuleType(f"mutant_of_policy_{abs(hash((before, after)))}")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    exec(compile(source.replace(before, after), "mutant", "exec"), module.__dict__)
    judge: Judge = module.decide
    return judge


def open_stage(folder: Path, clock: Clock, consents: Artifact | None = None) -> Stage:
    url = f"sqlite:{folder / 'model.db'}"
    migrate(url)
    database: Database = open_database(url)
    return Stage(open_ledger("embedded::memory:", clock=clock), database, consents)


def test_a_thousand_random_histories_are_decided_as_the_contract_decides(tmp_path: Path) -> None:
    clock = Clock()
    stage = open_stage(tmp_path, clock)
    reasons, [differing] = compare(
        stage,
        [policy.decide],
        histories=1_000,
        steps=5,
        questions=4,
        seed=1,
        pass_time=clock.advance,
    )
    assert differing == 0
    assert sum(reasons.values()) == 20_000
    assert set(reasons) == {reason.name for reason in Reason}, "some reason was never given"


def test_every_slip_in_the_rule_is_noticed(tmp_path: Path) -> None:
    clock = Clock()
    stage = open_stage(tmp_path, clock)
    judges = [mutant(before, after) for before, after in MUTATIONS.values()]
    _, differing = compare(
        stage, judges, histories=110, steps=5, questions=8, seed=2, pass_time=clock.advance
    )
    unnoticed = [name for name, count in zip(MUTATIONS, differing, strict=True) if not count]
    assert unnoticed == []


def with_imports(folder: str, change: tuple[str, str]) -> dict[str, dict[str, str]]:
    """Consents.sol and all it imports, by path; ours under `folder`, with the rule changed."""
    found: dict[str, dict[str, str]] = {}
    waiting = [f"{folder}/Consents.sol"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        own = name.startswith(folder)
        path = ROOT / ("contracts/src" if own else "node_modules") / name.removeprefix(folder + "/")
        text = path.read_text()
        if name == f"{folder}/consents/Decision.sol":
            assert text.count(change[0]) == 1
            text = text.replace(*change)
        found[name] = {"content": text}
        for imported in re.findall(r'import\s[^;]*?"([^"]+)";', text):
            relative = os.path.normpath(f"{Path(name).parent}/{imported}")
            waiting.append(relative if imported.startswith(".") else imported)
    return found


@pytest.fixture(scope="module")
def mutated_contracts() -> list[Artifact]:
    """`Consents` compiled with each slip in the Solidity rule, all in one run of the compiler."""
    sources: dict[str, dict[str, str]] = {}
    for number, change in enumerate(CONTRACT_MUTATIONS):
        sources |= with_imports(f"m{number}", change)
    parts = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]
    names = [f"m{number}/Consents.sol" for number in range(len(CONTRACT_MUTATIONS))]
    question = {
        "language": "Solidity",
        "sources": sources,
        "settings": {
            "evmVersion": "cancun",
            "optimizer": {"enabled": True, "runs": 200},
            "outputSelection": {name: {"Consents": parts} for name in names},
        },
    }
    answer = subprocess.run(
        ["node", ROOT / "contracts/solc", "--standard-json"],
        input=json.dumps(question).encode(),
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    document = json.loads(answer.stdout)
    assert "contracts" in document, document["errors"]
    return [compiled(document["contracts"][name]["Consents"]) for name in names]


def compiled(contract: dict[str, Any]) -> Artifact:
    return Artifact(
        {
            "contractName": "Consents",
            "abi": contract["abi"],
            "bytecode": contract["evm"]["bytecode"]["object"],
            "deployedBytecode": contract["evm"]["deployedBytecode"]["object"],
        }
    )


@pytest.mark.parametrize("number", range(len(CONTRACT_MUTATIONS)))
def test_a_slip_in_the_contract_is_noticed(
    number: int, mutated_contracts: list[Artifact], tmp_path: Path
) -> None:
    clock = Clock()
    stage = open_stage(tmp_path, clock, mutated_contracts[number])
    _, [differing] = compare(
        stage, [policy.decide], histories=60, steps=6, questions=8, seed=3, pass_time=clock.advance
    )
    assert differing > 0


def test_the_rule_holds_on_a_real_node_too(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'model.db'}"
    migrate(url)
    with running_anvil() as node:
        stage = Stage(open_ledger(node, clock=time.time), open_database(url))
        _, [differing] = compare(stage, [policy.decide], histories=4, steps=5, questions=10, seed=4)
    assert differing == 0
