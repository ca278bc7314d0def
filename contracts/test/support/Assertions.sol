// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Vm} from "./Vm.sol";

/// @notice The few assertions these tests need. A failed one reverts, which forge reports.
abstract contract Assertions {
    error NotEqual(string what, bytes32 got, bytes32 expected);
    error NotTrue(string what);

    /// The address at which forge answers cheat codes.
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// forge takes contracts with this for tests.
    // solhint-disable-next-line func-name-mixedcase
    function IS_TEST() external pure returns (bool) {
        return true;
    }

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }

    function assertFalse(bool condition, string memory what) internal pure {
        if (condition) revert NotTrue(what);
    }

    function assertEq(bytes32 got, bytes32 expected, string memory what) internal pure {
        if (got != expected) revert NotEqual(what, got, expected);
    }

    function assertEq(uint256 got, uint256 expected, string memory what) internal pure {
        if (got != expected) revert NotEqual(what, bytes32(got), bytes32(expected));
    }

    function assertEq(address got, address expected, string memory what) internal pure {
        assertEq(uint256(uint160(got)), uint256(uint160(expected)), what);
    }

    function assertEq(bool got, bool expected, string memory what) internal pure {
        if (got != expected) revert NotTrue(what);
    }

    function assertEq(bytes memory got, bytes memory expected, string memory what) internal pure {
        assertEq(keccak256(got), keccak256(expected), what);
    }

    /// Fold a fuzzed number into a range, both ends included.
    function bound(uint256 value, uint256 least, uint256 most) internal pure returns (uint256) {
        return least + value % (most - least + 1);
    }
}
