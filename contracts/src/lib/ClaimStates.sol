// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ClaimStates
/// @notice The states of a claim and the edges between them (docs/formats/claims.md, "States").
library ClaimStates {
    uint8 internal constant OPENED = 1;
    uint8 internal constant DISCLOSED = 2;
    uint8 internal constant RECEIVED = 3;
    uint8 internal constant ASKED = 4;
    uint8 internal constant APPROVED = 5;
    uint8 internal constant PARTLY = 6;
    uint8 internal constant DENIED = 7;
    uint8 internal constant APPEALED = 8;
    uint8 internal constant PAID = 9;
    uint8 internal constant REVERSED = 10;

    /// Row by state: the states that can follow, as bits.
    uint256 private constant DECIDED =
        (uint256(1) << APPROVED) | (uint256(1) << PARTLY) | (uint256(1) << DENIED);
    uint256 private constant REVERSES = uint256(1) << REVERSED;

    /// @notice Whether `to` can follow `from`.
    function isEdge(uint8 from, uint8 to) internal pure returns (bool) {
        uint256 next;
        if (from == OPENED || from == ASKED) {
            next = (uint256(1) << DISCLOSED) | REVERSES;
        } else if (from == DISCLOSED) {
            next = (uint256(1) << RECEIVED) | REVERSES;
        } else if (from == RECEIVED || from == APPEALED) {
            next = (uint256(1) << ASKED) | DECIDED | REVERSES;
        } else if (from == APPROVED) {
            next = (uint256(1) << PAID) | REVERSES;
        } else if (from == PARTLY) {
            next = (uint256(1) << APPEALED) | (uint256(1) << PAID) | REVERSES;
        } else if (from == DENIED) {
            next = (uint256(1) << APPEALED) | REVERSES;
        } else if (from == PAID) {
            next = REVERSES;
        }
        return to <= REVERSED && next & (uint256(1) << to) != 0;
    }

    /// @notice Approved, partly or denied.
    function isDecision(uint8 state) internal pure returns (bool) {
        return state >= APPROVED && state <= DENIED;
    }
}
