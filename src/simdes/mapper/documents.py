"""Finish what sheets mapped: leftovers, names, what R4 requires, the Bundle."""

from __future__ import annotations

from simdes.mapper import finaliser
from simdes.mapper.closing import shared
from simdes.mapper.draft import Node
from simdes.mapper.explaining import explanation
from simdes.mapper.identity import Namer, patient_identifiers, uuid
from simdes.mapper.model import Json, Mapped
from simdes.mapper.tree import Branch, select
from simdes.mapper.work import Leftovers, Work


class SourceParts:
    """Identity by what a resource was made of: ``source(path)`` gives the texts at that path."""

    parents: tuple[str, ...] = ("Encounter", "Patient")

    def __init__(self, *, control: str, facility: str) -> None:
        self.control = control
        self.facility = facility

    def part(self, node: Node, name: str) -> str | None:
        """Give the texts of ``source(path)`` joined; None when there are none."""
        if not name.startswith("source(") or not isinstance(node.origin, Branch):
            return None
        texts = [one.value or "" for one in select(name[7:-1])(node.origin)]
        return "|".join(texts) if any(texts) else None


def finished(
    work: Work,
    root: Branch,
    *,
    bundle: Json,
    kind: str,
    event: str,
    source: bytes,
    control: str,
    ignored: dict[str, str],
    facility: str = "",
    home: Node | None = None,
    index: int = 0,
) -> Mapped:
    """Turn what the maps made of ``root`` into a Bundle.

    ``bundle`` has the Bundle's own elements, ``control`` names the document for ids, ``facility``
    the assigner of identifiers without a system; ``home`` keeps what belongs to no resource;
    ``ignored`` are names of branches that hold no content, with the reason they are reported with.
    """
    work.resolve()
    url = finaliser.unmapped(kind)
    Leftovers(url, ignored).settle(work, root, home)
    parts = SourceParts(control=control, facility=facility)
    closing = shared()
    namer = Namer(work.site.identity, closing.identity, parts)
    made: Json = {
        "resourceType": "Bundle",
        "id": uuid(work.site.identity, "Bundle", control),
        **bundle,
    }
    finaliser.finish(work, closing, made, namer, unmapped=url)
    return Mapped(
        index=index,
        bundle=made,
        source=source,
        event=event,
        dropped=tuple(work.dropped),
        patient_identifiers=patient_identifiers(
            made.get("entry", ()), facility=facility, named=work.patients
        ),
        facility=facility,
        explained=explanation(work),
    )
