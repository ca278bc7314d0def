"""Bulk Data Access over HTTP: kick-off, status, files (https://hl7.org/fhir/uv/bulkdata/).

Jobs of imports are begun by `bulk_import`; what became of them is asked here, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from simdes.errors import Invalid
from simdes.exchange.bulk import delivering, jobs, orders
from simdes.exchange.bulk.orders import Wish
from simdes.exchange.provenance import instant
from simdes.fhir.negotiation import http_date, media_type, preferences
from simdes.fhir.outcome import Issue, outcome_resource
from simdes.fhir.reference import parse_reference
from simdes.fhir.search.spans import span_ms
from simdes.gateway.fhir.call import Call, Pairs, Reply

NDJSON: Final = "application/fhir+ndjson"
NDJSON_NAMES: Final = frozenset((NDJSON, "application/ndjson", "ndjson"))
RETRY_SECONDS: Final = 2
_KNOWN: Final = frozenset(
    (
        "_outputFormat",
        "_since",
        "_type",
        "_typeFilter",
        "_elements",
        "patient",
        "_format",
        "_pretty",
    )
)


def export_system(call: Call) -> Reply:
    """``GET|POST [base]/$export``."""
    return _export(call, "system")


def export_patients(call: Call) -> Reply:
    """``GET|POST [base]/Patient/$export``."""
    return _export(call, "patient")


def export_group(call: Call) -> Reply:
    """``GET|POST [base]/Group/[id]/$export``."""
    return _export(call, "group")


def _export(call: Call, level: str) -> Reply:
    require_async(call)
    pairs = _given(call)
    lenient = call.is_lenient
    if (unknown := {name for name, _ in pairs} - _KNOWN) and not lenient:
        raise Invalid(f"Unknown or unsupported parameters: {len(unknown)}; see [base]/metadata.")
    form = _one(pairs, "_outputFormat").replace("fhir ndjson", "fhir+ndjson")
    if form and form not in NDJSON_NAMES:
        raise Invalid("Exports are NDJSON.", advice=f"Ask for _outputFormat={NDJSON}.")
    patients = tuple(value for name, value in pairs if name == "patient") or None
    if patients is not None and (level == "system" or call.method != "POST") and not lenient:
        raise Invalid("The parameter patient is for a POST to Patient/$export or Group/…/$export.")
    wish = Wish(
        request=request_url(call),
        level=level,
        group=call.id,
        types=_listed(pairs, "_type"),
        filters=tuple(value for name, value in pairs if name == "_typeFilter" and value),
        since_ms=_since(_one(pairs, "_since")),
        elements=",".join(_listed(pairs, "_elements")),
        patients=None if patients is None or level == "system" else _ids(patients),
        lenient=lenient,
    )
    return accepted(call, orders.export(call.node, call.asking, wish))


def require_async(call: Call) -> None:
    """Raise Invalid unless the caller knows that the answer comes later."""
    if not preferences(call.headers.get("prefer")).is_async:
        raise Invalid(
            "This is answered later, by a job.", advice="Send the header Prefer: respond-async."
        )


def request_url(call: Call) -> str:
    """The URL that was asked for, as the manifest repeats it."""
    query = urlencode(call.pairs, quote_via=quote) if call.method == "GET" else ""
    return call.base + call.path.get("address", "") + (f"?{query}" if query else "")


def accepted(call: Call, job: str) -> Reply:
    """The answer to a kick-off."""
    told = Issue(severity="information", code="informational", text="The job was accepted.")
    headers = {"Content-Location": f"{call.base}/jobs/{job}"}
    return Reply(status=202, resource=outcome_resource([told]), headers=headers)


def _given(call: Call) -> Pairs:
    """The parameters of the address or form, and those of a Parameters resource."""
    if call.resource is None:
        return call.pairs
    given = call.resource
    listed = given.get("parameter", []) if isinstance(given, Mapping) else None
    if not isinstance(listed, list) or given.get("resourceType") != "Parameters":
        raise Invalid("The body is not a Parameters resource.")
    found = []
    for one in listed:
        named = one if isinstance(one, Mapping) else {}
        values = [value for key, value in named.items() if key.startswith("value")]
        if len(values) != 1:
            raise Invalid("A parameter has one value.")
        value = values[0]
        text = value.get("reference", "") if isinstance(value, Mapping) else value
        found.append((str(named.get("name", "")), str(text)))
    return (*call.pairs, *found)


def _one(pairs: Pairs, name: str) -> str:
    found = [value for key, value in pairs if key == name]
    if len(found) > 1:
        raise Invalid(f"The parameter {name} stands more than once.")
    return found[0].strip() if found else ""


def _listed(pairs: Pairs, name: str) -> tuple[str, ...]:
    listed = [one.strip() for key, value in pairs if key == name for one in value.split(",")]
    return tuple(one for one in listed if one)


def _since(text: str) -> int | None:
    try:
        return span_ms(text.replace(" ", "+"))[0] if text else None
    except ValueError:
        raise Invalid("The parameter _since is an instant.") from None


def _ids(references: tuple[str, ...]) -> tuple[str, ...]:
    parsed = [parse_reference(one) for text in references for one in text.split(",")]
    if any(one.type != "Patient" or not one.id for one in parsed):
        raise Invalid("The parameter patient is a reference to a Patient.")
    return tuple(one.id for one in parsed)


# What became of it ----------------------------------------------------------------------------


def status(call: Call) -> Reply:
    """``GET [base]/jobs/[job]``: still running, or the manifest."""
    job = call.path["job"]
    found = jobs.state(call.node, call.asking, job)
    retry = {"Retry-After": str(RETRY_SECONDS)}
    if found.too_often:
        told = Issue(code="throttled", text="Ask less often.", diagnostics="See Retry-After.")
        return Reply(status=429, resource=outcome_resource([told]), headers=retry)
    if found.running:
        return Reply(status=202, headers={"X-Progress": found.progress[:100], **retry})
    if found.failure:
        told = Issue(code=found.failure, text="The job ended without a result.")
        code = 403 if found.failure == "forbidden" else 500
        return Reply(status=code, resource=outcome_resource([told]))
    manifest = _MANIFESTS[found.kind](call, job, found)
    headers = {"Expires": http_date(found.expires_ms), "Cache-Control": "no-store"}
    content = json.dumps(manifest).encode()
    return Reply(content=content, media_type="application/json", headers=headers)


def _exported(call: Call, job: str, found: jobs.State) -> dict[str, Any]:
    """https://hl7.org/fhir/uv/bulkdata/export.html#response---complete-status."""
    made: dict[str, Any] = {
        "transactionTime": instant(found.begun_ms),
        "request": found.request,
        "requiresAccessToken": True,
        "output": [],
        "deleted": [],
        "error": [],
    }
    for one in found.files:
        if one.kind in made:
            url = f"{call.base}/jobs/{job}/{one.number}"
            made[one.kind].append({"type": one.type, "url": url, "count": one.count})
    return made


