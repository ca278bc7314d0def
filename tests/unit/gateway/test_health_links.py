"""SMART Health Links as a recipient meets them: manifest, file, passcode, end; and abuse of them.

Payload and manifest after https://hl7.org/fhir/uv/smart-health-cards-and-links/STU1/.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from joserfc import jwe
from joserfc.jwk import OctKey
from starlette.applications import Starlette

from simdes.access.audit_event import Verb
from simdes.errors import NotFound
from simdes.exchange import erasure, health_links
from simdes.gateway.app import create_gateway
from support import consortium
from support.consortium import Clock, Consortium
from support.fhir_api import Api
from support.pages import Visitor
from support.portal import Enrolled, _active, enrolled, history

HOSTILE = "<script>alert(1)</script>"


@dataclass(slots=True)
class Town:
    """A gateway, its patient, a stranger's client."""

    network: Consortium
    clock: Clock
    rosa: Enrolled
    doctor: Api
    app: Starlette
    browser: Visitor

    def stranger(self) -> Visitor:
        """Somebody who is signed in nowhere."""
        return Visitor(self.app)

    def make(self, **others: str) -> tuple[str, dict[str, Any]]:
        """A link made on the page: its id and the payload of its code."""
        fields = {"label": "For Dr Abroad", "days": "7"} | others
        moved = self.browser.post("/links/new", fields)
        assert moved.status_code == 303, moved.text
        where = moved.headers["location"]
        text = self.browser.get(where).text
        found = re.search(r"<code>shlink:/([A-Za-z0-9_-]+)</code>", text)
        assert found and "data:image/svg+xml" in text
        return where.rpartition("=")[2], json.loads(_octets(found.group(1)))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder, clock = tmp_path_factory.mktemp("links") / "network", Clock()
    consortium.found(folder, names=("north", "south"))
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:

        def people() -> tuple[Enrolled, Api]:
            doctor = Api.of(network["north"], "dr.north")
            who = enrolled(network, doctor, "links-1", user="rosa")
            for one in history(who.patient["id"]):
                doctor.create(one)
            network.settle()
            return who, doctor

        with ThreadPoolExecutor(max_workers=1) as pool:
            who, doctor = pool.submit(people).result()
        one = network["north"]
        app = create_gateway(one.custody, node=one.node)
        browser = Visitor(app)
        assert browser.sign_in(who.user).status_code == 303
        yield Town(network, clock, who, doctor, app, browser)


def _octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def path_of(payload: dict[str, Any], base: str) -> str:
    """The address of a payload below the gateway's."""
    url = str(payload["url"])
    assert url.startswith(f"{base}/shl/") and len(url) <= 128
    return url.removeprefix(base)


def opened(content: str, payload: dict[str, Any]) -> dict[str, Any]:
    """What a JWE holds for whoever has the code."""
    key = OctKey.import_key(_octets(payload["key"]))
    found = jwe.decrypt_compact(content, key, algorithms=["dir", "A256GCM", "DEF"])
    assert found.headers()["alg"] == "dir" and found.headers()["enc"] == "A256GCM"
    assert found.headers()["cty"] == "application/fhir+json"
    assert found.plaintext is not None
    made: dict[str, Any] = json.loads(found.plaintext)
    return made


def ask(town: Town, path: str, **body: Any) -> httpx.Response:
    return town.stranger().send("POST", path, json={"recipient": "Dr Abroad"} | body)


def base(town: Town) -> str:
    return town.network["north"].node.issuer.name


