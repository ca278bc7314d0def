"""Every search parameter of R4 over SQL: what a search should find, and what it shouldn't.

The cases are those that the matching in memory passes (tests/unit/fhir/search/test_cases.py). Here
run a fifth of them, in `make accept` all.
"""

from __future__ import annotations

import pytest

from adapters.index_entries import add_vaults, found, own, sees
from simdes.fhir.definitions import resource_types
from simdes.fhir.search.extract import extract
from simdes.fhir.search.parse import parse
from simdes.index.database import Database
from support.search_cases import NOW_MS, UPDATED_MS, Case, cases


def _chosen(share: int) -> dict[str, Case]:
    """Return one case of `share` by its entry's name; of what all types have, those of two."""
    kept = [
        case
        for case in cases()
        if case.code != "_id" and (case.code[0] != "_" or case.type in ("Patient", "Binary"))
    ]
    return {f"{case.type}/c{n}": case for n, case in enumerate(kept[::share])}


@pytest.mark.parametrize("share", [5, pytest.param(1, marks=pytest.mark.accept)])
def test_every_parameter_finds_what_it_should_and_nothing_else(
    database: Database, share: int
) -> None:
    chosen, everything = _chosen(share), sees(types=resource_types())
    with database.transaction() as tx:
        add_vaults(tx, 1)
        for name, case in chosen.items():
            own(tx, name, *extract(case.resource), updated_ms=UPDATED_MS, content=name)
        for name, case in chosen.items():
            for text, is_hit in ((case.hit, True), (case.miss, False)):
                query = parse((case.type,), [(case.code, text)], now_ms=NOW_MS)
                assert (name in found(tx, everything, query)) is is_hit, case.name
