"""Ask a source to tell of changes: an R4 Subscription (rest-hook) for each type that is read.

https://hl7.org/fhir/R4/subscription.html. Changes are found without it, only later; so a source
that takes no subscriptions costs a line in the log.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from simdes.errors import SimdesError
from simdes.exchange.facade.progress import Options
from simdes.exchange.facade.source import Change, Source, page_of

_log = structlog.get_logger("simdes.facade")


def subscribe(source: Source, types: Sequence[str], options: Options) -> None:
    """Create what is missing of the Subscriptions that ``options`` want; it may be repeated."""
    if not options.notify_url:
        return
    try:
        have = _criteria(source, options.notify_url)
        for type_ in types:
            if f"{type_}?" not in have:
                source.create(_subscription(type_, options))
    except SimdesError as error:
        _log.warning("not subscribed", issue=error.issue)


def _criteria(source: Source, notify_url: str) -> set[str]:
    """The criteria of our subscriptions at the source that are not off."""
    page = page_of(source.get("Subscription", {"url": notify_url, "_count": "500"}))
    listed = [one.resource or {} for one in page.changes if isinstance(one, Change)]
    return {str(one.get("criteria")) for one in listed if one.get("status") != "off"}


def _subscription(type_: str, options: Options) -> dict[str, object]:
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "Changes are read into SIMDES",
        "criteria": f"{type_}?",
        "channel": {
            "type": "rest-hook",
            "endpoint": options.notify_url,
            "header": [f"Authorization: Bearer {options.notify_secret}"],
        },
    }
