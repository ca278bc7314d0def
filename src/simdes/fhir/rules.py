"""Rules that the standard states in prose, and those of references and Bundles.

Each is named here once, with where it is written; the structure checks call them for the type or
element they belong to.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from simdes.fhir import codes
from simdes.fhir.definitions import Element
from simdes.fhir.primitives import is_absolute
from simdes.fhir.reference import BundleIndex, Literal, parse_reference
from simdes.fhir.run import Run

Rule = Callable[[dict[str, Any], Run], None]
Check = Callable[[Any, Run], None]


def element_rule(element: Element, owner: str) -> Check | None:
    """Return the rule for a value of ``element`` where it stands in the type ``owner``."""
    if element.types == ("Extension",):
        return _check_extension_url if owner != "Extension" else None
    return _reference_rule(element.targets) if "Reference" in element.types else None


def _check_extension_url(value: Any, run: Run) -> None:
    """https://hl7.org/fhir/R4/extensibility.html: relative only inside another extension."""
    url = value.get("url")
    if isinstance(url, str) and not is_absolute(url):
        run.add("value", "extension-url", "an extension's url must be absolute", step=".url")


def _reference_rule(targets: tuple[str, ...]) -> Check:
    """Return the check of a Reference that may lead to the types ``targets`` (() for any)."""

    def check(value: Any, run: Run) -> None:
        if type(value) is not dict or ("reference" not in value and "type" not in value):
            return
        text = value.get("reference")
        literal = parse_reference(text) if isinstance(text, str) else None
        actual = _type_behind(literal, run) if literal is not None else ""
        named = value.get("type")
        if actual and isinstance(named, str) and named != actual:
            run.add("invalid", "reference-type", "type differs from what reference names")
        actual = actual or (named if isinstance(named, str) else "")
        if targets and actual and actual not in targets:
            message = f"must refer to {' or '.join(targets)}"
            run.add("invalid", "reference-target", message, step=".reference")

    return check


def _type_behind(literal: Literal, run: Run) -> str:
    """Check ``literal``; return the type of what it leads to or names, "" if unknown."""
    if literal.kind == "unreadable":
        message = "neither Type/id nor an absolute URL, a URN or #id"
        run.add("value", "reference-form", message, step=".reference")
    if literal.kind not in ("fragment", "urn"):
        return literal.type
    found = run.follow(literal)
    if found is None and literal.kind == "urn" and run.bundle is not None:
        message = "no entry of this Bundle has this fullUrl"
        severity = "error" if run.bundle.is_closed else "warning"
        run.add("not-found", "bundle-reference", message, step=".reference", severity=severity)
    name = found.get("resourceType") if found else None
    return name if isinstance(name, str) else ""


# --- types -----------------------------------------------------------------------------------


def _absolute_system(value: dict[str, Any], run: Run) -> None:
    """https://hl7.org/fhir/R4/datatypes.html: the system of codes and ids is an absolute URI."""
    system = value.get("system")
    if isinstance(system, str) and not is_absolute(system):
        run.add("value", "system", "system must be an absolute URI", step=".system")


def _known_code(value: dict[str, Any], run: Run) -> None:
    """https://hl7.org/fhir/R4/datatypes.html#Coding: code is one that the system defines."""
    system, code = value.get("system"), value.get("code")
    if isinstance(system, str) and isinstance(code, str) and codes.exists(system, code) is False:
        message = "the code system has no such code"
        run.add("code-invalid", "unknown-code", message, step=".code")


def _uri_as_value(value: dict[str, Any], run: Run) -> None:
    """https://hl7.org/fhir/R4/datatypes.html#Identifier: under RFC 3986 the value is a full URI."""
    text = value.get("value")
    is_uri = value.get("system") == "urn:ietf:rfc:3986"
    if is_uri and isinstance(text, str) and not is_absolute(text):
        message = "under urn:ietf:rfc:3986 the value must be a full URI"
        run.add("value", "identifier-uri", message, step=".value")


