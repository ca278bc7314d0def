// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IPrescriptions} from "../../src/interfaces/IPrescriptions.sol";
import {Field} from "../../src/lib/Field.sol";
import {Dispensing} from "../support/Dispensing.sol";

/// cancel
/// ├── a secret that is no element: refused
/// ├── twice: refused
/// └── otherwise, whoever sends it and also before a first fill: nothing moves the tag any more
contract CancelTest is Dispensing {
    uint256 private constant SECRET = 1234;

    function _tag() private view returns (uint256) {
        uint256 key = poseidon2.hash([uint256(5), SECRET]);
        return poseidon3.hash([uint256(2), prescriptions.context(), key]);
    }

    function testFuzz_anybody_who_knows_the_secret_cancels(address who, uint16 part) external {
        part = uint16(bound(part, 0, 10_000));
        uint256 tag = _tag();
        if (part != 0) _dispense(pharmacy, tag, 0, part);
        vm.prank(who);
        prescriptions.cancel(SECRET);
        IPrescriptions.Status memory s = prescriptions.statusOf(tag);
        assertTrue(s.cancelled, "cancelled");
        assertEq(s.part, part, "what was dispensed stays known");

        bytes memory refusal = abi.encodeWithSelector(Errors.Prescriptions_Cancelled.selector, tag);
        vm.expectRevert(refusal);
        prescriptions.cancel(SECRET);
        vm.expectRevert(refusal);
        _bind(pharmacy, tag, part);
        vm.expectRevert(refusal);
        _release(pharmacy, tag, part);
        vm.assume(part < 10_000);
        vm.expectRevert(refusal);
        _dispense(pharmacy, tag, part, 10_000);
    }

    function testFuzz_another_secret_cancels_another(uint256 secret) external {
        secret = bound(secret, 0, Field.ORDER - 1);
        vm.assume(secret != SECRET);
        prescriptions.cancel(secret);
        assertFalse(prescriptions.statusOf(_tag()).cancelled, "not this one");
    }

    function testFuzz_a_secret_is_an_element(uint256 secret) external {
        secret = bound(secret, Field.ORDER, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(Errors.Prescriptions_NotElement.selector, secret));
        prescriptions.cancel(secret);
    }

    function test_a_pause_never_covers_cancelling_and_releasing() external view {
        assertTrue(prescriptions.isPausable(prescriptions.dispense.selector), "dispense");
        assertTrue(prescriptions.isPausable(prescriptions.bindPharmacy.selector), "bind");
        assertFalse(prescriptions.isPausable(prescriptions.cancel.selector), "cancel");
        assertFalse(prescriptions.isPausable(prescriptions.releasePharmacy.selector), "release");
    }

    function test_elements_are_248_bits_of_hashes() external view {
        assertEq(
            prescriptions.pharmacyElement(pharmacy.id),
            uint256(keccak256(abi.encode(pharmacy.id))) >> 8,
            "pharmacy"
        );
        assertEq(statements.recentSeconds(), RECENT, "recent");
    }
}
