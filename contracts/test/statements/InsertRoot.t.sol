// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {Field} from "../../src/lib/Field.sol";
import {Dispensing} from "../support/Dispensing.sol";
import {Member, Person} from "../support/Network.sol";

/// insertRoot, beginForest, isRecentRoot
/// ├── a kind that doesn't exist, an issuer of another kind, an inactive agent: refused
/// ├── a root that is no element, or zero, or there already: refused
/// ├── otherwise the forest's root is that of a plain tree over all roots in order
/// ├── a root is recent until an hour after the next one
/// └── a new forest is empty and knows no earlier root
contract InsertRootTest is Dispensing {
    /// A tree computed from all its leaves, level by level.
    function _plainRoot(uint256[] memory leaves) private view returns (uint256) {
        uint256[] memory level = leaves;
        uint256 free = 0;
        for (uint256 height = 0; height < 24; ++height) {
            uint256[] memory above = new uint256[]((level.length + 1) / 2);
            for (uint256 i = 0; i < above.length; ++i) {
                uint256 right = 2 * i + 1 < level.length ? level[2 * i + 1] : free;
                above[i] = poseidon2.hash([level[2 * i], right]);
            }
            free = poseidon2.hash([free, free]);
            level = above;
        }
        return level[0];
    }

    /// forge-config: default.fuzz.runs = 8
    function testFuzz_the_forest_is_a_plain_tree(uint256 seed, uint256 size) external {
        size = bound(size, 1, 12);
        uint256[] memory leaves = new uint256[](size);
        for (uint256 i = 0; i < size; ++i) {
            leaves[i] = uint256(keccak256(abi.encode(seed, i))) >> 8;
            uint256 newest = _insert(hospital, FACT, leaves[i]);
            uint256[] memory soFar = new uint256[](i + 1);
            for (uint256 j = 0; j <= i; ++j) {
                soFar[j] = leaves[j];
            }
            assertEq(newest, _plainRoot(soFar), "root");
        }
        (uint32 forest, uint32 count,) = statements.forestOf(FACT);
        assertEq(forest, 0, "forest");
        assertEq(count, size, "count");
    }

    function test_who_issues_what() external {
        _insert(pharmacy, FACT, 7);
        _refuse(pharmacy, PRESCRIPTION);
        _refuse(insurer, PRESCRIPTION);
        _refuse(insurer, FACT);
        Person memory doctor = _person(hospital, DOCTOR, "doctor");
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Statements_NotIssuer.selector, PRESCRIPTION, doctor.key)
        );
        vm.prank(doctor.key);
        statements.insertRoot(PRESCRIPTION, 9);
        _suspend(hospital, hospital.agent);
        _refuse(hospital, PRESCRIPTION);
    }

    function _refuse(Member memory member, uint8 kind) private {
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Statements_NotIssuer.selector, kind, member.agent.key)
        );
        vm.prank(member.agent.key);
        statements.insertRoot(kind, 9);
    }

    function testFuzz_kinds_are_a_closed_table(uint8 kind) external {
        vm.assume(kind == 0 || kind > 3);
        vm.expectRevert(abi.encodeWithSelector(Errors.Statements_KindUnknown.selector, kind));
        vm.prank(hospital.agent.key);
        statements.insertRoot(kind, 9);
    }

    function testFuzz_a_root_is_an_element(uint256 batchRoot) external {
        batchRoot = bound(batchRoot, Field.ORDER, type(uint256).max);
        vm.startPrank(hospital.agent.key);
        vm.expectRevert(abi.encodeWithSelector(Errors.Statements_NotElement.selector, batchRoot));
        statements.insertRoot(FACT, batchRoot);
        vm.expectRevert(abi.encodeWithSelector(Errors.Statements_NotElement.selector, 0));
        statements.insertRoot(FACT, 0);
        vm.stopPrank();
    }

    function test_a_root_goes_in_once_an_organisation() external {
        _insert(hospital, FACT, 7);
        assertTrue(statements.isInserted(FACT, hospital.id, 7), "inserted");
        assertFalse(statements.isInserted(FACT, pharmacy.id, 7), "not by another");
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Statements_AlreadyInserted.selector, FACT, hospital.id, 7)
        );
        vm.prank(hospital.agent.key);
        statements.insertRoot(FACT, 7);
        // Nobody keeps another from issuing a batch by issuing it first.
        _insert(pharmacy, FACT, 7);
    }

    function test_a_root_is_recent_until_an_hour_after_the_next() external {
        assertFalse(statements.isRecentRoot(FACT, 0), "empty forest");
        uint256 old = _insert(hospital, FACT, 7);
        _pass(100 days);
        assertTrue(statements.isRecentRoot(FACT, old), "newest, however old");
        uint256 next = _insert(hospital, FACT, 8);
        _pass(RECENT);
        assertTrue(statements.isRecentRoot(FACT, old), "just replaced");
        _pass(1);
        assertFalse(statements.isRecentRoot(FACT, old), "long replaced");
        assertTrue(statements.isRecentRoot(FACT, next), "newest");
        assertFalse(statements.isRecentRoot(PRESCRIPTION, next), "of another kind");
        assertFalse(statements.isRecentRoot(FACT, 12345), "never a root");
    }

    function test_governance_alone_begins_a_forest_anew() external {
        uint256 old = _insert(hospital, FACT, 7);
        vm.expectPartialRevert(bytes4(keccak256("AccessManagedUnauthorized(address)")));
        vm.prank(hospital.administrator.key);
        statements.beginForest(FACT);

        _govern(address(statements), abi.encodeCall(statements.beginForest, (FACT)));
        assertFalse(statements.isRecentRoot(FACT, old), "of the forest before");
        (uint32 forest, uint32 count,) = statements.forestOf(FACT);
        assertEq(forest, 1, "number");
        assertEq(count, 0, "empty");
        assertEq(_insert(hospital, FACT, 7), old, "the same tree");
    }
}
