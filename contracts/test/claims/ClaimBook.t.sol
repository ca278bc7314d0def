// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ClaimBook} from "../../src/ClaimBook.sol";
import {Errors} from "../../src/interfaces/Errors.sol";
import {IClaimBook} from "../../src/interfaces/IClaimBook.sol";
import {ClaimStates} from "../../src/lib/ClaimStates.sol";
import {Assertions} from "../support/Assertions.sol";

/// What the book promises of itself, whoever calls it.
contract ClaimBookTest is Assertions {
    ClaimBook private book = new ClaimBook();

    function _entry(uint256 before, uint256 afterwards)
        private
        pure
        returns (IClaimBook.Entry memory e)
    {
        e.tag = 1;
        e.payer = bytes32(uint256(2));
        e.provider = bytes32(uint256(3));
        (e.before, e.afterwards, e.claimed) = (before, afterwards, 9);
    }

    /// The drawn edges, written out a second time: from * 16 + to.
    function _drawn(uint256 from, uint256 to) private pure returns (bool) {
        uint8[26] memory edges = [
            0x12,
            0x1A,
            0x23,
            0x2A,
            0x34,
            0x35,
            0x36,
            0x37,
            0x3A,
            0x42,
            0x4A,
            0x59,
            0x5A,
            0x68,
            0x69,
            0x6A,
            0x78,
            0x7A,
            0x84,
            0x85,
            0x86,
            0x87,
            0x8A,
            0x9A,
            0,
            0
        ];
        for (uint256 i = 0; i < 24; ++i) {
            if (edges[i] == from * 16 + to) return true;
        }
        return false;
    }

    function test_exactly_the_drawn_edges_exist() external pure {
        for (uint256 from = 0; from < 256; ++from) {
            for (uint256 to = 0; to < 20; ++to) {
                bool expected = from < 16 && to < 16 && _drawn(from, to);
                assertEq(ClaimStates.isEdge(uint8(from), uint8(to)), expected, "edge");
            }
        }
        assertFalse(ClaimStates.isEdge(1, 255), "far away");
    }

    function test_each_caller_has_claims_of_its_own() external {
        uint256 mine = book.open(_entry(0, 5));
        vm.prank(address(0xBEEF));
        uint256 theirs = book.open(_entry(0, 5));
        assertTrue(mine != theirs, "names");
        assertEq(book.get(address(0xBEEF), mine).state, 0, "not theirs");
        assertEq(book.countOf(address(0xBEEF), 1, bytes32(uint256(2))), 1, "theirs counted");
        assertEq(book.countOf(address(0xBEEF), 1, bytes32(uint256(9))), 0, "at another payer");
        vm.expectRevert(
            abi.encodeWithSelector(Errors.ClaimBook_NoEdge.selector, mine, uint8(0), uint8(2))
        );
        vm.prank(address(0xBEEF));
        book.move(mine, 2, 0);
    }

    function test_a_total_never_becomes_nothing_again() external {
        vm.expectRevert(abi.encodeWithSelector(Errors.ClaimBook_NoAmount.selector));
        book.open(_entry(0, 0));
        uint256 claim = book.open(_entry(0, 5));
        book.move(claim, 10, 0);
        vm.expectRevert(abi.encodeWithSelector(Errors.ClaimBook_NoAmount.selector));
        book.free(claim, 5, 0);
        vm.expectRevert(abi.encodeWithSelector(Errors.ClaimBook_Moved.selector, 1, 5));
        book.free(claim, 4, 6);
        book.free(claim, 5, 6);
        assertEq(book.totalOf(address(this), 1), 6, "total");
    }

    function test_an_amount_is_never_nothing() external {
        IClaimBook.Entry memory e = _entry(0, 5);
        e.claimed = 0;
        vm.expectRevert(abi.encodeWithSelector(Errors.ClaimBook_NoAmount.selector));
        book.open(e);
        uint256 claim = book.open(_entry(0, 5));
        book.move(claim, 2, 0);
        book.move(claim, 3, 0);
        book.decide(claim, 5, 7, 0);
        vm.expectRevert(abi.encodeWithSelector(Errors.ClaimBook_NoAmount.selector));
        book.pay(claim, 0);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.ClaimBook_NoEdge.selector, claim, uint8(5), uint8(9))
        );
        book.move(claim, 9, 0);
        book.pay(claim, 7);
    }

    function test_a_secret_speaks_once_and_is_the_next_one_s_digest() external {
        bytes32 second = keccak256("of the patient");
        bytes32 first = keccak256(abi.encode(second));
        IClaimBook.Entry memory e = _entry(0, 5);
        e.voice = keccak256(abi.encode(first));
        uint256 claim = book.open(e);
        _refuses(claim, second);
        book.speak(claim, first);
        _refuses(claim, first);
        vm.prank(address(0xBEEF));
        _refuses(claim, second);
        book.speak(claim, second);
        _refuses(claim, second);
    }

    function test_nobody_speaks_for_a_claim_without_a_voice() external {
        uint256 claim = book.open(_entry(0, 5));
        _refuses(claim, 0);
        _refuses(claim, keccak256("anything"));
    }

    function _refuses(uint256 claim, bytes32 secret) private {
        vm.expectRevert(abi.encodeWithSelector(Errors.ClaimBook_NotVoice.selector, claim));
        book.speak(claim, secret);
    }
}
