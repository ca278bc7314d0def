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
    "making": {
        "reading": _("Being made"),
        "stalled": _("Ended by a restart of the gateway: order it again"),
        "made": _("Made"),
        "failed": _("Nothing was released"),
    },
}

STUDY_DONE: Final[Mapping[str, str]] = {
    "study-registered": _("It is registered. Now its approvers decide."),
    "study-approved": _("Your approval stands on the ledger."),
    "release-ordered": _("It is being made. You may leave this page and come back."),
    "study-retracted": _("Your approval is taken back. With too few left, everything stops."),
}

STUDY_SAID: Final = (
    _("Researchers and administrators register studies."),
    _("The study names another organisation as its sponsor."),
    _("a study's document has 256 KiB at most"),
    _("The study's document is not known here."),
    _("Ask its sponsor, and put it in."),
    _("Choose a policy."),
    _("More patients take part than a page makes a release of."),
    _("The release is larger than a page makes one."),
    _("Somebody withdrew meanwhile."),
    _("The gateway was stopped meanwhile."),
    _("Too few custodians entered the release into their trails: nobody was given it."),
    _("A release of this study is being made."),
    _("Wait for it."),
    _("You have 4 releases being made."),
    _("Wait for one of them."),
    _("It stood still, and was ordered again."),
    _("Make a release this large by the command “simdes study run”."),
    _("Only a researcher of the study's sponsor makes a release."),
    _("Only a researcher of the study's sponsor opens a release."),
    _("The data-use terms were not accepted."),
    _("There is no such release here any more."),
    _("Order it again."),
    _("The study is not approved, has not begun or is over."),
    _("Nobody is left in the release: too few meet the criteria, or are alike."),
    _("Something went wrong here; it was written down for who runs this gateway."),
    _("Only researchers ask how many patients a study would find."),
)
"""What errors say on these pages (`simdes.gateway.pages.said`)."""
