// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IRecords} from "../../src/interfaces/IRecords.sol";
import {Anchoring} from "../support/Anchoring.sol";
import {Member, Person} from "../support/Network.sol";

/// anchor
/// ├── root or count zero; pointer empty or over 96 bytes: refused
/// ├── caller is not an active Agent of a verified organisation: refused
/// ├── the same organisation and root again: refused, nothing changed
/// └── otherwise: under keccak256(chain id || organisation || root), which no other organisation
///     can take
contract AnchorTest is Anchoring {
    bytes32 private root = keccak256("root");

    function _anchorBy(address caller, uint32 count, bytes memory manifest) private {
        vm.prank(caller);
        records.anchor(root, count, manifest);
    }

    function test_empty_batches_are_refused() external {
        vm.expectRevert(Errors.Records_EmptyBatch.selector);
        _anchorBy(hospital.agent.key, 0, MANIFEST);
        root = 0;
        vm.expectRevert(Errors.Records_EmptyBatch.selector);
        _anchorBy(hospital.agent.key, 1, MANIFEST);
    }

    function testFuzz_pointers_have_a_length(uint256 length) external {
        length = bound(length, 0, 200);
        if (length == 0 || length > 96) {
            vm.expectRevert(abi.encodeWithSelector(Errors.Records_PointerLength.selector, length));
        }
        _anchorBy(hospital.agent.key, 1, new bytes(length));
    }

    function testFuzz_only_agents_anchor(uint8 role) external {
        role = uint8(bound(role, 1, 7));
        Person memory person = _person(hospital, role, "somebody");
        vm.expectRevert(abi.encodeWithSelector(Errors.Records_NotAgent.selector, person.key));
        _anchorBy(person.key, 1, MANIFEST);
    }

    function test_agents_of_unverified_and_suspended_organisations_do_not_anchor() external {
        Member memory young = _applicant("young", 1);
        Person memory agent = _pending(young, AGENT, "agent");
        vm.expectRevert(abi.encodeWithSelector(Errors.Records_NotAgent.selector, agent.key));
        _anchorBy(agent.key, 1, MANIFEST);
        _govern(address(accounts), abi.encodeCall(accounts.suspendOrganisation, (hospital.id)));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Records_NotAgent.selector, hospital.agent.key)
        );
        _anchorBy(hospital.agent.key, 1, MANIFEST);
    }

    function testFuzz_the_id_binds_chain_organisation_and_root(bytes32 r, uint32 count) external {
        vm.assume(r != 0 && count != 0);
        root = r;
        bytes32 id = keccak256(abi.encodePacked(block.chainid, hospital.id, r));
        vm.expectEmit(address(records));
        emit IRecords.Anchored(id, hospital.id, r, count, MANIFEST);
        _anchorBy(hospital.agent.key, count, MANIFEST);
        IRecords.Batch memory b = records.batch(id);
        assertEq(b.organisation, hospital.id, "organisation");
        assertEq(b.root, r, "root");
        assertEq(b.count, count, "count");
        assertEq(b.time, START, "time");
        assertEq(records.batchIdOf(hospital.id, r), id, "batchIdOf");
    }

    function test_sending_twice_is_harmless() external {
        _anchorBy(hospital.agent.key, 3, MANIFEST);
        bytes32 id = records.batchIdOf(hospital.id, root);
        _pass(60);
        vm.expectRevert(abi.encodeWithSelector(Errors.Records_AlreadyAnchored.selector, id));
        _anchorBy(hospital.agent.key, 4, MANIFEST);
        assertEq(records.batch(id).count, 3, "count as first sent");
        assertEq(records.batch(id).time, START, "time as first sent");
    }

    function test_nobody_takes_anothers_batch_first() external {
        _anchorBy(clinic.agent.key, 9, MANIFEST);
        _anchorBy(hospital.agent.key, 3, MANIFEST);
        assertEq(records.batch(records.batchIdOf(hospital.id, root)).count, 3, "the hospital's");
        assertEq(records.batch(records.batchIdOf(clinic.id, root)).count, 9, "the clinic's");
    }
}
