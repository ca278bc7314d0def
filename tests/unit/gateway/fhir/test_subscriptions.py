"""Subscriptions over the API, told to real receivers, under their owner's present rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.applications import Starlette

from simdes.exchange.node import Node
from simdes.exchange.subscriptions import telling
from simdes.hook_http import HttpHooks
from simdes.index.vaults import Identifier, find
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json
from support.receivers import Receiver, receiving, reply, status_of

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody's endpoint on this machine."""
    with receiving() as found:
        yield found


@pytest.fixture
def node(network: Consortium) -> Iterator[Node]:
    """Hospital north, which lets notifications go to this machine."""
    hooks = HttpHooks("127.0.0.1")
    found = network["north"].node
    object.__setattr__(found, "hooks", hooks)
    yield found
    hooks.close()


def work(node: Node) -> None:
    """Let the worker do everything that is due."""
    for _ in range(50):
        if not telling.work(node, name="test"):
            return
    raise AssertionError("there is always more to do")


def subscription(receiver: Receiver, criteria: str, **others: Any) -> Json:
    """A Subscription of R4's own kind, with whole resources."""
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "to know",
        "criteria": criteria,
        "channel": {
            "type": "rest-hook",
            "endpoint": receiver.url,
            "payload": "application/fhir+json",
            "header": ["Authorization: Bearer secret"],
        },
    } | others


def topical(
    node: Node,
    receiver: Receiver,
    topic: str,
    *filters: str,
    content: str = "id-only",
    **channel: Any,
) -> Json:
    """A Subscription of the backport's kind."""
    made = subscription(receiver, f"{node.issuer.audience}/SubscriptionTopic/{topic}")
    made["meta"] = {"profile": [f"{BACKPORT}backport-subscription"]}
    made["_criteria"] = {
        "extension": [
            {"url": f"{BACKPORT}backport-filter-criteria", "valueString": one} for one in filters
        ]
    }
    if not filters:
        del made["_criteria"]
    made["channel"] |= {
        "_payload": {
            "extension": [{"url": f"{BACKPORT}backport-payload-content", "valueCode": content}]
        },
        **channel,
    }
    return made


def test_what_meets_the_criteria_is_told_with_its_version_and_number(
    node: Node, doctor: Api, receiver: Receiver, patient: Json, pulse: Callable[..., Json]
) -> None:
    criteria = f"Observation?patient=Patient/{patient['id']}&code=8867-4"
    made = doctor.create(subscription(receiver, criteria))
    assert made["status"] == "requested"
    work(node)
    assert [one.kind for one in receiver.got] == ["handshake"]
    assert receiver.got[0].headers["authorization"] == "Bearer secret"
    assert doctor.get(f"Subscription/{made['id']}").json()["status"] == "active"
    first = doctor.create(pulse(61))
    doctor.send("PUT", f"Observation/{first['id']}", pulse(62, id=first["id"]))
    doctor.create(pulse(63, code={"coding": [{"system": "http://loinc.org", "code": "1-8"}]}))
    work(node)
    told = [one for got in receiver.events for one in got.resources]
    assert [one["valueQuantity"]["value"] for one in told] == [61, 62]
    assert [one["meta"]["versionId"] for one in told] == ["1", "2"]
    assert receiver.numbers == [1, 2]
    bundle = receiver.events[0].bundle
    assert bundle["type"] == "history"
    assert bundle["entry"][0]["resource"]["meta"]["profile"] == [
        f"{BACKPORT}backport-subscription-status-r4"
    ]
    assert bundle["entry"][1]["request"]["method"] == "POST"


def observations(patient: Json) -> str:
    """A search for a patient's observations."""
    return f"Observation?patient=Patient/{patient['id']}"


