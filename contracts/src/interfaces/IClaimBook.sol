// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ClaimBook: which claims there are, how they stand, what is claimed of an encounter in all
/// @notice Kept apart from the contract that decides, which can be upgraded: whatever that becomes,
/// a claim moves along the drawn edges alone, a payer has one claim of an encounter that is not
/// reversed, and a total changes from what it is, or not at all. Amounts are commitments
/// (docs/formats/claims.md). Each caller has claims of its own.
///
/// States: 0 none, 1 opened, 2 disclosed, 3 received, 4 asked, 5 approved, 6 partly, 7 denied,
/// 8 appealed, 9 paid, 10 reversed.
interface IClaimBook {
    /// `due` is when what it waits for is late (Unix seconds); `counted` is what it counts in the
    /// encounter's total; `voice` is the hash of the patient's secret, or zero.
    struct Claim {
        uint8 state;
        uint8 appeals;
        bool accepted;
        uint64 due;
        bytes32 provider;
        bytes32 payer;
        uint256 tag;
        uint256 claimed;
        uint256 counted;
        uint256 approved;
        uint256 paid;
        bytes32 voice;
    }

    /// What a new claim is.
    struct Entry {
        uint256 tag;
        bytes32 provider;
        bytes32 payer;
        uint256 before;
        uint256 afterwards;
        uint256 claimed;
        bytes32 voice;
        uint64 due;
    }

    /// @notice Open the next claim of a tag at a payer; the tag's total goes from `before` to
    /// `afterwards`.
    function open(Entry calldata entry) external returns (uint256 id);
    /// @notice Move a claim to disclosed, received, asked, appealed or reversed.
    function move(uint256 id, uint8 to, uint64 due) external;
    /// @notice Move a claim to approved, partly (both with what is approved) or denied (with zero).
    function decide(uint256 id, uint8 to, uint256 approved, uint64 due) external;
    /// @notice Take a decision as final that could be appealed.
    function accept(uint256 id, uint64 due) external;
    /// @notice Move a claim to paid.
    function pay(uint256 id, uint256 paid) external;
    /// @notice Let the claim count what is kept of it alone; the total goes from `before` to
    /// `afterwards`.
    function free(uint256 id, uint256 before, uint256 afterwards) external;
    /// @notice Put the next hash in the place of the one whose secret was shown.
    function speak(uint256 id, bytes32 secret) external;

    /// @notice A claim of `owner`; all zero where there is none.
    function get(address owner, uint256 id) external view returns (Claim memory);
    /// @notice The commitment to what is claimed of a tag in all; zero before the first claim.
    function totalOf(address owner, uint256 tag) external view returns (uint256);
    /// @notice How many claims there were of a tag at a payer.
    function countOf(address owner, uint256 tag, bytes32 payer) external view returns (uint256);
    /// @notice The name of claim `number` (from 0) of a tag at a payer: an element of the field.
    function idOf(address owner, uint256 tag, bytes32 payer, uint256 number)
        external
        view
        returns (uint256);
    /// @notice What a claim counts once it is freed: approved, paid, or zero. Reverts in a state
    /// in which nothing can be freed.
    function keptOf(address owner, uint256 id) external view returns (uint256);
}