def test_a_link_leads_to_a_summary_for_whoever_has_its_code(town: Town) -> None:
    _, payload = town.make()
    assert payload["flag"] == "U" and payload["label"] == "For Dr Abroad"
    assert len(payload["key"]) == 43 and payload["exp"] > time.time() + 6 * 86_400
    path = path_of(payload, base(town))
    answer = ask(town, path)
    assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "no-store"
    [file] = answer.json()["files"]
    assert file["contentType"] == "application/fhir+json" and "embedded" not in file
    sent = town.stranger().get(file["location"].removeprefix(base(town)))
    assert sent.headers["content-type"].startswith("application/jose")
    bundle = opened(sent.text, payload)
    assert bundle["resourceType"] == "Bundle" and bundle["type"] == "document"
    assert "Penicillin" in json.dumps(bundle)
    # At once, where the recipient asks for it and it is short enough.
    [file] = ask(town, path, embeddedLengthMax=10_000_000, unknown=[1]).json()["files"]
    assert opened(file["embedded"], payload)["type"] == "document"
    assert "embedded" not in ask(town, path, embeddedLengthMax=10).json()["files"][0]
    direct = town.stranger().get(f"{path}?recipient=Dr%20Abroad")
    assert opened(direct.text, payload)["type"] == "document"


def test_each_opening_is_on_the_page_and_in_the_log(town: Town) -> None:
    id_, payload = town.make(label="Watched")
    ask(town, path_of(payload, base(town)), recipient=f"Dr {HOSTILE}")
    page = town.browser.get("/links").text
    assert "Opened or tried once" in page and "Dr &lt;script&gt;" in page and HOSTILE not in page
    node = town.network["north"].node
    entries = [one.attempt for _, one in node.desk.trail.entries(node.database, limit=10_000)]
    assert any(one.verb is Verb.LINK and one.vault == town.rosa.vault for one in entries)
    assert "opened a summary by your QR code" in town.browser.get("/log?only=all").text
    assert id_


def test_ten_wrong_passcodes_close_a_link_for_good(town: Town) -> None:
    _, payload = town.make(passcode="open sesame")
    assert payload["flag"] == "P"
    path = path_of(payload, base(town))
    bare = ask(town, path)
    assert (bare.status_code, bare.json()) == (401, {"remainingAttempts": 10})
    assert town.stranger().get(f"{path}?recipient=x").status_code == 404, "no way past it"
    assert ask(town, path, passcode="open sesame").status_code == 200
    for left in range(9, -1, -1):
        wrong = ask(town, path, passcode=f"guess {left}")
        assert (wrong.status_code, wrong.json()) == (401, {"remainingAttempts": left})
    assert ask(town, path, passcode="open sesame").status_code == 404
    assert "Closed: too many wrong passcodes." in town.browser.get("/links").text


def test_guesses_at_the_same_time_gain_nothing(town: Town) -> None:
    _, payload = town.make(passcode="open sesame")
    node, secret = town.network["north"].node, str(payload["url"]).rpartition("/")[2]

    def guess(number: int) -> int | None:
        try:
            health_links.manifest(node, secret, recipient="x", passcode=f"guess {number}")
        except health_links.WrongPasscode as error:
            return error.left
        except NotFound:
            return None
        raise AssertionError("opened by a guess")

    with ThreadPoolExecutor(max_workers=8) as pool:
        left = list(pool.map(guess, range(24)))
    assert sorted(one for one in left if one is not None) == [*range(10)]
    assert left.count(None) == 14


def test_an_ended_link_leads_nowhere_and_neither_does_its_file(town: Town) -> None:
    id_, payload = town.make()
    path = path_of(payload, base(town))
    location = ask(town, path).json()["files"][0]["location"].removeprefix(base(town))
    assert town.stranger().get(location).status_code == 200
    assert town.browser.post("/links/end", {"link": id_}).status_code == 303
    never = "/shl/" + "A" * 43
    gone = [ask(town, path), ask(town, never)]
    assert [one.status_code for one in gone] == [404, 404] and gone[0].text == gone[1].text
    assert town.stranger().get(location).status_code == 404
    assert town.browser.post("/links/end", {"link": id_}).status_code == 404
    assert town.browser.get(f"/links/code?link={id_}").status_code == 404


