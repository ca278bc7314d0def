// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IClaimBook} from "../../src/interfaces/IClaimBook.sol";
import {IClaims} from "../../src/interfaces/IClaims.sol";
import {ClaimStates} from "../../src/lib/ClaimStates.sol";
import {Claiming} from "../support/Claiming.sol";
import {Handled} from "../support/Handled.sol";
import {Member} from "../support/Network.sol";

/// @notice Four organisations whose proofs are as honest as the circuits make them, on two tags, in
/// any order and by anybody: amounts are numbers that stand for themselves, and what the circuits
/// show is required of them here (docs/formats/claims.md).
contract ClaimsHandler is Claiming {
    uint256 internal constant COST = 1_000;

    struct Money {
        uint256 claimed;
        uint256 approved;
        uint256 paid;
        uint256 counted;
    }

    string public violation;
    mapping(bytes4 verb => uint256) public successes;
    uint256[] public known;
    mapping(uint256 claim => Money) private _money;
    mapping(uint256 claim => uint8) private _last;
    mapping(uint256 tag => uint256) private _sum;
    mapping(uint256 commitment => uint256) private _amountOf;
    uint256 private _commitments;

    function _who(uint256 seed) private view returns (Member memory) {
        seed %= 4;
        return seed == 0 ? hospital : seed == 1 ? clinic : seed == 2 ? insurer : other;
    }

    /// Mostly the side whose turn it may be, else anybody.
    function _side(uint256 seed, uint256 claim, bool provider)
        private
        view
        returns (Member memory)
    {
        if (seed % 4 == 0) return _who(seed >> 8);
        IClaimBook.Claim memory c = claims.claimOf(claim);
        if (provider) return c.provider == clinic.id ? clinic : hospital;
        return c.payer == other.id ? other : insurer;
    }

    function _commit(uint256 amount) private returns (uint256 commitment) {
        commitment = uint256(keccak256(abi.encode("commitment", ++_commitments))) >> 8;
        _amountOf[commitment] = amount;
    }

    function _act(Member memory who, bytes memory data) private returns (bool done) {
        vm.prank(who.agent.key);
        (done,) = address(claims).call(data);
        if (!done) return false;
        ++successes[bytes4(data)];
        // The claim that was called for, if any, went along an edge or stayed.
        for (uint256 i = 0; i < known.length; ++i) {
            uint8 now_ = claims.claimOf(known[i]).state;
            uint8 was = _last[known[i]];
            if (now_ != was && !ClaimStates.isEdge(was, now_)) violation = "no edge";
            _last[known[i]] = now_;
        }
    }

    function _pick(uint256 seed) private view returns (uint256) {
        uint256 count = known.length;
        if (count == 0) return 0;
        // Mostly one of the newest: two tags have four claims at most that go on.
        if (seed % 8 == 0 || count < 4) return known[(seed >> 8) % count];
        return known[count - 1 - (seed >> 8) % 4];
    }

    function openAs(uint256 who, uint256 which, uint256 seed) external {
        uint256 tag = 1 + which % 2;
        Member memory payer = seed % 2 == 0 ? insurer : other;
        uint256 amount = 1 + (seed >> 8) % 700;
        // What the circuit shows.
        if (_sum[tag] + amount > COST) return;
        uint256 before = seed % 7 == 0 ? 1 : claims.totalOf(tag);
        IClaims.Opening memory o = _opening(tag, payer, before, _commit(_sum[tag] + amount));
        o.claimed = _commit(amount);
        uint256 claim = claims.nextId(tag, payer.id);
        if (!_act(_who(who), abi.encodeCall(claims.open, (o)))) return;
        if (before == 1) violation = "a claim from another total was taken";
        known.push(claim);
        _sum[tag] += amount;
        _money[claim] = Money(amount, 0, 0, amount);
        _last[claim] = 1;
    }

    function moveAs(uint256 who, uint256 which, uint256 verb) external {
        uint256 claim = _pick(which);
        bytes4[6] memory verbs = [
            claims.disclose.selector,
            claims.acknowledge.selector,
            claims.ask.selector,
            claims.accept.selector,
            claims.appeal.selector,
            claims.reverse.selector
        ];
        verb = verb % 32 == 31 ? 5 : verb % 5;
        bool provider = verb != 1 && verb != 2;
        _act(_side(who, claim, provider), abi.encodeWithSelector(verbs[verb], claim));
    }

    function adjudicateAs(uint256 who, uint256 which, uint256 seed) external {
        uint256 claim = _pick(which);
        Money storage m = _money[claim];
        uint8 outcome = uint8(5 + seed % 3);
        if (outcome == PARTLY && m.claimed < 2) return;
        uint256 amount = outcome == APPROVED
            ? m.claimed
            : outcome == DENIED ? 0 : 1 + (seed >> 8) % (m.claimed - 1);
        uint256 approved = amount == 0 ? 0 : _commit(amount);
        bytes memory data =
            abi.encodeCall(claims.adjudicate, (claim, outcome, approved, 0, _noProof()));
        if (_act(_side(who, claim, false), data)) m.approved = amount;
    }

    function settleAs(uint256 who, uint256 which, uint256 seed) external {
        uint256 claim = _pick(which);
        Money storage m = _money[claim];
        uint256 amount = m.approved == 0 ? 0 : 1 + seed % m.approved;
        uint256 paid = _commit(amount);
        bytes memory data =
            abi.encodeCall(claims.settle, (claim, paid, amount == m.approved, _noProof()));
        if (!_act(_side(who, claim, false), data)) return;
        if (amount == 0) violation = "paid without an approval";
        m.paid = amount;
    }

    function freeAs(uint256 who, uint256 which, uint256 seed) external {
        uint256 claim = _pick(which);
        IClaimBook.Claim memory c = claims.claimOf(claim);
        uint256 kept;
        try claims.keptOf(claim) returns (uint256 found) {
            kept = found;
        } catch {}
        uint256 amount = _amountOf[kept];
        uint256 counted = _amountOf[c.counted];
        // What the circuit shows: kept is no more than counted, the sum falls by the difference.
        if (amount > counted) {
            violation = "more is kept than is counted";
            return;
        }
        uint256 before = seed % 7 == 0 ? 1 : claims.totalOf(c.tag);
        uint256 next = _commit(_sum[c.tag] - (counted - amount));
        bytes memory data = abi.encodeCall(claims.free, (claim, before, next, _noProof()));
        if (!_act(_side(who, claim, true), data)) return;
        _sum[c.tag] -= counted - amount;
        _money[claim].counted = amount;
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 40 days));
        _as(hospital);
        (bool done,) = address(statements)
            .call(abi.encodeCall(statements.insertRoot, (ENCOUNTER, block.timestamp)));
        if (done) (,, root) = statements.forestOf(ENCOUNTER);
    }

    function check() external {
        assertEq(bytes(violation).length, 0, violation);
        uint256[3] memory counted;
        uint256[3] memory paid;
        uint256[6] memory open;
        for (uint256 i = 0; i < known.length; ++i) {
            IClaimBook.Claim memory c = claims.claimOf(known[i]);
            Money memory m = _money[known[i]];
            assertEq(_amountOf[c.claimed], m.claimed, "what is claimed never changes");
            assertEq(_amountOf[c.counted], m.counted, "what counts");
            assertTrue(m.paid <= m.approved || c.state == 10 || c.state < 9, "paid <= approved");
            assertTrue(m.paid <= m.claimed, "paid <= claimed");
            assertTrue(m.counted <= m.claimed, "counted <= claimed");
            counted[c.tag] += m.counted;
            if (c.state == 9) {
                paid[c.tag] += m.paid;
                assertTrue(m.paid <= m.counted, "what is paid counts");
            }
            if (c.state != 10) {
                uint256 slot = c.tag * 2 + (c.payer == insurer.id ? 0 : 1);
                assertEq(++open[slot], 1, "one claim of a tag at a payer");
            }
        }
        for (uint256 tag = 1; tag <= 2; ++tag) {
            assertEq(_amountOf[claims.totalOf(tag)], counted[tag], "the total is what counts");
            assertTrue(counted[tag] <= COST, "total claimed <= cost");
            assertTrue(paid[tag] <= counted[tag], "paid in all <= claimed in all");
        }
    }
}

