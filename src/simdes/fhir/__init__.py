"""HL7 FHIR R4 (https://hl7.org/fhir/R4/): reading, walking and validating resources.

Pure: nothing here touches a network, a clock or a file other than the definitions in the package.
A resource is what :func:`simdes.fhir.json.loads` returns: dictionaries, lists, strings, booleans,
integers and ``Decimal``.
"""
