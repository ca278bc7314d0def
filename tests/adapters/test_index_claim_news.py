"""Since when claims stand as they do, on both databases."""

from __future__ import annotations

from dataclasses import replace

from simdes.index import claim_news
from simdes.index.claim_news import News
from simdes.index.database import Database

CLAIM, VAULT = b"c" * 32, b"v" * 32
FIRST = News(claim=CLAIM, vault=VAULT, insurer=b"i" * 32, state=1, at_ms=10)


def test_a_state_keeps_the_time_when_it_was_first_seen(database: Database) -> None:
    later = replace(FIRST, state=2, at_ms=30)
    with database.transaction() as tx:
        assert claim_news.stood(tx, CLAIM) == 0
        claim_news.tell(tx, FIRST)
        claim_news.tell(tx, replace(FIRST, at_ms=20))
        assert claim_news.of_vault(tx, VAULT, since_ms=0) == [FIRST]
        claim_news.tell(tx, later)
        assert claim_news.stood(tx, CLAIM) == 2
        assert claim_news.of_vault(tx, VAULT, since_ms=30) == [later]
        assert claim_news.of_vault(tx, VAULT, since_ms=31) == []
        assert claim_news.of_vault(tx, b"w" * 32, since_ms=0) == []
