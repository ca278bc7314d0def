"""Read DICOM datasets: the DICOM JSON model (PS3.18 annex F) and Part 10 files without pixels.

https://dicom.nema.org/medical/dicom/current/output/chtml/part18/chapter_F.html. A dataset becomes
`Attribute`s by keyword; private and unknown tags keep theirs as ``Tag_00091001``.
"""

from __future__ import annotations

import logging
import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NamedTuple

from pydicom import config, datadict, dcmread
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from simdes.errors import SimdesError, TooLarge
from simdes.fhir.json import loads
from simdes.mapper.model import Limits
from simdes.mapper.refusal import Unreadable

config.settings.reading_validation_mode = config.IGNORE  # what is odd is kept, not refused
warnings.filterwarnings("ignore", module=r"pydicom\.")  # they quote values, patients' too
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

_TELLING = ("SOPClassUID", "StudyInstanceUID", "PatientID")
_BINARY = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
_PIXELS = 0x7FE00000
_AFTER_META = 0x00030000
_DEPTH = 16
_VALUES_EACH = 5
"""How many values attributes may have on average."""
_FAULTS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    InvalidDicomError,
    BytesLengthException,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
_ADVICE = "Send a DICOM Part 10 file, or the JSON of a QIDO-RS answer."


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute: its keyword, its values (texts, or attributes of items), or why it has none."""

    name: str
    values: tuple[str | tuple[Attribute, ...], ...] = ()
    binary: bool = False


Attributes = tuple[Attribute, ...]


class Found(NamedTuple):
    """A dataset read: its attributes, and what it was in the JSON (None for a file)."""

    attributes: Attributes
    written: Any = None


def read(data: bytes, *, limits: Limits) -> list[Found]:
    """Read the datasets of an input. Raises `Unreadable` or TooLarge."""
    start = data.lstrip()[:1]
    try:
        if start in (b"[", b"{") and data[128:132] != b"DICM":
            return _of_json(data, limits)
        return [Found(_of_file(data, limits))]
    except SimdesError:
        raise
    except _FAULTS as fault:
        kind = type(fault).__name__
        raise Unreadable("invalid-dicom", f"this is no readable DICOM ({kind})", _ADVICE) from None


def _of_json(data: bytes, limits: Limits) -> list[Found]:
    value = loads(data, max_bytes=limits.file_bytes)
    datasets = value if isinstance(value, list) else [value]
    count = _Count(limits)
    return [Found(tuple(_json_attributes(one, count, 0)), one) for one in datasets]


class _Count:
    """Counts attributes, and the values of each, against the limits."""

    def __init__(self, limits: Limits) -> None:
        self._left = limits.segments
        self._values = limits.segments * _VALUES_EACH
        self._repetitions = limits.repetitions

    def one(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise TooLarge("more attributes than one input may hold")

    def several(self, values: Sequence[Any]) -> Sequence[Any]:
        self._values -= len(values)
        if self._values < 0 or len(values) > self._repetitions:
            raise TooLarge("more values than an attribute, or one input, may hold")
        return values


def _json_attributes(dataset: Any, count: _Count, depth: int) -> Iterator[Attribute]:
    if not isinstance(dataset, dict) or depth > _DEPTH:
        raise Unreadable("invalid-dicom", "a dataset is no JSON object, or too deep", _ADVICE)
    for tag, element in dataset.items():
        count.one()
        if not isinstance(element, dict) or not isinstance(element.get("vr"), str):
            raise Unreadable("invalid-dicom", "an attribute has no value representation", _ADVICE)
        name = _keyword(int(tag, 16))
        if "InlineBinary" in element:
            yield Attribute(name, binary=True)
        elif "BulkDataURI" in element:
            yield Attribute(name, (str(element["BulkDataURI"]),))
        else:
            found = element.get("Value", [])
            values = [
                tuple(_json_attributes(one, count, depth + 1)) if element["vr"] == "SQ" else one
                for one in count.several(found if isinstance(found, list) else [found])
            ]
            yield Attribute(name, tuple(_texts(values)))


def _texts(values: Iterable[Any]) -> Iterator[str | Attributes]:
    for value in values:
        if isinstance(value, tuple):
            yield value
        elif isinstance(value, dict):  # a name in up to three writings
            parts = [str(value.get(one) or "") for one in ("Alphabetic", "Ideographic", "Phonetic")]
            text = "=".join(parts).rstrip("=")
            if text:
                yield text
        elif value is not None and str(value).strip("\0 "):
            yield str(value).strip("\0 ")


def _of_file(data: bytes, limits: Limits) -> Attributes:
    dataset = _dataset(data, limits)
    found = tuple(_file_attributes(dataset, _Count(limits), 0))
    if not any(one.name in _TELLING for one in found):
        raise Unreadable("invalid-dicom", "no study, no patient and no object in it", _ADVICE)
    return found


def _dataset(data: bytes, limits: Limits) -> Dataset:
    file = BytesIO(data)
    if data[128:132] == b"DICM":
        file.seek(132)
        meta = read_dataset(
            file,
            is_implicit_VR=False,
            is_little_endian=True,
            stop_when=lambda tag, _vr, _length: tag >= _AFTER_META,
        )
        if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            inflated = inflater.decompress(data[file.tell() :], limits.file_bytes)
            if inflater.unconsumed_tail:
                raise TooLarge(f"it unpacks to more than {limits.file_bytes} bytes")
            return read_dataset(
                BytesIO(inflated),
                is_implicit_VR=False,
                is_little_endian=True,
                stop_when=lambda tag, _vr, _length: tag >= _PIXELS,
            )
    file.seek(0)
    return dcmread(file, stop_before_pixels=True, force=True, defer_size=1024 * 1024)


def _file_attributes(dataset: Dataset, count: _Count, depth: int) -> Iterator[Attribute]:
    if depth > _DEPTH:
        raise Unreadable("invalid-dicom", "sequences nested too deep", _ADVICE)
    for element in dataset:
        count.one()
        name = _keyword(int(element.tag))
        if element.VR == "SQ":
            items = count.several(element.value or ())
            yield Attribute(
                name, tuple(tuple(_file_attributes(one, count, depth + 1)) for one in items)
            )
        elif element.VR in _BINARY or isinstance(element.value, (bytes, bytearray)):
            yield Attribute(name, binary=bool(element.value))
        else:
            value = element.value
            several = value if isinstance(value, (list, tuple)) or element.VM > 1 else [value]
            yield Attribute(name, tuple(_texts(_plain(one) for one in count.several(several))))


def _plain(value: Any) -> Any:
    original = getattr(value, "original_string", None)  # 4.00 stays 4.00
    return original if isinstance(original, str) else value if value is None else str(value)


def _keyword(tag: int) -> str:
    known = "" if (tag >> 16) % 2 else datadict.keyword_for_tag(tag)
    return known or f"Tag_{tag:08X}"
