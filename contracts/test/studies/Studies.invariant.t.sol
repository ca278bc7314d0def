// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IStudies} from "../../src/interfaces/IStudies.sol";
import {Handled} from "../support/Handled.sol";
import {Member} from "../support/Network.sol";
import {Researching} from "../support/Researching.sol";

/// @notice Two studies, four patients, any order of calls, every proof believed.
contract StudiesHandler is Researching {
    string public violation;
    mapping(bytes4 verb => uint256) public successes;
    bytes32[2] private _ids;
    mapping(bytes32 study => mapping(uint256 account => bool)) private _approvals;
    mapping(bytes32 tag => bool) private _in;
    mapping(bytes32 tag => bool) private _out;
    mapping(bytes32 study => uint256) private _recorded;
    mapping(uint256 nullifier => bool) private _counted;
    uint256 private _counts;

    function setUp() public override {
        super.setUp();
        (_ids[0], _ids[1]) = (_register("one"), _register("two"));
    }

    function _act(address caller, bytes memory data) private returns (bool done) {
        vm.prank(caller);
        (done,) = address(studies).call(data);
        if (done) ++successes[bytes4(data)];
    }

    function _runs(bytes32 id) private view returns (bool) {
        uint256 sum;
        for (uint256 i = 0; i < 3; ++i) {
            if (_approvals[id][i]) ++sum;
        }
        return sum >= 2 && block.timestamp < studies.study(id).ends;
    }

    function approveAs(uint256 who, uint256 which, bool approves) external {
        bytes32 id = _ids[which % 2];
        bytes memory data = approves
            ? abi.encodeCall(studies.approve, (id))
            : abi.encodeCall(studies.retract, (id));
        address caller = who % 4 == 3 ? insider.key : board[who % 4].key;
        if (!_act(caller, data)) return;
        if (who % 4 == 3) violation = "the sponsor approved its own study";
        _approvals[id][who % 4] = approves;
    }

    function joinAs(uint256 which, uint256 number) external {
        bytes32 id = _ids[which % 2];
        bytes32 tag = studies.tagFor(id, _secretOf(number % 4));
        if (_act(pharmacy.agent.key, abi.encodeCall(studies.optIn, (id, tag)))) {
            if (_out[tag]) violation = "a withdrawn tag came back";
            _in[tag] = true;
        }
    }

    function withdrawAs(uint256 which, uint256 number) external {
        bytes32 id = _ids[which % 2];
        bytes32 secret = _secretOf(number % 16);
        if (_act(address(this), abi.encodeCall(studies.withdraw, (id, secret)))) {
            _out[studies.tagFor(id, secret)] = true;
        }
    }

    /// Tags of both studies, any of them, in order or not.
    function recordAs(uint256 which, uint256 seed, bool sorts) external {
        bytes32 id = _ids[which % 2];
        bytes32[] memory tags = new bytes32[](1 + seed % 3);
        for (uint256 i = 0; i < tags.length; ++i) {
            bytes32 group = _ids[(seed >> (8 * i)) % 8 == 0 ? 1 - which % 2 : which % 2];
            tags[i] = studies.tagFor(group, _secretOf((seed >> (16 + 8 * i)) % 4));
        }
        if (sorts) tags = _members(tags);
        bytes memory data = abi.encodeCall(
            studies.recordRelease, (id, _id("m"), _id("p"), uint64(block.timestamp + 1), tags)
        );
        Member memory who = seed % 16 == 15 ? rival : sponsor;
        if (!_act(who.agent.key, data)) return;
        ++_recorded[id];
        if (!_runs(id)) violation = "released without approval or after the end";
        if (who.id != sponsor.id) violation = "released by another";
        for (uint256 i = 0; i < tags.length; ++i) {
            (bytes32 group,) = studies.tagOf(tags[i]);
            if (_out[tags[i]]) violation = "a withdrawn tag was released";
            if (!_in[tags[i]] || group != id) violation = "a tag was released that took no part";
            if (i > 0 && tags[i] <= tags[i - 1]) violation = "a tag was released twice";
        }
    }

    function countAs(uint256 which, uint256 nullifier) external {
        bytes32 id = _ids[which % 2];
        nullifier = nullifier % 32;
        bytes memory data = abi.encodeCall(studies.count, (id, nullifier, _met(2)));
        if (!_act(sponsor.agent.key, data)) return;
        if (_counted[nullifier]) violation = "somebody was counted twice";
        if (!_runs(id)) violation = "counted without approval or after the end";
        _counted[nullifier] = true;
        ++_counts;
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 1 days));
    }

    function check() external view {
        assertEq(bytes(violation).length, 0, violation);
        uint256 counted;
        for (uint256 i = 0; i < 2; ++i) {
            bytes32 id = _ids[i];
            assertEq(studies.isRunning(id), _runs(id), "runs");
            assertEq(studies.study(id).releases, _recorded[id], "releases");
            counted += studies.study(id).counted;
            for (uint256 j = 0; j < 4; ++j) {
                bytes32 tag = studies.tagFor(id, _secretOf(j));
                bool open = _in[tag] && !_out[tag] && _runs(id);
                assertEq(studies.isOpen(tag), open, "open");
            }
        }
        assertEq(counted, _counts, "counts");
    }
}

/// Any order of any calls: nothing is released without approval or after the end, nobody who
/// withdrew or never took part is in a release, nobody counts twice.
contract StudiesInvariantTest is Handled {
    StudiesHandler private handler;

    function setUp() external {
        handler = new StudiesHandler();
        handler.setUp();
    }

    function _handler() internal view override returns (address) {
        return address(handler);
    }

    function _verbs() internal view override returns (bytes4[] memory verbs) {
        verbs = new bytes4[](6);
        verbs[0] = handler.approveAs.selector;
        verbs[1] = handler.joinAs.selector;
        verbs[2] = handler.withdrawAs.selector;
        verbs[3] = handler.recordAs.selector;
        verbs[4] = handler.countAs.selector;
        verbs[5] = handler.pass.selector;
    }

    function invariant_no_release_without_approval_or_of_who_withdrew() external view {
        handler.check();
    }

    /// The invariants would hold of a handler that achieves nothing; this one achieves everything.
    function test_every_verb_succeeds_in_some_order() external {
        for (uint256 i = 0; i < 240; ++i) {
            uint256 seed = uint256(keccak256(abi.encode("step", i)));
            (uint256 a, uint256 b, uint256 c) = (seed >> 16, seed >> 64, seed >> 128);
            if (seed % 6 == 0) handler.approveAs(a, b, c % 4 != 0);
            if (seed % 6 == 1) handler.joinAs(a, b);
            if (seed % 6 == 2 && i > 160) handler.withdrawAs(a, b);
            if (seed % 6 == 3 || seed % 6 == 2) handler.recordAs(a, b, true);
            if (seed % 6 == 4) handler.countAs(a, b);
            if (seed % 6 == 5 && i > 200) handler.pass(a);
            handler.check();
        }
        bytes4[6] memory verbs = [
            IStudies.approve.selector,
            IStudies.retract.selector,
            IStudies.optIn.selector,
            IStudies.withdraw.selector,
            IStudies.recordRelease.selector,
            IStudies.count.selector
        ];
        for (uint256 i = 0; i < 6; ++i) {
            assertTrue(handler.successes(verbs[i]) > 0, "a verb never succeeded");
        }
    }
}
