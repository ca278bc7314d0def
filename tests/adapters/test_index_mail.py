"""Addresses, codes and mails on their way, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from adapters.index_rows import id32, vault
from simdes.index import audit, chain, mail, vaults
from simdes.index.audit import NewEntry
from simdes.index.database import Database

ADA, BEA = id32("ada"), id32("bea")


def address(account: bytes = ADA, **changes: object) -> mail.Address:
    row = mail.Address(
        account=account,
        vault=id32("vault", account[0]),
        address_wrapped=b"wrapped",
        stop=account[:16],
        language="en",
        kinds="claim request",
        most=3,
        digest=0,
        confirmed_ms=1,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def letter(number: int, account: bytes = ADA, **changes: object) -> mail.Outgoing:
    row = mail.Outgoing(
        id=id32("letter", number)[:16],
        account=account,
        kind="news",
        address_wrapped=None,
        nonce=None,
        language="fr",
        made_ms=number,
        next_ms=number,
        until_ms=1_000,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


CODE = mail.Code(
    account=ADA,
    address_wrapped=b"wrapped",
    nonce=id32("nonce"),
    language="en",
    tries=2,
    expires_ms=100,
)


def test_a_code_has_its_tries_and_its_time(database: Database) -> None:
    with database.transaction() as tx:
        mail.put_code(tx, CODE)
        assert mail.code(tx, ADA, now_ms=99) == CODE
        assert mail.code(tx, ADA, now_ms=100) is None
        assert mail.use_try(tx, ADA, now_ms=100) is None
        assert mail.use_try(tx, BEA, now_ms=1) is None
        first, second = (mail.use_try(tx, ADA, now_ms=1) for _ in range(2))
        assert (first and first.tries, second and second.tries) == (1, 0)
        assert mail.use_try(tx, ADA, now_ms=1) is None, "nothing is left"
        assert mail.code(tx, ADA, now_ms=1) is None


def test_a_new_code_takes_the_place_of_the_one_before_and_of_its_mail(database: Database) -> None:
    with database.transaction() as tx:
        mail.put_code(tx, CODE)
        mail.add(tx, letter(1, nonce=CODE.nonce, address_wrapped=b"there"))
        mail.add(tx, letter(2))
        mail.put_code(tx, replace(CODE, tries=5))
        assert mail.claim(tx, "w", now_ms=9, until_ms=20, limit=9) == [
            letter(2, next_ms=20, tries=1, holder="w")
        ]
        mail.drop_code(tx, ADA)
        assert mail.code(tx, ADA, now_ms=1) is None


def test_news_goes_out_at_its_earliest_time_and_alarms_stay_alarms(database: Database) -> None:
    with database.transaction() as tx:
        for account in (ADA, BEA):
            mail.put(tx, address(account))
        assert mail.due(tx, now_ms=1_000, limit=9) == [] and not mail.is_news_due(tx, now_ms=1_000)
        mail.note(tx, ADA, due_ms=50, alarm=0)
        mail.note(tx, ADA, due_ms=20, alarm=1)
        mail.note(tx, ADA, due_ms=70, alarm=0)
        mail.note(tx, BEA, due_ms=60, alarm=0)
        assert mail.due(tx, now_ms=19, limit=9) == []
        assert mail.is_news_due(tx, now_ms=20)
        assert mail.due(tx, now_ms=60, limit=9) == [
            address(due_ms=20, alarm=1),
            address(BEA, due_ms=60),
        ]
        mail.put_off_news(tx, ADA, due_ms=200)
        mail.told(tx, BEA)
        assert mail.due(tx, now_ms=300, limit=9) == [address(due_ms=200, alarm=1)]


def test_who_stopped_mails_gets_none(database: Database) -> None:
    with database.transaction() as tx:
        mail.put(tx, address())
        mail.note(tx, ADA, due_ms=1, alarm=1)
        mail.add(tx, letter(1))
        mail.add(tx, letter(2, address_wrapped=b"elsewhere"))
        assert mail.any_address(tx)
        assert mail.by_stop(tx, BEA[:16]) is None
        mail.stop(tx, ADA, now_ms=7)
        mail.note(tx, ADA, due_ms=1, alarm=1)
        assert mail.by_stop(tx, ADA[:16]) == address(stopped_ms=7)
        assert not mail.any_address(tx) and not mail.is_news_due(tx, now_ms=99)
        assert [one.id for one in mail.claim(tx, "w", now_ms=9, until_ms=20, limit=9)] == [
            letter(2).id
        ]


def test_choices_are_kept_and_an_address_is_forgotten_with_its_vault(database: Database) -> None:
    with database.transaction() as tx:
        assert not mail.choose(tx, ADA, kinds="", most=1, digest=1, language="fr")
        for account in (ADA, BEA):
            mail.put(tx, address(account))
        assert mail.choose(tx, ADA, kinds="claim", most=9, digest=1, language="fr")
        chosen = address(kinds="claim", most=9, digest=1, language="fr")
        assert mail.get(tx, ADA) == chosen == mail.of_vault(tx, id32("vault", ADA[0]))
        mail.put_code(tx, CODE)
        mail.forget_vault(tx, id32("vault", ADA[0]))
        assert mail.get(tx, ADA) is None and mail.code(tx, ADA, now_ms=1) is None
        assert mail.get(tx, BEA) == address(BEA)


def test_what_lies_under_another_vaults_key_stays_when_one_of_two_is_erased(
    database: Database,
) -> None:
    one, other = id32("one"), id32("other")
    with database.transaction() as tx:
        for tag in (one, other):
            vaults.add(tx, replace(vault(), tag=tag, control=ADA))
        mail.put(tx, address(vault=other))
        mail.put_code(tx, CODE)
        assert mail.of_vault(tx, one) is None
        mail.forget_vault(tx, one)
        assert mail.get(tx, ADA) == address(vault=other)
        assert mail.code(tx, ADA, now_ms=1) is None
        mail.put(tx, address(vault=None))
        mail.put(tx, address(BEA, vault=None))
        assert mail.of_vault(tx, one) == address(vault=None)
        mail.forget_vault(tx, one)
        assert mail.get(tx, ADA) is None and mail.get(tx, BEA) == address(BEA, vault=None)


def test_a_mail_is_sent_by_one_at_a_time_and_again_when_its_time_comes(database: Database) -> None:
    with database.transaction() as tx:
        for number in (1, 2, 3):
            mail.add(tx, letter(number))
        assert not mail.is_due(tx, now_ms=0)
        (one,) = mail.claim(tx, "a", now_ms=1, until_ms=50, limit=9)
        assert mail.is_held(tx, one, "a") and not mail.is_held(tx, one, "b")
        assert [each.made_ms for each in mail.claim(tx, "b", now_ms=9, until_ms=50, limit=9)] == [
            2,
            3,
        ]
        assert mail.claim(tx, "b", now_ms=49, until_ms=99, limit=9) == []
        (late,) = mail.claim(tx, "b", now_ms=50, until_ms=99, limit=1)
        assert late.id == one.id and late.tries == 2, "its holder did not come back"
        assert not mail.is_held(tx, one, "a")
        mail.put_off(tx, late.id, "b", next_ms=500)
        assert mail.waiting(tx) == mail.Waiting(3, 1, 1)
        for number in (1, 2, 3):
            mail.done(tx, letter(number).id)
        assert mail.waiting(tx) == mail.Waiting(0, 0, None)


def test_two_workers_at_once_take_different_mails(database: Database) -> None:
    with database.transaction() as tx:
        for number in range(40):
            mail.add(tx, letter(number))

    def take(name: str) -> list[bytes]:
        taken: list[bytes] = []
        while found := database.write(
            lambda tx: mail.claim(tx, name, now_ms=99, until_ms=500, limit=3)
        ):
            taken += [one.id for one in found]
        return taken

    with ThreadPoolExecutor(3) as pool:
        taken = [one for found in pool.map(take, "abc") for one in found]
    assert len(taken) == len(set(taken)) == 40


def test_a_days_count_ends_for_all_subjects_where_it_ends_for_one(database: Database) -> None:
    one, other = id32("one"), id32("other")
    with database.transaction() as tx:
        assert mail.spend(tx, {one: 2, other: 9}, day=1)
        assert mail.spend(tx, {one: 2}, day=1)
        assert not mail.spend(tx, {one: 2, other: 9}, day=1)
        assert mail.spend(tx, {other: 2}, day=1)
        assert not mail.spend(tx, {other: 2}, day=1), "the refused one did not count"
        assert mail.spend(tx, {one: 2}, day=2)
        mail.put_code(tx, CODE)
        mail.purge(tx, now_ms=100, day=2)
        assert mail.spend(tx, {one: 1}, day=1), "yesterday is forgotten"
        assert not mail.spend(tx, {one: 1}, day=2)


def test_what_time_has_ended_is_looked_for_before_it_is_dropped(database: Database) -> None:
    with database.transaction() as tx:
        assert not mail.is_over(tx, now_ms=9_999, day=9)
        mail.put_code(tx, CODE)
        assert not mail.is_over(tx, now_ms=99, day=1) and mail.is_over(tx, now_ms=100, day=1)
        mail.purge(tx, now_ms=100, day=1)
        assert mail.spend(tx, {ADA: 1}, day=1)
        assert not mail.is_over(tx, now_ms=100, day=1) and mail.is_over(tx, now_ms=100, day=2)
        mail.purge(tx, now_ms=100, day=2)
        assert not mail.is_over(tx, now_ms=100, day=2)
        mail.add(tx, letter(1))
        mail.purge(tx, now_ms=1_000, day=2)
        assert not mail.is_over(tx, now_ms=999, day=2, letters=True)
        assert mail.is_over(tx, now_ms=1_000, day=2, letters=True), "where nobody sends it"
        mail.purge(tx, now_ms=1_000, day=2, letters=True)
        assert mail.waiting(tx).letters == 0


@pytest.mark.parametrize("twice", [{"stop": ADA[:16]}, {}])
def test_an_address_takes_the_place_of_another(database: Database, twice: dict[str, bytes]) -> None:
    with database.transaction() as tx:
        mail.put(tx, address())
        mail.put(tx, address(most=7, **twice))
        assert mail.get(tx, ADA) == address(most=7)


def test_who_controls_a_vault_is_found_for_its_entries_alarms_and_news(database: Database) -> None:
    vault, other = id32("vault"), id32("other")
    with database.transaction() as tx:
        for tag, control in ((vault, ADA), (other, None)):
            chain.add_vault(
                tx,
                chain.Vault(
                    tag=tag,
                    organisation=id32("org"),
                    descriptor=id32("descriptor"),
                    m=2,
                    n=3,
                    epoch=1,
                    generation=0,
                    control=control,
                    block_number=1,
                ),
            )
        head = audit.lock_head(tx)
        for about in (vault, other, vault, None, vault):
            number = head.seq + 1
            entry = NewEntry(
                seq=number,
                previous=head.digest,
                digest=id32("entry", number),
                entry=b"entry",
                salt=id32("salt", number),
                leaf=id32("leaf", number),
                vault=about,
                created_ms=number * 10,
            )
            audit.append(tx, [entry])
            head = audit.Head(entry.seq, entry.digest)
        assert mail.of_patient(tx, vault) is None and mail.audited(tx, after=0, upto=9) == []
        row = address(confirmed_ms=30)
        mail.put(tx, row)
        assert mail.audited(tx, after=0, upto=9) == [(3, ADA), (5, ADA)], "since it was confirmed"
        assert mail.audited(tx, after=3, upto=4) == []
        assert mail.of_patient(tx, vault) == row and mail.of_patient(tx, other) is None
        mail.alarm(tx, ADA, at_ms=29)
        mail.alarm(tx, BEA, at_ms=99)
        assert mail.due(tx, now_ms=99, limit=9) == []
        mail.alarm(tx, ADA, at_ms=30)
        assert mail.due(tx, now_ms=0, limit=9) == [address(confirmed_ms=30, due_ms=0, alarm=1)]
        mail.stop(tx, ADA, now_ms=50)
        assert mail.of_patient(tx, vault) is None and mail.audited(tx, after=0, upto=9) == []
