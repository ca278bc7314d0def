"""Requests for corrections between organisations, on both databases."""

from __future__ import annotations

from dataclasses import replace

from simdes.index import corrections as rows
from simdes.index.corrections import Heard, Sent
from simdes.index.database import Database

VAULT, OTHER, AUTHOR, TELLER = (bytes([one]) * 32 for one in range(1, 5))
SENT = Sent(
    id="one",
    vault=VAULT,
    author=AUTHOR,
    about="Observation/o",
    words_wrapped=b"words",
    asked_ms=10,
    next_ms=10,
)
HEARD = Heard(
    id="one", vault=VAULT, teller=TELLER, about="Observation/o", words_wrapped=b"words", heard_ms=10
)


def test_what_is_to_be_told_is_due_until_it_is_settled_once(database: Database) -> None:
    with database.transaction() as tx:
        rows.send(tx, SENT)
        rows.send(tx, replace(SENT, words_wrapped=b"others"))
        rows.send(tx, replace(SENT, id="two", next_ms=5))
        assert [one.id for one in rows.due(tx, now_ms=9)] == ["two"]
        assert [one.id for one in rows.due(tx, now_ms=10)] == ["two", "one"]
        rows.put_off(tx, "two", next_ms=60)
        assert rows.due(tx, now_ms=10) == [SENT]
        assert rows.settle(tx, "one", rows.TOLD, now_ms=11)
        assert not rows.settle(tx, "one", rows.REFUSED, now_ms=12)
        found = rows.sent(tx, ["one", "two", "three"])
        assert (found["one"].state, found["one"].words_wrapped) == (rows.TOLD, None)
        rows.take_back(tx, "one")
        rows.take_back(tx, "two")
        assert set(rows.sent(tx, ["one", "two"])) == {"one"}, "what was told stays"
        assert rows.sent(tx, []) == {}


def test_what_was_heard_waits_once_until_it_is_answered(database: Database) -> None:
    with database.transaction() as tx:
        rows.hear(tx, HEARD)
        rows.hear(tx, replace(HEARD, words_wrapped=b"others"))
        rows.hear(tx, replace(HEARD, id="two", vault=OTHER, heard_ms=5))
        assert rows.unanswered(tx) == [replace(HEARD, id="two", vault=OTHER, heard_ms=5), HEARD]
        assert rows.unanswered(tx, after=rows.unanswered(tx)[0]) == [HEARD]
        assert rows.among(tx, [VAULT, AUTHOR]) == {VAULT}
        assert rows.count_waiting(tx, vault=VAULT, teller=TELLER) == (1, 2)
        rows.answer(tx, "one", now_ms=20)
        rows.answer(tx, "one", now_ms=30)
        kept = rows.heard(tx, "one")
        assert rows.among(tx, [VAULT]) == set()
        assert kept == replace(HEARD, words_wrapped=None, answered_ms=20)
        assert rows.count_waiting(tx, vault=VAULT, teller=TELLER) == (0, 1)
        assert rows.count_waiting(tx, vault=OTHER, teller=AUTHOR) == (1, 0)


def test_an_erased_vault_leaves_nothing(database: Database) -> None:
    with database.transaction() as tx:
        rows.send(tx, SENT)
        rows.hear(tx, HEARD)
        rows.hear(tx, replace(HEARD, id="two", vault=OTHER))
        rows.drop_vault(tx, VAULT)
        assert rows.sent(tx, ["one"]) == {}
        assert [one.id for one in rows.unanswered(tx)] == ["two"]
