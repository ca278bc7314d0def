// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IConsents} from "../../src/interfaces/IConsents.sol";
import {Asking} from "../support/Asking.sol";
import {Person} from "../support/Network.sol";

/// grant
/// ├── caller is not the present key of the vault's control account, or the vault has none: refused
/// ├── control account inactive: refused
/// ├── handle or commitment zero: refused
/// ├── handle seen before in this vault, granted, revoked or burned: refused
/// └── otherwise: granted in the present generation, event with the pointer
contract GrantTest is Asking {
    bytes32 private commitment = keccak256("commitment");

    function _grantBy(address caller) private {
        vm.prank(caller);
        consents.grant(tag, handle, commitment, pointer);
    }

    function _refuse(address caller) private {
        vm.expectRevert(abi.encodeWithSelector(Errors.Consents_NotControl.selector, tag, caller));
        _grantBy(caller);
    }

    function test_the_control_key_grants() external {
        vm.expectEmit(address(consents));
        emit IConsents.Granted(tag, handle, commitment, pointer, 0);
        _grantBy(patient.key);
        IConsents.Consent memory c = consents.consent(tag, handle);
        assertEq(c.commitment, commitment, "commitment");
        assertEq(c.state, 1, "granted");
        assertEq(c.since, START, "since");
        assertEq(c.generation, 0, "generation");
    }

    function testFuzz_nobody_else_grants(uint8 role, address stranger) external {
        vm.assume(stranger != patient.key && stranger != address(0));
        _refuse(stranger);
        role = uint8(bound(role, 1, 8));
        _refuse(_person(hospital, role, "somebody").key);
        _refuse(hospital.administrator.key);
        _refuse(hospital.agent.key);
        _refuse(doctor.key);
    }

    function test_nobody_grants_in_a_provisional_or_unknown_vault() external {
        tag = _vault(hospital, "provisional");
        _refuse(patient.key);
        _refuse(hospital.agent.key);
        _refuse(address(0));
        tag = _id("no such vault");
        _refuse(patient.key);
        _refuse(address(0xDEAD));
    }

    function test_an_inactive_control_account_does_not_grant() external {
        _suspend(hospital, patient);
        vm.expectRevert(abi.encodeWithSelector(Errors.Consents_ControlInactive.selector, tag));
        _grantBy(patient.key);
    }

    function test_a_suspended_home_organisation_stops_granting() external {
        _govern(address(accounts), abi.encodeCall(accounts.suspendOrganisation, (hospital.id)));
        vm.expectRevert(abi.encodeWithSelector(Errors.Consents_ControlInactive.selector, tag));
        _grantBy(patient.key);
    }

    function test_a_rotated_key_no_longer_grants() external {
        vm.prank(patient.key);
        accounts.rotateKey(address(0xF2E5));
        _pass(DELAY);
        accounts.completeRotation(patient.account);
        _refuse(patient.key);
        _grantBy(address(0xF2E5));
    }

    function test_zero_handles_and_commitments_are_refused() external {
        vm.startPrank(patient.key);
        vm.expectRevert(Errors.Consents_Zero.selector);
        consents.grant(tag, 0, commitment, pointer);
        vm.expectRevert(Errors.Consents_Zero.selector);
        consents.grant(tag, handle, 0, pointer);
        vm.stopPrank();
    }

    function test_a_handle_is_used_once() external {
        bytes memory refusal =
            abi.encodeWithSelector(Errors.Consents_HandleUsed.selector, tag, handle);
        _grantBy(patient.key);
        vm.expectRevert(refusal);
        _grantBy(patient.key);
        vm.prank(patient.key);
        consents.revoke(tag, handle);
        vm.expectRevert(refusal);
        _grantBy(patient.key);
    }

    function test_another_vault_uses_or_burns_no_handle_of_this_one() external {
        Person memory other = _person(clinic, PATIENT, "other");
        bytes32 otherTag = _vault(clinic, "other vault");
        _claim(otherTag, other, hospital, clinic);
        vm.prank(other.key);
        consents.revoke(otherTag, handle);
        _grantBy(patient.key);
        assertEq(consents.consent(tag, handle).state, 1, "granted all the same");
    }

    function test_a_grant_belongs_to_the_present_generation() external {
        vm.prank(patient.key);
        consents.revokeAll(tag);
        vm.expectEmit(address(consents));
        emit IConsents.Granted(tag, handle, commitment, pointer, 1);
        _grantBy(patient.key);
        assertEq(consents.consent(tag, handle).generation, 1, "generation");
    }
}