@pytest.mark.parametrize("content", ["empty", "id-only", "full-resource"])
def test_a_topic_tells_as_much_as_was_asked_for(
    node: Node,
    doctor: Api,
    receiver: Receiver,
    patient: Json,
    pulse: Callable[..., Json],
    content: str,
) -> None:
    asked = topical(node, receiver, "Observation-created", observations(patient), content=content)
    made = doctor.create(asked)
    first = doctor.create(pulse(61))
    doctor.send("PUT", f"Observation/{first['id']}", pulse(62, id=first["id"]))
    work(node)
    [got] = receiver.events
    assert got.status.get("topic") == (asked["criteria"] if content != "empty" else None)
    assert got.status["status"] == "active"
    assert [one.status["status"] for one in receiver.got if one.kind == "handshake"] == [
        "requested"
    ]
    assert got.status["events-since-subscription-start"] == "1"
    [event] = got.status["notification-event"]
    names = {"event-number", "timestamp"} | ({"focus"} if content != "empty" else set())
    assert event.keys() == names
    assert (first["id"] in got.body.decode()) == (content != "empty")
    assert [one["id"] for one in got.resources] == (
        [first["id"]] if content == "full-resource" else []
    )
    doctor.send("DELETE", f"Subscription/{made['id']}")
    assert doctor.get(f"Subscription/{made['id']}").status_code == 410


def test_deletions_are_told_by_their_topic_alone_and_without_content(
    node: Node, doctor: Api, receiver: Receiver, patient: Json, pulse: Callable[..., Json]
) -> None:
    search = observations(patient)
    made = doctor.create(topical(node, receiver, "Observation-deleted", search))
    gone, stays = doctor.create(pulse(61)), doctor.create(pulse(62))
    doctor.send("DELETE", f"Observation/{gone['id']}")
    work(node)
    [got] = receiver.events
    [entry] = got.bundle["entry"][1:]
    assert entry["request"] == {"method": "DELETE", "url": f"Observation/{gone['id']}"}
    assert "resource" not in entry
    assert stays["id"] not in got.body.decode()
    doctor.send("DELETE", f"Subscription/{made['id']}")


def test_a_subscription_is_its_authors_alone_on_every_path(
    network: Consortium,
    node: Node,
    doctor: Api,
    north: Starlette,
    receiver: Receiver,
    patient: Json,
) -> None:
    made = doctor.create(subscription(receiver, observations(patient)))
    work(node)
    name = f"Subscription/{made['id']}"
    for other in (Api.of(network["north"], "admin", app=north),):
        for path in (name, f"{name}/_history", f"{name}/_history/1", f"{name}/$status"):
            assert other.get(path).status_code == 404, path
        assert other.get(f"{name}/$events").status_code == 404
        assert other.send("POST", f"{name}/$get-ws-binding-token").status_code == 404
        assert other.send("PUT", name, made).status_code == 404
        assert other.send("DELETE", name).status_code in (204, 404)
        assert other.found("Subscription") == []
        assert other.found(f"Subscription?_id={made['id']}&criteria=Observation") == []
        listed = other.get("_history").json()
        assert receiver.url not in str(listed)
        assert "secret" not in str(other.get("Subscription/_history").json())
        linked = {
            "resourceType": "Basic",
            "code": {"text": "x"},
            "subject": {"reference": name},
        }
        assert other.send("POST", "Basic", linked).status_code in (403, 422, 400)
    assert doctor.get(name).json()["status"] == "active"
    assert [one["id"] for one in doctor.found(f"Subscription?_id={made['id']}")] == [made["id"]]
    doctor.send("DELETE", name)


