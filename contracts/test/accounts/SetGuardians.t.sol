// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Guarded} from "../support/Guarded.sol";

/// setGuardians, cancelGuardians, completeGuardians
/// ├── root, count and threshold neither all zero nor 1 <= threshold <= count with a root: refused
/// ├── caller inactive: refused
/// ├── complete with nothing waiting (as after a freeze), early, or suspended: refused
/// ├── cancel by the owner: gone
/// └── complete: the new set counts, the veto is back, a recovery by the former set is cancelled,
///     an attested one is not
contract SetGuardiansTest is Guarded {
    bytes32 private root = keccak256("other guardians");

    function _request() private {
        vm.prank(patient.key);
        accounts.setGuardians(root, 4, 2);
    }

    function testFuzz_only_a_whole_set_or_none_is_taken(bytes32 r, uint8 count, uint8 threshold)
        external
    {
        bool none = r == 0 && count == 0 && threshold == 0;
        bool some = r != 0 && threshold >= 1 && threshold <= count;
        vm.prank(patient.key);
        if (!none && !some) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    Errors.Accounts_GuardiansMalformed.selector, count, threshold
                )
            );
        }
        accounts.setGuardians(r, count, threshold);
    }

    function test_a_threshold_over_the_count_or_of_zero_is_refused() external {
        vm.startPrank(patient.key);
        vm.expectRevert();
        accounts.setGuardians(root, 2, 3);
        vm.expectRevert();
        accounts.setGuardians(root, 2, 0);
        vm.expectRevert();
        accounts.setGuardians(0, 2, 2);
        vm.stopPrank();
    }

    function test_the_set_waits_and_then_counts() external {
        uint64 readyAt = uint64(block.timestamp) + DELAY;
        vm.expectEmit(address(accounts));
        emit IAccounts.GuardiansRequested(patient.account, root, 4, 2, readyAt);
        _request();
        assertEq(accounts.account(patient.account).guardiansRoot, guardiansRoot, "old still");
        vm.warp(readyAt - 1);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_TooEarly.selector, patient.account, readyAt)
        );
        accounts.completeGuardians(patient.account);
        vm.warp(readyAt);
        vm.expectEmit(address(accounts));
        emit IAccounts.GuardiansSet(patient.account, root, 4, 2);
        accounts.completeGuardians(patient.account);
        IAccounts.Account memory a = accounts.account(patient.account);
        assertEq(a.guardiansRoot, root, "root");
        assertEq(a.guardianCount, 4, "count");
        assertEq(a.guardianThreshold, 2, "threshold");
        assertEq(accounts.pendingGuardians(patient.account).readyAt, 0, "nothing waits");
    }

    function test_guardians_can_be_dismissed() external {
        vm.prank(patient.key);
        accounts.setGuardians(0, 0, 0);
        _pass(DELAY);
        accounts.completeGuardians(patient.account);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_NoGuardians.selector, patient.account)
        );
        this.freezeNow();
    }

    function freezeNow() external {
        _freeze(patient);
    }

    function test_the_owner_cancels() external {
        _request();
        vm.expectEmit(address(accounts));
        emit IAccounts.GuardiansCancelled(patient.account);
        vm.prank(patient.key);
        accounts.cancelGuardians();
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_NothingPending.selector, patient.account)
        );
        vm.prank(patient.key);
        accounts.cancelGuardians();
        _pass(DELAY);
        vm.expectRevert();
        accounts.completeGuardians(patient.account);
    }

    function test_frozen_and_suspended_accounts_change_no_guardians() external {
        _request();
        _suspend(hospital, patient);
        _pass(DELAY);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_WrongState.selector, patient.account, uint8(3))
        );
        accounts.completeGuardians(patient.account);
        vm.expectRevert();
        _request();
        vm.prank(hospital.administrator.key);
        accounts.verify(patient.account);
        _freeze(patient);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, patient.key));
        _request();
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_Frozen.selector, patient.account));
        vm.prank(patient.key);
        accounts.cancelGuardians();
    }

    function test_a_new_set_cancels_what_the_former_one_started_and_renews_the_veto() external {
        _recover(patient, fresh);
        vm.prank(patient.key);
        accounts.vetoRecovery();
        _request();
        _pass(1);
        _recover(patient, fresh);
        _pass(DELAY - 1);
        vm.expectEmit(address(accounts));
        emit IAccounts.GuardiansSet(patient.account, root, 4, 2);
        vm.expectEmit(address(accounts));
        emit IAccounts.RecoveryCancelled(patient.account, false);
        accounts.completeGuardians(patient.account);
        assertEq(accounts.pendingRecovery(patient.account).readyAt, 0, "recovery gone");
        assertFalse(accounts.account(patient.account).vetoed, "veto is back");
    }

    function test_a_new_set_does_not_touch_an_attested_recovery() external {
        _request();
        _recoverAttested(patient, fresh);
        _pass(DELAY);
        accounts.completeGuardians(patient.account);
        assertEq(accounts.pendingRecovery(patient.account).key, fresh, "still waiting");
    }
}
