"""Closed lists of words of the researcher's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simdes.gateway.pages.languages import mark as _

STUDY_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "study": {
        "unregistered": _("not registered"),
        "waits": _("waits for approvals"),
        "approved": _("approved, has not begun yet"),
        "running": _("running"),
        "over": _("over"),
    },
}

STUDY_DONE: Final[Mapping[str, str]] = {
    "study-registered": _("It is registered. Now its approvers decide."),
    "study-approved": _("Your approval stands on the ledger."),
    "study-retracted": _("Your approval is taken back. With too few left, everything stops."),
}

STUDY_SAID: Final = (
    _("Researchers and administrators register studies."),
    _("The study names another organisation as its sponsor."),
    _("a study's document has 256 KiB at most"),
    _("Only researchers ask how many patients a study would find."),
)
"""What errors say on these pages (`simdes.gateway.pages.said`)."""
