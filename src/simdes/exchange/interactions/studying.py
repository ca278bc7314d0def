"""Studies of the chain as `ResearchStudy`, who takes part in them as `ResearchSubject`.

https://hl7.org/fhir/R4/researchstudy.html, https://hl7.org/fhir/R4/researchsubject.html. What
stands on chain decides; these are how it is read, and nobody writes them. A study is shown to
everybody who reads studies: every member sees it on chain. A ResearchSubject is shown to the
patient whom it is about and to those whom the patient's consent names, the sponsor's researchers;
to nobody else, so that no ward learns who takes part in what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from simdes.access.consent import Consent
from simdes.access.requests import hexed
from simdes.errors import SimdesError
from simdes.exchange import members
from simdes.exchange.consent_resources import VAULT_SYSTEM
from simdes.exchange.following import known_consents
from simdes.exchange.node import Node
from simdes.exchange.research.studies import Listed, listed
from simdes.exchange.research.taking_part import tag_in
from simdes.index.vaults import ORGANISATION

STUDY_SYSTEM: Final = "urn:simdes:study"
TAG_SYSTEM: Final = "urn:simdes:participation"
IN_REVIEW, APPROVED, ACTIVE, COMPLETED = "in-review", "approved", "active", "completed"
_VERSIONS: Final = {IN_REVIEW: 1, APPROVED: 2, ACTIVE: 3, COMPLETED: 4}
_TAKES_PART: Final = {
    IN_REVIEW: "pending-on-study",
    APPROVED: "pending-on-study",
    ACTIVE: "on-study",
    COMPLETED: "off-study",
}
_SUBJECTS: Final = {"pending-on-study": 1, "on-study": 2, "off-study": 3, "withdrawn": 4}


def status_of(one: Listed, *, now_seconds: int) -> str:
    """A study's status in R4's words (http://hl7.org/fhir/research-study-status)."""
    if now_seconds >= one.study.ends:
        return COMPLETED
    if not one.study.approved:
        return IN_REVIEW
    return ACTIVE if one.running else APPROVED


def studies(node: Node) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Every study as a resource, newest first, with its version and when it began (ms)."""
    for one in reversed(listed(node)):
        status = status_of(one, now_seconds=node.now_seconds())
        yield (
            {
                "resourceType": "ResearchStudy",
                "id": one.id.hex(),
                "identifier": [{"system": STUDY_SYSTEM, "value": hexed(one.id)}],
                "status": status,
                "period": {"start": _time(one.study.begins), "end": _time(one.study.ends)},
                "sponsor": _organisation(node, one.study.sponsor),
            },
            _VERSIONS[status],
            one.study.begins * 1000,
        )


def subjects(
    node: Node, vault: bytes, *, patient: str, concerns: Callable[[Consent], bool]
) -> Iterator[tuple[dict[str, Any], int, int]]:
    """The studies that a vault takes part in, under each consent that ``concerns`` whoever asks.

    ``patient`` refers to the Patient, "" where none may be seen. A preference shows as the studies
    that it was used for.
    """
    contract, address = node.contracts.studies, node.contracts.addresses.studies
    known = {one.id: one for one in listed(node)}
    for one in reversed(known_consents(node.desk, vault)):
        terms = one.consent.terms
        if terms.condition != address or not concerns(one.consent):
            continue
        group, _ = contract.tag(terms.condition_id)
        for study in (known[group],) if group in known else known.values():
            tag = tag_in(node, one.consent, study.id)
            of, withdrawn = contract.tag(tag)
            if of != study.id:
                continue
            status = status_of(study, now_seconds=node.now_seconds())
            state = "withdrawn" if withdrawn or not one.active else _TAKES_PART[status]
            made = _subject(one.consent, study, tag, state, patient)
            yield made, _SUBJECTS[state], terms.not_before * 1000


def _subject(
    consent: Consent, study: Listed, tag: bytes, state: str, patient: str
) -> dict[str, Any]:
    vault = {"system": VAULT_SYSTEM, "value": hexed(consent.vault)}
    end = min(consent.terms.expiry, study.study.ends)
    return {
        "resourceType": "ResearchSubject",
        "id": tag.hex(),
        "identifier": [{"system": TAG_SYSTEM, "value": hexed(tag)}],
        "status": state,
        "period": {"start": _time(consent.terms.not_before), "end": _time(end)},
        "study": {"reference": f"ResearchStudy/{study.id.hex()}"},
        "individual": {"reference": patient}
        if patient
        else {"type": "Patient", "identifier": vault},
        "consent": {"reference": f"Consent/{consent.handle.hex()}"},
    }


def _organisation(node: Node, id_: bytes) -> dict[str, Any]:
    identifier = {"system": ORGANISATION, "value": hexed(id_)}
    try:
        display = members.name_of(node, id_)
    except SimdesError:
        return {"type": "Organization", "identifier": identifier}
    return {"type": "Organization", "identifier": identifier, "display": display}


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
