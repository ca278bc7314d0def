"""HL7 v2 messages (ER7) to FHIR R4, by HL7's published maps and our overlay.

https://build.fhir.org/ig/HL7/v2-to-fhir/. `engine` walks a message's segments as `grammar` groups
them and runs their maps (`segments`, `datatypes`, `rules`), which `tables` reads from the compiled
table; what no map takes is kept or reported.
"""
