"""Take my record along: everything as a FHIR Bundle, or an International Patient Summary."""

from __future__ import annotations

from typing import Final

from simdes.exchange.interactions.collecting import collected
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
    found, _ = collected(asked.node, mine.asking, mine.record.patient)
    entries = b",".join(
        b'{"fullUrl":'
        + dumps(f"{asked.node.issuer.name}/fhir/{one.name}")
        + b',"resource":'
        + one.content
        + b"}"
        for one in found
        if not one.deleted
    )
    bundle = b'{"resourceType":"Bundle","type":"collection","entry":[' + entries + b"]}"
    return Sent(bundle, _FHIR, "my-record.json")


def brief(asked: Asked) -> Sent:
    """The International Patient Summary."""
    mine = own(asked)
    made = summary(asked.node, mine.asking, mine.record.patient)
    return Sent(dumps(made), _FHIR, "my-summary.json")
