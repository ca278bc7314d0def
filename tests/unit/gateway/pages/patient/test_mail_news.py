"""What happens leads to mails: at once or gathered, as chosen, as often as chosen, not lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from unittest import mock
from zoneinfo import ZoneInfo

import pytest

from simdes.access import chain_model
from simdes.errors import Forbidden
from simdes.exchange import access_requests, emergencies
from simdes.exchange.mail import kinds, news, sealing, sending, words
from simdes.exchange.retrieve import retrieve
from simdes.exchange.signin import Session
from simdes.index import audit as entries
from simdes.index import checkpoints
from simdes.index import mail as rows
from simdes.index.checkpoints import Checkpoint
from simdes.ledger import events
from support.fhir_api import Api
from support.mailbox import Kept
from support.pages import Visitor, undrawn
from support.portal import Enrolled
from unit.gateway.pages.conftest import Place

ROSA = "rosa@example.net"
EVERYTHING = " ".join(one.name for one in kinds.KINDS if not one.always)


@pytest.fixture
def account(place: Place, rosa: Enrolled) -> Iterator[bytes]:
    """Rosa, who is written to about everything from now on."""
    place.clock.ahead_seconds += 86_400  # counts of a day begin anew
    write_to(place, rosa.session.actor.account, ROSA)
    yield rosa.session.actor.account


def write_to(place: Place, account: bytes, address: str, **changes: object) -> None:
    node = place.north.node
    with node.database.transaction() as tx:
        vault, wrapped = sealing.seal(node, tx, account, address)
        given = {
            "account": account,
            "vault": vault,
            "address_wrapped": wrapped,
            "stop": bytes(16),
            "language": "en",
            "kinds": EVERYTHING,
            "most": 3,
            "digest": 0,
            "confirmed_ms": node.now_ms(),
        }
        rows.put(tx, rows.Address(**given | changes))  # type: ignore[arg-type]


def come(place: Place, *, after: float = 0) -> list[Kept]:
    """The mails that come until so many seconds are over."""
    before = len(place.box.kept)
    place.north.node.following.catch_up()
    sending.work(place.north.node, name="test")
    place.clock.ahead_seconds += after
    while sending.work(place.north.node, name="test"):
        pass
    return place.box.kept[before:]


def lee(place: Place) -> Session:
    return place.network.session("south", "dr.lee")


def ask(place: Place, rosa: Enrolled) -> None:
    access_requests.request(
        place.network["south"].node,
        lee(place),
        vault=rosa.vault,
        categories=["observations"],
        purpose="TREAT",
        days=30,
        text="A second opinion.",
    )


def be_refused(place: Place, rosa: Enrolled) -> None:
    with pytest.raises(Forbidden):
        retrieve(place.network["south"].node, lee(place), vault=rosa.vault)


def read(place: Place, rosa: Enrolled) -> None:
    api = Api.of(place.north, "dr.north", app=place.app)
    assert api.get(f"Patient/{rosa.patient['id']}").status_code == 200


@pytest.mark.parametrize(
    ("happens", "kind"),
    [(ask, kinds.REQUEST), (be_refused, kinds.REFUSED), (read, kinds.ACCESS)],
)
def test_what_the_trail_says_is_told_where_it_was_chosen(
    place: Place,
    rosa: Enrolled,
    account: bytes,
    happens: object,
    kind: str,
) -> None:
    assert come(place, after=61) == []
    happens(place, rosa)  # type: ignore[operator]
    assert come(place, after=58) == [], "more may come"
    (mail,) = come(place, after=3)
    assert mail.to == (ROSA,) and mail.message["Subject"] == words.subject(words.NEWS, "en")
    write_to(place, rosa.session.actor.account, ROSA, kinds=EVERYTHING.replace(kind, ""))
    place.clock.ahead_seconds += 61  # equal refusals of a minute are one entry
    happens(place, rosa)  # type: ignore[operator]
    assert come(place, after=130) == []


def test_what_a_patient_does_is_not_told_to_them(
    place: Place, account: bytes, browser: Visitor
) -> None:
    assert browser.get("/record").status_code == 200
    assert come(place, after=61) == []


def test_many_things_are_one_mail(place: Place, rosa: Enrolled, account: bytes) -> None:
    read(place, rosa)
    ask(place, rosa)
    assert len(come(place, after=61)) == 1


def test_an_emergency_is_told_at_once_whatever_was_chosen(
    place: Place, rosa: Enrolled, account: bytes
) -> None:
    write_to(place, rosa.session.actor.account, ROSA, kinds="", most=1, digest=1)
    made = emergencies.open_(
        place.network["south"].node, lee(place), vault=rosa.vault, reason="unconscious", name="Lee"
    )
    (mail,) = come(place)
    assert mail.message["Subject"] == words.subject(words.ALARM, "en")
    assert "emergency" not in mail.text and "Lee" not in undrawn(mail.text)
    assert come(place, after=120) == [], "once"
    emergencies.review(
        place.network["south"].node,
        place.network.session("south", "admin"),
        made.handle,
        outcome="justified",
    )


@pytest.mark.parametrize(
    "kind", [events.RecoveryRequested, events.KeyRotationRequested, events.GuardiansRequested]
)
def test_who_may_take_an_account_over_is_told_at_once_to_whose_it_is(
    place: Place, account: bytes, kind: type[events.ChainEvent]
) -> None:
    node = place.north.node

    def begun(ready_at: int, of: bytes) -> None:
        event = mock.Mock(spec=kind, account=of, ready_at=ready_at)
        write = chain_model._WRITERS[kind]
        node.database.write(lambda tx: write(tx, event))

    begun(node.now_seconds() + 60, bytes(32))
    begun(node.now_seconds() - 60, account)
    assert come(place) == [], "somebody else's, and one from before"
    begun(node.now_seconds() + 60, account)
    (mail,) = come(place)
    assert mail.message["Subject"] == words.subject(words.ALARM, "en")


def test_what_a_vault_is_told_of_directly_is_told_once(
    place: Place, rosa: Enrolled, account: bytes
) -> None:
    node = place.north.node
    news.once(node, rosa.vault, kinds.CLAIM, b"claim 1", b"DENIED")
    assert len(come(place, after=61)) == 1
    news.once(node, rosa.vault, kinds.CLAIM, b"claim 1", b"DENIED")
    news.once(node, bytes(32), kinds.CLAIM, b"claim 1", b"DENIED")
    assert come(place, after=61) == []
    news.once(node, rosa.vault, kinds.CLAIM, b"claim 1", b"APPROVED")
    assert len(come(place, after=61)) == 1
    node.database.write(lambda tx: news.about(node, tx, rosa.vault, kinds.PRESCRIPTION))
    assert len(come(place, after=61)) == 1


# How often ----------------------------------------------------------------------------------------


def test_a_day_has_as_many_mails_as_were_chosen(
    place: Place, rosa: Enrolled, account: bytes
) -> None:
    write_to(place, rosa.session.actor.account, ROSA, most=2)
    told = []
    for _ in range(3):
        read(place, rosa)
        told.append(len(come(place, after=61)))
    assert told == [1, 1, 0]
    assert len(come(place, after=86_400)) == 1, "what was held back is told the next day"


def test_alarms_of_a_day_have_an_end(place: Place, account: bytes) -> None:
    node = place.north.node

    def alarm() -> list[Kept]:
        node.database.write(lambda tx: rows.alarm(tx, account, at_ms=node.now_ms()))
        return come(place)

    with mock.patch.object(sending, "ALARMS_A_DAY", 2):
        assert [len(alarm()) for _ in range(4)] == [1, 1, 0, 0]


def test_a_daily_mail_comes_at_eight(place: Place, rosa: Enrolled, account: bytes) -> None:
    write_to(place, rosa.session.actor.account, ROSA, digest=1)
    read(place, rosa)
    assert come(place, after=61) == []
    with place.north.node.database.read() as tx:
        row = rows.get(tx, account)
    assert row is not None and row.due_ms is not None
    due = datetime.fromtimestamp(row.due_ms / 1000, UTC)
    here = due.astimezone(ZoneInfo(place.north.node.site.time_zone))
    assert (here.hour, here.minute) == (8, 0)
    assert 0 < row.due_ms - place.north.node.now_ms() <= 86_400_000
    assert len(come(place, after=row.due_ms / 1000 - place.clock() + 1)) == 1


# What fails ---------------------------------------------------------------------------------------


def test_a_mail_that_is_not_taken_is_tried_again_later_and_later(
    place: Place, rosa: Enrolled, account: bytes
) -> None:
    place.box.refuses[ROSA] = "451 later"
    read(place, rosa)
    assert come(place, after=61) == []
    with place.north.node.database.read() as tx:
        assert rows.waiting(tx).letters == 1
    place.box.refuses.clear()
    assert come(place, after=25) == []
    assert len(come(place, after=10)) == 1


def test_a_mail_that_nobody_takes_is_given_up(place: Place, rosa: Enrolled, account: bytes) -> None:
    place.box.refuses[ROSA] = "451 later"
    read(place, rosa)
    come(place, after=61)
    come(place, after=3 * 86_400 + 1)
    with place.north.node.database.read() as tx:
        assert rows.waiting(tx).letters == 0
    place.box.refuses[ROSA] = "550 nobody here"
    read(place, rosa)
    come(place, after=61)
    with place.north.node.database.read() as tx:
        assert rows.waiting(tx).letters == 0, "refused for good"


def test_a_program_that_is_killed_after_sending_sends_the_same_mail(
    place: Place, rosa: Enrolled, account: bytes
) -> None:
    read(place, rosa)
    with (
        mock.patch.object(rows, "done", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        come(place, after=61)
    (first,) = place.box.kept
    (second,) = come(place, after=sending.LEASE_MS / 1000 + 1)
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert first.content == second.content
    assert come(place, after=600) == []


def test_the_trail_is_read_on_in_pages_and_never_twice(
    place: Place, rosa: Enrolled, account: bytes
) -> None:
    node = place.north.node
    node.database.write(lambda tx: checkpoints.put(tx, "mail-audit", Checkpoint(0, bytes(32))))
    with node.database.read() as tx:
        (newest,) = entries.newest(tx, limit=1)
    with mock.patch.object(news, "PAGE", 50):
        assert news.look(node) == 0, "nothing from before the address was given"
        read(place, rosa)
        assert news.look(node) == 1
        assert news.look(node) == 0
    with node.database.read() as tx:
        mark = checkpoints.get(tx, "mail-audit")
    assert mark is not None and mark.block_number > newest.seq


def test_nobody_is_looked_for_where_nobody_is_written_to(place: Place, rosa: Enrolled) -> None:
    read(place, rosa)
    with mock.patch.object(rows, "audited", side_effect=AssertionError):
        assert news.look(place.north.node) == 0
