"""`contribute`, `conclude`, `evaluate` and `fingerprints`: fingerprints across insurers.

Custodians make a key that none of them holds (`contribute`, `conclude`), by a plan to which each
one's operator agreed, and evaluate blinded inputs with their shares (`evaluate`), for active
insurers alone and no more than a day's limit: the inputs are few enough to be guessed, and this
limit is what stands against it. Insurers give each other what they published (`fingerprints`).
Format: ``docs/formats/fingerprints.md``.
"""

from __future__ import annotations

from typing import Final

from simdes.access.asking import check_agent
from simdes.access.audit_event import Verb
from simdes.access.categories import Kind
from simdes.access.custody_vaults import unfit_software
from simdes.access.desk import QUOTA, Asker, Body, Desk, Outcome, refuse
from simdes.access.fingerprint_messages import (
    ConcludeBody,
    ContributeBody,
    EvaluateBody,
    FingerprintsBody,
)
from simdes.access.requests import hexed, unb64, unhex
from simdes.crypto import oprf
from simdes.crypto.digest import sha256
from simdes.crypto.keys import unwrap, wrap
from simdes.crypto.oprf_forms import (
    Dealing,
    Key,
    Plan,
    make_dealing,
    read_dealing,
    read_key,
    read_plan,
)
from simdes.crypto.oprf_forms import (
    conclude as conclude_key,
)
from simdes.crypto.ristretto import read_scalar, scalar_bytes
from simdes.errors import Conflict, SimdesError, Unavailable
from simdes.index import fingerprints as rows
from simdes.index.transaction import Transaction
from simdes.ledger.accounts import State

PLAN_NOT_AGREED: Final = "PLAN_NOT_AGREED"
KEY_NOT_HELD: Final = "KEY_NOT_HELD"
NOT_INSURER: Final = "NOT_INSURER"
BAD_DEALING: Final = "BAD_DEALING"
DAY_SECONDS: Final = 86_400
_AAD: Final = b"simdes/fingerprint-share/v1"


def contribute(desk: Desk, asker: Asker, body: ContributeBody) -> Outcome:
    """What we deal towards the key of an agreed plan; asked again, the same."""
    row = _plan_row(desk, unhex(body.plan))
    reason = unfit_software(asker) or _why_not(desk, asker, row)
    attempt = asker.attempt(Verb.CONTRIBUTE, reason=reason)
    if reason or row is None:
        return refuse(attempt)
    made = (row.dealing or deal(desk, read_plan(row.content)).encode()) if row else b""
    digest = row.plan

    def write(tx: Transaction) -> Body:
        return {"dealing": rows.keep_dealing(tx, digest, made)}

    return Outcome(attempts=(attempt,), receipt={"plan": body.plan}, write=write)


def deal(desk: Desk, plan: Plan) -> Dealing:
    """Deal a fresh number, or our share of the key that is handed on.

    `Conflict` where we are no dealer of the plan.
    """
    dealer, share = _dealer(desk, plan)
    publics = [desk.directory.organisation(one).public for one in plan.custodians]
    return make_dealing(
        plan,
        dealer=dealer,
        publics=publics,
        share=share,
        sign=desk.keystore.lanes[0].sign,
        random=desk.random,
    )


def _dealer(desk: Desk, plan: Plan) -> tuple[int, int | None]:
    if not plan.previous:
        index = plan.index_of(desk.organisation)
        if index is None:
            raise Conflict("This organisation is no custodian of the plan.")
        return index, None
    old = read_key(plan.previous)
    check_key(desk, old)
    index, share = old.plan.index_of(desk.organisation), share_of(desk, old.digest)
    if index is None or share is None:
        raise Conflict("This organisation holds no share of the key to hand on.")
    return index, share


def conclude(desk: Desk, asker: Asker, body: ConcludeBody) -> Outcome:
    """Our share of the key, from what all dealt; we sign the key that came of it."""
    row = _plan_row(desk, unhex(body.plan))
    reason = unfit_software(asker) or _why_not(desk, asker, row)
    if reason or row is None:
        return refuse(asker.attempt(Verb.CONCLUDE, reason=reason))
    plan = read_plan(row.content)
    index = plan.index_of(desk.organisation)
    try:
        dealings = [read_dealing(unb64(one)) for one in body.dealings]
        _check_dealers(desk, plan, dealings)
        share, key = conclude_key(
            plan, dealings, index=index or 0, opening=desk.keystore.descriptor_key
        )
    except Unavailable:
        raise
    except SimdesError as error:
        outcome = refuse(asker.attempt(Verb.CONCLUDE, reason=BAD_DEALING))
        return Outcome(attempts=outcome.attempts, error=error)
    wrapped = wrap(
        desk.keystore.database_key,
        scalar_bytes(share),
        aad=_AAD + key.digest,
        random=desk.random,
    )

    def write(tx: Transaction) -> Body:
        if not rows.keep_share(tx, row.plan, key=key.digest, wrapped=wrapped):
            raise Conflict("Another key came of this plan before.", advice="Make another plan.")
        return {"public": key.public, "shares": list(key.shares), "signature": signature}

    signature = desk.keystore.lanes[0].sign(key.digest)
    return Outcome(
        attempts=(asker.attempt(Verb.CONCLUDE),),
        receipt={"plan": body.plan, "key": hexed(key.digest)},
        write=write,
    )


