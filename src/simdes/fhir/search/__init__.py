"""FHIR R4 search, pure (https://hl7.org/fhir/R4/search.html).

A request's parameters become a tree of `conditions`; a resource becomes `values`, each under a
slot; whoever holds the values (a database, or `match` over a single resource) evaluates the tree.
"""
