// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Member, Network, Person} from "../support/Network.sol";

/// setDescriptor
/// ├── zero: refused
/// ├── caller is not an active Administrator or Agent: refused
/// └── otherwise: the caller's organisation has the new descriptor, event
contract SetDescriptorTest is Network {
    Member private hospital;
    bytes32 private digest = keccak256("new descriptor");

    function setUp() public override {
        super.setUp();
        hospital = _member("hospital", 1);
    }

    function test_a_zero_descriptor_is_refused() external {
        vm.prank(hospital.agent.key);
        vm.expectRevert(Errors.Accounts_Zero.selector);
        accounts.setDescriptor(0);
    }

    function testFuzz_other_roles_do_not_describe_the_organisation(uint8 role) external {
        role = uint8(bound(role, 1, 6));
        Person memory person = _person(hospital, role, "person");
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, person.key));
        vm.prank(person.key);
        accounts.setDescriptor(digest);
    }

    function test_a_suspended_agent_does_not_describe_the_organisation() external {
        _suspend(hospital, hospital.agent);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, hospital.agent.key)
        );
        vm.prank(hospital.agent.key);
        accounts.setDescriptor(digest);
    }

    function test_agent_and_administrator_describe_their_own_organisation() external {
        Member memory other = _member("other", 1);
        vm.expectEmit(address(accounts));
        emit IAccounts.DescriptorSet(hospital.id, digest);
        vm.prank(hospital.agent.key);
        accounts.setDescriptor(digest);
        assertEq(accounts.organisation(hospital.id).descriptor, digest, "by agent");

        vm.prank(hospital.administrator.key);
        accounts.setDescriptor(keccak256("again"));
        assertEq(accounts.organisation(hospital.id).descriptor, keccak256("again"), "by admin");
        assertEq(accounts.organisation(other.id).descriptor, keccak256("other"), "other untouched");
    }
}
