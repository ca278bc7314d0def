"""Two patients of one hospital: Anna, whose records somebody may see, and Bert, whose they may not.

Every value of Bert's is distinctive, and for each there is one of the same shape that nobody has. A
path that tells nothing answers alike for the two: same status, same headers, same words, and as
many statements on the database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import httpx
from starlette.applications import Starlette

from simdes.access import tokens
from simdes.access.tokens import Authentication, Context
from simdes.app import Opened
from simdes.exchange.node import Node
from simdes.index.transaction import Transaction
from simdes.index.vaults import Identifier, find
from support.consortium import Consortium, passphrase_of
from support.fhir_api import Api, Json

MRN = "urn:oid:2.16.840.1.113883.4.1"
TAG = "urn:x:tag"
_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_RANDOM = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)|_cursor=[\w-]+"
)
_OF_A_REQUEST = frozenset(("content-length", "last-modified", "x-request-id"))
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Person:
    """A patient of north with what was written about them: ids and values by name."""

    vault: bytes
    user: str
    names: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.names[name]

    def texts(self) -> tuple[str, ...]:
        """Everything that would give this person away."""
        return tuple(self.names.values())


@dataclass(slots=True)
class World:
    """The two, and names of the same shapes that nobody has."""

    network: Consortium
    apps: Mapping[str, Starlette]
    anna: Person
    bert: Person
    nobody: Mapping[str, str]
    _keys: dict[tuple[str, str], Any] = field(default_factory=dict)

    def api(self, member: str, user: str, *, scope: str = "", vault: bytes | None = None) -> Api:
        """Somebody with a fresh token; ``scope`` and ``vault`` are an app's launch context."""
        one = self.network[member]
        context = Context(scope=scope, vault=vault) if scope else tokens.OWN
        return Api(one, user, self.apps[member], self._token(one, user, context))

    def _token(self, one: Opened, user: str, context: Context) -> str:
        node = one.node
        name = (node.name, user)
        if name not in self._keys:
            self._keys[name] = node.desk.keystore.unlock_person(user, passphrase_of(user))
        return tokens.mint(
            node.issuer,
            node.desk.keystore.person(user),
            self._keys[name],
            context=context,
            # Two factors: nobody is asked for another one, however much they read.
            authentication=Authentication(("pwd", "otp"), node.now_seconds()),
        )


def seed(network: Consortium, apps: Mapping[str, Starlette], doctor: Api, number: str) -> World:
    """Make both patients at north, settled and enrolled."""
    anna = _person(network, doctor, "anna", number)
    bert = _person(network, doctor, "bert", number)
    network.settle()
    for one in (anna, bert):
        network.enrol(one.vault, one.user)
    nobody = {name: _like(value) for name, value in bert.names.items()}
    return World(network, apps, anna, bert, nobody)


def _like(value: str) -> str:
    """A value of the same shape that nobody has."""
    turned = [
        LETTERS[(LETTERS.index(one) + 7) % 26]
        if one in LETTERS[6:]
        else str((int(one) + 3) % 10)
        if one.isdigit()
        else one
        for one in value
    ]
    return "".join(turned)


