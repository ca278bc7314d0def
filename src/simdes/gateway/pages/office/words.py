"""Closed lists of words of the administrator's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simdes.gateway.pages.languages import mark as _

OFFICE_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "standing": {
        "unregistered": _("not on the ledger yet"),
        "pending": _("waits to be verified"),
        "verified": _("verified"),
        "suspended": _("suspended"),
    },
    "decision": {
        "verify": _("Verify"),
        "suspend": _("Suspend"),
    },
    "step": {
        "upgrade": _("A later release will take it; then replay."),
        "settings": _("Correct the settings or the mapping; then replay."),
        "decide": _("Decide who the patient is; then replay, or dismiss."),
        "patient": _("Whoever has the records answers on their own pages; then replay."),
        "replay": _("Replay it."),
        "correct": _("Ask the sender to send it again, or correct it here; then replay."),
    },
    "document": {
        "open": _("open"),
        "dismissed": _("dismissed"),
        "replayed": _("replayed"),
        "corrected": _("corrected"),
        "refused": _("refused again"),
        "reopened": _("opened again"),
        "expired": _("content removed"),
    },
    "merge-answer": {
        "waiting": _("has not answered yet"),
        "accepted": _("accepted"),
        "declined": _("declined"),
        "withdrawn": _("accepted, and took it back"),
        "unable": _("may not act now: the account is not verified, or frozen"),
    },
    "component": {
        "ledger": _("Ledger"),
        "contracts": _("Contracts"),
        "database": _("Database"),
        "store": _("Off-chain storage"),
        "work": _("Work"),
        "trails": _("Audit trails"),
    },
    "health": {
        "good": _("in order"),
        "watch": _("to be looked at"),
        "bad": _("not in order"),
    },
    "finding": {
        "missing": _("its trail has no entry of something that ours has"),
        "different": _("its trail says something else of what ours has"),
        "unproven": _("it shows an entry that is not the one anchored on the ledger"),
        "out-of-order": _("its entries do not follow one another as they must"),
        "wrong-time": _("an entry claims a time that does not fit its block"),
        "not-anchored": _("an entry is not on the ledger a day after it was written"),
        "silent": _("it has not shown its trail for three days"),
        "repeated-root": _("an audit root stands on the ledger twice: one was copied"),
        "own-trail": _("our own trail is not the one that we anchored"),
        "fewer-releases": _(
            "a record was opened, and fewer custodians show their share than it takes"
        ),
        "contradicted": _(
            "it says that a record could not be opened, and enough custodians gave their shares"
        ),
        "listed-less": _("a custodian left out records that another one lists"),
    },
    "advice": {
        "missing": _("Keep our proof, ask the organisation, tell the patient and the owners."),
        "different": _("Keep our proof, compare both entries with them, tell the patient."),
        "unproven": _("Their database was changed, or they invent entries: tell the owners."),
        "out-of-order": _("Entries were moved, put in or taken out: tell the owners."),
        "wrong-time": _("Compare clocks; if they agree, the entry was dated otherwise."),
        "not-anchored": _("Ask whether their worker and their ledger node run."),
        "silent": _("Ask whether their gateway runs and can be reached from here."),
        "repeated-root": _("Ask both to prove an entry of that batch; who can't has copied it."),
        "own-trail": _("Our database was changed or restored: stop, and compare with backups."),
        "fewer-releases": _("Keep our proof, ask the custodians that show nothing."),
        "contradicted": _("Ask the organisation; count the record as read."),
        "listed-less": _("Ask whether the custodian follows the ledger; it hides records so far."),
    },
    "operation": {
        "waits": _("waits"),
        "ready": _("may be carried out by anybody"),
        "done": _("carried out"),
        "stopped": _("stopped"),
    },
    "governing": {
        "stop": _("Stop it"),
        "confirm": _("Confirm"),
    },
    "call": {
        "upgradeToAndCall": _("new code for a contract"),
        "verifyOrganisation": _("verify an organisation"),
        "suspendOrganisation": _("suspend an organisation"),
        "verify": _("verify an account"),
        "setMembers": _("other owners of the network"),
        "updateDelay": _("another waiting time of the timelock"),
        "schedule": _("begin an upgrade's waiting time"),
        "scheduleBatch": _("begin an upgrade's waiting time"),
        "grantRole": _("give a right"),
        "revokeRole": _("take a right away"),
        "setTargetFunctionRole": _("who may call a verb"),
        "unpause": _("let a paused verb go on"),
    },
    "outcome": {
        "justified": _("It was justified"),
        "unjustified": _("It was not justified"),
    },
    "who": {
        "": _("Staff"),
        "waiting": _("Waiting"),
        "patients": _("Patients"),
    },
}

OFFICE_DONE: Final[Mapping[str, str]] = {
    "organisation-verified": _("The organisation and its software are verified."),
    "organisation-suspended": _("The organisation is suspended."),
    "reviewed": _("Your judgement stands on the ledger."),
    "document-replayed": _("It was accepted."),
    "document-settled": _("It was settled before."),
    "document-dismissed": _("It is dismissed, and kept with your reason."),
    "document-reopened": _("It is open again."),
    "finding-closed": _("The finding is closed."),
    "operation-stopped": _("It is stopped. It can only be scheduled anew."),
    "proposal-done": _("Enough owners confirmed; it is carried out."),
    "confirmed": _("Your confirmation counts. More owners must confirm."),
    "person-verified": _("The account is verified."),
    "slip-back": _("The slip is taken back; its code opens nothing."),
    "person-suspended": _("The account is suspended."),
}

OFFICE_SAID: Final = (
    _("Say how you know who this is."),
    _("Name the papers that you saw."),
    _("No patient here has this identifier."),
    _("The identifiers belong to different patients here."),
    _("The vault is not open on the network yet."),
    _("Another organisation began this record."),
    _("It gives the account."),
    _("The vault belongs to an enrolled patient already."),
    _("A slip for this record waits already."),
    _("Take it back first."),
    _("A vault is claimed with the attestations of two organisations; no other was asked."),
    _("The slip is not good any more."),
    _("Ask the organisation for a new one."),
    _("The record was joined to another one of yours since the slip was printed."),
    _("Ask the organisation for a new slip."),
    _("The record is the patient's already: they began to sign in."),
    _("Let them sign in again with the code of their slip."),
    _("Nor is it the code."),
    _("User name or code is wrong, or the code was used before."),
    _("The user name is taken."),
    _("Choose another user name."),
    _("Choose a role."),
    _("Patients are enrolled with their record."),
    _("A user name is 1 to 64 of a-z, 0-9, '.', '_', '@' and '-'."),
    _("That is settled already."),
    _("Look at where it stands now."),
    _("Only the network's owners decide this."),
    _("Ask the owners of the network."),
    _("The network knows no such organisation."),
    _("This needs an administrator of the organisation."),
    _("A decision needs a reason of 1 to 500 characters."),
    _("The corrected copy is empty."),
    _("Say why, for those who come after you."),
    _("The finding is closed."),
    _("There is no such document in quarantine."),
    _("`simdes quarantine list` shows all."),
    _("The content was removed by retention."),
    _("Ask the sender for it."),
    _("Say whether it was justified."),
    _("There is no such emergency, or not for you."),
)
"""What errors say on these pages (`simdes.gateway.pages.said`)."""
