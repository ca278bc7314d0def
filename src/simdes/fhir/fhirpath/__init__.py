"""FHIRPath (http://hl7.org/fhirpath/N1/, https://hl7.org/fhir/R4/fhirpath.html), compiled.

The whole language, R4's additions, and what its published tests ask of later ones. A validator
evaluates invariants for every element of every resource and a server search parameters for every
resource it stores, so expressions are compiled into plain closures, once.

- :func:`compile_path` for the expressions of the standard, of profiles and of search parameters;
- :func:`evaluate` for expressions from outside: exact types, limits on everything
  (:func:`evaluate_nodes`: with the types and places of what it selects);
- :func:`check` for mistakes that show without a resource;
- :func:`locate` for the nodes an expression selects, each with its place: what a patch changes.

An expression that can't be read or asks for what doesn't exist is ``Invalid``.
"""

from simdes.fhir.fhirpath.check import check
from simdes.fhir.fhirpath.compile import compile_path
from simdes.fhir.fhirpath.errors import PathError
from simdes.fhir.fhirpath.evaluate import evaluate, evaluate_nodes, locate
from simdes.fhir.fhirpath.nodes import Node
from simdes.fhir.fhirpath.quantity import Quantity
from simdes.fhir.fhirpath.scope import Scope, Surroundings
from simdes.fhir.fhirpath.temporal import Temporal

__all__ = [
    "Node",
    "PathError",
    "Quantity",
    "Scope",
    "Surroundings",
    "Temporal",
    "check",
    "compile_path",
    "evaluate",
    "evaluate_nodes",
    "locate",
]
