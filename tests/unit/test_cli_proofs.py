"""`simdes disclose`, `simdes pharmacy-message` and `simdes ceremony` as people type them."""

from __future__ import annotations

import json
import socket
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simdes.cli import command_line
from simdes.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    SimdesError,
    Tampered,
    Unavailable,
)
from simdes.listener.frame import Frames, enclose
from simdes.listener.sender import control_of
from support import consortium
from support.consortium import passphrase_of
from support.fhir_api import Api, application
from support.prescribing import order

BORN = ("--code", "http://loinc.org|21112-8")


def run(*words: object, user: str = "") -> str:
    """A command's output; its refusal is raised."""
    who = ["--user", user] if user else []
    env = {"SIMDES_USER_PASSPHRASE": passphrase_of(user)}
    done = CliRunner().invoke(command_line(), [*map(str, words), *who], env=env)
    if done.exception is not None:
        raise done.exception
    return done.stdout


@dataclass
class Place:
    """A hospital's folder with a patient and an order that are anchored."""

    folder: Path
    patient: str
    order: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("cli-proofs") / "network"
    consortium.found(folder, names=("north", "west"))
    consortium.let_read(folder / "north")
    with consortium.opened(folder) as network:
        doctor = Api.of(network["north"], "dr.north", app=application(network["north"]))
        patient = doctor.create(
            {
                "resourceType": "Patient",
                "identifier": [{"system": "urn:oid:1.2.3", "value": "cli-1"}],
                "birthDate": "1974-11-30",
            }
        )
        made = doctor.create(order(patient["id"]))
        network.settle()
        yield Place(folder / "north", f"Patient/{patient['id']}", f"MedicationRequest/{made['id']}")


# A fact ---------------------------------------------------------------------------------------


