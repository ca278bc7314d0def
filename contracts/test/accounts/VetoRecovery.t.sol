// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Guarded} from "../support/Guarded.sol";

/// vetoRecovery
/// ├── caller holds no account; nothing waiting; frozen; attested: refused
/// ├── first veto: the recovery is gone
/// ├── second veto against the same guardians: refused
/// └── after a completed recovery the owner has a veto again
contract VetoRecoveryTest is Guarded {
    function _veto() private {
        vm.prank(patient.key);
        accounts.vetoRecovery();
    }

    function test_a_stranger_vetoes_nothing() external {
        _recover(patient, fresh);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, address(0xDEAD))
        );
        vm.prank(address(0xDEAD));
        accounts.vetoRecovery();
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_NothingPending.selector, hospital.agent.account)
        );
        vm.prank(hospital.agent.key);
        accounts.vetoRecovery();
    }

    function test_the_first_veto_counts_and_the_second_does_not() external {
        _recover(patient, fresh);
        vm.expectEmit(address(accounts));
        emit IAccounts.RecoveryCancelled(patient.account, true);
        _veto();
        assertTrue(accounts.account(patient.account).vetoed, "spent");
        _pass(DELAY);
        vm.expectRevert();
        accounts.completeRecovery(patient.account);

        _recover(patient, fresh);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_VetoSpent.selector, patient.account));
        _veto();
        _pass(DELAY);
        accounts.completeRecovery(patient.account);
        assertEq(accounts.account(patient.account).key, fresh, "recovered");
    }

    function test_a_frozen_owner_has_no_veto() external {
        _recover(patient, fresh);
        _freeze(patient);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_Frozen.selector, patient.account));
        _veto();
    }

    function test_a_suspended_owner_still_has_the_veto() external {
        _recover(patient, fresh);
        _suspend(hospital, patient);
        _veto();
        assertEq(accounts.pendingRecovery(patient.account).readyAt, 0, "gone");
    }

    function test_a_completed_recovery_renews_the_veto() external {
        _recover(patient, fresh);
        _veto();
        uint256 secret = _secret("new key", 0);
        _recover(patient, vm.addr(secret));
        _pass(DELAY);
        accounts.completeRecovery(patient.account);
        assertFalse(accounts.account(patient.account).vetoed, "renewed");
        _recover(patient, fresh);
        vm.prank(vm.addr(secret));
        accounts.vetoRecovery();
        assertEq(accounts.pendingRecovery(patient.account).readyAt, 0, "gone");
    }
}
