// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Member, Network} from "../support/Network.sol";

/// registerOrganisation
/// ├── kind not 1..4: refused
/// ├── organisation, administrator or descriptor zero: refused
/// ├── organisation id taken, by an organisation or an account: refused
/// ├── administrator id taken, by either, or equal to the organisation's: refused
/// ├── caller's key known: refused
/// └── otherwise: both pending, the caller's key is the Administrator's, two events
contract RegisterOrganisationTest is Network {
    address private founder = address(0xF0);
    bytes32 private org = keccak256("org");
    bytes32 private admin = keccak256("admin");
    bytes32 private descriptor = keccak256("descriptor");

    function _register(bytes32 organisation, uint8 kind, bytes32 digest, bytes32 administrator)
        private
    {
        vm.prank(founder);
        accounts.registerOrganisation(organisation, kind, digest, administrator);
    }

    function testFuzz_an_unknown_kind_is_refused(uint8 kind) external {
        vm.assume(kind == 0 || kind > 4);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_KindUnknown.selector, kind));
        _register(org, kind, descriptor, admin);
    }

    function test_zero_ids_and_descriptors_are_refused() external {
        vm.expectRevert(Errors.Accounts_Zero.selector);
        _register(0, 1, descriptor, admin);
        vm.expectRevert(Errors.Accounts_Zero.selector);
        _register(org, 1, 0, admin);
        vm.expectRevert(Errors.Accounts_Zero.selector);
        _register(org, 1, descriptor, 0);
    }

    function test_an_id_is_never_used_twice() external {
        _register(org, 1, descriptor, admin);
        founder = address(0xF1);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_OrganisationExists.selector, org));
        _register(org, 1, descriptor, keccak256("other"));
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_AccountExists.selector, admin));
        _register(admin, 1, descriptor, keccak256("other"));
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_AccountExists.selector, admin));
        _register(keccak256("other"), 1, descriptor, admin);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_OrganisationExists.selector, org));
        _register(keccak256("other"), 1, descriptor, org);
    }

    function test_an_organisation_and_its_administrator_have_two_ids() external {
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_OrganisationExists.selector, org));
        _register(org, 1, descriptor, org);
    }

    function test_a_known_key_founds_nothing() external {
        _register(org, 1, descriptor, admin);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_KeyUsed.selector, founder));
        _register(keccak256("other"), 1, descriptor, keccak256("other admin"));
    }

    function testFuzz_both_are_pending_and_both_events_are_written(uint8 kind) external {
        kind = uint8(bound(kind, 1, 4));
        vm.expectEmit(address(accounts));
        emit IAccounts.OrganisationRegistered(org, admin, kind, descriptor);
        vm.expectEmit(address(accounts));
        emit IAccounts.AccountRegistered(admin, org, founder, ADMINISTRATOR);
        _register(org, kind, descriptor, admin);

        IAccounts.Organisation memory o = accounts.organisation(org);
        assertEq(o.kind, kind, "kind");
        assertEq(o.state, 1, "organisation pending");
        assertEq(o.since, START, "since");
        assertEq(o.descriptor, descriptor, "descriptor");
        assertEq(o.firstAdministrator, admin, "first administrator");
        IAccounts.Account memory a = accounts.account(admin);
        assertEq(a.state, 1, "administrator pending");
        assertEq(a.key, founder, "key");
        assertEq(accounts.accountOf(founder), admin, "account of key");
        assertFalse(accounts.isActive(founder), "not active yet");
    }
}