def test_a_files_address_is_nobodys_to_make_or_to_keep(town: Town) -> None:
    _, payload = town.make()
    location = ask(town, path_of(payload, base(town))).json()["files"][0]["location"]
    path = location.removeprefix(base(town))
    flipped = path[:-3] + ("AAA" if path[-3:] != "AAA" else "BBB")
    for wrong in (flipped, "/shl/file/x", "/shl/file/" + "A" * 96, "/shl/file/%00"):
        assert town.stranger().get(wrong).status_code == 404
    town.clock.ahead_seconds += health_links.TICKET_SECONDS + 1
    assert town.stranger().get(path).status_code == 404


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"recipient": ""}', 400),
        (b'{"recipient": 5}', 400),
        (b'{"recipient": "x", "embeddedLengthMax": -1}', 400),
        (b'{"recipient": "' + b"x" * 201 + b'"}', 400),
        (b"\xff\xfe", 400),
        (b'{"recipient": "x", "passcode": "' + b"y" * 5000 + b'"}', 413),
    ],
    ids=range(9),
)
def test_what_is_no_question_is_refused_and_is_no_opening(
    town: Town, content: bytes, status: int
) -> None:
    _, payload = town.make(label="Untouched")
    answer = town.stranger().send(
        "POST",
        path_of(payload, base(town)),
        content=content,
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == status
    [link] = [
        one
        for one in health_links.listed(town.network["north"].node, town.rosa.vault)
        if one.label == "Untouched"
    ]
    assert link.openings == ()
    town.browser.post("/links/end", {"link": link.id.hex()})


def test_a_page_elsewhere_may_ask(town: Town) -> None:
    asked = town.stranger().send(
        "OPTIONS",
        "/shl/" + "A" * 43,
        headers={"Origin": "https://viewer.example", "Access-Control-Request-Method": "POST"},
    )
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in asked.headers


def test_a_long_term_link_gets_what_is_new(town: Town) -> None:
    id_, payload = town.make(**{"long-term": "yes", "label": "For long"})
    assert payload["flag"] == "LU"
    path = path_of(payload, base(town))
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(
            lambda: town.doctor.create(
                {
                    "resourceType": "AllergyIntolerance",
                    "clinicalStatus": _active("allergyintolerance-clinical"),
                    "code": {"text": "Brand new"},
                    "patient": {"reference": f"Patient/{town.rosa.patient['id']}"},
                }
            )
        ).result()
    first = opened(town.stranger().get(f"{path}?recipient=x").text, payload)
    assert "Brand new" not in json.dumps(first)
    assert town.browser.post("/links/renew", {"link": id_}).status_code == 303
    second = opened(town.stranger().get(f"{path}?recipient=x").text, payload)
    assert "Brand new" in json.dumps(second)


@pytest.mark.parametrize(
    "wrong", [{"label": " "}, {"label": "x" * 81}, {"passcode": "123"}], ids=range(3)
)
def test_a_form_out_of_bounds_comes_back(town: Town, wrong: dict[str, str]) -> None:
    sent = town.browser.post("/links/new", {"label": "ok", "days": "7"} | wrong)
    assert sent.status_code == 400 and 'role="alert"' in sent.text


def test_a_link_ends_by_itself(town: Town) -> None:
    _, payload = town.make(days="1")
    town.clock.ahead_seconds += 86_401
    assert ask(town, path_of(payload, base(town))).status_code == 404
    again = Visitor(town.app)
    assert again.sign_in(town.rosa.user).status_code == 303
    assert "Its time is over." in again.get("/links").text


# The last one: nothing is left afterwards.


def test_an_erased_record_takes_its_links_along(town: Town) -> None:
    browser = Visitor(town.app)
    assert browser.sign_in(town.rosa.user).status_code == 303
    town.browser = browser
    _, payload = town.make()
    path = path_of(payload, base(town))
    location = ask(town, path).json()["files"][0]["location"].removeprefix(base(town))
    node = town.network["north"].node
    session = town.network.session("north", town.rosa.user)
    erasure.erase(node, town.rosa.vault, control=session.key)
    assert ask(town, path).status_code == 404
    assert town.stranger().get(location).status_code == 404
    with node.database.read() as tx:
        assert tx.one("SELECT 1 FROM health_link") is None
