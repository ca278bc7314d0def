// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ICondition
/// @notice What a consent may hang on: it counts only while the condition is open.
interface ICondition {
    /// @notice Whether the thing with this id is still open.
    function isOpen(bytes32 id) external view returns (bool);
}

/// @title Consents: who may read what, and emergencies
/// @notice `isAllowed` is the one rule. The chain keeps handle => (commitment, state); terms and
/// salt travel sealed and enter `isAllowed` by `eth_call` alone. A handle is 32 random bytes,
/// never zero, and belongs to the vault it is used with: (tag, handle) is the key of a consent.
///
/// EIP-712 domain: name "SIMDES Consents", version "1", chain id, this proxy's address. Types:
///   Grant(bytes32 tag,bytes32 handle,bytes32 commitment,bytes32 pointer,uint64 generation,uint256 nonce,uint256 deadline)
///   Revoke(bytes32 tag,bytes32 handle,uint256 nonce,uint256 deadline)
///   RevokeAll(bytes32 tag,uint64 generation,uint256 nonce,uint256 deadline)
/// `generation` is the vault's generation at signing time. Nonces are any unused uint256, kept as
/// bitmaps per vault. Deadlines are Unix seconds, inclusive.
interface IConsents {
    /// Answer of `isAllowed`; the first reason that applies, in this contract's order of checks.
    enum Reason {
        Allowed, // 0
        UnknownActor, // 1 the address is no account's present key
        InactiveActor, // 2 the account is pending, suspended or frozen
        InactiveOrganisation, // 3 its organisation is not verified
        UnknownVault, // 4
        UnknownHandle, // 5 never seen in this vault
        Revoked, // 6
        OldGeneration, // 7 revokeAll came after it
        TermsMismatch, // 8 salt and terms do not open the commitment
        WrongGrantee, // 9
        WrongRole, // 10
        Purpose, // 11
        Category, // 12
        Label, // 13 the record has a label that the terms do not open
        NotYet, // 14 before notBefore
        Expired, // 15 at or after expiry
        Record, // 16 not among the listed records
        ConditionClosed, // 17
        EmergencyOver // 18 its time is over, or its review found it unjustified
    }

    /// What was agreed. commitment = keccak256(abi.encode(salt, terms)), twelve 32-byte words.
    struct Terms {
        uint8 granteeKind; // 1 account, 2 organisation, 3 role in organisation
        bytes32 grantee; // account id, or organisation id
        uint8 granteeRole; // for kind 3
        uint64 categories; // bit c: category c
        uint64 labels; // sensitivity labels that are opened
        uint16 purposes; // bit p: purpose p
        uint64 notBefore; // Unix seconds, inclusive
        uint64 expiry; // Unix seconds, exclusive
        bytes32 records; // Merkle root of record ids, or zero: no such limit
        address condition; // ICondition, or zero
        bytes32 conditionId;
    }

    /// What is asked. `recordProof` is used when terms.records is set: sibling hashes of leaf
    /// keccak256(0x04 || record); node keccak256(0x01 || smaller || larger); odd node promoted.
    struct Request {
        bytes32 vault;
        bytes32 record;
        bytes32[] recordProof;
        address actor;
        uint8 category;
        uint64 labels;
        uint8 purpose;
        uint64 time; // Unix seconds; a custodian gives the later of its clock and its head's time
    }

    /// A consent or emergency. state: 0 never seen, 1 granted, 2 revoked (or burned), 3 emergency.
    struct Consent {
        bytes32 commitment;
        uint8 state;
        uint64 generation;
        uint64 since;
    }

    /// An emergency. outcome: 0 not reviewed, 1 justified, 2 unjustified.
    struct Emergency {
        bytes32 account;
        bytes32 organisation;
        uint64 openedAt;
        uint64 until;
        uint64 reviewDue;
        uint8 outcome;
    }

    /// A signature that anybody may relay.
    struct Permit {
        uint256 nonce;
        uint256 deadline;
        bytes signature;
    }

