// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IPrescriptions} from "../../src/interfaces/IPrescriptions.sol";
import {Dispensing} from "../support/Dispensing.sol";
import {Handled} from "../support/Handled.sol";
import {Member} from "../support/Network.sol";

/// @notice Three organisations whose proofs are all believed, on four tags, in any order.
contract PrescriptionsHandler is Dispensing {
    string public violation;
    mapping(bytes4 verb => uint256) public successes;
    mapping(uint256 tag => uint16) private _most;
    mapping(uint256 tag => uint256) private _handedOut;
    mapping(uint256 tag => bool) private _cancelled;

    function _who(uint256 seed) private view returns (Member memory) {
        return seed % 3 == 0 ? pharmacy : seed % 3 == 1 ? rival : hospital;
    }

    function _tag(uint256 seed) private view returns (uint256) {
        uint256 key = poseidon2.hash([uint256(5), seed % 4]);
        return poseidon3.hash([uint256(2), prescriptions.context(), key]);
    }

    function _act(Member memory who, bytes memory data) private returns (bool done) {
        vm.prank(who.agent.key);
        (done,) = address(prescriptions).call(data);
        if (done) ++successes[bytes4(data)];
    }

    function _guess(uint256 tag, uint256 seed) private view returns (IPrescriptions.Step memory) {
        uint16 part = prescriptions.statusOf(tag).part;
        uint16 before = seed % 8 == 0 ? uint16(seed >> 8) : part;
        return _step(tag, before, uint16(before + (seed >> 32) % 4_000));
    }

    function dispenseAs(uint256 who, uint256 which, uint256 seed) external {
        uint256 tag = _tag(which);
        IPrescriptions.Step memory step = _guess(tag, seed);
        if (!_act(_who(who), abi.encodeCall(prescriptions.dispense, (step)))) return;
        if (_cancelled[tag]) violation = "a cancelled prescription was dispensed from";
        _handedOut[tag] += step.partAfter - step.partBefore;
    }

    function bindAs(uint256 who, uint256 which, uint256 seed) external {
        IPrescriptions.Step memory step = _guess(_tag(which), seed);
        if (seed % 4 != 0) step.partAfter = step.partBefore;
        _act(_who(who), abi.encodeCall(prescriptions.bindPharmacy, (step)));
    }

    function releaseAs(uint256 who, uint256 which, uint256 seed) external {
        IPrescriptions.Step memory step = _guess(_tag(which), seed);
        if (seed % 4 != 0) step.partAfter = step.partBefore;
        _act(_who(who), abi.encodeCall(prescriptions.releasePharmacy, (step)));
    }

    function cancelAs(uint256 who, uint256 which) external {
        if (_act(_who(who), abi.encodeCall(prescriptions.cancel, (which % 64)))) {
            if (which % 64 < 4) _cancelled[_tag(which % 64)] = true;
        }
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 3 days));
    }

    function check() external {
        assertEq(bytes(violation).length, 0, violation);
        for (uint256 i = 0; i < 4; ++i) {
            uint256 tag = _tag(i);
            IPrescriptions.Status memory s = prescriptions.statusOf(tag);
            assertTrue(s.part <= 10_000, "more than the whole");
            assertTrue(s.part >= _most[tag], "a part fell");
            assertEq(s.part, _handedOut[tag], "the part is what was handed out");
            assertEq(s.cancelled, _cancelled[tag], "cancelled for ever");
            _most[tag] = s.part;
        }
    }
}

/// Any order of any calls, every proof believed: no tag exceeds the whole, none falls, none moves
/// after it was cancelled, and the part is exactly what was handed out.
contract PrescriptionsInvariantTest is Handled {
    PrescriptionsHandler private handler;

    function setUp() external {
        handler = new PrescriptionsHandler();
        handler.setUp();
    }

    function _handler() internal view override returns (address) {
        return address(handler);
    }

    function _verbs() internal view override returns (bytes4[] memory verbs) {
        verbs = new bytes4[](5);
        verbs[0] = handler.dispenseAs.selector;
        verbs[1] = handler.bindAs.selector;
        verbs[2] = handler.releaseAs.selector;
        verbs[3] = handler.cancelAs.selector;
        verbs[4] = handler.pass.selector;
    }

    function invariant_no_prescription_is_dispensed_beyond_the_whole() external {
        handler.check();
    }

    /// The invariants would hold of a handler that achieves nothing; this one achieves everything.
    function test_every_verb_succeeds_in_some_order() external {
        for (uint256 i = 0; i < 200; ++i) {
            uint256 seed = uint256(keccak256(abi.encode("step", i)));
            (uint256 a, uint256 b, uint256 c) = (seed >> 16, seed >> 64, seed >> 128);
            if (seed % 5 == 0) handler.dispenseAs(a, b, c);
            if (seed % 5 == 1) handler.bindAs(a, b, c);
            if (seed % 5 == 2) handler.releaseAs(a, b, c);
            if (seed % 5 == 3 && i > 120) handler.cancelAs(a, b);
            if (seed % 5 == 4) handler.pass(a);
            handler.check();
        }
        assertTrue(handler.successes(IPrescriptions.dispense.selector) > 0, "dispense");
        assertTrue(handler.successes(IPrescriptions.bindPharmacy.selector) > 0, "bind");
        assertTrue(handler.successes(IPrescriptions.releasePharmacy.selector) > 0, "release");
        assertTrue(handler.successes(IPrescriptions.cancel.selector) > 0, "cancel");
    }
}
