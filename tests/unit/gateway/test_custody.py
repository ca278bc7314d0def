"""The custody API over HTTP: each route used, abused, and never talkative."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time

import httpx
import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from simdes.access.asking import Because, Caller, ask
from simdes.access.categories import Purpose
from simdes.access.consent import Grantee
from simdes.access.descriptors import OrganisationDescriptor
from simdes.access.directory import Directory
from simdes.access.messages import ReleaseBody
from simdes.access.reading import gather, list_records
from simdes.access.requests import hexed, sign_request
from simdes.custody_http import BELIEVED_SECONDS, EitherCustody, HttpCustody, LocalCustody
from simdes.errors import Forbidden, TooLarge, Unauthenticated, Unavailable
from simdes.exchange.custody import METHODS, CustodyDesk
from simdes.gateway.app import create_gateway
from simdes.gateway.limits import GatewayLimits
from unit.access.conftest import Scene
from unit.gateway.asgi import AsgiTransport, send

JOSE = {"Content-Type": "application/jose"}


def is_outcome(answer: httpx.Response, *secrets: str) -> dict[str, str]:
    """The answer is an OperationOutcome that gives nothing away; its issue's code and text."""
    assert answer.headers["content-type"].startswith("application/fhir+json")
    document = answer.json()
    assert document["resourceType"] == "OperationOutcome"
    [issue] = document["issue"]
    assert issue["severity"] == "error"
    for hidden in ("Traceback", 'File "', ".py", "sqlite", *secrets):
        assert hidden not in answer.text
    return {"code": issue["code"], "text": issue["details"]["text"]}


def path(method: str) -> str:
    return f"/custody/v1/{method}"


def token(scene: Scene, method: str, body: object, **changes: object) -> bytes:
    parts = {
        "method": method,
        "audience": scene.home.id,
        "chain": scene.network.ledger.chain_id(),
        "body": body,
        "now_seconds": int(scene.network.clock()),
        "random": os.urandom,
    } | changes
    return sign_request(scene.reader.people["doctor"][1], **parts).token  # type: ignore[arg-type]


def app_of(scene: Scene, limits: GatewayLimits | None = None) -> Starlette:
    return create_gateway(scene.home.custody, limits or GatewayLimits())


def test_a_record_is_read_over_http_as_in_one_process(scene: Scene) -> None:
    apps = {
        member.name + ".invalid": create_gateway(member.custody) for member in scene.network.members
    }
    client = HttpCustody(
        Directory(scene.reader.contracts, scene.network.store), transport=AsgiTransport(apps)
    )
    caller = Caller(
        scene.reader.people["doctor"][1],
        client,
        scene.reader.contracts,
        scene.network.clock,
        os.urandom,
    )
    doctor = scene.reader.people["doctor"][0]
    with pytest.raises(Forbidden, match="UNKNOWN_HANDLE"):
        list_records(caller, scene.vault, Because(Purpose.TREAT))
    consent = scene.network.grant(scene.home, "ada", scene.vault, Grantee.account(doctor.account))
    because = Because(Purpose.TREAT, consent)
    [listed] = list_records(caller, scene.vault, because)
    capsules = {listed.record_id: scene.network.store.get(listed.capsule_cid)}
    del apps["second.invalid"]
    assert gather(caller, scene.vault, because, capsules).secrets
    del apps["third.invalid"]
    with pytest.raises(Unavailable, match="nothing was read"):
        gather(caller, scene.vault, because, capsules)
    client.close()


@pytest.mark.parametrize("method", METHODS)
def test_a_route_takes_nothing_but_posted_jose(scene: Scene, method: str) -> None:
    app = app_of(scene)
    for verb in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = send(app, verb, path(method), headers=JOSE)
        assert answer.status_code == 405
        if verb != "HEAD":
            assert is_outcome(answer)["code"] == "not-supported"
    for media in ("application/json", "text/plain", "", "application/x-www-form-urlencoded"):
        answer = send(app, "POST", path(method), content=b"x", headers={"Content-Type": media})
        assert answer.status_code == 415
        is_outcome(answer)


RUBBISH = [b"", b".", b"..", b"a.b.c", b"\xff\xfe\x00", b"{}", b"e30.e30.e30", b"A" * 99_999]


@pytest.mark.parametrize("method", METHODS)
def test_rubbish_is_refused_without_a_trace(scene: Scene, method: str) -> None:
    before = len(scene.home.desk.trail.entries(scene.home.database, limit=100_000))
    for rubbish in RUBBISH:
        answer = send(app_of(scene), "POST", path(method), content=rubbish, headers=JOSE)
        assert answer.status_code in (400, 401)
        is_outcome(answer)
    assert len(scene.home.desk.trail.entries(scene.home.database, limit=100_000)) == before


