// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC1967} from "@openzeppelin/contracts/interfaces/IERC1967.sol";

import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {IConsents} from "../../src/interfaces/IConsents.sol";
import {Asking} from "../support/Asking.sol";
import {Handled} from "../support/Handled.sol";
import {ConsentsMirror} from "../support/ConsentsMirror.sol";
import {Member, Person} from "../support/Network.sol";
import {Vm} from "../support/Vm.sol";

/// @notice Three vaults (one provisional), patients who grant and revoke, clinicians who break
/// glass, administrators who suspend, in any order. Keeps its own book of what was agreed.
contract ConsentsHandler is Asking {
    struct Agreed {
        bytes32 tag;
        bytes32 handle;
        uint64 generation;
        bool emergency;
        bool revoked;
        uint64 from;
        uint64 until;
        bytes32 grantee;
        uint8 outcome;
    }

    uint256 private constant HANDLES = 12;
    uint256 private constant NONCES = 300;

    ConsentsMirror public mirror;
    string public violation;
    Agreed[] public book;
    mapping(bytes4 verb => uint256) public successes;

    bytes32[3] private _tags;
    Person[2] private _patients;
    Person[4] private _clinicians;
    mapping(bytes32 tag => uint64) private _generations;
    mapping(bytes32 tag => mapping(bytes32 handle => uint256)) private _place;

    function setUp() public override {
        super.setUp();
        mirror = new ConsentsMirror();
        Person memory second = _person(clinic, PATIENT, "second patient");
        _tags = [tag, _vault(clinic, "second vault"), _vault(hospital, "provisional")];
        _claim(_tags[1], second, hospital, clinic);
        _patients[0] = patient;
        _patients[1] = second;
        _clinicians[0] = doctor;
        _clinicians[1] = nurse;
        _clinicians[2] = _person(hospital, DOCTOR, "doctor elsewhere");
        _clinicians[3] = _person(clinic, PHARMACIST, "pharmacist");
        vm.recordLogs();
    }

    function _act(address caller, bytes memory data) private returns (bool done) {
        vm.prank(caller);
        (done,) = address(consents).call(data);
        if (done) ++successes[bytes4(data)];
        Vm.Log[] memory logs = vm.getRecordedLogs();
        // forge also records what a call emitted before it reverted; no chain shows that.
        for (uint256 i = 0; done && i < logs.length; ++i) {
            if (logs[i].emitter != address(consents)) continue;
            mirror.follow(logs[i], uint64(block.timestamp));
        }
        vm.recordLogs();
    }

    function _handle(uint256 seed) private pure returns (bytes32) {
        return keccak256(abi.encode("handle", seed % HANDLES));
    }

    /// The book's entry, or a fresh one.
    function _entry(bytes32 t, bytes32 h) private returns (Agreed storage) {
        if (_place[t][h] == 0) {
            Agreed storage a = book.push();
            (a.tag, a.handle) = (t, h);
            _place[t][h] = book.length;
        }
        return book[_place[t][h] - 1];
    }

    function _termsFor(bytes32 grantee, uint64 from, uint64 until)
        private
        pure
        returns (IConsents.Terms memory terms)
    {
        terms.granteeKind = 1;
        terms.grantee = grantee;
        terms.categories = uint64(1) << OBSERVATIONS;
        terms.purposes = uint16(1) << TREAT;
        terms.notBefore = from;
        terms.expiry = until;
    }

    function _isActiveByHand(bytes32 account) private view returns (bool) {
        IAccounts.Account memory a = accounts.account(account);
        return a.state == 2 && !a.frozen && accounts.organisation(a.organisation).state == 2;
    }

    function _isControl(uint256 who, uint256 vaultIndex) private pure returns (bool) {
        return who % 2 == vaultIndex % 3;
    }

    // --- what anybody does --------------------------------------------------------------------

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 8 hours));
    }

    function grantAs(uint256 who, uint256 where, uint256 seed, uint64 lasting, bool signed)
        external
    {
        Agreed memory a;
        (a.tag, a.handle) = (_tags[where % 3], _handle(seed));
        a.generation = _generations[a.tag];
        a.grantee = _clinicians[seed % 4].account;
        a.from = uint64(block.timestamp);
        a.until = a.from + uint64(bound(lasting, 1, 2 days));
        bool used = consents.consent(a.tag, a.handle).state != 0;
        bool active = _isActiveByHand(_patients[who % 2].account);
        if (!_tryGrant(_patients[who % 2], a, seed, signed)) return;
        if (!_isControl(who, where)) violation = "granted without the control key";
        if (!active) violation = "an inactive account granted";
        if (used) violation = "a handle was used twice";
        _entry(a.tag, a.handle);
        book[_place[a.tag][a.handle] - 1] = a;
    }

    function _tryGrant(Person memory p, Agreed memory a, uint256 nonce, bool signed)
        private
        returns (bool)
    {
        bytes32 c = _commitment(_termsFor(a.grantee, a.from, a.until));
        if (!signed) {
            return _act(p.key, abi.encodeCall(consents.grant, (a.tag, a.handle, c, pointer)));
        }
        return _act(address(0xCAFE), _signedGrant(p, a.tag, a.handle, c, nonce % NONCES));
    }

    function _signedGrant(Person memory p, bytes32 t, bytes32 h, bytes32 c, uint256 nonce)
        private
        returns (bytes memory)
    {
        uint64 g = consents.generation(t);
        tag = t;
        bytes32 digest = _grantDigest(h, c, g, nonce, block.timestamp);
        IConsents.Permit memory permit = _permit(p.secret, digest, nonce, block.timestamp);
        return abi.encodeCall(consents.grantBySig, (t, h, c, pointer, g, permit));
    }

    function revokeAs(uint256 who, uint256 where, uint256 seed, bool signed) external {
        bytes32 t = _tags[where % 3];
        bytes32 h = _handle(seed);
        Person memory p = _patients[who % 2];
        bytes memory data = abi.encodeCall(consents.revoke, (t, h));
        if (signed) {
            tag = t;
            uint256 nonce = seed % NONCES;
            bytes32 digest = _revokeDigest(h, nonce, block.timestamp);
            IConsents.Permit memory permit = _permit(p.secret, digest, nonce, block.timestamp);
            data = abi.encodeCall(consents.revokeBySig, (t, h, permit));
        }
        bool spent = signed && consents.isNonceUsed(t, seed % NONCES);
        bool already = consents.consent(t, h).state == 2;
        bool done = _act(signed ? address(0xCAFE) : p.key, data);
        if (done && !_isControl(who, where)) violation = "revoked without the control key";
        if (done && spent) violation = "a nonce was used twice";
        bool must = _isControl(who, where) && !already && !spent;
        if (!done && must) violation = "a revocation did not work";
        if (!done) return;
        Agreed storage a = _entry(t, h);
        if (a.until == 0) a.generation = _generations[t];
        a.revoked = true;
    }

    function revokeAllAs(uint256 who, uint256 where) external {
        if (uint256(keccak256(abi.encode(who, where))) % 4 != 0) return; // rare, or nothing lives
        bytes32 t = _tags[where % 3];
        bool done = _act(_patients[who % 2].key, abi.encodeCall(consents.revokeAll, (t)));
        if (done != _isControl(who, where)) violation = "revoke all: who may and who does differ";
        if (done) ++_generations[t];
    }

    function breakGlass(uint256 who, uint256 where, uint256 seed) external {
        bytes32 t = _tags[where % 3];
        bytes32 h = _handle(seed);
        Person memory p = _clinicians[who % 4];
        bool active = _isActiveByHand(p.account);
        bool overdue = _overdue(p.organisation);
        bytes memory data = abi.encodeCall(consents.openEmergency, (t, h, _id("reason")));
        if (!_act(p.key, data)) return;
        if (who % 4 == 3) violation = "a pharmacist broke glass";
        if (!active) violation = "an inactive account broke glass";
        if (overdue) violation = "glass broken with a review overdue";
        Agreed storage a = _entry(t, h);
        if (a.until != 0 || a.revoked) violation = "an emergency took a used handle";
        a.emergency = true;
        (a.generation, a.grantee) = (_generations[t], p.account);
        (a.from, a.until) = (uint64(block.timestamp), uint64(block.timestamp) + OPEN);
    }

    function _overdue(bytes32 organisation) private view returns (bool) {
        for (uint256 i = 0; i < book.length; ++i) {
            Agreed storage a = book[i];
            if (!a.emergency || a.outcome != 0) continue;
            bool own = accounts.account(a.grantee).organisation == organisation;
            if (own && block.timestamp > a.from + REVIEW) return true;
        }
        return false;
    }

    function review(uint256 who, uint256 which, uint8 outcome) external {
        if (book.length == 0) return;
        Agreed storage a = book[which % book.length];
        Member memory member = who % 2 == 0 ? hospital : clinic;
        outcome = uint8(bound(outcome, 0, 3));
        bool own = accounts.account(a.grantee).organisation == member.id;
        bytes memory data = abi.encodeCall(consents.reviewEmergency, (a.tag, a.handle, outcome));
        if (!_act(member.administrator.key, data)) return;
        if (!a.emergency || !own || a.outcome != 0 || outcome == 0 || outcome == 3) {
            violation = "a review that must not be";
        }
        a.outcome = outcome;
    }

    function judge(uint256 whom, bool verifying) external {
        bytes32 id = whom % 6 < 4 ? _clinicians[whom % 6].account : _patients[whom % 6 - 4].account;
        vm.prank(address(administrators));
        (bool done,) = address(accounts)
            .call(
                verifying
                    ? abi.encodeCall(accounts.verify, (id))
                    : abi.encodeCall(accounts.suspend, (id))
            );
        done;
    }

    function govern(uint256 whom, bool verifying) external {
        bytes32 id = whom % 2 == 0 ? hospital.id : clinic.id;
        vm.prank(address(administrators));
        (bool done,) = address(accounts)
            .call(
                verifying
                    ? abi.encodeCall(accounts.verifyOrganisation, (id))
                    : abi.encodeCall(accounts.suspendOrganisation, (id))
            );
        done;
    }

    // --- what must hold -----------------------------------------------------------------------

    function check() external view {
        assertEq(bytes(violation), bytes(""), violation);
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(consents.generation(_tags[i]), _generations[_tags[i]], "generation");
            assertEq(mirror.generation(_tags[i]), _generations[_tags[i]], "mirror: generation");
            // A sample that moves with time; all of them at each step would take too long.
            for (uint256 n = block.timestamp % 16; n < NONCES; n += 16) {
                bool used = consents.isNonceUsed(_tags[i], n);
                assertEq(mirror.isNonceUsed(_tags[i], n), used, "mirror: nonce");
            }
        }
        for (uint256 i = 0; i < book.length; ++i) {
            _checkEntry(book[i]);
        }
        uint64 today = uint64(block.timestamp / 1 days);
        bytes32[2] memory members = [hospital.id, clinic.id];
        for (uint256 i = 0; i < 2; ++i) {
            for (uint64 day = START / 1 days; day <= today; ++day) {
                uint32 opened = consents.emergenciesOn(members[i], day);
                assertTrue(opened <= QUOTA, "over quota");
                assertEq(mirror.emergenciesOn(members[i], day), opened, "mirror: quota");
            }
        }
    }

    function _checkEntry(Agreed memory a) private view {
        assertEq(
            abi.encode(mirror.consent(a.tag, a.handle)),
            abi.encode(consents.consent(a.tag, a.handle)),
            "mirror: consent"
        );
        IConsents.Emergency memory e = consents.emergency(a.tag, a.handle);
        assertEq(abi.encode(mirror.emergency(a.tag, a.handle)), abi.encode(e), "mirror: emergency");
        assertTrue(e.until - e.openedAt <= OPEN, "an emergency is bounded");
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(_ask(a, _clinicians[i]), _expected(a, _clinicians[i]), "decision");
        }
    }

    function _ask(Agreed memory a, Person memory p) private view returns (bool allowed) {
        IConsents.Request memory request;
        request.vault = a.tag;
        request.actor = p.key;
        request.category = OBSERVATIONS;
        request.purpose = a.emergency ? ETREAT : TREAT;
        request.time = uint64(block.timestamp);
        IConsents.Terms memory terms = _termsFor(a.grantee, a.from, a.until);
        (allowed,) = consents.isAllowed(a.handle, terms, salt, request);
    }

    /// The rule once more, from the book: whatever closed it, wins.
    function _expected(Agreed memory a, Person memory p) private view returns (bool) {
        return !a.revoked && a.outcome != 2 && a.generation == _generations[a.tag]
            && a.grantee == p.account && _isActiveByHand(p.account) && block.timestamp < a.until
            && block.timestamp >= a.from;
    }
}

