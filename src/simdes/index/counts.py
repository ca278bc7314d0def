"""Noisy counts for research: what researchers have spent, and what was answered.

The budget is charged by one statement that can't pass it, however many ask at once, and in the
transaction that keeps the answer: nothing is told that was not paid, and nothing is forgotten at a
restart. Rules and noise: `simdes.research.counting`.
"""

from __future__ import annotations

from simdes.index.statements import Value
from simdes.index.transaction import Transaction


def spent(tx: Transaction, researcher: str) -> int:
    """Return what the answers to ``researcher`` cost together, in millionths of epsilon."""
    row = tx.one("SELECT spent FROM count_budget WHERE researcher = :who", who=researcher)
    return 0 if row is None else int(row[0])


def answered(tx: Transaction, question: bytes) -> int | None:
    """Return the noisy count that was answered to ``question`` (32 bytes), None if none was."""
    row = tx.one("SELECT noisy FROM count_answer WHERE question = :q", q=question)
    return None if row is None else int(row[0])


def charge(tx: Transaction, researcher: str, *, cost: int, budget: int) -> bool:
    """Add ``cost`` to what ``researcher`` has spent; False if that would pass ``budget``."""
    row: dict[str, Value] = {"researcher": researcher, "spent": 0}
    tx.insert("count_budget", [row], conflict="(researcher) DO NOTHING")
    changed = tx.run(
        "UPDATE count_budget SET spent = spent + :cost"
        " WHERE researcher = :who AND spent + :cost <= :budget",
        who=researcher,
        cost=cost,
        budget=budget,
    )
    return changed == 1


def keep(tx: Transaction, question: bytes, noisy: int, *, now_ms: int) -> int:
    """Keep ``noisy`` as the answer; returns what is told: another's, who was quicker, or this."""
    row: dict[str, Value] = {"question": question, "noisy": noisy, "answered_ms": now_ms}
    tx.insert("count_answer", [row], conflict="(question) DO NOTHING")
    told = answered(tx, question)
    return noisy if told is None else told
