"""Compile HL7's published v2-to-FHIR maps and our overlay into the mapper's table."""
