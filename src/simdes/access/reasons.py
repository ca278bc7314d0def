"""Reasons for a refusal in words: what a person reads beside the name that logs and proofs keep.

The names are those of ``Consents.Reason``, of the custody verbs and of `simdes.errors`; a test
holds the table to all of them. No sentence says anything about a patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_WORDS: Final[Mapping[str, str]] = {
    "UNKNOWN_ACTOR": "no account has this key",
    "INACTIVE_ACTOR": "the account is not verified, or it is suspended or frozen",
    "INACTIVE_ORGANISATION": "the account's organisation is not verified",
    "UNKNOWN_VAULT": "the network knows no such vault",
    "UNKNOWN_HANDLE": "the patient gave no consent for this",
    "REVOKED": "the patient withdrew the consent",
    "OLD_GENERATION": "the patient withdrew every consent given so far",
    "TERMS_MISMATCH": "the terms shown are not those of the consent",
    "WRONG_GRANTEE": "the consent names somebody else",
    "WRONG_ROLE": "this needs another role",
    "PURPOSE": "the consent is not for this purpose",
    "CATEGORY": "the consent does not open this category",
    "LABEL": "the record is of a sensitive kind that the consent does not open",
    "NOT_YET": "the consent has not begun yet",
    "EXPIRED": "the consent has ended",
    "RECORD": "the consent lists other records",
    "CONDITION_CLOSED": "what the consent hangs on is closed",
    "EMERGENCY_OVER": "the emergency is over",
    "PENDING_ACTOR": "the account is not verified yet",
    "SUSPENDED_ACTOR": "the account is suspended",
    "FROZEN_ACTOR": "the account is frozen by its guardians",
    "NOT_ITS_VAULT": "the vault was opened by another organisation",
    "NOT_DECIDED": "no administrator here decided to attest for this patient",
    "NOT_CLAIMABLE": "the vault or the account can't be claimed",
    "NOT_HOSTED": "no account of the patient is hosted here",
    "NOT_OPENED": "the account opened no such emergency, or for another reason",
    "NOT_SPONSOR": "the study has another sponsor, or is not known",
    "NOT_RELEASED": "the ledger has no such release, or not of all of these patients",
    "NOT_AUTHOR": "somebody else wrote this record",
    "OTHERS_WROTE": "others wrote into this vault: only its patient has all of it erased",
    "BAD_ORDER": "no order of who controls the vault comes with it: the patient must ask anew",
    "KEY_DESTROYED": "the custodian destroyed its key of this vault",
    "NOT_AGREED": "the vault's next epoch is not agreed by who must agree",
    "NOT_CUSTODIAN": "the organisation is no custodian of the vault in this epoch",
    "CONTROLLED": "the vault is a patient's: only they agree to other custodians",
    "UNFIT_CUSTODIANS": "the new custodians are not fit: unverified, too few that stay, or weaker",
    "BAD_CAPSULE": "the key capsule or its share does not hold",
    "BAD_ENTRY": "the record is not as its author anchored it",
    "PLAN_NOT_AGREED": "nobody there agreed to this plan, or it does not name the asker",
    "KEY_NOT_HELD": "the organisation holds no share of this key",
    "NOT_INSURER": "this is for verified insurers",
    "BAD_DEALING": "what the custodians dealt does not hold together",
    "STALE_LEDGER": "the custodian's ledger is behind",
    "CHANGED_CONTRACTS": "the contracts changed and the custodian's operator has not accepted it",
    "UNKNOWN_RECORD": "the custodian holds no such record in this vault",
    "SHARE_UNAVAILABLE": "the custodian could not reach its share",
    "WRONG_EPOCH": "the custodian holds no share of this epoch",
    "BUDGET": "the budget for counts is used up",
    "QUOTA": "the asker keeps, or had evaluated today, as much here as it may",
    "RATE_LIMITED": "too many requests by this account",
    "WRONG_PASSPHRASE": "the passphrase is wrong",
    "WRONG_CODE": "the code is wrong or was used before",
    "REUSED_SECRET": "an app's code or refresh token came twice: somebody may have stolen it",
    "APP_REFUSED": "what an app showed for a token does not hold",
    "COPIED_PASSKEY": "the passkey's counter went back: somebody may have copied it",
    "DEADLINE": "the deadline is past or too far away",
    "SCOPE": "the app was not allowed to do this",
    "SECOND_FACTOR": "a second factor was needed to go on",
    "UNAUTHENTICATED": "who is asking could not be established",
    "FORBIDDEN": "this account may not do this",
    "NOT_FOUND": "nothing of this name is there for whoever asks",
    "DELETED": "it was deleted",
    "INVALID": "what was sent breaks a rule of its format",
    "CONFLICT": "what stands there contradicts it",
    "CONDITION": "a condition that the request set does not hold",
    "TAMPERED": "somebody changed bytes on the way",
    "UNAVAILABLE": "a part that this depends on did not answer",
    "TOO_LARGE": "a limit on size, count or rate was passed",
    "UNFINISHED": "what became of it is not known: it may have been read",
    "TOO_FEW_SHARES": "too few custodians gave their share of the key",
    "NOT_CONCERNED": "the entry does not concern both who asks and who is asked",
    "BAD_PROOF": "the entry shown is not one that the chain holds",
    "NOT_GUARDIAN": "who asks is no guardian of the account, or signed something else",
    "NO_RECOVERY": "nobody there asked to recover the account under this code",
    "UNSUPPORTED": "this release does not know how to do this",
    "FAILED": "the program failed",
}


def words(reason: str) -> str:
    """A reason's name in words; the name itself where the table has none."""
    return _WORDS.get(reason, reason)
