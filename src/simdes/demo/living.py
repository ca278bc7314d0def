"""`simdes demo --serve`: a living sample network to look around in, with a browser.

Four organisations, each a `simdes serve` process of its own on this machine's loopback address,
people to sign in as, and something in every list. Everything in it is invented; passphrases are
printed, so that it is for looking around and nothing else.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from simdes import app, config
from simdes.access.categories import Role
from simdes.app import ADMINISTRATOR, Opened
from simdes.demo import desks, own, people
from simdes.demo.people import Json
from simdes.demo.stage import (
    PASSPHRASES,
    START_SECONDS,
    Say,
    Story,
    create,
    free_ports,
    serve_each,
    verify,
)
from simdes.errors import Forbidden, Unavailable
from simdes.exchange import anchoring, consents, enrolment, retrieve, rights
from simdes.exchange.interactions.changes import Change, Method
from simdes.exchange.interactions.writing import apply
from simdes.exchange.prescriptions import holding, submitting
from simdes.exchange.running import worker_name
from simdes.exchange.signin import Session, sign_in

MEMBERS: Final = (
    ("north", "Hospital North", "hospital"),
    ("south", "Clinic South", "hospital"),
    ("west", "Pharmacy West", "pharmacy"),
    ("east", "Insurer East", "insurer"),
)
_SETTINGS: Final = {
    "proving_keys": "development",
    "prescription_batch_seconds": 2,
    "mail_url": "file:mails",
    "mail_from": "records@simdes.example",
}
_ISSUED_SECONDS: Final = 60.0
_JOURNEYS: Final = (
    "A record:       rosa, Who may see it: share or stop; dr.lee, Patients: read it or not;"
    " rosa, Who looked.",
    "A prescription: rosa, Prescriptions: a code; ph.novak, Counter: check and dispense;"
    " rosa sees what is left.",
    "A claim:        rosa, Claims: disclose line by line; clerk.poe, Claims: decide and pay.",
)


def serve(
    data: Path, say: Say, *, stay: Callable[[dict[str, Any]], None] | None = None
) -> dict[str, Any]:
    """Open the network in an empty folder, print who signs in where, and stay until a signal.

    ``stay`` is what to do once it answers (default: wait for Ctrl-C), given what was printed.
    Raises where a step goes wrong.
    """
    story = Story(say)
    with ExitStack() as stack:
        ports = free_ports(len(MEMBERS))
        with story.step("Four organisations found a network"):
            create(story, data, MEMBERS, ports, **_SETTINGS)
            desks.declare(data, "north", "east", config.load(data / "east").organisation)
            serve_each(story, stack, data, MEMBERS, ports)
            members = {name: stack.enter_context(app.opened(data / name)) for name, _, _ in MEMBERS}
            verify(members["north"], [members[name] for name in ("south", "west", "east")])
        with story.step("People get accounts, and a patient a record"):
            _staff(members)
            reference = _write(members)
            vault = _enrol(members)
        with story.step(
            "The patient shares, somebody is refused, a prescription is at the pharmacy"
        ):
            _live(members, reference, vault)
        with story.step("A visit is claimed, a study begins, the office has something to do"):
            _fill(members, reference, vault)
        facts = _tell(story, data, ports)
        (stay or _until_told)(facts)
    return facts


def _staff(members: dict[str, Opened]) -> None:
    for place, user, role, display in people.PEOPLE:
        if role is Role.PATIENT or user == ADMINISTRATOR:
            continue
        one = members[place]
        administrator = sign_in(one.node, ADMINISTRATOR, PASSPHRASES[ADMINISTRATOR])
        enrolment.add_person(
            one.node,
            administrator,
            user,
            role=role,
            passphrase=passphrase_of(user),
            display=display,
        )


def passphrase_of(user: str) -> str:
    """The passphrase of one of the demo's people."""
    return PASSPHRASES[user] if user == ADMINISTRATOR else f"{user} likes to look around"


def _session(one: Opened, user: str) -> Session:
    return sign_in(one.node, user, passphrase_of(user))


def _write(members: dict[str, Opened]) -> str:
    """Let the doctor write the patient's record; the reference of the Patient."""
    north, session = members["north"], _session(members["north"], "dr.adams")
    reference = _create(north, session, people.patient())
    for one in people.history(reference):
        _create(north, session, one)
    _until(
        lambda: anchoring.everything_anchored(north.node), "The records were not anchored.", north
    )
    return reference


def _create(one: Opened, session: Session, resource: Json) -> str:
    asking = rights.ask(one.node, session)
    change = Change(method=Method.CREATE, type=resource["resourceType"], resource=resource)
    [made] = apply(one.node, asking, [change], base=f"{one.node.issuer.name}/fhir")
    if made.found is None:
        raise Unavailable("The record was written and can't be read.")
    return made.found.name


