// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Guarded} from "../support/Guarded.sol";

/// recover, completeRecovery
/// ├── request: guardians' signatures as in freeze; to zero, or a key of somebody else: refused
/// ├── request while an attested recovery waits: refused
/// ├── a second request replaces the first and waits anew
/// ├── complete with nothing waiting, early, or when the key was taken meanwhile: refused
/// └── complete: new key in force, freeze lifted, what the old key had started is gone, old key dead;
///     vaults follow the account
contract RecoverTest is Guarded {
    function test_a_recovery_waits_and_then_changes_the_key() external {
        address old = patient.key;
        uint64 readyAt = uint64(block.timestamp) + DELAY;
        uint256 deadline = block.timestamp + 1 hours;
        IAccounts.GuardianProof[] memory proofs =
            _proofs(_recoverDigest(patient.account, fresh, 0, deadline), NEEDED);
        vm.expectEmit(address(accounts));
        emit IAccounts.RecoveryRequested(patient.account, fresh, readyAt, false, 0);
        accounts.recover(patient.account, fresh, deadline, proofs);
        assertTrue(accounts.isActive(old), "the old key acts until then");

        vm.warp(readyAt - 1);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_TooEarly.selector, patient.account, readyAt)
        );
        accounts.completeRecovery(patient.account);
        vm.warp(readyAt);
        vm.expectEmit(address(accounts));
        emit IAccounts.AccountRecovered(patient.account, old, fresh);
        accounts.completeRecovery(patient.account);
        assertTrue(accounts.isActive(fresh), "new key");
        assertEq(accounts.accountOf(old), 0, "old key dead");
        assertEq(accounts.pendingRecovery(patient.account).readyAt, 0, "nothing waits");
    }

    function test_signatures_name_the_new_key_and_the_nonce() external {
        uint256 deadline = block.timestamp + 1 hours;
        IAccounts.GuardianProof[] memory proofs =
            _proofs(_recoverDigest(patient.account, fresh, 0, deadline), NEEDED);
        vm.expectRevert();
        accounts.recover(patient.account, address(0xDEAD), deadline, proofs);
        accounts.recover(patient.account, fresh, deadline, proofs);
        vm.expectRevert();
        accounts.recover(patient.account, fresh, deadline, proofs);
    }

    function test_a_passed_deadline_is_refused() external {
        uint256 deadline = block.timestamp - 1;
        IAccounts.GuardianProof[] memory proofs =
            _proofs(_recoverDigest(patient.account, fresh, 0, deadline), NEEDED);
        vm.expectRevert(abi.encodeWithSelector(Errors.Signatures_Expired.selector, deadline));
        accounts.recover(patient.account, fresh, deadline, proofs);
    }

    function recoverTo(address key) external {
        _recover(patient, key);
    }

    function test_zero_and_keys_of_others_are_refused() external {
        vm.expectRevert(Errors.Accounts_Zero.selector);
        this.recoverTo(address(0));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_KeyUsed.selector, hospital.agent.key)
        );
        this.recoverTo(hospital.agent.key);
    }

    function test_guardians_do_not_replace_an_attested_recovery() external {
        _recoverAttested(patient, fresh);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_AttestedPending.selector, patient.account)
        );
        this.recoverTo(address(0x1111));
    }

    function test_a_second_request_replaces_the_first_and_waits_anew() external {
        _recover(patient, address(0x1111));
        _pass(DELAY - 1);
        _recover(patient, fresh);
        _pass(1);
        vm.expectRevert();
        accounts.completeRecovery(patient.account);
        _pass(DELAY - 1);
        accounts.completeRecovery(patient.account);
        assertEq(accounts.account(patient.account).key, fresh, "the second one");
    }

    function test_a_key_taken_meanwhile_is_refused() external {
        _recover(patient, fresh);
        vm.prank(hospital.agent.key);
        accounts.register(_id("x"), hospital.id, DOCTOR, fresh);
        _pass(DELAY);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_KeyUsed.selector, fresh));
        accounts.completeRecovery(patient.account);
    }

    function test_completing_nothing_is_refused() external {
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_NothingPending.selector, patient.account)
        );
        accounts.completeRecovery(patient.account);
    }

    function test_freeze_and_recover_shut_a_thief_out() external {
        // The thief rotates; guardians freeze at once, then recover; the thief cannot veto.
        vm.prank(patient.key);
        accounts.rotateKey(address(0x7E1F));
        _freeze(patient);
        _recover(patient, fresh);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_Frozen.selector, patient.account));
        vm.prank(patient.key);
        accounts.vetoRecovery();
        _pass(DELAY);
        accounts.completeRecovery(patient.account);
        assertFalse(accounts.account(patient.account).frozen, "no longer frozen");
        assertTrue(accounts.isActive(fresh), "the owner's new key");
        vm.expectRevert();
        accounts.completeRotation(patient.account);
    }

    function test_recovery_cancels_what_the_old_key_had_started() external {
        _recover(patient, fresh);
        vm.startPrank(patient.key);
        accounts.rotateKey(address(0x7E1F));
        accounts.setGuardians(keccak256("thief's friends"), 1, 1);
        vm.stopPrank();
        _pass(DELAY);
        accounts.completeRecovery(patient.account);
        vm.expectRevert();
        accounts.completeRotation(patient.account);
        vm.expectRevert();
        accounts.completeGuardians(patient.account);
    }

    function test_a_recovery_to_the_present_key_lifts_a_mistaken_freeze() external {
        _freeze(patient);
        _recover(patient, patient.key);
        _pass(DELAY);
        accounts.completeRecovery(patient.account);
        assertTrue(accounts.isActive(patient.key), "active again");
    }

    function test_a_vault_follows_its_account_to_the_new_key() external {
        bytes32 tag = _vault(hospital, "vault");
        _claim(tag, patient, hospital, clinic);
        _recover(patient, fresh);
        _pass(DELAY);
        accounts.completeRecovery(patient.account);
        vm.prank(fresh);
        consents.grant(tag, _id("handle"), _id("c"), _id("p"));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Consents_NotControl.selector, tag, patient.key)
        );
        vm.prank(patient.key);
        consents.revoke(tag, _id("handle"));
    }

    function test_a_suspension_outlives_a_recovery() external {
        _suspend(hospital, patient);
        _recover(patient, fresh);
        _pass(DELAY);
        accounts.completeRecovery(patient.account);
        assertFalse(accounts.isActive(fresh), "still suspended");
    }
}