def test_what_an_app_may_not_see_it_is_not_told_of_and_not_counted(
    network: Consortium,
    node: Node,
    north: Starlette,
    doctor: Api,
    receiver: Receiver,
    pulse: Callable[..., Json],
    patient: Json,
) -> None:
    scope = "user/Subscription.crs user/Observation.rs?category=vital-signs"
    app = Api.of(network["north"], "dr.north", app=north, scope=scope)
    made = app.create(subscription(receiver, observations(patient)))
    answer = app.send("POST", "Subscription", subscription(receiver, "Condition"))
    assert answer.status_code == 403
    category = "http://terminology.hl7.org/CodeSystem/observation-category"
    vital = [{"coding": [{"system": category, "code": "vital-signs"}]}]
    hidden = doctor.create(pulse(61))
    shown = doctor.create(pulse(62, category=vital))
    # What was shown once is not told of any more when its newest version is not for the app.
    changed = doctor.create(pulse(63, category=vital))
    doctor.send("PUT", f"Observation/{changed['id']}", pulse(64, id=changed["id"]))
    work(node)
    assert [one["id"] for got in receiver.events for one in got.resources] == [shown["id"]]
    assert receiver.numbers == [1]
    text = "".join(got.body.decode() for got in receiver.got)
    assert hidden["id"] not in text and changed["id"] not in text
    status = app.get(f"Subscription/{made['id']}/$status").json()
    assert status_of(status["entry"][0]["resource"])["events-since-subscription-start"] == "1"


def test_a_patient_is_told_of_their_own_record_alone(
    network: Consortium,
    node: Node,
    north: Starlette,
    doctor: Api,
    receiver: Receiver,
    patient: Json,
    pulse: Callable[..., Json],
    number: str,
) -> None:
    with node.database.read() as tx:
        vault = find(tx, Identifier("urn:oid:2.16.840.1.113883.4.1", number))
    assert vault is not None
    network.settle()
    session = network.enrol(vault, f"p.{number}")
    person = Api(network["north"], f"p.{number}", north, session.token)
    person.create(subscription(receiver, "Observation"))
    stranger = doctor.create(
        {
            "resourceType": "Patient",
            "identifier": [{"system": "urn:oid:2.16.840.1.113883.4.1", "value": number + "-x"}],
        }
    )
    theirs = pulse(61) | {"subject": {"reference": f"Patient/{stranger['id']}"}}
    doctor.create(theirs)
    own = doctor.create(pulse(62))
    work(node)
    assert [one["id"] for got in receiver.events for one in got.resources] == [own["id"]]
    assert receiver.numbers == [1]


