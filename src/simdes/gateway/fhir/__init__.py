"""FHIR over HTTP (https://hl7.org/fhir/R4/http.html): requests become verbs of `exchange`.

- `call`: a request and a reply, free of any web framework
- `reading`, `writing`, `bundles`, `operations`: the interactions, a function each
- `routes`: which address and method is which interaction; `server`: the ASGI side of it
- `content`: JSON and XML in and out, `_summary`, `_elements`, `_pretty`
- `capability`: the CapabilityStatement, made from the routes and definitions

Nothing here decides who may see what: every function passes on the `Asking` of its caller.
"""
