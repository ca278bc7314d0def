// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {Administrators} from "../../src/Administrators.sol";
import {Errors} from "../../src/interfaces/Errors.sol";
import {IAdministrators} from "../../src/interfaces/IAdministrators.sol";
import {Network} from "../support/Network.sol";

contract Target {
    error Refused(uint256 value);

    uint256 public value;

    function set(uint256 to) external returns (uint256) {
        if (to == 0) revert Refused(to);
        value = to;
        return to + 1;
    }
}

/// propose, confirm, withdraw, execute, setMembers
/// ├── constructor, setMembers: malformed sets refused; setMembers by the timelock alone
/// ├── caller not a member: refused
/// ├── propose: open already: refused
/// ├── confirm: unknown, executed, lapsed, of an earlier term; twice: refused
/// ├── withdraw: not confirmed: refused; else the confirmation no longer counts
/// └── execute: too few, unknown: refused; the call's revert is passed on; done once
contract AdministratorsTest is Network {
    Target private target;
    bytes private data = abi.encodeCall(Target.set, (7));
    bytes32 private salt = keccak256("salt");
    bytes32 private id;

    function setUp() public override {
        super.setUp();
        target = new Target();
        id = keccak256(abi.encode(uint64(1), address(target), keccak256(data), salt));
    }

    function _propose(uint256 owner) private {
        vm.prank(owners[owner]);
        administrators.propose(address(target), data, salt);
    }

    function _confirm(uint256 owner) private {
        vm.prank(owners[owner]);
        administrators.confirm(id);
    }

    function _execute(uint256 owner) private returns (bytes memory) {
        vm.prank(owners[owner]);
        return administrators.execute(address(target), data, salt);
    }

    function _unknown() private {
        vm.expectRevert(abi.encodeWithSelector(Errors.Administrators_ProposalUnknown.selector, id));
    }

    function _create(address[] memory list, uint256 threshold, uint256 alarm) private {
        new Administrators(list, threshold, alarm, 1, timelock);
    }

    function create(address[] calldata list, uint256 threshold, uint256 alarm) external {
        _create(list, threshold, alarm);
    }

    function testFuzz_thresholds_lie_within_the_members(uint8 count, uint8 threshold, uint8 alarm)
        external
    {
        count = uint8(bound(count, 0, 34));
        address[] memory list = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = address(uint160(i + 1));
        }
        bool sane = count <= 32 && alarm >= 1 && alarm <= threshold && threshold <= count;
        if (!sane) vm.expectRevert(Errors.Administrators_Malformed.selector);
        this.create(list, threshold, alarm);
    }

    function test_members_are_distinct_and_not_zero() external {
        address[] memory list = new address[](2);
        (list[0], list[1]) = (address(1), address(1));
        vm.expectRevert(Errors.Administrators_Malformed.selector);
        this.create(list, 1, 1);
        list[1] = address(0);
        vm.expectRevert(Errors.Administrators_Malformed.selector);
        this.create(list, 1, 1);
    }

    function test_two_of_three_act() external {
        vm.expectEmit(address(administrators));
        emit IAdministrators.Proposed(id, owners[0], address(target), data, salt, START + BALLOT);
        vm.expectEmit(address(administrators));
        emit IAdministrators.Confirmed(id, owners[0]);
        _propose(0);
        (uint256 confirmed, uint64 expiry) = administrators.proposal(id);
        assertEq(confirmed, 1, "one");
        assertEq(expiry, START + BALLOT, "expiry");

        vm.expectRevert(abi.encodeWithSelector(Errors.Administrators_TooFew.selector, id, 1, 2));
        _execute(0);
        _confirm(2);
        vm.expectEmit(address(administrators));
        emit IAdministrators.Executed(id, address(target));
        assertEq(abi.decode(_execute(1), (uint256)), 8, "result");
        assertEq(target.value(), 7, "called");
        _unknown();
        _execute(1);
    }

    function testFuzz_strangers_do_nothing(address stranger) external {
        vm.assume(!administrators.isMember(stranger));
        bytes memory refusal =
            abi.encodeWithSelector(Errors.Administrators_NotMember.selector, stranger);
        _propose(0);
        vm.startPrank(stranger);
        vm.expectRevert(refusal);
        administrators.propose(address(target), data, salt);
        vm.expectRevert(refusal);
        administrators.confirm(id);
        vm.expectRevert(refusal);
        administrators.withdraw(id);
        vm.expectRevert(refusal);
        administrators.execute(address(target), data, salt);
        vm.expectRevert(refusal);
        administrators.veto(id);
        vm.expectRevert(refusal);
        administrators.pause(address(records), records.anchor.selector);
        vm.stopPrank();
    }

    function test_one_member_counts_once() external {
        _propose(0);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Administrators_AlreadyConfirmed.selector, id, owners[0])
        );
        _confirm(0);
        vm.expectRevert(abi.encodeWithSelector(Errors.Administrators_ProposalExists.selector, id));
        _propose(1);
    }

    function test_a_withdrawn_confirmation_does_not_count() external {
        _propose(0);
        _confirm(1);
        vm.expectEmit(address(administrators));
        emit IAdministrators.Withdrawn(id, owners[0]);
        vm.prank(owners[0]);
        administrators.withdraw(id);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Administrators_NotConfirmed.selector, id, owners[0])
        );
        vm.prank(owners[0]);
        administrators.withdraw(id);
        vm.expectRevert(abi.encodeWithSelector(Errors.Administrators_TooFew.selector, id, 1, 2));
        _execute(1);
        _confirm(0);
        _execute(1);
    }

    function test_a_lapsed_proposal_starts_anew() external {
        _propose(0);
        vm.warp(START + BALLOT + 1);
        _unknown();
        _confirm(1);
        (uint256 confirmed, uint64 expiry) = administrators.proposal(id);
        assertEq(confirmed + expiry, 0, "not open");
        _propose(1);
        (confirmed,) = administrators.proposal(id);
        assertEq(confirmed, 1, "the old confirmation does not count");
    }

    function test_a_revert_is_passed_on_and_leaves_the_proposal_open() external {
        data = abi.encodeCall(Target.set, (0));
        id = keccak256(abi.encode(uint64(1), address(target), keccak256(data), salt));
        _propose(0);
        _confirm(1);
        vm.expectRevert(abi.encodeWithSelector(Target.Refused.selector, 0));
        _execute(0);
        (uint256 confirmed,) = administrators.proposal(id);
        assertEq(confirmed, 2, "still open");
    }

    function test_members_change_by_the_timelock_alone() external {
        address[] memory list = new address[](1);
        list[0] = address(0xABCD);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Administrators_NotTimelock.selector, owners[0])
        );
        vm.prank(owners[0]);
        administrators.setMembers(list, 1, 1);
        bytes memory call = abi.encodeCall(administrators.setMembers, (list, 1, 1));
        vm.prank(owners[0]);
        administrators.propose(address(administrators), call, salt);
        vm.prank(owners[1]);
        administrators.confirm(
            keccak256(abi.encode(uint64(1), address(administrators), keccak256(call), salt))
        );
        vm.expectRevert(
            abi.encodeWithSelector(
                Errors.Administrators_NotTimelock.selector, address(administrators)
            )
        );
        vm.prank(owners[0]);
        administrators.execute(address(administrators), call, salt);

        _propose(0);
        _confirm(1);
        _schedule(address(administrators), call);
        vm.expectRevert();
        timelock.execute(address(administrators), 0, call, 0, 0);
        vm.warp(block.timestamp + TIMELOCK);
        timelock.execute(address(administrators), 0, call, 0, 0);
        assertEq(administrators.term(), 2, "term");
        assertEq(administrators.threshold(), 1, "threshold");
        assertTrue(administrators.isMember(address(0xABCD)), "new member");
        assertFalse(administrators.isMember(owners[0]), "former member");
        _unknown();
        vm.prank(address(0xABCD));
        administrators.confirm(id);
    }

    function test_a_change_of_members_voids_what_was_confirmed() external {
        address[] memory list = administrators.members();
        vm.warp(START + TIMELOCK);
        _propose(0);
        _confirm(1);
        vm.prank(address(timelock));
        administrators.setMembers(list, 2, 1);
        _unknown();
        _confirm(2);
        vm.expectPartialRevert(Errors.Administrators_ProposalUnknown.selector);
        _execute(0);
    }

    function test_only_administrators_schedule() external {
        bytes32 proposer = timelock.PROPOSER_ROLE();
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, owners[0], proposer
            )
        );
        vm.prank(owners[0]);
        timelock.schedule(address(target), 0, data, 0, 0, TIMELOCK);
    }
}