@pytest.mark.parametrize("method", METHODS)
def test_a_signed_question_without_a_sensible_body_is_a_400(scene: Scene, method: str) -> None:
    for body in ({}, [], "x", 7, None, {"basis": {}}, {"vault": "0x00"}, {"records": [1]}):
        content = token(scene, method, body)
        answer = send(app_of(scene), "POST", path(method), content=content, headers=JOSE)
        assert answer.status_code == 400
        assert is_outcome(answer)["code"] == "invalid"


@pytest.mark.parametrize("method", METHODS)
def test_a_question_signed_for_one_route_opens_no_other(scene: Scene, method: str) -> None:
    other = METHODS[(METHODS.index(method) + 1) % len(METHODS)]
    content = token(scene, other, {})
    answer = send(app_of(scene), "POST", path(method), content=content, headers=JOSE)
    assert answer.status_code == 401
    assert is_outcome(answer)["code"] == "login"


@pytest.mark.parametrize("method", METHODS)
def test_a_large_body_is_refused_declared_or_not(scene: Scene, method: str) -> None:
    app = app_of(scene, GatewayLimits(body_bytes=1000))
    answer = send(app, "POST", path(method), content=b"x" * 1001, headers=JOSE)
    assert answer.status_code == 413
    is_outcome(answer)
    sent: list[int] = []

    def endless():  # type: ignore[no-untyped-def]
        for number in range(1_000_000):
            sent.append(number)
            yield b"x" * 100

    answer = send(app, "POST", path(method), content=endless(), headers=JOSE)
    assert answer.status_code == 413
    assert len(sent) < 100
    lying = {**JOSE, "Content-Length": "-5"}
    assert send(app, "POST", path(method), content=b"x", headers=lying).status_code in (400, 413)


def release(scene: Scene) -> ReleaseBody:
    return ReleaseBody(
        basis=Because(Purpose.TREAT).basis(scene.vault.tag),
        records=[hexed(scene.written.sealed.record_id)],
        epoch=1,
    )


def test_each_refusal_has_its_status(scene: Scene) -> None:
    app = app_of(scene)
    refused = token(scene, "release", release(scene))
    answer = send(app, "POST", path("release"), content=refused, headers=JOSE)
    assert answer.status_code == 403
    assert is_outcome(answer, scene.vault.tag.hex())["code"] == "forbidden"
    answer = send(app, "POST", path("release"), content=refused, headers=JOSE)
    assert answer.status_code == 401  # replayed
    elsewhere = token(scene, "release", release(scene), audience=os.urandom(32))
    answer = send(app, "POST", path("release"), content=elsewhere, headers=JOSE)
    assert answer.status_code == 401
    unknown = {
        "basis": Because(Purpose.TREAT).basis(scene.vault.tag),
        "records": [hexed(os.urandom(32))],
        "epoch": 1,
    }
    answer = send(
        app, "POST", path("release"), content=token(scene, "release", unknown), headers=JOSE
    )
    assert answer.status_code == 404


ELSEWHERE = [
    "/",
    "/custody",
    "/custody/v1",
    "/custody/v1/",
    "/custody/v2/release",
    "/custody/v1/release/",
    "/custody/v1/everything",
    "/metrics/",
    "/../etc/passwd",
]


def test_there_is_nothing_at_other_addresses(scene: Scene) -> None:
    for where in ELSEWHERE:
        for verb in ("GET", "POST"):
            answer = send(app_of(scene), verb, where, headers=JOSE)
            assert answer.status_code in (404, 307)
            if answer.status_code == 404:
                assert is_outcome(answer)["code"] == "not-found"


def test_an_unexpected_failure_says_nothing_about_itself(
    scene: Scene,
) -> None:
    class Broken(CustodyDesk):
        def answer(self, method: str, token: bytes, **_: object) -> bytes:
            raise RuntimeError("patient Ada Lovelace in /secret/path.py")

    app = create_gateway(Broken(scene.home.desk))
    with capture_logs() as lines:
        answer = send(app, "POST", path("release"), content=b"x", headers=JOSE)
    assert answer.status_code == 500
    assert is_outcome(answer, "Ada", "RuntimeError")["code"] == "exception"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "Ada" not in str(lines)
    assert [one["kind"] for one in lines if one["event"] == "failed"] == ["RuntimeError"]


def test_a_slow_answer_is_given_up(scene: Scene) -> None:
    go_on = threading.Event()

    class Slow(CustodyDesk):
        def answer(self, method: str, token: bytes, **_: object) -> bytes:
            go_on.wait(60)
            return b""

    app = create_gateway(Slow(scene.home.desk), GatewayLimits(answer_seconds=0.1))
    begun = time.monotonic()
    answer = send(app, "POST", path("release"), content=b"x", headers=JOSE)
    go_on.set()
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert time.monotonic() - begun < 30
    is_outcome(answer)


