// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "./interfaces/Errors.sol";
import {INullifiers} from "./interfaces/INullifiers.sol";

/// @title Nullifiers
/// @notice No proxy, no owner, no pause. See INullifiers.
contract Nullifiers is INullifiers {
    mapping(address owner => mapping(uint256 nullifier => bool)) private _spent;

    /// @inheritdoc INullifiers
    function spend(uint256 nullifier) external {
        if (_spent[msg.sender][nullifier]) {
            revert Errors.Nullifiers_Spent(msg.sender, nullifier);
        }
        _spent[msg.sender][nullifier] = true;
        emit Spent(msg.sender, nullifier);
    }

    /// @inheritdoc INullifiers
    function isSpent(address owner, uint256 nullifier) external view returns (bool) {
        return _spent[owner][nullifier];
    }
}
