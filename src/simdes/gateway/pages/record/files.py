"""Files of a record, to be saved: a letter, a picture, a report.

Browsers save what is sent and run nothing of it (`answering.Sent`); what they could run is sent as
text (`simdes.fhir.attachments`).
"""

from __future__ import annotations

import re
from typing import Final

from simdes.exchange import attachments, rights
from simdes.exchange.rights import Asking
from simdes.gateway.pages.answering import Sent
from simdes.gateway.pages.asking import Asked

OWN: Final = "/record/file"
STAFF: Final = "/patients/file"
EMERGENCY: Final = "/patients/emergency/file"
_ODD: Final = re.compile(r"[^A-Za-z0-9_-]+")


def send(asked: Asked) -> Sent:
    """The file that an address names by its resource and place, as far as one's rights go."""
    return sent(asked, rights.ask(asked.node, asked.visit.session))


def sent(asked: Asked, asking: Asking, *, vaults: tuple[bytes, ...] | None = None) -> Sent:
    """The file that an address names, under these rights, out of these vaults (None: of any)."""
    place = asked.asked("at", most=4)
    at = int(place) if place.isascii() and place.isdecimal() else -1
    file, content = attachments.opened(
        asked.node, asking, asked.asked("of", most=130), at, vaults=vaults
    )
    name = _ODD.sub("-", file.title.rpartition(".")[0] or file.title).strip("-")[:60]
    charset = "; charset=utf-8" if file.media_type == "text/plain" else ""
    return Sent(content, file.media_type + charset, f"{name or 'document'}.{file.ending}")
