"""Cut Kubernetes' JSON schemas down to the kinds that `simdes network besu` writes.

    python tools/kubernetes_schemas.py DEFINITIONS OUT.json.gz

DEFINITIONS is `_definitions.json` of the PyPI package kubernetes-validate (Apache-2.0), generated
from Kubernetes' OpenAPI document. Objects with named properties are closed here, so that a misspelt
field is an error, as it is for `kubectl --validate=strict`.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

KINDS = {
    "v1/Namespace": "io.k8s.api.core.v1.Namespace",
    "v1/ConfigMap": "io.k8s.api.core.v1.ConfigMap",
    "v1/Service": "io.k8s.api.core.v1.Service",
    "v1/PersistentVolumeClaim": "io.k8s.api.core.v1.PersistentVolumeClaim",
    "apps/v1/StatefulSet": "io.k8s.api.apps.v1.StatefulSet",
    "apps/v1/Deployment": "io.k8s.api.apps.v1.Deployment",
    "batch/v1/Job": "io.k8s.api.batch.v1.Job",
    "networking.k8s.io/v1/NetworkPolicy": "io.k8s.api.networking.v1.NetworkPolicy",
    "policy/v1/PodDisruptionBudget": "io.k8s.api.policy.v1.PodDisruptionBudget",
}


def main(source: Path, target: Path) -> None:
    """Write the reduced schemas."""
    definitions = json.loads(source.read_text(encoding="utf-8"))["$defs"]
    wanted: dict[str, Any] = {}
    waiting = list(KINDS.values())
    while waiting:
        name = waiting.pop()
        if name in wanted:
            continue
        wanted[name] = _closed(definitions[name])
        waiting += _referred(wanted[name])
    document = {"kinds": KINDS, "$defs": dict(sorted(wanted.items()))}
    raw = json.dumps(document, separators=(",", ":")).encode()
    target.write_bytes(gzip.compress(raw, 9, mtime=0))


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value) for key, value in schema.items() if key != "description"}
    if isinstance(schema.get("properties"), dict):
        # `description` is a property's name, too.
        made["properties"] = {key: _closed(one) for key, one in schema["properties"].items()}
        made.setdefault("additionalProperties", False)
    return made


def _referred(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for one in schema for name in _referred(one)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"].rsplit("/", 1)[1]] if isinstance(schema.get("$ref"), str) else []
    return own + [name for one in schema.values() for name in _referred(one)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
