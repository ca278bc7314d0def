"""From an approved study to opened files, in one step: released, recorded, sealed and opened.

It is `releasing.release` and `opening.open_release`, one after the other; nothing is kept that
either would not keep, and each asks and refuses what it asks and refuses alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simdes.errors import Conflict, Forbidden
from simdes.exchange.node import Node
from simdes.exchange.research import passing
from simdes.exchange.research.opening import Opened, open_release
from simdes.exchange.research.releasing import KEPT_SECONDS, Progress, Released, release
from simdes.exchange.research.studies import Document
from simdes.exchange.signin import Session, held
from simdes.research.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A release that was made, and its opened files."""

    released: Released
    opened: Opened


def run(
    node: Node,
    session: Session,
    document: Document,
    policy: Policy,
    into: Path,
    *,
    accepts: bool,
    package: Path | None = None,
    kept_seconds: int = KEPT_SECONDS,
    tables: Sequence[str] = ("parquet",),
    progress: Progress = lambda done, total: None,
) -> Ran:
    """Release a study and open the release into a new folder.

    ``package`` keeps the sealed package, too; None: it goes. Raises as `release` and
    `open_release`, Forbidden for terms that were not accepted and Conflict for a folder that is
    not empty before anybody is read.
    """
    if not accepts:
        raise Forbidden(
            "The data-use terms were not accepted.", advice="Read them, then --accept-terms."
        )
    if into.exists() and any(into.iterdir()):
        raise Conflict(f"{into.name} is not empty.")
    session = held(session)
    with passing.folder("run") as place:
        sealed = package or place / "release.zip"
        released = release(
            node,
            session,
            document,
            policy,
            sealed,
            kept_seconds=kept_seconds,
            tables=tables,
            progress=progress,
        )
        opened = open_release(node, session, document, sealed, into, accepts=accepts)
    return Ran(released=released, opened=opened)
