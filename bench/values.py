"""The leaf values of a source, by format: what a reader would miss if it were not in the output.

``values_of(kind, data)`` yields (path, value) pairs. Left out is what only holds the source
together: separators, set ids, segment and loop qualifiers, template ids, coding-system names that
become URIs are kept (they count as translated). To add a format, add a function to `FORMATS`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator

from lxml import etree

from simdes.mapper import LIMITS
from simdes.mapper.hl7v2 import er7

Values = Iterator[tuple[str, str]]


def values_of(kind: str, data: bytes) -> Values:
    """Yield the leaf values of one message or document of a kind in `FORMATS`."""
    for path, value in FORMATS[kind](data):
        text = " ".join(value.split())
        if text:
            yield path, text


_V2_STRUCTURE = {"MSH-1", "MSH-2", "MSH-9.3", "OBX-2"}
_ID_KINDS = {"ISO", "UUID", "GUID", "URI", "DNS"}  # how to read the id before it
_NUMBERED = """
    AIG AIL AIP AIS AL1 ARV DB1 DG1 FT1 GT1 IAM IN1 NK1 NTE OBR OBX PID PR1 PV1 RGS SPM TQ1 TXA UB1
"""
_SET_IDS = {f"{segment}-1" for segment in _NUMBERED.split()}


def hl7v2(data: bytes) -> Values:
    """Fields, components and subcomponents after unescaping; no separators and set ids."""
    message = er7.read(data, default_encoding="utf-8", limits=LIMITS)
    signs = message.separators
    for segment in message.segments:
        for number, field in enumerate(segment.fields):
            name = f"{segment.name}-{number}"
            if number == 0 or name in _V2_STRUCTURE or name in _SET_IDS:
                continue
            for repetition in field.split(signs.repetition):
                components = repetition.split(signs.component)
                for at, component in enumerate(components, 1):
                    path = f"{name}.{at}" if len(components) > 1 else name
                    if path in _V2_STRUCTURE:
                        continue
                    for leaf in component.split(signs.subcomponent):
                        text = er7.unescape(leaf, signs, message.encoding)
                        if text.strip() != '""' and text not in _ID_KINDS:
                            yield path, text


_CDA = "{urn:hl7-org:v3}"
_CDA_STRUCTURE = {
    "templateId",
    "typeId",
    "realmCode",
    "styleCode",
    "sequenceNumber",
    "priorityNumber",
}
_CDA_ATTRIBUTES = ("code", "extension", "value", "unit")
_SCHEME = re.compile(r"(?:tel|mailto|fax):", re.IGNORECASE)
_CDA_TEXT_ELEMENTS = """
    prefix given family suffix delimiter name streetAddressLine city state postalCode county country
    houseNumber streetName additionalLocator censusTract precinct unitID title value
"""
_CDA_TEXTS = set(_CDA_TEXT_ELEMENTS.split())


def cda(data: bytes) -> Values:
    """Codes, ids, values, times, texts of names and addresses; no narrative, no template ids."""
    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, recover=True))
    waiting = [(root, etree.QName(root).localname)]
    while waiting:
        node, path = waiting.pop()
        name = etree.QName(node).localname
        for attribute in _CDA_ATTRIBUTES:
            if attribute in node.attrib and name != "reference":  # which leads into narrative
                value = node.get(attribute)
                scheme = _SCHEME.match(value) if name == "telecom" else None
                yield f"{path}@{attribute}", value[scheme.end() :] if scheme else value
        if name == "id" and "root" in node.attrib and "extension" not in node.attrib:
            yield f"{path}@root", node.get("root")
        if name in _CDA_TEXTS or name == "addr":
            yield path, node.text or ""
        for child in node:
            if not isinstance(child.tag, str):
                continue
            inner = etree.QName(child).localname
            is_narrative = inner == "text" and name == "section"
            if child.tag.startswith(_CDA) and inner not in _CDA_STRUCTURE and not is_narrative:
                waiting.append((child, f"{path}/{inner}"))


_X12_ENVELOPE = {"ISA", "GS", "ST", "SE", "GE", "IEA", "HL", "LX", "LS", "LE"}
_X12_QUALIFYING = """
    NM101 NM102 NM108 N101 N103 REF01 DTP01 DTP02 DTM01 PER01 PER03 PER05 PER07 AMT01 QTY01 DMG01
    BHT01 BHT02 PRV01 PRV02 SV101-1 SV201 SVC01-1 TRN01 CAS01 HI01-1 NTE01 K301 CLP06 BPR01 RDM01
    LQ01 MEA01 MEA02 CUR01 STC01-3 SV202-1 SV301-1 SVD03-1 CLM05-2 LIN02 N405 PER09
"""
_X12_QUALIFIERS = set(_X12_QUALIFYING.split())


def x12(data: bytes) -> Values:
    """Elements and components; no envelope, loop numbers and qualifiers.

    A range of days counts as its two days, the time of a header (BHT05) together with its day.
    """
    text = data.decode("utf-8", "replace").lstrip()
    element, component, end = text[3], text[104], text[105]
    for segment in text.split(end):
        name, *elements = segment.strip().split(element)
        if name in _X12_ENVELOPE:
            continue
        for at, whole in enumerate(elements, 1):
            parts = whole.split(component)
            for number, part in enumerate(parts, 1):
                path = f"{name}{at:02}" + (f"-{number}" if len(parts) > 1 else "")
                if path in _X12_QUALIFIERS:
                    continue
                if path == "BHT05":
                    yield path, elements[at - 2] + part
                elif re.fullmatch(r"\d{8}-\d{8}", part):
                    yield from ((path, day) for day in part.split("-"))
                else:
                    yield path, part


def table(data: bytes) -> Values:
    """Cells, by column."""
    text = data.decode("utf-8-sig", "replace")
    separator = "\t" if "\t" in text.partition("\n")[0] else ","
    rows = csv.DictReader(io.StringIO(text), delimiter=separator)
    for row in rows:
        for name, cell in row.items():
            if isinstance(cell, str):
                yield name, cell


FORMATS: dict[str, Callable[[bytes], Values]] = {
    "hl7v2": hl7v2,
    "cda": cda,
    "x12": x12,
    "csv": table,
}

TIME = re.compile(r"\d{4}(?:\d\d){0,5}(?:\.\d+)?(?:[+-]\d{4})?")
"""How HL7 v2, CDA and X12 write dates and times."""
