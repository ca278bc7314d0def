"""FHIR R4 Bundles about made-up patients, as a hospital would hand them in."""

from __future__ import annotations

import json
from typing import Any

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
SYSTEM = "urn:oid:2.16.840.1.113883.19.5"


def bundle(patient: str, *, observations: int = 2, hiv: bool = True) -> bytes:
    """Demographics, a condition, an allergy and observations, one of them labelled HIV."""
    subject = {"reference": f"Patient/{patient}"}
    resources: list[dict[str, Any]] = [
        {
            "resourceType": "Patient",
            "id": patient,
            "identifier": [{"system": SYSTEM, "value": patient}],
            "name": [{"family": f"Family of {patient}"}],
        },
        {
            "resourceType": "Condition",
            "id": f"{patient}-condition",
            "subject": subject,
            "code": {"text": f"condition of {patient}"},
        },
        {
            "resourceType": "AllergyIntolerance",
            "id": f"{patient}-allergy",
            "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
            "patient": subject,
            "code": {"text": f"allergy of {patient}"},
        },
        *(
            _observation(patient, subject, f"{patient}-observation-{number}")
            for number in range(observations)
        ),
    ]
    if hiv:
        labelled = _observation(patient, subject, f"{patient}-hiv")
        labelled["meta"] = {"security": [{"system": ACT_CODE, "code": "HIV"}]}
        resources.append(labelled)
    entries = [{"resource": one} for one in resources]
    document = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return json.dumps(document).encode()


def _observation(patient: str, subject: dict[str, str], id_: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": "laboratory"}]}],
        "code": {"text": f"result {id_}"},
        "subject": subject,
        "valueString": f"value of {id_} of {patient}",
    }
