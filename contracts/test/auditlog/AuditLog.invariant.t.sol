// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAuditLog} from "../../src/interfaces/IAuditLog.sol";
import {Anchoring} from "../support/Anchoring.sol";
import {Handled} from "../support/Handled.sol";
import {Person} from "../support/Network.sol";
import {Vm} from "../support/Vm.sol";

/// @notice Agents of two organisations, honest and not, append with any numbers and roots.
contract AuditLogHandler is Anchoring {
    string public violation;
    uint256 public appended;
    Person[4] private _agents;
    // The follower's chain: what events said, in order.
    mapping(bytes32 organisation => bytes32[]) private _roots;
    mapping(bytes32 organisation => uint256) private _totals;

    function setUp() public override {
        super.setUp();
        _agents[0] = hospital.agent;
        _agents[1] = _person(hospital, AGENT, "second agent");
        _agents[2] = clinic.agent;
        _agents[3] = _person(clinic, ADMINISTRATOR, "no agent");
    }

    /// `honest` 0: all numbers as given; otherwise mostly what continues the chain.
    function appendAs(
        uint256 who,
        uint64 seq,
        bytes32 previous,
        bytes32 root,
        uint32 count,
        uint256 honest
    ) external {
        Person memory p = _agents[who % 4];
        IAuditLog.Head memory h = auditLog.head(p.organisation);
        if (honest % 4 != 0) (seq, previous) = (h.seq + 1, h.root);
        if (honest % 4 == 2) seq += uint64(honest >> 8) % 3;
        if (honest % 4 == 3 && h.seq > 1) previous = auditLog.rootAt(p.organisation, h.seq - 1);
        bool may = who % 4 != 3 && accounts.isActive(p.key) && root != 0 && count != 0
            && seq == h.seq + 1 && previous == h.root;
        vm.recordLogs();
        vm.prank(p.key);
        (bool done,) =
            address(auditLog).call(abi.encodeCall(auditLog.append, (seq, previous, root, count)));
        if (done != may) violation = "what may be appended and what is differ";
        if (done) _follow(vm.getRecordedLogs()[0]);
    }

    function judge(uint256 whom, bool verifying) external {
        bytes32 id = _agents[whom % 4].account;
        vm.prank(address(administrators));
        (bool done,) = address(accounts)
            .call(
                verifying
                    ? abi.encodeCall(accounts.verify, (id))
                    : abi.encodeCall(accounts.suspend, (id))
            );
        done;
    }

    function _follow(Vm.Log memory log) private {
        ++appended;
        bytes32[] storage roots = _roots[log.topics[1]];
        (bytes32 previous, bytes32 root, uint32 count) =
            abi.decode(log.data, (bytes32, bytes32, uint32));
        if (uint256(log.topics[2]) != roots.length + 1) violation = "a gap in the events";
        bytes32 last = roots.length == 0 ? bytes32(0) : roots[roots.length - 1];
        if (previous != last) violation = "a fork in the events";
        roots.push(root);
        _totals[log.topics[1]] += count;
    }

    function check() external view {
        assertEq(bytes(violation), bytes(""), violation);
        bytes32[2] memory members = [hospital.id, clinic.id];
        for (uint256 i = 0; i < 2; ++i) {
            bytes32[] storage roots = _roots[members[i]];
            IAuditLog.Head memory h = auditLog.head(members[i]);
            assertEq(h.seq, roots.length, "head");
            assertEq(h.total, _totals[members[i]], "total");
            assertEq(h.root, h.seq == 0 ? bytes32(0) : roots[h.seq - 1], "head root");
            for (uint64 seq = 1; seq <= h.seq; ++seq) {
                assertEq(auditLog.rootAt(members[i], seq), roots[seq - 1], "a past root changed");
            }
            assertEq(auditLog.rootAt(members[i], h.seq + 1), 0, "a root beyond the head");
            assertEq(auditLog.rootAt(members[i], 0), 0, "a root before the first");
        }
    }
}

/// Any order of any calls: per organisation no gap, no fork, no past root changed.
contract AuditLogInvariantTest is Handled {
    AuditLogHandler private handler;

    function setUp() external {
        handler = new AuditLogHandler();
        handler.setUp();
    }

    function _handler() internal view override returns (address) {
        return address(handler);
    }

    function _verbs() internal view override returns (bytes4[] memory verbs) {
        verbs = new bytes4[](2);
        verbs[0] = handler.appendAs.selector;
        verbs[1] = handler.judge.selector;
    }

    function invariant_the_audit_log_has_no_gap_and_no_fork() external view {
        handler.check();
    }

    /// The invariants would hold of a handler that achieves nothing; this one appends.
    function test_appending_succeeds_in_some_order() external {
        for (uint256 i = 0; i < 60; ++i) {
            bytes32 seed = keccak256(abi.encode("step", i));
            handler.appendAs(uint256(seed), 1, 0, seed, 1 + uint32(i), uint256(seed) >> 128);
        }
        handler.check();
        assertTrue(handler.appended() > 10, "appended");
    }
}
