// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {Researching} from "../support/Researching.sol";

/// optIn, prefer, withdraw, isOpen
/// ├── a tag takes part in one thing, once, put there by any organisation's agent
/// ├── it is open while its study runs, or any of the preference's newest studies
/// └── who knows the secret withdraws it for ever, also before it was seen
contract WithdrawTest is Researching {
    function test_a_tag_is_open_while_its_study_runs() external {
        bytes32 id = _register("study");
        bytes32 tag = _optIn(id, 1);
        assertFalse(studies.isOpen(tag), "not approved");
        _approve(id, 0);
        _approve(id, 1);
        assertTrue(studies.isOpen(tag), "approved");
        assertFalse(studies.isOpen(studies.tagFor(id, _secretOf(2))), "another");
        vm.warp(block.timestamp + 30 days);
        assertFalse(studies.isOpen(tag), "over");
    }

    function test_a_tag_is_used_once() external {
        bytes32 id = _running("study");
        bytes32 tag = _optIn(id, 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_TagUsed.selector, tag));
        vm.prank(hospital.agent.key);
        studies.optIn(id, tag);
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_TagUsed.selector, bytes32(0)));
        vm.prank(hospital.agent.key);
        studies.optIn(id, 0);
        address patient = _person(hospital, PATIENT, "patient").key;
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_NotAgent.selector, patient));
        vm.prank(patient);
        studies.optIn(id, _id("tag"));
        vm.warp(block.timestamp + 30 days);
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_NotRunning.selector, id));
        vm.prank(hospital.agent.key);
        studies.optIn(id, _id("tag"));
    }

    function testFuzz_who_knows_the_secret_withdraws_for_ever(address who, bool joins) external {
        bytes32 id = _running("study");
        bytes32 tag = studies.tagFor(id, _secretOf(1));
        if (joins) _optIn(id, 1);
        vm.prank(who);
        studies.withdraw(id, _secretOf(1));
        (, bool withdrawn) = studies.tagOf(tag);
        assertTrue(withdrawn && !studies.isOpen(tag), "withdrawn");
        bytes memory refusal = abi.encodeWithSelector(Errors.Studies_Withdrawn.selector, tag);
        vm.expectRevert(refusal);
        studies.withdraw(id, _secretOf(1));
        vm.expectRevert(refusal);
        vm.prank(hospital.agent.key);
        studies.optIn(id, tag);
        vm.expectRevert(refusal);
        _record(id, _one(tag));
    }

    function test_the_same_secret_makes_another_tag_in_another_study() external {
        (bytes32 one, bytes32 two) = (_running("one"), _running("two"));
        (bytes32 first, bytes32 second) = (_optIn(one, 1), _optIn(two, 1));
        assertTrue(first != second, "unlike");
        studies.withdraw(one, _secretOf(1));
        assertFalse(studies.isOpen(first), "withdrawn");
        assertTrue(studies.isOpen(second), "the other goes on");
    }

    function test_a_preference_is_open_while_any_study_of_its_area_runs() external {
        bytes32 group = studies.groupOf(sponsor.id, _id("area"));
        bytes32 tag = studies.tagFor(group, _secretOf(9));
        vm.prank(hospital.agent.key);
        studies.prefer(sponsor.id, _id("area"), tag);
        assertFalse(studies.isOpen(tag), "no study yet");
        bytes32 waiting = _register("waiting");
        _approve(waiting, 0);
        assertFalse(studies.isOpen(tag), "none approved");
        for (uint256 i = 0; i < 5; ++i) {
            _running(string.concat("study ", vm.toString(i)));
            assertTrue(studies.isOpen(tag), "one runs");
        }
        _approve(waiting, 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.Studies_NotMember.selector, waiting, tag));
        _record(waiting, _one(tag));
    }

    function test_an_elsewhere_preferred_area_opens_nothing() external {
        bytes32 group = studies.groupOf(rival.id, _id("area"));
        bytes32 tag = studies.tagFor(group, _secretOf(9));
        vm.prank(hospital.agent.key);
        studies.prefer(rival.id, _id("area"), tag);
        _running("study");
        assertFalse(studies.isOpen(tag), "another sponsor's");
        studies.withdraw(group, _secretOf(9));
        (bytes32 found, bool withdrawn) = studies.tagOf(tag);
        assertTrue(found == group && withdrawn, "withdrawn");
    }

    function test_asking_whether_a_preference_is_open_costs_less_than_a_condition_may() external {
        bytes32 group = studies.groupOf(sponsor.id, _id("area"));
        bytes32 tag = studies.tagFor(group, _secretOf(9));
        vm.prank(hospital.agent.key);
        studies.prefer(sponsor.id, _id("area"), tag);
        for (uint256 i = 0; i < 4; ++i) {
            _running(string.concat("study ", vm.toString(i)));
        }
        vm.warp(block.timestamp + 31 days); // the dearest answer: none runs
        uint256 before = gasleft();
        assertFalse(studies.isOpen{gas: 100_000}(tag), "over");
        assertTrue(before - gasleft() < 60_000, "dear");
    }
}
