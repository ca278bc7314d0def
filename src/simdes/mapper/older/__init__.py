"""FHIR DSTU2 and STU3 to R4, and the XML form of all three, for `simdes.mapper.fhir_input`."""
