// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IClaimBook} from "../../src/interfaces/IClaimBook.sol";
import {IClaims} from "../../src/interfaces/IClaims.sol";
import {
    IClaimVerifier,
    IFreeVerifier,
    ISettleVerifier
} from "../../src/interfaces/IClaimVerifiers.sol";
import {Errors} from "../../src/interfaces/Errors.sol";
import {Field} from "../../src/lib/Field.sol";
import {Claiming} from "../support/Claiming.sol";
import {Member, Person} from "../support/Network.sol";

/// enrol, open
/// ├── caller is no active agent of a hospital, or it has not enrolled: refused
/// ├── payer no verified insurer, root not recent, total moved, proof refused: refused
/// ├── payer has a claim of the tag that is not reversed: refused
/// └── otherwise the total moves; the verifier saw exactly caller's holder, contract, chain and claim
contract ClaimsTest is Claiming {
    function _refuses(bytes memory error) private {
        vm.expectRevert(error);
    }

    function test_a_claim_goes_from_opened_to_paid() external {
        uint256 expected = claims.nextId(TAG, insurer.id);
        uint256 claim = _open(hospital, TAG, insurer, 0);
        assertEq(claim, expected, "the id was known before");
        assertTrue(claim < Field.ORDER, "an element");
        assertEq(claims.totalOf(TAG), 1, "total");
        IClaimBook.Claim memory c = _claim(claim);
        assertEq(c.state, 1, "opened");
        assertEq(c.provider, hospital.id, "provider");
        assertEq(c.payer, insurer.id, "payer");
        assertEq(c.claimed, c.counted, "all of it counts");
        assertEq(c.due, START + ANSWER, "waits for the provider");
        _as(hospital);
        claims.disclose(claim);
        assertEq(_claim(claim).due, START + DECIDE, "waits for the payer");
        _as(insurer);
        claims.acknowledge(claim);
        _as(insurer);
        claims.ask(claim);
        assertEq(_state(claim), 4, "asked");
        _as(hospital);
        claims.disclose(claim);
        _as(insurer);
        claims.acknowledge(claim);
        _decide(claim, APPROVED);
        assertTrue(claims.isOpen(bytes32(claim)), "goes on until it is paid");
        _as(insurer);
        claims.settle(claim, 600, true, _noProof());
        assertEq(_state(claim), 9, "paid");
        assertFalse(claims.isOpen(bytes32(claim)), "over");
    }

    function test_the_verifiers_see_what_the_ledger_has() external {
        IClaims.Opening memory o = _opening(TAG, insurer, 0, 1);
        uint256 claim = claims.nextId(TAG, insurer.id);
        uint256 where = uint256(keccak256(abi.encode(block.chainid, address(claims)))) >> 8;
        uint256[8] memory opens = [root, where, 11, TAG, claim, uint256(0), uint256(1), o.claimed];
        vm.expectCall(
            address(claimVerifier), abi.encodeCall(IClaimVerifier.verifyProof, (o.proof, opens))
        );
        _received(TAG);
        uint256[4] memory decides = [claim, o.claimed, 500, 0];
        vm.expectCall(
            address(settleVerifier), abi.encodeCall(ISettleVerifier.verifyProof, (o.proof, decides))
        );
        _decide(claim, PARTLY);
        _as(hospital);
        claims.accept(claim);
        uint256[4] memory pays = [claim, 500, 600, 1];
        vm.expectCall(
            address(settleVerifier), abi.encodeCall(ISettleVerifier.verifyProof, (o.proof, pays))
        );
        _as(insurer);
        claims.settle(claim, 600, true, _noProof());
        uint256[6] memory frees = [TAG, claim, 1, 9, o.claimed, 600];
        vm.expectCall(
            address(freeVerifier), abi.encodeCall(IFreeVerifier.verifyProof, (o.proof, frees))
        );
        _as(hospital);
        claims.free(claim, 1, 9, _noProof());
        assertEq(claims.totalOf(TAG), 9, "the total fell to what was proved");
        assertEq(_claim(claim).counted, 600, "what was paid counts");
    }

    function test_the_same_payer_has_one_claim_until_it_is_reversed() external {
        uint256 first = _open(hospital, TAG, insurer, 0);
        IClaims.Opening memory again = _opening(TAG, insurer, 1, 2);
        _refuses(abi.encodeWithSelector(Errors.ClaimBook_ClaimedAlready.selector, first));
        _as(hospital);
        claims.open(again);
        _open(hospital, TAG, other, 1);
        _as(hospital);
        claims.reverse(first);
        uint256 second = _open(hospital, TAG, insurer, 2);
        assertTrue(first != second, "a name of its own");
        assertEq(_state(first), 10, "reversed");
        _refuses(abi.encodeWithSelector(Errors.ClaimBook_ClaimedAlready.selector, second));
        _as(hospital);
        claims.open(_opening(TAG, insurer, 3, 4));
    }

    function test_the_second_of_two_that_start_from_one_total_is_refused() external {
        _open(hospital, TAG, insurer, 0);
        _refuses(abi.encodeWithSelector(Errors.ClaimBook_Moved.selector, TAG, 1));
        _as(hospital);
        claims.open(_opening(TAG, other, 0, 1));
    }

    function test_only_hospitals_that_enrolled_claim() external {
        Member memory pharmacy = _member("pharmacy", 2);
        Member memory fresh = _member("fresh", 1);
        Person memory doctor = _person(hospital, DOCTOR, "doctor");
        IClaims.Opening memory o = _opening(TAG, insurer, 0, 1);
        address[4] memory callers =
            [pharmacy.agent.key, insurer.agent.key, doctor.key, hospital.administrator.key];
        for (uint256 i = 0; i < callers.length; ++i) {
            _refuses(abi.encodeWithSelector(Errors.Claims_NotProvider.selector, callers[i]));
            vm.prank(callers[i]);
            claims.open(o);
            _refuses(abi.encodeWithSelector(Errors.Claims_NotProvider.selector, callers[i]));
            vm.prank(callers[i]);
            claims.enrol(99);
        }
        _refuses(abi.encodeWithSelector(Errors.Claims_NotEnrolled.selector, fresh.id));
        _as(fresh);
        claims.open(o);
        _suspend(hospital, hospital.agent);
        _refuses(abi.encodeWithSelector(Errors.Claims_NotProvider.selector, hospital.agent.key));
        _as(hospital);
        claims.open(o);
    }

    function test_a_holder_is_enrolled_once_and_by_one() external {
        Member memory fresh = _member("fresh", 1);
        _refuses(abi.encodeWithSelector(Errors.Claims_EnrolledAlready.selector, hospital.id));
        _as(hospital);
        claims.enrol(13);
        _refuses(abi.encodeWithSelector(Errors.Claims_EnrolledAlready.selector, fresh.id));
        _as(fresh);
        claims.enrol(11);
        uint256[2] memory wrong = [uint256(0), Field.ORDER];
        for (uint256 i = 0; i < 2; ++i) {
            _refuses(abi.encodeWithSelector(Errors.Claims_NotElement.selector, wrong[i]));
            _as(fresh);
            claims.enrol(wrong[i]);
        }
        _govern(address(claims), abi.encodeCall(claims.dismiss, (hospital.id)));
        assertEq(claims.holderOf(hospital.id), 0, "dismissed");
        _refuses(abi.encodeWithSelector(Errors.Claims_EnrolledAlready.selector, hospital.id));
        _as(hospital);
        claims.enrol(11);
        _as(hospital);
        claims.enrol(13);
        assertEq(claims.holderOf(hospital.id), 13, "enrolled anew");
    }

    function test_payer_root_and_proof_are_checked() external {
        IClaims.Opening memory o = _opening(TAG, clinic, 0, 1);
        _refuses(abi.encodeWithSelector(Errors.Claims_NotPayer.selector, clinic.id));
        _as(hospital);
        claims.open(o);
        Member memory pending = _applicant("pending insurer", 3);
        o.payer = pending.id;
        _refuses(abi.encodeWithSelector(Errors.Claims_NotPayer.selector, pending.id));
        _as(hospital);
        claims.open(o);
        o.payer = insurer.id;
        o.root = root + 1;
        _refuses(abi.encodeWithSelector(Errors.Claims_RootNotRecent.selector, root + 1));
        _as(hospital);
        claims.open(o);
        o.root = root;
        o.proof[0] = 1;
        uint256 claim = claims.nextId(TAG, insurer.id);
        _refuses(abi.encodeWithSelector(Errors.Claims_ProofRefused.selector, claim));
        _as(hospital);
        claims.open(o);
        claim = _received(TAG);
        _refuses(abi.encodeWithSelector(Errors.Claims_ProofRefused.selector, claim));
        _as(insurer);
        claims.adjudicate(claim, PARTLY, 500, 0, o.proof);
    }

    function test_each_side_moves_its_own_edges_alone() external {
        uint256 claim = _open(hospital, TAG, insurer, 0);
        bytes[5] memory provider = [
            abi.encodeCall(claims.disclose, (claim)),
            abi.encodeCall(claims.accept, (claim)),
            abi.encodeCall(claims.appeal, (claim)),
            abi.encodeCall(claims.free, (claim, 1, 2, _noProof())),
            abi.encodeCall(claims.disclose, (12_345))
        ];
        bytes[4] memory payer = [
            abi.encodeCall(claims.acknowledge, (claim)),
            abi.encodeCall(claims.ask, (claim)),
            abi.encodeCall(claims.adjudicate, (claim, DENIED, 0, 0, _noProof())),
            abi.encodeCall(claims.settle, (claim, 1, true, _noProof()))
        ];
        address[3] memory strangers = [other.agent.key, clinic.agent.key, address(0xBAD)];
        for (uint256 i = 0; i < strangers.length; ++i) {
            for (uint256 j = 0; j < provider.length; ++j) {
                _mustFail(strangers[i], provider[j], Errors.Claims_NotSide.selector);
            }
            for (uint256 j = 0; j < payer.length; ++j) {
                _mustFail(strangers[i], payer[j], Errors.Claims_NotSide.selector);
            }
            bytes memory reversal = abi.encodeCall(claims.reverse, (claim));
            _mustFail(strangers[i], reversal, Errors.Claims_NotParty.selector);
        }
        for (uint256 j = 0; j < provider.length; ++j) {
            _mustFail(insurer.agent.key, provider[j], Errors.Claims_NotSide.selector);
        }
        for (uint256 j = 0; j < payer.length; ++j) {
            _mustFail(hospital.agent.key, payer[j], Errors.Claims_NotSide.selector);
        }
    }

    function _mustFail(address caller, bytes memory data, bytes4 error) private {
        vm.prank(caller);
        (bool done, bytes memory answer) = address(claims).call(data);
        assertFalse(done, "refused");
        assertEq(bytes32(bytes4(answer)), bytes32(error), "why");
    }

    function test_who_reverses_depends_on_the_state() external {
        uint256 claim = _open(hospital, TAG, insurer, 0);
        bytes memory reversal = abi.encodeCall(claims.reverse, (claim));
        _mustFail(insurer.agent.key, reversal, Errors.Claims_NotParty.selector);
        _as(hospital);
        claims.reverse(claim);
        _mustFail(hospital.agent.key, reversal, Errors.ClaimBook_NoEdge.selector);
        claim = _paid(TAG);
        reversal = abi.encodeCall(claims.reverse, (claim));
        _mustFail(hospital.agent.key, reversal, Errors.Claims_NotParty.selector);
        _as(insurer);
        claims.reverse(claim);
        assertEq(_state(claim), 10, "the payer took it back");
    }

    function test_a_partial_decision_is_paid_once_it_is_final() external {
        uint256 claim = _decided(TAG, PARTLY);
        bytes memory pays = abi.encodeCall(claims.settle, (claim, 1, false, _noProof()));
        bytes memory frees = abi.encodeCall(claims.free, (claim, 1, 2, _noProof()));
        _mustFail(insurer.agent.key, pays, Errors.ClaimBook_NotFinal.selector);
        _mustFail(hospital.agent.key, frees, Errors.ClaimBook_NotFinal.selector);
        _pass(APPEAL);
        _mustFail(
            hospital.agent.key,
            abi.encodeCall(claims.appeal, (claim)),
            Errors.ClaimBook_Final.selector
        );
        _as(hospital);
        claims.free(claim, 1, 2, _noProof());
        assertEq(_claim(claim).counted, 500, "what was approved");
        _mustFail(hospital.agent.key, frees, Errors.ClaimBook_NothingToFree.selector);
        _as(insurer);
        claims.settle(claim, 400, false, _noProof());
        _as(hospital);
        claims.free(claim, 2, 3, _noProof());
        assertEq(_claim(claim).counted, 400, "what was paid");
        _as(insurer);
        claims.reverse(claim);
        _as(hospital);
        claims.free(claim, 3, 4, _noProof());
        assertEq(_claim(claim).counted, 0, "nothing");
        frees = abi.encodeCall(claims.free, (claim, 4, 5, _noProof()));
        _mustFail(hospital.agent.key, frees, Errors.ClaimBook_NothingToFree.selector);
    }

    function test_accepting_ends_the_time_to_appeal() external {
        uint256 claim = _decided(TAG, PARTLY);
        _as(hospital);
        claims.accept(claim);
        bytes memory appeals = abi.encodeCall(claims.appeal, (claim));
        _mustFail(hospital.agent.key, appeals, Errors.ClaimBook_Final.selector);
        bytes memory accepts = abi.encodeCall(claims.accept, (claim));
        _mustFail(hospital.agent.key, accepts, Errors.ClaimBook_Final.selector);
        assertTrue(claims.isOpen(bytes32(claim)), "until it is paid");
        uint256 denied = _decided(TAG + 1, DENIED);
        assertTrue(claims.isOpen(bytes32(denied)), "until it can't be appealed");
        _as(hospital);
        claims.accept(denied);
        assertFalse(claims.isOpen(bytes32(denied)), "over");
        _as(hospital);
        claims.free(denied, 1, 2, _noProof());
        assertEq(_claim(denied).counted, 0, "nothing counts");
    }

    function test_an_appeal_is_decided_again_three_times_at_most() external {
        uint256 claim = _decided(TAG, DENIED);
        for (uint256 i = 0; i < 3; ++i) {
            _as(hospital);
            claims.appeal(claim);
            assertTrue(claims.isOpen(bytes32(claim)), "goes on");
            _decide(claim, i == 1 ? PARTLY : DENIED);
        }
        assertEq(_claim(claim).approved, 0, "the newest decision counts");
        bytes memory appeals = abi.encodeCall(claims.appeal, (claim));
        _mustFail(hospital.agent.key, appeals, Errors.ClaimBook_AppealsSpent.selector);
    }

    function test_the_patient_appeals_through_anybody() external {
        uint256 claim = _decided(TAG, DENIED);
        bytes32 second = _id("secret");
        bytes32 first = keccak256(abi.encode(second));
        bytes memory wrong = abi.encodeCall(claims.appealFor, (claim, second));
        _mustFail(address(0xBAD), wrong, Errors.ClaimBook_NotVoice.selector);
        vm.prank(address(0xBAD));
        claims.appealFor(claim, first);
        assertEq(_state(claim), 8, "appealed");
        _decide(claim, DENIED);
        bytes memory again = abi.encodeCall(claims.appealFor, (claim, first));
        _mustFail(address(0xBAD), again, Errors.ClaimBook_NotVoice.selector);
        claims.appealFor(claim, second);
        IClaims.Opening memory o = _opening(TAG + 1, insurer, 0, 1);
        o.voice = 0;
        _as(hospital);
        claim = claims.open(o);
        bytes memory mute = abi.encodeCall(claims.appealFor, (claim, bytes32(0)));
        _mustFail(address(0xBAD), mute, Errors.ClaimBook_NotVoice.selector);
    }

    function test_access_lapses_with_the_deadline_and_is_renewed_by_the_next_step() external {
        assertFalse(claims.isOpen(bytes32(uint256(99))), "nobody opened it");
        uint256 claim = _received(TAG);
        _pass(DECIDE);
        assertFalse(claims.isOpen(bytes32(claim)), "the payer let it lapse");
        _as(insurer);
        claims.ask(claim);
        assertTrue(claims.isOpen(bytes32(claim)), "asked again");
        _pass(ANSWER - 1);
        assertTrue(claims.isOpen(bytes32(claim)), "to the last second");
        _pass(1);
        assertFalse(claims.isOpen(bytes32(claim)), "the provider let it lapse");
    }

    function test_decisions_name_an_amount_unless_they_deny() external {
        uint256 claim = _received(TAG);
        address by = insurer.agent.key;
        bytes memory data = abi.encodeCall(claims.adjudicate, (claim, DENIED, 1, 0, _noProof()));
        _mustFail(by, data, Errors.ClaimBook_NoAmount.selector);
        data = abi.encodeCall(claims.adjudicate, (claim, APPROVED, 0, 0, _noProof()));
        _mustFail(by, data, Errors.ClaimBook_NoAmount.selector);
        uint8[5] memory wrong = [0, 1, 8, 9, 255];
        for (uint256 i = 0; i < wrong.length; ++i) {
            data = abi.encodeCall(claims.adjudicate, (claim, wrong[i], 1, 0, _noProof()));
            _mustFail(by, data, Errors.ClaimBook_NoEdge.selector);
        }
    }

    function test_what_takes_a_proof_can_be_paused_and_nothing_else() external {
        bytes4[4] memory pausable = [
            claims.open.selector,
            claims.adjudicate.selector,
            claims.settle.selector,
            claims.free.selector
        ];
        for (uint256 i = 0; i < pausable.length; ++i) {
            vm.prank(owners[0]);
            administrators.pause(address(claims), pausable[i]);
        }
        uint256 due = block.timestamp + PAUSE;
        _refuses(abi.encodeWithSelector(Errors.Pause_Paused.selector, claims.open.selector, due));
        _as(hospital);
        claims.open(_opening(TAG, insurer, 0, 1));
        assertFalse(claims.isPausable(claims.reverse.selector), "reverse");
        assertFalse(claims.isPausable(claims.appeal.selector), "appeal");
    }
}
