// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IDispenseVerifier} from "../../src/interfaces/IDispenseVerifier.sol";
import {IPrescriptions} from "../../src/interfaces/IPrescriptions.sol";
import {Field} from "../../src/lib/Field.sol";
import {Dispensing} from "../support/Dispensing.sol";
import {Member, Person} from "../support/Network.sol";

/// dispense
/// ├── caller is no active agent of a verified pharmacy or hospital: refused
/// ├── root not recent, tag cancelled or bound elsewhere, state moved, proof refused: refused
/// ├── part after not above part before, or above 10,000: refused
/// └── otherwise the tag moves; the verifier saw exactly caller, contract, chain, state and day
contract DispenseTest is Dispensing {
    uint256 private constant TAG = 77;

    function test_parts_add_up_to_the_whole() external {
        _dispense(pharmacy, TAG, 0, 3_334);
        _dispense(rival, TAG, 3_334, 6_667);
        _dispense(pharmacy, TAG, 6_667, 10_000);
        IPrescriptions.Status memory s = prescriptions.statusOf(TAG);
        assertEq(s.part, 10_000, "part");
        assertEq(s.fillDay, START / 1 days, "fill day");
        assertEq(s.pharmacy, bytes32(0), "nobody's");
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Prescriptions_PartMalformed.selector, 10_000, 10_001)
        );
        _dispense(pharmacy, TAG, 10_000, 10_001);
    }

    function test_the_second_of_two_is_told_what_happened() external {
        _dispense(pharmacy, TAG, 0, 10_000);
        vm.expectRevert(abi.encodeWithSelector(Errors.Prescriptions_Moved.selector, TAG, 10_000));
        _dispense(rival, TAG, 0, 10_000);
    }

    function test_the_verifier_sees_caller_contract_state_and_day() external {
        _dispense(pharmacy, TAG, 0, 3_334);
        _pass(30 days);
        uint256 today = block.timestamp / 1 days;
        uint256 packed =
            3_334 | (6_667 << 14) | ((START / 1 days) << 28) | (today << 48) | (today << 68);
        IPrescriptions.Step memory step = _step(TAG, 3_334, 6_667);
        step.begins = true;
        uint256[5] memory inputs = [
            root,
            TAG,
            uint256(keccak256(abi.encode(rival.id))) >> 8,
            uint256(keccak256(abi.encode(block.chainid, address(prescriptions)))) >> 8,
            packed
        ];
        vm.expectCall(
            address(dispenseVerifier),
            abi.encodeCall(IDispenseVerifier.verifyProof, (step.proof, inputs))
        );
        vm.prank(rival.agent.key);
        prescriptions.dispense(step);
        assertEq(prescriptions.statusOf(TAG).fillDay, today, "a new fill");
    }

    function test_it_is_open_until_nothing_is_left() external {
        assertTrue(prescriptions.isOpen(bytes32(TAG)), "nothing dispensed");
        _dispense(pharmacy, TAG, 0, 9_999);
        assertTrue(prescriptions.isOpen(bytes32(TAG)), "something left");
        _dispense(pharmacy, TAG, 9_999, 10_000);
        assertFalse(prescriptions.isOpen(bytes32(TAG)), "nothing left");
    }

    function test_what_continues_a_fill_keeps_its_day() external {
        _dispense(pharmacy, TAG, 0, 100);
        _pass(3 days);
        _dispense(pharmacy, TAG, 100, 200);
        assertEq(prescriptions.statusOf(TAG).fillDay, START / 1 days, "the fill's day");
    }

    function test_who_dispenses() external {
        _dispense(hospital, TAG, 0, 1);
        _refuse(insurer.agent);
        _refuse(_person(pharmacy, PHARMACIST, "pharmacist"));
        Member memory young = _applicant("young", 2);
        _refuse(_pending(young, AGENT, "young agent"));
        _suspend(pharmacy, pharmacy.agent);
        _refuse(pharmacy.agent);
    }

    function _refuse(Person memory person) private {
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Prescriptions_NotDispenser.selector, person.key)
        );
        vm.prank(person.key);
        prescriptions.dispense(_step(TAG, 1, 2));
    }

    function test_a_root_must_be_recent() external {
        uint256 old = root;
        root = _insert(hospital, PRESCRIPTION, 2);
        _dispense(pharmacy, TAG, 0, 1);
        _pass(RECENT + 1);
        root = old;
        vm.expectRevert(abi.encodeWithSelector(Errors.Prescriptions_RootNotRecent.selector, old));
        _dispense(pharmacy, TAG, 1, 2);
    }

    function test_a_proof_that_does_not_hold_changes_nothing() external {
        IPrescriptions.Step memory step = _step(TAG, 0, 1);
        step.proof[0] = 1;
        vm.expectRevert(abi.encodeWithSelector(Errors.Prescriptions_ProofRefused.selector, TAG));
        vm.prank(pharmacy.agent.key);
        prescriptions.dispense(step);
        assertEq(prescriptions.statusOf(TAG).part, 0, "part");
    }

    function testFuzz_a_step_goes_up_to_the_whole(uint16 before, uint16 afterwards) external {
        vm.assume(afterwards <= before || afterwards > 10_000);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Prescriptions_PartMalformed.selector, before, afterwards)
        );
        _dispense(pharmacy, TAG, before, afterwards);
    }

    function test_a_bound_prescription_is_its_pharmacys() external {
        _bind(pharmacy, TAG, 0);
        assertEq(prescriptions.statusOf(TAG).pharmacy, pharmacy.id, "bound");
        vm.expectRevert(abi.encodeWithSelector(Errors.Prescriptions_BoundElsewhere.selector, TAG));
        _dispense(rival, TAG, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.Prescriptions_BoundElsewhere.selector, TAG));
        _bind(rival, TAG, 0);
        vm.expectRevert(abi.encodeWithSelector(Errors.Prescriptions_NotBound.selector, TAG));
        _release(rival, TAG, 0);

        _dispense(pharmacy, TAG, 0, 5_000);
        assertEq(prescriptions.statusOf(TAG).pharmacy, pharmacy.id, "still bound");
        _release(pharmacy, TAG, 5_000);
        _bind(rival, TAG, 5_000);
        _dispense(rival, TAG, 5_000, 10_000);
    }

    function test_binding_and_releasing_dispense_nothing() external {
        _dispense(pharmacy, TAG, 0, 1);
        IPrescriptions.Step memory step = _step(TAG, 1, 2);
        bytes memory refusal =
            abi.encodeWithSelector(Errors.Prescriptions_PartMalformed.selector, 1, 2);
        vm.startPrank(pharmacy.agent.key);
        vm.expectRevert(refusal);
        prescriptions.bindPharmacy(step);
        vm.expectRevert(refusal);
        prescriptions.releasePharmacy(step);
        step.partAfter = 1;
        step.begins = true;
        vm.expectRevert(abi.encodeWithSelector(Errors.Prescriptions_PartMalformed.selector, 1, 1));
        prescriptions.bindPharmacy(step);
        vm.stopPrank();
    }

    function test_a_release_says_so_to_the_verifier() external {
        _bind(pharmacy, TAG, 0);
        uint256 packed = ((block.timestamp / 1 days) << 68) | (1 << 88);
        IPrescriptions.Step memory step = _step(TAG, 0, 0);
        uint256[5] memory inputs =
            [root, TAG, Field.ofId(pharmacy.id), prescriptions.context(), packed];
        vm.expectCall(
            address(dispenseVerifier),
            abi.encodeCall(IDispenseVerifier.verifyProof, (step.proof, inputs))
        );
        _release(pharmacy, TAG, 0);
    }
}
