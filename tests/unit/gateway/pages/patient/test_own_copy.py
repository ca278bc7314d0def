"""A patient's own copy on the pages: only after the warning, only to the key that they name."""

from __future__ import annotations

import json
import secrets

import pytest
from typer.testing import CliRunner

from simdes.cli import command_line
from simdes.exchange import own_copies
from simdes.gateway.pages.patient import own_copy
from simdes.gateway.pages.static_files import address_of
from support.pages import Visitor
from support.portal import Enrolled
from unit.gateway.pages.conftest import Place

WORDS = "words of my own key"


@pytest.fixture(scope="module")
def key() -> own_copies.NewKey:
    """A key made on the patient's machine."""
    return own_copies.new_key(WORDS)


def test_the_copy_holds_what_the_download_holds_and_opens_with_the_key_alone(
    browser: Visitor, key: own_copies.NewKey
) -> None:
    answer = browser.post(own_copy.PATH, {"key": key.public, "understood": "yes"})
    assert answer.headers["content-disposition"] == ('attachment; filename="my-record.simdes-copy"')
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    record = own_copies.opened(answer.content, key.file, WORDS)
    assert json.loads(record) == json.loads(browser.get("/download/everything").content)
    assert b"resourceType" not in answer.content


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"understood": ""}, "Read first what a copy means."),
        ({"key": ""}, "That is no public key."),
        ({"key": "A" * 1622}, "cannot be sealed to"),
    ],
)
def test_without_the_warning_or_a_key_there_is_no_copy(
    browser: Visitor, key: own_copies.NewKey, changed: dict[str, str], said: str
) -> None:
    fields = {"key": key.public, "understood": "yes"} | changed
    answer = browser.post(own_copy.PATH, fields)
    assert answer.status_code == 400
    assert said in answer.text and "content-disposition" not in answer.headers


def test_a_copy_needs_a_fresh_proof_and_opening_one_nobody(
    browser: Visitor, place: Place, visitor: Visitor, key: own_copies.NewKey
) -> None:
    token = browser.token("/account")
    place.clock.ahead_seconds += 901
    fields = {"key": key.public, "understood": "yes"}
    for answer in (browser.get(own_copy.PATH), browser.post(own_copy.PATH, fields, token=token)):
        assert answer.headers["location"].startswith("/sign-in/confirm?next=")
    assert visitor.get(own_copy.OPEN).status_code == 200


def test_staff_get_no_copy(place: Place, key: own_copies.NewKey) -> None:
    person, visitor = place.person(), place.visitor()
    visitor.sign_in(person.user)
    assert visitor.get(own_copy.PATH).status_code == 403
    refused = visitor.post(own_copy.PATH, {"key": key.public, "understood": "yes"})
    assert refused.status_code == 403


def test_who_names_another_patients_record_gets_none(
    browser: Visitor, hostile: Enrolled, key: own_copies.NewKey
) -> None:
    fields = {"key": key.public, "understood": "yes", "patient": hostile.patient["id"]}
    assert browser.post(own_copy.PATH, fields).status_code == 404


def test_the_page_that_opens_copies_can_send_nothing(visitor: Visitor) -> None:
    answer = visitor.get(own_copy.OPEN)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "connect-src" not in policy
    assert "unsafe" not in policy and "script-src 'self'" in policy
    for name in ("hpke.js", "own_copy.js", "own_record.js"):
        assert f'<script src="{address_of(name)}" defer></script>' in answer.text
    assert 'type="file" name=' not in answer.text, "a file without a name is never sent"


def test_the_command_makes_keys_and_opens_copies(
    browser: Visitor,
    tmp_path,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.setenv("SIMDES_USER_PASSPHRASE", WORDS)
    key, copy, out = (str(tmp_path / name) for name in ("key.json", "copy", "record.json"))

    def simdes(*words: str) -> str:
        done = CliRunner().invoke(command_line("own-copy"), ["own-copy", *words])
        assert done.exit_code == 0, done.output
        return done.output

    public = simdes("key", "--out", key).strip()
    assert simdes("public", "--key", key).strip() == public
    sealed = browser.post(own_copy.PATH, {"key": public, "understood": "yes"}).content
    (tmp_path / "copy").write_bytes(sealed)
    simdes("open", copy, "--key", key, "--out", out)
    assert json.loads((tmp_path / "record.json").read_bytes())["resourceType"] == "Bundle"
    assert {(tmp_path / one).stat().st_mode & 0o777 for one in ("key.json", "record.json")} == {
        0o600
    }
    monkeypatch.setenv("SIMDES_USER_PASSPHRASE", secrets.token_hex(8))
    wrong = ["own-copy", "open", copy, "--key", key, "--out", out + "2"]
    assert CliRunner().invoke(command_line("own-copy"), wrong).exit_code != 0
