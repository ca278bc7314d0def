"""Proving costs the processor dear: what one account may ask for; the others keep theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from simdes.errors import Unavailable
from simdes.exchange.pace import Pace, TooMany
from simdes.exchange.prescriptions import dispensing, opening, proving, submitting
from simdes.exchange.prescriptions.dispensing import Wanted
from simdes.exchange.rights import ask
from support.fhir_api import Api, application
from support.prescribing import Ward


def turn(pace: Pace, caller: bytes, *, now_seconds: int = 0) -> Any:
    return pace.turn(caller, now_seconds=now_seconds, per_minute=3, at_once=2)


def test_a_caller_has_so_many_turns_a_minute_and_others_have_theirs() -> None:
    pace = Pace()
    for _ in range(3):
        with turn(pace, b"one", now_seconds=59):
            pass
    with pytest.raises(TooMany, match="3 proofs in a minute"), turn(pace, b"one", now_seconds=59):
        pass
    for caller, now_seconds in ((b"two", 59), (b"one", 60)):
        with turn(pace, caller, now_seconds=now_seconds):
            pass


def test_a_caller_has_so_many_turns_at_once_also_after_failures() -> None:
    pace = Pace()
    with pytest.raises(ZeroDivisionError), turn(pace, b"one"):
        raise ZeroDivisionError
    with turn(pace, b"one", now_seconds=60), turn(pace, b"one", now_seconds=60):
        with pytest.raises(TooMany), turn(pace, b"one", now_seconds=60):
            pass
        # A new minute ends nothing that runs.
        with pytest.raises(TooMany), turn(pace, b"one", now_seconds=120):
            pass
    with turn(pace, b"one", now_seconds=120):
        pass


def test_of_many_threads_no_more_than_the_limit_get_through() -> None:
    pace, passed, gate = Pace(), [], threading.Barrier(16)

    def run() -> None:
        gate.wait()
        try:
            with pace.turn(b"one", now_seconds=0, per_minute=5, at_once=16):
                passed.append(1)
        except TooMany:
            pass

    threads = [threading.Thread(target=run) for _ in range(16)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(passed) == 5


def _submitted(ward: Ward) -> str:
    request = ward.issued()
    ward.network.enrol(ward.vault, f"p.{ward.number}")
    north, west = ward.network["north"].node, ward.network["west"].node
    patient = ask(north, ward.network.session("north", f"p.{ward.number}"))
    submitting.submit(north, patient, request["id"], west.organisation)
    west.following.catch_up()
    return str(request["id"])


Verb = Callable[[Any, Any, str], object]
VERBS: dict[str, Verb] = {
    "accept": dispensing.accept,
    "dispense": lambda node, asking, id_: dispensing.dispense(node, asking, id_, Wanted()),
}


class OneMinute(Pace):
    """In which no minute ends."""

    def turn(self, caller: bytes, **limits: int) -> Any:
        return super().turn(caller, **limits | {"now_seconds": 0})


def test_one_account_can_not_have_a_pharmacy_prove_without_end(ward: Ward) -> None:
    request = _submitted(ward)
    west = replace(
        ward.network["west"].node,
        rules=replace(ward.network["west"].node.rules, proofs_per_minute=4),
        proofs=OneMinute(),
    )
    proved = mock.patch.object(proving.prover, "prove", side_effect=Unavailable("not now"))
    session = ward.network.session("west", "ph.west")
    with proved as prover:
        for verb in (*VERBS.values(), *VERBS.values()):
            with pytest.raises(Unavailable):
                verb(west, ask(west, session), request)
        for verb in VERBS.values():
            with pytest.raises(TooMany):
                verb(west, ask(west, session), request)
        assert prover.call_count == 4
        # Looking costs no turn.
        dispensing.plan(west, ask(west, session), request, Wanted())
        opening.open_(west, ask(west, session), opening.At(request))


def test_over_fhir_it_is_429_with_a_time_and_words(ward: Ward) -> None:
    request = _submitted(ward)
    pharmacist = Api.of(ward.network["west"], "ph.west", app=application(ward.network["west"]))
    full = mock.patch.object(
        Pace, "turn", side_effect=TooMany("20 proofs", advice="Wait a minute.")
    )
    with full:
        answer = pharmacist.send("POST", f"MedicationRequest/{request}/$dispense")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "60"
    [issue] = answer.json()["issue"]
    assert (issue["code"], issue["diagnostics"]) == ("too-costly", "Wait a minute.")
