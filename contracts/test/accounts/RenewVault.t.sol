// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Member, Network, Person} from "../support/Network.sol";

/// renewVault
/// ├── deadline passed; vault unknown; not the next epoch; not 2 <= m <= n <= 64: refused
/// ├── caller no active Agent, or of another organisation than signed for: refused
/// ├── vault controlled: anything but one signature of the active control account: refused
/// ├── vault provisional: attestations as in setVault, else refused
/// └── otherwise: the epoch rises by one, organisation and control stay
contract RenewVaultTest is Network {
    Member private hospital;
    Member private clinic;
    Member private lab;
    Person private patient;
    bytes32 private tag;
    uint256 private deadline;

    function setUp() public override {
        super.setUp();
        hospital = _member("hospital", 1);
        clinic = _member("clinic", 1);
        lab = _member("lab", 4);
        patient = _person(hospital, PATIENT, "patient");
        tag = _vault(hospital, "vault");
        deadline = block.timestamp + 1 hours;
    }

    function _one(bytes memory signature) private pure returns (bytes[] memory signatures) {
        signatures = new bytes[](1);
        signatures[0] = signature;
    }

    function _two(IAccounts.Renewal memory next, Person memory a, Person memory b)
        private
        view
        returns (bytes[] memory)
    {
        bytes32 digest = _renewDigest(next);
        return _both(_sign(a.secret, digest), _sign(b.secret, digest));
    }

    function _renew(Person memory by, IAccounts.Renewal memory next, bytes[] memory signatures)
        private
    {
        vm.prank(by.key);
        accounts.renewVault(next, signatures);
    }

    function _refused(
        bytes memory refusal,
        Person memory by,
        IAccounts.Renewal memory next,
        bytes[] memory signatures
    ) private {
        vm.expectRevert(refusal);
        _renew(by, next, signatures);
    }

    function _next() private view returns (IAccounts.Renewal memory) {
        return _renewal(tag, hospital.id, deadline);
    }

    function test_two_organisations_renew_a_provisional_vault() external {
        IAccounts.Renewal memory next = _next();
        bytes[] memory both = _two(next, hospital.agent, clinic.administrator);
        _pass(60);
        vm.expectEmit(address(accounts));
        emit IAccounts.VaultRenewed(tag, hospital.id, next.descriptor, 3, 5, 2);
        _renew(hospital.agent, next, both);
        IAccounts.Vault memory v = accounts.vault(tag);
        assertEq(v.organisation, hospital.id, "who opened it stays");
        assertEq(v.control, 0, "control");
        assertEq(v.descriptor, next.descriptor, "descriptor");
        assertEq(v.m, 3, "m");
        assertEq(v.n, 5, "n");
        assertEq(v.epoch, 2, "epoch");
        assertEq(v.since, START + 60, "since");
        // What was signed is used up: the next epoch is another one.
        _refused(
            abi.encodeWithSelector(Errors.Accounts_WrongEpoch.selector, tag, uint32(2)),
            hospital.agent,
            next,
            both
        );
    }

    function test_whoever_was_signed_for_sends_it_and_nobody_else() external {
        IAccounts.Renewal memory next = _renewal(tag, clinic.id, deadline);
        bytes[] memory both = _two(next, hospital.agent, clinic.agent);
        Person[3] memory others = [hospital.agent, clinic.administrator, patient];
        for (uint256 i = 0; i < others.length; ++i) {
            _refused(
                abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, others[i].key),
                others[i],
                next,
                both
            );
        }
        _renew(clinic.agent, next, both);
        assertEq(accounts.vault(tag).epoch, 2, "epoch");
    }

    function test_the_opener_is_one_of_the_two_unless_it_is_suspended() external {
        IAccounts.Renewal memory next = _renewal(tag, clinic.id, deadline);
        bytes[] memory without = _two(next, clinic.agent, lab.agent);
        _refused(
            abi.encodeWithSelector(Errors.Signatures_WitnessMissing.selector, hospital.id),
            clinic.agent,
            next,
            without
        );
        vm.prank(address(administrators));
        accounts.suspendOrganisation(hospital.id);
        _renew(clinic.agent, next, without);
        assertEq(accounts.vault(tag).epoch, 2, "epoch");
    }

    function test_one_organisation_alone_renews_nothing() external {
        IAccounts.Renewal memory next = _next();
        _refused(
            abi.encodeWithSelector(Errors.Signatures_SameOrganisation.selector, hospital.id),
            hospital.agent,
            next,
            _two(next, hospital.agent, hospital.administrator)
        );
        _refused(
            abi.encodeWithSelector(Errors.Signatures_AttestationCount.selector, 1),
            hospital.agent,
            next,
            _one(_sign(hospital.agent.secret, _renewDigest(next)))
        );
    }

    function test_a_patients_vault_is_renewed_by_the_patient_alone() external {
        _claim(tag, patient, hospital, clinic);
        IAccounts.Renewal memory next = _next();
        _refused(
            abi.encodeWithSelector(Errors.Signatures_AttestationCount.selector, 2),
            hospital.agent,
            next,
            _two(next, hospital.agent, clinic.agent)
        );
        _refused(
            abi.encodeWithSelector(Errors.Signatures_Invalid.selector, hospital.agent.key),
            hospital.agent,
            next,
            _one(_sign(hospital.agent.secret, _renewDigest(next)))
        );
        _renew(hospital.agent, next, _one(_sign(patient.secret, _renewDigest(next))));
        assertEq(accounts.vault(tag).epoch, 2, "epoch");
        assertEq(accounts.vault(tag).control, patient.account, "control stays");
    }

    function test_a_suspended_patient_renews_nothing() external {
        _claim(tag, patient, hospital, clinic);
        _suspend(hospital, patient);
        IAccounts.Renewal memory next = _next();
        _refused(
            abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, patient.key),
            hospital.agent,
            next,
            _one(_sign(patient.secret, _renewDigest(next)))
        );
    }

    function test_a_signature_is_for_every_field() external {
        IAccounts.Renewal memory signed = _next();
        bytes[] memory both = _two(signed, hospital.agent, clinic.agent);
        for (uint256 i = 0; i < 5; ++i) {
            IAccounts.Renewal memory next = _next();
            if (i == 0) next.descriptor = keccak256("other");
            if (i == 1) next.m = 2;
            if (i == 2) next.n = 6;
            if (i == 3) next.deadline += 1;
            if (i == 4) next.tag = _vault(hospital, "other");
            vm.expectPartialRevert(Errors.Signatures_NotAttestor.selector);
            _renew(hospital.agent, next, both);
        }
    }

    function test_epochs_follow_each_other() external {
        IAccounts.Renewal memory next = _next();
        for (uint32 epoch = 0; epoch < 5; ++epoch) {
            if (epoch == 2) continue;
            next.epoch = epoch;
            bytes[] memory both = _two(next, hospital.agent, clinic.agent);
            _refused(
                abi.encodeWithSelector(Errors.Accounts_WrongEpoch.selector, tag, uint32(1)),
                hospital.agent,
                next,
                both
            );
        }
    }

    function test_form_and_time_are_checked() external {
        IAccounts.Renewal memory next = _next();
        next.descriptor = 0;
        bytes[] memory none = new bytes[](0);
        _refused(abi.encodeWithSelector(Errors.Accounts_Zero.selector), hospital.agent, next, none);
        next = _next();
        next.m = 1;
        _refused(
            abi.encodeWithSelector(Errors.Accounts_VaultMalformed.selector, uint8(1), uint8(5)),
            hospital.agent,
            next,
            none
        );
        next = _next();
        next.tag = _id("nowhere");
        _refused(
            abi.encodeWithSelector(Errors.Accounts_VaultUnknown.selector, next.tag),
            hospital.agent,
            next,
            none
        );
        next = _next();
        _pass(1 hours + 1);
        vm.expectPartialRevert(Errors.Signatures_Expired.selector);
        _renew(hospital.agent, next, none);
    }
}
