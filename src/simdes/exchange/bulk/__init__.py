"""Bulk data: exports and imports that run on after their request (docs/decisions, "Bulk data").

https://hl7.org/fhir/uv/bulkdata/. A job is durable and is worked on in slices by whichever worker
has its lease, with the rights of its asker decided anew for each.

- `jobs`: begin, find, cancel; the worker's part; `slices`: the commit that ends one
- `asked`: what was asked for and by whom, as it is kept
- `orders`, `import_orders`: from what a caller wants to a job
- `exporting`: lists the versions that an export is made of; `delivering`: gives a file out
- `importing`: an import's stages (`stages`); `staging` takes files in (`files`, `lines`),
  `ordering` puts lines in order, `loading` writes them, `refusals` tells of those it can't
"""
