"""A merge of records that patients control: asked of each of them, answered over their signature.

Each controlling account signs (EIP-712) what would happen: on which network, by whose word, by
which message, of which two vaults in which direction, which of the two goes on, whose they are, and
until when that counts. So an acceptance is of nothing else, and anybody can check it; one changed
byte of the message, or another patient of a vault, is another question
(docs/decisions/0077-a-patient-accepts-a-merge.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simdes.access.audit_event import Verb
from simdes.access.categories import State
from simdes.errors import Conflict, NotFound
from simdes.exchange.mail import news
from simdes.exchange.mail.kinds import REQUEST
from simdes.exchange.node import Node
from simdes.exchange.on_record import attempt_of
from simdes.exchange.signin import Session
from simdes.exchange.wallet_signatures import signed_by, signer
from simdes.index import chain, merges, vaults
from simdes.index import merge_questions as rows
from simdes.index import quarantine as documents
from simdes.index.merge_questions import ACCEPTED, DECLINED, WITHDRAWN, Answer, Question
from simdes.index.quarantine import Quarantined
from simdes.index.transaction import Transaction
from simdes.index.vaults import Vault
from simdes.ledger.typed_data import TypedData

ASK_SECONDS: Final = 30 * 86_400
"""How long a patient has to answer, and how long an acceptance counts; then it is asked anew."""
WAITING, UNABLE = "waiting", "unable"
"""What else an account's answer may be: none yet, or its account may not act now."""
MOVED, OVER, GONE = "moved", "over", "gone"
"""What else may have become of a question: carried out, out of time, or nothing waits any more."""
NEEDS_PATIENT: Final = (
    "merge-needs-patient",
    "The merge is of two vaults, and a patient, or another organisation, controls one of them.",
    "Nothing was moved. Patients with an account here are asked on their pages; until then send "
    "records of either under its own number.",
)
REFUSED: Final = (
    "merge-declined",
    "The merge is of two vaults, and a patient who controls one of them declined it.",
    "Nothing was moved. Leave the two numbers as they are and dismiss the message, or speak with "
    "the patient: thirty days after they were asked, a replay asks again.",
)
_AGREED: Final = (
    "merge-accepted",
    "The merge is of two vaults, and every patient who controls one of them accepted it.",
    "Replay the message: that carries it out.",
)
_CODES: Final[Mapping[str, int]] = {WAITING: 0, ACCEPTED: 1, DECLINED: 2}
_STRUCT: Final = (
    "MergeAnswer(bytes32 organisation,bytes32 message,bytes32 prior,bytes32 survivor,bytes32 kept,"
    "bytes32 priorControl,bytes32 survivorControl,uint64 until,uint8 answer)"
)


def control(tx: Transaction, vault: Vault) -> bytes | None:
    """Whose account controls a vault, here or on the chain as far as it was followed."""
    known = chain.vault(tx, vault.tag)
    return vault.control if known is None or known.control is None else known.control


def statement(node: Node, question: Question, answer: str) -> bytes:
    """The digest that an account's key signs to answer a question; nobody signs ``waiting``."""
    return typed_data(node, question, answer).digest


def typed_data(node: Node, question: Question, answer: str) -> TypedData:
    """What an account's key signs to answer a question, as a wallet shows it."""
    return TypedData(
        name="SIMDES Merges",
        chain_id=node.contracts.ledger.chain_id(),
        contract=node.contracts.accounts.address,
        struct=_STRUCT,
        values=(
            node.organisation,
            question.message,
            question.prior,
            question.survivor,
            question.kept,
            question.prior_control or bytes(32),
            question.survivor_control or bytes(32),
            question.until_seconds,
            _CODES[answer],
        ),
    )


def asked(
    node: Node, tx: Transaction, message: bytes, *, prior: Vault, survivor: Vault, kept: bytes
) -> Question:
    """The question that a message with this digest waits for, asked now if it was not lately."""
    controls = control(tx, prior), control(tx, survivor)
    for one in rows.of_message(tx, message):
        same = (one.prior, one.survivor, one.kept, one.prior_control, one.survivor_control)
        if same == (prior.tag, survivor.tag, kept, *controls) and not _over(node, one):
            return one
    drawn = Question(
        id=bytes(32),
        message=message,
        prior=prior.tag,
        survivor=survivor.tag,
        kept=kept,
        prior_control=controls[0],
        survivor_control=controls[1],
        asked_ms=node.now_ms(),
        until_seconds=node.now_seconds() + ASK_SECONDS,
    )
    question = _with_id(node, drawn)
    rows.put(tx, question)
    for vault in (prior, survivor):
        news.about(node, tx, vault.tag, REQUEST)
    return question


def answered(node: Node, tx: Transaction, question: Question) -> dict[bytes, str]:
    """What each account that has to accept said, by signatures of its present key."""
    given = rows.answers(tx, [question.id])
    return {account: _said(node, tx, question, account, given) for account in question.accounts}


def agreed(node: Node, tx: Transaction, question: Question) -> bool:
    """Whether everybody who has to accepted, in time, over their signature."""
    said = answered(node, tx, question).values()
    return not _over(node, question) and set(said) == {ACCEPTED}


def declined(node: Node, tx: Transaction, question: Question) -> bool:
    """Whether somebody said no, or took their acceptance back."""
    return not {DECLINED, WITHDRAWN}.isdisjoint(answered(node, tx, question).values())


def became(node: Node, tx: Transaction, question: Question) -> str:
    """What stands of a question: waiting, accepted (by all), declined, moved, over or gone."""
    if _moved(tx, question):
        return MOVED
    if _document(tx, question) is None or not _still_theirs(tx, question):
        return GONE
    if _over(node, question):
        return OVER
    if declined(node, tx, question):
        return DECLINED
    return ACCEPTED if agreed(node, tx, question) else WAITING


