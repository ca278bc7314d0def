// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRecords} from "../../src/interfaces/IRecords.sol";
import {Anchoring} from "../support/Anchoring.sol";
import {Handled} from "../support/Handled.sol";
import {Person} from "../support/Network.sol";
import {ReferenceTree} from "../support/ReferenceTree.sol";
import {Vm} from "../support/Vm.sol";

/// @notice Three agents of two organisations anchor, supersede and erase in any order.
contract RecordsHandler is Anchoring {
    struct Known {
        bytes32 organisation;
        bytes32 root;
        uint32 count;
        uint64 time;
        uint256 seed;
    }

    string public violation;
    bytes32[] public batchIds;
    mapping(bytes32 batchId => Known) private _known;
    mapping(bytes4 verb => uint256) public successes;
    // What a follower of events alone knows about leaves.
    mapping(bytes32 organisation => mapping(bytes32 leaf => IRecords.Status)) private _statuses;
    mapping(bytes32 batchId => IRecords.Batch) private _mirrored;
    Person[3] private _agents;

    function setUp() public override {
        super.setUp();
        _agents[0] = hospital.agent;
        _agents[1] = clinic.agent;
        _agents[2] = _person(hospital, AGENT, "second agent");
        vm.recordLogs();
    }

    function _act(Person memory who, bytes memory data) private returns (bool done) {
        vm.prank(who.key);
        (done,) = address(records).call(data);
        if (done) ++successes[bytes4(data)];
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; done && i < logs.length; ++i) {
            _follow(logs[i]);
        }
        vm.recordLogs();
    }

    function _follow(Vm.Log memory log) private {
        uint64 time = uint64(block.timestamp);
        if (log.emitter != address(records)) return;
        if (log.topics[0] == IRecords.Anchored.selector) {
            (bytes32 root, uint32 count,) = abi.decode(log.data, (bytes32, uint32, bytes));
            _mirrored[log.topics[1]] = IRecords.Batch(log.topics[2], root, count, time);
            return;
        }
        IRecords.Status storage s = _statuses[log.topics[1]][log.topics[2]];
        s.since = time;
        if (log.topics[0] == IRecords.Superseded.selector) {
            (s.status, s.successor) = (1, log.topics[3]);
        } else {
            s.status = 2;
        }
    }

    function _leavesOf(uint256 seed) private pure returns (bytes32[] memory) {
        return _batch(1 + seed % 9, vm.toString(seed % 12));
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 1 days));
    }

    function judge(uint256 whom, bool verifying) external {
        bytes32 id = _agents[whom % 3].account;
        vm.prank(address(administrators));
        (bool done,) = address(accounts)
            .call(
                verifying
                    ? abi.encodeCall(accounts.verify, (id))
                    : abi.encodeCall(accounts.suspend, (id))
            );
        done;
    }

    function anchorAs(uint256 who, uint256 seed, uint32 lie) external {
        Person memory p = _agents[who % 3];
        bytes32[] memory leaves = _leavesOf(seed);
        bytes32 root = ReferenceTree.root(leaves);
        uint32 count = lie % 8 == 0 ? lie : uint32(leaves.length);
        bytes32 id = keccak256(abi.encodePacked(block.chainid, p.organisation, root));
        bool active = accounts.isActive(p.key);
        if (!_act(p, abi.encodeCall(records.anchor, (root, count, MANIFEST)))) return;
        if (!active) violation = "an inactive agent anchored";
        if (_known[id].count != 0) violation = "a batch was anchored twice";
        _known[id] = Known(p.organisation, root, count, uint64(block.timestamp), seed);
        batchIds.push(id);
    }

    function _at(uint256 which, uint256 index) private view returns (IRecords.Leaf memory at) {
        if (batchIds.length == 0) return at;
        bytes32 id = batchIds[which % batchIds.length];
        bytes32[] memory leaves = _leavesOf(_known[id].seed);
        return _leaf(id, leaves, index % leaves.length);
    }

    function supersedeAs(uint256 who, uint256 a, uint256 b, uint256 c) external {
        Person memory p = _agents[who % 3];
        IRecords.Leaf memory old = _at(a, b);
        IRecords.Leaf memory next = _at(b, c);
        uint8 before = records.status(p.organisation, old.leaf).status;
        uint8 nextBefore = records.status(p.organisation, next.leaf).status;
        if (!_act(p, abi.encodeCall(records.supersede, (old, next)))) return;
        if (before != 0 || nextBefore != 0) violation = "a leaf that is not current superseded";
        _checkOwner(p, old);
        _checkOwner(p, next);
    }

    function eraseAs(uint256 who, uint256 a, uint256 b) external {
        Person memory p = _agents[who % 3];
        IRecords.Leaf memory old = _at(a, b);
        uint8 before = records.status(p.organisation, old.leaf).status;
        if (!_act(p, abi.encodeCall(records.erase, (old)))) return;
        if (before == 2) violation = "a leaf was erased twice";
        _checkOwner(p, old);
    }

    function _checkOwner(Person memory p, IRecords.Leaf memory at) private {
        if (_known[at.batchId].organisation != p.organisation) {
            violation = "a leaf of another organisation changed";
        }
        if (!accounts.isActive(p.key)) violation = "an inactive agent changed a leaf";
    }

    function check() external view {
        assertEq(bytes(violation), bytes(""), violation);
        for (uint256 i = 0; i < batchIds.length; ++i) {
            bytes32 id = batchIds[i];
            Known memory k = _known[id];
            IRecords.Batch memory b = records.batch(id);
            bool same = b.organisation == k.organisation && b.root == k.root && b.count == k.count
                && b.time == k.time;
            assertTrue(same, "a batch changed");
            assertEq(abi.encode(_mirrored[id]), abi.encode(b), "mirror: batch");
            bytes32[] memory leaves = _leavesOf(k.seed);
            for (uint256 j = 0; j < leaves.length; ++j) {
                _checkLeaf(id, k, leaves, j);
            }
        }
    }

    function _checkLeaf(bytes32 id, Known memory k, bytes32[] memory leaves, uint256 index)
        private
        view
    {
        bytes32[] memory path = ReferenceTree.path(leaves, index);
        bool accepted = records.verify(id, leaves[index], index, path);
        // Who lies about the count makes own leaves unverifiable, never others verifiable.
        if (k.count == leaves.length) assertTrue(accepted, "a leaf of the batch is refused");
        IRecords.Status memory s = records.status(k.organisation, leaves[index]);
        assertEq(
            abi.encode(_statuses[k.organisation][leaves[index]]), abi.encode(s), "mirror: status"
        );
        // Follow the versions to their end: there is one.
        bytes32 leaf = leaves[index];
        for (uint256 steps = 0; records.status(k.organisation, leaf).successor != 0; ++steps) {
            leaf = records.status(k.organisation, leaf).successor;
            assertTrue(steps < 200, "versions form a ring");
        }
    }
}

