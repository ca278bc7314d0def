// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Guarded} from "../support/Guarded.sol";
import {Network} from "../support/Network.sol";
import {Signing} from "../support/Signing.sol";

/// rotateKeyBySig, cancelRotationBySig, setGuardiansBySig, cancelGuardiansBySig, vetoRecoveryBySig
/// ├── deadline passed, signature misshapen or by another key: refused
/// ├── any signed field, the chain or the contract differs: refused
/// ├── nonce used, or out of its turn, by whichever of the five: refused
/// ├── what is withdrawn is not what waits (any more): refused
/// └── otherwise as the direct verb, whoever relays
contract AccountsBySigTest is Guarded, Signing {
    bytes32 private root = keccak256("other guardians");
    uint256 private deadline;

    function setUp() public override(Guarded, Network) {
        super.setUp();
        deadline = block.timestamp + 1 hours;
    }

    function _signed(bytes memory verb, uint256 nonce)
        private
        view
        returns (IAccounts.Permit memory)
    {
        return _permitOf(patient.secret, patient.account, verb, nonce, deadline);
    }

    function _appointing(uint256 nonce) private view returns (IAccounts.Permit memory) {
        return _signed(_setGuardians(root, 4, 2), nonce);
    }

    function _appointSigned(IAccounts.Permit memory permit) private {
        vm.prank(address(0xCAFE));
        accounts.setGuardiansBySig(patient.account, root, 4, 2, permit);
    }

    function _vetoSigned(address key, uint256 nonce) private {
        IAccounts.Permit memory permit = _signed(_vetoRecovery(key), nonce);
        vm.prank(address(0xCAFE));
        accounts.vetoRecoveryBySig(patient.account, key, permit);
    }

    function test_an_owner_appoints_and_calls_off_by_signature() external {
        uint64 readyAt = uint64(block.timestamp) + DELAY;
        vm.expectEmit(address(accounts));
        emit IAccounts.OwnerSigned(patient.account, 0);
        vm.expectEmit(address(accounts));
        emit IAccounts.GuardiansRequested(patient.account, root, 4, 2, readyAt);
        _appointSigned(_appointing(0));
        assertEq(accounts.pendingGuardians(patient.account).root, root, "waits");
        assertEq(accounts.ownerNonce(patient.account), 1, "the next signature's");

        vm.expectEmit(address(accounts));
        emit IAccounts.GuardiansCancelled(patient.account);
        accounts.cancelGuardiansBySig(patient.account, root, _signed(_cancelGuardians(root), 1));
        assertEq(accounts.pendingGuardians(patient.account).readyAt, 0, "gone");
    }

    function test_an_owner_rotates_and_calls_off_by_signature() external {
        IAccounts.Permit memory permit = _signed(_rotateKey(fresh), 0);
        vm.expectEmit(address(accounts));
        emit IAccounts.KeyRotationRequested(patient.account, fresh, uint64(block.timestamp) + DELAY);
        accounts.rotateKeyBySig(patient.account, fresh, permit);
        accounts.cancelRotationBySig(patient.account, fresh, _signed(_cancelRotation(fresh), 1));
        assertEq(accounts.pendingRotation(patient.account).readyAt, 0, "gone");

        accounts.rotateKeyBySig(patient.account, fresh, _signed(_rotateKey(fresh), 2));
        _pass(DELAY);
        accounts.completeRotation(patient.account);
        assertTrue(accounts.isActive(fresh), "in force");
    }

    function test_an_owner_vetoes_by_signature_once() external {
        _recover(patient, fresh);
        vm.expectEmit(address(accounts));
        emit IAccounts.RecoveryCancelled(patient.account, true);
        _vetoSigned(fresh, 0);
        assertEq(accounts.pendingRecovery(patient.account).readyAt, 0, "gone");

        _recover(patient, fresh);
        IAccounts.Permit memory again = _signed(_vetoRecovery(fresh), 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_VetoSpent.selector, patient.account));
        accounts.vetoRecoveryBySig(patient.account, fresh, again);
        vm.prank(patient.key);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_VetoSpent.selector, patient.account));
        accounts.vetoRecovery();
        assertEq(accounts.ownerNonce(patient.account), 1, "what is refused spends no nonce");
    }

    function test_a_veto_of_one_recovery_ends_no_other() external {
        _recover(patient, address(0xF00D));
        _recover(patient, fresh);
        IAccounts.Permit memory permit = _signed(_vetoRecovery(address(0xF00D)), 0);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_NothingPending.selector, patient.account)
        );
        accounts.vetoRecoveryBySig(patient.account, address(0xF00D), permit);
    }

    function test_an_attested_recovery_is_not_vetoed_by_signature() external {
        _recoverAttested(patient, fresh);
        IAccounts.Permit memory permit = _signed(_vetoRecovery(fresh), 0);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_VetoRefused.selector, patient.account)
        );
        accounts.vetoRecoveryBySig(patient.account, fresh, permit);
    }

    function test_nothing_is_called_off_where_nothing_or_something_else_waits() external {
        bytes memory refusal =
            abi.encodeWithSelector(Errors.Accounts_NothingPending.selector, patient.account);
        IAccounts.Permit memory none = _signed(_cancelGuardians(0), 0);
        vm.expectRevert(refusal);
        accounts.cancelGuardiansBySig(patient.account, 0, none);
        none = _signed(_cancelRotation(address(0)), 0);
        vm.expectRevert(refusal);
        accounts.cancelRotationBySig(patient.account, address(0), none);
        none = _signed(_vetoRecovery(address(0)), 0);
        vm.expectRevert(refusal);
        accounts.vetoRecoveryBySig(patient.account, address(0), none);

        _appointSigned(_appointing(0));
        accounts.rotateKeyBySig(patient.account, fresh, _signed(_rotateKey(fresh), 1));
        IAccounts.Permit memory other = _signed(_cancelGuardians(guardiansRoot), 2);
        vm.expectRevert(refusal);
        accounts.cancelGuardiansBySig(patient.account, guardiansRoot, other);
        other = _signed(_cancelRotation(address(0xF00D)), 2);
        vm.expectRevert(refusal);
        accounts.cancelRotationBySig(patient.account, address(0xF00D), other);
    }

    function test_a_signature_counts_once() external {
        deadline = block.timestamp + 30 days;
        _recover(patient, fresh);
        IAccounts.Permit memory veto = _signed(_vetoRecovery(fresh), 0);
        accounts.vetoRecoveryBySig(patient.account, fresh, veto);
        // A new set brings the veto back, but for the owner, not for whoever kept the signature.
        _appoint(patient);
        _recover(patient, fresh);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_WrongNonce.selector, patient.account, 1, 0)
        );
        accounts.vetoRecoveryBySig(patient.account, fresh, veto);
        _vetoSigned(fresh, 1);
    }

    function test_what_was_held_back_is_worth_nothing_after_the_next_signature() external {
        IAccounts.Permit memory held = _appointing(0);
        accounts.rotateKeyBySig(patient.account, fresh, _signed(_rotateKey(fresh), 0));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_WrongNonce.selector, patient.account, 1, 0)
        );
        _appointSigned(held);
        _appointSigned(_appointing(1));
    }

    function testFuzz_a_nonce_out_of_its_turn_is_refused(uint256 nonce) external {
        if (nonce == 0) nonce = 1;
        IAccounts.Permit memory permit = _appointing(nonce);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_WrongNonce.selector, patient.account, 0, nonce)
        );
        _appointSigned(permit);
    }

    function test_the_deadline_is_inclusive() external {
        IAccounts.Permit memory permit = _appointing(0);
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.Signatures_Expired.selector, deadline));
        _appointSigned(permit);
        vm.warp(deadline);
        _appointSigned(permit);
    }

    function testFuzz_every_signed_field_counts(uint256 field) external {
        IAccounts.Permit memory permit = _appointing(0);
        bytes32 id = patient.account;
        bytes32 r = root;
        uint8 count = 4;
        uint8 threshold = 2;
        field = bound(field, 0, 5);
        if (field == 0) id = hospital.agent.account;
        if (field == 1) r = guardiansRoot;
        if (field == 2) count = 5;
        if (field == 3) threshold = 1;
        if (field == 4) permit.nonce = 1;
        if (field == 5) permit.deadline += 1;
        // The digest differs, so another address is recovered, which owns nothing.
        vm.expectPartialRevert(Errors.Signatures_Invalid.selector);
        accounts.setGuardiansBySig(id, r, count, threshold, permit);
    }

    function testFuzz_a_key_is_signed_for_itself(address key) external {
        if (key == fresh) key = address(0xF00D);
        IAccounts.Permit memory permit = _signed(_rotateKey(fresh), 0);
        vm.expectPartialRevert(Errors.Signatures_Invalid.selector);
        accounts.rotateKeyBySig(patient.account, key, permit);
    }

    function test_one_verbs_signature_is_no_others() external {
        _recover(patient, fresh);
        IAccounts.Permit memory permit = _signed(_vetoRecovery(fresh), 0);
        vm.expectPartialRevert(Errors.Signatures_Invalid.selector);
        accounts.rotateKeyBySig(patient.account, fresh, permit);
        vm.expectPartialRevert(Errors.Signatures_Invalid.selector);
        accounts.cancelRotationBySig(patient.account, fresh, permit);
        vm.expectPartialRevert(Errors.Signatures_Invalid.selector);
        accounts.cancelGuardiansBySig(patient.account, bytes32(uint256(uint160(fresh))), permit);
    }

    function test_nobody_signs_for_another_account() external {
        bytes memory refusal =
            abi.encodeWithSelector(Errors.Signatures_Invalid.selector, hospital.agent.key);
        bytes memory verb = _setGuardians(root, 4, 2);
        IAccounts.Permit memory permit =
            _permitOf(hospital.agent.secret, patient.account, verb, 0, deadline);
        vm.expectRevert(refusal);
        _appointSigned(permit);
        _recover(patient, fresh);
        verb = _vetoRecovery(fresh);
        permit = _permitOf(hospital.agent.secret, patient.account, verb, 0, deadline);
        vm.expectRevert(refusal);
        accounts.vetoRecoveryBySig(patient.account, fresh, permit);
        // No key belongs to no account, so nobody signs for account zero.
        permit = _permitOf(_secret("nobody", 0), 0, verb, 0, deadline);
        vm.expectPartialRevert(Errors.Accounts_NotPermitted.selector);
        accounts.vetoRecoveryBySig(0, fresh, permit);
    }

    function test_a_key_of_before_signs_nothing() external {
        accounts.rotateKeyBySig(patient.account, fresh, _signed(_rotateKey(fresh), 0));
        _pass(DELAY);
        accounts.completeRotation(patient.account);
        deadline = block.timestamp;
        IAccounts.Permit memory permit = _appointing(1);
        vm.expectRevert(abi.encodeWithSelector(Errors.Signatures_Invalid.selector, patient.key));
        _appointSigned(permit);
    }

    function test_another_chain_or_contract_is_another_signature() external {
        uint256 chain = block.chainid;
        IAccounts.Permit memory permit = _appointing(0);
        vm.chainId(chain + 1);
        vm.expectPartialRevert(Errors.Signatures_Invalid.selector);
        _appointSigned(permit);
        vm.chainId(chain);
        bytes32 kind = keccak256(
            "SetGuardians(bytes32 account,bytes32 root,uint8 count,uint8 threshold,uint256 nonce,uint256 deadline)"
        );
        bytes32 structHash =
            keccak256(abi.encode(kind, patient.account, root, 4, 2, uint256(0), deadline));
        permit.signature =
            _sign(patient.secret, _typed("SIMDES Accounts", address(consents), structHash));
        vm.expectPartialRevert(Errors.Signatures_Invalid.selector);
        _appointSigned(permit);
        permit.signature = _sign(patient.secret, _accountsTyped(structHash));
        _appointSigned(permit);
    }

    function test_malleable_and_misshapen_signatures_are_refused() external {
        IAccounts.Permit memory permit = _appointing(0);
        bytes memory good = permit.signature;
        bytes[4] memory bad =
            [_malleate(good), abi.encodePacked(good, hex"00"), bytes(""), new bytes(65)];
        for (uint256 i = 0; i < bad.length; ++i) {
            permit.signature = bad[i];
            vm.expectRevert(abi.encodeWithSelector(Errors.Signatures_Invalid.selector, address(0)));
            _appointSigned(permit);
        }
    }

    function test_a_malformed_set_and_a_used_key_are_refused_as_by_the_direct_verbs() external {
        IAccounts.Permit memory permit = _signed(_setGuardians(root, 2, 3), 0);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_GuardiansMalformed.selector, uint8(2), uint8(3))
        );
        accounts.setGuardiansBySig(patient.account, root, 2, 3, permit);
        permit = _signed(_rotateKey(hospital.agent.key), 0);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_KeyUsed.selector, hospital.agent.key)
        );
        accounts.rotateKeyBySig(patient.account, hospital.agent.key, permit);
    }

    function test_a_frozen_owners_signature_does_nothing() external {
        _recover(patient, fresh);
        _freeze(patient);
        bytes memory frozen =
            abi.encodeWithSelector(Errors.Accounts_Frozen.selector, patient.account);
        bytes memory inactive =
            abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, patient.key);
        IAccounts.Permit memory permit = _signed(_vetoRecovery(fresh), 0);
        vm.expectRevert(frozen);
        accounts.vetoRecoveryBySig(patient.account, fresh, permit);
        permit = _signed(_cancelRotation(fresh), 0);
        vm.expectRevert(frozen);
        accounts.cancelRotationBySig(patient.account, fresh, permit);
        permit = _signed(_cancelGuardians(root), 0);
        vm.expectRevert(frozen);
        accounts.cancelGuardiansBySig(patient.account, root, permit);
        permit = _appointing(0);
        vm.expectRevert(inactive);
        _appointSigned(permit);
        permit = _signed(_rotateKey(address(0xF00D)), 0);
        vm.expectRevert(inactive);
        accounts.rotateKeyBySig(patient.account, address(0xF00D), permit);
    }

    function test_a_suspended_owner_withdraws_and_starts_nothing() external {
        _appointSigned(_appointing(0));
        accounts.rotateKeyBySig(patient.account, fresh, _signed(_rotateKey(fresh), 1));
        _recover(patient, fresh);
        _suspend(hospital, patient);
        IAccounts.Permit memory permit = _appointing(2);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_NotPermitted.selector, patient.key));
        _appointSigned(permit);
        accounts.cancelGuardiansBySig(patient.account, root, _signed(_cancelGuardians(root), 2));
        accounts.cancelRotationBySig(patient.account, fresh, _signed(_cancelRotation(fresh), 3));
        _vetoSigned(fresh, 4);
        assertEq(accounts.pendingRecovery(patient.account).readyAt, 0, "vetoed");
    }
}
