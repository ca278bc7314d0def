// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IConsents} from "../../src/interfaces/IConsents.sol";
import {Asking} from "../support/Asking.sol";
import {Person} from "../support/Network.sol";

/// reviewEmergency
/// ├── outcome not 1 or 2; no such emergency; reviewed before: refused
/// ├── caller is not an active Administrator of the organisation that opened it: refused
/// ├── justified: goes on until its time is over
/// └── unjustified: over at once
contract ReviewEmergencyTest is Asking {
    function setUp() public override {
        super.setUp();
        vm.prank(doctor.key);
        consents.openEmergency(tag, handle, keccak256("reason"));
    }

    function _review(address caller, uint8 outcome) private {
        vm.prank(caller);
        consents.reviewEmergency(tag, handle, outcome);
    }

    function _expectOpen(IConsents.Reason reason) private view {
        IConsents.Request memory request = _request();
        request.purpose = ETREAT;
        IConsents.Terms memory none;
        _expect(none, request, reason);
    }

    function testFuzz_an_unknown_outcome_is_refused(uint8 outcome) external {
        vm.assume(outcome == 0 || outcome > 2);
        vm.expectRevert(abi.encodeWithSelector(Errors.Consents_OutcomeUnknown.selector, outcome));
        _review(clinic.administrator.key, outcome);
    }

    function test_what_is_no_emergency_is_not_reviewed() external {
        handle = keccak256("a grant");
        _grant(_terms());
        vm.expectRevert(abi.encodeWithSelector(Errors.Consents_NotEmergency.selector, tag, handle));
        _review(clinic.administrator.key, 1);
    }

    function testFuzz_only_the_organisations_administrators_review(uint8 role) external {
        role = uint8(bound(role, 1, 8));
        vm.assume(role != ADMINISTRATOR);
        address[4] memory callers = [
            doctor.key,
            hospital.administrator.key,
            _person(clinic, role, "somebody").key,
            _pending(clinic, ADMINISTRATOR, "pending administrator").key
        ];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(Errors.Consents_NotReviewer.selector, callers[i])
            );
            _review(callers[i], 1);
        }
    }

    function test_a_justified_one_goes_on() external {
        vm.expectEmit(address(consents));
        emit IConsents.EmergencyReviewed(tag, handle, clinic.id, clinic.administrator.account, 1);
        _review(clinic.administrator.key, 1);
        assertEq(consents.emergency(tag, handle).outcome, 1, "outcome");
        _expectOpen(IConsents.Reason.Allowed);
        _pass(OPEN);
        _expectOpen(IConsents.Reason.EmergencyOver);
    }

    function test_an_unjustified_one_is_over_at_once() external {
        _expectOpen(IConsents.Reason.Allowed);
        _review(clinic.administrator.key, 2);
        _expectOpen(IConsents.Reason.EmergencyOver);
    }

    function test_it_is_reviewed_once() external {
        _review(clinic.administrator.key, 2);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Consents_AlreadyReviewed.selector, tag, handle)
        );
        _review(clinic.administrator.key, 1);
    }
}