/// Any order of any calls: a batch never changes and is its organisation's alone, its leaves verify,
/// only its organisation says what became of them, versions form no ring; events tell all.
contract RecordsInvariantTest is Handled {
    RecordsHandler private handler;

    function setUp() external {
        handler = new RecordsHandler();
        handler.setUp();
    }

    function _handler() internal view override returns (address) {
        return address(handler);
    }

    function _verbs() internal view override returns (bytes4[] memory verbs) {
        verbs = new bytes4[](5);
        verbs[0] = handler.pass.selector;
        verbs[1] = handler.judge.selector;
        verbs[2] = handler.anchorAs.selector;
        verbs[3] = handler.supersedeAs.selector;
        verbs[4] = handler.eraseAs.selector;
    }

    function invariant_records_hold_and_events_tell_all() external view {
        handler.check();
    }

    /// The invariants would hold of a handler that achieves nothing; this one achieves everything.
    function test_every_verb_succeeds_in_some_order() external {
        for (uint256 i = 0; i < 300; ++i) {
            uint256 seed = uint256(keccak256(abi.encode("step", i)));
            (uint256 a, uint256 b, uint256 c) = (seed >> 16, seed >> 64, seed >> 128);
            if (seed % 5 == 0) handler.pass(a);
            if (seed % 5 == 1) handler.judge(a, b % 4 != 0);
            if (seed % 5 == 2) handler.anchorAs(a, b, uint32(c));
            if (seed % 5 == 3) handler.supersedeAs(a, b, c, seed >> 192);
            if (seed % 5 == 4) handler.eraseAs(a, b, c);
        }
        handler.check();
        assertTrue(handler.successes(IRecords.anchor.selector) > 0, "anchor");
        assertTrue(handler.successes(IRecords.supersede.selector) > 0, "supersede");
        assertTrue(handler.successes(IRecords.erase.selector) > 0, "erase");
    }
}
