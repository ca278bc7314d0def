"""Where people are written to: given and confirmed by themselves, stopped by whoever has a mail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from simdes.access.audit_event import Verb, decode
from simdes.access.categories import Role
from simdes.exchange.mail import addresses, news, sealing, sending, words
from simdes.index import audit as entries
from simdes.index import mail as rows
from support.mailbox import Kept
from support.pages import Visitor
from support.portal import Enrolled
from unit.gateway.pages.conftest import SENDER, Place

ROSA = "rosa@example.net"


def deliver(place: Place) -> list[Kept]:
    """Let the worker send what is due; what arrived since."""
    before = len(place.box.kept)
    while sending.work(place.north.node, name="test"):
        pass
    return place.box.kept[before:]


def code_in(mail: Kept) -> str:
    found = re.search(r"\d{4} \d{4}", mail.text)
    assert found, mail.text
    return found[0]


def ask_for_code(place: Place, visitor: Visitor, address: str = ROSA) -> str:
    answer = visitor.post("/account/mail/new", {"address": address})
    assert answer.headers["location"] == "/account/mail/code", answer.text
    (mail,) = deliver(place)
    assert mail.to == (address,)
    return code_in(mail)


def confirmed(place: Place, visitor: Visitor, address: str = ROSA) -> None:
    code = ask_for_code(place, visitor, address)
    answer = visitor.post("/account/mail/code", {"code": code})
    assert answer.headers["location"] == "/account/mail?done=mail-confirmed", answer.text


def tell(place: Place, account: bytes, *, alarm: bool = False) -> list[Kept]:
    """Let something be new for an account, and its time come."""
    node = place.north.node
    due = node.now_ms() if alarm else news.due_ms(node, digest=False)
    node.database.write(lambda tx: rows.note(tx, account, due_ms=due, alarm=int(alarm)))
    place.clock.ahead_seconds += 61
    return deliver(place)


def staff(place: Place, role: Role = Role.DOCTOR) -> tuple[Visitor, bytes]:
    person, visitor = place.person(role), place.visitor()
    assert visitor.sign_in(person.user).headers["location"] == "/home"
    return visitor, person.account


@pytest.fixture
def account(rosa: Enrolled) -> Iterator[bytes]:
    yield rosa.session.actor.account


def test_an_address_is_used_once_its_code_came_back(
    place: Place, browser: Visitor, account: bytes
) -> None:
    assert "You are not written to." in browser.get("/account/mail").text
    code = ask_for_code(place, browser)
    page = browser.get("/account/mail").text
    assert "We wait for the code" in page and "You are not written to." in page
    assert tell(place, account) == [], "nobody is written to before it is shown to be theirs"
    assert browser.post("/account/mail/code", {"code": f" {code}-"}).status_code == 303
    page = browser.get("/account/mail").text
    assert ROSA in page and "We wait for the code" not in page
    (mail,) = tell(place, account)
    assert (mail.sender, mail.to) == (SENDER, (ROSA,))


def test_the_change_is_audited(place: Place, browser: Visitor, account: bytes) -> None:
    before = _credentials_entries(place, account)
    code = ask_for_code(place, browser)
    assert _credentials_entries(place, account) == before + 1
    browser.post("/account/mail/code", {"code": code})
    assert _credentials_entries(place, account) == before + 2
    browser.post("/account/mail/remove", {})
    assert _credentials_entries(place, account) == before + 3


def _credentials_entries(place: Place, account: bytes) -> int:
    node = place.north.node
    with node.database.read() as tx:
        newest = [one for one in entries.newest(tx, limit=50) if one.vault is None]
        found = [decode(node.desk.trail.read(tx, one)) for one in newest]
    return sum(
        one.attempt.verb == Verb.CREDENTIALS and one.attempt.account == account for one in found
    )


def test_a_mail_says_that_there_is_news_and_where_and_nothing_else(
    place: Place, browser: Visitor, rosa: Enrolled, account: bytes
) -> None:
    browser.post("/language", {"language": "fr"})
    confirmed(place, browser)
    for alarm, kind in ((False, words.NEWS), (True, words.ALARM)):
        (mail,) = tell(place, account, alarm=alarm)
        told = mail.message
        assert told["Subject"] == words.subject(kind, "fr")
        stop = told["List-Unsubscribe"].strip("<>")
        here = place.north.node.issuer.name
        assert stop.startswith(f"{here}/mail/stop?token=")
        assert mail.text == words.written(kind, "fr", place=here, stop=stop)
        everything = mail.content.decode()
        name = rosa.patient["name"][0]
        for secret in (
            place.north.node.name,
            rosa.user + "@north",
            name["family"],
            rosa.patient["id"],
            account.hex(),
            rosa.vault.hex(),
            place.north.node.organisation.hex(),
        ):
            assert secret not in everything


def test_the_words_of_both_languages_are_whole() -> None:
    assert set(words.WORDS) == {"en", "fr"}
    assert set(words.WORDS["en"]) == set(words.WORDS["fr"])
    for language, kinds in words.WORDS.items():
        for kind, (subject, _) in kinds.items():
            text = words.written(kind, language, place="PLACE", code="CODE", stop="STOP")
            assert "PLACE" in text and "{" not in text and subject
            assert ("CODE" in text) == (kind == words.CODE)
            assert ("STOP" in text) == (kind in (words.NEWS, words.ALARM))


# Guessing, bombing, enumerating -----------------------------------------------------------------


def test_a_code_is_not_guessed(place: Place, browser: Visitor) -> None:
    code = ask_for_code(place, browser)
    wrong = f"{(int(code.replace(' ', '')) + 1) % 10**8:08d}"
    for _ in range(addresses.TRIES):
        answer = browser.post("/account/mail/code", {"code": wrong})
        assert answer.status_code == 401 and "The code is wrong." in answer.text
    late = browser.post("/account/mail/code", {"code": code})
    assert late.status_code == 409, "the right one does not help any more"
    assert "You are not written to." in browser.get("/account/mail").text


def test_a_code_is_good_for_an_hour_for_its_account_and_its_address(
    place: Place, browser: Visitor
) -> None:
    code = ask_for_code(place, browser)
    other, _ = staff(place)
    ask_for_code(place, other, "other@example.net")
    assert other.post("/account/mail/code", {"code": code}).status_code == 401
    ask_for_code(place, browser, "second@example.net")
    assert browser.post("/account/mail/code", {"code": code}).status_code == 401, "an older one"
    newest = ask_for_code(place, browser, "third@example.net")
    place.clock.ahead_seconds += 3601
    browser.sign_in("rosa")
    assert browser.post("/account/mail/code", {"code": newest}).status_code == 409


def test_a_mailbox_gets_a_days_codes_whoever_asks(
    place: Place, browser: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "MAILBOX_A_DAY", 1)
    monkeypatch.setattr(addresses, "MAILBOX_FIRST_A_DAY", 3)
    answers = []
    for number in range(addresses.MAILBOX_FIRST_A_DAY + 2):
        visitor, _ = staff(place)
        victim = f"victim+{number}@Example.net"
        visitor.post("/account/mail/new", {"address": victim})
        text = visitor.get("/account/mail/code").text
        answers.append(re.sub(r'value="[^"]*"|victim\+\d', "", text))
    assert len(deliver(place)) == addresses.MAILBOX_FIRST_A_DAY
    assert len(set(answers)) == 1, "nobody learns what others asked for"
    place.clock.ahead_seconds += 86_400
    browser.sign_in("rosa")
    ask_for_code(place, browser, "victim@example.net")


def test_nobody_uses_up_the_codes_of_anothers_mailbox(place: Place, browser: Visitor) -> None:
    other, _ = staff(place)
    for number in range(addresses.PERSON_A_DAY):
        other.post("/account/mail/new", {"address": f"rosa+{number}@example.net"})
        assert len(deliver(place)) == (number < addresses.PERSON_MAILBOX_A_DAY)
    confirmed(place, browser)


def test_a_code_that_does_not_go_out_leaves_the_one_before_good(
    place: Place, browser: Visitor
) -> None:
    codes = [ask_for_code(place, browser) for _ in range(addresses.PERSON_MAILBOX_A_DAY)]
    browser.post("/account/mail/new", {"address": ROSA})
    assert deliver(place) == []
    answer = browser.post("/account/mail/code", {"code": codes[-1]})
    assert answer.headers["location"] == "/account/mail?done=mail-confirmed"


def test_a_code_for_one_address_is_not_good_for_another_that_got_none(
    place: Place, browser: Visitor
) -> None:
    codes = [ask_for_code(place, browser) for _ in range(addresses.PERSON_MAILBOX_A_DAY)]
    browser.post("/account/mail/new", {"address": ROSA.replace("@", "+2@")})
    assert deliver(place) == []
    assert browser.post("/account/mail/code", {"code": codes[-1]}).status_code == 401


def test_who_has_a_new_passphrase_is_told_at_once_a_few_times_a_day(place: Place) -> None:
    browser, _ = staff(place)
    typed = {"passphrase": "another long passphrase", "again": "another long passphrase"}
    browser.post("/account/passphrase", typed)
    assert deliver(place) == [], "nobody gave an address"
    confirmed(place, browser)
    told = []
    for _ in range(addresses.SIGN_IN_A_DAY + 1):
        browser.post("/account/passphrase", typed)
        told += deliver(place)
    assert len(told) == addresses.SIGN_IN_A_DAY
    assert {mail.to for mail in told} == {(ROSA,)}
    assert {mail.message["Subject"] for mail in told} == {words.subject(words.SIGN_IN, "en")}


def test_several_strangers_use_up_no_owners_first_code(
    place: Place, browser: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "MAILBOX_A_DAY", 4)
    for expected in ([1, 1, 1, 0], [1, 0, 0, 0]):
        stranger, _ = staff(place)
        sent = []
        for _ in expected:
            stranger.post("/account/mail/new", {"address": "rosa@example.net"})
            sent.append(len(deliver(place)))
        assert sent == expected
    confirmed(place, browser)


def test_an_account_asks_for_five_codes_a_day(place: Place, browser: Visitor) -> None:
    for number in range(addresses.PERSON_A_DAY):
        ask_for_code(place, browser, f"box{number}@example.net")
    refused = browser.post("/account/mail/new", {"address": "more@example.net"})
    assert refused.status_code == 429 and "Try again tomorrow." in refused.text
    assert deliver(place) == []


def test_a_network_address_asks_for_twenty_codes_a_day(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "NETWORK_A_DAY", 2)
    told = []
    for number in range(3):
        visitor, _ = staff(place)
        told.append(
            visitor.post("/account/mail/new", {"address": f"b{number}@example.net"}).status_code
        )
    assert told == [303, 303, 429]


@pytest.mark.parametrize(
    "text",
    [
        "rosa@example.net\r\nBcc: all@example.net",
        "rosa@example.net, all@example.net",
        "rosa",
        "x" * 400,
    ],
)
def test_what_is_no_address_gets_nothing(place: Place, browser: Visitor, text: str) -> None:
    assert browser.post("/account/mail/new", {"address": text}).status_code == 400
    assert deliver(place) == []


# Another address, none ----------------------------------------------------------------------------


def test_the_address_from_before_is_kept_until_the_code_came_back_and_told_then(
    place: Place, browser: Visitor, account: bytes
) -> None:
    confirmed(place, browser)
    code = ask_for_code(place, browser, "new@example.net")
    assert [one.to for one in tell(place, account)] == [(ROSA,)]
    browser.post("/account/mail/code", {"code": code})
    (last,) = deliver(place)
    assert last.to == (ROSA,)
    assert last.message["Subject"] == words.subject(words.CHANGED, "en")
    assert [one.to for one in tell(place, account)] == [("new@example.net",)]


def test_what_has_not_gone_out_yet_goes_to_the_new_address(
    place: Place, browser: Visitor, account: bytes
) -> None:
    confirmed(place, browser)
    node, new = place.north.node, "new@example.net"
    code, at_ms = ask_for_code(place, browser, new), node.now_ms()
    node.database.write(lambda tx: rows.note(tx, account, due_ms=at_ms, alarm=1))
    sending.gather(node)
    node.database.write(lambda tx: rows.note(tx, account, due_ms=at_ms + 60_000, alarm=1))
    browser.post("/account/mail/code", {"code": code})
    alarm = words.subject(words.ALARM, "en")
    told = [(one.to, one.message["Subject"]) for one in deliver(place)]
    assert sorted(told) == [((new,), alarm), ((ROSA,), words.subject(words.CHANGED, "en"))]
    place.clock.ahead_seconds += 61
    assert [(one.to, one.message["Subject"]) for one in deliver(place)] == [((new,), alarm)]
    node.database.write(lambda tx: rows.alarm(tx, account, at_ms=at_ms))
    assert [one.to for one in deliver(place)] == [(new,)], "it was heard of late"


def test_a_mailbox_that_wants_no_mails_is_not_told_of_the_next_one(
    place: Place, browser: Visitor, account: bytes
) -> None:
    confirmed(place, browser)
    place.visitor().send("POST", stop_link(place, account), data={})
    confirmed(place, browser, "new@example.net")
    assert deliver(place) == []
    assert [one.to for one in tell(place, account)] == [("new@example.net",)]


def test_who_sits_in_front_of_an_open_session_changes_nothing(
    place: Place, browser: Visitor
) -> None:
    confirmed(place, browser)
    place.clock.ahead_seconds += 901
    for path in ("/account/mail/new", "/account/mail/code", "/account/mail/remove"):
        answer = browser.post(path, {"address": "thief@example.net", "code": "1"})
        assert answer.headers["location"].startswith("/sign-in/confirm?next="), path
    assert ROSA in browser.get("/account/mail").text
    assert deliver(place) == []


def test_an_address_is_forgotten_and_told_so(
    place: Place, browser: Visitor, account: bytes
) -> None:
    confirmed(place, browser)
    answer = browser.post("/account/mail/remove", {})
    assert answer.headers["location"] == "/account/mail?done=mail-removed"
    assert ROSA not in browser.get("/account/mail").text
    assert [one.to for one in deliver(place)] == [(ROSA,)]
    assert tell(place, account, alarm=True) == []
    with place.north.node.database.read() as tx:
        assert rows.get(tx, account) is None


# What about ---------------------------------------------------------------------------------------


def test_a_choice_is_kept(place: Place, browser: Visitor, account: bytes) -> None:
    confirmed(place, browser)
    page = browser.get("/account/mail").text
    assert "Somebody opened your record in an emergency" in page
    answer = browser.send(
        "POST",
        "/account/mail/choose",
        data={
            "token": browser.token("/account/mail"),
            "kind": ["access", "claim"],
            "most": "7",
            "digest": "1",
        },
    )
    assert answer.headers["location"] == "/account/mail?done=mail-chosen"
    with place.north.node.database.read() as tx:
        row = rows.get(tx, account)
    assert row is not None and (row.kinds, row.most, row.digest) == ("access claim", 7, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "emergency", "most": "3"},
        {"kind": "everything", "most": "3"},
        {"kind": "claim", "most": "0"},
        {"kind": "claim", "most": "11"},
        {"kind": "claim", "most": "-1"},
        {"kind": "claim", "most": "²"},
        {"kind": "claim"},
    ],
)
def test_a_choice_that_the_page_does_not_offer_is_refused(
    place: Place, browser: Visitor, fields: dict[str, str]
) -> None:
    confirmed(place, browser)
    assert browser.post("/account/mail/choose", fields).status_code == 400


def test_staff_are_written_about_their_account_alone(place: Place) -> None:
    visitor, _ = staff(place)
    confirmed(place, visitor, "doctor@example.net")
    page = visitor.get("/account/mail").text
    assert "Somebody asks for a new key to your account" in page
    assert "your record" not in page
    refused = visitor.post("/account/mail/choose", {"kind": "claim", "most": "3"})
    assert refused.status_code == 400


def test_without_an_address_nothing_is_chosen(browser: Visitor) -> None:
    assert browser.post("/account/mail/choose", {"most": "3"}).status_code == 404


# The link in a mail -------------------------------------------------------------------------------


def stop_link(place: Place, account: bytes) -> str:
    (mail,) = tell(place, account)
    link = urlsplit(mail.message["List-Unsubscribe"].strip("<>"))
    assert f"{link.path}?{link.query}" in mail.text
    return f"{link.path}?{link.query}"


def test_the_link_in_a_mail_stops_mails_without_signing_in_and_does_nothing_else(
    place: Place, browser: Visitor, account: bytes
) -> None:
    confirmed(place, browser)
    link = stop_link(place, account)
    anybody = place.visitor()
    page = anybody.get(link)
    assert page.status_code == 200 and "Stop them" in page.text and ROSA not in page.text
    assert len(tell(place, account)) == 1, "loading it stops nothing"
    answer = anybody.send("POST", link, data={})
    assert answer.status_code == 200 and "No more mails come" in answer.text
    assert ROSA not in answer.text and not anybody.cookie("session")
    assert tell(place, account, alarm=True) == []
    page = browser.get("/account/mail").text
    assert "No mails come any more." in page
    assert anybody.send("POST", link, data={}).status_code == 200, "again is harmless"
    assert anybody.get("/account").headers["location"].startswith("/sign-in")
    confirmed(place, browser)
    assert anybody.send("POST", link, data={}).status_code == 200
    assert len(tell(place, account)) == 1, "the link of an earlier time stops nothing any more"


def test_a_mail_program_stops_mails_with_one_click(
    place: Place, browser: Visitor, account: bytes
) -> None:
    """RFC 8058, section 3.2: a POST without cookies, from nowhere, of either kind of form."""
    confirmed(place, browser)
    link = stop_link(place, account)
    answer = place.visitor().send(
        "POST",
        link,
        files={"List-Unsubscribe": (None, "One-Click")},
        headers={"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 200
    assert tell(place, account) == []


def test_a_mail_that_was_on_its_way_is_not_sent_after_the_stop(
    place: Place, browser: Visitor, account: bytes
) -> None:
    confirmed(place, browser)
    link = stop_link(place, account)
    node = place.north.node
    node.database.write(
        lambda tx: rows.note(tx, account, due_ms=node.now_ms(), alarm=0),
    )
    sending.gather(node)
    place.visitor().send("POST", link, data={})
    assert deliver(place) == []


def test_nobody_makes_a_link_that_stops_mails(
    place: Place, browser: Visitor, account: bytes
) -> None:
    confirmed(place, browser)
    token = stop_link(place, account).partition("=")[2]
    keystore = place.north.node.desk.keystore
    stop = sealing.read_stop(keystore, token)
    forged = [
        "",
        "x" * 43,
        token[:-1],
        token + "A",
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        sealing.stop_token(place.network["south"].node.desk.keystore, stop),
        account.hex()[:43],
        "%00" * 20,
        "é" * 10,
    ]
    for one in forged:
        for method in ("GET", "POST"):
            answer = place.visitor().send(method, "/mail/stop", params={"token": one})
            assert answer.status_code in (400, 404), one
    assert len(tell(place, account)) == 1
