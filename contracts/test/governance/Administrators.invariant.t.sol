// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Handled} from "../support/Handled.sol";
import {Network} from "../support/Network.sol";

contract Counter {
    uint256 public calls;

    function strike() external {
        ++calls;
    }
}

/// @notice Six people, three to five of them members, propose, confirm, withdraw and execute.
contract AdministratorsHandler is Network {
    uint256 private constant PEOPLE = 6;
    uint256 private constant SALTS = 3;

    Counter public counter;
    string public violation;
    uint256 public executed;
    address[] private _people;
    // Who confirmed what, since when; by hand, so that the contract is not its own judge.
    mapping(bytes32 id => mapping(address who => bool)) private _confirmed;
    mapping(bytes32 id => uint64) private _expiry;

    function setUp() public override {
        super.setUp();
        counter = new Counter();
        for (uint256 i = 0; i < PEOPLE; ++i) {
            _people.push(vm.addr(_secret("owner", i)));
        }
    }

    function _data() private pure returns (bytes memory) {
        return abi.encodeCall(Counter.strike, ());
    }

    function _proposal(uint256 salt) private view returns (bytes32) {
        uint64 term = administrators.term();
        bytes32 s = bytes32(salt % SALTS);
        return keccak256(abi.encode(term, address(counter), keccak256(_data()), s));
    }

    function _call(uint256 who, bytes memory data) private returns (bool done) {
        address caller = _people[who % PEOPLE];
        bool member = administrators.isMember(caller);
        vm.prank(caller);
        (done,) = address(administrators).call(data);
        if (done && !member) violation = "a stranger acted";
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, BALLOT));
    }

    function proposeAs(uint256 who, uint256 salt) external {
        bytes memory data = abi.encodeCall(
            administrators.propose, (address(counter), _data(), bytes32(salt % SALTS))
        );
        if (!_call(who, data)) return;
        bytes32 id = _proposal(salt);
        for (uint256 i = 0; i < PEOPLE; ++i) {
            _confirmed[id][_people[i]] = false;
        }
        _confirmed[id][_people[who % PEOPLE]] = true;
        _expiry[id] = uint64(block.timestamp) + BALLOT;
    }

    function confirmAs(uint256 who, uint256 salt) external {
        bytes32 id = _proposal(salt);
        if (!_call(who, abi.encodeCall(administrators.confirm, (id)))) return;
        if (block.timestamp > _expiry[id]) violation = "a lapsed proposal was confirmed";
        _confirmed[id][_people[who % PEOPLE]] = true;
    }

    function withdrawAs(uint256 who, uint256 salt) external {
        bytes32 id = _proposal(salt);
        if (!_call(who, abi.encodeCall(administrators.withdraw, (id)))) return;
        _confirmed[id][_people[who % PEOPLE]] = false;
    }

    function executeAs(uint256 who, uint256 salt) external {
        bytes32 id = _proposal(salt);
        uint256 confirmed = 0;
        for (uint256 i = 0; i < PEOPLE; ++i) {
            bool counts = administrators.isMember(_people[i]) && _confirmed[id][_people[i]];
            if (counts) ++confirmed;
        }
        bytes memory data = abi.encodeCall(
            administrators.execute, (address(counter), _data(), bytes32(salt % SALTS))
        );
        if (!_call(who, data)) return;
        ++executed;
        if (confirmed < administrators.threshold()) violation = "executed by too few";
        if (block.timestamp > _expiry[id]) violation = "a lapsed proposal was executed";
        for (uint256 i = 0; i < PEOPLE; ++i) {
            _confirmed[id][_people[i]] = false;
        }
        _expiry[id] = 0;
    }

    function change(uint256 seed) external {
        if (seed % 5 != 0) return; // rare, or nothing is ever executed
        uint256 count = 3 + seed % 3;
        address[] memory list = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = _people[(i + seed) % PEOPLE];
        }
        vm.prank(address(timelock));
        administrators.setMembers(list, 2 + seed % 2, 1 + seed % 2);
    }

    function check() external view {
        assertEq(bytes(violation), bytes(""), violation);
        assertEq(counter.calls(), executed, "called without an execution");
        uint256 count = administrators.members().length;
        uint256 threshold = administrators.threshold();
        bool sane = threshold >= 1 && threshold <= count && administrators.alarmThreshold() >= 1
            && administrators.alarmThreshold() <= threshold;
        assertTrue(sane, "thresholds");
    }
}

/// Any order of any calls: nothing is called that k present members did not confirm in time.
contract AdministratorsInvariantTest is Handled {
    AdministratorsHandler private handler;

    function setUp() external {
        handler = new AdministratorsHandler();
        handler.setUp();
    }

    function _handler() internal view override returns (address) {
        return address(handler);
    }

    function _verbs() internal view override returns (bytes4[] memory verbs) {
        verbs = new bytes4[](6);
        verbs[0] = handler.pass.selector;
        verbs[1] = handler.proposeAs.selector;
        verbs[2] = handler.confirmAs.selector;
        verbs[3] = handler.withdrawAs.selector;
        verbs[4] = handler.executeAs.selector;
        verbs[5] = handler.change.selector;
    }

    function invariant_nothing_happens_without_k_members() external view {
        handler.check();
    }

    /// The invariants would hold of a handler that achieves nothing; this one executes.
    function test_executing_succeeds_in_some_order() external {
        for (uint256 i = 0; i < 400; ++i) {
            uint256 seed = uint256(keccak256(abi.encode("step", i)));
            (uint256 a, uint256 b) = (seed >> 16, seed >> 64);
            if (seed % 8 == 0) handler.proposeAs(a, b);
            if (seed % 8 >= 1 && seed % 8 <= 3) handler.confirmAs(a, b);
            if (seed % 8 == 4) handler.withdrawAs(a, b);
            if (seed % 8 == 5 || seed % 8 == 6) handler.executeAs(a, b);
            if (seed % 8 == 7) handler.pass(a % 1 days);
        }
        handler.check();
        assertTrue(handler.executed() > 0, "executed");
    }
}