def test_a_body_that_trickles_in_is_given_up(scene: Scene) -> None:
    def trickle():  # type: ignore[no-untyped-def]
        for _ in range(100):
            yield 0.02
            yield b"x"

    app = app_of(scene, GatewayLimits(body_seconds=0.1))
    answer = send(app, "POST", path("release"), content=trickle(), headers=JOSE)
    assert answer.status_code == 408
    is_outcome(answer)


def test_every_response_carries_the_security_headers(scene: Scene) -> None:
    app = app_of(scene)
    for verb, where in (("GET", "/healthz"), ("POST", path("log")), ("GET", "/nowhere")):
        headers = send(app, verb, where, headers=JOSE).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in headers


# The client's side ----------------------------------------------------------------------------


class Fixed(httpx.BaseTransport):
    """A server that always answers the same."""

    def __init__(self, status: int, content: bytes) -> None:
        self.status, self._content = status, content

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(self.status, content=self._content)


def outcome(code: str) -> bytes:
    issue = {"severity": "error", "code": code, "details": {"text": "said so"}}
    return json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (403, outcome("forbidden"), Forbidden),
        (401, outcome("login"), Unauthenticated),
        (429, outcome("too-costly"), TooLarge),
        (503, outcome("transient"), Unavailable),
        (403, b"<html>", Forbidden),
        (404, b"", Unavailable),
        (500, b"[]", Unavailable),
        (502, b'{"issue": [1]}', Unavailable),
        (302, b"", Unavailable),
        (500, b'{"issue": {"a": 1}}', Unavailable),
    ],
)
def test_whatever_a_server_answers_becomes_one_of_our_errors(
    scene: Scene, status: int, content: bytes, error: type[Exception]
) -> None:
    directory = Directory(scene.reader.contracts, scene.network.store)
    client = HttpCustody(directory, transport=Fixed(status, content))
    with pytest.raises(error):
        client.post(scene.home.id, "release", b"x")
    assert client.reachable(scene.home.id) is False


def test_an_answer_without_end_is_cut_off(scene: Scene) -> None:
    directory = Directory(scene.reader.contracts, scene.network.store)
    client = HttpCustody(directory, transport=Fixed(200, b"x" * (17 << 20)))
    with pytest.raises(TooLarge):
        client.post(scene.home.id, "release", b"x")


def test_an_unsigned_answer_is_no_answer(scene: Scene) -> None:
    from simdes.errors import Tampered

    directory = Directory(scene.reader.contracts, scene.network.store)
    client = HttpCustody(directory, transport=Fixed(200, b"all yours"))
    caller = Caller(
        scene.reader.people["doctor"][1],
        client,
        scene.reader.contracts,
        scene.network.clock,
        os.urandom,
    )
    with pytest.raises(Tampered):
        ask(caller, scene.home.id, "release", release(scene))


def test_custodians_in_this_process_are_asked_here_and_the_others_over_http(scene: Scene) -> None:
    directory = Directory(scene.reader.contracts, scene.network.store)
    apps = {"second.invalid": create_gateway(scene.second.custody)}
    here = LocalCustody()
    here.open(scene.home.id, scene.home.custody.answer)
    client = EitherCustody(here, HttpCustody(directory, transport=AsgiTransport(apps)))
    reach = [client.reachable(one.id) for one in (scene.home, scene.second, scene.third)]
    assert reach == [True, True, False]
    caller = dataclasses.replace(scene.home.caller("ada"), client=client)
    capsules = {scene.written.sealed.record_id: scene.network.store.get(scene.written.capsule_cid)}
    assert gather(caller, scene.vault, Because(Purpose.PATRQT), capsules).secrets
    here.shut(scene.home.id)
    with pytest.raises(Unavailable):
        client.post(scene.home.id, "release", b"x")


def test_an_address_is_asked_of_the_chain_again_after_a_moment_or_where_nobody_answers(
    scene: Scene,
) -> None:
    directory = Directory(scene.reader.contracts, scene.network.store)
    asked: list[bytes] = []

    class Watched:
        """The directory, and for whom it was asked."""

        def organisation(self, organisation: bytes) -> OrganisationDescriptor:
            asked.append(organisation)
            return directory.organisation(organisation)

    now = 100.0
    server = Fixed(200, b"yes")
    client = HttpCustody(Watched(), transport=server, monotonic=lambda: now)  # type: ignore[arg-type]
    assert client.reachable(scene.home.id)
    assert client.post(scene.home.id, "release", b"x") == b"yes"
    assert len(asked) == 1
    now += BELIEVED_SECONDS
    client.post(scene.home.id, "release", b"x")
    assert len(asked) == 2
    server.status = 503
    assert not client.reachable(scene.home.id)
    assert not client.reachable(scene.home.id)
    assert len(asked) == 3
    assert not client.reachable(scene.second.id)
    assert asked[3] == scene.second.id
