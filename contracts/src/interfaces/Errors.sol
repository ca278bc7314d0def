// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Errors
/// @notice Every reason for which a SIMDES contract refuses, named `Contract_Reason(values)`.
/// Values are ids, addresses, states and times: nothing about a person.
library Errors {
    // --- Accounts: who may act -------------------------------------------------------------

    /// An id, address or digest that must not be zero is zero.
    error Accounts_Zero();
    /// The organisation id is registered already (or is in use as an account id).
    error Accounts_OrganisationExists(bytes32 organisation);
    /// No organisation with this id.
    error Accounts_OrganisationUnknown(bytes32 organisation);
    /// The organisation kind is not one of 1..4.
    error Accounts_KindUnknown(uint8 kind);
    /// The account id is registered already (or is in use as an organisation id).
    error Accounts_AccountExists(bytes32 account);
    /// No account with this id.
    error Accounts_AccountUnknown(bytes32 account);
    /// The role is not one of 1..8.
    error Accounts_RoleUnknown(uint8 role);
    /// The key belongs, or once belonged, to an account; keys are never used twice.
    error Accounts_KeyUsed(address key);
    /// The caller holds no key of an account that may do this.
    error Accounts_NotPermitted(address caller);
    /// The account or organisation is in a state from which this does not follow.
    error Accounts_WrongState(bytes32 id, uint8 state);
    /// The account is frozen by its guardians.
    error Accounts_Frozen(bytes32 account);

    // --- Accounts: keys, guardians, recovery -----------------------------------------------

    /// Only a patient's account can do or be this.
    error Accounts_NotPatient(bytes32 account);
    /// Nothing of this kind is waiting for the account.
    error Accounts_NothingPending(bytes32 account);
    /// The waiting time is not over.
    error Accounts_TooEarly(bytes32 account, uint64 readyAt);
    /// The guardian set is malformed: threshold over count, or a root without guardians.
    error Accounts_GuardiansMalformed(uint8 count, uint8 threshold);
    /// The account has no guardians.
    error Accounts_NoGuardians(bytes32 account);
    /// Fewer guardians signed than the threshold asks for.
    error Accounts_TooFewGuardians(uint256 given, uint8 threshold);
    /// This signer, salt and path do not lead to the account's guardian root.
    error Accounts_NotGuardian(address signer);
    /// Guardians must be given in strictly ascending order of address, so that none counts twice.
    error Accounts_GuardiansUnordered(address signer);
    /// An attested recovery is waiting; guardians cannot replace it.
    error Accounts_AttestedPending(bytes32 account);
    /// The owner vetoed once already; a second veto under the same guardians does not exist.
    error Accounts_VetoSpent(bytes32 account);
    /// A recovery attested by two organisations cannot be vetoed.
    error Accounts_VetoRefused(bytes32 account);

    /// The owner's signature was made for another place in the order of what the owner signs.
    error Accounts_WrongNonce(bytes32 account, uint256 current, uint256 signed);

    // --- Accounts: vaults ------------------------------------------------------------------

    /// The vault tag is in use.
    error Accounts_VaultExists(bytes32 tag);
    /// No vault with this tag.
    error Accounts_VaultUnknown(bytes32 tag);
    /// m and n must hold 2 <= m <= n <= 64.
    error Accounts_VaultMalformed(uint8 m, uint8 n);
    /// A vault's next epoch follows the present one.
    error Accounts_WrongEpoch(bytes32 tag, uint32 present);
    /// The vault has its control account already; it is set once.
    error Accounts_VaultSet(bytes32 tag);

    // --- Signatures, in every contract that takes them -------------------------------------

    /// The signature's deadline has passed.
    error Signatures_Expired(uint256 deadline);
    /// Not a 65-byte low-s secp256k1 signature, or not by the key that must sign.
    error Signatures_Invalid(address signer);
    /// The nonce was used before for this vault.
    error Signatures_NonceUsed(bytes32 tag, uint256 nonce);
    /// Exactly two attestations are needed.
    error Signatures_AttestationCount(uint256 given);
    /// The attesting key is not an active Administrator or Agent of a verified organisation.
    error Signatures_NotAttestor(address signer);
    /// Both attestations come from one organisation.
    error Signatures_SameOrganisation(bytes32 organisation);
    /// Neither attestation is by the organisation that knows the person (it opened the vault, or
    /// is the account's), and that one is not suspended.
    error Signatures_WitnessMissing(bytes32 organisation);

    // --- Consents --------------------------------------------------------------------------

    /// A handle or commitment that must not be zero is zero.
    error Consents_Zero();
    /// The caller or signer does not hold the vault's control key.
    error Consents_NotControl(bytes32 tag, address caller);
    /// The vault's control account is not active (unverified, suspended or frozen).
    error Consents_ControlInactive(bytes32 tag);
    /// The handle was granted, opened, revoked or burned before in this vault.
    error Consents_HandleUsed(bytes32 tag, bytes32 handle);
    /// The handle is revoked already.
    error Consents_AlreadyRevoked(bytes32 tag, bytes32 handle);
    /// The signature was made for another generation of the vault.
    error Consents_WrongGeneration(bytes32 tag, uint64 current, uint64 signed);
    /// An emergency must last 1 second to 3 days and leave at least 1 second for its review.
    error Consents_LimitsMalformed(uint64 openSeconds, uint64 reviewSeconds);
    /// Only an active doctor or nurse of a verified hospital opens an emergency.
    error Consents_NotClinician(address caller);
    /// No vault with this tag.
    error Consents_VaultUnknown(bytes32 tag);
    /// The organisation opened as many emergencies today as it may.
    error Consents_QuotaSpent(bytes32 organisation, uint64 day);
    /// An earlier emergency of the organisation waits for its review, which is overdue.
    error Consents_ReviewOverdue(bytes32 organisation, bytes32 tag, bytes32 handle);
    /// No emergency under this handle.
    error Consents_NotEmergency(bytes32 tag, bytes32 handle);
    /// The emergency was reviewed before.
    error Consents_AlreadyReviewed(bytes32 tag, bytes32 handle);
    /// The outcome is neither 1 (justified) nor 2 (unjustified).
    error Consents_OutcomeUnknown(uint8 outcome);
    /// Only an active Administrator of the organisation that opened it reviews an emergency.
    error Consents_NotReviewer(address caller);

    // --- Records ---------------------------------------------------------------------------

    /// The caller is not an active Agent of a verified organisation.
    error Records_NotAgent(address caller);
    /// A root must not be zero and a batch has at least one leaf.
    error Records_EmptyBatch();
    /// The pointer to the manifest list must have 1 to 96 bytes.
    error Records_PointerLength(uint256 length);
    /// This batch is anchored already; nothing changed.
    error Records_AlreadyAnchored(bytes32 batchId);
    /// No batch with this id.
    error Records_BatchUnknown(bytes32 batchId);
    /// The batch was anchored by another organisation.
    error Records_NotAuthor(bytes32 batchId, bytes32 organisation);
    /// Leaf, index and path do not lead to the batch's root.
    error Records_NotInBatch(bytes32 batchId, bytes32 leaf);
    /// The leaf is superseded or erased already, or would supersede itself.
    error Records_WrongStatus(bytes32 leaf, uint8 status);

    // --- AuditLog --------------------------------------------------------------------------

    /// The caller is not an active Agent of a verified organisation.
    error AuditLog_NotAgent(address caller);
    /// A root must not be zero and a batch has at least one leaf.
    error AuditLog_EmptyBatch();
    /// The sequence number is not the next one.
    error AuditLog_Gap(bytes32 organisation, uint64 expected, uint64 given);
    /// The previous root is not the head's root.
    error AuditLog_Fork(bytes32 organisation, bytes32 expected, bytes32 given);

    // --- Statements ------------------------------------------------------------------------

    /// A root stays recent for 1 second to 7 days.
    error Statements_RecentMalformed(uint64 recentSeconds);
    /// The kind of statement is not one of 1..3.
    error Statements_KindUnknown(uint8 kind);
    /// The caller is not an active Agent of a verified organisation that issues this kind.
    error Statements_NotIssuer(uint8 kind, address caller);
    /// A root is an element of the field and not zero.
    error Statements_NotElement(uint256 batchRoot);
    /// The organisation has this root in the forest already; nothing changed.
    error Statements_AlreadyInserted(uint8 kind, bytes32 organisation, uint256 batchRoot);
    /// No place is left in the kind's forest; governance begins a new one.
    error Statements_ForestFull(uint8 kind);

    // --- Prescriptions ---------------------------------------------------------------------

    /// The caller is not an active Agent of a verified pharmacy or hospital.
    error Prescriptions_NotDispenser(address caller);
    /// The proof's forest root is not recent: prove again under a newer one.
    error Prescriptions_RootNotRecent(uint256 root);
    /// Something else was dispensed meanwhile; nothing changed. Ask for the state and prove again.
    error Prescriptions_Moved(uint256 tag, uint16 part);
    /// The prescription is bound to another pharmacy.
    error Prescriptions_BoundElsewhere(uint256 tag);
    /// The prescription is not bound to the caller's organisation.
    error Prescriptions_NotBound(uint256 tag);
    /// The prescription was cancelled.
    error Prescriptions_Cancelled(uint256 tag);
    /// A step dispenses more than nothing, up to 10,000 parts in all.
    error Prescriptions_PartMalformed(uint16 partBefore, uint16 partAfter);
    /// The proof does not show that this step is allowed, today, to the caller.
    error Prescriptions_ProofRefused(uint256 tag);
    /// The secret is no element of the field.
    error Prescriptions_NotElement(uint256 secret);

    // --- Studies ---------------------------------------------------------------------------

    /// The caller is not an active Agent of a verified hospital or research organisation, or not of
    /// the study's sponsor.
    error Studies_NotSponsor(address caller);
    /// The caller is not an active Agent of a verified organisation.
    error Studies_NotAgent(address caller);
    /// The caller is not an active Agent of the study's collector.
    error Studies_NotCollector(address caller);
    /// The caller is none of the study's approvers, not active, or of the sponsor.
    error Studies_NotApprover(address caller);
    /// The approver approved already, or has nothing to retract.
    error Studies_Decided(bytes32 study, bytes32 account);
    /// Digests must not be zero, a study ends after it begins, at most 3,653 days later, and has 1 to
    /// 8 criteria and 1 to 32 approvers, ascending, of whom `threshold` decide.
    error Studies_Malformed();
    /// The study is registered already; nothing changed.
    error Studies_Exists(bytes32 study);
    /// No study has this id.
    error Studies_Unknown(bytes32 study);
    /// The study is not approved, has not begun or is over.
    error Studies_NotRunning(bytes32 study);
    /// The tag is zero or takes part in something already.
    error Studies_TagUsed(bytes32 tag);
    /// The tag was withdrawn, for ever.
    error Studies_Withdrawn(bytes32 tag);
    /// The tag does not take part in this study.
    error Studies_NotMember(bytes32 study, bytes32 tag);
    /// A release has digests, ends later than now, and names 1 to 2,000 tags in ascending order.
    error Studies_ReleaseMalformed(bytes32 study);
    /// The proof's forest root is not recent: prove again under a newer one.
    error Studies_RootNotRecent(uint256 root);
    /// The proofs do not show that the holder of one key meets all criteria today.
    error Studies_ProofRefused(bytes32 study, uint256 nullifier);

    // --- Tags ------------------------------------------------------------------------------

    /// The part would fall, or exceed the whole.
    error Tags_PartRefused(uint256 tag, uint16 part, uint16 next);
    /// The tag is closed, for ever.
    error Tags_Closed(uint256 tag);
    /// The nullifier was spent before.
    error Nullifiers_Spent(address owner, uint256 nullifier);

    // --- Claims ----------------------------------------------------------------------------

    /// A state of a claim waits for longer than nothing.
    error Claims_TimesMalformed();
    /// The caller is not an active Agent of a verified hospital.
    error Claims_NotProvider(address caller);
    /// The organisation is not a verified insurer.
    error Claims_NotPayer(bytes32 payer);
    /// The caller is not an active Agent of the claim's provider or payer, whose turn it is.
    error Claims_NotSide(bytes32 organisation, address caller);
    /// The caller is not an active Agent of a side that may reverse the claim in its state.
    error Claims_NotParty(uint256 claim, address caller);
    /// The organisation enrolled before, or another one has this number.
    error Claims_EnrolledAlready(bytes32 organisation);
    /// The organisation has not enrolled.
    error Claims_NotEnrolled(bytes32 organisation);
    /// The number is zero or no element of the field.
    error Claims_NotElement(uint256 holder);
    /// The proof's forest root is not recent: prove again under a newer one.
    error Claims_RootNotRecent(uint256 root);
    /// The proof does not show this of the claim.
    error Claims_ProofRefused(uint256 claim);

    // --- ClaimBook -------------------------------------------------------------------------

    /// The payer has a claim of this encounter that is not reversed.
    error ClaimBook_ClaimedAlready(uint256 claim);
    /// Something else was claimed or freed of the encounter meanwhile; nothing changed. Ask for the
    /// total and prove again.
    error ClaimBook_Moved(uint256 tag, uint256 total);
    /// The claim cannot go from this state to that one.
    error ClaimBook_NoEdge(uint256 claim, uint8 from, uint8 to);
    /// A commitment is missing, or given where none can be.
    error ClaimBook_NoAmount();
    /// The decision is final: accepted, or the time to appeal is over.
    error ClaimBook_Final(uint256 claim);
    /// The decision can be appealed still, or there is none.
    error ClaimBook_NotFinal(uint256 claim);
    /// The claim was appealed as often as it can be.
    error ClaimBook_AppealsSpent(uint256 claim);
    /// The claim counts no more than what is kept.
    error ClaimBook_NothingToFree(uint256 claim);
    /// This is not the secret behind the patient's hash.
    error ClaimBook_NotVoice(uint256 claim);

    // --- Pause -----------------------------------------------------------------------------

    /// The verb is paused until the given time (Unix seconds).
    error Pause_Paused(bytes4 verb, uint64 until);
    /// This verb can never be paused.
    error Pause_NotPausable(bytes4 verb);
    /// The verb was paused too recently to be paused again.
    error Pause_CoolingDown(bytes4 verb, uint64 until);
    /// The verb is not paused.
    error Pause_NotPaused(bytes4 verb);

    // --- Administrators --------------------------------------------------------------------

    /// The caller is not a member.
    error Administrators_NotMember(address caller);
    /// Members change by the timelock alone.
    error Administrators_NotTimelock(address caller);
    /// Members must be 1..32 non-zero, distinct addresses; 1 <= alarm <= threshold <= members.
    error Administrators_Malformed();
    /// The proposal exists already.
    error Administrators_ProposalExists(bytes32 id);
    /// No open proposal with this id (never made, executed, expired or from an earlier term).
    error Administrators_ProposalUnknown(bytes32 id);
    /// This member confirmed, or raised this alarm, already.
    error Administrators_AlreadyConfirmed(bytes32 id, address member);
    /// This member did not confirm.
    error Administrators_NotConfirmed(bytes32 id, address member);
    /// Fewer members confirmed than the threshold asks for.
    error Administrators_TooFew(bytes32 id, uint256 confirmed, uint256 threshold);
}
