// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Guarded} from "../support/Guarded.sol";
import {Person} from "../support/Network.sol";

/// rotateKey, cancelRotation, completeRotation
/// ├── request by an inactive account, to zero or to a key ever used: refused
/// ├── complete with nothing waiting, or before the delay: refused
/// ├── complete when suspended, or when the key was taken meanwhile: refused
/// ├── cancel by the owner: gone; when frozen or with nothing waiting: refused
/// ├── a second request replaces the first and waits anew
/// └── complete: the new key acts, the old one never again, for nobody
contract RotateKeyTest is Guarded {
    function _request(address key) private {
        vm.prank(patient.key);
        accounts.rotateKey(key);
    }

    function test_a_request_waits_for_the_delay() external {
        uint64 readyAt = uint64(block.timestamp) + DELAY;
        vm.expectEmit(address(accounts));
        emit IAccounts.KeyRotationRequested(patient.account, fresh, readyAt);
        _request(fresh);
        assertEq(accounts.pendingRotation(patient.account).key, fresh, "waiting");
        assertTrue(accounts.isActive(patient.key), "old key still acts");
        assertFalse(accounts.isActive(fresh), "new key does not");
    }

    function testFuzz_completing_early_is_refused(uint256 early) external {
        uint64 readyAt = uint64(block.timestamp) + DELAY;
        _request(fresh);
        _pass(bound(early, 0, DELAY - 1));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_TooEarly.selector, patient.account, readyAt)
        );
        accounts.completeRotation(patient.account);
    }

    function test_completing_nothing_is_refused() external {
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_NothingPending.selector, patient.account)
        );
        accounts.completeRotation(patient.account);
    }

    function test_the_new_key_acts_and_the_old_one_never_again() external {
        address old = patient.key;
        _request(fresh);
        _pass(DELAY);
        vm.expectEmit(address(accounts));
        emit IAccounts.KeyRotated(patient.account, old, fresh);
        accounts.completeRotation(patient.account);

        assertTrue(accounts.isActive(fresh), "new key acts");
        assertFalse(accounts.isActive(old), "old key does not");
        assertEq(accounts.accountOf(old), 0, "old key is nobody's");
        assertEq(accounts.holderOf(old), patient.account, "but remembered");
        assertEq(accounts.pendingRotation(patient.account).readyAt, 0, "nothing waits");
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_KeyUsed.selector, old));
        vm.prank(hospital.agent.key);
        accounts.register(_id("x"), hospital.id, DOCTOR, old);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_KeyUsed.selector, old));
        vm.prank(fresh);
        accounts.rotateKey(old);
    }

    function test_zero_and_known_keys_are_refused() external {
        vm.expectRevert(Errors.Accounts_Zero.selector);
        _request(address(0));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_KeyUsed.selector, hospital.agent.key)
        );
        _request(hospital.agent.key);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_KeyUsed.selector, patient.key));
        _request(patient.key);
    }

    function test_a_key_taken_meanwhile_is_refused() external {
        _request(fresh);
        vm.prank(hospital.agent.key);
        accounts.register(_id("x"), hospital.id, DOCTOR, fresh);
        _pass(DELAY);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_KeyUsed.selector, fresh));
        accounts.completeRotation(patient.account);
    }

    function test_a_second_request_replaces_the_first_and_waits_anew() external {
        _request(address(0x1111));
        _pass(DELAY - 1);
        _request(fresh);
        _pass(1);
        vm.expectRevert();
        accounts.completeRotation(patient.account);
        _pass(DELAY - 1);
        accounts.completeRotation(patient.account);
        assertEq(accounts.account(patient.account).key, fresh, "the second one");
    }

    function test_the_owner_cancels() external {
        _request(fresh);
        vm.expectEmit(address(accounts));
        emit IAccounts.KeyRotationCancelled(patient.account);
        vm.prank(patient.key);
        accounts.cancelRotation();
        _pass(DELAY);
        vm.expectRevert();
        accounts.completeRotation(patient.account);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_NothingPending.selector, patient.account)
        );
        vm.prank(patient.key);
        accounts.cancelRotation();
    }

    function test_a_stranger_cancels_nothing() external {
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, address(0xDEAD))
        );
        vm.prank(address(0xDEAD));
        accounts.cancelRotation();
    }

    function test_a_frozen_account_neither_requests_nor_cancels() external {
        _freeze(patient);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, patient.key));
        _request(fresh);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_Frozen.selector, patient.account));
        vm.prank(patient.key);
        accounts.cancelRotation();
    }

    function test_a_suspended_account_does_not_complete() external {
        _request(fresh);
        _suspend(hospital, patient);
        _pass(DELAY);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_WrongState.selector, patient.account, uint8(3))
        );
        accounts.completeRotation(patient.account);
    }
}
