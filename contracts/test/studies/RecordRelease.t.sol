// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IStudies} from "../../src/interfaces/IStudies.sol";
import {Researching} from "../support/Researching.sol";

/// recordRelease, count
/// ├── only the sponsor's agent, only while the study runs
/// ├── only tags that take part and were not withdrawn, each once, ascending
/// └── count: the collector's agent, a proof for each criterion, each nullifier once
contract RecordReleaseTest is Researching {
    function test_a_release_names_its_members() external {
        bytes32 id = _running("study");
        bytes32[] memory tags = new bytes32[](3);
        for (uint256 i = 0; i < 3; ++i) {
            tags[i] = _optIn(id, i);
        }
        tags = _members(tags);
        assertEq(_record(id, tags), 1, "first");
        IStudies.Release memory r = studies.release(id, 1);
        assertEq(r.members, keccak256(abi.encodePacked(tags)), "digest");
        assertEq(r.count, 3, "count");
        assertEq(r.manifest, _id("manifest"), "manifest");
        assertEq(r.policy, _id("policy"), "policy");
        assertEq(r.at, block.timestamp, "at");
        assertEq(_record(id, tags), 2, "second");
        studies.withdraw(id, _secretOf(1));
        vm.expectPartialRevert(Errors.Studies_Withdrawn.selector);
        _record(id, tags);
        assertEq(studies.study(id).releases, 2, "no third");
    }

    function test_nothing_is_recorded_unless_the_study_runs() external {
        bytes32 id = _register("study");
        bytes32 tag = _optIn(id, 1);
        bytes memory refusal = abi.encodeWithSelector(Errors.Studies_NotRunning.selector, id);
        vm.expectRevert(refusal);
        _record(id, _one(tag));
        _approve(id, 0);
        _approve(id, 1);
        _record(id, _one(tag));
        vm.prank(board[1].key);
        studies.retract(id);
        vm.expectRevert(refusal);
        _record(id, _one(tag));
        _approve(id, 1);
        vm.warp(block.timestamp + 30 days);
        vm.expectRevert(refusal);
        _record(id, _one(tag));
    }

    function test_members_are_the_studys_ascending_and_each_once() external {
        (bytes32 id, bytes32 other) = (_running("study"), _running("other"));
        bytes32[] memory tags = new bytes32[](2);
        (tags[0], tags[1]) = (_optIn(id, 1), _optIn(id, 2));
        tags = _members(tags);
        (tags[0], tags[1]) = (tags[1], tags[0]);
        bytes memory refusal = abi.encodeWithSelector(Errors.Studies_ReleaseMalformed.selector, id);
        vm.expectRevert(refusal);
        _record(id, tags);
        tags[0] = tags[1];
        vm.expectRevert(refusal);
        _record(id, tags);
        vm.expectRevert(refusal);
        _record(id, new bytes32[](0));
        vm.expectRevert(refusal);
        _record(id, new bytes32[](2_001));
        bytes32 foreign = _optIn(other, 3);
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_NotMember.selector, id, foreign));
        _record(id, _one(foreign));
        bytes32 unknown = _id("unknown");
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_NotMember.selector, id, unknown));
        _record(id, _one(unknown));
    }

    function test_only_the_sponsors_agent_records() external {
        bytes32 id = _running("study");
        bytes32[] memory tags = _one(_optIn(id, 1));
        uint64 until = uint64(block.timestamp + 1);
        address[3] memory others = [rival.agent.key, sponsor.administrator.key, hospital.agent.key];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Errors.Studies_NotSponsor.selector, others[i]));
            vm.prank(others[i]);
            studies.recordRelease(id, _id("manifest"), _id("policy"), until, tags);
        }
        vm.startPrank(sponsor.agent.key);
        bytes memory refusal = abi.encodeWithSelector(Errors.Studies_ReleaseMalformed.selector, id);
        vm.expectRevert(refusal);
        studies.recordRelease(id, 0, _id("policy"), until, tags);
        vm.expectRevert(refusal);
        studies.recordRelease(id, _id("manifest"), 0, until, tags);
        vm.expectRevert(refusal);
        studies.recordRelease(id, _id("manifest"), _id("policy"), uint64(block.timestamp), tags);
        vm.stopPrank();
    }

    function test_a_patient_counts_once() external {
        bytes32 id = _running("study");
        IStudies.Met[] memory proofs = _met(2);
        vm.startPrank(sponsor.agent.key);
        studies.count(id, 7, proofs);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Nullifiers_Spent.selector, address(studies), 7)
        );
        studies.count(id, 7, proofs);
        studies.count(id, 8, proofs);
        vm.stopPrank();
        assertEq(studies.study(id).counted, 2, "two");
        assertTrue(nullifiers.isSpent(address(studies), 8), "spent");
    }

    function test_only_proofs_of_all_criteria_count() external {
        bytes32 id = _running("study");
        vm.startPrank(sponsor.agent.key);
        bytes memory refusal = abi.encodeWithSelector(Errors.Studies_ProofRefused.selector, id, 7);
        for (uint256 size = 0; size < 4; ++size) {
            if (size == 2) continue;
            IStudies.Met[] memory some = _met(size);
            vm.expectRevert(refusal);
            studies.count(id, 7, some);
        }
        IStudies.Met[] memory proofs = _met(2);
        proofs[1].proof[0] = 1;
        vm.expectRevert(refusal);
        studies.count(id, 7, proofs);
        proofs = _met(2);
        proofs[1].root = 5;
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_RootNotRecent.selector, 5));
        studies.count(id, 7, proofs);
        vm.stopPrank();
    }

    function test_only_the_collector_counts_while_the_study_runs() external {
        bytes32 id = _running("study");
        IStudies.Met[] memory proofs = _met(2);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Studies_NotCollector.selector, hospital.agent.key)
        );
        vm.prank(hospital.agent.key);
        studies.count(id, 7, proofs);
        vm.warp(block.timestamp + 30 days);
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_NotRunning.selector, id));
        vm.prank(sponsor.agent.key);
        studies.count(id, 7, proofs);
    }

    function test_a_scope_is_of_chain_contract_and_study() external {
        bytes32 id = _id("study");
        uint256 expected = uint256(keccak256(abi.encode(block.chainid, address(studies), id))) >> 8;
        assertEq(studies.scopeOf(id), expected, "scope");
        vm.chainId(99);
        assertTrue(studies.scopeOf(id) != expected, "another chain");
    }
}
