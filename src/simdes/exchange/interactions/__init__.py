"""FHIR's interactions as verbs, one file each (https://hl7.org/fhir/R4/http.html).

Every verb takes the `exchange.rights.Asking` of its caller and passes its decision to every
statement; a face adds HTTP and nothing else. An answer goes out after its audit entry is durable.

- `found`: a resource as it is served; `auditing`: the entry that every attempt leaves
- `read`, `history`, `search`, `everything`: reading
- `changes`, `placing`, `writing`: create, update, patch, delete and transactions, all in one way
- `batch`: Bundles of either kind
"""
