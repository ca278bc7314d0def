"""Faults of the mail server and of what the settings say of it: each is made, and named."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from simdes import tls
from support.certificates import Authority
from support.mailbox import Mailbox, mailbox
from unit.doctor.conftest import Patient

SENDER = "records@hospital.example"


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    authority = Authority(tmp_path, "authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    tls.trusted.cache_clear()
    with mailbox(scheme="smtp", pair=authority.vouch("mail"), users={"gate": "word"}) as box:
        yield box
    tls.trusted.cache_clear()


def password(north: Patient, text: str) -> None:
    path = north.folder / "mail.password"
    path.write_text(text + "\n")
    path.chmod(0o600)
    north.set(mail_password_file="mail.password")


def test_a_server_that_takes_mails_is_well(north: Patient, box: Mailbox) -> None:
    password(north, "word")
    north.set(mail_url=box.url("gate"), mail_from=SENDER)
    assert north.found("mail") == ("ok", f"localhost:{box.port} takes mails of this sender.")
    assert box.kept == []


def test_a_wrong_password_is_named_and_not_shown(north: Patient, box: Mailbox) -> None:
    password(north, "other-word")
    north.set(mail_url=box.url("gate"), mail_from=SENDER)
    state, said = north.found("mail")
    assert state == "failed" and "refuses the login" in said and "other-word" not in said


def test_a_password_that_others_can_read_is_named(north: Patient, box: Mailbox) -> None:
    password(north, "word")
    (north.folder / "mail.password").chmod(0o644)
    north.set(mail_url=box.url("gate"), mail_from=SENDER)
    state, said = north.found("mail")
    assert state == "failed" and "read by others" in said


def test_the_environments_password_goes_first(
    north: Patient, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    password(north, "other-word")
    monkeypatch.setenv("SIMDES_MAIL_PASSWORD", "word")
    north.set(mail_url=box.url("gate"), mail_from=SENDER)
    assert north.found("mail")[0] == "ok"


def test_a_name_that_the_certificate_does_not_have_is_named(
    north: Patient, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **named: real("127.0.0.1", *rest, **named)
    )
    password(north, "word")
    north.set(mail_url=box.url("gate", host="mail.example"), mail_from=SENDER)
    state, said = north.found("mail")
    assert state == "failed" and "certificate does not hold" in said and "mail.example" in said


def test_nobody_at_the_address_is_named(north: Patient) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    north.set(mail_url=f"plain://localhost:{port}", mail_from=SENDER)
    state, said = north.found("mail")
    assert state == "failed" and "does not answer" in said


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"mail_url": "smtp://mail.example"}, "no sender"),
        ({"mail_url": "plain://mail.example", "mail_from": SENDER}, "plain text"),
        ({"mail_url": "smtp://u:hidden@mail.example", "mail_from": SENDER}, "holds a password"),
        ({"mail_url": "smtp://u@mail.example", "mail_from": SENDER}, "together"),
        ({"mail_from": SENDER}, "no mail_url"),
    ],
)
def test_settings_that_do_not_fit_together_are_named(
    north: Patient, settings: dict[str, str], told: str
) -> None:
    north.set(**settings)
    state, said = north.found("mail")
    assert state == "failed" and told in said and "hidden" not in said


def test_a_sender_that_the_server_does_not_take_is_named(north: Patient, box: Mailbox) -> None:
    box.answers["MAIL"] = "553 not yours"
    password(north, "word")
    north.set(mail_url=box.url("gate"), mail_from=SENDER)
    state, said = north.found("mail")
    assert state == "failed" and "refuses the sender" in said


def test_mails_that_nobody_gets_are_named(north: Patient) -> None:
    north.set(mail_url="file:mails", mail_from=SENDER)
    state, said = north.found("mail")
    assert state == "warning" and "nobody gets them" in said


def test_without_mails_nothing_is_said(north: Patient) -> None:
    assert north.examine("mail") == []
