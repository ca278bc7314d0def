// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Nullifiers: what happens once
/// @notice Each caller has nullifiers of its own; one is spent once, for ever.
interface INullifiers {
    event Spent(address indexed owner, uint256 indexed nullifier);

    /// @notice Spend a nullifier of the caller. Reverts with Nullifiers_Spent the second time.
    function spend(uint256 nullifier) external;
    /// @notice Whether `owner` spent it.
    function isSpent(address owner, uint256 nullifier) external view returns (bool);
}
