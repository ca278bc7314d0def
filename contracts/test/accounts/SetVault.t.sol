// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Member, Network, Person} from "../support/Network.sol";

/// setVault
/// ├── deadline passed; vault unknown; set already: refused
/// ├── patient's signature: missing, by another, malleable, for another tag: refused
/// ├── account not a patient's, pending, suspended: refused
/// ├── attestations: as in recoverAttested, the witness being who opened the vault
/// └── otherwise: set, for good; one account may control several vaults
contract SetVaultTest is Network {
    Member private hospital;
    Member private clinic;
    Person private patient;
    bytes32 private tag;
    uint256 private deadline;

    function setUp() public override {
        super.setUp();
        hospital = _member("hospital", 1);
        clinic = _member("clinic", 1);
        patient = _person(hospital, PATIENT, "patient");
        tag = _vault(hospital, "vault");
        deadline = block.timestamp + 1 hours;
    }

    function _submit(Person memory who, uint256 secret, uint256 one, uint256 two) private {
        bytes memory signature = _sign(secret, _claimDigest(tag, who.account, deadline));
        bytes32 digest = _attestVaultDigest(tag, who.account, deadline);
        bytes[] memory attestations = _both(_sign(one, digest), _sign(two, digest));
        accounts.setVault(tag, who.account, deadline, signature, attestations);
    }

    function submit(Person calldata who, uint256 secret, uint256 one, uint256 two) external {
        _submit(who, secret, one, two);
    }

    function _refuse(bytes memory refusal, Person memory who, uint256 one, uint256 two) private {
        vm.expectRevert(refusal);
        this.submit(who, who.secret, one, two);
    }

    function test_patient_and_two_organisations_set_it_once() external {
        vm.expectEmit(address(accounts));
        emit IAccounts.VaultSet(tag, patient.account);
        _submit(patient, patient.secret, hospital.agent.secret, clinic.administrator.secret);
        assertEq(accounts.vault(tag).control, patient.account, "set");

        Person memory other = _person(clinic, PATIENT, "other");
        _refuse(
            abi.encodeWithSelector(Errors.Accounts_VaultSet.selector, tag),
            other,
            hospital.agent.secret,
            clinic.agent.secret
        );
    }

    function test_several_vaults_of_one_person() external {
        bytes32 second = _vault(clinic, "second vault");
        _claim(tag, patient, hospital, clinic);
        _claim(second, patient, hospital, clinic);
        assertEq(accounts.vault(second).control, patient.account, "both");
    }

    function test_deadline_and_tag_are_checked_first() external {
        deadline = block.timestamp - 1;
        _refuse(
            abi.encodeWithSelector(Errors.Signatures_Expired.selector, deadline),
            patient,
            hospital.agent.secret,
            clinic.agent.secret
        );
        deadline = block.timestamp;
        tag = _id("no such vault");
        _refuse(
            abi.encodeWithSelector(Errors.Accounts_VaultUnknown.selector, tag),
            patient,
            hospital.agent.secret,
            clinic.agent.secret
        );
    }

    function test_only_the_patients_own_key_claims() external {
        Person memory other = _person(clinic, PATIENT, "other");
        vm.expectRevert(abi.encodeWithSelector(Errors.Signatures_Invalid.selector, other.key));
        this.submit(patient, other.secret, hospital.agent.secret, clinic.agent.secret);
    }

    function test_nobody_claims_for_the_zero_account() external {
        Person memory nobody = _stranger(hospital.id, "nobody");
        nobody.account = 0;
        _refuse(
            abi.encodeWithSelector(Errors.Signatures_Invalid.selector, nobody.key),
            nobody,
            hospital.agent.secret,
            clinic.agent.secret
        );
    }

    function test_a_claim_on_another_vault_or_in_another_form_is_refused() external {
        bytes32 digest = _attestVaultDigest(tag, patient.account, deadline);
        bytes[] memory attestations =
            _both(_sign(hospital.agent.secret, digest), _sign(clinic.agent.secret, digest));
        bytes memory other =
            _sign(patient.secret, _claimDigest(_id("x"), patient.account, deadline));
        vm.expectPartialRevert(Errors.Signatures_Invalid.selector);
        accounts.setVault(tag, patient.account, deadline, other, attestations);
        bytes memory bad =
            _malleate(_sign(patient.secret, _claimDigest(tag, patient.account, deadline)));
        vm.expectRevert(abi.encodeWithSelector(Errors.Signatures_Invalid.selector, address(0)));
        accounts.setVault(tag, patient.account, deadline, bad, attestations);
    }

    function testFuzz_only_patients_control_vaults(uint8 role) external {
        role = uint8(bound(role, 2, 8));
        Person memory person = _person(hospital, role, "person");
        _refuse(
            abi.encodeWithSelector(Errors.Accounts_NotPatient.selector, person.account),
            person,
            hospital.agent.secret,
            clinic.agent.secret
        );
    }

    function test_an_inactive_patient_is_refused() external {
        Person memory fresh = _pending(hospital, PATIENT, "fresh");
        _refuse(
            abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, fresh.key),
            fresh,
            hospital.agent.secret,
            clinic.agent.secret
        );
        _suspend(hospital, patient);
        _refuse(
            abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, patient.key),
            patient,
            hospital.agent.secret,
            clinic.agent.secret
        );
    }

    function test_who_opened_the_vault_must_attest_unless_suspended() external {
        Member memory third = _member("third", 1);
        bytes memory refusal =
            abi.encodeWithSelector(Errors.Signatures_WitnessMissing.selector, hospital.id);
        _refuse(refusal, patient, clinic.agent.secret, third.agent.secret);
        Person memory elsewhere = _person(clinic, PATIENT, "patient elsewhere");
        _refuse(refusal, elsewhere, clinic.agent.secret, third.agent.secret);
        _govern(address(accounts), abi.encodeCall(accounts.suspendOrganisation, (hospital.id)));
        _submit(elsewhere, elsewhere.secret, clinic.agent.secret, third.agent.secret);
        assertEq(accounts.vault(tag).control, elsewhere.account, "set without the opener");
    }

    function test_attestors_must_be_two_active_organisations() external {
        _refuse(
            abi.encodeWithSelector(Errors.Signatures_SameOrganisation.selector, hospital.id),
            patient,
            hospital.agent.secret,
            hospital.administrator.secret
        );
        Person memory doctor = _person(clinic, DOCTOR, "doctor");
        _refuse(
            abi.encodeWithSelector(Errors.Signatures_NotAttestor.selector, doctor.key),
            patient,
            hospital.agent.secret,
            doctor.secret
        );
        _suspend(clinic, clinic.agent);
        _refuse(
            abi.encodeWithSelector(Errors.Signatures_NotAttestor.selector, clinic.agent.key),
            patient,
            hospital.agent.secret,
            clinic.agent.secret
        );
    }
}
