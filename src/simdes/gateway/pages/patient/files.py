"""Take my record along: everything as a FHIR Bundle, or an International Patient Summary."""

from __future__ import annotations

from typing import Final

from simdes.exchange.interactions.collecting import as_bundle
from simdes.exchange.interactions.summary import summary
from simdes.fhir.json import dumps
from simdes.gateway.pages.answering import Sent, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.patient.own import own

PATH: Final = "/download"
EVERYTHING: Final = "/download/everything"
SUMMARY: Final = "/download/summary"
_FHIR: Final = "application/fhir+json"


def show(asked: Asked) -> Shown:
    """What there is to take along, and what to mind."""
    return Shown("download.html", {"kept": own(asked).kept})


def everything(asked: Asked) -> Sent:
    """Every resource that the patient may see, as its author wrote it, in one Bundle."""
    mine = own(asked)
    bundle = as_bundle(asked.node, mine.asking, mine.record.patient)
    return Sent(bundle, _FHIR, "my-record.json")


def brief(asked: Asked) -> Sent:
    """The International Patient Summary."""
    mine = own(asked)
    made = summary(asked.node, mine.asking, mine.record.patient)
    return Sent(dumps(made), _FHIR, "my-summary.json")
