// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Member, Network, Person} from "../support/Network.sol";

/// openVault
/// ├── tag or descriptor zero; tag in use: refused
/// ├── not 2 <= m <= n <= 64: refused
/// ├── caller is not an active Agent: refused
/// └── otherwise: provisional, epoch 1, nobody controls it
contract OpenVaultTest is Network {
    Member private hospital;
    bytes32 private tag = keccak256("tag");
    bytes32 private descriptor = keccak256("descriptor");

    function setUp() public override {
        super.setUp();
        hospital = _member("hospital", 1);
    }

    function _open(address caller, uint8 m, uint8 n) private {
        vm.prank(caller);
        accounts.openVault(tag, descriptor, m, n);
    }

    function testFuzz_m_and_n_have_bounds(uint8 m, uint8 n) external {
        bool sane = m >= 2 && m <= n && n <= 64;
        if (!sane) {
            vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_VaultMalformed.selector, m, n));
        }
        _open(hospital.agent.key, m, n);
        assertEq(accounts.vault(tag).epoch, sane ? 1 : 0, "epoch");
    }

    function test_one_share_is_never_enough() external {
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_VaultMalformed.selector, uint8(1), uint8(3))
        );
        _open(hospital.agent.key, 1, 3);
    }

    function test_zero_tags_and_descriptors_are_refused() external {
        vm.startPrank(hospital.agent.key);
        vm.expectRevert(Errors.Accounts_Zero.selector);
        accounts.openVault(0, descriptor, 2, 3);
        vm.expectRevert(Errors.Accounts_Zero.selector);
        accounts.openVault(tag, 0, 2, 3);
        vm.stopPrank();
    }

    function test_a_tag_is_opened_once() external {
        _open(hospital.agent.key, 2, 3);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_VaultExists.selector, tag));
        _open(hospital.agent.key, 2, 3);
    }

    function testFuzz_only_agents_open_vaults(uint8 role) external {
        role = uint8(bound(role, 1, 7));
        Person memory person = _person(hospital, role, "person");
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, person.key));
        _open(person.key, 2, 3);
    }

    function test_an_unverified_organisation_opens_none() external {
        Member memory young = _applicant("young", 1);
        Person memory agent = _pending(young, AGENT, "agent");
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, agent.key));
        _open(agent.key, 2, 3);
    }

    function test_a_vault_is_provisional_at_first() external {
        vm.expectEmit(address(accounts));
        emit IAccounts.VaultOpened(tag, hospital.id, descriptor, 3, 5, 1);
        _open(hospital.agent.key, 3, 5);
        IAccounts.Vault memory v = accounts.vault(tag);
        assertEq(v.organisation, hospital.id, "opened by");
        assertEq(v.descriptor, descriptor, "descriptor");
        assertEq(v.m, 3, "m");
        assertEq(v.n, 5, "n");
        assertEq(v.epoch, 1, "epoch");
        assertEq(v.control, 0, "control");
        assertEq(v.since, START, "since");
    }
}
