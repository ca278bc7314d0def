"""Run the DICOM sheets over the studies of an input: one ImagingStudy with its patient each."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from simdes.errors import SimdesError
from simdes.fhir.json import dumps
from simdes.mapper.dicom.functions import FUNCTIONS
from simdes.mapper.dicom.reader import Attribute, Found, read
from simdes.mapper.documents import finished
from simdes.mapper.draft import Scope
from simdes.mapper.identity import uuid
from simdes.mapper.model import Dropped, Limits, Mapped, Mapping, Site
from simdes.mapper.refusal import Unreadable, attempt, gathered, quarantine
from simdes.mapper.shipped import Shipped
from simdes.mapper.tree import Branch
from simdes.mapper.work import Work

_SERIES = frozenset(
    (
        "BodyPartExamined",
        "Laterality",
        "Modality",
        "NumberOfSeriesRelatedInstances",
        "OperatorsName",
        "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime",
        "PerformingPhysicianName",
        "ProtocolName",
        "SeriesDate",
        "SeriesDescription",
        "SeriesInstanceUID",
        "SeriesNumber",
        "SeriesTime",
        "AnatomicRegionSequence",
    )
)
_INSTANCE = frozenset(("ImageType", "InstanceNumber", "SOPClassUID", "SOPInstanceUID"))


SHIPPED = Shipped("simdes.mapper.dicom", "dicom", FUNCTIONS)
maps_of = SHIPPED.maps_of


def map_input(
    name: str, data: bytes, *, site: Site, limits: Limits, explain: bool = False
) -> Mapping:
    """Map every study of a QIDO-RS answer, or the study one Part 10 file is of."""
    try:
        studies = _studies(read(data, limits=limits))
    except SimdesError as error:
        return gathered(name, "dicom", [quarantine(0, data, error, "invalid-dicom")])
    # A study's document is what was said of it: the answer may speak of other patients, too.
    sources = [data if len(studies) == 1 else dumps(study.written) for study in studies]
    found = [
        attempt(index, source, partial(_mapped, study, source, index, site, explain=explain))
        for index, (study, source) in enumerate(zip(studies, sources, strict=True))
    ]
    return gathered(name, "dicom", found)


class _Study:
    """The tree of a study, what of it is no text, and its datasets as they were written."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.root = Branch("study")
        self.levels: dict[str, Branch] = {}
        self.dropped: dict[Dropped, None] = {}
        self.seen: set[tuple[int, str, object]] = set()
        self.written: list[Any] = []

    def add(self, dataset: Found) -> None:
        """Add a dataset: each attribute to the level it belongs to, once."""
        attributes = dataset.attributes
        self.written.append(dataset.written)
        by_name = {one.name: one for one in attributes}
        series = self._level("series", self.root, _first(by_name, "SeriesInstanceUID"))
        instance = self._level("instance", series, _first(by_name, "SOPInstanceUID"))
        for attribute in attributes:
            level = self.root
            if attribute.name in _SERIES:
                level = series
            elif attribute.name in _INSTANCE:
                level = instance
            self._put(level, attribute)

    def _level(self, name: str, outer: Branch, uid: str) -> Branch:
        if not uid:
            return outer
        found = self.levels.get(uid)
        if found is None:
            found = self.levels[uid] = outer.add(name)
        return found

    def _put(self, level: Branch, attribute: Attribute) -> None:
        """Add an attribute to a level; what another dataset said there already is said once."""
        fresh = [v for v in attribute.values if (id(level), attribute.name, v) not in self.seen]
        self.seen.update((id(level), attribute.name, value) for value in fresh)
        self._grow(level, Attribute(attribute.name, tuple(fresh), attribute.binary))

    def _grow(self, branch: Branch, attribute: Attribute) -> None:
        if attribute.binary:
            self.dropped[Dropped(attribute.name, "binary: it stays in the image")] = None
        for value in attribute.values:
            if isinstance(value, str):
                branch.add(attribute.name, value)
                continue
            item = branch.add(attribute.name)
            for one in value:
                self._grow(item, one)


def _first(attributes: dict[str, Attribute], name: str) -> str:
    found = attributes.get(name)
    value = found.values[0] if found is not None and found.values else ""
    return value if isinstance(value, str) else ""


def _studies(datasets: Iterable[Found]) -> list[_Study]:
    found: dict[str, _Study] = {}
    for dataset in datasets:
        uid = _first({one.name: one for one in dataset.attributes}, "StudyInstanceUID")
        found.setdefault(uid, _Study(uid)).add(dataset)
    return list(found.values())


def _mapped(study: _Study, source: bytes, index: int, site: Site, *, explain: bool) -> Mapped:
    if not study.uid:
        raise Unreadable(
            "no-study",
            "a dataset without Study Instance UID (0020,000D)",
            "Ask for it: a QIDO-RS answer about series or instances has to include it.",
        )
    if len(study.root.inner.get("PatientID", ())) > 1:
        raise Unreadable(
            "several-patients",
            "one study under several Patient IDs (0010,0020)",
            "A study is one patient's: find out whose it is, and ask for it again.",
        )
    work = Work(site, explain=explain)
    work.dropped += study.dropped
    maps_of(site).run("Study", work, study.root, Scope())
    home = next((node for node in work.nodes if node.type == "ImagingStudy"), None)
    return finished(
        work,
        study.root,
        bundle={"type": "collection"},
        kind="dicom",
        event="DICOM study",
        source=source,
        control=uuid("dicom", study.uid),
        ignored=SHIPPED.ignored,
        facility=f"urn:simdes:dicom:{site.name}",
        home=home,
        index=index,
    )
