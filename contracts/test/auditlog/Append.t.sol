// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAuditLog} from "../../src/interfaces/IAuditLog.sol";
import {Anchoring} from "../support/Anchoring.sol";
import {Person} from "../support/Network.sol";
import {ReferenceTree} from "../support/ReferenceTree.sol";

/// append, verify
/// ├── root or count zero: refused
/// ├── caller is not an active Agent: refused
/// ├── seq is not head + 1: refused as a gap; previous root is not the head's: refused as a fork
/// ├── otherwise: the head moves on, in this organisation's chain alone
/// └── verify: as for records, by organisation and seq
contract AppendTest is Anchoring {
    function _append(Person memory who, uint64 seq, bytes32 previous, bytes32 root) private {
        vm.prank(who.key);
        auditLog.append(seq, previous, root, 1);
    }

    function test_empty_batches_are_refused() external {
        vm.startPrank(hospital.agent.key);
        vm.expectRevert(Errors.AuditLog_EmptyBatch.selector);
        auditLog.append(1, 0, 0, 1);
        vm.expectRevert(Errors.AuditLog_EmptyBatch.selector);
        auditLog.append(1, 0, _id("root"), 0);
        vm.stopPrank();
    }

    function testFuzz_only_agents_append(uint8 role) external {
        role = uint8(bound(role, 1, 7));
        Person memory person = _person(hospital, role, "somebody");
        vm.expectRevert(abi.encodeWithSelector(Errors.AuditLog_NotAgent.selector, person.key));
        _append(person, 1, 0, _id("root"));
    }

    function testFuzz_a_gap_is_refused(uint64 seq) external {
        vm.assume(seq != 2);
        _append(hospital.agent, 1, 0, _id("one"));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.AuditLog_Gap.selector, hospital.id, uint64(2), seq)
        );
        _append(hospital.agent, seq, _id("one"), _id("two"));
    }

    function testFuzz_a_fork_is_refused(bytes32 previous) external {
        vm.assume(previous != _id("one"));
        _append(hospital.agent, 1, 0, _id("one"));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.AuditLog_Fork.selector, hospital.id, _id("one"), previous)
        );
        _append(hospital.agent, 2, previous, _id("two"));
    }

    function test_the_first_batch_follows_zero() external {
        vm.expectPartialRevert(Errors.AuditLog_Fork.selector);
        _append(hospital.agent, 1, _id("zero"), _id("one"));
        vm.expectPartialRevert(Errors.AuditLog_Gap.selector);
        _append(hospital.agent, 0, 0, _id("one"));
        _append(hospital.agent, 1, 0, _id("one"));
    }

    function test_each_organisation_has_its_own_chain() external {
        Person memory second = _person(hospital, AGENT, "second agent");
        vm.expectEmit(address(auditLog));
        emit IAuditLog.Appended(hospital.id, 1, 0, _id("one"), 1);
        _append(hospital.agent, 1, 0, _id("one"));
        _append(clinic.agent, 1, 0, _id("other"));
        _pass(60);
        vm.prank(second.key);
        auditLog.append(2, _id("one"), _id("two"), 41);

        IAuditLog.Head memory h = auditLog.head(hospital.id);
        assertEq(h.seq, 2, "seq");
        assertEq(h.root, _id("two"), "root");
        assertEq(h.total, 42, "total");
        assertEq(h.time, START + 60, "time");
        assertEq(auditLog.rootAt(hospital.id, 1), _id("one"), "first");
        assertEq(auditLog.entryAt(hospital.id, 2).count, 41, "count");
        assertEq(auditLog.head(clinic.id).seq, 1, "the clinic's own");
        assertEq(auditLog.rootAt(hospital.id, 3), 0, "nothing beyond the head");
    }

    function testFuzz_verify_accepts_the_batchs_leaves_and_no_others(uint256 size, uint256 index)
        external
    {
        size = bound(size, 1, 64);
        index = bound(index, 0, size - 1);
        bytes32[] memory leaves = _batch(size, "entry");
        bytes32 root = ReferenceTree.root(leaves);
        vm.prank(hospital.agent.key);
        auditLog.append(1, 0, root, uint32(size));
        bytes32[] memory path = ReferenceTree.path(leaves, index);
        bytes32 leaf = leaves[index];
        assertTrue(auditLog.verify(hospital.id, 1, leaf, index, path), "own");
        assertFalse(auditLog.verify(hospital.id, 2, leaf, index, path), "other seq");
        assertFalse(auditLog.verify(clinic.id, 1, leaf, index, path), "other organisation");
        assertFalse(auditLog.verify(hospital.id, 1, ~leaf, index, path), "other leaf");
        assertFalse(auditLog.verify(hospital.id, 1, leaf, size, path), "other place");
    }
}
