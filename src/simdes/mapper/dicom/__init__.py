"""DICOM study metadata to FHIR R4: QIDO-RS answers (PS3.18) and Part 10 headers (PS3.10).

`reader` makes datasets of either form into one tree a study, `mapping` runs its sheets over them.
Pixels are never read.
"""
