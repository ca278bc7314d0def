"""Mails go out over TLS or not at all, to the address alone, and say nothing that was not meant."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simdes.errors import Invalid, SimdesError, Unauthenticated, Unavailable
from simdes.exchange.mail.port import MOST_ADDRESS, Letter, NoMail, checked_address
from simdes.mail_file import FileMail
from simdes.mail_smtp import Server, SmtpMail, message_of
from support.certificates import Authority, Pair
from support.mailbox import Mailbox, mailbox

SENDER = "records@hospital.example"
STOP = "https://records.hospital.example/mail/stop?token=" + "abcdefgh" * 12
LETTER = Letter(
    id="0f" * 16,
    to="rose@example.net",
    subject="Il y a du nouveau à lire",
    text="Bonjour,\n\nil y a du nouveau. Connectez-vous :\nhttps://records.hospital.example/\n",
    language="fr",
    made_ms=1_790_000_000_000,
    stop_url=STOP,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "mail-authority")


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.vouch("mailbox")


@contextmanager
def talking(
    authority: Authority, pair: Pair, *, user: str = "", password: str = "", **options: Any
) -> Iterator[tuple[Mailbox, SmtpMail]]:
    users = {user: password} if user else {}
    with mailbox(**{"scheme": "smtp", "pair": pair, "users": users} | options) as box:
        mail = SmtpMail(
            box.url(user),
            sender=SENDER,
            password=password,
            authority=authority.client(),
            seconds=30.0,
        )
        yield box, mail


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_mail_arrives_over_tls_after_the_login(
    authority: Authority, pair: Pair, scheme: str
) -> None:
    with talking(authority, pair, user="gate", password="word", scheme=scheme) as (box, mail):
        mail.send(LETTER)
    (kept,) = box.kept
    assert (kept.sender, kept.to) == (SENDER, (LETTER.to,))
    assert kept.text == LETTER.text
    told = kept.message
    assert told["Subject"] == LETTER.subject
    assert told["Message-ID"] == f"<{LETTER.id}@hospital.example>"
    assert told["Auto-Submitted"] == "auto-generated"
    assert told["Content-Language"] == "fr"
    assert told["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    # Some mail programs don't decode it, so it stands in the bytes as it is.
    assert f"List-Unsubscribe: <{STOP}>\r\n".encode() in kept.content
    before = box.said[: box.said.index("STARTTLS")] if scheme == "smtp" else []
    assert not any(one.startswith(("AUTH", "MAIL")) for one in before)


def test_a_server_without_starttls_gets_nothing_in_plain_text(
    authority: Authority, pair: Pair
) -> None:
    with (
        talking(authority, pair, user="u", password="p", starttls=False) as (box, mail),
        pytest.raises(Unavailable, match="STARTTLS"),
    ):
        mail.send(LETTER)
    assert not any(one.startswith(("AUTH", "MAIL")) for one in box.said)


def test_a_certificate_that_nobody_trusted_vouches_for_gets_nothing(
    pair: Pair, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    with mailbox(scheme="smtps", pair=pair) as box:
        mail = SmtpMail(box.url(), sender=SENDER, authority=stranger.client())
        with pytest.raises(Unavailable, match="certificate does not hold"):
            mail.send(LETTER)
    assert box.said == []


def test_a_name_that_the_certificate_does_not_have_is_told(
    authority: Authority, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **named: real("127.0.0.1", *rest, **named)
    )
    with mailbox(scheme="smtp", pair=pair) as box:
        mail = SmtpMail(
            box.url(host="mail.example"), sender=SENDER, authority=authority.client(), seconds=30.0
        )
        with pytest.raises(Unavailable, match="certificate does not hold: Hostname mismatch"):
            mail.send(LETTER)
    assert not any(one.startswith("MAIL") for one in box.said)


@pytest.mark.parametrize(
    ("options", "kind", "told"),
    [
        ({"answers": {"AUTH": "535 no"}}, Unauthenticated, "refuses the login"),
        ({"answers": {"AUTH": None}}, Unauthenticated, "at the login"),
        ({"answers": {"MAIL": "553 not yours"}}, Unavailable, "refuses the sender"),
        ({"refuses": {LETTER.to: "550 nobody here"}}, Invalid, "refuses the address"),
        ({"refuses": {LETTER.to: "451 later"}}, Unavailable, "now"),
        ({"answers": {"DATA": "554 no"}}, Unavailable, "code 554"),
        ({"answers": {"DATA": None}}, Unavailable, "does not answer"),
        ({"answers": {"EHLO": None}}, Unavailable, "does not answer"),
    ],
)
def test_every_refusal_is_one_of_our_errors_without_the_address(
    authority: Authority,
    pair: Pair,
    options: dict[str, Any],
    kind: type[SimdesError],
    told: str,
) -> None:
    with (
        talking(authority, pair, user="u", password="p", **options) as (box, mail),
        pytest.raises(kind, match=told) as raised,
    ):
        mail.send(LETTER)
    assert box.kept == []
    assert LETTER.to not in raised.value.message + raised.value.advice


def test_nobody_at_the_address_is_told() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(Unavailable, match="does not answer"):
        SmtpMail(f"plain://localhost:{port}", sender=SENDER, seconds=30.0).send(LETTER)


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        mail = SmtpMail(f"plain://127.0.0.1:{silent.getsockname()[1]}", sender=SENDER, seconds=0.05)
        with pytest.raises(Unavailable, match="does not answer"):
            mail.send(LETTER)


def test_what_was_taken_is_not_sent_again_for_a_rude_goodbye(
    authority: Authority, pair: Pair
) -> None:
    with talking(authority, pair, answers={"QUIT": "421 go away"}) as (box, mail):
        mail.send(LETTER)
    assert len(box.kept) == 1


def test_examining_says_everything_but_a_mail(authority: Authority, pair: Pair) -> None:
    with talking(authority, pair, user="u", password="p") as (box, mail):
        mail.examine()
    assert box.kept == [] and not any(one.startswith("RCPT") for one in box.said)
    with (
        talking(authority, pair, answers={"MAIL": "553 not yours"}) as (_, mail),
        pytest.raises(Unavailable, match="sender"),
    ):
        mail.examine()


@pytest.mark.parametrize(
    "url",
    [
        "plain://mail.example:25",
        "plain://192.0.2.1",
        "plain://localhost.example",
        "smtp://user:secret@mail.example",
        "http://mail.example",
        "smtp://",
        "smtps://mail.example:99999",
        "smtps://mail.example/path",
        "smtps://mail.example?x=y",
    ],
)
def test_an_address_of_a_server_that_is_none_or_not_safe_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as raised:
        Server.of(url)
    assert "secret" not in raised.value.message


def test_ports_and_users_are_read() -> None:
    assert Server.of("smtp://a%40b@m.example") == Server("smtp", "m.example", 587, "a@b")
    assert Server.of("smtps://[::1]:4650/") == Server("smtps", "::1", 4650, "")


@pytest.mark.parametrize(("user", "password"), [("u@", ""), ("", "p")])
def test_user_and_password_come_together(user: str, password: str) -> None:
    with pytest.raises(Invalid, match="together"):
        SmtpMail(f"smtp://{user}mail.example", sender=SENDER, password=password)


@pytest.mark.parametrize("sender", ["", "records", "a@b\r\nBcc: c@d.example"])
def test_without_a_sender_nothing_is_sent(sender: str, tmp_path: Path) -> None:
    for make in (
        lambda: SmtpMail("smtp://mail.example", sender=sender),
        lambda: FileMail(tmp_path, sender=sender),
    ):
        with pytest.raises(Invalid, match="no sender"):
            make()


@pytest.mark.parametrize(
    "text",
    [
        "rose",
        "rose@example",
        "@example.net",
        "rose@-x.example",
        "rose@example.net\r\nBcc: all@example.net",
        "rose@example.net\nRCPT TO:<all@example.net>",
        "rose@example.net, all@example.net",
        "Rose <rose@example.net>",
        "rose@example.net>",
        '"rose\\r\\n"@example.net',
        "rose@[127.0.0.1]",
        "rôse@example.net",
        "rose\0@example.net",
        f"{'a' * 65}@example.net",
        f"rose@{'a.' * 130}net",
    ],
)
def test_what_is_no_plain_address_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        checked_address(text)


def test_an_address_keeps_its_name_and_has_its_domain_in_lower_case() -> None:
    assert checked_address(" Rose.O'Hara+x@Example.NET ") == "Rose.O'Hara+x@example.net"


@given(st.text(max_size=MOST_ADDRESS + 10))
def test_no_address_has_anything_that_ends_a_line_or_a_list(text: str) -> None:
    try:
        found = checked_address(text)
    except Invalid:
        return
    assert found.isascii() and found.isprintable() and not set(found) & set(' ,;:<>()[]\\"')


@given(st.text(), st.sampled_from(["subject", "language", "stop_url", "to", "id"]))
def test_no_field_of_a_letter_adds_a_header(text: str, name: str) -> None:
    evil = replace(LETTER, **{name: f"{text}\r\nBcc: all@example.net\r\n\r\nbody"})
    try:
        content = message_of(evil, SENDER).as_bytes()
    except (Invalid, UnicodeError):
        return
    found = message_from_bytes(content, policy=default)
    assert "Bcc" not in found
    assert str(found.get_content()).replace("\r\n", "\n") == LETTER.text


def test_one_click_is_offered_over_tls_alone() -> None:
    plain = replace(LETTER, stop_url="http://127.0.0.1:8400/mail/stop?token=x")
    assert "List-Unsubscribe-Post" not in message_of(plain, SENDER)
    assert "List-Unsubscribe" not in message_of(replace(LETTER, stop_url=""), SENDER)


def test_a_folder_keeps_each_mail_once_for_its_owner(tmp_path: Path) -> None:
    mail = FileMail(tmp_path / "mails", sender=SENDER)
    mail.examine()
    for _ in range(2):
        mail.send(LETTER)
    (path,) = (tmp_path / "mails").iterdir()
    assert path.suffix == ".eml" and path.stat().st_mode & 0o077 == 0
    found = message_from_bytes(path.read_bytes(), policy=default)
    assert found["To"] == LETTER.to


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "mails").write_text("in the way")
    mail = FileMail(tmp_path / "mails", sender=SENDER)
    for act in (mail.examine, lambda: mail.send(LETTER)):
        with pytest.raises(Unavailable, match="folder"):
            act()


def test_without_a_way_nobody_is_written_to() -> None:
    mail = NoMail()
    assert not mail.possible
    for act in (mail.examine, lambda: mail.send(LETTER)):
        with pytest.raises(Unavailable):
            act()


def test_neither_address_nor_words_of_a_letter_are_printed() -> None:
    assert LETTER.to not in repr(LETTER) and "Bonjour" not in repr(LETTER)
    assert STOP not in repr(LETTER)
