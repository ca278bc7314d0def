// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Accounts: organisations, people, their keys, and vaults
/// @notice Who exists on the network, in which role, whether verified, and which account controls
/// which vault. Ids are 32 random bytes; nothing here says who a person is.
///
/// Roles: 1 patient, 2 doctor, 3 nurse, 4 pharmacist, 5 insurer, 6 researcher, 7 administrator,
/// 8 agent (an organisation's own software). Kinds: 1 hospital, 2 pharmacy, 3 insurer, 4 research.
/// States of organisations and accounts: 0 none, 1 pending, 2 verified, 3 suspended.
///
/// An account is *active* when it is verified, not frozen, and its organisation is verified. A key
/// belongs to at most one account, ever: a key that was rotated away or recovered from is spent.
///
/// EIP-712 domain: name "SIMDES Accounts", version "1", chain id, this proxy's address. Types:
///   Freeze(bytes32 account,uint256 nonce,uint256 deadline)
///   Recover(bytes32 account,address key,uint256 nonce,uint256 deadline)
///   AttestRecovery(bytes32 account,address key,uint256 nonce,uint256 deadline)
///   ClaimVault(bytes32 tag,bytes32 account,uint256 deadline)
///   AttestVault(bytes32 tag,bytes32 account,uint256 deadline)
/// `nonce` is the account's `guardianNonce`; deadlines are Unix seconds, inclusive.
/// By the account's own key, with `ownerNonce` as `nonce`:
///   RotateKey(bytes32 account,address key,uint256 nonce,uint256 deadline)
///   CancelRotation(bytes32 account,address key,uint256 nonce,uint256 deadline)
///   SetGuardians(bytes32 account,bytes32 root,uint8 count,uint8 threshold,uint256 nonce,uint256 deadline)
///   CancelGuardians(bytes32 account,bytes32 root,uint256 nonce,uint256 deadline)
///   VetoRecovery(bytes32 account,address key,uint256 nonce,uint256 deadline)
///
/// Guardians are a Merkle tree as in the anchor format (node keccak256(0x01 || left || right), odd
/// node promoted) over leaves keccak256(0x03 || salt || guardian address left-padded to 32 bytes).
interface IAccounts {
    /// An organisation. `since` is when it entered its present state.
    struct Organisation {
        uint8 kind;
        uint8 state;
        uint64 since;
        bytes32 descriptor;
        bytes32 firstAdministrator;
    }

    /// An account. `since` is when it entered its present state; `vetoed` says that the veto
    /// against the present guardians is spent; `guardianNonce` enters the next guardian signature.
    struct Account {
        bytes32 organisation;
        address key;
        uint8 role;
        uint8 state;
        bool frozen;
        bool vetoed;
        uint64 since;
        uint32 guardianNonce;
        uint8 guardianCount;
        uint8 guardianThreshold;
        bytes32 guardiansRoot;
    }

    /// A vault. `control` is the controlling account, zero while provisional.
    struct Vault {
        bytes32 organisation;
        bytes32 descriptor;
        bytes32 control;
        uint8 m;
        uint8 n;
        uint32 epoch;
        uint64 since;
    }

    /// The next epoch of a vault: who its custodians will be (`descriptor`, `m` of `n`), which
    /// organisation sees to it, until when.
    struct Renewal {
        bytes32 tag;
        uint32 epoch;
        bytes32 descriptor;
        uint8 m;
        uint8 n;
        bytes32 organisation;
        uint256 deadline;
    }

    /// All that another contract needs to judge a caller, in one call. All zero: not registered.
    struct Standing {
        bytes32 account;
        bytes32 organisation;
        uint8 role;
        uint8 accountState;
        uint8 organisationState;
        bool frozen;
    }

    /// A key waiting to take over (rotation or recovery); `readyAt` zero: nothing waits.
    struct PendingKey {
        address key;
        uint64 readyAt;
        bool attested;
    }

    /// A guardian set waiting to take over; `readyAt` zero: nothing waits.
    struct PendingGuardians {
        bytes32 root;
        uint8 count;
        uint8 threshold;
        uint64 readyAt;
    }

    /// The owner's signature over one of the five types above, with its nonce and deadline.
    struct Permit {
        uint256 nonce;
        uint256 deadline;
        bytes signature;
    }

    /// One guardian's signature and the proof that the signer is a guardian.
    struct GuardianProof {
        bytes32 salt;
        uint256 index;
        bytes32[] path;
        bytes signature;
    }

    /// A new organisation with its first Administrator account, both pending.
    event OrganisationRegistered(
        bytes32 indexed organisation, bytes32 indexed account, uint8 kind, bytes32 descriptor
    );
    /// The organisation is verified (also after a suspension).
    event OrganisationVerified(bytes32 indexed organisation);
    /// The organisation is suspended; none of its accounts is active from here on.
    event OrganisationSuspended(bytes32 indexed organisation);
    /// The digest of the organisation's signed descriptor changed.
    event DescriptorSet(bytes32 indexed organisation, bytes32 descriptor);
    /// A new account, pending. Also emitted for an organisation's first Administrator.
    event AccountRegistered(
        bytes32 indexed account, bytes32 indexed organisation, address indexed key, uint8 role
    );
    /// The account is verified (also after a suspension).
    event AccountVerified(bytes32 indexed account, bytes32 indexed organisation);
    /// The account is suspended.
    event AccountSuspended(bytes32 indexed account, bytes32 indexed organisation);

