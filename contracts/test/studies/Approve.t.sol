// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IStudies} from "../../src/interfaces/IStudies.sol";
import {Researching} from "../support/Researching.sol";

/// register, approve, retract
/// ├── register: not by a pharmacy, not twice, nothing missing, approvers ascending
/// ├── approve: by those who were named, of another organisation, once each, before the end
/// └── retract: with too few left the study doesn't run; approved again it does
contract ApproveTest is Researching {
    function _refused(IStudies.Registration memory what) private {
        vm.expectRevert(Errors.Studies_Malformed.selector);
        vm.prank(sponsor.agent.key);
        studies.register(what);
    }

    function test_an_id_commits_to_all_of_a_study() external {
        bytes32 id = _register("study");
        assertEq(id, studies.idOf(sponsor.id, _what("study")), "id");
        IStudies.Study memory s = studies.study(id);
        assertEq(s.sponsor, sponsor.id, "sponsor");
        assertEq(s.collector, sponsor.id, "collector");
        assertEq(s.threshold, 2, "threshold");
        assertEq(studies.criteriaOf(id)[1], 22, "criteria");
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_Exists.selector, id));
        _register("study");
        IStudies.Registration memory other = _what("study");
        other.criteria[1] = 23;
        assertTrue(studies.idOf(sponsor.id, other) != id, "criteria count");
        other = _what("study");
        other.threshold = 1;
        assertTrue(studies.idOf(sponsor.id, other) != id, "the threshold counts");
        assertTrue(studies.idOf(rival.id, _what("study")) != id, "the sponsor counts");
    }

    function test_what_lacks_something_is_refused() external {
        IStudies.Registration memory what = _what("study");
        what.protocol = 0;
        _refused(what);
        what = _what("study");
        what.threshold = 5;
        _refused(what);
        what = _what("study");
        what.threshold = 0;
        _refused(what);
        what = _what("study");
        what.ends = what.begins;
        _refused(what);
        what = _what("study");
        what.ends = what.begins + 3_654 days;
        _refused(what);
        what = _what("study");
        what.criteria = new uint256[](0);
        _refused(what);
        what.criteria = new uint256[](9);
        _refused(what);
        what = _what("study");
        what.criteria[0] = type(uint256).max;
        _refused(what);
        what = _what("study");
        (what.approvers[0], what.approvers[1]) = (what.approvers[1], what.approvers[0]);
        _refused(what);
        what = _what("study");
        what.approvers[0] = what.approvers[1];
        _refused(what);
    }

    function test_hospitals_and_research_organisations_register() external {
        IStudies.Registration memory what = _what("study");
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Studies_NotSponsor.selector, pharmacy.agent.key)
        );
        vm.prank(pharmacy.agent.key);
        studies.register(what);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Studies_NotSponsor.selector, sponsor.administrator.key)
        );
        vm.prank(sponsor.administrator.key);
        studies.register(what);
        vm.prank(hospital.agent.key);
        assertEq(studies.study(studies.register(what)).sponsor, hospital.id, "a hospital's");
    }

    function test_k_of_those_named_approve() external {
        bytes32 id = _register("study");
        assertFalse(studies.isRunning(id), "nobody approved");
        _approve(id, 2);
        assertFalse(studies.isRunning(id), "one of two");
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Studies_Decided.selector, id, board[2].account)
        );
        _approve(id, 2);
        _approve(id, 0);
        assertTrue(studies.isRunning(id), "two of two");
        (bool named, bool approves) = studies.approverOf(id, board[1].account);
        assertTrue(named && !approves, "named, silent");
        vm.warp(block.timestamp + 30 days);
        assertFalse(studies.isRunning(id), "over");
    }

    function testFuzz_nobody_else_approves(address who) external {
        bytes32 id = _register("study");
        vm.assume(who != board[0].key && who != board[1].key && who != board[2].key);
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_NotApprover.selector, who));
        vm.prank(who);
        studies.approve(id);
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_NotApprover.selector, insider.key));
        vm.prank(insider.key); // named, but the sponsor's own
        studies.approve(id);
        _suspend(hospital, board[0]);
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_NotApprover.selector, board[0].key));
        _approve(id, 0);
    }

    function test_a_retracted_approval_stops_the_study() external {
        bytes32 id = _running("study");
        bytes32 tag = _optIn(id, 1);
        assertTrue(studies.isOpen(tag), "open");
        vm.prank(board[0].key);
        studies.retract(id);
        assertFalse(studies.isRunning(id), "stopped");
        assertFalse(studies.isOpen(tag), "and nothing is read");
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Studies_Decided.selector, id, board[0].account)
        );
        vm.prank(board[0].key);
        studies.retract(id);
        _approve(id, 2);
        assertTrue(studies.isOpen(tag), "another approved");
        vm.warp(block.timestamp + 31 days);
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_NotRunning.selector, id));
        _approve(id, 0);
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_Unknown.selector, bytes32(0)));
        _approve(0, 0);
    }

    function test_a_pause_never_covers_withdrawing_and_retracting() external view {
        assertTrue(studies.isPausable(studies.recordRelease.selector), "release");
        assertTrue(studies.isPausable(studies.count.selector), "count");
        assertFalse(studies.isPausable(studies.withdraw.selector), "withdraw");
        assertFalse(studies.isPausable(studies.retract.selector), "retract");
    }
}
