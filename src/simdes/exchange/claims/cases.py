"""What an insurer has before it: claims that were disclosed to it, each beside what was disclosed.

Nothing disclosed is believed: the opening must be what the ledger has as claimed, and the Claim
what the opening commits to. What was decided here stays listed when the claim has ended; what was
disclosed of it does not.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from simdes.access.categories import CLAIM_CODE, DOCUMENT_SYSTEM, Category, Role, mask
from simdes.access.rights import Interaction
from simdes.claims.claimed import claimed_of
from simdes.claims.money import Money
from simdes.claims.reading import reference_of
from simdes.claims.remittance import amount_of
from simdes.errors import Conflict, Forbidden, NotFound, SimdesError, Tampered
from simdes.exchange.claims import proving, steps
from simdes.exchange.interactions.search import find
from simdes.exchange.node import Node
from simdes.exchange.reach import reach
from simdes.exchange.rights import Asking, again
from simdes.fhir.json import loads
from simdes.fhir.search.parse import parse
from simdes.index import claims
from simdes.index.claims import Step
from simdes.ledger.contracts import Claim, ClaimState
from simdes.proofs.claim_openings import ClaimOpening, decode
from simdes.proofs.openings import number

Json = dict[str, Any]

_NEVER: Final = frozenset(("AuditEvent", "Consent", "Parameters", "Provenance", "Subscription"))
"""Nobody discloses these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A claim in an insurer's list. ``claim`` is its id on the ledger (32 bytes), ``due_seconds``
    when what its state waits for is late; ``approved`` None before it is decided; ``readable``:
    what was disclosed of it is open now."""

    claim: bytes
    vault: bytes
    provider: bytes
    state: ClaimState
    due_seconds: int
    appeals: int
    claimed: Money
    approved: Money | None
    readable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A claim as its insurer sees it: the Claim, its opening, the Coverage ({}: not disclosed), how
    it stands on the ledger, and everything that was disclosed of it."""

    claim: Json
    opening: ClaimOpening
    coverage: Json
    known: Claim
    vault: bytes
    record: Sequence[Json]

    @property
    def id(self) -> bytes:
        """Its id on the ledger, 32 bytes."""
        return self.opening.claim

    @property
    def number(self) -> int:
        """The same, as the ledger counts."""
        return number(self.opening.claim)

    @property
    def claimed(self) -> Money:
        """What is claimed in all."""
        return Money(sum(self.opening.lines), self.opening.currency)


def require_clerk(node: Node, asking: Asking) -> None:
    """Raise Forbidden unless the caller decides claims here."""
    if not node.claims.pays or asking.rights.role is not Role.INSURER:
        raise Forbidden("Only claims staff of an insurer decide claims.")
    asking.rights.require(Interaction.CREATE, "ClaimResponse")


def inbox(node: Node, asking: Asking) -> list[Row]:
    """Every claim that is disclosed to this insurer or was decided here, by when it is due.

    Raises Forbidden for who is not its claims staff. Openings that are not of the ledger's claim
    are left out: `case` says why.
    """
    require_clerk(node, asking)
    asking = reached(node, asking)
    decided = _decided(node)
    found: dict[bytes, Row] = {}
    for opening, vault in openings(node, asking):
        known = node.contracts.claims.claim(number(opening.claim))
        if _is_of(node, known, opening):
            whole = Money(sum(opening.lines), opening.currency)
            found[opening.claim] = _row(
                opening.claim, vault, known, whole, decided.get(opening.claim), readable=True
            )
    for claim, step in decided.items():
        if claim not in found:
            known = node.contracts.claims.claim(number(claim))
            found[claim] = _row(claim, step[0].vault, known, step[1], step, readable=False)
    return sorted(found.values(), key=lambda one: (one.due_seconds, one.claim))


_Decision = tuple[Step, Money, Money]
"""The step of a decision, what was claimed, what is paid of it."""


def _decided(node: Node) -> dict[bytes, _Decision]:
    """The last decision of each claim that was decided here."""
    with node.database.read() as tx:
        rows = claims.steps(tx, verb="adjudicate")
    found: dict[bytes, _Decision] = {}
    for row in rows:
        try:
            kept = steps.content_of(node, row)
        except Conflict:
            continue  # erased with the vault
        benefit = next(
            (one for one in map(loads, kept.made) if one["resourceType"] == "ExplanationOfBenefit"),
            None,
        )
        if benefit is not None:
            whole = amount_of(benefit, "submitted", kept.currency)
            found[row.claim] = (row, whole, Money(kept.amount, kept.currency))
    return found


def _row(
    claim: bytes,
    vault: bytes,
    known: Claim,
    claimed: Money,
    decision: _Decision | None,
    *,
    readable: bool,
) -> Row:
    return Row(
        claim=claim,
        vault=vault,
        provider=known.provider,
        state=known.state,
        due_seconds=known.due,
        appeals=known.appeals,
        claimed=claimed,
        approved=None if decision is None else decision[2],
        readable=readable,
    )