def _enrol(members: dict[str, Opened]) -> bytes:
    north, south = members["north"], members["south"]
    enrolment.trust_checks(
        south.node,
        _session(south, ADMINISTRATOR),
        checked_by=north.node.organisation,
        valid_seconds=86_400,
    )
    vault = enrolment.find_vault(north.node, [people.NUMBER])
    enrolment.enrol(
        north.node,
        _session(north, ADMINISTRATOR),
        "rosa",
        vault=vault,
        passphrase=passphrase_of("rosa"),
        display="Rosa Okafor",
        attesters=[south.node.organisation],
    )
    return vault


def _live(members: dict[str, Opened], reference: str, vault: bytes) -> None:
    north, south = members["north"], members["south"]
    clinic = _session(south, "dr.lee")
    with suppress(Forbidden):  # on record, for the patient to see
        retrieve.retrieve(south.node, clinic, vault=vault)
    rosa = _session(north, "rosa")
    consents.grant(
        north.node,
        rosa,
        vault=vault,
        grantee=consents.whom(south.node.organisation, "doctor"),
        categories=["demographics", "observations", "conditions", "allergies"],
        purposes=["TREAT"],
        valid_seconds=30 * 86_400,
    )
    _until(lambda: _reads(south, vault), "The clinic could not read what it was granted.", south)
    order = _create(north, _session(north, "dr.adams"), people.order(reference))
    _until(lambda: _has_prescription(north, vault), "The prescription was not issued.", north)
    submitting.submit(
        north.node,
        rights.ask(north.node, _session(north, "rosa")),
        order.rpartition("/")[2],
        members["west"].node.organisation,
    )


def _fill(members: dict[str, Opened], reference: str, vault: bytes) -> None:
    """Something for insurer, researcher and administrator, and for the patient to answer."""
    north, east = members["north"], members["east"]
    doctor, patient = _session(north, "dr.adams"), _session(north, "rosa")
    people = {
        "doctor": doctor,
        "approver": _session(members["south"], "dr.lee"),
        "patient": patient,
        "researcher": _session(north, "prof.ray"),
        ADMINISTRATOR: _session(north, ADMINISTRATOR),
    }
    desks.study(north, members["south"], people, vault)
    own.own(north, members["south"], people, vault, reference)
    desks.office(north, people, vault)
    _create(north, doctor, desks.covered(reference, east))
    for _ in range(2):  # one is disclosed, one waits for the patient
        _visit(north, doctor, reference)
    _until(lambda: desks.disclose(north, _session(north, "rosa")), "Nothing was claimed.", north)
    _until(
        lambda: desks.has_claim(east, _session(east, "clerk.poe")),
        "The claim did not arrive.",
        north,
    )


def _visit(north: Opened, doctor: Session, reference: str) -> None:
    problem = _create(north, doctor, desks.problem(reference))
    day = datetime.fromtimestamp(north.node.now_seconds(), UTC).date().isoformat()
    encounter = _create(north, doctor, desks.visit(reference, problem, day))
    for code in ("99213", "80050"):
        _create(north, doctor, desks.charge(reference, encounter, code))


def _reads(one: Opened, vault: bytes) -> bool:
    with suppress(Forbidden):
        return bool(retrieve.retrieve(one.node, _session(one, "dr.lee"), vault=vault).resources)
    return False


def _has_prescription(north: Opened, vault: bytes) -> bool:
    asking = rights.ask(north.node, _session(north, "rosa"))
    return bool(holding.all_held(north.node, asking, vaults=(vault,)))


def _until(holds: Callable[[], bool], otherwise: str, one: Opened) -> None:
    """Wait for what the worker of a process does, and help it."""
    deadline = time.monotonic() + max(START_SECONDS, _ISSUED_SECONDS)
    while not holds():
        if time.monotonic() > deadline:
            raise Unavailable(otherwise)
        anchoring.work(one.node, worker=worker_name())
        time.sleep(0.2)


def _tell(story: Story, data: Path, ports: list[int]) -> dict[str, Any]:
    at = {
        name: f"http://127.0.0.1:{port}/" for (name, _, _), port in zip(MEMBERS, ports, strict=True)
    }
    names = {name: title for name, title, _ in MEMBERS}
    story.say("\nOpen in a browser on this machine, and sign in:\n")
    rows = [
        {
            "role": role.name.lower(),
            "organisation": names[place],
            "url": at[place],
            "user": user,
            "passphrase": passphrase_of(user),
        }
        for place, user, role, _ in people.PEOPLE
    ]
    for one in rows:
        story.say(
            f"   {one['role']:<14} {one['organisation']:<15} {one['url']:<26} "
            f"{one['user']:<10} {one['passphrase']}"
        )
    story.say("\nThree journeys to follow from page to page:\n")
    for journey in _JOURNEYS:
        story.say(f"   {journey}")
    story.say("\nMails go nowhere; whoever gives an address (Account, Mails) finds them in:\n")
    story.say(f"   {data / 'NAME' / 'mails'}, NAME being one of {', '.join(names)}")
    story.say("\nEverything is invented. Ctrl-C ends it.")
    return {"people": rows}


def _until_told(_: dict[str, Any]) -> None:
    told = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: told.set())
    told.wait()
