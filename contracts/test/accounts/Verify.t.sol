// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Member, Network, Person} from "../support/Network.sol";

/// verify, suspend
/// ├── account unknown: refused
/// ├── in that state already: refused
/// ├── caller
/// │   ├── active Administrator of its organisation: done; own account: suspend only
/// │   ├── governance: done
/// │   └── anybody else, Agents and other organisations' Administrators included: refused
/// └── from the next block a suspended account does nothing
contract VerifyTest is Network {
    Member private hospital;
    Member private clinic;
    Person private doctor;

    function setUp() public override {
        super.setUp();
        hospital = _member("hospital", 1);
        clinic = _member("clinic", 1);
        doctor = _pending(hospital, DOCTOR, "doctor");
    }

    function _refused(address caller, bytes32 account) private {
        bytes memory refusal = abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, caller);
        vm.startPrank(caller);
        vm.expectRevert(refusal);
        accounts.verify(account);
        vm.expectRevert(refusal);
        accounts.suspend(account);
        vm.stopPrank();
    }

    function test_only_the_organisations_administrators_and_governance_judge() external {
        _refused(clinic.administrator.key, doctor.account);
        _refused(hospital.agent.key, doctor.account);
        _refused(doctor.key, doctor.account);
        _refused(owners[0], doctor.account);
        _refused(_pending(hospital, ADMINISTRATOR, "pending administrator").key, doctor.account);
        _refused(hospital.administrator.key, keccak256("unknown"));
    }

    function test_governance_meets_an_unknown_account_with_a_clear_error() external {
        bytes32 unknown = keccak256("unknown");
        bytes memory refusal =
            abi.encodeWithSelector(Errors.Accounts_AccountUnknown.selector, unknown);
        vm.startPrank(address(administrators));
        vm.expectRevert(refusal);
        accounts.verify(unknown);
        vm.expectRevert(refusal);
        accounts.suspend(unknown);
        vm.stopPrank();
    }

    function test_an_administrator_verifies_and_suspends() external {
        vm.startPrank(hospital.administrator.key);
        vm.expectEmit(address(accounts));
        emit IAccounts.AccountVerified(doctor.account, hospital.id);
        accounts.verify(doctor.account);
        assertTrue(accounts.isActive(doctor.key), "active");
        vm.expectEmit(address(accounts));
        emit IAccounts.AccountSuspended(doctor.account, hospital.id);
        accounts.suspend(doctor.account);
        assertFalse(accounts.isActive(doctor.key), "suspended");
        accounts.verify(doctor.account);
        assertTrue(accounts.isActive(doctor.key), "active again");
        vm.stopPrank();
    }

    function test_governance_lifts_the_suspension_of_a_sole_administrator() external {
        _suspend(hospital, hospital.administrator);
        _refused(hospital.administrator.key, hospital.administrator.account);
        _govern(
            address(accounts), abi.encodeCall(accounts.verify, (hospital.administrator.account))
        );
        assertTrue(accounts.isActive(hospital.administrator.key), "active again");
    }

    function test_nobody_verifies_an_own_account() external {
        // Verified already, so the refusal must come from being the caller's own.
        vm.prank(hospital.administrator.key);
        vm.expectRevert(
            abi.encodeWithSelector(
                Errors.Accounts_NotPermitted.selector, hospital.administrator.key
            )
        );
        accounts.verify(hospital.administrator.account);
    }

    function test_no_state_is_entered_twice() external {
        vm.startPrank(hospital.administrator.key);
        accounts.verify(doctor.account);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_WrongState.selector, doctor.account, uint8(2))
        );
        accounts.verify(doctor.account);
        accounts.suspend(doctor.account);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_WrongState.selector, doctor.account, uint8(3))
        );
        accounts.suspend(doctor.account);
        vm.stopPrank();
    }

    function test_a_suspended_account_does_nothing_from_the_next_block() external {
        Person memory agent = _person(hospital, AGENT, "agent two");
        Person memory nurse = _person(hospital, NURSE, "nurse");
        Person memory patient = _person(hospital, PATIENT, "patient");
        bytes32 tag = _vault(hospital, "vault");
        _claim(tag, patient, hospital, clinic);
        _suspend(hospital, agent);
        _suspend(hospital, nurse);
        _suspend(hospital, patient);
        _pass(1);

        vm.startPrank(agent.key);
        vm.expectRevert();
        accounts.register(_id("x"), hospital.id, DOCTOR, address(1));
        vm.expectRevert();
        accounts.setDescriptor(_id("x"));
        vm.expectRevert();
        accounts.openVault(_id("x"), _id("y"), 2, 3);
        vm.expectRevert();
        accounts.rotateKey(address(1));
        vm.expectRevert();
        accounts.setGuardians(_id("x"), 3, 2);
        vm.expectRevert();
        records.anchor(_id("x"), 1, hex"01");
        vm.expectRevert();
        auditLog.append(1, 0, _id("x"), 1);
        vm.stopPrank();
        vm.prank(nurse.key);
        vm.expectRevert();
        consents.openEmergency(tag, _id("h"), _id("reason"));
        vm.prank(patient.key);
        vm.expectRevert();
        consents.grant(tag, _id("h"), _id("c"), _id("p"));
    }
}