/// Any order of any calls: claims move along drawn edges, one is open per tag and payer, what counts
/// stays within the cost, what is paid within what is claimed.
contract ClaimsInvariantTest is Handled {
    ClaimsHandler private handler;

    function setUp() external {
        handler = new ClaimsHandler();
        handler.setUp();
    }

    function _handler() internal view override returns (address) {
        return address(handler);
    }

    function _verbs() internal view override returns (bytes4[] memory verbs) {
        verbs = new bytes4[](6);
        verbs[0] = handler.openAs.selector;
        verbs[1] = handler.moveAs.selector;
        verbs[2] = handler.adjudicateAs.selector;
        verbs[3] = handler.settleAs.selector;
        verbs[4] = handler.freeAs.selector;
        verbs[5] = handler.pass.selector;
    }

    function invariant_claims_hold() external {
        handler.check();
    }

    /// Else the invariant would be about nothing: a long fixed run does everything.
    function test_every_verb_succeeds_in_some_order() external {
        for (uint256 i = 0; i < 900; ++i) {
            uint256 seed = uint256(keccak256(abi.encode("step", i)));
            (uint256 a, uint256 b, uint256 c) = (seed >> 16, seed >> 64, seed >> 128);
            if (seed % 8 == 0) handler.openAs(a, b, c);
            if (seed % 8 < 4 && seed % 8 > 0) handler.moveAs(a, b, c);
            if (seed % 8 == 4) handler.adjudicateAs(a, b, c);
            if (seed % 8 == 5) handler.settleAs(a, b, c);
            if (seed % 8 == 6) handler.freeAs(a, b, c);
            if (seed % 64 == 7) handler.pass(a);
            if (i % 4 == 0) handler.check();
        }
        bytes4[11] memory verbs = [
            IClaims.open.selector,
            IClaims.disclose.selector,
            IClaims.acknowledge.selector,
            IClaims.ask.selector,
            IClaims.adjudicate.selector,
            IClaims.accept.selector,
            IClaims.appeal.selector,
            IClaims.reverse.selector,
            IClaims.settle.selector,
            IClaims.free.selector,
            IClaims.open.selector
        ];
        for (uint256 i = 0; i < verbs.length; ++i) {
            assertTrue(handler.successes(verbs[i]) > 0, "each verb succeeds");
        }
    }
}