def get(node: Node, session: Session, id_: bytes) -> Question:
    """A question that the session's account was asked; NotFound for everybody else."""
    with node.database.read() as tx:
        found = rows.get(tx, id_)
    if found is None or session.actor.account not in found.accounts:
        raise NotFound("There is nothing like that.")
    return found


def to_sign(node: Node, session: Session, id_: bytes, yes: bool) -> TypedData:
    """What a wallet signs to answer what its account was asked.

    Raises NotFound where it was not asked, Conflict where it answered or the question stands no
    more.
    """
    question = get(node, session, id_)
    node.following.catch_up()
    with node.database.read() as tx:
        stands = became(node, tx, question)
        said = answered(node, tx, question)[session.actor.account]
    if stands != WAITING or said != WAITING:
        raise Conflict("This is not asked any more.", advice="Look at the list again.")
    return typed_data(node, question, ACCEPTED if yes else DECLINED)


def accept(node: Node, session: Session, id_: bytes, *, signature: bytes | None = None) -> None:
    """Say over the session's signature that both records are one person's and may be joined.

    ``signature`` is of the wallet that keeps the session's key, over `typed_data`. Raises NotFound
    where the account was not asked, Conflict where it answered before or the question stands no
    more, Forbidden where the signature is not the account's, or of something else.
    """
    _answer(node, session, id_, ACCEPTED, signature)


def decline(node: Node, session: Session, id_: bytes, *, signature: bytes | None = None) -> None:
    """Say no, for good as far as this question goes. Raises as `accept`."""
    _answer(node, session, id_, DECLINED, signature)


def withdraw(node: Node, session: Session, id_: bytes) -> None:
    """Take an acceptance back while nothing has moved. Raises NotFound, Conflict."""
    question, account = get(node, session, id_), session.actor.account

    def write(tx: Transaction) -> None:
        vaults.lock_many(tx, sorted((question.prior, question.survivor)))
        if _moved(tx, question):
            raise Conflict("The records were joined already.")
        if not rows.withdraw(tx, question.id, account, now_ms=node.now_ms()):
            raise Conflict("There is no acceptance to take back.")
        _on_record(node, tx, session, question)

    node.database.write(write)


# Steps ----------------------------------------------------------------------------------------


def _answer(node: Node, session: Session, id_: bytes, answer: str, signature: bytes | None) -> None:
    question, actor = get(node, session, id_), session.actor
    node.following.catch_up()
    said = statement(node, question, answer)
    given = Answer(
        question=question.id,
        account=actor.account,
        address=actor.address,
        state=answer,
        signature=session.key.sign(said)
        if signature is None
        else signed_by(actor.address, said, signature),
        answered_ms=node.now_ms(),
    )

    def write(tx: Transaction) -> None:
        vaults.lock_many(tx, sorted((question.prior, question.survivor)))
        if became(node, tx, question) not in (WAITING, ACCEPTED):
            raise Conflict("This is not asked any more.", advice="Look at the list again.")
        if not rows.answer(tx, given):
            raise Conflict("You answered this already.")
        _on_record(node, tx, session, question)

    node.database.write(write)


def _on_record(node: Node, tx: Transaction, session: Session, question: Question) -> None:
    """Enter an answer into the trail of each vault of who gave it, and tell the quarantine."""
    account = session.actor.account
    own = [one for one in (question.prior, question.survivor) if question.controls(account, one)]
    node.desk.trail.append(
        tx,
        [
            attempt_of(session.actor, Verb.MERGE, one, purpose=None, records=(question.id,))
            for one in own
        ],
    )
    held = _document(tx, question)
    stands = became(node, tx, question)
    why = {ACCEPTED: _AGREED, DECLINED: REFUSED}.get(stands, NEEDS_PATIENT)
    if held is not None:
        documents.explain(tx, held.id, *why)


def _said(
    node: Node, tx: Transaction, question: Question, account: bytes, given: list[Answer]
) -> str:
    known = chain.account(tx, account)
    if known is None:
        return UNABLE
    own = (account, known.address)
    found = next((one for one in given if (one.account, one.address) == own), None)
    if found is not None and not _is_signed(node, question, found):
        found = None
    if found is not None and found.state != ACCEPTED:
        return found.state
    if known.state != State.VERIFIED or known.frozen:
        return UNABLE
    return WAITING if found is None else ACCEPTED


def _is_signed(node: Node, question: Question, given: Answer) -> bool:
    meant = DECLINED if given.state == DECLINED else ACCEPTED
    return signer(statement(node, question, meant), given.signature) == given.address


def _with_id(node: Node, drawn: Question) -> Question:
    """The question under the digest of all that it says."""
    values = {name: getattr(drawn, name) for name in drawn.__slots__}
    return Question(**values | {"id": statement(node, drawn, WAITING)})


def _over(node: Node, question: Question) -> bool:
    return node.now_seconds() >= question.until_seconds


def _moved(tx: Transaction, question: Question) -> bool:
    here = (question.moved, question.kept, merges.MOVED)
    return any((one.prior, one.survivor, one.state) == here for one in merges.of(tx, question.kept))


def _still_theirs(tx: Transaction, question: Question) -> bool:
    """Whether the vaults are whose they were, and neither was erased."""
    known = vaults.get_many(tx, (question.prior, question.survivor))
    if len(known) != 2 or any(one.is_closed for one in known.values()):
        return False
    controls = control(tx, known[question.prior]), control(tx, known[question.survivor])
    return controls == (question.prior_control, question.survivor_control)


def _document(tx: Transaction, question: Question) -> Quarantined | None:
    """The open document whose newest copy is the message that was asked about."""
    return documents.holding(tx, question.message)