/// Any order of any calls: only the control key grants, revoking always works, expiry, generation
/// and revocation always win, emergencies keep to quota, time and clinicians; `isAllowed` equals an
/// independent book of what was agreed; and the whole state can be rebuilt from events.
contract ConsentsInvariantTest is Handled {
    ConsentsHandler private handler;

    function setUp() external {
        handler = new ConsentsHandler();
        handler.setUp();
    }

    function _handler() internal view override returns (address) {
        return address(handler);
    }

    function _verbs() internal view override returns (bytes4[] memory verbs) {
        verbs = new bytes4[](8);
        verbs[0] = handler.pass.selector;
        verbs[1] = handler.grantAs.selector;
        verbs[2] = handler.revokeAs.selector;
        verbs[3] = handler.revokeAllAs.selector;
        verbs[4] = handler.breakGlass.selector;
        verbs[5] = handler.review.selector;
        verbs[6] = handler.judge.selector;
        verbs[7] = handler.govern.selector;
    }

    function invariant_consents_hold_and_events_tell_all() external view {
        handler.check();
    }

    /// The invariants would hold of a handler that achieves nothing; this one achieves everything.
    function test_every_verb_succeeds_in_some_order() external {
        for (uint256 i = 0; i < 600; ++i) {
            _step(uint256(keccak256(abi.encode("step", i))));
        }
        handler.check();
        bytes4[7] memory reached = [
            IConsents.grant.selector,
            IConsents.grantBySig.selector,
            IConsents.revoke.selector,
            IConsents.revokeBySig.selector,
            IConsents.revokeAll.selector,
            IConsents.openEmergency.selector,
            IConsents.reviewEmergency.selector
        ];
        for (uint256 i = 0; i < reached.length; ++i) {
            assertTrue(
                handler.successes(reached[i]) > 0,
                string.concat("never succeeded: ", vm.toString(bytes32(reached[i])))
            );
        }
    }

    function _step(uint256 seed) private {
        (uint256 a, uint256 b, uint256 c) = (seed >> 16, seed >> 64, seed >> 128);
        bool flag = (seed >> 8) % 2 == 0;
        uint256 verb = seed % 8;
        if (verb == 0) handler.pass(a);
        if (verb == 1) handler.grantAs(a, b, c, uint64(a), flag);
        if (verb == 2) handler.revokeAs(a, b, c, flag);
        if (verb == 3) handler.revokeAllAs(a, b);
        if (verb == 4) handler.breakGlass(a, b, c);
        if (verb == 5) handler.review(a, b, uint8(c));
        if (verb == 6) handler.judge(a, flag);
        if (verb == 7) handler.govern(a, flag);
    }
}
