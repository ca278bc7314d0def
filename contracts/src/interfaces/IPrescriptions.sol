// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Prescriptions: how much of each was dispensed, without telling whose or of what
/// @notice A prescription appears under a tag that only who holds it can compute. A proof shows
/// that an issued prescription allows a step; fills of one prescription can be linked, nothing
/// else. docs/formats/statements.md
interface IPrescriptions {
    /// One step of a prescription as its holder proves it.
    struct Step {
        uint256 root; // of the forest of prescriptions, recent
        uint256 tag;
        uint16 partBefore; // of 10,000, dispensed so far
        uint16 partAfter;
        bool begins; // a new fill begins with it
        uint256[8] proof;
    }

    /// part: of 10,000; fillDay: days since 1970 when the newest fill began; pharmacy zero: any.
    struct Status {
        uint16 part;
        uint32 fillDay;
        bool cancelled;
        bytes32 pharmacy;
    }

    event Dispensed(uint256 indexed tag, bytes32 indexed pharmacy, uint16 part, uint32 fillDay);
    event PharmacyBound(uint256 indexed tag, bytes32 indexed pharmacy);
    event PharmacyReleased(uint256 indexed tag, bytes32 indexed pharmacy);
    event Cancelled(uint256 indexed tag);

    /// @notice Dispense. Caller of this and the next two: an active Agent of a verified pharmacy or
    /// hospital, for which the proof was made. Of several callers at once exactly one succeeds.
    function dispense(Step calldata step) external;
    /// @notice Bind a prescription that is nobody's to the caller's organisation (partAfter =
    /// partBefore).
    function bindPharmacy(Step calldata step) external;
    /// @notice Let a prescription that is bound to the caller's organisation go, so that another
    /// can bind it. No proof exists for a controlled substance.
    function releasePharmacy(Step calldata step) external;
    /// @notice Cancel for ever. Anybody may send it: who knows the secret is the issuer, or was
    /// asked by it.
    function cancel(uint256 secret) external;

    /// @notice Whether something can still be dispensed under a tag, for consents that end with it
    /// (ICondition): a tag that nobody knows is open.
    function isOpen(bytes32 tag) external view returns (bool);

    /// @notice What is known of a tag; all zero before the first step.
    function statusOf(uint256 tag) external view returns (Status memory);
    /// @notice What stands for this contract on this chain in its proofs.
    function context() external view returns (uint256);
    /// @notice What stands for an organisation in proofs.
    function pharmacyElement(bytes32 organisation) external pure returns (uint256);
}
