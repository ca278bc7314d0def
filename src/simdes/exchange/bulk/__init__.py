"""Bulk data: exports that run on after their request (docs/decisions, "Bulk export").

https://hl7.org/fhir/uv/bulkdata/. A job is durable and is worked on in slices by whichever worker
has its lease, with the rights of its asker decided anew for each.

- `jobs`: begin, find, cancel; the worker's part
- `asked`: what was asked for and by whom, as it is kept
- `exporting`: lists the versions that an export is made of; `delivering`: gives a file out
- `orders`: from what a caller wants to a job
"""
