"""Scopes taken apart into what people judge, and put together again: never more than was asked."""

from __future__ import annotations

import itertools

import pytest

from simdes.access import scopes
from simdes.app import ADMINISTRATOR
from simdes.errors import Forbidden, NotFound
from simdes.exchange import apps
from simdes.index import authorization as rows
from support.consortium import Clock, Consortium
from support.smart import a_patient, allow, redeem, refresh, register

ASKED = (
    "launch/patient openid offline_access patient/Observation.cruds "
    "patient/Observation.rs?category=laboratory user/*.read patient/AllergyIntolerance.write"
)


def test_a_scope_is_seeing_and_changing_by_category() -> None:
    found = [
        (one.kind, one.category, one.type, one.own, one.constraint)
        for one in apps.wishes(scopes.parse(ASKED))
    ]
    assert found == [
        ("see", "", "", False, ""),
        ("see", "observations", "Observation", True, ""),
        ("see", "observations", "Observation", True, "category = laboratory"),
        ("change", "allergies", "AllergyIntolerance", True, ""),
        ("change", "observations", "Observation", True, ""),
    ]


def test_every_choice_gives_some_of_what_was_asked_and_all_gives_all() -> None:
    asked = scopes.parse(ASKED)
    keys = [one.key for one in apps.wishes(asked)]
    texts = set()
    for size in range(len(keys) + 1):
        for kept in itertools.combinations(keys, size):
            for lasting in (True, False):
                granted = apps.narrowed(asked, kept, lasting=lasting)
                assert scopes.within(asked, granted)
                assert ("offline_access" in granted.names) is lasting
                assert len(apps.wishes(granted)) == size
                texts.add(granted.text)
    assert len(texts) == 2 ** (len(keys) + 1)
    assert apps.narrowed(asked, keys, lasting=True).text == asked.text


def test_a_choice_that_was_never_offered_grants_nothing() -> None:
    asked = scopes.parse("openid user/Observation.rs")
    granted = apps.narrowed(asked, ["0-change", "1-see", "x", "-1-see"], lasting=True)
    assert granted.text == "openid"


def test_staff_find_a_patient_of_theirs_by_id_or_number(network: Consortium, who: str) -> None:
    node, doctor = network["north"].node, network.session("north", "dr.north")
    vault, patient = a_patient(network, who)
    assert apps.candidates(node, doctor) == []
    for text in (patient, f" Patient/{patient} "):
        assert apps.find_patient(node, doctor, text) == apps.Candidate(vault, patient)
    for text in ("", "nobody", "urn:x|nobody", "x" * 5_000):
        with pytest.raises(NotFound):
            apps.find_patient(node, doctor, text)
    with pytest.raises(Forbidden):
        apps.find_patient(node, network.session("north", ADMINISTRATOR), patient)


def test_a_person_sees_what_they_allow_with_the_apps_name(network: Consortium, who: str) -> None:
    node, doctor = network["north"].node, network.session("north", "dr.north")
    asking = register(node, f"seen-{who}")
    assert allow(asking, doctor, "user/Observation.rs")
    newest = apps.allowed(node, doctor)[0]
    assert (newest.name, newest.lasting) == ("Growth chart", False)
    assert [one.type for one in newest.wishes] == ["Observation"]
    assert newest.used_ms is None
    assert apps.allowed(node, network.session("north", ADMINISTRATOR)) == []


def test_a_person_sees_when_an_app_last_got_a_token(
    network: Consortium, clock: Clock, who: str
) -> None:
    node, doctor = network["north"].node, network.session("north", "dr.north")
    asking = register(node, f"used-{who}")
    code = allow(asking, doctor, "openid offline_access user/Observation.rs")
    assert apps.allowed(node, doctor)[0].used_ms is None
    answer = redeem(asking, code)
    first = apps.allowed(node, doctor)[0].used_ms
    assert first is not None and 0 <= node.now_ms() - first < 60_000
    clock.ahead_seconds += 600
    refresh(asking, answer["refresh_token"])
    later = apps.allowed(node, doctor)[0].used_ms
    assert later is not None and later >= first + 600_000
    node.database.write(lambda tx: rows.end_grants(tx, [apps.allowed(node, doctor)[0].grant]))
    with node.database.read() as tx:
        assert tx.one("SELECT count(*) FROM grant_use WHERE used_ms = :at", at=later) == (0,)
