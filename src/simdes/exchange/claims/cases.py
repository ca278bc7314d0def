"""What an insurer has before it: claims that were disclosed to it, each beside what was disclosed.

Nothing disclosed is believed: the opening must be what the ledger has as claimed, and the Claim
what the opening commits to. What was decided here stays listed when the claim has ended; what was
disclosed of it does not.
"""

from __future__ import annotations

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
from simdes.exchange.interactions.search import every
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import records
from simdes.exchange.reach import reach
from simdes.exchange.rights import Asking, again
from simdes.fhir.json import loads
from simdes.fhir.search.parse import parse
from simdes.index import claims, whereabouts
from simdes.index.claims import Step
from simdes.ledger.contracts import Claim, ClaimState
from simdes.proofs.claim_openings import ClaimOpening, decode
from simdes.proofs.openings import number

Json = dict[str, Any]

APPEAL_SYSTEM: Final = "urn:simdes:claim"
APPEAL_CODE: Final = "appeal"
"""The category of a Communication in which a patient says why a claim is to be decided again."""

_NEVER: Final = frozenset(("AuditEvent", "Consent", "Parameters", "Provenance", "Subscription"))
"""Nobody discloses these."""
_HERE: Final = frozenset(
    (ClaimState.DISCLOSED, ClaimState.RECEIVED, ClaimState.ASKED, ClaimState.APPEALED)
)
"""States of claims that are not decided and lie before their insurer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A claim in an insurer's list. ``claim`` is its id on the ledger (32 bytes), ``due_seconds``
    when what its state waits for is late; ``claimed`` None where it was not looked at (`look`) or
    can't be any more, ``approved`` None before it is decided."""

    claim: bytes
    vault: bytes
    provider: bytes
    state: ClaimState
    due_seconds: int
    appeals: int
    claimed: Money | None
    approved: Money | None
    readable: bool = False


