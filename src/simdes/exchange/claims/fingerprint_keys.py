"""The key of fingerprints: proposing who holds it, agreeing, making it, taking it into use.

A plan names the custodians; each one's operator agrees to it by its digest; any of them then
carries it out over the custody API, and gets a key that all have signed and none of them holds.
An insurer takes it into use when it finds all the signatures. To give a key other custodians, a
plan names the finished key before: fingerprints stay the same, old shares are destroyed.
Format: ``docs/formats/fingerprints.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from simdes.access.asking import ask
from simdes.access.custody_fingerprints import DAY_SECONDS, check_key
from simdes.access.fingerprint_messages import ConcludeBody, ContributeBody
from simdes.access.requests import Answer, b64, hexed
from simdes.crypto import cbor
from simdes.crypto.oprf_forms import Key, Plan, check_plan, read_dealing, read_key, read_plan
from simdes.errors import Conflict, NotFound, SimdesError, Tampered, Unavailable
from simdes.exchange.node import Node
from simdes.index import fingerprints as rows
from simdes.index.transaction import Transaction
from simdes.ledger.accounts import State

__all__ = [
    "Held",
    "Plan",
    "adopt",
    "agree",
    "evaluated_today",
    "held",
    "in_use",
    "make",
    "propose",
    "read",
]


@dataclass(frozen=True, slots=True)
class Held:
    """A plan that this organisation agreed to: its digest, its key's, and whether a share lies
    here (agreed, held, ended)."""

    plan: bytes
    key: bytes | None
    state: str


def propose(
    node: Node,
    custodians: Sequence[bytes],
    *,
    m: int,
    persons: Sequence[str],
    places: Sequence[str],
    previous: bytes = b"",
) -> Plan:
    """A plan for a key, or with ``previous`` (a finished key) for handing that one on.

    Raises Invalid for numbers that are not possible, Conflict for who is not a verified member.
    """
    for one in custodians:
        known = node.contracts.accounts.organisation(one)
        if known is None or known.state is not State.VERIFIED:
            raise Conflict("A custodian of fingerprints is a verified organisation.")
    old = read_key(previous).plan if previous else None
    plan = Plan(
        chain=node.contracts.ledger.chain_id(),
        m=m,
        custodians=tuple(custodians),
        persons=old.persons if old else tuple(persons),
        places=old.places if old else tuple(places),
        nonce=node.random(32),
        previous=previous,
    )
    check_plan(plan)
    return plan


def read(content: bytes) -> Plan:
    """Read a plan; Invalid where it is none."""
    return read_plan(content)


def agree(node: Node, content: bytes) -> Plan:
    """Agree, as this organisation's operator, to take part in a plan.

    Raises Conflict for another network's plan, or one in which this organisation is nobody.
    """
    plan = read_plan(content)
    if plan.chain != node.contracts.ledger.chain_id():
        raise Conflict("The plan is for another network.")
    old = read_key(plan.previous) if plan.previous else None
    if old is not None:
        check_key(node.desk, old)
    named = [*plan.custodians, *(old.plan.custodians if old else ())]
    if node.organisation not in named:
        raise Conflict("This organisation is no custodian of the plan.")
    node.database.write(lambda tx: rows.agree(tx, plan.digest, plan.encode(), now_ms=node.now_ms()))
    return plan


def make(node: Node, content: bytes) -> Key:
    """Have the custodians of an agreed plan make its key; returns it, signed by all of them.

    Repeatable: what is done stays done. Raises Unavailable where one that is needed does not
    answer, Tampered (naming the organisation) where one cheats.
    """
    plan = read_plan(content)
    dealings = _dealings(node, plan)
    body = ConcludeBody(plan=hexed(plan.digest), dealings=[b64(one) for one in dealings])
    answers = [ask(node.agent_caller(), one, "conclude", body) for one in plan.custodians]
    made = [_said(plan, answer) for answer in answers]
    for organisation, one in zip(plan.custodians, made, strict=True):
        if one.digest != made[0].digest:
            raise Tampered(f"{_name(node, organisation)} came to another key than the others.")
    key = replace(made[0], signatures=tuple(_signature(answer) for answer in answers))
    whole = read_key(key.encode())
    check_key(node.desk, whole)
    return whole


def _dealings(node: Node, plan: Plan) -> list[bytes]:
    """A dealing of everybody, or, to hand a key on, of as many as it takes."""
    old = read_key(plan.previous).plan if plan.previous else None
    dealers, needed = (old.custodians, old.m) if old else (plan.custodians, len(plan.custodians))
    found: list[bytes] = []
    missing: list[str] = []
    for one in dealers:
        try:
            answer = ask(
                node.agent_caller(), one, "contribute", ContributeBody(plan=hexed(plan.digest))
            )
            dealing = cbor.as_bytes(answer.body.get("dealing"), "dealing")
            read_dealing(dealing)
        except (Unavailable, NotFound) as error:
            missing.append(f"{_name(node, one)}: {error.message}")
            continue
        found.append(dealing)
        if len(found) == needed:
            break
    if len(found) < needed:
        raise Unavailable(f"Too few custodians dealt. {' '.join(missing)}")
    return found


def _said(plan: Plan, answer: Answer) -> Key:
    shares = cbor.as_array(
        answer.body.get("shares"), "shares", least=len(plan.custodians), most=len(plan.custodians)
    )
    return Key(
        plan=plan,
        public=cbor.as_fixed(answer.body.get("public"), 32, "public"),
        shares=tuple(cbor.as_fixed(one, 32, "shares") for one in shares),
    )


def _signature(answer: Answer) -> bytes:
    return cbor.as_fixed(answer.body.get("signature"), 65, "signature")


def _name(node: Node, organisation: bytes) -> str:
    try:
        return node.desk.directory.organisation(organisation).name
    except SimdesError:
        return hexed(organisation)


def adopt(node: Node, content: bytes) -> Key:
    """Take a finished key into use: as an insurer, and as a custodian of the one before it.

    A share that was handed on is destroyed. Raises Tampered unless all custodians signed.
    """
    key = read_key(content)
    check_key(node.desk, key)
    previous = read_key(key.plan.previous) if key.plan.previous else None

    def write(tx: Transaction) -> None:
        rows.adopt(tx, key.digest, key.encode(), now_ms=node.now_ms())
        if previous is not None:
            rows.end(tx, previous.digest)

    node.database.write(write)
    return key


def in_use(node: Node) -> Key:
    """The finished key that this organisation works with; NotFound before the first."""
    with node.database.read() as tx:
        content = rows.adopted(tx)
    if content is None:
        raise NotFound(
            "No key of fingerprints is in use here.",
            advice="Take one into use with `simdes fingerprints adopt FILE`.",
        )
    return read_key(content)


def evaluated_today(node: Node) -> dict[bytes, int]:
    """How many fingerprints each insurer had this organisation evaluate today (UTC)."""
    with node.database.read() as tx:
        return rows.spent_on(tx, node.now_seconds() // DAY_SECONDS)


def held(node: Node) -> list[Held]:
    """What this organisation agreed to, and what came of it."""
    with node.database.read() as tx:
        return [Held(one.plan, one.key, one.state) for one in rows.plans(tx)]
