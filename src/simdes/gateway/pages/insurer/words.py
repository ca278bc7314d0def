"""Closed lists of words of the insurer's pages and of the patient's claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simdes.gateway.pages.languages import mark as _

CLAIM_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "claim": {
        "none": _("not on the ledger"),
        "opened": _("waits for its disclosure"),
        "disclosed": _("disclosed"),
        "received": _("received by the insurer"),
        "asked": _("more was asked for"),
        "approved": _("approved"),
        "partly": _("approved in part"),
        "denied": _("denied"),
        "appealed": _("appealed"),
        "paid": _("paid"),
        "reversed": _("taken back"),
    },
    "inbox": {
        "": _("To be decided"),
        "decided": _("Decided"),
        "all": _("Everything"),
    },
    "billing": {
        "": _("To do"),
        "waiting": _("Waiting for others"),
        "ended": _("Ended"),
        "all": _("Everything"),
    },
    "signal": {
        "duplicate": _(
            "Another insurer has a line for the same patient, the same service and day."
        ),
        "overlap": _(
            "Another insurer has a stay of the same patient in another place for the same night."
        ),
        "unbundling": _(
            "Another insurer has, for the same patient and day, a service of which one includes "
            "the other."
        ),
    },
    "own_signal": {
        "duplicate": _("Another claim here has a line for the same patient, service and day."),
        "overlap": _(
            "Another claim here has a stay of the same patient in another place for the same night."
        ),
        "unbundling": _(
            "Another claim here has, for the same patient and day, a service of which one "
            "includes the other."
        ),
    },
    "bears": {
        "CO": _("borne by the provider"),
        "PR": _("borne by the patient"),
        "OA": _("borne by another"),
        "PI": _("taken off"),
    },
    "adjustment": {
        "1": _("Deductible of the period"),
        "2": _("Share of the patient (coinsurance)"),
        "3": _("Fixed share of the patient (co-pay)"),
        "4": _("Code and modifier do not fit"),
        "16": _("Something is missing that is needed to decide"),
        "18": _("The same was claimed before"),
        "22": _("Another insurer comes first"),
        "23": _("Paid or written off by an earlier insurer"),
        "26": _("Before the coverage began"),
        "27": _("After the coverage ended"),
        "29": _("Claimed too late"),
        "31": _("Not known as insured here"),
        "45": _("More than the agreed price"),
        "50": _("Not found necessary"),
        "96": _("Not covered"),
        "97": _("Contained in another service"),
        "109": _("Not this insurer's to pay"),
        "119": _("The limit of the period is reached"),
        "197": _("Prior authorisation is missing"),
        "204": _("Not covered by this plan"),
        "252": _("A document is needed to decide"),
        "B7": _("The provider was not entitled to it on that day"),
    },
}

CLAIM_DONE: Final[Mapping[str, str]] = {
    "decided": _("It is decided. The patient's record has the answer."),
    "asked": _("The provider was asked for more."),
    "paid": _("The ledger took it: move the money now, once."),
    "reversed": _("It is taken back; the claim has ended."),
    "decision-accepted": _("Accepted: the decision is final."),
    "decision-appealed": _("Appealed. The insurer decides again."),
    "more-offered": _(
        "Offered to the patient. The claim goes on once they let the insurer see it."
    ),
    "claim-ended": _("The claim has ended. The insurer sees nothing of it any more."),
    "claimed-again": _("It opens by itself once its cost is stated anew, within minutes."),
    "no-more": _("The insurer was told that there is no more."),
    "appealed": _("You appealed. The insurer reads why, and decides again."),
    "disclosed": _("The insurer may look at it until the claim ends."),
    "undisclosed": _("Taken back. The insurer can't open it any more."),
    "insurer-preferred": _("From now on your insurer sees what a claim needs by itself."),
    "insurer-not-preferred": _("From now on nothing goes to an insurer by itself."),
}

CLAIM_SAID: Final = (
    _("Say what is missing."),
    _("One thing on each line."),
    _("There is no such claim, or nothing of it is disclosed to you."),
    _("A line is paid otherwise than proposed, without a reason."),
    _("Choose the reason beside it."),
    _("Choose what is to be offered, or say that there is no more."),
    _("No such claim was opened here."),
    _("The insurer did not ask for more."),
    _("Reverse the claim first."),
    _("The claim is paid or has ended."),
    _("It was claimed again already."),
    _("Look at the newer claim."),
    _("The claim was decided anew meanwhile."),
    _("Read the new decision."),
    _("Only who treats patients has claims of its own."),
    _("Sign in at the organisation that treated the patient."),
    _("This is not in the patient's record here."),
    _("Name it as Type/id."),
    _("There is no such reason."),
    _("Choose one from the list."),
    _("Choose an insurer."),
    _("There is no such claim of yours, or its insurer asks for nothing yet."),
    _("The claim has ended: there is nothing left to disclose."),
    _("Nothing is left to disclose; leave the claim undisclosed instead."),
    _("Only the patient says what an insurer sees."),
    _("This organisation insures nobody."),
    _("Name an insurer."),
    _("Only claims staff of an insurer decide claims."),
    _("The claim is not the one that stands on the ledger."),
    _("The claim is not decided yet."),
    _("The claim is approved whole: there is nothing to appeal."),
    _("The claim is appealed already; the insurer decides it again."),
    _("The claim is paid: it can't be appealed any more."),
    _("The claim was taken back: it can't be appealed any more."),
    _("The provider accepted the decision: it is final."),
    _("The time to appeal is over: the decision is final."),
    _("The claim was appealed as often as it can be."),
    _("This claim was opened without a secret of yours."),
    _("Ask the provider to appeal."),
    _("Say why it should be decided again."),
    _("Other words of yours wait for your wallet already."),
    _("Send the last ones."),
    _("In 2,000 letters at most."),
    _("This is no patient's copy of a claim of this network."),
    _("This claim was opened by another organisation."),
    _("Ask for your copy of the claim there, and appeal with that."),
    _("The Claim is not the one that was opened, or not disclosed."),
    _("The lines of the Claim are not those that were opened."),
    _("No such claim was decided here."),
    _("The decision can still be appealed."),
    _("It can be paid once the provider accepts it, or the time has passed."),
    # Why nothing else can be done with a claim now
    _("The claim waits for its disclosure."),
    _("The claim is to be received first."),
    _("The claim is to be decided first."),
    _("More was asked for; the claim waits for it."),
    _("The claim is approved."),
    _("The claim is approved in part."),
    _("The claim is denied."),
    _("The claim is appealed; it is to be decided again."),
    _("The claim is paid."),
    _("The claim was reversed."),
    _("The ledger knows no such claim."),
)
"""What errors say on these pages (`simdes.gateway.pages.said`)."""
