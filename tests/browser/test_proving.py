"""A proof made in the browser is as good as one made here: in Python, and on the chain."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from tools import write_proof_vectors

from adapters.ledgers import Town
from simdes.errors import Invalid
from simdes.ledger.contracts import DisclosureVerifierContract
from simdes.ledger.ledger import open_ledger
from simdes.proofs import facts, keys, prover
from simdes.proofs.snarkjs import proof_bytes
from simdes.proofs.trees import BATCH_DEPTH, FOREST_DEPTH, Place, Tree
from support.browser_prover import prove


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    path = tmp_path_factory.mktemp("ledger") / "chain.db"
    ledger = open_ledger(f"embedded:{path}", clock=time.time)
    yield Town(ledger)
    ledger.close()


def question() -> tuple[dict[str, Any], list[int]]:
    """A true statement of disclosure, and its public inputs."""
    fact = facts.Fact(holder=facts.holder_of(77), salt=5, code=9, value=11_000, day=11_000)
    batch = Tree(BATCH_DEPTH, [1, fact.leaf])
    forest = Tree(FOREST_DEPTH, [batch.root])
    asked = facts.Question(challenge=123, code=9, most=12_000)
    place = Place.of(batch, 1, forest, 0)
    signals = facts.signals(asked, fact, place, root=forest.root, holder_key=77)
    return signals, asked.public_inputs(forest.root)


def test_a_proof_of_the_browser_holds_in_python_and_on_the_chain(
    browser: Browser, town: Town
) -> None:
    own = keys.load("disclosure", allow_development=True)
    signals, public = question()
    made = prove(browser, own, signals)
    assert made.public == public
    assert prover.holds(own, made.proof, public)
    verifier = DisclosureVerifierContract(town.ledger, town.addresses.disclosure_verifier)
    assert verifier.holds(made.proof, public)
    assert not verifier.holds(made.proof, [*public[:-1], public[-1] - 1])


def test_the_browser_proves_nothing_that_is_not_so(browser: Browser) -> None:
    own = keys.load("disclosure", allow_development=True)
    signals, _ = question()
    with pytest.raises(Exception, match="Assert Failed"):
        prove(browser, own, {**signals, "value": 13_000})


def test_a_dispense_is_proved_in_the_browser(browser: Browser) -> None:
    own = keys.load("dispense", allow_development=True)
    vectors = json.loads(Path(write_proof_vectors.TARGET).read_bytes())["dispense"]
    made = prove(browser, own, write_proof_vectors.dispense_signals()[0])
    assert [str(one) for one in made.public] == vectors["inputs"]
    assert prover.holds(own, made.proof, made.public)


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"pi_a": [], "pi_b": [], "pi_c": []},
        {"pi_a": ["1", "2", "0"], "pi_b": [["1", "2"]] * 3, "pi_c": ["1", "2", "1"]},
        {"pi_a": ["-1", "2", "1"], "pi_b": [["1", "2"]] * 2 + [["1", "0"]], "pi_c": ["1"] * 3},
    ],
    ids=str,
)
def test_what_is_no_proof_is_refused(proof: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        proof_bytes(proof)
