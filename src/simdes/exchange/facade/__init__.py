"""Facade: an existing FHIR R4 server as the source of an organisation's records.

A hospital keeps its server. What changes there is read over its REST API and submitted here like
any feed's messages, under the source's own ids; nothing is ever written there but Subscriptions,
where they are asked for. `source` is the port and what pages of it say, `capability` how changes
are found at a source, `gathering` makes Bundles by patient, `reading` goes through the changes and
moves the position behind what is durable, `progress` says how far it came.
"""

from __future__ import annotations

from simdes.exchange.facade.progress import Options, Round, Status, Step, ask, status
from simdes.exchange.facade.reading import Facade
from simdes.exchange.facade.source import Answer, Source

__all__ = ["Answer", "Facade", "Options", "Round", "Source", "Status", "Step", "ask", "status"]
