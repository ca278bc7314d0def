"""`simdes client` and `simdes token --client`, as an administrator uses them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simdes.cli import command_line
from simdes.errors import Forbidden, Invalid, NotFound
from support import consortium
from support.consortium import own_settings, passphrase_of
from support.smart import new_key, public_set

SCOPE = "launch/patient openid fhirUser offline_access patient/*.rs"


@pytest.fixture(scope="module")
def north(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("clients") / "network"
    consortium.found(folder)
    with own_settings():
        yield folder / "north"


def run(north: Path, *words: str, user: str = "admin") -> str:
    """A command's output; its refusal is raised."""
    passphrases = {
        "SIMDES_ADMIN_PASSPHRASE": passphrase_of(user),
        "SIMDES_USER_PASSPHRASE": passphrase_of(user),
    }
    command, *rest = words
    parts = command.split()
    done = CliRunner().invoke(
        command_line(), [*parts, "--data", str(north), *rest], env=passphrases
    )
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_an_app_is_registered_listed_given_a_new_secret_and_removed(north: Path) -> None:
    app = ("--name", "Portal", "--kind", "confidential", "--client", "portal")
    where = ("--redirect", "https://portal.example/back", "--redirect", "https://p.example/")
    made = json.loads(run(north, "client add", *app, *where, "--scope", SCOPE, "--json"))
    assert (made["client_id"], made["kind"], made["proof"]) == ("portal", "confidential", "secret")
    assert made["redirect_uris"] == ["https://portal.example/back", "https://p.example/"]
    listed = json.loads(run(north, "client list", "--json"))
    assert [one["client_id"] for one in listed] == ["portal"]
    assert made["client_secret"] not in json.dumps(listed)
    assert "Portal" in run(north, "client list")
    changed = json.loads(run(north, "client rotate", "--client", "portal", "--json"))
    assert changed["client_secret"] != made["client_secret"]
    run(north, "client remove", "--client", "portal")
    assert json.loads(run(north, "client list", "--json")) == []
    with pytest.raises(NotFound):
        run(north, "client remove", "--client", "portal")


def test_a_services_token_is_printed_for_scripts(north: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(public_set(new_key()))
    app = ("--name", "Export", "--kind", "backend", "--client", "export", "--keys", str(keys))
    shown = run(north, "client add", *app, "--scope", "system/*.rs")
    assert "secret" not in shown
    given = run(north, "token", "--client", "export", "--scope", "system/Patient.rs", "--json")
    assert json.loads(given)["access_token"].count(".") == 2
    with pytest.raises(Invalid):
        run(north, "token", "--client", "export", "--scope", "system/*.cud")
    for nobody in ((), ("--client", "export", "--user", "admin")):
        with pytest.raises(Invalid, match="--user or"):
            run(north, "token", *nobody)
    more = tmp_path / "more.json"
    more.write_text(public_set(new_key()))
    assert "changed" in run(north, "client rotate", "--client", "export", "--keys", str(more))
    with pytest.raises(Invalid):
        run(north, "client rotate", "--client", "export", "--keys", str(tmp_path / "none"))


def test_only_an_administrator_registers_apps(north: Path) -> None:
    app = ("--name", "App", "--kind", "public", "--redirect", "https://a.example/")
    with pytest.raises(Forbidden):
        run(north, "client add", *app, "--scope", SCOPE, "--as", "dr.north", user="dr.north")


def test_a_persons_token_may_be_narrow(north: Path) -> None:
    words = ("token", "--user", "dr.north", "--scope", "user/Observation.rs")
    assert run(north, *words, user="dr.north").count(".") == 2
    with pytest.raises(Invalid):
        run(north, "token", "--user", "dr.north", "--scope", "odd", user="dr.north")
