// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IConsents} from "../../src/interfaces/IConsents.sol";
import {Asking} from "../support/Asking.sol";

/// revoke, revokeAll
/// ├── caller does not hold the control key: refused
/// ├── handle zero, or revoked before: refused
/// ├── works in whatever state the account is
/// ├── an unseen handle is burned: no later grant under it
/// └── revokeAll: everything so far is closed, later grants are not
contract RevokeTest is Asking {
    function _revoke() private {
        vm.prank(patient.key);
        consents.revoke(tag, handle);
    }

    function testFuzz_nobody_else_revokes(address stranger) external {
        vm.assume(stranger != patient.key);
        _grant(_terms());
        bytes memory refusal =
            abi.encodeWithSelector(Errors.Consents_NotControl.selector, tag, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(refusal);
        consents.revoke(tag, handle);
        vm.expectRevert(refusal);
        consents.revokeAll(tag);
        vm.stopPrank();
    }

    function test_a_revocation_cuts_at_once() external {
        _grant(_terms());
        _expect(_terms(), _request(), IConsents.Reason.Allowed);
        vm.expectEmit(address(consents));
        emit IConsents.Revoked(tag, handle);
        _revoke();
        _expect(_terms(), _request(), IConsents.Reason.Revoked);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Consents_AlreadyRevoked.selector, tag, handle)
        );
        _revoke();
    }

    function test_an_unseen_handle_is_burned() external {
        _revoke();
        _expect(_terms(), _request(), IConsents.Reason.Revoked);
        bytes32 commitment = _commitment(_terms());
        vm.expectRevert(abi.encodeWithSelector(Errors.Consents_HandleUsed.selector, tag, handle));
        vm.prank(patient.key);
        consents.grant(tag, handle, commitment, pointer);
    }

    function test_handle_zero_is_not_revoked() external {
        handle = 0;
        vm.expectRevert(Errors.Consents_Zero.selector);
        _revoke();
    }

    function test_a_suspended_patient_of_a_suspended_organisation_revokes() external {
        _grant(_terms());
        _suspend(hospital, patient);
        _govern(address(accounts), abi.encodeCall(accounts.suspendOrganisation, (hospital.id)));
        _pass(1);
        _revoke();
        vm.prank(patient.key);
        consents.revokeAll(tag);
        _expect(_terms(), _request(), IConsents.Reason.Revoked);
    }

    function testFuzz_revoke_all_closes_what_was_and_not_what_comes(uint256 times) external {
        times = bound(times, 1, 5);
        IConsents.Terms memory terms = _terms();
        _grant(terms);
        for (uint64 i = 1; i <= times; ++i) {
            vm.expectEmit(address(consents));
            emit IConsents.RevokedAll(tag, i);
            vm.prank(patient.key);
            consents.revokeAll(tag);
        }
        assertEq(consents.generation(tag), times, "generation");
        _expect(terms, _request(), IConsents.Reason.OldGeneration);
        handle = keccak256("later handle");
        _grant(terms);
        _expect(terms, _request(), IConsents.Reason.Allowed);
    }
}
