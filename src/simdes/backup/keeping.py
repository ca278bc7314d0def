"""Keep the keys beside the backups those of now, while the organisation is served.

Destroying a key is only done when no copy of it is left, and a key that was handed out must not be
lost with a disk. So whatever changes is written within seconds (`simdes.backup.keyfile`).
"""

from __future__ import annotations

import threading
from typing import Final

import structlog

from simdes import logs
from simdes.app import Opened
from simdes.backup import making
from simdes.backup.making import Asked, Place
from simdes.errors import Conflict, SimdesError

EVERY_SECONDS: Final = 10.0

_log = structlog.get_logger("simdes.backup")


def run(one: Opened, stop: threading.Event) -> None:
    """Look every ten seconds whether a key came or went, until ``stop`` is set.

    What fails is logged and tried again; a backup that is being written has its own turn.
    """
    settings = one.settings
    place = Place(
        asked=Asked(
            data=one.data,
            folder=one.data / settings.backup_folder,
            keep_days=settings.backup_days,
        ),
        settings=settings,
        keystore=one.node.desk.keystore,
        clock=one.node.desk.clock,
        random=one.node.random,
    )
    known: tuple[object, ...] = ()
    while not stop.is_set():
        try:
            now = making.marks(place)
            if now != known:
                making.keep_keys(place)
                known = now
        except Conflict:
            pass
        except Exception as error:
            _complain(error)
        stop.wait(EVERY_SECONDS)


def _complain(error: Exception) -> None:
    if isinstance(error, SimdesError):
        _log.warning("keys not kept", issue=error.issue, kind=type(error).__name__)
    else:
        _log.error("keys not kept", issue="exception", **logs.described(error))