def test_what_arrived_and_was_not_noted_comes_again_under_its_number_and_nothing_is_lost(
    node: Node,
    clock: Clock,
    doctor: Api,
    receiver: Receiver,
    patient: Json,
    pulse: Callable[..., Json],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = topical(node, receiver, "Observation-created", observations(patient))
    asked["channel"]["extension"] = [
        {"url": f"{BACKPORT}backport-max-count", "valuePositiveInt": 1}
    ]
    made = doctor.create(asked)
    work(node)
    created = [doctor.create(pulse(60 + at))["id"] for at in range(5)]

    class Killed(BaseException):
        """As a kill: nothing after it is done."""

    posted = node.hooks.post

    def post(*args: Any, **options: Any) -> None:
        posted(*args, **options)
        if len(receiver.events) == 3:
            raise Killed

    monkeypatch.setattr(node.hooks, "post", post, raising=False)
    with pytest.raises(Killed):
        telling.work(node, name="killed")
    assert receiver.numbers == [1, 2, 3]
    work(node)
    assert receiver.numbers == [1, 2, 3]  # the lease of the dead one stands
    clock.ahead_seconds += 61
    work(node)
    assert receiver.numbers == [1, 2, 3, 3, 4, 5]
    focus = [
        event["focus"]["reference"].rpartition("/")[2]
        for got in receiver.events
        for event in got.status["notification-event"]
    ]
    assert list(dict.fromkeys(focus)) == created
    Api.of(doctor.one, doctor.user, app=doctor.app).send("DELETE", f"Subscription/{made['id']}")


def test_an_endpoint_that_fails_is_tried_again_then_said_to_be_in_error_then_left(
    node: Node,
    clock: Clock,
    doctor: Api,
    receiver: Receiver,
    patient: Json,
    pulse: Callable[..., Json],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling, "LONGEST_PAUSE_SECONDS", 2)
    made = doctor.create(subscription(receiver, observations(patient)))
    work(node)
    receiver.answer = lambda handler: reply(handler, 500)
    doctor.create(pulse(61))
    states = []
    for _ in range(telling.OFF_AFTER):
        work(node)
        clock.ahead_seconds += 3
        fresh = Api.of(doctor.one, doctor.user, app=doctor.app)
        states.append(fresh.get(f"Subscription/{made['id']}").json())
    found = [one["status"] for one in states]
    assert found == ["active"] * 2 + ["error"] * (telling.OFF_AFTER - 3) + ["off"]
    assert "HTTP 500" in states[-1]["error"]
    assert len(set(receiver.numbers)) == 1
    receiver.answer = None
    before = len(receiver.got)
    work(node)
    assert len(receiver.got) == before
    again = fresh.send("PUT", f"Subscription/{made['id']}", states[-1] | {"status": "requested"})
    assert again.json()["status"] == "requested"
    assert "error" not in again.json()
    work(node)
    assert fresh.get(f"Subscription/{made['id']}").json()["status"] == "active"
    fresh.send("DELETE", f"Subscription/{made['id']}")


def test_an_endpoint_that_does_not_answer_its_handshake_is_in_error_at_once_and_told_nothing(
    node: Node,
    clock: Clock,
    doctor: Api,
    receiver: Receiver,
    patient: Json,
    pulse: Callable[..., Json],
) -> None:
    """https://hl7.org/fhir/uv/subscriptions-backport/channels.html#rest-hook"""
    receiver.answer = lambda handler: reply(handler, 500)
    made = doctor.create(topical(node, receiver, "Observation-created", observations(patient)))
    path = f"Subscription/{made['id']}"
    work(node)
    assert doctor.get(path).json()["status"] == "error"
    (told,) = doctor.get(f"{path}/$status").json()["entry"]
    status = status_of(told["resource"])
    assert status["status"] == "error"
    assert status["error"]
    doctor.create(pulse(66))
    clock.ahead_seconds += 2
    work(node)
    assert {one.kind for one in receiver.got} == {"handshake"}
    receiver.answer = None
    clock.ahead_seconds += 30
    work(node)
    assert doctor.get(path).json()["status"] == "active"
    assert [one.kind for one in receiver.got][-2:] == ["handshake", "event-notification"]
    doctor.send("DELETE", path)


def test_statuses_are_asked_for_by_id_and_state_and_of_one_by_its_address(
    node: Node, doctor: Api, receiver: Receiver, patient: Json
) -> None:
    """https://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition-backport-subscription-status.html"""
    asked = topical(node, receiver, "Observation-created", observations(patient), content="empty")
    ids = [doctor.create(asked)["id"] for _ in range(2)]
    work(node)

    def found(query: str) -> set[str]:
        listed = doctor.get(f"Subscription/$status?{query}").json().get("entry", [])
        assert all(one["resource"]["resourceType"] == "Parameters" for one in listed)
        texts = [status_of(one["resource"])["subscription"]["reference"] for one in listed]
        return {text.rpartition("/")[2] for text in texts}

    assert found(f"id={ids[0]}&id={ids[1]}") == set(ids)
    assert found(f"id={ids[0]},{ids[1]}&status=active") == set(ids)
    assert found(f"id={ids[0]}&id=nobodys&status=off,active") == {ids[0]}
    assert found(f"id={ids[0]}&status=off") == set()
    own = doctor.get(f"Subscription/{ids[0]}/$status?status=off&id={ids[1]}").json()["entry"]
    assert status_of(own[0]["resource"])["subscription"]["reference"].endswith(ids[0])
    assert doctor.get("Subscription/nobodys/$status").status_code == 404
    for id_ in ids:
        doctor.send("DELETE", f"Subscription/{id_}")


def test_heartbeats_come_and_the_end_is_kept(
    node: Node, clock: Clock, doctor: Api, receiver: Receiver, patient: Json
) -> None:
    end = datetime.fromtimestamp(node.now_seconds() + 100, UTC).isoformat()
    asked = topical(node, receiver, "Observation-created", observations(patient))
    asked["channel"]["extension"] = [
        {"url": f"{BACKPORT}backport-heartbeat-period", "valueUnsignedInt": 30}
    ]
    made = doctor.create(asked | {"end": end})
    work(node)
    clock.ahead_seconds += 31
    work(node)
    assert [one.kind for one in receiver.got] == ["handshake", "heartbeat"]
    clock.ahead_seconds += 70
    work(node)
    assert doctor.get(f"Subscription/{made['id']}").json()["status"] == "off"
    clock.ahead_seconds += 31
    work(node)
    assert len(receiver.got) == 2


def test_events_can_be_asked_for_again_by_number(
    node: Node, doctor: Api, receiver: Receiver, patient: Json, pulse: Callable[..., Json]
) -> None:
    made = doctor.create(topical(node, receiver, "Observation-created", observations(patient)))
    ids = [doctor.create(pulse(60 + at))["id"] for at in range(4)]
    work(node)
    query = "eventsSinceNumber=2&eventsUntilNumber=3&content=full-resource"
    bundle = doctor.get(f"Subscription/{made['id']}/$events?{query}").json()
    status = status_of(bundle["entry"][0]["resource"])
    assert status["type"] == "query-event"
    assert [one["event-number"] for one in status["notification-event"]] == ["2", "3"]
    assert [one["resource"]["id"] for one in bundle["entry"][1:]] == ids[1:3]
    validate = doctor.get(f"Subscription/{made['id']}/$events?eventsSinceNumber=x")
    assert validate.status_code == 400
    doctor.send("DELETE", f"Subscription/{made['id']}")


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"criteria": "Nothing?code=1"}, 400),
        ({"criteria": "Observation?nonsense=1"}, 400),
        ({"criteria": "Observation?_include=Observation:patient"}, 400),
        ({"criteria": "https://example.org/SubscriptionTopic/admission"}, 400),
        ({"channel": {"type": "email", "endpoint": "mailto:a@example.org"}}, 400),
        ({"channel": {"type": "rest-hook"}}, 400),
        ({"channel": {"type": "rest-hook", "endpoint": "http://example.org/hook"}}, 400),
        ({"channel": {"type": "rest-hook", "endpoint": "https://10.0.0.1/hook"}}, 400),
        ({"channel": {"type": "rest-hook", "endpoint": "https://[::1]/hook"}}, 400),
        ({"channel": {"type": "rest-hook", "endpoint": "https://169.254.169.254/latest"}}, 400),
        ({"channel": {"type": "rest-hook", "endpoint": "https://[::ffff:10.0.0.1]/"}}, 400),
        ({"channel": {"type": "rest-hook", "endpoint": "https://u:p@example.org/"}}, 400),
        ({"channel": {"type": "rest-hook", "endpoint": "file:///etc/passwd"}}, 400),
    ],
)
def test_what_cannot_be_had_is_refused_when_it_is_asked_for(
    node: Node, doctor: Api, receiver: Receiver, changed: Json, status: int
) -> None:
    answer = doctor.send("POST", "Subscription", subscription(receiver, "Observation") | changed)
    assert answer.status_code in {status, 422}, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "header", ["Host: other", "Content-Length: 0", "X: a\r\nY: b", "no header", "X-é: 1"]
)
def test_headers_that_would_change_the_request_are_refused(
    node: Node, doctor: Api, receiver: Receiver, header: str
) -> None:
    asked = subscription(receiver, "Observation")
    asked["channel"]["header"] = [header]
    assert doctor.send("POST", "Subscription", asked).status_code in (400, 422)
