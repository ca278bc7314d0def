"""The table of states says what docs/prescriptions.md says, for every state and act."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simdes.errors import Conflict
from simdes.exchange.prescriptions.states import Act, State, require, state_of
from simdes.ledger.statements import PrescriptionStatus
from simdes.proofs.prescriptions import Prescription

PAGE = Path(__file__).parents[4] / "docs/prescriptions.md"
TERMS = Prescription(key=1, salt=1, total=90, per_fill=30, interval=0, first_day=100, last_day=200)
NOBODY, WEST = bytes(32), b"w" * 32


def status(
    part: int = 0, *, cancelled: bool = False, pharmacy: bytes = NOBODY
) -> PrescriptionStatus:
    return PrescriptionStatus(part, 0, cancelled, pharmacy)


@pytest.mark.parametrize(
    ("known", "day", "state"),
    [
        (status(), 99, State.EARLY),
        (status(), 100, State.ISSUED),
        (status(), 200, State.ISSUED),
        (status(), 201, State.EXPIRED),
        (status(pharmacy=WEST), 150, State.HELD),
        (status(1), 150, State.PARTLY),
        (status(1, pharmacy=WEST), 150, State.PARTLY),
        (status(9_999), 201, State.EXPIRED),
        (status(10_000), 201, State.COMPLETED),
        (status(cancelled=True), 150, State.CANCELLED),
        (status(10_000, cancelled=True), 201, State.CANCELLED),
    ],
)
def test_a_state_follows_from_terms_ledger_and_day(
    known: PrescriptionStatus, day: int, state: State
) -> None:
    assert state_of(TERMS, known, today=day) is state


def documented() -> dict[State, set[Act]]:
    found = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0] in set(State):
            words = set(re.findall(r"\b[a-z]+\b", cells[2]))
            found[State(cells[0])] = {act for act in Act if act.value in words}
    return found


def test_every_state_has_its_row() -> None:
    assert set(documented()) == set(State)


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("state", State)
def test_what_may_be_done_is_what_the_page_says(state: State, act: Act) -> None:
    if act in documented()[state]:
        require(state, act)
        return
    with pytest.raises(Conflict) as refused:
        require(state, act)
    assert refused.value.message.startswith("The prescri")