def case(node: Node, asking: Asking, claim: bytes) -> Case:
    """A claim (its id on the ledger) with everything that was disclosed of it.

    Raises NotFound where nothing was or is any more, Tampered or Conflict where what was disclosed
    is not what stands on the ledger, Forbidden for who is not the insurer's claims staff.
    """
    require_clerk(node, asking)
    asking = reached(node, asking)
    for opening, vault in openings(node, asking):
        if opening.claim == claim:
            return _case(node, asking, opening, vault)
    raise NotFound("There is no such claim, or nothing of it is disclosed to you.")


def reached(node: Node, asking: Asking) -> Asking:
    """The caller with what is disclosed to this insurer now opened."""
    found = reach(node, asking, vaults=None, categories=mask((Category.DISCLOSURES,)))
    with node.database.read() as tx:
        return again(node, found.asking, tx)


def openings(
    node: Node, asking: Asking, *, vaults: tuple[bytes, ...] | None = None
) -> list[tuple[ClaimOpening, bytes]]:
    """The openings of claims that were disclosed here, each with its vault."""
    pairs = (("category", f"{DOCUMENT_SYSTEM}|{CLAIM_CODE}"), ("_count", "1000"))
    query = parse(("DocumentReference",), pairs, now_ms=node.now_ms())
    here = (node.contracts.ledger.chain_id(), node.contracts.addresses.claims)
    found = []
    for one in find(node, asking, query, vaults=vaults).matches:
        try:
            data = loads(one.content)["content"][0]["attachment"]["data"]
            opening = decode(b64decode(data, validate=True))
        except (KeyError, IndexError, TypeError, NotBase64, SimdesError):
            continue
        if (opening.chain, opening.contract) == here and opening.payer == node.organisation:
            found.append((opening, one.vault))
    return found


def _is_of(node: Node, known: Claim, opening: ClaimOpening) -> bool:
    return (known.payer, known.provider, known.tag) == (
        node.organisation,
        opening.provider,
        number(opening.tag),
    )


def _case(node: Node, asking: Asking, opening: ClaimOpening, vault: bytes) -> Case:
    known = node.contracts.claims.claim(number(opening.claim))
    if not _is_of(node, known, opening):
        raise Tampered("The claim is not the one that stands on the ledger.")
    opening.require_claimed(known.claimed)
    types = tuple(sorted({one for one in asking.rights.searching.scopes if one not in _NEVER}))
    query = parse(types, (("_count", "1000"),), now_ms=node.now_ms())
    found = find(node, asking, query, vaults=(vault,)).matches
    record = [loads(one.content) for one in found]
    every = [one for one in record if one["resourceType"] == "Claim"]
    claim = next((one for one in every if proving.essence_of(one) == opening.essence), None)
    if claim is None:
        raise Conflict("The Claim is not the one that was opened, or not disclosed.")
    if [one.net for one in claimed_of(claim).lines] != list(opening.lines):
        raise Tampered("The lines of the Claim are not those that were opened.")
    focal = [reference_of(one["coverage"]) for one in claim["insurance"] if one.get("focal")]
    return Case(
        claim=claim,
        opening=opening,
        coverage=next((one for one in record if f"Coverage/{one.get('id')}" in focal), {}),
        known=known,
        vault=vault,
        record=[one for one in record if _belongs(one, f"Claim/{claim['id']}")],
    )


def _belongs(resource: Json, name: str) -> bool:
    of = _OF_ONE_CLAIM.get(resource["resourceType"])
    return of is None or of(resource) in (name, "")


def _related(document: Json) -> str:
    related = (document.get("context") or {}).get("related") or [{}]
    found = reference_of(related[0])
    return found if found.startswith("Claim/") else ""


_OF_ONE_CLAIM: Final[Mapping[str, Callable[[Json], str]]] = {
    "Claim": lambda one: f"Claim/{one['id']}",
    "ClaimResponse": lambda one: reference_of(one.get("request")),
    "ExplanationOfBenefit": lambda one: reference_of(one.get("claim")),
    "PaymentReconciliation": lambda one: reference_of((one.get("detail") or [{}])[0]["request"]),
    "DocumentReference": _related,
}
"""Of which claim a resource is, where it is of one alone."""


def receive(node: Node, asking: Asking, its: Case) -> Case:
    """Say to the ledger that the claim is here; one that was received stays so."""
    require_clerk(node, asking)
    if its.known.state is not ClaimState.DISCLOSED:
        return its
    node.agent.transact(node.contracts.claims.acknowledge(its.number))
    return replace(its, known=node.contracts.claims.claim(its.number))