def _person(network: Consortium, doctor: Api, who: str, number: str) -> Person:
    names = {
        "mrn": f"{who}-{number}-mrn",
        "family": f"{who}sson-{number}",
        "code": f"{who}-code-{number}",
        "note": f"{who}-note-{number}",
        "key": f"{who}-key-{number}",
        "tag": f"{who}-tag-{number}",
    }
    meta = {"tag": [{"system": TAG, "code": names["tag"]}]}
    patient = doctor.create(
        {
            "resourceType": "Patient",
            "meta": meta,
            "identifier": [{"system": MRN, "value": names["mrn"]}],
            "name": [{"family": names["family"]}],
            "birthDate": "1961-07-07" if who == "bert" else "1962-08-08",
        }
    )
    subject = {"reference": f"Patient/{patient['id']}"}
    names["patient"] = patient["id"]
    names["encounter"] = doctor.create(_encounter(subject, meta))["id"]
    device = {"resourceType": "Device", "patient": subject, "serialNumber": names["note"]}
    names["device"] = doctor.create(device)["id"]
    observation = doctor.create(
        observation_of(
            patient["id"],
            code=names["code"],
            note=names["note"],
            key=names["key"],
            meta=meta,
            encounter={"reference": f"Encounter/{names['encounter']}"},
        )
    )
    names["observation"] = observation["id"]
    labelled = {"security": [{"system": _ACT, "code": "HIV"}]}
    names["labelled"] = doctor.create(
        observation_of(patient["id"], code=f"{names['code']}-hiv", meta=labelled)
    )["id"]
    names["condition"] = doctor.create(_condition(subject, names["code"]))["id"]
    listed = {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "subject": subject,
        "entry": [{"item": {"reference": f"Observation/{observation['id']}"}}],
    }
    names["list"] = doctor.create(listed)["id"]
    node = network["north"].node
    with node.database.read() as tx:
        vault = find(tx, Identifier(MRN, names["mrn"]))
    assert vault is not None
    return Person(vault, f"{who}.{number}", names)


def observation_of(patient: str, *, code: str = "x", note: str = "", **others: Any) -> Json:
    """An Observation, not sent yet; ``key`` becomes its identifier."""
    key = others.pop("key", "")
    made: Json = {
        "resourceType": "Observation",
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "laboratory",
                    }
                ]
            }
        ],
        "code": {"coding": [{"system": "urn:x:codes", "code": code}]},
        "subject": {"reference": f"Patient/{patient}"},
        "valueQuantity": {
            "value": 4711.25,
            "system": "http://unitsofmeasure.org",
            "code": "mg",
            "unit": "mg",
        },
        **others,
    }
    if note:
        made["note"] = [{"text": note}]
    if key:
        made["identifier"] = [{"system": "urn:x:key", "value": key}]
    return made


def _encounter(subject: Json, meta: Json) -> Json:
    return {
        "resourceType": "Encounter",
        "meta": meta,
        "status": "finished",
        "class": {"system": _ACT, "code": "AMB"},
        "subject": subject,
    }


def _condition(subject: Json, code: str) -> Json:
    return {
        "resourceType": "Condition",
        "subject": subject,
        "code": {"coding": [{"system": "urn:x:codes", "code": code}]},
    }


# Comparing answers ----------------------------------------------------------------------------


def filled(template: Any, names: Mapping[str, str]) -> Any:
    """A path or a body with ``<name>`` replaced throughout."""
    text = json.dumps(template)
    for name, value in names.items():
        text = text.replace(f"<{name}>", value)
    return json.loads(text)


def shape(answer: httpx.Response, names: Mapping[str, str]) -> tuple[int, Json, str]:
    """Status, headers and body, with these names and whatever is random made the same."""
    headers = {k: _masked(v, names) for k, v in answer.headers.items() if k not in _OF_A_REQUEST}
    return answer.status_code, headers, _masked(answer.text, names)


def _masked(text: str, names: Mapping[str, str]) -> str:
    for name, value in sorted(names.items(), key=lambda item: -len(item[1])):
        text = text.replace(value, f"<{name}>")
    return _RANDOM.sub("~", text)


@contextmanager
def statements(node: Node) -> Iterator[list[int]]:
    """How many statements went to a node's database while this was open: one number."""
    kind, seen, found = type(node.database), list[Transaction](), list[int]()
    transaction, read = kind.transaction, kind.read

    @contextmanager
    def watched(self: Any, begin: Any) -> Iterator[Transaction]:
        with begin(self) as tx:
            seen.append(tx)
            yield tx

    with (
        mock.patch.object(kind, "transaction", lambda self: watched(self, transaction)),
        mock.patch.object(kind, "read", lambda self: watched(self, read)),
    ):
        yield found
    found.append(sum(tx.statements for tx in seen))
