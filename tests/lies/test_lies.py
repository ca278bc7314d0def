"""Every lie about an audit trail is found, and names who told it; 100 of 100 in `make accept`."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.lying import LIES, tell, world

CASES = [(seed, list(LIES)[seed % len(LIES)]) for seed in range(100)]
"""The seed says when, what and who; the kinds of lies come in turn."""
SLICE = CASES[3 : len(LIES) : 4]


def found(template: Path, folder: Path, seed: int, name: str) -> None:
    with world(template, folder, seed) as lying:
        liar = tell(lying, name)
        accused = lying.accused(liar)
        assert liar in accused, (name, seed, liar, accused)
        others = set(accused) - {liar}
        # With several names it is one of them; a copied root names who came later on chain.
        blamed = {who: accused[who] - {"fewer-releases", "repeated-root"} for who in others}
        assert not any(blamed.values()), (name, seed, liar, accused)


@pytest.mark.parametrize(("seed", "name"), SLICE)
def test_a_lie_is_found_and_names_who_told_it(
    template: Path, tmp_path: Path, seed: int, name: str
) -> None:
    found(template, tmp_path / "network", seed, name)


@pytest.mark.accept
@pytest.mark.parametrize(("seed", "name"), CASES)
def test_a_hundred_of_a_hundred_lies_are_found(
    template: Path, tmp_path: Path, seed: int, name: str
) -> None:
    found(template, tmp_path / "network", seed, name)
