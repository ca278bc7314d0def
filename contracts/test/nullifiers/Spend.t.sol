// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {Network} from "../support/Network.sol";

/// spend, isSpent
/// ├── the second time: refused
/// └── otherwise spent, for the caller alone
contract SpendTest is Network {
    function testFuzz_once_a_caller(address one, address two, uint256 nullifier) external {
        vm.assume(one != two);
        assertFalse(nullifiers.isSpent(one, nullifier), "before");
        vm.startPrank(one);
        nullifiers.spend(nullifier);
        vm.expectRevert(abi.encodeWithSelector(Errors.Nullifiers_Spent.selector, one, nullifier));
        nullifiers.spend(nullifier);
        vm.stopPrank();
        assertTrue(nullifiers.isSpent(one, nullifier), "spent");
        assertFalse(nullifiers.isSpent(two, nullifier), "another's");
        vm.prank(two);
        nullifiers.spend(nullifier);
    }
}
