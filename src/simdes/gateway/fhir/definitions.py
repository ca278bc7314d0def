"""Which definition each operation follows: the canonical URLs that the CapabilityStatement names.

By place (``Patient``, ``{type}`` for every type, "" for the server) and name. An operation of the
table of endpoints without a row here has no CapabilityStatement, which a test sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_R4: Final = "http://hl7.org/fhir/OperationDefinition/"
_BACKPORT: Final = (
    "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-"
)
_BULK: Final = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"

DEFINITIONS: Final[Mapping[tuple[str, str], str]] = {
    ("Patient", "$everything"): _R4 + "Patient-everything",
    ("Patient", "$match"): _R4 + "Patient-match",
    ("Patient", "$summary"): "http://hl7.org/fhir/uv/ips/OperationDefinition/summary",
    ("{type}", "$meta"): _R4 + "Resource-meta",
    ("", "$meta"): _R4 + "Resource-meta",
    ("{type}", "$meta-add"): _R4 + "Resource-meta-add",
    ("{type}", "$meta-delete"): _R4 + "Resource-meta-delete",
    ("{type}", "$validate"): _R4 + "Resource-validate",
    ("CodeSystem", "$lookup"): _R4 + "CodeSystem-lookup",
    ("CodeSystem", "$subsumes"): _R4 + "CodeSystem-subsumes",
    ("CodeSystem", "$validate-code"): _R4 + "CodeSystem-validate-code",
    ("ValueSet", "$expand"): _R4 + "ValueSet-expand",
    ("ValueSet", "$validate-code"): _R4 + "ValueSet-validate-code",
    ("ConceptMap", "$translate"): _R4 + "ConceptMap-translate",
    ("Subscription", "$status"): _BACKPORT + "status",
    ("Subscription", "$events"): _BACKPORT + "events",
    ("Subscription", "$get-ws-binding-token"): _BACKPORT + "get-ws-binding-token",
    ("Patient", "$export"): _BULK + "patient-export",
    ("Group", "$export"): _BULK + "group-export",
    ("", "$export"): _BULK + "export",
    # Proposed and never published as a definition; what is taken stands in docs/guide.md.
    ("", "$import"): "urn:simdes:operation:import",
    ("MedicationRequest", "$submit"): "urn:simdes:operation:submit",
    ("MedicationRequest", "$transfer"): "urn:simdes:operation:transfer",
    ("MedicationRequest", "$withdraw"): "urn:simdes:operation:withdraw",
    ("MedicationRequest", "$prescription-status"): "urn:simdes:operation:prescription-status",
    ("MedicationRequest", "$queue"): "urn:simdes:operation:queue",
    ("MedicationRequest", "$open"): "urn:simdes:operation:open",
    ("MedicationRequest", "$accept"): "urn:simdes:operation:accept",
    ("MedicationRequest", "$release"): "urn:simdes:operation:release",
    ("MedicationRequest", "$dispense"): "urn:simdes:operation:dispense",
    ("MedicationRequest", "$refuse-dispense"): "urn:simdes:operation:refuse-dispense",
    ("Patient", "$prefer-pharmacy"): "urn:simdes:operation:prefer-pharmacy",
    ("CoverageEligibilityRequest", "$submit"): _R4 + "CoverageEligibilityRequest-submit",
    ("Claim", "$submit"): _R4 + "Claim-submit",
    ("", "$submit-legacy"): "urn:simdes:operation:submit-legacy",
}
