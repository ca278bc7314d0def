// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IConsents} from "../../src/interfaces/IConsents.sol";
import {Asking} from "../support/Asking.sol";
import {Member, Person} from "../support/Network.sol";

/// openEmergency
/// ├── caller is not an active doctor or nurse of a verified hospital: refused
/// ├── reason or handle zero; vault unknown; handle used: refused
/// ├── quota of organisation and day spent: refused; next day, and other organisations: not
/// ├── an earlier emergency's review is overdue: refused until reviewed
/// └── otherwise: open for its time, to the clinician, for ETREAT, to the fixed categories without
///     labels; the patient's revocation closes it
contract OpenEmergencyTest is Asking {
    bytes32 private reason = keccak256("salted reason");

    function _open(address caller) private {
        vm.prank(caller);
        consents.openEmergency(tag, handle, reason);
    }

    function _openNext(address caller, uint256 number) private {
        handle = keccak256(abi.encode("emergency", number));
        _open(caller);
    }

    function _urgent() private view returns (IConsents.Request memory request) {
        request = _request();
        request.purpose = ETREAT;
    }

    function _none() private pure returns (IConsents.Terms memory terms) {}

    function testFuzz_only_clinicians_break_glass(uint8 role) external {
        role = uint8(bound(role, 1, 8));
        Person memory person = _person(clinic, role, "somebody");
        bool clinician = role == DOCTOR || role == NURSE;
        if (!clinician) {
            vm.expectRevert(
                abi.encodeWithSelector(Errors.Consents_NotClinician.selector, person.key)
            );
        }
        _open(person.key);
    }

    function testFuzz_only_hospitals_break_glass(uint8 kind) external {
        kind = uint8(bound(kind, 2, 4));
        Member memory other = _member("other", kind);
        Person memory so_called = _person(other, DOCTOR, "so-called doctor");
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Consents_NotClinician.selector, so_called.key)
        );
        _open(so_called.key);
    }

    function test_inactive_clinicians_and_strangers_do_not() external {
        Person memory fresh = _pending(clinic, DOCTOR, "fresh");
        _suspend(clinic, nurse);
        address[3] memory callers = [fresh.key, nurse.key, address(0xDEAD)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(Errors.Consents_NotClinician.selector, callers[i])
            );
            _open(callers[i]);
        }
    }

    function test_reason_handle_and_vault_are_checked() external {
        vm.startPrank(doctor.key);
        vm.expectRevert(Errors.Consents_Zero.selector);
        consents.openEmergency(tag, handle, 0);
        vm.expectRevert(Errors.Consents_Zero.selector);
        consents.openEmergency(tag, 0, reason);
        bytes32 unknown = _id("no such vault");
        vm.expectRevert(abi.encodeWithSelector(Errors.Consents_VaultUnknown.selector, unknown));
        consents.openEmergency(unknown, handle, reason);
        consents.openEmergency(tag, handle, reason);
        vm.expectRevert(abi.encodeWithSelector(Errors.Consents_HandleUsed.selector, tag, handle));
        consents.openEmergency(tag, handle, reason);
        vm.stopPrank();
    }

    function test_it_is_announced_and_recorded() external {
        uint64 time = uint64(block.timestamp);
        vm.expectEmit(address(consents));
        emit IConsents.EmergencyOpened(
            tag, handle, clinic.id, doctor.account, reason, time, time + OPEN, time + REVIEW, 0
        );
        _open(doctor.key);
        IConsents.Emergency memory e = consents.emergency(tag, handle);
        assertEq(e.account, doctor.account, "account");
        assertEq(e.organisation, clinic.id, "organisation");
        assertEq(e.until, time + OPEN, "until");
        assertEq(e.reviewDue, time + REVIEW, "review due");
        assertEq(consents.emergenciesOn(clinic.id, time / 86_400), 1, "counted");
    }

    function test_it_opens_a_provisional_vault_too() external {
        tag = _vault(hospital, "unconscious stranger");
        _open(doctor.key);
        _expect(_none(), _urgent(), IConsents.Reason.Allowed);
    }

    // --- what it opens ------------------------------------------------------------------------

    function testFuzz_only_the_fixed_categories(uint8 category) external {
        _open(doctor.key);
        IConsents.Request memory request = _urgent();
        request.category = category;
        bool fixedOne = category == 0 || (category >= 2 && category <= 6);
        _expect(_none(), request, fixedOne ? IConsents.Reason.Allowed : IConsents.Reason.Category);
    }

    function testFuzz_nothing_with_a_label(uint64 labels) external {
        vm.assume(labels != 0);
        _open(doctor.key);
        IConsents.Request memory request = _urgent();
        request.labels = labels;
        _expect(_none(), request, IConsents.Reason.Label);
    }

    function testFuzz_terms_do_not_widen_it(IConsents.Terms calldata terms) external {
        _open(doctor.key);
        IConsents.Request memory request = _urgent();
        request.category = 8;
        _expect(terms, request, IConsents.Reason.Category);
    }

    function testFuzz_only_for_its_purpose(uint8 purpose) external {
        vm.assume(purpose != ETREAT);
        _open(doctor.key);
        IConsents.Request memory request = _urgent();
        request.purpose = purpose;
        _expect(_none(), request, IConsents.Reason.Purpose);
    }

    function test_only_for_who_opened_it() external {
        _open(doctor.key);
        IConsents.Request memory request = _urgent();
        request.actor = nurse.key;
        _expect(_none(), request, IConsents.Reason.WrongGrantee);
        _suspend(clinic, doctor);
        _expect(_none(), _urgent(), IConsents.Reason.InactiveActor);
    }

    function testFuzz_only_for_its_time(uint64 time) external {
        uint64 from = uint64(block.timestamp);
        _open(doctor.key);
        IConsents.Request memory request = _urgent();
        request.time = time;
        IConsents.Reason expected = IConsents.Reason.Allowed;
        if (time < from) expected = IConsents.Reason.NotYet;
        if (time >= from + OPEN) expected = IConsents.Reason.EmergencyOver;
        _expect(_none(), request, expected);
        request.time = from + OPEN - 1;
        _expect(_none(), request, IConsents.Reason.Allowed);
        request.time = from + OPEN;
        _expect(_none(), request, IConsents.Reason.EmergencyOver);
    }

    function test_the_patient_closes_it() external {
        _open(doctor.key);
        vm.prank(patient.key);
        consents.revoke(tag, handle);
        _expect(_none(), _urgent(), IConsents.Reason.Revoked);
        _openNext(doctor.key, 2);
        vm.prank(patient.key);
        consents.revokeAll(tag);
        _expect(_none(), _urgent(), IConsents.Reason.OldGeneration);
    }

    // --- quota and reviews --------------------------------------------------------------------

    function test_the_quota_is_per_organisation_and_day() external {
        vm.warp((block.timestamp / 1 days + 1) * 1 days);
        for (uint256 i = 0; i < QUOTA; ++i) {
            _openNext(i % 2 == 0 ? doctor.key : nurse.key, i);
        }
        uint64 day = uint64(block.timestamp / 1 days);
        bytes memory refusal =
            abi.encodeWithSelector(Errors.Consents_QuotaSpent.selector, clinic.id, day);
        vm.expectRevert(refusal);
        _openNext(doctor.key, 10);
        vm.warp(block.timestamp + 1 days - 1);
        vm.expectRevert(refusal);
        _openNext(nurse.key, 11);
        _openNext(_person(hospital, NURSE, "nurse elsewhere").key, 12);
        vm.warp(block.timestamp + 1);
        _openNext(doctor.key, 13);
        assertEq(consents.emergenciesOn(clinic.id, day), QUOTA, "that day");
        assertEq(consents.emergenciesOn(clinic.id, day + 1), 1, "next day");
    }

    function test_an_overdue_review_blocks_the_organisation() external {
        _openNext(doctor.key, 1);
        bytes32 first = handle;
        _pass(REVIEW);
        _openNext(nurse.key, 2); // due, not overdue
        _pass(1);
        bytes memory refusal =
            abi.encodeWithSelector(Errors.Consents_ReviewOverdue.selector, clinic.id, tag, first);
        vm.expectRevert(refusal);
        _openNext(nurse.key, 3);
        vm.expectRevert(refusal);
        _openNext(doctor.key, 3);
        vm.prank(clinic.administrator.key);
        consents.reviewEmergency(tag, first, 1);
        _openNext(doctor.key, 3);
    }

    function test_reviews_in_any_order_free_the_way() external {
        bytes32[] memory handles = new bytes32[](3);
        for (uint256 i = 0; i < 3; ++i) {
            _openNext(doctor.key, i);
            handles[i] = handle;
            _pass(1 days);
        }
        _pass(REVIEW);
        vm.startPrank(clinic.administrator.key);
        consents.reviewEmergency(tag, handles[2], 1);
        consents.reviewEmergency(tag, handles[0], 2);
        vm.stopPrank();
        vm.expectRevert(
            abi.encodeWithSelector(
                Errors.Consents_ReviewOverdue.selector, clinic.id, tag, handles[1]
            )
        );
        _openNext(doctor.key, 9);
        vm.prank(clinic.administrator.key);
        consents.reviewEmergency(tag, handles[1], 1);
        _openNext(doctor.key, 9);
    }

    function test_a_revoked_emergency_still_waits_for_its_review() external {
        _open(doctor.key);
        vm.prank(patient.key);
        consents.revoke(tag, handle);
        _pass(REVIEW + 1);
        vm.expectPartialRevert(Errors.Consents_ReviewOverdue.selector);
        _openNext(doctor.key, 2);
    }
}