    /// A key change asked for by the present key waits until `readyAt`. Replaces an earlier one.
    event KeyRotationRequested(bytes32 indexed account, address indexed key, uint64 readyAt);
    /// The waiting key change is gone (by the owner, a freeze or a recovery).
    event KeyRotationCancelled(bytes32 indexed account);
    /// The account's key changed, by rotation.
    event KeyRotated(bytes32 indexed account, address indexed from, address indexed to);
    /// A guardian set waits until `readyAt`. Replaces an earlier one.
    event GuardiansRequested(
        bytes32 indexed account, bytes32 root, uint8 count, uint8 threshold, uint64 readyAt
    );
    /// The waiting guardian set is gone (by the owner, a freeze or a recovery).
    event GuardiansCancelled(bytes32 indexed account);
    /// The guardian set changed; the owner has a veto again.
    event GuardiansSet(bytes32 indexed account, bytes32 root, uint8 count, uint8 threshold);
    /// k guardians froze the account; `nonce` is the guardian nonce they used.
    event AccountFrozen(bytes32 indexed account, uint32 nonce);
    /// A recovery waits until `readyAt`; replaces an earlier one. `nonce` as above.
    event RecoveryRequested(
        bytes32 indexed account, address indexed key, uint64 readyAt, bool attested, uint32 nonce
    );
    /// The owner used the veto (`vetoed` true), or a new guardian set took the recovery away.
    event RecoveryCancelled(bytes32 indexed account, bool vetoed);
    /// The account's key changed, by recovery; it is no longer frozen and has a veto again.
    event AccountRecovered(bytes32 indexed account, address indexed from, address indexed to);

    /// A relayed signature of the owner was taken; the account's next one has the nonce after it.
    event OwnerSigned(bytes32 indexed account, uint256 nonce);

    /// A provisional vault, epoch 1.
    event VaultOpened(
        bytes32 indexed tag,
        bytes32 indexed organisation,
        bytes32 descriptor,
        uint8 m,
        uint8 n,
        uint32 epoch
    );
    /// The vault's next epoch: `organisation` saw to it that the new custodians have their shares.
    event VaultRenewed(
        bytes32 indexed tag,
        bytes32 indexed organisation,
        bytes32 descriptor,
        uint8 m,
        uint8 n,
        uint32 epoch
    );
    /// The vault has its control account, for good.
    event VaultSet(bytes32 indexed tag, bytes32 indexed account);

    /// @notice Register an organisation; the caller's address becomes the key of its first
    /// Administrator. Both are pending until governance verifies the organisation.
    /// @param organisation 32 random bytes
    /// @param kind 1..4
    /// @param descriptor sha256 of the signed descriptor in the content store
    /// @param account 32 random bytes, the first Administrator's account id
    function registerOrganisation(
        bytes32 organisation,
        uint8 kind,
        bytes32 descriptor,
        bytes32 account
    ) external;

    /// @notice Replace the descriptor of the caller's organisation. Caller: an active
    /// Administrator or Agent.
    function setDescriptor(bytes32 descriptor) external;

    /// @notice Register an account, pending. Caller: an active Administrator or Agent of the
    /// organisation, or the pending first Administrator of a pending one.
    function register(bytes32 account, bytes32 organisation, uint8 role, address key) external;

    /// @notice Verify a pending or suspended organisation; a pending first Administrator is
    /// verified with it. Caller: governance.
    function verifyOrganisation(bytes32 organisation) external;

    /// @notice Suspend an organisation. Caller: governance.
    function suspendOrganisation(bytes32 organisation) external;

    /// @notice Verify a pending or suspended account. Caller: an active Administrator of its
    /// organisation other than the account itself, or governance.
    function verify(bytes32 account) external;

    /// @notice Suspend a pending or verified account. Callers as in `verify`, an Administrator's
    /// own account included.
    function suspend(bytes32 account) external;

    /// @notice Ask for a new key for the caller's account; takes effect by `completeRotation`
    /// after the delay. Caller: an active account.
    function rotateKey(address key) external;
    /// @notice As `rotateKey`, signed by the account's key, relayed by anybody. So with each verb
    /// by signature: the rules are those of its direct form, for the signer.
    function rotateKeyBySig(bytes32 account, address key, Permit calldata permit) external;
    /// @notice Withdraw a waiting rotation. Caller: the account's key, not frozen.
    function cancelRotation() external;
    /// @notice As `cancelRotation`, by signature: of the rotation to this key and no other.
    function cancelRotationBySig(bytes32 account, address key, Permit calldata permit) external;
    /// @notice Put a waiting key in force. Anybody, after the delay; the account must be verified.
    function completeRotation(bytes32 account) external;

