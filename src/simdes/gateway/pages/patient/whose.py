"""Whose record: the records that a patient controls, to choose one of several."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from simdes.exchange import fhir_users, rights
from simdes.exchange.interactions.read import read
from simdes.gateway.pages.answering import Shown
from simdes.gateway.pages.asking import START, Asked
from simdes.gateway.pages.record.loading import sources
from simdes.gateway.pages.record.showing import Person, person

PATH: Final = "/whose"


def show(asked: Asked) -> Shown:
    """Every record by its name; each leads on to where the person was."""
    account = asked.visit.session.actor.account
    listed = [one.patient for one in fhir_users.own_records(asked.node, account)]
    return Shown(
        "whose.html",
        {"listed": [(_person(asked, one), _address(asked, one)) for one in listed]},
    )


def _person(asked: Asked, patient: str) -> Person | None:
    found = read(asked.node, rights.ask(asked.node, asked.visit.session), "Patient", patient)
    [one] = sources(asked.node, [found])
    return person(one, asked.reader)


def _address(asked: Asked, patient: str) -> str:
    """Where the person was, for this record."""
    parts = urlsplit(asked.next or START)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name in ("study", "only")]
    return f"{parts.path}?{urlencode([*kept, ('patient', patient)])}"
