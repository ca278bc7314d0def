"""``POST [base]/$import`` over HTTP: what to import, in the forms in which clients say it.

https://github.com/smart-on-fhir/bulk-import: the manifest of inputs as JSON
(https://github.com/smart-on-fhir/bulk-import/blob/master/import-manifest.md), the same as a
Parameters resource, which HAPI and IBM take; a finished export to pull
(https://github.com/smart-on-fhir/bulk-import/blob/master/import-pnp.md); or the lines themselves.
What became of it is asked as of an export (`bulk`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from simdes.errors import Invalid, Unsupported
from simdes.exchange.bulk import import_orders
from simdes.exchange.bulk.asked import Input
from simdes.exchange.bulk.import_orders import Load
from simdes.fhir.negotiation import body_of
from simdes.gateway.fhir.bulk import (
    NDJSON,
    NDJSON_NAMES,
    accepted,
    is_ndjson,
    request_url,
    require_async,
)
from simdes.gateway.fhir.call import Call, Reply, WrongBody

Given = Mapping[str, Any]
"""A manifest: values by name; ``input`` is a list of the like, ``storageDetail`` one."""

_KNOWN: Final = frozenset(
    ("inputFormat", "inputSource", "storageDetail", "input", "exportUrl", "exportType")
)
_EXPORTS: Final = frozenset(("static", "dynamic"))
_STORAGE: Final = frozenset(("https", "http"))


def import_system(call: Call) -> Reply:
    """``POST [base]/$import``."""
    require_async(call)
    encoding = call.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise WrongBody("The body is sent as it is.", advice="Send it without Content-Encoding.")
    content_type = call.headers.get("content-type")
    if is_ndjson(content_type):
        wish = Load(request=request_url(call), body=call.body)
    else:
        wish = _wish(call, _manifest(content_type, call.body))
    return accepted(call, import_orders.load(call.node, call.asking, wish))


def _manifest(content_type: str | None, body: bytes) -> Given:
    kind = body_of(content_type)
    if kind is None or kind.form is None:
        raise WrongBody(
            "This type of body is not taken here.",
            advice=f"Send a manifest as JSON, a Parameters resource, or {NDJSON}.",
        )
    sent: Given = kind.form.read(body)
    if "resourceType" not in sent:
        return sent
    if sent["resourceType"] != "Parameters":
        raise Invalid(
            "The body is not a Parameters resource.",
            advice=f"Send resources as {NDJSON}, one to a line.",
        )
    return _named(sent.get("parameter", []))


def _named(listed: Any) -> Given:
    """The values of parameters, or of the parts of one, by name."""
    found: dict[str, Any] = {}
    for name, value in _pairs(listed):
        if name == "input":
            found.setdefault(name, []).append(value)
        elif name in found:
            raise Invalid("A parameter stands more than once that may stand once.")
        else:
            found[name] = value
    return found


def _pairs(listed: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise Invalid("The parameters can't be read.")
    for one in listed:
        values = [value for key, value in one.items() if key.startswith("value")]
        if "part" in one and not values:
            values = [_named(one["part"])]
        if len(values) != 1 or not isinstance(one.get("name"), str):
            raise Invalid("A parameter has a name and one value.")
        yield one["name"], values[0]


def _wish(call: Call, given: Given) -> Load:
    if (unknown := given.keys() - _KNOWN) and not call.is_lenient:
        raise Invalid(f"Unknown or unsupported parameters: {len(unknown)}.", advice=_ADVICE)
    detail = given.get("storageDetail", {})
    if not isinstance(detail, Mapping):
        detail = {"type": detail}
    if _text(detail, "type", "https") not in _STORAGE:
        raise Unsupported("Files are fetched by https alone.", advice=_ADVICE)
    inputs, manifest = given.get("input", []), _text(given, "exportUrl")
    kind = _text(given, "exportType", "dynamic")
    if kind not in _EXPORTS:
        raise Invalid("The exportType is static or dynamic.", advice=_ADVICE)
    if bool(inputs) == bool(manifest) or not isinstance(inputs, list):
        raise Invalid("Say what to import: input, or exportUrl.", advice=_ADVICE)
    if inputs and _text(given, "inputFormat") not in NDJSON_NAMES:
        raise Invalid("Imports are NDJSON.", advice=f"Say inputFormat {NDJSON}.")
    return Load(
        request=request_url(call),
        inputs=tuple(_input(one) for one in inputs),
        manifest=manifest,
        begins=kind == "dynamic",
        source=_text(given, "inputSource"),
        credential=_text(detail, "credentialHttpBasic"),
    )


_ADVICE: Final = (
    "Send inputFormat application/fhir+ndjson and for each file an input with type and url; or "
    "exportUrl with exportType static (a finished export's manifest) or dynamic (where one begins)."
)


def _input(one: Any) -> Input:
    if not isinstance(one, Mapping):
        raise Invalid("An input has a type and a url.", advice=_ADVICE)
    type_, url = _text(one, "type"), _text(one, "url")
    if not type_ or not url:
        raise Invalid("An input has a type and a url.", advice=_ADVICE)
    return Input(type=type_, url=url)


def _text(given: Given, name: str, default: str = "") -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise Invalid(f"The parameter {name} is a text.", advice=_ADVICE)
    return value
