// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Member, Network, Person} from "../support/Network.sol";

/// verifyOrganisation, suspendOrganisation
/// ├── caller is not governance (owners alone, Administrators of it included): refused
/// ├── organisation unknown: refused
/// ├── in that state already: refused
/// ├── verified: a pending first Administrator is verified too, a suspended one is not
/// └── suspended: none of its accounts is active any more; verifying brings them back
contract VerifyOrganisationTest is Network {
    Member private young;

    function setUp() public override {
        super.setUp();
        young = _applicant("young", 1);
    }

    function _verify() private {
        _govern(address(accounts), abi.encodeCall(accounts.verifyOrganisation, (young.id)));
    }

    function _suspendIt() private {
        _govern(address(accounts), abi.encodeCall(accounts.suspendOrganisation, (young.id)));
    }

    function _unauthorised(address caller) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, caller);
    }

    function test_only_governance_verifies_and_suspends() external {
        address[3] memory callers = [owners[0], young.administrator.key, address(timelock)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.startPrank(callers[i]);
            // The timelock administers roles; it was given this one no more than anybody.
            vm.expectRevert(_unauthorised(callers[i]));
            accounts.verifyOrganisation(young.id);
            vm.expectRevert(_unauthorised(callers[i]));
            accounts.suspendOrganisation(young.id);
            vm.stopPrank();
        }
    }

    function test_an_unknown_organisation_is_refused() external {
        bytes32 unknown = keccak256("unknown");
        bytes memory refusal =
            abi.encodeWithSelector(Errors.Accounts_OrganisationUnknown.selector, unknown);
        vm.startPrank(address(administrators));
        vm.expectRevert(refusal);
        accounts.verifyOrganisation(unknown);
        vm.expectRevert(refusal);
        accounts.suspendOrganisation(unknown);
        vm.stopPrank();
    }

    function test_the_first_administrator_is_verified_with_the_organisation() external {
        vm.startPrank(address(administrators));
        vm.expectEmit(address(accounts));
        emit IAccounts.OrganisationVerified(young.id);
        vm.expectEmit(address(accounts));
        emit IAccounts.AccountVerified(young.administrator.account, young.id);
        accounts.verifyOrganisation(young.id);
        vm.stopPrank();
        assertEq(accounts.organisation(young.id).state, 2, "verified");
        assertTrue(accounts.isActive(young.administrator.key), "administrator active");
    }

    function test_a_suspended_first_administrator_stays_suspended() external {
        _govern(address(accounts), abi.encodeCall(accounts.suspend, (young.administrator.account)));
        _verify();
        assertFalse(accounts.isActive(young.administrator.key), "still suspended");
    }

    function test_suspension_stops_every_account_and_verification_brings_them_back() external {
        _verify();
        Person memory doctor = _person(young, DOCTOR, "doctor");
        vm.expectEmit(address(accounts));
        emit IAccounts.OrganisationSuspended(young.id);
        vm.prank(address(administrators));
        accounts.suspendOrganisation(young.id);
        _pass(1);
        assertFalse(accounts.isActive(doctor.key), "doctor");
        assertFalse(accounts.isActive(young.administrator.key), "administrator");
        assertEq(accounts.organisation(young.id).since, START, "since suspension");
        _verify();
        assertTrue(accounts.isActive(doctor.key), "doctor again");
    }

    function test_no_state_is_entered_twice() external {
        _verify();
        vm.prank(address(administrators));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_WrongState.selector, young.id, uint8(2))
        );
        accounts.verifyOrganisation(young.id);
        _suspendIt();
        vm.prank(address(administrators));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_WrongState.selector, young.id, uint8(3))
        );
        accounts.suspendOrganisation(young.id);
    }
}
