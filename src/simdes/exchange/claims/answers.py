"""What insurers answered to a claim of ours, read in the patient's record under a consent for it.

An answer opens what the ledger has as approved or paid: amount and blind make exactly that
commitment, or the answer is none. Without a consent nothing is read, and nothing given back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simdes.access.categories import Category, Purpose, mask
from simdes.claims.money import Money
from simdes.claims.remittance import amount_of
from simdes.claims.responses import read_lines
from simdes.errors import SimdesError
from simdes.exchange.claims import steps
from simdes.exchange.interactions.search import every
from simdes.exchange.node import Node
from simdes.exchange.reach import reach
from simdes.exchange.rights import Asking, again, ask
from simdes.exchange.software import software_session
from simdes.fhir.json import loads
from simdes.fhir.search.parse import parse
from simdes.index.claims import Step
from simdes.proofs.claims import Amount, currency_element
from simdes.proofs.openings import number

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What is paid, or to be paid, of a claim: in all, by line, and the ClaimResponse's id."""

    money: Money
    amount: Amount
    by_line: Mapping[int, int]
    response: str


def answered(node: Node, step: Step, commitment: int) -> Answered | None:
    """The answer that opens a commitment of the ledger; None where none can be read here."""
    asking = _asking(node, step.vault)
    if asking is None:
        return None
    for one in _answers(node, asking, step):
        found = _read(one, step, commitment)
        if found is not None:
            return found
    return None


def _asking(node: Node, vault: bytes) -> Asking | None:
    """The software with what a standing consent opens of the answers; None without one."""
    node.following.catch_up()
    asking = ask(node, software_session(node), purpose=Purpose.HPAYMT.name)
    actor, now = asking.session.actor, node.now_seconds()
    with node.database.read() as tx:
        standing = list(node.standing.of(tx, actor, Purpose.HPAYMT, (vault,), now_seconds=now))
    if not any(one.ground.categories >> Category.CLAIMS & 1 for one in standing):
        return None
    found = reach(node, asking, vaults=(vault,), categories=mask((Category.CLAIMS,)))
    with node.database.read() as tx:
        return again(node, found.asking, tx)


def _answers(node: Node, asking: Asking, step: Step) -> Iterator[Json]:
    """ExplanationOfBenefits of a Claim, then its ClaimResponses, newest first."""
    for type_, name in (("ExplanationOfBenefit", "claim"), ("ClaimResponse", "request")):
        pairs = ((name, f"Claim/{step.resource}"), ("_sort", "-_lastUpdated"))
        query = parse((type_,), pairs, now_ms=node.now_ms())
        for one in every(node, asking, query, vaults=(step.vault,)):
            yield loads(one.content)


def opens(answer: Json, step: Step, commitment: int) -> bool:
    """Whether an answer is the one that the ledger has under a commitment."""
    return _read(answer, step, commitment) is not None


def benefit_of(answer: Json) -> Money:
    """What an answer says is paid. Raises StopIteration, KeyError or Invalid where it says none."""
    currency = next(
        str(one["amount"]["currency"]) for one in answer.get("total") or () if "amount" in one
    )
    return amount_of(answer, "benefit", currency)


def _read(answer: Json, step: Step, commitment: int) -> Answered | None:
    blind = steps.blind_of(answer)
    try:
        money = benefit_of(answer)
        amount = Amount(
            claim=number(step.claim),
            amount=money.minor,
            currency=currency_element(money.currency),
            blind=-1 if blind is None else blind,
        )
        lines = {one.sequence: one.benefit for one in read_lines(answer.get("item") or ())}
    except (SimdesError, StopIteration, LookupError, TypeError, ValueError, AttributeError):
        return None
    if amount.commitment != commitment or sum(lines.values()) != money.minor:
        return None
    response = answer["id"]
    if answer["resourceType"] == "ExplanationOfBenefit":
        response = str((answer.get("claimResponse") or {}).get("reference", "")).partition("/")[2]
    return Answered(money=money, amount=amount, by_line=lines, response=response)