    /// @notice Ask for a guardian set for the caller's account; takes effect by
    /// `completeGuardians` after the delay. root, count and threshold all zero: no guardians.
    function setGuardians(bytes32 root, uint8 count, uint8 threshold) external;
    /// @notice As `setGuardians`, by signature.
    function setGuardiansBySig(
        bytes32 account,
        bytes32 root,
        uint8 count,
        uint8 threshold,
        Permit calldata permit
    ) external;
    /// @notice Withdraw a waiting guardian set. Caller: the account's key, not frozen.
    function cancelGuardians() external;
    /// @notice As `cancelGuardians`, by signature: of the set with this root and no other.
    function cancelGuardiansBySig(bytes32 account, bytes32 root, Permit calldata permit) external;
    /// @notice Put a waiting guardian set in force; a waiting recovery by the former guardians is
    /// cancelled. Anybody, after the delay; the account must be verified.
    function completeGuardians(bytes32 account) external;

    /// @notice Freeze an account at once: no grant, rotation or veto by its key; waiting rotations
    /// and guardian sets are cancelled; revoking goes on. Relayed by anybody, signed by k guardians.
    /// Never paused.
    function freeze(bytes32 account, uint256 deadline, GuardianProof[] calldata proofs) external;
    /// @notice Start a recovery signed by k guardians; the owner may veto one.
    function recover(
        bytes32 account,
        address key,
        uint256 deadline,
        GuardianProof[] calldata proofs
    ) external;
    /// @notice Start a recovery of a patient's account attested by active Administrators or Agents
    /// of two verified organisations, one of them the account's unless that is suspended; cannot
    /// be vetoed.
    function recoverAttested(
        bytes32 account,
        address key,
        uint256 deadline,
        bytes[] calldata attestations
    ) external;
    /// @notice Veto the waiting recovery of the caller's account. Once per guardian set.
    function vetoRecovery() external;
    /// @notice As `vetoRecovery`, by signature: of the recovery to this key and no other.
    function vetoRecoveryBySig(bytes32 account, address key, Permit calldata permit) external;
    /// @notice Put the recovered key in force and lift a freeze. Anybody, after the delay.
    function completeRecovery(bytes32 account) external;

    /// @notice Open a provisional vault, epoch 1. Caller: an active Agent.
    /// @param tag 32 random bytes
    /// @param descriptor sha256 of the vault descriptor in the content store
    /// @param m shares needed to open, 2 <= m <= n
    /// @param n custodians, at most 64
    function openVault(bytes32 tag, bytes32 descriptor, uint8 m, uint8 n) external;

    /// @notice Set the account that controls a vault, once. Relayed by anybody.
    /// @param account an active patient account
    /// @param signature ClaimVault by the account's key
    /// @param attestations AttestVault by active Administrators or Agents of two organisations, one
    /// of them the one that opened the vault unless that is suspended
    function setVault(
        bytes32 tag,
        bytes32 account,
        uint256 deadline,
        bytes calldata signature,
        bytes[] calldata attestations
    ) external;

    /// @notice Give a vault its next epoch. Caller: an active Agent of `next.organisation`, once the
    /// new custodians hold their shares. Old custodians ask this function, by a call that changes
    /// nothing, whether they may deal theirs: what it allows is agreed.
    /// @param next the epoch after the present one; the other fields as in `openVault`
    /// @param signatures RenewVault over `next`: by the key of the active control account alone, or,
    /// while there is none, by active Administrators or Agents of two organisations, one of them
    /// the one that opened the vault unless that is suspended
    function renewVault(Renewal calldata next, bytes[] calldata signatures) external;

    /// @notice An organisation; all zero if unknown.
    function organisation(bytes32 id) external view returns (Organisation memory);
    /// @notice An account; all zero if unknown.
    function account(bytes32 id) external view returns (Account memory);
    /// @notice A vault; all zero if unknown.
    function vault(bytes32 tag) external view returns (Vault memory);
    /// @notice The account whose present key this is; zero if none.
    function accountOf(address key) external view returns (bytes32);
    /// @notice The account whose key this is or ever was; zero if none.
    function holderOf(address key) external view returns (bytes32);
    /// @notice Whether this is the present key of an active account.
    function isActive(address key) external view returns (bool);
    /// @notice Account, organisation, role and states behind a present key.
    function standing(address key) external view returns (Standing memory);
    /// @notice The waiting rotation of an account.
    function pendingRotation(bytes32 id) external view returns (PendingKey memory);
    /// @notice The waiting guardian set of an account.
    function pendingGuardians(bytes32 id) external view returns (PendingGuardians memory);
    /// @notice The waiting recovery of an account.
    function pendingRecovery(bytes32 id) external view returns (PendingKey memory);
    /// @notice The nonce of the owner's next signature. They follow one another, so that what was
    /// signed and held back is worth nothing once the owner signed something else.
    function ownerNonce(bytes32 id) external view returns (uint256);
    /// @notice Seconds that rotations, guardian sets and recoveries wait.
    function delaySeconds() external view returns (uint64);
}
