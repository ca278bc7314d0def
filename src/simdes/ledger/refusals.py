"""From revert data to our errors: what each refusal of a contract means to a person.

One row for each custom error of ``contracts/src/interfaces/Errors.sol`` (a test compares the two)
and for the few of OpenZeppelin that a caller can meet. The first four bytes of revert data are the
selector of the error's signature (https://docs.soliditylang.org/en/latest/abi-spec.html#errors).
"""

from __future__ import annotations

from simdes.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    SimdesError,
    Tampered,
    TooLarge,
    Unavailable,
)
from simdes.ledger.digests import selector
from simdes.ledger.ledger import Reverted

_REFUSALS: dict[str, tuple[type[SimdesError], str]] = {
    "Accounts_Zero()": (Invalid, "an id, address or digest is zero"),
    "Accounts_OrganisationExists(bytes32)": (Conflict, "the organisation is registered already"),
    "Accounts_OrganisationUnknown(bytes32)": (NotFound, "no organisation has this id"),
    "Accounts_KindUnknown(uint8)": (Invalid, "there is no such kind of organisation"),
    "Accounts_AccountExists(bytes32)": (Conflict, "the account is registered already"),
    "Accounts_AccountUnknown(bytes32)": (NotFound, "no account has this id"),
    "Accounts_RoleUnknown(uint8)": (Invalid, "there is no such role"),
    "Accounts_KeyUsed(address)": (Conflict, "the key belongs or belonged to an account"),
    "Accounts_NotPermitted(address)": (Forbidden, "this key's account may not do this"),
    "Accounts_WrongState(bytes32,uint8)": (
        Conflict,
        "the account or organisation is in a state from which this does not follow",
    ),
    "Accounts_Frozen(bytes32)": (Forbidden, "the account is frozen by its guardians"),
    "Accounts_NothingPending(bytes32)": (Conflict, "nothing of this kind waits for the account"),
    "Accounts_TooEarly(bytes32,uint64)": (Conflict, "the waiting time is not over"),
    "Accounts_GuardiansMalformed(uint8,uint8)": (Invalid, "the guardian set is malformed"),
    "Accounts_NoGuardians(bytes32)": (Conflict, "the account has no guardians"),
    "Accounts_TooFewGuardians(uint256,uint8)": (Forbidden, "too few guardians signed"),
    "Accounts_NotGuardian(address)": (Forbidden, "a signer is not a guardian of the account"),
    "Accounts_GuardiansUnordered(address)": (Invalid, "the guardians are not in ascending order"),
    "Accounts_AttestedPending(bytes32)": (Conflict, "an attested recovery is waiting"),
    "Accounts_VetoSpent(bytes32)": (Conflict, "the owner's veto is spent"),
    "Accounts_VetoRefused(bytes32)": (Forbidden, "an attested recovery can't be vetoed"),
    "Accounts_WrongNonce(bytes32,uint256,uint256)": (
        Conflict,
        "something else of the owner's was signed and sent meanwhile",
    ),
    "Accounts_VaultExists(bytes32)": (Conflict, "the vault tag is in use"),
    "Accounts_VaultUnknown(bytes32)": (NotFound, "no vault has this tag"),
    "Accounts_VaultMalformed(uint8,uint8)": (Invalid, "a vault needs 2 <= m <= n <= 64"),
    "Accounts_NotPatient(bytes32)": (Forbidden, "only a patient's account can do or be this"),
    "Accounts_WrongEpoch(bytes32,uint32)": (Conflict, "a vault's next epoch follows the present"),
    "Accounts_VaultSet(bytes32)": (Conflict, "the vault has its control account already"),
    "Signatures_Expired(uint256)": (Conflict, "the signature's deadline has passed"),
    "Signatures_Invalid(address)": (Tampered, "a signature is not by the key that must sign"),
    "Signatures_NonceUsed(bytes32,uint256)": (Conflict, "the signature was used before"),
    "Signatures_AttestationCount(uint256)": (Invalid, "exactly two attestations are needed"),
    "Signatures_NotAttestor(address)": (
        Forbidden,
        "an attesting key is no active administrator or agent of a verified organisation",
    ),
    "Signatures_SameOrganisation(bytes32)": (
        Forbidden,
        "both attestations come from one organisation",
    ),
    "Signatures_WitnessMissing(bytes32)": (
        Forbidden,
        "the organisation that knows the person has not attested",
    ),
    "Consents_Zero()": (Invalid, "a handle or commitment is zero"),
    "Consents_NotControl(bytes32,address)": (Forbidden, "this key does not control the vault"),
    "Consents_ControlInactive(bytes32)": (Forbidden, "the vault's control account is not active"),
    "Consents_HandleUsed(bytes32,bytes32)": (Conflict, "the consent handle was used before"),
    "Consents_AlreadyRevoked(bytes32,bytes32)": (Conflict, "the consent is revoked already"),
    "Consents_WrongGeneration(bytes32,uint64,uint64)": (
        Conflict,
        "the signature was made before the patient revoked everything",
    ),
    "Consents_NotClinician(address)": (
        Forbidden,
        "only an active doctor or nurse of a verified hospital opens an emergency",
    ),
    "Consents_VaultUnknown(bytes32)": (NotFound, "no vault has this tag"),
    "Consents_QuotaSpent(bytes32,uint64)": (
        TooLarge,
        "the organisation opened as many emergencies today as it may",
    ),
    "Consents_ReviewOverdue(bytes32,bytes32,bytes32)": (
        Forbidden,
        "an earlier emergency of the organisation waits for its review",
    ),
    "Consents_NotEmergency(bytes32,bytes32)": (NotFound, "no emergency has this handle"),
    "Consents_AlreadyReviewed(bytes32,bytes32)": (Conflict, "the emergency was reviewed before"),
    "Consents_OutcomeUnknown(uint8)": (Invalid, "there is no such outcome of a review"),
    "Consents_LimitsMalformed(uint64,uint64)": (Invalid, "the times of emergencies are malformed"),
    "Consents_NotReviewer(address)": (
        Forbidden,
        "only an administrator of the organisation that opened an emergency reviews it",
    ),
    "Records_NotAgent(address)": (Forbidden, "only an active agent of a verified organisation may"),
    "Records_EmptyBatch()": (Invalid, "a batch has a root and at least one leaf"),
    "Records_PointerLength(uint256)": (Invalid, "the manifest pointer has 1 to 96 bytes"),
    "Records_AlreadyAnchored(bytes32)": (Conflict, "the batch is anchored already"),
    "Records_BatchUnknown(bytes32)": (NotFound, "no batch has this id"),
    "Records_NotAuthor(bytes32,bytes32)": (Forbidden, "another organisation anchored the batch"),
    "Records_NotInBatch(bytes32,bytes32)": (Tampered, "the leaf is not in the batch"),
    "Records_WrongStatus(bytes32,uint8)": (Conflict, "the leaf is superseded or erased already"),
    "AuditLog_NotAgent(address)": (
        Forbidden,
        "only an active agent of a verified organisation may",
    ),
    "AuditLog_EmptyBatch()": (Invalid, "a batch has a root and at least one leaf"),
    "AuditLog_Gap(bytes32,uint64,uint64)": (Conflict, "the audit batch is not the next one"),
    "AuditLog_Fork(bytes32,bytes32,bytes32)": (
        Conflict,
        "the audit batch does not follow the last root on the chain",
    ),
    "Statements_RecentMalformed(uint64)": (Invalid, "a root stays recent for at most 7 days"),
    "Statements_KindUnknown(uint8)": (Invalid, "there is no such kind of statement"),
    "Statements_NotIssuer(uint8,address)": (
        Forbidden,
        "this organisation may not issue statements of this kind",
    ),
    "Statements_NotElement(uint256)": (Invalid, "the batch's root is no element of the field"),
    "Statements_AlreadyInserted(uint8,bytes32,uint256)": (
        Conflict,
        "the batch stands in the forest already",
    ),
    "Statements_ForestFull(uint8)": (Unavailable, "the forest has no free place"),
    "Prescriptions_NotDispenser(address)": (
        Forbidden,
        "only an active agent of a verified pharmacy or hospital dispenses",
    ),
    "Prescriptions_RootNotRecent(uint256)": (
        Conflict,
        "the proof names a root of the forest that is not recent",
    ),
    "Prescriptions_Moved(uint256,uint16)": (
        Conflict,
        "the prescription was dispensed from meanwhile",
    ),
    "Prescriptions_BoundElsewhere(uint256)": (
        Conflict,
        "the prescription is bound to another pharmacy",
    ),
    "Prescriptions_NotBound(uint256)": (
        Conflict,
        "the prescription is not bound to this pharmacy",
    ),
    "Prescriptions_Cancelled(uint256)": (Conflict, "the prescription was cancelled"),
    "Prescriptions_PartMalformed(uint16,uint16)": (
        Invalid,
        "a step dispenses more than nothing, up to the whole",
    ),
    "Prescriptions_ProofRefused(uint256)": (
        Forbidden,
        "the proof does not show that this is allowed today",
    ),
    "Prescriptions_NotElement(uint256)": (Invalid, "the secret is no element of the field"),
    "Studies_NotSponsor(address)": (
        Forbidden,
        "only an active agent of the study's sponsor, a hospital or research organisation, may",
    ),
    "Studies_NotAgent(address)": (Forbidden, "only an active agent of a verified organisation may"),
    "Studies_NotCollector(address)": (
        Forbidden,
        "only an active agent of the study's collector counts",
    ),
    "Studies_NotApprover(address)": (Forbidden, "this account is no approver of the study"),
    "Studies_Decided(bytes32,bytes32)": (Conflict, "the approver has decided so already"),
    "Studies_Malformed()": (Invalid, "the study lacks something or its period is none"),
    "Studies_Exists(bytes32)": (Conflict, "the study is registered already"),
    "Studies_Unknown(bytes32)": (NotFound, "no study has this id"),
    "Studies_NotRunning(bytes32)": (
        Conflict,
        "the study is not approved, has not begun or is over",
    ),
    "Studies_TagUsed(bytes32)": (Conflict, "the tag takes part already"),
    "Studies_Withdrawn(bytes32)": (Conflict, "the tag was withdrawn"),
    "Studies_NotMember(bytes32,bytes32)": (Forbidden, "a tag does not take part in this study"),
    "Studies_ReleaseMalformed(bytes32)": (
        Invalid,
        "a release has digests, an end, and 1 to 2,000 tags in ascending order",
    ),
    "Studies_RootNotRecent(uint256)": (
        Conflict,
        "the proof names a root of the forest that is not recent",
    ),
    "Studies_ProofRefused(bytes32,uint256)": (
        Forbidden,
        "the proofs do not show that one person meets all criteria today",
    ),
    "Claims_TimesMalformed()": (Invalid, "a state of a claim waits for longer than nothing"),
    "Claims_NotProvider(address)": (
        Forbidden,
        "only an active agent of a verified hospital claims",
    ),
    "Claims_NotPayer(bytes32)": (Invalid, "the payer is not a verified insurer"),
    "Claims_NotSide(bytes32,address)": (
        Forbidden,
        "only an active agent of the claim's other side, or of this one in turn, may do this",
    ),
    "Claims_NotParty(uint256,address)": (
        Forbidden,
        "this side can't reverse the claim as it stands",
    ),
    "Claims_EnrolledAlready(bytes32)": (Conflict, "the organisation enrolled for claims before"),
    "Claims_NotEnrolled(bytes32)": (
        Conflict,
        "the organisation has not enrolled for claims",
    ),
    "Claims_NotElement(uint256)": (Invalid, "the number is zero or no element of the field"),
    "Claims_RootNotRecent(uint256)": (
        Conflict,
        "the proof is under an old root of the forest",
    ),
    "Claims_ProofRefused(uint256)": (Forbidden, "the proof does not show this of the claim"),
    "ClaimBook_ClaimedAlready(uint256)": (
        Conflict,
        "this payer has a claim of the encounter already",
    ),
    "ClaimBook_Moved(uint256,uint256)": (
        Conflict,
        "something else was claimed of the encounter meanwhile; nothing changed",
    ),
    "ClaimBook_NoEdge(uint256,uint8,uint8)": (
        Conflict,
        "the claim's state does not allow this",
    ),
    "ClaimBook_NoAmount()": (Invalid, "an amount is missing, or given where none can be"),
    "ClaimBook_Final(uint256)": (Conflict, "the decision is final"),
    "ClaimBook_NotFinal(uint256)": (Conflict, "the claim's decision is not final"),
    "ClaimBook_AppealsSpent(uint256)": (Conflict, "the claim was appealed as often as it can be"),
    "ClaimBook_NothingToFree(uint256)": (Conflict, "nothing more can be freed of the claim"),
    "ClaimBook_NotVoice(uint256)": (Forbidden, "this is not the patient's secret of the claim"),
    "Tags_PartRefused(uint256,uint16,uint16)": (Conflict, "what was dispensed can't fall"),
    "Tags_Closed(uint256)": (Conflict, "the tag is closed"),
    "Nullifiers_Spent(address,uint256)": (Conflict, "this was done before"),
    "Pause_Paused(bytes4,uint64)": (Unavailable, "the network's owners paused this verb"),
    "Pause_NotPausable(bytes4)": (Forbidden, "this verb can never be paused"),
    "Pause_CoolingDown(bytes4,uint64)": (Conflict, "the verb was paused too recently"),
    "Pause_NotPaused(bytes4)": (Conflict, "the verb is not paused"),
    "Administrators_NotMember(address)": (Forbidden, "only an owner of the network may do this"),
    "Administrators_NotTimelock(address)": (Forbidden, "owners change through the timelock alone"),
    "Administrators_Malformed()": (Invalid, "the set of owners is malformed"),
    "Administrators_ProposalExists(bytes32)": (Conflict, "the proposal exists already"),
    "Administrators_ProposalUnknown(bytes32)": (NotFound, "there is no such open proposal"),
    "Administrators_AlreadyConfirmed(bytes32,address)": (
        Conflict,
        "this owner confirmed the proposal already",
    ),
    "Administrators_NotConfirmed(bytes32,address)": (
        Conflict,
        "this owner did not confirm the proposal",
    ),
    "Administrators_TooFew(bytes32,uint256,uint256)": (
        Forbidden,
        "too few owners confirmed the proposal",
    ),
    "AccessManagedUnauthorized(address)": (Forbidden, "only the network's owners may do this"),
    "AccessManagerUnauthorizedAccount(address,uint64)": (
        Forbidden,
        "only the network's owners may do this",
    ),
    "AccessControlUnauthorizedAccount(address,bytes32)": (
        Forbidden,
        "only the network's owners may do this",
    ),
    "TimelockUnexpectedOperationState(bytes32,bytes32)": (
        Conflict,
        "the operation is not in a state from which this follows",
    ),
    "InvalidInitialization()": (Conflict, "the contract is set up already"),
}

