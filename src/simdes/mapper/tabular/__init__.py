"""Tables (CSV, TSV: RFC 4180) to FHIR R4 by declared maps.

`reader` takes a table apart into rows, `mapping` runs the map that is declared for the table on
each of them, `inferring` drafts such a map from a table's columns and values.
"""
