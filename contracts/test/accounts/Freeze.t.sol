// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Guarded} from "../support/Guarded.sol";
import {Member, Person} from "../support/Network.sol";

/// freeze
/// ├── deadline passed: refused
/// ├── frozen already: refused
/// ├── no guardians; fewer than the threshold: refused
/// ├── signature: not by a guardian, wrong salt, wrong place, malleable, for another account,
/// │   nonce, chain or contract: refused
/// ├── one guardian twice, or guardians out of order: refused
/// ├── the same signatures a second time: refused
/// └── otherwise, at once: frozen; no grant, rotation or veto; revoking works; what waited is gone
contract FreezeTest is Guarded {
    uint256 private deadline;

    function setUp() public override {
        super.setUp();
        deadline = block.timestamp + 1 hours;
    }

    function _digest() private view returns (bytes32) {
        return _freezeDigest(patient.account, _nonce(patient), deadline);
    }

    function _submit(IAccounts.GuardianProof[] memory proofs) private {
        accounts.freeze(patient.account, deadline, proofs);
    }

    function _expectNotGuardian() private {
        vm.expectPartialRevert(Errors.Accounts_NotGuardian.selector);
    }

    function test_three_of_five_freeze_at_once() external {
        IAccounts.GuardianProof[] memory proofs = _proofs(_digest(), NEEDED);
        vm.expectEmit(address(accounts));
        emit IAccounts.AccountFrozen(patient.account, 0);
        vm.prank(address(0xCAFE)); // anybody relays
        _submit(proofs);
        assertTrue(accounts.account(patient.account).frozen, "frozen");
        assertFalse(accounts.isActive(patient.key), "not active");
        assertEq(_nonce(patient), 1, "nonce used");
    }

    function test_four_and_five_may_sign_as_well() external {
        _submit(_proofs(_digest(), GUARDIANS));
        assertTrue(accounts.account(patient.account).frozen, "frozen");
    }

    function testFuzz_fewer_than_the_threshold_are_refused(uint256 count) external {
        count = bound(count, 0, NEEDED - 1);
        IAccounts.GuardianProof[] memory proofs = _proofs(_digest(), count);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_TooFewGuardians.selector, count, NEEDED)
        );
        _submit(proofs);
    }

    function test_an_account_without_guardians_is_not_frozen() external {
        IAccounts.GuardianProof[] memory proofs = _proofs(_digest(), NEEDED);
        bytes32 doctor = _person(hospital, DOCTOR, "doctor").account;
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_NoGuardians.selector, doctor));
        accounts.freeze(doctor, deadline, proofs);
    }

    function test_a_passed_deadline_is_refused() external {
        IAccounts.GuardianProof[] memory proofs = _proofs(_digest(), NEEDED);
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.Signatures_Expired.selector, deadline));
        _submit(proofs);
        vm.warp(deadline);
        _submit(proofs);
    }

    function test_the_same_signatures_do_not_work_twice() external {
        IAccounts.GuardianProof[] memory proofs = _proofs(_digest(), NEEDED);
        _submit(proofs);
        vm.expectRevert(abi.encodeWithSelector(Errors.Accounts_Frozen.selector, patient.account));
        _submit(proofs);
        // Back in force by a recovery to the same key; the old signatures stay spent.
        deadline += DELAY;
        _recover(patient, patient.key);
        _pass(DELAY);
        accounts.completeRecovery(patient.account);
        deadline -= DELAY;
        vm.warp(deadline);
        _expectNotGuardian();
        _submit(proofs);
    }

    function test_one_guardian_does_not_count_twice() external {
        IAccounts.GuardianProof[] memory proofs = _proofs(_digest(), NEEDED);
        proofs[2] = proofs[1];
        vm.expectRevert(
            abi.encodeWithSelector(
                Errors.Accounts_GuardiansUnordered.selector, vm.addr(guardians[1])
            )
        );
        _submit(proofs);
        proofs = _proofs(_digest(), NEEDED);
        (proofs[0], proofs[1]) = (proofs[1], proofs[0]);
        vm.expectRevert(
            abi.encodeWithSelector(
                Errors.Accounts_GuardiansUnordered.selector, vm.addr(guardians[0])
            )
        );
        _submit(proofs);
    }

    function testFuzz_salt_index_and_path_must_all_fit(uint256 which, uint256 flip) external {
        IAccounts.GuardianProof[] memory proofs = _proofs(_digest(), NEEDED);
        IAccounts.GuardianProof memory proof = proofs[bound(which, 0, NEEDED - 1)];
        uint256 kind = flip % 4;
        if (kind == 0) proof.salt = keccak256(abi.encode(flip));
        if (kind == 1) proof.index += 1 + flip % 300;
        if (kind == 2) proof.path[flip % proof.path.length] ^= bytes32(uint256(1));
        if (kind == 3) proof.path = new bytes32[](proof.path.length + 1);
        _expectNotGuardian();
        _submit(proofs);
    }

    function test_a_stranger_with_a_guardians_proof_is_refused() external {
        bytes32 digest = _digest();
        // A stranger whose address fits the order, so that nothing but the tree refuses.
        uint256 stranger = 1;
        while (vm.addr(stranger) <= vm.addr(guardians[1])) ++stranger;
        IAccounts.GuardianProof[] memory proofs = _proofs(digest, NEEDED);
        proofs[2].signature = _sign(stranger, digest);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Accounts_NotGuardian.selector, vm.addr(stranger))
        );
        _submit(proofs);
    }

    function test_malleable_and_misshapen_signatures_are_refused() external {
        IAccounts.GuardianProof[] memory proofs = _proofs(_digest(), NEEDED);
        bytes memory good = proofs[0].signature;
        bytes[4] memory bad =
            [_malleate(good), abi.encodePacked(good, hex"00"), bytes(""), new bytes(65)];
        for (uint256 i = 0; i < bad.length; ++i) {
            proofs[0].signature = bad[i];
            vm.expectRevert(abi.encodeWithSelector(Errors.Signatures_Invalid.selector, address(0)));
            _submit(proofs);
        }
    }

    function test_signatures_for_something_else_are_refused() external {
        bytes32[4] memory digests = [
            _freezeDigest(hospital.agent.account, 0, deadline),
            _freezeDigest(patient.account, 1, deadline),
            _freezeDigest(patient.account, 0, deadline + 1),
            _recoverDigest(patient.account, patient.key, 0, deadline)
        ];
        for (uint256 i = 0; i < digests.length; ++i) {
            _refuseSignatures(digests[i]);
        }
        bytes32 kind = keccak256("Freeze(bytes32 account,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(kind, patient.account, 0, deadline));
        _refuseSignatures(_typed("SIMDES Accounts", address(consents), structHash));
        _refuseSignatures(_typed("SIMDES Consents", address(accounts), structHash));
        uint256 chain = block.chainid;
        vm.chainId(chain + 1);
        bytes32 foreign = _digest();
        vm.chainId(chain);
        _refuseSignatures(foreign);
    }

    /// Another digest recovers to another address: out of order or no guardian, never accepted.
    function _refuseSignatures(bytes32 digest) private {
        IAccounts.GuardianProof[] memory proofs = _proofs(digest, NEEDED);
        vm.expectRevert();
        _submit(proofs);
        assertFalse(accounts.account(patient.account).frozen, "not frozen");
    }

    function test_what_the_owner_had_started_is_gone() external {
        vm.startPrank(patient.key);
        accounts.rotateKey(fresh);
        accounts.setGuardians(keccak256("thief's friends"), 1, 1);
        vm.stopPrank();
        IAccounts.GuardianProof[] memory proofs = _proofs(_digest(), NEEDED);
        vm.expectEmit(address(accounts));
        emit IAccounts.AccountFrozen(patient.account, 0);
        vm.expectEmit(address(accounts));
        emit IAccounts.KeyRotationCancelled(patient.account);
        vm.expectEmit(address(accounts));
        emit IAccounts.GuardiansCancelled(patient.account);
        _submit(proofs);
        _pass(DELAY);
        vm.expectRevert();
        accounts.completeRotation(patient.account);
        vm.expectRevert();
        accounts.completeGuardians(patient.account);
    }

    function test_a_frozen_owner_grants_nothing_but_revokes() external {
        bytes32 tag = _vault(hospital, "vault");
        _claim(tag, patient, hospital, clinic);
        vm.prank(patient.key);
        consents.grant(tag, _id("handle"), _id("commitment"), _id("pointer"));
        _freeze(patient);

        vm.startPrank(patient.key);
        vm.expectRevert(abi.encodeWithSelector(Errors.Consents_ControlInactive.selector, tag));
        consents.grant(tag, _id("second"), _id("commitment"), _id("pointer"));
        consents.revoke(tag, _id("handle"));
        consents.revokeAll(tag);
        vm.stopPrank();
        assertEq(consents.consent(tag, _id("handle")).state, 2, "revoked");
        assertEq(consents.generation(tag), 1, "all revoked");
    }
}