def test_a_fact_goes_from_the_hospital_to_whoever_asks(place: Place, tmp_path: Path) -> None:
    key, facts = tmp_path / "key.json", tmp_path / "facts"
    holder = json.loads(run("disclose", "key", "--out", key, "--json"))["holder"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with pytest.raises(Conflict, match="exists"):  # a key is never written over
        run("disclose", "key", "--out", key)
    at = ("--data", place.folder)
    stated = ("--holder", holder, "--out", facts)
    [written] = run("disclose", "state", place.patient, *at, *stated, user="dr.north").split()
    picture = tmp_path / "question.svg"
    question = run("disclose", "ask", *BORN, "--most", "40000", "--qr", picture).strip()
    assert picture.read_text().startswith("<?xml")
    answered = ("--fact", written, "--key", key, "--question", question)
    shown = run("disclose", "answer", *at, *answered).strip()
    checked = json.loads(run("disclose", "check", shown, *at, "--question", question, "--json"))
    assert (checked["holds"], checked["code"]) == (True, "http://loinc.org|21112-8")
    assert "It holds" in run("disclose", "check", shown, *at, "--question", question)
    other = run("disclose", "ask", *BORN).strip()
    with pytest.raises(Tampered):
        run("disclose", "check", shown, *at, "--question", other)
    too_young = run("disclose", "ask", *BORN, "--least", "40000").strip()
    with pytest.raises(SimdesError):
        run("disclose", "answer", *at, *answered[:-1], too_young)


REFUSED: dict[str, tuple[tuple[str, ...], type[SimdesError]]] = {
    "a code without a system": (("disclose", "ask", "--code", "21112-8"), Invalid),
    "a least above the most": (("disclose", "ask", *BORN, "--least", "9", "--most", "8"), Invalid),
    "no holder": (
        ("disclose", "state", "Patient/x", "--data", "D", "--holder", "me", "--out", "O"),
        Invalid,
    ),
    "no fact": (
        (
            *("disclose", "answer", "--data", "D", "--fact", "no.json"),
            *("--key", "K", "--question"),
        ),
        NotFound,
    ),
    "no answer": (
        ("disclose", "check", "rubbish", "--data", "D", "--question", "rubbish"),
        Invalid,
    ),
    "no such message": (("pharmacy-message", "Patient/x", "--data", "D", "--out", "O"), Invalid),
    "no such order": (
        ("pharmacy-message", "MedicationRequest/x", "--data", "D", "--out", "O"),
        NotFound,
    ),
    "no address": (
        ("pharmacy-message", "MedicationRequest/x", "--data", "D", "--out", "O", "--send", "west"),
        Invalid,
    ),
    "clear text": (
        (
            *("pharmacy-message", "MedicationRequest/x", "--data", "D", "--out", "O"),
            *("--send", "mllp://pharmacy.example:2575"),
        ),
        Forbidden,
    ),
    "no programs": (
        (
            *("ceremony", "start", "C", "--phase1", "P", "--tools", "O", "--beacon", "a block"),
            *("--organisation", "A", "--organisation", "B"),
        ),
        Unavailable,
    ),
    "no receipt": (
        ("ceremony", "verify", "C", "--phase1", "P", "--receipt", "no.json", "--tools", "O"),
        NotFound,
    ),
    "no number": (
        ("ceremony", "finish", "C", "--phase1", "P", "--beacon", "a block", "--out", "O"),
        Invalid,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused_with_words(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    words, error = REFUSED[case]
    given = [str(place.folder) if word == "D" else word for word in words]
    if given[-1] == "--question":
        given.append("rubbish")
    acts = words[0] == "pharmacy-message" or words[1] == "state"
    with pytest.raises(error) as refused:
        run(*given, user="dr.north" if acts else "")
    assert refused.value.message
    assert refused.value.advice


def test_a_receipt_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "receipt.json").write_text("{}")
    with pytest.raises(Invalid, match="no receipt"):
        run(
            *("ceremony", "verify", tmp_path, "--phase1", tmp_path / "p"),
            *("--receipt", tmp_path / "receipt.json"),
        )


# A message to a pharmacy ----------------------------------------------------------------------


def test_a_message_is_sent_until_it_is_acknowledged_and_then_no_more(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simdes.listener.sender.FIRST_PAUSE_SECONDS", 0.01)
    out = tmp_path / "order.hl7"
    asked = ("pharmacy-message", place.order, "--data", place.folder, "--out", out)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unavailable):  # nobody is there; the message was written
        run(*asked, "--send", f"mllp://127.0.0.1:{port}", user="dr.north")
    written = out.read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"mllp://127.0.0.1:{server.getsockname()[1]}"
        thread = threading.Thread(target=_acknowledge, args=(server, received))
        thread.start()
        assert "AA" in run(*asked, "--send", url, user="dr.north")
        thread.join(60)
    assert received == [written]
    receipt = Path(f"{out}.ack").read_text()
    assert receipt == f"AA {control_of(written)}\n"
    # The receiver is gone: nothing is sent, and the command says so.
    assert "acknowledged before" in run(*asked, "--send", url, user="dr.north")
    assert out.read_bytes() == written
    assert {one.name for one in tmp_path.iterdir()} == {"order.hl7", "order.hl7.ack"}


def _acknowledge(server: socket.socket, received: list[bytes]) -> None:
    wire, _ = server.accept()
    with wire:
        frames = Frames(frame_bytes=100_000, stray_bytes=10)
        while not (whole := frames.feed(wire.recv(4_096))):
            pass
        received.extend(whole)
        answer = f"MSH|^~\\&|RX|W|S|N|2026||RRE^O12|1|P|2.5.1\rMSA|AA|{control_of(whole[0])}\r"
        wire.sendall(enclose(answer.encode()))
        wire.recv(1)


def test_a_message_that_was_refused_stays_unacknowledged(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(message: bytes, to: object) -> str:
        raise Conflict("The receiver did not take the message: AE.")

    monkeypatch.setattr("simdes.listener.sender.send", refuses)
    out = tmp_path / "order.hl7"
    with pytest.raises(Conflict):
        run(
            *("pharmacy-message", place.order, "--data", place.folder, "--out", out),
            *("--send", "mllp://127.0.0.1:2575"),
            user="dr.north",
        )
    assert not Path(f"{out}.ack").exists()