def _check_dealers(desk: Desk, plan: Plan, dealings: list[Dealing]) -> None:
    names = read_key(plan.previous).plan.custodians if plan.previous else plan.custodians
    for one in dealings:
        dealer = names[one.dealer - 1] if 1 <= one.dealer <= len(names) else bytes(32)
        check_agent(desk.contracts, one.signer, dealer)


def check_key(desk: Desk, key: Key) -> None:
    """`Tampered` unless every custodian of its plan signed this key, on this chain."""
    if key.plan.chain != desk.contracts.ledger.chain_id():
        raise Conflict("The key is another network's.")
    for organisation, signer in zip(key.plan.custodians, key.signers(), strict=True):
        check_agent(desk.contracts, signer, organisation)


def share_of(desk: Desk, key: bytes) -> int | None:
    """Our share of a key, None where we hold none."""
    with desk.database.read() as tx:
        row = rows.held(tx, key)
    if row is None or row.share_wrapped is None:
        return None
    return read_scalar(unwrap(desk.keystore.database_key, row.share_wrapped, aad=_AAD + key))


def evaluate(desk: Desk, asker: Asker, body: EvaluateBody) -> Outcome:
    """Blinded inputs under our share of a key, with a proof; counted before anything is made."""
    key = unhex(body.key)
    reason = unfit_software(asker) or why_no_insurer(desk, asker)
    share = None if reason else share_of(desk, key)
    if not reason and share is None:
        reason = KEY_NOT_HELD
    if reason or share is None:
        return refuse(asker.attempt(Verb.EVALUATE, reason=reason))
    elements = [unhex(one) for one in body.elements]
    evaluation = oprf.evaluate(share, elements, random=desk.random)
    day = int(desk.clock()) // DAY_SECONDS
    organisation, limit = asker.standing.organisation, desk.limits.evaluations_per_day
    # Charged by itself, before the answer: who is refused leaves an entry, and a crash in between
    # costs the insurer an answer, never the limit.
    if not desk.database.write(
        lambda tx: rows.charge(tx, organisation, day=day, count=len(elements), limit=limit)
    ):
        return refuse(asker.attempt(Verb.EVALUATE, reason=QUOTA))
    return Outcome(
        attempts=(asker.attempt(Verb.EVALUATE),),
        receipt={
            "key": body.key,
            "count": len(elements),
            "evaluation": hexed(
                sha256(b"".join((*elements, *evaluation.elements, evaluation.proof)))
            ),
        },
        body={"elements": list(evaluation.elements), "proof": evaluation.proof},
    )


def fingerprints(desk: Desk, asker: Asker, body: FingerprintsBody) -> Outcome:
    """What this organisation published, batch by batch, for other insurers."""
    reason = unfit_software(asker) or why_no_insurer(desk, asker)
    if reason:
        return refuse(asker.attempt(Verb.FINGERPRINTS, reason=reason))
    with desk.database.read() as tx:
        listed = rows.batches(tx, unhex(body.function), after=body.after)
    return Outcome(
        attempts=(asker.attempt(Verb.FINGERPRINTS),),
        receipt={"count": len(listed)},
        body={
            "batches": [[one.number, one.content] for one in listed],
            "more": int(len(listed) == rows.PAGE_BATCHES),
        },
    )


def _plan_row(desk: Desk, digest: bytes) -> rows.PlanRow | None:
    with desk.database.read() as tx:
        return rows.plan(tx, digest)


def _why_not(desk: Desk, asker: Asker, row: rows.PlanRow | None) -> str:
    """Whoever is in the plan may carry it out, once our operator agreed to it."""
    if row is None or row.state == rows.ENDED:
        return PLAN_NOT_AGREED
    plan = read_plan(row.content)
    inside = plan.index_of(asker.standing.organisation) is not None
    return "" if inside and plan.chain == desk.contracts.ledger.chain_id() else PLAN_NOT_AGREED


def why_no_insurer(desk: Desk, asker: Asker) -> str:
    """Why the asker is not of a verified insurer; "" where it is."""
    known = desk.contracts.accounts.organisation(asker.standing.organisation)
    fit = known is not None and known.state is State.VERIFIED and known.kind == Kind.INSURER
    return "" if fit else NOT_INSURER