def _imported(call: Call, job: str, found: jobs.State) -> dict[str, Any]:
    """https://github.com/smart-on-fhir/bulk-import/blob/master/import-manifest.md: for each input
    how many resources were written, and where its refusals are told.

    ``outcome`` says the same as import-pnp.md there does.
    """
    errors = [
        {
            "type": "OperationOutcome",
            "inputUrl": one.url,
            "count": one.bad,
            "url": f"{call.base}/jobs/{job}/{one.errors}",
        }
        for one in found.taken
        if one.errors is not None
    ]
    return {
        "transactionTime": instant(found.begun_ms),
        "request": found.request,
        "requiresAccessToken": True,
        "output": [
            {"inputUrl": one.url, "count": one.good} | ({"type": one.type} if one.type else {})
            for one in found.taken
        ],
        "error": errors,
        "outcome": [{"type": one["type"], "url": one["url"]} for one in errors],
    }


_MANIFESTS: Final = {jobs.EXPORT: _exported, jobs.IMPORT: _imported}


def cancel(call: Call) -> Reply:
    """``DELETE [base]/jobs/[job]``: stop it and remove its files."""
    jobs.cancel(call.node, call.asking, call.path["job"])
    told = Issue(severity="information", code="informational", text="The job was removed.")
    return Reply(status=202, resource=outcome_resource([told]))


def file(call: Call) -> Reply:
    """``GET [base]/jobs/[job]/[file]``: NDJSON, as far as the caller may see it now."""
    job, asked = jobs.found(call.node, call.asking, call.path["job"])
    lines = delivering.lines_of(call.node, call.asking, job, asked, int(call.path["file"]))
    return Reply(stream=lines, media_type=NDJSON, headers={"Cache-Control": "no-store"})


def is_ndjson(header: str | None) -> bool:
    """Whether a Content-Type or an element of Accept is NDJSON."""
    media = media_type(header or "")
    return media is not None and media.name in NDJSON_NAMES
