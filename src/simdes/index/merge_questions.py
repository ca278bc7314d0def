"""Merges that wait for patients, and what each patient answered, signed.

A question never changes: other vaults, other patients, another message are another question. An
answer is given once by each key of an account; an acceptance may be withdrawn until the records
have moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simdes.index.rows import read, row_of, select
from simdes.index.transaction import Transaction

ACCEPTED, DECLINED, WITHDRAWN = "accepted", "declined", "withdrawn"
MAX_LIST: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whether the records of ``prior`` and ``survivor`` are one person's, as a message says.

    ``message`` is its digest, ``kept`` the one of the two vaults that the records go on in; a
    control is None where no patient has the vault.
    """

    id: bytes
    message: bytes
    prior: bytes
    survivor: bytes
    kept: bytes
    prior_control: bytes | None
    survivor_control: bytes | None
    asked_ms: int
    until_seconds: int

    @property
    def moved(self) -> bytes:
        """The vault whose records would be brought to the other one."""
        return self.prior if self.kept == self.survivor else self.survivor

    @property
    def accounts(self) -> tuple[bytes, ...]:
        """Who has to accept, each once."""
        both = (self.prior_control, self.survivor_control)
        return tuple(dict.fromkeys(one for one in both if one is not None))

    def controls(self, account: bytes, vault: bytes) -> bool:
        """Whether an account controlled one of the two vaults when this was asked."""
        pairs = {(self.prior_control, self.prior), (self.survivor_control, self.survivor)}
        return (account, vault) in pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an account answered; the ``signature`` of the key behind ``address`` covers it."""

    question: bytes
    account: bytes
    address: bytes
    state: str
    signature: bytes
    answered_ms: int


_QUESTION = select(Question, "merge_question")
_ANSWER = select(Answer, "merge_answer")


def put(tx: Transaction, question: Question) -> None:
    """Ask; the same again changes nothing."""
    tx.insert("merge_question", [row_of(question)], conflict="(id) DO NOTHING")


def get(tx: Transaction, id_: bytes) -> Question | None:
    """Return a question."""
    row = tx.one(_QUESTION + " WHERE id = :id", id=id_)
    return None if row is None else read(Question, row)


def of_message(tx: Transaction, message: bytes) -> list[Question]:
    """Return what was asked for a message, newest first."""
    rows = tx.all(
        _QUESTION + " WHERE message = :message ORDER BY until_seconds DESC, asked_ms DESC, id"
        " LIMIT :limit",
        message=message,
        limit=MAX_LIST,
    )
    return [read(Question, row) for row in rows]


def of_account(tx: Transaction, account: bytes) -> list[Question]:
    """Return what an account was asked, newest first."""
    rows = tx.all(
        _QUESTION + " WHERE prior_control = :account OR survivor_control = :account"
        " ORDER BY asked_ms DESC, id LIMIT :limit",
        account=account,
        limit=MAX_LIST,
    )
    return [read(Question, row) for row in rows]


def answers(tx: Transaction, questions: Sequence[bytes]) -> list[Answer]:
    """Return what was answered to any of these, oldest first, in one statement."""
    rows = tx.all(
        _ANSWER + " WHERE question IN :questions ORDER BY answered_ms, account, address",
        questions=questions,
    )
    return [read(Answer, row) for row in rows]


def answer(tx: Transaction, given: Answer) -> bool:
    """Keep an answer; False, and nothing changed, where this key answered before."""
    sql = "(question, account, address) DO NOTHING"
    return bool(tx.insert("merge_answer", [row_of(given)], conflict=sql, returning="question"))


def withdraw(tx: Transaction, question: bytes, account: bytes, *, now_ms: int) -> bool:
    """Take an account's acceptance back; False where there is none."""
    return bool(
        tx.run(
            "UPDATE merge_answer SET state = 'withdrawn', answered_ms = :now"
            " WHERE question = :question AND account = :account AND state = 'accepted'",
            now=now_ms,
            question=question,
            account=account,
        )
    )
