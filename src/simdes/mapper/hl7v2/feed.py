"""Map an input of HL7 v2 messages: one message, a file of many, or a batch (FHS/BHS)."""

from __future__ import annotations

from simdes.errors import TooLarge
from simdes.mapper.hl7v2 import engine, er7
from simdes.mapper.hl7v2.tables import tables_of
from simdes.mapper.model import UTF16_MARKS, Limits, Mapped, Mapping, Quarantined, Site
from simdes.mapper.refusal import Unreadable, attempt, gathered, quarantine


def maps_of(site: Site) -> object:
    """Build the maps as a site's sheets change them. Raises Invalid naming the line at fault."""
    return tables_of(site)


def map_input(
    name: str, data: bytes, *, site: Site, limits: Limits, explain: bool = False
) -> Mapping:
    """Map every message of ``data``; never raises on bad data."""
    if data[:2] in UTF16_MARKS:
        try:
            data = data.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            wrong = Unreadable(
                "wrong-encoding",
                f"it begins as UTF-16, and byte {error.start} is not",
                "Send the file again, whole, or in UTF-8.",
            )
            return gathered(name, "hl7v2", [quarantine(0, data, wrong)])
    found: list[Mapped | Quarantined] = []
    for index, part in enumerate(er7.split(data)):
        if index >= limits.messages:
            over = TooLarge(f"more than {limits.messages} messages in one input")
            found.append(quarantine(index, part.data, over))
        else:
            found.append(_map_part(part, index, site, limits, explain=explain))
    return gathered(name, "hl7v2", found)


def _map_part(
    part: er7.Part, index: int, site: Site, limits: Limits, *, explain: bool
) -> Mapped | Quarantined:
    if not part.is_message:
        outside = Unreadable(
            "outside-message",
            f"{len(part.data)} bytes that belong to no message",
            "A message begins with MSH at the start of a line; check the sender.",
        )
        return quarantine(index, part.data, outside)
    return attempt(
        index,
        part.data,
        lambda: engine.map_message(part.data, index, site=site, limits=limits, explain=explain),
    )