def _attachment_content(value: dict[str, Any], run: Run) -> None:
    """https://hl7.org/fhir/R4/datatypes.html#Attachment: size and SHA-1 are those of the data."""
    data = value.get("data")
    if not isinstance(data, str) or ("size" not in value and "hash" not in value):
        return
    try:
        content = base64.b64decode("".join(data.split()), validate=True)
    except ValueError:
        return
    if value.get("size", len(content)) != len(content):
        run.add("invalid", "attachment-size", "size is not that of data", step=".size")
    digest = base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()
    if value.get("hash", digest) != digest:
        run.add("invalid", "attachment-hash", "hash is not the SHA-1 of data", step=".hash")


# --- Bundle ----------------------------------------------------------------------------------

_MAY_LACK_FULL_URL = ("transaction", "transaction-response", "batch", "batch-response")


def _entries(bundle: dict[str, Any]) -> list[Any]:
    entries = bundle.get("entry")
    return entries if isinstance(entries, list) else []


def _full_urls(bundle: dict[str, Any], run: Run) -> None:
    """https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.fullUrl."""
    is_needed = bundle.get("type") not in _MAY_LACK_FULL_URL
    for index, entry in enumerate(_entries(bundle)):
        if isinstance(entry, dict):
            before = len(run.findings)
            _full_url(entry, run, is_needed=is_needed)
            if len(run.findings) != before:
                run.place(before, f".entry[{index}]")


def _full_url(entry: dict[str, Any], run: Run, *, is_needed: bool) -> None:
    full_url, resource = entry.get("fullUrl"), entry.get("resource")
    if not isinstance(full_url, str):
        if is_needed and full_url is None:
            message = "fullUrl is required except in transactions and batches"
            run.add("required", "full-url", message, step=".fullUrl")
        return
    if not is_absolute(full_url):
        run.add("value", "full-url", "fullUrl must be an absolute URI", step=".fullUrl")
        return
    own = parse_reference(full_url)
    if own.kind == "absolute" and isinstance(resource, dict):
        named = (resource.get("resourceType"), resource.get("id"))
        if own.version or named != (own.type, own.id):
            message = "fullUrl must end in the resource's type and id, without a version"
            run.add("invalid", "full-url-id", message, step=".fullUrl")


def _first_entry(bundle: dict[str, Any], run: Run) -> None:
    """https://hl7.org/fhir/R4/bundle.html#document and #message: neither can be empty."""
    if bundle.get("type") in ("document", "message") and not _entries(bundle):
        run.add("required", "first-entry", "a document or message needs a first entry")


def _document_references(bundle: dict[str, Any], run: Run) -> None:
    """https://hl7.org/fhir/R4/documents.html#content: what a Composition refers to is included."""
    entries = _entries(bundle)
    if bundle.get("type") != "document" or not entries:
        return
    first = entries[0] if isinstance(entries[0], dict) else {}
    composition = first.get("resource")
    if not isinstance(composition, dict) or composition.get("resourceType") != "Composition":
        return
    index, full_url = BundleIndex(bundle), first.get("fullUrl")
    for text in _direct_references(composition):
        literal = parse_reference(text)
        base = full_url if isinstance(full_url, str) else ""
        if literal.kind in ("relative", "absolute") and index.find(literal, full_url=base) is None:
            message = "what the Composition refers to must be in the document"
            run.add("not-found", "document-reference", message, step=".entry[0].resource")


def _direct_references(node: Any) -> list[str]:
    found: list[str] = []
    waiting = [node]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            text = value.get("reference")
            found += [text] if isinstance(text, str) else []
            waiting += [v for k, v in value.items() if k not in ("contained", "extension")]
        elif isinstance(value, list):
            waiting += value
    return found


RULES: Mapping[str, tuple[Rule, ...]] = {
    "Attachment": (_attachment_content,),
    "Bundle": (_first_entry, _full_urls, _document_references),
    "Coding": (_absolute_system, _known_code),
    "Identifier": (_absolute_system, _uri_as_value),
    **dict.fromkeys(
        ("Age", "Count", "Distance", "Duration", "Quantity"), (_absolute_system, _known_code)
    ),
}
"""Rules for every value of a type."""
