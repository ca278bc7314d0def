// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {IAdministrators} from "../../src/interfaces/IAdministrators.sol";
import {IConsents} from "../../src/interfaces/IConsents.sol";
import {IPausable} from "../../src/interfaces/IPausable.sol";
import {IRecords} from "../../src/interfaces/IRecords.sol";
import {Guarded} from "../support/Guarded.sol";
import {Person} from "../support/Network.sol";

/// pause, unpause
/// ├── caller without the role: refused
/// ├── verb not pausable, revoke, freeze, cancel, veto, suspend, review and all of AuditLog
/// │   included: refused
/// ├── paused: that verb (by signature too) is refused, all others go on
/// ├── it ends by itself; no second pause of the verb before the cool-down is over
/// └── unpause: by governance; nothing paused: refused
contract PauseTest is Guarded {
    function _pause(address target, bytes4 verb) private {
        vm.prank(owners[0]);
        administrators.pause(target, verb);
    }

    function _unpause(address target, bytes4 verb) private {
        _govern(target, abi.encodeCall(IPausable.unpause, (verb)));
    }

    function _refused(bytes4 verb, uint64 until) private {
        vm.expectRevert(abi.encodeWithSelector(Errors.Pause_Paused.selector, verb, until));
    }

    function test_strangers_pause_and_unpause_nothing() external {
        vm.expectRevert();
        records.pause(IRecords.anchor.selector);
        _pause(address(records), IRecords.anchor.selector);
        vm.expectRevert();
        records.unpause(IRecords.anchor.selector);
        vm.expectRevert();
        vm.prank(owners[0]);
        records.unpause(IRecords.anchor.selector);
        vm.expectRevert();
        vm.prank(address(timelock));
        records.pause(IRecords.anchor.selector);
    }

    function test_one_owner_pauses_one_verb() external {
        uint64 until = uint64(block.timestamp) + PAUSE;
        vm.expectEmit(address(administrators));
        emit IAdministrators.PauseRaised(
            address(records), IRecords.anchor.selector, owners[0], true
        );
        vm.expectEmit(address(records));
        emit IPausable.VerbPaused(IRecords.anchor.selector, until);
        _pause(address(records), IRecords.anchor.selector);
        _refused(IRecords.anchor.selector, until);
        vm.prank(hospital.agent.key);
        records.anchor(_id("root"), 1, hex"01");
        vm.warp(until - 1);
        _refused(IRecords.anchor.selector, until);
        vm.prank(hospital.agent.key);
        records.anchor(_id("root"), 1, hex"01");
        vm.warp(until);
        vm.prank(hospital.agent.key);
        records.anchor(_id("root"), 1, hex"01");
    }

    function test_a_pause_needs_a_rest_before_the_next() external {
        bytes4 verb = IRecords.anchor.selector;
        _pause(address(records), verb);
        uint64 free = uint64(block.timestamp) + PAUSE + COOL_DOWN;
        bytes memory refusal = abi.encodeWithSelector(Errors.Pause_CoolingDown.selector, verb, free);
        vm.expectRevert(refusal);
        _pause(address(records), verb);
        vm.warp(free - 1);
        vm.expectRevert(refusal);
        _pause(address(records), verb);
        vm.warp(free);
        _pause(address(records), verb);
        assertEq(records.pausedUntil(verb), free + PAUSE, "paused again");
    }

    function test_governance_lifts_a_pause_and_the_rest_begins() external {
        bytes4 verb = IRecords.anchor.selector;
        _pause(address(records), verb);
        _pass(60);
        _unpause(address(records), verb);
        vm.prank(hospital.agent.key);
        records.anchor(_id("root"), 1, hex"01");
        vm.expectPartialRevert(Errors.Pause_CoolingDown.selector);
        _pause(address(records), verb);
        vm.prank(address(administrators));
        vm.expectRevert(abi.encodeWithSelector(Errors.Pause_NotPaused.selector, verb));
        records.unpause(verb);
    }

    function test_more_owners_may_be_needed() external {
        address[] memory members = administrators.members();
        vm.prank(address(timelock));
        administrators.setMembers(members, 3, 2);
        bytes4 verb = IRecords.anchor.selector;
        _pause(address(records), verb);
        assertEq(records.pausedUntil(verb), 0, "not yet");
        vm.expectPartialRevert(Errors.Administrators_AlreadyConfirmed.selector);
        _pause(address(records), verb);
        vm.warp(block.timestamp + BALLOT + 1);
        vm.prank(owners[1]);
        administrators.pause(address(records), verb);
        assertEq(records.pausedUntil(verb), 0, "the first one lapsed");
        _pause(address(records), verb);
        assertEq(records.pausedUntil(verb), block.timestamp + PAUSE, "paused");
    }

    function test_what_protects_people_can_never_be_paused() external {
        bytes4[22] memory safe = [
            IConsents.revoke.selector,
            IConsents.revokeBySig.selector,
            IConsents.revokeAll.selector,
            IConsents.revokeAllBySig.selector,
            IConsents.reviewEmergency.selector,
            IAccounts.freeze.selector,
            IAccounts.suspend.selector,
            IAccounts.suspendOrganisation.selector,
            IAccounts.vetoRecovery.selector,
            IAccounts.cancelRotation.selector,
            IAccounts.cancelGuardians.selector,
            IAccounts.rotateKey.selector,
            IAccounts.setGuardians.selector,
            IAccounts.vetoRecoveryBySig.selector,
            IAccounts.cancelRotationBySig.selector,
            IAccounts.cancelGuardiansBySig.selector,
            IAccounts.rotateKeyBySig.selector,
            IAccounts.setGuardiansBySig.selector,
            IRecords.supersede.selector,
            IRecords.erase.selector,
            IPausable.unpause.selector,
            bytes4(keccak256("append(uint64,bytes32,bytes32,uint32)"))
        ];
        address[3] memory targets = [address(accounts), address(consents), address(records)];
        for (uint256 i = 0; i < safe.length; ++i) {
            for (uint256 j = 0; j < targets.length; ++j) {
                assertFalse(IPausable(targets[j]).isPausable(safe[i]), "pausable");
                vm.expectRevert(abi.encodeWithSelector(Errors.Pause_NotPausable.selector, safe[i]));
                _pause(targets[j], safe[i]);
            }
        }
    }

    function testFuzz_only_listed_verbs_are_pausable(bytes4 verb) external view {
        bool listed = verb == IAccounts.registerOrganisation.selector
            || verb == IAccounts.register.selector || verb == IAccounts.verify.selector
            || verb == IAccounts.openVault.selector || verb == IAccounts.setVault.selector
            || verb == IAccounts.renewVault.selector || verb == IAccounts.recover.selector
            || verb == IAccounts.recoverAttested.selector
            || verb == IAccounts.completeRecovery.selector;
        assertEq(accounts.isPausable(verb), listed, "accounts");
        listed = verb == IConsents.grant.selector || verb == IConsents.openEmergency.selector;
        assertEq(consents.isPausable(verb), listed, "consents");
        assertEq(records.isPausable(verb), verb == IRecords.anchor.selector, "records");
    }

    function test_with_everything_paused_people_are_still_safe() external {
        bytes32 tag = _vault(hospital, "vault");
        _claim(tag, patient, hospital, clinic);
        vm.prank(patient.key);
        consents.grant(tag, _id("handle"), _id("c"), _id("p"));
        _pauseEverything();

        vm.startPrank(patient.key);
        consents.revoke(tag, _id("handle"));
        consents.revokeAll(tag);
        vm.expectPartialRevert(Errors.Pause_Paused.selector);
        consents.grant(tag, _id("next"), _id("c"), _id("p"));
        vm.stopPrank();
        vm.prank(hospital.agent.key);
        auditLog.append(1, 0, _id("root"), 1);
        _suspend(hospital, hospital.agent);
        _freeze(patient);
        assertTrue(accounts.account(patient.account).frozen, "frozen");
    }

    function test_every_listed_verb_is_stopped_by_its_pause() external {
        _pauseEverything();
        bytes[] memory none = new bytes[](0);
        IAccounts.GuardianProof[] memory proofs = new IAccounts.GuardianProof[](0);
        IConsents.Permit memory permit;
        bytes4 paused = Errors.Pause_Paused.selector;
        vm.expectPartialRevert(paused);
        accounts.registerOrganisation(_id("o"), 1, _id("d"), _id("a"));
        vm.expectPartialRevert(paused);
        accounts.register(_id("a"), hospital.id, DOCTOR, fresh);
        vm.expectPartialRevert(paused);
        accounts.verify(patient.account);
        vm.expectPartialRevert(paused);
        accounts.openVault(_id("v"), _id("d"), 2, 3);
        vm.expectPartialRevert(paused);
        accounts.setVault(_id("v"), patient.account, 0, "", none);
        vm.expectPartialRevert(paused);
        accounts.renewVault(IAccounts.Renewal(0, 0, 0, 0, 0, 0, 0), none);
        vm.expectPartialRevert(paused);
        accounts.recover(patient.account, fresh, 0, proofs);
        vm.expectPartialRevert(paused);
        accounts.recoverAttested(patient.account, fresh, 0, none);
        vm.expectPartialRevert(paused);
        accounts.completeRecovery(patient.account);
        vm.expectPartialRevert(paused);
        consents.grant(_id("v"), _id("h"), _id("c"), _id("p"));
        vm.expectPartialRevert(paused);
        consents.grantBySig(_id("v"), _id("h"), _id("c"), _id("p"), 0, permit);
        vm.expectPartialRevert(paused);
        consents.openEmergency(_id("v"), _id("h"), _id("r"));
        vm.expectPartialRevert(paused);
        records.anchor(_id("root"), 1, hex"01");
    }

    function _pauseEverything() private {
        bytes4[9] memory ofAccounts = [
            IAccounts.registerOrganisation.selector,
            IAccounts.register.selector,
            IAccounts.verify.selector,
            IAccounts.openVault.selector,
            IAccounts.setVault.selector,
            IAccounts.renewVault.selector,
            IAccounts.recover.selector,
            IAccounts.recoverAttested.selector,
            IAccounts.completeRecovery.selector
        ];
        for (uint256 i = 0; i < 9; ++i) {
            _pause(address(accounts), ofAccounts[i]);
        }
        _pause(address(consents), IConsents.grant.selector);
        _pause(address(consents), IConsents.openEmergency.selector);
        _pause(address(records), IRecords.anchor.selector);
    }
}
