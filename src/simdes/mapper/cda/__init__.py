"""CDA documents (HL7 CDA R2, C-CDA R2.1) to FHIR R4."""
