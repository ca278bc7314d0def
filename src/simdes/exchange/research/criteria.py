"""Who meets a study's criteria, by the facts that their records say; and how many do, here.

The facts are those that could be stated and shown by proof (docs/formats/statements.md), so that a
release, a count and a proof of `cohort` mean the same people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from simdes.access.desk import Desk
from simdes.access.rights import EVERY_CATEGORY
from simdes.access.vaults import vault_key
from simdes.crypto.keys import unwrap
from simdes.errors import Invalid
from simdes.exchange.disclosing import BIRTH_DATE, fact_of
from simdes.exchange.indexing import resource_context
from simdes.fhir.json import loads
from simdes.fhir.search.conditions import Kind, Match, Query, Slot, TokenTest
from simdes.index import entries, resources, search, vaults
from simdes.index.transaction import Transaction
from simdes.index.vaults import ORGANISATION, Identifier
from simdes.index.visible import OWN, Ground, Scope, Visible
from simdes.proofs.cohorts import Criterion
from simdes.proofs.disclosures import Coding, coded_element
from simdes.proofs.facts import Fact, element_of_code

Resource = Mapping[str, Any]

_SLOTS: Final[Mapping[str, str]] = {
    "Condition": "Condition.code",
    "Immunization": "Immunization.vaccine-code",
    "Observation": "Observation.code",
}
"""What resources that say facts are found by; of a Patient it is the birth date, for everybody."""
_AT_ONCE: Final = 500


def fact_in(resource: Resource, *, today: int) -> Fact | None:
    """What a resource says as a fact (of nobody's key), None where it says none."""
    try:
        said = fact_of(resource, today=today)
    except Invalid:
        return None
    return Fact(
        holder=0,
        salt=0,
        code=element_of_code(*said.code),
        coded=coded_element(said.coded),
        value=said.value,
        day=said.day,
    )


def meets(criteria: Iterable[Criterion], resources: Iterable[Resource], *, today: int) -> bool:
    """Whether a patient's resources meet every criterion, as `cohort` would show it."""
    facts = [fact for one in resources if (fact := fact_in(one, today=today)) is not None]
    return all(any(asked.is_met_by(fact, day=today) for fact in facts) for asked in criteria)


def count(
    desk: Desk, asked: Sequence[tuple[Criterion, Sequence[tuple[Coding, Coding]]]], *, today: int
) -> int:
    """How many patients have records written here that meet every criterion, each once.

    ``asked``: each criterion with the codes that it was made of. What others wrote and consents
    opened here does not count: its authors answer for it.
    """
    with desk.database.read() as tx:
        home = Identifier(ORGANISATION, f"0x{desk.organisation.hex()}")
        nobody = vaults.find_many(tx, [home]).get(home)
        left: set[bytes] | None = None
        for criterion, codes in asked:
            found = set[bytes]()
            for vault, resource in _candidates(desk, tx, codes, within=left):
                if vault == nobody or vault in found:
                    continue
                fact = fact_in(resource, today=today)
                if fact is not None and criterion.is_met_by(fact, day=today):
                    found.add(vault)
            left = found
    return len(left or ())


def _candidates(
    desk: Desk,
    tx: Transaction,
    codes: Sequence[tuple[Coding, Coding]],
    *,
    within: set[bytes] | None,
) -> Iterator[tuple[bytes, Resource]]:
    """What was written here about any of these codes, with its vault; in some vaults alone."""
    about = tuple(dict.fromkeys(code for code, _ in codes))
    queries = [
        Query(types=(type_,), where=Match(Slot(slot, Kind.TOKEN), tests))
        for type_, slot in _SLOTS.items()
        if (tests := tuple(TokenTest(system, code) for system, code in about))
    ]
    if BIRTH_DATE in about:
        queries.append(Query(types=("Patient",)))
    for query in queries:
        yield from _found(desk, tx, query, within=within)


def _found(
    desk: Desk, tx: Transaction, query: Query, *, within: set[bytes] | None
) -> Iterator[tuple[bytes, Resource]]:
    own = Ground(handle=OWN, vaults=None, categories=EVERY_CATEGORY)
    visible = Visible(grounds=(own,), scopes=dict.fromkeys(query.types, (Scope(),)))
    after: search.Hit | None = None
    while hits := search.search(tx, visible, query, limit=_AT_ONCE, after=after):
        after = hits[-1]
        page = entries.get_many(tx, [hit.id for hit in hits])
        ids = [
            one.resource_id
            for one in page
            if one.resource_id is not None and (within is None or one.vault in within)
        ]
        rows = resources.get_many(tx, ids) if ids else []
        keys = vaults.get_many(tx, sorted({row.vault for row in rows})) if rows else {}
        for row in rows:
            vault = keys.get(row.vault)
            if vault is None or vault.is_closed or row.deleted:
                continue
            context = resource_context(row.vault, row.type, row.logical_id)
            key = vault_key(desk.keystore, vault)
            yield row.vault, loads(unwrap(key, row.content_wrapped, aad=context))