_BY_SELECTOR = {selector(signature): signature for signature in _REFUSALS}
_ERROR_STRING = selector("Error(string)")
_PANIC = selector("Panic(uint256)")


def refusal_name(data: bytes) -> str | None:
    """Return the signature of the custom error in revert data, None if it is not in the table."""
    return _BY_SELECTOR.get(data[:4])


def refusal_signatures() -> frozenset[str]:
    """Return the signature of every error in the table."""
    return frozenset(_REFUSALS)


def translate(error: Reverted) -> SimdesError:
    """Turn a contract's refusal into the error that says what it means.

    `refusal_of` tells two refusals of one class apart.
    """
    signature = refusal_name(error.data)
    if signature is None:
        reason = "it reverted" if error.data[:4] in (_ERROR_STRING, _PANIC) else "it gave no reason"
        translated: SimdesError = Conflict(f"a contract refused: {reason}")
    else:
        kind, message = _REFUSALS[signature]
        translated = kind(message)
    translated.__cause__ = error
    return translated


def refusal_of(error: SimdesError) -> str | None:
    """Return the bare name of the contract error behind an error, None if there is none.

    ``Records_AlreadyAnchored`` tells a worker that its batch stands on the chain already.
    """
    cause = error if isinstance(error, Reverted) else error.__cause__
    if not isinstance(cause, Reverted):
        return None
    signature = refusal_name(cause.data)
    return signature.partition("(")[0] if signature else None
