"""Map CDA documents (`reader`) to FHIR document Bundles by the sheets in this package.

The Composition is the document's header and narrative, its sections refer to the entries' resources
(https://hl7.org/fhir/R4/documents.html).
"""

from __future__ import annotations

import hashlib
from functools import partial

from simdes.errors import TooLarge
from simdes.mapper.cda.functions import FUNCTIONS, moment, urn
from simdes.mapper.cda.functions import uri as system_uri
from simdes.mapper.cda.reader import read
from simdes.mapper.documents import finished
from simdes.mapper.draft import Node, Scope
from simdes.mapper.model import Json, Limits, Mapped, Mapping, Site
from simdes.mapper.primitives import string
from simdes.mapper.refusal import Unreadable, attempt, gathered
from simdes.mapper.shipped import Shipped
from simdes.mapper.tree import Branch
from simdes.mapper.work import Work

_SAID = ("@codeSystem", "@codeSystemName", "@codeSystemVersion", "@displayName")


SHIPPED = Shipped("simdes.mapper.cda", "cda", FUNCTIONS)
maps_of = SHIPPED.maps_of


def map_input(
    name: str, data: bytes, *, site: Site, limits: Limits, explain: bool = False
) -> Mapping:
    """Map one document; quarantines it when it can't be read, and never raises on bad data."""
    mapping = partial(map_document, data, site=site, limits=limits, explain=explain)
    return gathered(name, "cda", [attempt(0, data, mapping, code="invalid-cda")])


def map_document(source: bytes, *, site: Site, limits: Limits, explain: bool = False) -> Mapped:
    """Map one document. Raises errors of `simdes.errors`."""
    document = read(source, limits=limits)
    root = document.root
    work = Work(site, explain=explain)
    work.source = document
    work.fragments = True
    home = maps_of(site).run("Document", work, root, Scope())
    if not isinstance(home, Node):
        raise Unreadable("not-cda", "the document holds nothing", "Check the sender's export.")
    if len(work.nodes) > limits.resources:
        raise TooLarge(f"more than {limits.resources} resources in one document")
    work.resolve()
    _reach_all(work, root, home)
    _settle_codes(work)
    for reference in document.references:
        if not reference.taken:
            work.drop(reference, "names a part of the narrative that is not there, or said already")
    bundle = _bundle(work, root, source)
    return finished(
        work,
        root,
        bundle=bundle,
        kind="cda",
        event=_event(root),
        source=source,
        control=_control(bundle),
        ignored=SHIPPED.ignored,
        home=home,
    )


def _first(root: Branch, *names: str) -> str:
    """Give the text at a path of first branches; empty where there is none."""
    branch = root
    for name in names:
        found = branch.inner.get(name)
        if not found:
            return ""
        branch = found[0]
    return branch.value or ""


def _event(root: Branch) -> str:
    """Name the kind of document by its code."""
    code = string(_first(root, "code", "@code"))
    return f"CDA {code}" if code and len(code) <= 20 and code.isprintable() else "CDA"


def _bundle(work: Work, root: Branch, source: bytes) -> Json:
    """Name and date the Bundle: a document needs both, else it is a collection."""
    identifier: Json = {"system": "urn:ietf:rfc:3986"}
    assigner, extension = _first(root, "id", "@root"), _first(root, "id", "@extension").strip()
    if extension and assigner.strip():
        identifier = {"system": system_uri(work, root, assigner), "value": extension}
    else:
        digest = hashlib.sha256(source).hexdigest()
        identifier["value"] = urn(work, root, assigner) or f"urn:sha256:{digest}"
    time = moment(work, root, _first(root, "effectiveTime", "@value"))
    kind: Json = {"type": "document", "timestamp": time} if time else {"type": "collection"}
    return {**kind, "identifier": identifier}


def _control(bundle: Json) -> str:
    identifier = bundle["identifier"]
    return f"{identifier['system']}|{identifier['value']}"


def _settle_codes(work: Work) -> None:
    """Count what only explains a code as said by the code that was taken."""
    for code in work.taken_since(0):
        if code.name == "@code" and code.taken and code.outer is not None:
            for name in _SAID:
                for one in code.outer.inner.get(name, ()):
                    one.taken = True


def _reach_all(work: Work, root: Branch, home: Node) -> None:
    """Let each section name the resources of its entries that nothing else refers to.

    So a document's resources hang together, as a document Bundle has to.
    """
    sections: dict[int, Json] = {}
    bodies = root.inner.get("component", [])
    for body in (one for outer in bodies for one in outer.inner.get("structuredBody", ())):
        _pair(body, home.body, sections)
    referred = {id(body["reference"]) for body in work.references if id(body) not in work.upward}
    for node in work.nodes:
        if id(node) in referred or node.type in ("Composition", "Provenance"):
            continue
        branch = node.origin if isinstance(node.origin, Branch) else None
        while branch is not None and id(branch) not in sections:
            branch = branch.outer
        if branch is not None:
            reference: Json = {}
            work.refer(reference, node)
            sections[id(branch)].setdefault("entry", []).append(reference)


def _pair(body: Branch, made: Json, sections: dict[int, Json]) -> None:
    """Find the section made of each section below ``body``."""
    found = [
        one for outer in body.inner.get("component", ()) for one in outer.inner.get("section", ())
    ]
    for branch, section in zip(found, made.get("section", ()), strict=False):
        sections[id(branch)] = section
        _pair(branch, section, sections)
