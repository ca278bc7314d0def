// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {IConsents} from "../../src/interfaces/IConsents.sol";
import {Asking} from "../support/Asking.sol";

/// grantBySig, revokeBySig, revokeAllBySig
/// ├── deadline passed: refused
/// ├── signature misshapen, malleable, by another key: refused
/// ├── any signed field, the chain or the contract differs: refused
/// ├── nonce used, by whichever of the three: refused; any order of nonces works
/// ├── generation is not the vault's: refused (grant, revokeAll)
/// └── otherwise as the direct verb, whoever relays
contract BySigTest is Asking {
    bytes32 private commitment = keccak256("commitment");
    uint256 private deadline;

    function setUp() public override {
        super.setUp();
        deadline = block.timestamp + 1 hours;
    }

    function _signedGrant(uint256 nonce) private view returns (IConsents.Permit memory) {
        bytes32 digest = _grantDigest(handle, commitment, 0, nonce, deadline);
        return _permit(patient.secret, digest, nonce, deadline);
    }

    function _relay(IConsents.Permit memory permit) private {
        vm.prank(address(0xCAFE));
        consents.grantBySig(tag, handle, commitment, pointer, 0, permit);
    }

    function testFuzz_anybody_relays_with_any_unused_nonce(uint256 nonce) external {
        IConsents.Permit memory permit = _signedGrant(nonce);
        vm.expectEmit(address(consents));
        emit IConsents.NonceUsed(tag, nonce);
        vm.expectEmit(address(consents));
        emit IConsents.Granted(tag, handle, commitment, pointer, 0);
        _relay(permit);
        assertEq(consents.consent(tag, handle).state, 1, "granted");
        assertTrue(consents.isNonceUsed(tag, nonce), "nonce used");
        unchecked {
            assertFalse(consents.isNonceUsed(tag, nonce + 1), "its neighbour is not");
            assertFalse(consents.isNonceUsed(tag, nonce + 256), "nor the same bit elsewhere");
        }
        assertFalse(consents.isNonceUsed(_id("other vault"), nonce), "nor another vault's");
    }

    function test_the_deadline_is_inclusive() external {
        IConsents.Permit memory permit = _signedGrant(1);
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.Signatures_Expired.selector, deadline));
        _relay(permit);
        vm.warp(deadline);
        _relay(permit);
    }

    function test_a_nonce_is_spent_by_whichever_verb_came_first() external {
        _relay(_signedGrant(7));
        bytes memory refusal = abi.encodeWithSelector(Errors.Signatures_NonceUsed.selector, tag, 7);
        IConsents.Permit memory permit = _signedGrant(7);
        vm.expectRevert(refusal);
        _relay(permit);
        permit = _permit(patient.secret, _revokeDigest(handle, 7, deadline), 7, deadline);
        vm.expectRevert(refusal);
        consents.revokeBySig(tag, handle, permit);
        permit = _permit(patient.secret, _revokeAllDigest(0, 7, deadline), 7, deadline);
        vm.expectRevert(refusal);
        consents.revokeAllBySig(tag, 0, permit);
    }

    function test_nonces_of_one_word_stay_spent_side_by_side() external {
        for (uint256 nonce = 512; nonce < 516; ++nonce) {
            handle = keccak256(abi.encode(nonce));
            _relay(_signedGrant(nonce));
        }
        for (uint256 nonce = 512; nonce < 516; ++nonce) {
            assertTrue(consents.isNonceUsed(tag, nonce), "spent");
            handle = keccak256(abi.encode("again", nonce));
            IConsents.Permit memory permit = _signedGrant(nonce);
            vm.expectRevert(
                abi.encodeWithSelector(Errors.Signatures_NonceUsed.selector, tag, nonce)
            );
            _relay(permit);
        }
        assertFalse(consents.isNonceUsed(tag, 516), "and no other");
    }

    function test_nonces_need_no_order() external {
        uint256[4] memory nonces = [uint256(300), 2, type(uint256).max, 0];
        for (uint256 i = 0; i < nonces.length; ++i) {
            handle = keccak256(abi.encode(i));
            _relay(_signedGrant(nonces[i]));
        }
    }

    function testFuzz_every_signed_field_counts(uint256 field) external {
        IConsents.Permit memory permit = _signedGrant(1);
        bytes32 t = tag;
        bytes32 h = handle;
        bytes32 c = commitment;
        bytes32 p = pointer;
        uint64 g = 0;
        field = bound(field, 0, 6);
        if (field == 0) t = _id("other vault");
        if (field == 1) h = _id("other handle");
        if (field == 2) c = _id("other commitment");
        if (field == 3) p = _id("other pointer");
        if (field == 4) g = 1;
        if (field == 5) permit.nonce = 2;
        if (field == 6) permit.deadline += 1;
        // The digest differs, so another address is recovered, which controls nothing.
        vm.expectPartialRevert(Errors.Consents_NotControl.selector);
        consents.grantBySig(t, h, c, p, g, permit);
    }

    function test_chain_contract_and_name_are_signed_too() external {
        uint256 chain = block.chainid;
        vm.chainId(chain + 1);
        IConsents.Permit memory permit = _signedGrant(1);
        vm.chainId(chain);
        vm.expectPartialRevert(Errors.Consents_NotControl.selector);
        _relay(permit);
        bytes32 kind = keccak256(
            "Grant(bytes32 tag,bytes32 handle,bytes32 commitment,bytes32 pointer,uint64 generation,uint256 nonce,uint256 deadline)"
        );
        bytes32 structHash =
            keccak256(abi.encode(kind, tag, handle, commitment, pointer, uint64(0), 1, deadline));
        permit.signature =
            _sign(patient.secret, _typed("SIMDES Consents", address(accounts), structHash));
        vm.expectPartialRevert(Errors.Consents_NotControl.selector);
        _relay(permit);
        permit.signature =
            _sign(patient.secret, _typed("SIMDES Accounts", address(consents), structHash));
        vm.expectPartialRevert(Errors.Consents_NotControl.selector);
        _relay(permit);
    }

    function test_a_fork_of_the_chain_takes_no_signature_of_this_one() external {
        // The same contract under another chain id, as after a fork: the domain follows the id.
        IConsents.Permit memory permit = _signedGrant(1);
        vm.chainId(block.chainid + 1);
        vm.expectPartialRevert(Errors.Consents_NotControl.selector);
        _relay(permit);
    }

    function test_malleable_and_misshapen_signatures_are_refused() external {
        IConsents.Permit memory permit = _signedGrant(1);
        bytes memory good = permit.signature;
        bytes memory wrongV = bytes.concat(good);
        wrongV[64] = bytes1(uint8(good[64]) - 27);
        bytes[5] memory bad =
            [_malleate(good), abi.encodePacked(good, hex"00"), bytes(""), new bytes(65), wrongV];
        for (uint256 i = 0; i < bad.length; ++i) {
            permit.signature = bad[i];
            vm.expectRevert(abi.encodeWithSelector(Errors.Signatures_Invalid.selector, address(0)));
            _relay(permit);
        }
        permit.signature = good;
        _relay(permit);
    }

    function test_another_persons_signature_is_refused() external {
        bytes32 digest = _grantDigest(handle, commitment, 0, 1, deadline);
        IConsents.Permit memory permit = _permit(doctor.secret, digest, 1, deadline);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.Consents_NotControl.selector, tag, doctor.key)
        );
        _relay(permit);
        assertFalse(consents.isNonceUsed(tag, 1), "and spends no nonce");
    }

    function test_a_grant_held_back_over_a_revoke_all_is_refused() external {
        IConsents.Permit memory permit = _signedGrant(1);
        vm.prank(patient.key);
        consents.revokeAll(tag);
        vm.expectRevert(
            abi.encodeWithSelector(
                Errors.Consents_WrongGeneration.selector, tag, uint64(1), uint64(0)
            )
        );
        _relay(permit);
    }

    function test_a_grant_held_back_over_its_own_revocation_is_refused() external {
        IConsents.Permit memory permit = _signedGrant(1);
        vm.prank(patient.key);
        consents.revoke(tag, handle);
        vm.expectRevert(abi.encodeWithSelector(Errors.Consents_HandleUsed.selector, tag, handle));
        _relay(permit);
    }

    function test_a_signed_grant_of_an_inactive_account_is_refused() external {
        IConsents.Permit memory permit = _signedGrant(1);
        _suspend(hospital, patient);
        vm.expectRevert(abi.encodeWithSelector(Errors.Consents_ControlInactive.selector, tag));
        _relay(permit);
    }

    function test_a_signed_revocation_works_for_a_suspended_account() external {
        _relay(_signedGrant(1));
        _suspend(hospital, patient);
        IConsents.Permit memory permit =
            _permit(patient.secret, _revokeDigest(handle, 2, deadline), 2, deadline);
        vm.expectEmit(address(consents));
        emit IConsents.Revoked(tag, handle);
        consents.revokeBySig(tag, handle, permit);
        assertEq(consents.consent(tag, handle).state, 2, "revoked");
    }

    function test_a_signed_revoke_all_held_back_does_not_hit_later_grants() external {
        IConsents.Permit memory permit =
            _permit(patient.secret, _revokeAllDigest(0, 5, deadline), 5, deadline);
        vm.prank(patient.key);
        consents.revokeAll(tag);
        vm.expectRevert(
            abi.encodeWithSelector(
                Errors.Consents_WrongGeneration.selector, tag, uint64(1), uint64(0)
            )
        );
        consents.revokeAllBySig(tag, 0, permit);

        permit = _permit(patient.secret, _revokeAllDigest(1, 6, deadline), 6, deadline);
        vm.expectEmit(address(consents));
        emit IConsents.RevokedAll(tag, 2);
        consents.revokeAllBySig(tag, 1, permit);
    }

    function test_a_revocation_by_somebody_else_is_refused() external {
        IConsents.Permit memory permit =
            _permit(doctor.secret, _revokeDigest(handle, 2, deadline), 2, deadline);
        vm.expectPartialRevert(Errors.Consents_NotControl.selector);
        consents.revokeBySig(tag, handle, permit);
        permit = _permit(doctor.secret, _revokeAllDigest(0, 2, deadline), 2, deadline);
        vm.expectPartialRevert(Errors.Consents_NotControl.selector);
        consents.revokeAllBySig(tag, 0, permit);
    }
}
