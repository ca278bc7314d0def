// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IRecords} from "../../src/interfaces/IRecords.sol";
import {Anchoring} from "../support/Anchoring.sol";

/// supersede, erase
/// ├── caller is not an active Agent: refused
/// ├── batch unknown, of another organisation; leaf not in it: refused
/// ├── supersede: old or new not current, or both the same: refused
/// ├── erase: erased already: refused; a superseded leaf may be erased
/// └── chains of versions never close to a ring; the batch itself never changes
contract SupersedeTest is Anchoring {
    bytes32[] private leaves;
    bytes32 private id;

    function setUp() public override {
        super.setUp();
        leaves = _batch(5, "leaf");
        id = _anchor(hospital, leaves);
    }

    function _at(uint256 index) private view returns (IRecords.Leaf memory) {
        return _leaf(id, leaves, index);
    }

    function _supersede(IRecords.Leaf memory old, IRecords.Leaf memory successor) private {
        vm.prank(hospital.agent.key);
        records.supersede(old, successor);
    }

    function _erase(IRecords.Leaf memory old) private {
        vm.prank(hospital.agent.key);
        records.erase(old);
    }

    function _wrong(bytes32 leaf, uint8 status) private {
        vm.expectRevert(abi.encodeWithSelector(Errors.Records_WrongStatus.selector, leaf, status));
    }

    function test_a_later_version_in_another_batch_supersedes() external {
        bytes32[] memory later = _batch(3, "later");
        bytes32 laterId = _anchor(hospital, later);
        vm.expectEmit(address(records));
        emit IRecords.Superseded(hospital.id, leaves[1], later[2]);
        _supersede(_at(1), _leaf(laterId, later, 2));
        IRecords.Status memory s = records.status(hospital.id, leaves[1]);
        assertEq(s.status, 1, "superseded");
        assertEq(s.successor, later[2], "successor");
        assertEq(s.since, START, "since");
        assertEq(records.status(hospital.id, later[2]).status, 0, "successor is current");
        IRecords.Leaf memory at = _at(1);
        assertTrue(records.verify(id, at.leaf, at.index, at.path), "still in its batch");
    }

    function test_a_leaf_is_superseded_once_and_not_by_itself() external {
        _wrong(leaves[0], 0);
        _supersede(_at(0), _at(0));
        _supersede(_at(0), _at(1));
        _wrong(leaves[0], 1);
        _supersede(_at(0), _at(2));
    }

    function test_versions_form_no_ring() external {
        _supersede(_at(0), _at(1));
        _wrong(leaves[0], 1);
        _supersede(_at(1), _at(0));
        _supersede(_at(1), _at(2));
        _wrong(leaves[0], 1);
        _supersede(_at(2), _at(0));
    }

    function test_erased_leaves_neither_supersede_nor_are_superseded() external {
        vm.expectEmit(address(records));
        emit IRecords.Erased(hospital.id, leaves[3]);
        _erase(_at(3));
        assertEq(records.status(hospital.id, leaves[3]).status, 2, "erased");
        _wrong(leaves[3], 2);
        _supersede(_at(3), _at(4));
        _wrong(leaves[3], 2);
        _supersede(_at(4), _at(3));
        _wrong(leaves[3], 2);
        _erase(_at(3));
    }

    function test_a_superseded_leaf_may_be_erased() external {
        _supersede(_at(0), _at(1));
        _erase(_at(0));
        IRecords.Status memory s = records.status(hospital.id, leaves[0]);
        assertEq(s.status, 2, "erased");
        assertEq(s.successor, leaves[1], "the successor is still known");
    }

    function test_only_the_anchoring_organisation_says_so() external {
        IRecords.Leaf memory old = _at(0);
        IRecords.Leaf memory next = _at(1);
        bytes memory refusal =
            abi.encodeWithSelector(Errors.Records_NotAuthor.selector, id, clinic.id);
        vm.startPrank(clinic.agent.key);
        vm.expectRevert(refusal);
        records.supersede(old, next);
        vm.expectRevert(refusal);
        records.erase(old);
        vm.stopPrank();
        refusal =
            abi.encodeWithSelector(Errors.Records_NotAgent.selector, hospital.administrator.key);
        vm.startPrank(hospital.administrator.key);
        vm.expectRevert(refusal);
        records.supersede(old, next);
        vm.expectRevert(refusal);
        records.erase(old);
        vm.stopPrank();
    }

    function test_copying_a_batch_gives_no_say_over_the_original() external {
        bytes32 copyId = _anchor(clinic, leaves);
        IRecords.Leaf memory copy = _leaf(copyId, leaves, 0);
        vm.prank(clinic.agent.key);
        records.erase(copy);
        assertEq(records.status(clinic.id, leaves[0]).status, 2, "the copier's");
        assertEq(records.status(hospital.id, leaves[0]).status, 0, "the author's");
    }

    function test_batch_and_place_must_fit() external {
        IRecords.Leaf memory old = _at(0);
        old.batchId = keccak256("no batch");
        vm.expectRevert(abi.encodeWithSelector(Errors.Records_BatchUnknown.selector, old.batchId));
        _erase(old);
        old = _at(0);
        old.index = 1;
        vm.expectRevert(abi.encodeWithSelector(Errors.Records_NotInBatch.selector, id, leaves[0]));
        _erase(old);
        old.leaf = keccak256("foreign leaf");
        IRecords.Leaf memory next = _at(1);
        vm.expectRevert(abi.encodeWithSelector(Errors.Records_NotInBatch.selector, id, old.leaf));
        _supersede(next, old);
    }
}