    /// A consent under `handle`; `pointer` is the sha256 of the block with the sealed terms.
    event Granted(
        bytes32 indexed tag,
        bytes32 indexed handle,
        bytes32 commitment,
        bytes32 pointer,
        uint64 generation
    );
    /// The handle is closed for good, whether it had been seen or not.
    event Revoked(bytes32 indexed tag, bytes32 indexed handle);
    /// Everything of earlier generations is closed; `generation` is the new one.
    event RevokedAll(bytes32 indexed tag, uint64 generation);
    /// A clinician opened an emergency. Custodians notify the patient on this event.
    event EmergencyOpened(
        bytes32 indexed tag,
        bytes32 indexed handle,
        bytes32 indexed organisation,
        bytes32 account,
        bytes32 reasonDigest,
        uint64 openedAt,
        uint64 until,
        uint64 reviewDue,
        uint64 generation
    );
    /// An emergency was reviewed.
    event EmergencyReviewed(
        bytes32 indexed tag,
        bytes32 indexed handle,
        bytes32 indexed organisation,
        bytes32 reviewer,
        uint8 outcome
    );
    /// A relayed signature's nonce is spent.
    event NonceUsed(bytes32 indexed tag, uint256 nonce);

    /// @notice Give consent. Caller: the key of the vault's control account, active.
    function grant(bytes32 tag, bytes32 handle, bytes32 commitment, bytes32 pointer) external;
    /// @notice As `grant`, signed by the control key, relayed by anybody.
    function grantBySig(
        bytes32 tag,
        bytes32 handle,
        bytes32 commitment,
        bytes32 pointer,
        uint64 generation_,
        Permit calldata permit
    ) external;

    /// @notice Close a handle for good; an unseen one is burned. Caller: the key of the vault's
    /// control account, in whatever state. Never paused.
    function revoke(bytes32 tag, bytes32 handle) external;
    /// @notice As `revoke`, signed by the control key, relayed by anybody.
    function revokeBySig(bytes32 tag, bytes32 handle, Permit calldata permit) external;

    /// @notice Close everything granted or opened so far. Callers as in `revoke`. Never paused.
    function revokeAll(bytes32 tag) external;
    /// @notice As `revokeAll`, signed by the control key, relayed by anybody.
    function revokeAllBySig(bytes32 tag, uint64 generation_, Permit calldata permit) external;

    /// @notice Break glass. Caller: an active doctor or nurse of a verified hospital, within its
    /// quota of the day and with no overdue review.
    /// @param reasonDigest salted digest of the coded reason
    function openEmergency(bytes32 tag, bytes32 handle, bytes32 reasonDigest) external;
    /// @notice Review an emergency; outcome 2 (unjustified) closes it at once. Caller: an active
    /// Administrator of the organisation that opened it.
    function reviewEmergency(bytes32 tag, bytes32 handle, uint8 outcome) external;

    /// @notice The one rule. The control account with purpose PATRQT needs no handle. A handle of
    /// an emergency needs purpose ETREAT and ignores terms and salt.
    function isAllowed(bytes32 handle, Terms calldata terms, bytes32 salt, Request calldata request)
        external
        view
        returns (bool allowed, Reason reason);

    /// @notice A consent; all zero if the handle was never seen in this vault.
    function consent(bytes32 tag, bytes32 handle) external view returns (Consent memory);
    /// @notice An emergency; all zero if there is none under this handle.
    function emergency(bytes32 tag, bytes32 handle) external view returns (Emergency memory);
    /// @notice The vault's generation; 0 until the first `revokeAll`.
    function generation(bytes32 tag) external view returns (uint64);
    /// @notice Whether a nonce is spent for a vault.
    function isNonceUsed(bytes32 tag, uint256 nonce) external view returns (bool);
    /// @notice Emergencies that an organisation opened on a day (Unix seconds / 86,400).
    function emergenciesOn(bytes32 organisation, uint64 day) external view returns (uint32);
    /// @notice Quota per organisation and day, seconds an emergency lasts, seconds until its
    /// review is overdue.
    function emergencyLimits()
        external
        view
        returns (uint32 quota, uint64 openSeconds, uint64 reviewSeconds);
}