_Decision = tuple[Step, Money, Money]
"""The step of a decision, what was claimed, what is paid of it."""


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
    def appeals(self) -> list[Json]:
        """Why the patient had it decided again, in their words (Communications), oldest first."""
        found = [one for one in self.record if _is_appeal(one)]
        return sorted(found, key=lambda one: str(one.get("sent", "")))

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

    Nothing is opened: what is claimed stands beside a decision, else `look` at it. Raises Forbidden
    for who is not the insurer's claims staff.
    """
    require_clerk(node, asking)
    with node.database.read() as tx:
        vaults = whereabouts.CLAIMS.known(tx)
    found = _rows(node, vaults, _decided(node))
    return sorted(found, key=lambda one: (one.due_seconds, one.claim))


def row(node: Node, asking: Asking, claim: bytes) -> Row:
    """A claim as `inbox` has it. Raises NotFound where it is not there, Forbidden as `inbox`."""
    require_clerk(node, asking)
    with node.database.read() as tx:
        vault = whereabouts.CLAIMS.vault_of(tx, claim)
    found = _rows(node, {} if vault is None else {claim: vault}, _decided(node, claim))
    if not found:
        raise NotFound("There is no such claim, or nothing of it is disclosed to you.")
    return found[0]


def _rows(
    node: Node, vaults: Mapping[bytes, bytes], decided: Mapping[bytes, _Decision]
) -> list[Row]:
    found = []
    every = {**vaults, **{it: one[0].vault for it, one in decided.items()}}
    stand = node.contracts.claims.claims([number(claim) for claim in every])
    for (claim, vault), known in zip(every.items(), stand, strict=True):
        if claim in decided or known.state in _HERE:
            found.append(_row(claim, vault, known, decided.get(claim)))
    return found


def look(node: Node, asking: Asking, rows: Sequence[Row]) -> list[Row]:
    """Some rows with what is claimed, as far as what was disclosed of them opens now.

    Openings that are not of the ledger's claim are left out: `case` says why.
    """
    require_clerk(node, asking)
    vaults = tuple(dict.fromkeys(one.vault for one in rows))
    asking = reached(node, asking, vaults)
    opened = [one for one, _ in openings(node, asking, vaults)]
    stand = node.contracts.claims.claims([number(one.claim) for one in opened])
    claimed = {
        one.claim: Money(sum(one.lines), one.currency)
        for one, known in zip(opened, stand, strict=True)
        if _is_of(node, known, one)
    }
    return [
        replace(one, claimed=claimed[one.claim], readable=True) if one.claim in claimed else one
        for one in rows
    ]


def _decided(node: Node, claim: bytes | None = None) -> dict[bytes, _Decision]:
    """The last decision of each claim (or one) that was decided here."""
    with node.database.read() as tx:
        rows = claims.steps(tx, claim=claim, verb="adjudicate")
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


def _row(claim: bytes, vault: bytes, known: Claim, decision: _Decision | None) -> Row:
    return Row(
        claim=claim,
        vault=vault,
        provider=known.provider,
        state=known.state,
        due_seconds=known.due,
        appeals=known.appeals,
        claimed=None if decision is None else decision[1],
        approved=None if decision is None else decision[2],
    )


def case(node: Node, asking: Asking, claim: bytes) -> Case:
    """A claim (its id on the ledger) with everything that was disclosed of it.

    Raises NotFound where nothing was or is any more, Tampered or Conflict where what was disclosed
    is not what stands on the ledger, Forbidden for who is not the insurer's claims staff.
    """
    require_clerk(node, asking)
    with node.database.read() as tx:
        vault = whereabouts.CLAIMS.vault_of(tx, claim)
        decided = claims.steps(tx, claim=claim)
    vaults = {vault} if vault is not None else {one.vault for one in decided}
    if vaults:
        asking = reached(node, asking, tuple(vaults))
        for opening, its_vault in openings(node, asking, tuple(vaults)):
            if opening.claim == claim:
                return _case(node, asking, opening, its_vault)
    raise NotFound("There is no such claim, or nothing of it is disclosed to you.")


def reached(node: Node, asking: Asking, vaults: tuple[bytes, ...]) -> Asking:
    """The caller with what is disclosed of these vaults to this insurer now opened."""
    found = reach(node, asking, vaults=vaults, categories=mask((Category.DISCLOSURES,)))
    with node.database.read() as tx:
        return again(node, found.asking, tx)


def openings(
    node: Node, asking: Asking, vaults: tuple[bytes, ...]
) -> list[tuple[ClaimOpening, bytes]]:
    """The openings of claims of these vaults that were disclosed here, each with its vault."""
    pairs = (("category", f"{DOCUMENT_SYSTEM}|{CLAIM_CODE}"),)
    query = parse(("DocumentReference",), pairs, now_ms=node.now_ms())
    here = (node.contracts.ledger.chain_id(), node.contracts.addresses.claims)
    found = []
    for one in every(node, asking, query, vaults=vaults):
        try:
            opening = decode(records.attached(loads(one.content)))
        except SimdesError:
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
    query = parse(types, (), now_ms=node.now_ms())
    record = [loads(one.content) for one in every(node, asking, query, vaults=(vault,))]
    claims_ = [one for one in record if one["resourceType"] == "Claim"]
    claim = next((one for one in claims_ if proving.essence_of(one) == opening.essence), None)
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


def _about(message: Json) -> str:
    found = reference_of((message.get("about") or [{}])[0])
    return found if found.startswith("Claim/") else ""


def _is_appeal(resource: Json) -> bool:
    return resource["resourceType"] == "Communication" and any(
        (coding.get("system"), coding.get("code")) == (APPEAL_SYSTEM, APPEAL_CODE)
        for category in resource.get("category") or ()
        for coding in category.get("coding") or ()
    )


_OF_ONE_CLAIM: Final[Mapping[str, Callable[[Json], str]]] = {
    "Claim": lambda one: f"Claim/{one['id']}",
    "ClaimResponse": lambda one: reference_of(one.get("request")),
    "ExplanationOfBenefit": lambda one: reference_of(one.get("claim")),
    "PaymentReconciliation": lambda one: reference_of((one.get("detail") or [{}])[0]["request"]),
    "DocumentReference": _related,
    "Communication": _about,
}
"""Of which claim a resource is, where it is of one alone."""


def receive(node: Node, asking: Asking, its: Case) -> Case:
    """Say to the ledger that the claim is here; one that was received stays so."""
    require_clerk(node, asking)
    if its.known.state is not ClaimState.DISCLOSED:
        return its
    node.agent.transact(node.contracts.claims.acknowledge(its.number))
    return replace(its, known=node.contracts.claims.claim(its.number))
