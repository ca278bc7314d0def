// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IClaimBook} from "./IClaimBook.sol";

/// @title Claims: insurance claims that are unique and within cost, without telling what for
/// @notice A provider claims for an encounter under a tag that it alone can compute. A proof shows
/// that the encounter's cost was stated, that the claim's lines sum to its amount, and that all
/// claims of the encounter stay within its cost; another, that no more is paid than claimed.
/// Amounts are commitments. States, edges and who may move them: docs/formats/claims.md
interface IClaims {
    /// How long a state waits for the provider, for the payer, and for an appeal, in seconds.
    struct Times {
        uint64 answer;
        uint64 decide;
        uint64 appeal;
    }

    /// A claim as its provider proves it; `voice` is the hash of the patient's secret, or zero.
    struct Opening {
        uint256 root; // of the forest of encounters, recent
        uint256 tag;
        bytes32 payer;
        uint256 before; // what is claimed of the encounter in all, zero before the first claim
        uint256 afterwards;
        uint256 claimed;
        bytes32 voice;
        uint256[8] proof;
    }

    event Enrolled(bytes32 indexed organisation, uint256 holder);
    event Dismissed(bytes32 indexed organisation);
    event ClaimOpened(
        uint256 indexed claim,
        bytes32 indexed provider,
        bytes32 indexed payer,
        uint256 tag,
        uint256 claimed,
        uint256 total
    );
    event ClaimDisclosed(uint256 indexed claim);
    event ClaimReceived(uint256 indexed claim);
    event ClaimAsked(uint256 indexed claim);
    event ClaimAdjudicated(
        uint256 indexed claim, uint8 outcome, uint256 approved, bytes32 reason, uint64 due
    );
    event ClaimAccepted(uint256 indexed claim);
    event ClaimAppealed(uint256 indexed claim);
    event ClaimPaid(uint256 indexed claim, uint256 paid, bool whole);
    event ClaimReversed(uint256 indexed claim, bytes32 indexed by);
    event ClaimFreed(uint256 indexed claim, uint256 indexed tag, uint256 kept, uint256 total);

    /// @notice Say, once, whose encounters the organisation's are: the hash of its secret. Caller:
    /// an active Agent of a verified hospital.
    function enrol(uint256 holder) external;
    /// @notice Let an organisation that lost its secret enrol anew. Governance.
    function dismiss(bytes32 organisation) external;

    /// @notice Open a claim. Caller: as for enrol, of an organisation that enrolled. Of several at
    /// once that start from one total exactly one succeeds.
    function open(Opening calldata opening) external returns (uint256 claim);
    /// @notice The payer was given what it needs. Caller of this and of accept, appeal and free: an
    /// active Agent of the claim's provider.
    function disclose(uint256 claim) external;
    /// @notice The payer has it. Caller of this and of ask, adjudicate and settle: an active Agent
    /// of the claim's payer.
    function acknowledge(uint256 claim) external;
    /// @notice The payer needs more.
    function ask(uint256 claim) external;
    /// @notice Decide: outcome 5 (approved as claimed), 6 (partly) or 7 (denied; then `approved` is
    /// zero and no proof is asked for). `reason` is a salted digest, zero for none.
    function adjudicate(
        uint256 claim,
        uint8 outcome,
        uint256 approved,
        bytes32 reason,
        uint256[8] calldata proof
    ) external;
    /// @notice Take a decision as final that could be appealed.
    function accept(uint256 claim) external;
    /// @notice Ask the payer to decide again.
    function appeal(uint256 claim) external;
    /// @notice The same for the patient: by anybody who shows the secret behind `voice`, which then
    /// takes its place.
    function appealFor(uint256 claim, bytes32 secret) external;
    /// @notice Say that the claim is paid: all that was approved (`whole`), or less.
    function settle(uint256 claim, uint256 paid, bool whole, uint256[8] calldata proof) external;
    /// @notice End a claim, so that another can be opened. Caller: an active Agent of its provider,
    /// unless it is paid, or of its payer once it was approved, partly approved or paid.
    function reverse(uint256 claim) external;
    /// @notice Give back what a claim counts in its encounter's total and will not be paid.
    function free(uint256 claim, uint256 before, uint256 afterwards, uint256[8] calldata proof)
        external;

    /// @notice Whether a claim goes on, for consents that end with it (ICondition). One that nobody
    /// opened does not, nor one whose present state is overdue.
    function isOpen(bytes32 claim) external view returns (bool);
    /// @notice A claim; all zero where there is none.
    function claimOf(uint256 claim) external view returns (IClaimBook.Claim memory);
    /// @notice The commitment to what is claimed of an encounter in all; zero before the first.
    function totalOf(uint256 tag) external view returns (uint256);
    /// @notice The name that the next claim of an encounter at a payer will have.
    function nextId(uint256 tag, bytes32 payer) external view returns (uint256);
    /// @notice What a claim counts once it is freed. Reverts where nothing can be freed now.
    function keptOf(uint256 claim) external view returns (uint256);
    /// @notice What an organisation enrolled; zero for nothing.
    function holderOf(bytes32 organisation) external view returns (uint256);
    /// @notice The network's times.
    function times() external view returns (Times memory);
    /// @notice What stands for this contract on this chain in its proofs.
    function context() external view returns (uint256);
}
