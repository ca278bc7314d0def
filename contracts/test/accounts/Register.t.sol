// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Member, Network, Person} from "../support/Network.sol";

/// register
/// ├── role not 1..8: refused
/// ├── account id zero or taken, key zero or ever used: refused
/// ├── caller
/// │   ├── active Administrator or Agent of the organisation: registered, pending
/// │   ├── pending first Administrator of a pending organisation: registered, pending
/// │   ├── the same once the organisation is suspended, or itself suspended: refused
/// │   ├── another pending Administrator of it: refused
/// │   └── anybody else, another organisation's Administrator included: refused
/// └── a registered account is not active
contract RegisterTest is Network {
    Member private hospital;
    address private key = address(0xBEEF);
    bytes32 private account = keccak256("new account");

    function setUp() public override {
        super.setUp();
        hospital = _member("hospital", 1);
    }

    function _registerBy(address caller, uint8 role) private {
        vm.prank(caller);
        accounts.register(account, hospital.id, role, key);
    }

    function _refused(address caller) private {
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, caller));
        _registerBy(caller, DOCTOR);
    }

    function testFuzz_an_unknown_role_is_refused(uint8 role) external {
        vm.assume(role == 0 || role > 8);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_RoleUnknown.selector, role));
        _registerBy(hospital.agent.key, role);
    }

    function test_ids_and_keys_must_be_new() external {
        vm.startPrank(hospital.agent.key);
        vm.expectRevert(Errors.Accounts_Zero.selector);
        accounts.register(0, hospital.id, DOCTOR, key);
        vm.expectRevert(Errors.Accounts_Zero.selector);
        accounts.register(account, hospital.id, DOCTOR, address(0));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_OrganisationExists.selector, hospital.id)
        );
        accounts.register(hospital.id, hospital.id, DOCTOR, key);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_KeyUsed.selector, hospital.agent.key)
        );
        accounts.register(account, hospital.id, DOCTOR, hospital.agent.key);
        accounts.register(account, hospital.id, DOCTOR, key);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_AccountExists.selector, account));
        accounts.register(account, hospital.id, DOCTOR, address(0xBEF0));
        vm.stopPrank();
    }

    function testFuzz_a_registered_account_is_pending(uint8 role, bool byAgent) external {
        role = uint8(bound(role, 1, 8));
        vm.expectEmit(address(accounts));
        emit IAccounts.AccountRegistered(account, hospital.id, key, role);
        _registerBy(byAgent ? hospital.agent.key : hospital.administrator.key, role);

        IAccounts.Account memory a = accounts.account(account);
        assertEq(a.organisation, hospital.id, "organisation");
        assertEq(a.role, role, "role");
        assertEq(a.state, 1, "pending");
        assertEq(a.key, key, "key");
        assertFalse(accounts.isActive(key), "not active");
        assertEq(accounts.standing(key).account, account, "standing");
    }

    function test_the_founder_of_a_pending_organisation_registers_its_people() external {
        Member memory young = _applicant("young", 2);
        _pending(young, AGENT, "first agent");
        assertEq(accounts.account(_id("first agent")).state, 1, "pending");
    }

    function test_a_second_administrator_of_a_pending_organisation_does_not() external {
        Member memory young = _applicant("young", 2);
        Person memory second = _pending(young, ADMINISTRATOR, "second");
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, second.key));
        vm.prank(second.key);
        accounts.register(account, young.id, AGENT, key);
    }

    function test_a_suspended_organisation_registers_nobody() external {
        Member memory young = _applicant("young", 2);
        _govern(address(accounts), abi.encodeCall(accounts.suspendOrganisation, (young.id)));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, young.administrator.key)
        );
        vm.prank(young.administrator.key);
        accounts.register(account, young.id, AGENT, key);

        _govern(address(accounts), abi.encodeCall(accounts.suspendOrganisation, (hospital.id)));
        _refused(hospital.agent.key);
        _refused(hospital.administrator.key);
    }

    function test_a_suspended_founder_registers_nobody() external {
        Member memory young = _applicant("young", 2);
        _govern(address(accounts), abi.encodeCall(accounts.suspend, (young.administrator.account)));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, young.administrator.key)
        );
        vm.prank(young.administrator.key);
        accounts.register(account, young.id, AGENT, key);
    }

    function test_strangers_other_organisations_and_other_roles_register_nobody() external {
        Member memory clinic = _member("clinic", 1);
        _refused(clinic.administrator.key);
        _refused(clinic.agent.key);
        _refused(address(0xDEAD));
        for (uint8 role = 1; role <= 6; ++role) {
            Person memory person = _person(hospital, role, string.concat("p", vm.toString(role)));
            _refused(person.key);
        }
    }

    function test_an_unverified_agent_registers_nobody() external {
        _refused(_pending(hospital, AGENT, "pending agent").key);
    }
}
