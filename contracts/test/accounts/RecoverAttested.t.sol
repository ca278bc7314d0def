// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Guarded} from "../support/Guarded.sol";
import {Member, Person} from "../support/Network.sol";

/// recoverAttested
/// ├── deadline passed; not a patient's account: refused
/// ├── not two attestations; both from one organisation: refused
/// ├── attestor not an active Administrator or Agent: refused
/// ├── neither is the account's own organisation, and that is not suspended: refused
/// ├── attested for another key, account or nonce; malleable: refused
/// ├── replaces a recovery by guardians; the owner cannot veto
/// └── complete after the delay as any recovery
contract RecoverAttestedTest is Guarded {
    uint256 private deadline;

    function setUp() public override {
        super.setUp();
        deadline = block.timestamp + 1 hours;
    }

    function _digest(Person memory person) private view returns (bytes32) {
        return _attestRecoveryDigest(person.account, fresh, _nonce(person), deadline);
    }

    function _submit(bytes memory one, bytes memory two) private {
        accounts.recoverAttested(patient.account, fresh, deadline, _both(one, two));
    }

    function test_two_organisations_recover_and_the_owner_cannot_veto() external {
        _recover(patient, address(0x1111));
        _recoverAttested(patient, fresh);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_VetoRefused.selector, patient.account)
        );
        vm.prank(patient.key);
        accounts.vetoRecovery();
        _pass(DELAY - 1);
        vm.expectRevert();
        accounts.completeRecovery(patient.account);
        _pass(1);
        accounts.completeRecovery(patient.account);
        assertEq(accounts.account(patient.account).key, fresh, "recovered");
    }

    function test_staff_accounts_are_not_taken_over_by_two_others() external {
        Person memory doctor = _person(hospital, DOCTOR, "doctor");
        bytes32 digest = _digest(doctor);
        bytes[] memory attestations =
            _both(_sign(hospital.agent.secret, digest), _sign(clinic.agent.secret, digest));
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_NotPatient.selector, doctor.account));
        accounts.recoverAttested(doctor.account, fresh, deadline, attestations);
    }

    function test_a_passed_deadline_is_refused() external {
        bytes32 digest = _digest(patient);
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.Signatures_Expired.selector, deadline));
        _submit(_sign(hospital.agent.secret, digest), _sign(clinic.agent.secret, digest));
    }

    function test_two_attestations_of_one_organisation_are_refused() external {
        bytes32 digest = _digest(patient);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Signatures_SameOrganisation.selector, hospital.id)
        );
        _submit(_sign(hospital.agent.secret, digest), _sign(hospital.administrator.secret, digest));
    }

    function testFuzz_one_or_three_attestations_are_refused(uint256 count) external {
        count = bound(count, 0, 6);
        vm.assume(count != 2);
        bytes[] memory attestations = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            attestations[i] = _sign(hospital.agent.secret, _digest(patient));
        }
        vm.expectRevert(abi.encodeWithSelector(Errors.Signatures_AttestationCount.selector, count));
        accounts.recoverAttested(patient.account, fresh, deadline, attestations);
    }

    function testFuzz_only_administrators_and_agents_attest(uint8 role) external {
        role = uint8(bound(role, 1, 6));
        Person memory person = _person(clinic, role, "person");
        bytes32 digest = _digest(patient);
        bytes memory signature = _sign(person.secret, digest);
        vm.expectRevert(abi.encodeWithSelector(Errors.Signatures_NotAttestor.selector, person.key));
        _submit(_sign(hospital.agent.secret, digest), signature);
    }

    function test_the_own_organisation_must_attest_unless_suspended() external {
        Member memory third = _member("third", 1);
        bytes32 digest = _digest(patient);
        bytes memory one = _sign(third.agent.secret, digest);
        bytes memory two = _sign(clinic.agent.secret, digest);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Signatures_WitnessMissing.selector, hospital.id)
        );
        _submit(one, two);
        _govern(address(accounts), abi.encodeCall(accounts.suspendOrganisation, (hospital.id)));
        _submit(one, two);
        assertEq(accounts.pendingRecovery(patient.account).key, fresh, "waiting");
    }

    function test_suspended_attestors_are_refused() external {
        bytes32 digest = _digest(patient);
        _suspend(clinic, clinic.agent);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Signatures_NotAttestor.selector, clinic.agent.key)
        );
        _submit(_sign(hospital.agent.secret, digest), _sign(clinic.agent.secret, digest));
        _govern(address(accounts), abi.encodeCall(accounts.suspendOrganisation, (clinic.id)));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Signatures_NotAttestor.selector, clinic.administrator.key)
        );
        _submit(_sign(hospital.agent.secret, digest), _sign(clinic.administrator.secret, digest));
    }

    function test_attestations_for_something_else_are_refused() external {
        bytes32[3] memory digests = [
            _attestRecoveryDigest(patient.account, address(0x1111), 0, deadline),
            _attestRecoveryDigest(hospital.agent.account, fresh, 0, deadline),
            _attestRecoveryDigest(patient.account, fresh, 1, deadline)
        ];
        for (uint256 i = 0; i < digests.length; ++i) {
            vm.expectPartialRevert(Errors.Signatures_NotAttestor.selector);
            _submit(
                _sign(hospital.agent.secret, digests[i]), _sign(clinic.agent.secret, digests[i])
            );
        }
    }

    function test_attestations_work_once() external {
        bytes32 digest = _digest(patient);
        bytes memory one = _sign(hospital.agent.secret, digest);
        bytes memory two = _sign(clinic.agent.secret, digest);
        _submit(one, two);
        vm.expectPartialRevert(Errors.Signatures_NotAttestor.selector);
        _submit(one, two);
    }

    function test_malleable_attestations_are_refused() external {
        bytes32 digest = _digest(patient);
        bytes memory bad = _malleate(_sign(clinic.agent.secret, digest));
        vm.expectRevert(abi.encodeWithSelector(Errors.Signatures_Invalid.selector, address(0)));
        _submit(_sign(hospital.agent.secret, digest), bad);
    }
}
