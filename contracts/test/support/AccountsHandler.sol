// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC1967} from "@openzeppelin/contracts/interfaces/IERC1967.sol";

import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {AccountsMirror} from "./AccountsMirror.sol";
import {Guarded} from "./Guarded.sol";
import {Network, Person} from "./Network.sol";
import {Signing} from "./Signing.sol";
import {Vm} from "./Vm.sol";

/// @notice Two organisations and eight accounts that do anything in any order. Watches, at each
/// call, what must never happen.
contract AccountsHandler is Guarded, Signing {
    AccountsMirror public mirror;
    bytes32[] public ids;
    bytes32[] public tags;
    address[] public keys;
    string public violation;

    mapping(address key => uint256 secret) private _secrets;
    mapping(bytes32 id => uint64) private _vetoes;
    mapping(bytes4 verb => uint256) public successes;
    uint256 private _fresh;

    function setUp() public override(Guarded, Network) {
        mirror = new AccountsMirror();
        vm.recordLogs();
        super.setUp();
        string[4] memory names = ["doctor", "second patient", "nurse", "spare"];
        uint8[4] memory roles = [DOCTOR, PATIENT, NURSE, ADMINISTRATOR];
        _know(patient);
        _know(hospital.administrator);
        _know(hospital.agent);
        _know(clinic.administrator);
        _know(clinic.agent);
        for (uint256 i = 0; i < 4; ++i) {
            Person memory person = _pending(i % 2 == 0 ? hospital : clinic, roles[i], names[i]);
            _know(person);
        }
        _follow();
    }

    /// Events carry no time: a follower takes it from their block, so follow before it moves on.
    function _pass(uint256 duration) internal override {
        _follow();
        super._pass(duration);
    }

    function _know(Person memory person) private {
        ids.push(person.account);
        keys.push(person.key);
        _secrets[person.key] = person.secret;
    }

    function _follow() private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != address(accounts) || logs[i].topics.length < 2) continue;
            if (logs[i].topics[0] == IERC1967.Upgraded.selector) continue;
            mirror.follow(logs[i], uint64(block.timestamp));
        }
        vm.recordLogs();
    }

    function _key(uint256 who) private view returns (address) {
        return accounts.account(ids[who % ids.length]).key;
    }

    /// Somebody calls something. `acting`: only an active account may succeed.
    function _act(address caller, bytes memory data, bool acting) private returns (bool done) {
        IAccounts.Account[] memory before = _all();
        bool active = _isActiveByHand(caller);
        vm.prank(caller);
        (done,) = address(accounts).call(data);
        if (done) ++successes[bytes4(data)];
        if (done && acting && !active) violation = "an inactive account acted";
        _watchKeys(before, bytes4(data));
        // forge also records what a call emitted before it reverted; no chain shows that.
        if (done) _follow();
        else vm.getRecordedLogs();
    }

    function _isActiveByHand(address key) private view returns (bool) {
        for (uint256 i = 0; i < ids.length; ++i) {
            IAccounts.Account memory a = accounts.account(ids[i]);
            if (a.key == key) {
                return a.state == 2 && !a.frozen && accounts.organisation(a.organisation).state == 2;
            }
        }
        return false;
    }

    function _all() private view returns (IAccounts.Account[] memory all) {
        all = new IAccounts.Account[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            all[i] = accounts.account(ids[i]);
        }
    }

    function _watchKeys(IAccounts.Account[] memory before, bytes4 verb) private {
        for (uint256 i = 0; i < ids.length; ++i) {
            IAccounts.Account memory a = accounts.account(ids[i]);
            if (a.role != before[i].role || a.organisation != before[i].organisation) {
                violation = "an account changed role or organisation";
            }
            if (a.guardianNonce < before[i].guardianNonce) violation = "a nonce went back";
            if (a.key == before[i].key) continue;
            bool recovery = verb == IAccounts.completeRecovery.selector;
            if (!recovery && verb != IAccounts.completeRotation.selector) {
                violation = "a key changed by another verb";
            }
            if (!recovery && before[i].frozen) violation = "a frozen account rotated";
        }
    }

    // --- what anybody does --------------------------------------------------------------------

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, DELAY));
    }

    function judge(uint256 who, uint256 whom, bool verifying) external {
        bytes32 id = ids[whom % ids.length];
        _act(
            _key(who),
            verifying
                ? abi.encodeCall(accounts.verify, (id))
                : abi.encodeCall(accounts.suspend, (id)),
            true
        );
    }

    function govern(uint256 whom, bool verifying) external {
        bytes32 id = whom % 2 == 0 ? hospital.id : clinic.id;
        _act(
            address(administrators),
            verifying
                ? abi.encodeCall(accounts.verifyOrganisation, (id))
                : abi.encodeCall(accounts.suspendOrganisation, (id)),
            false
        );
    }

    /// Governance brings accounts back, so that a run does not end with everybody suspended.
    function restore(uint256 whom) external {
        bytes memory data = abi.encodeCall(accounts.verify, (ids[whom % ids.length]));
        _act(address(administrators), data, false);
    }

    function describe(uint256 who, bytes32 descriptor) external {
        _act(_key(who), abi.encodeCall(accounts.setDescriptor, (descriptor)), true);
    }

    function _newKey(uint256 seed) private returns (address key) {
        if (seed % 8 == 0) return keys[seed % keys.length];
        uint256 secret = _secret("fresh", _fresh++);
        key = vm.addr(secret);
        _secrets[key] = secret;
        keys.push(key);
    }

    function rotate(uint256 who, uint256 seed) external {
        _act(_key(who), abi.encodeCall(accounts.rotateKey, (_newKey(seed))), true);
    }

    function cancel(uint256 who, bool rotation) external {
        _act(
            _key(who),
            rotation
                ? abi.encodeCall(accounts.cancelRotation, ())
                : abi.encodeCall(accounts.cancelGuardians, ()),
            false
        );
    }

    function appoint(uint256 who, bool real) external {
        bytes32 root = real ? guardiansRoot : bytes32(0);
        (uint8 count, uint8 threshold) = real ? (GUARDIANS, NEEDED) : (0, 0);
        _act(_key(who), abi.encodeCall(accounts.setGuardians, (root, count, threshold)), true);
    }

    /// An owner's verbs by signature, now and then of another account's key or before its turn.
    function sign(uint256 who, uint256 seed) external {
        uint256 verb = (seed >> 16) % 4;
        bytes32 id = verb % 2 == 1 ? _waiting(who, verb / 2) : ids[who % ids.length];
        bytes32 signer = seed % 8 == 7 ? ids[(who + 1) % ids.length] : id;
        uint256 nonce = accounts.ownerNonce(id);
        bool early = (seed >> 8) % 8 == 7;
        bytes memory data = _signedCall(id, signer, early ? nonce + 1 : nonce, seed >> 16);
        bool acting = bytes4(data) == IAccounts.rotateKeyBySig.selector
            || bytes4(data) == IAccounts.setGuardiansBySig.selector;
        bool active = _isActiveByHand(accounts.account(signer).key);
        bool frozen = accounts.account(id).frozen;
        if (!_act(address(0xCAFE), data, false)) return;
        if (signer != id) violation = "somebody signed for another account";
        if (early) violation = "a signature counted before its turn";
        if (acting && !active) violation = "an inactive account signed";
        if (frozen) violation = "a frozen account signed";
        if (accounts.ownerNonce(id) != nonce + 1) violation = "a signature spent no nonce";
    }

    function _signedCall(bytes32 id, bytes32 signer, uint256 nonce, uint256 seed)
        private
        returns (bytes memory)
    {
        uint256 secret = _secrets[accounts.account(signer).key];
        uint256 end = block.timestamp;
        if (seed % 4 == 0) {
            address key = _newKey(seed >> 8);
            IAccounts.Permit memory to = _permitOf(secret, id, _rotateKey(key), nonce, end);
            return abi.encodeCall(accounts.rotateKeyBySig, (id, key, to));
        }
        if (seed % 4 == 1) {
            address key = accounts.pendingRotation(id).key;
            IAccounts.Permit memory off = _permitOf(secret, id, _cancelRotation(key), nonce, end);
            return abi.encodeCall(accounts.cancelRotationBySig, (id, key, off));
        }
        if (seed % 4 == 2) {
            bytes memory verb = _setGuardians(guardiansRoot, GUARDIANS, NEEDED);
            IAccounts.Permit memory set = _permitOf(secret, id, verb, nonce, end);
            return
                abi.encodeCall(
                    accounts.setGuardiansBySig, (id, guardiansRoot, GUARDIANS, NEEDED, set)
                );
        }
        bytes32 root = accounts.pendingGuardians(id).root;
        IAccounts.Permit memory none = _permitOf(secret, id, _cancelGuardians(root), nonce, end);
        return abi.encodeCall(accounts.cancelGuardiansBySig, (id, root, none));
    }

    function complete(uint256 whom, uint256 what) external {
        bytes32 id = _waiting(whom, what % 3);
        uint64 readyAt = _readyAt(id, what % 3);
        bytes memory data = abi.encodeCall(accounts.completeRotation, (id));
        if (what % 3 == 1) data = abi.encodeCall(accounts.completeGuardians, (id));
        if (what % 3 == 2) data = abi.encodeCall(accounts.completeRecovery, (id));
        bool done = _act(address(0xCAFE), data, false);
        if (done && (readyAt == 0 || block.timestamp < readyAt)) violation = "completed too early";
        if (done && what % 3 != 0) _vetoes[id] = 0;
    }

    function _readyAt(bytes32 id, uint256 kind) private view returns (uint64) {
        if (kind == 0) return accounts.pendingRotation(id).readyAt;
        if (kind == 1) return accounts.pendingGuardians(id).readyAt;
        return accounts.pendingRecovery(id).readyAt;
    }

    /// The next account for which something waits, so that completing is not left to luck.
    function _waiting(uint256 whom, uint256 kind) private view returns (bytes32 id) {
        for (uint256 i = 0; i < ids.length; ++i) {
            id = ids[(whom % ids.length + i) % ids.length];
            if (_readyAt(id, kind) != 0) return id;
        }
    }

    function freezeThem(uint256 whom, uint256 count) external {
        bytes32 id = ids[whom % ids.length];
        uint256 deadline = block.timestamp;
        count = bound(count, NEEDED - 1, GUARDIANS);
        bytes32 digest = _freezeDigest(id, accounts.account(id).guardianNonce, deadline);
        bytes memory data = abi.encodeCall(accounts.freeze, (id, deadline, _proofs(digest, count)));
        bool done = _act(address(0xCAFE), data, false);
        if (done && count < NEEDED) violation = "too few guardians froze";
    }

    function recoverThem(uint256 whom, uint256 seed, bool attested) external {
        bytes32 id = ids[whom % ids.length];
        address key = _newKey(seed);
        uint256 nonce = accounts.account(id).guardianNonce;
        uint256 deadline = block.timestamp;
        bytes memory data;
        if (attested) {
            bytes32 digest = _attestRecoveryDigest(id, key, nonce, deadline);
            bytes[] memory both = _both(_signAs(_key(2), digest), _signAs(_key(4), digest));
            data = abi.encodeCall(accounts.recoverAttested, (id, key, deadline, both));
        } else {
            bytes32 digest = _recoverDigest(id, key, nonce, deadline);
            data = abi.encodeCall(accounts.recover, (id, key, deadline, _proofs(digest, NEEDED)));
        }
        _act(address(0xCAFE), data, false);
    }

    function _signAs(address key, bytes32 digest) private view returns (bytes memory) {
        return _sign(_secrets[key], digest);
    }

    function veto(uint256 who, bool signed) external {
        bytes32 id = _waiting(who, 2);
        address key = accounts.account(id).key;
        bool attested = accounts.pendingRecovery(id).attested;
        bool frozen = accounts.account(id).frozen;
        bytes memory data = abi.encodeCall(accounts.vetoRecovery, ());
        if (signed) {
            address pending = accounts.pendingRecovery(id).key;
            uint256 nonce = accounts.ownerNonce(id);
            IAccounts.Permit memory permit =
                _permitOf(_secrets[key], id, _vetoRecovery(pending), nonce, block.timestamp);
            data = abi.encodeCall(accounts.vetoRecoveryBySig, (id, pending, permit));
        }
        if (_act(signed ? address(0xCAFE) : key, data, false)) {
            if (attested) violation = "an attested recovery was vetoed";
            if (frozen) violation = "a frozen account vetoed";
            if (++_vetoes[id] > 1) violation = "two vetoes against one guardian set";
        }
    }

    function open(uint256 who, bytes32 tag) external {
        address key = _key(who);
        bool done = _act(key, abi.encodeCall(accounts.openVault, (tag, ~tag, 2, 3)), true);
        if (done) tags.push(tag);
    }

    function claim(uint256 whom, uint256 which) external {
        if (tags.length == 0) return;
        bytes32 tag = tags[which % tags.length];
        bytes32 control = accounts.vault(tag).control;
        bytes32 id = ids[whom % ids.length];
        address key = accounts.account(id).key;
        uint256 deadline = block.timestamp;
        bytes memory signature = _signAs(key, _claimDigest(tag, id, deadline));
        bytes32 digest = _attestVaultDigest(tag, id, deadline);
        bytes[] memory both = _both(_signAs(_key(2), digest), _signAs(_key(4), digest));
        bool active = _isActiveByHand(key);
        bytes memory data = abi.encodeCall(accounts.setVault, (tag, id, deadline, signature, both));
        if (_act(address(0xCAFE), data, false)) {
            if (control != 0) violation = "a vault was set twice";
            if (!active) violation = "an inactive account took a vault";
        }
    }

    // --- what must hold -----------------------------------------------------------------------

    function check() external view {
        assertEq(bytes(violation), bytes(""), violation);
        for (uint256 i = 0; i < ids.length; ++i) {
            _checkAccount(ids[i]);
        }
        for (uint256 i = 0; i < tags.length; ++i) {
            _same(abi.encode(mirror.vault(tags[i])), abi.encode(accounts.vault(tags[i])), "vault");
        }
        for (uint256 i = 0; i < keys.length; ++i) {
            bytes32 holder = accounts.holderOf(keys[i]);
            assertEq(mirror.holders(keys[i]), holder, "mirror: holder");
            bytes32 present = accounts.accountOf(keys[i]);
            assertTrue(present == 0 || present == holder, "a key moved to another account");
            assertEq(accounts.isActive(keys[i]), _isActiveByHand(keys[i]), "active");
        }
        bytes32[2] memory members = [hospital.id, clinic.id];
        for (uint256 i = 0; i < 2; ++i) {
            _same(
                abi.encode(mirror.organisation(members[i])),
                abi.encode(accounts.organisation(members[i])),
                "organisation"
            );
        }
    }

    function _checkAccount(bytes32 id) private view {
        IAccounts.Account memory a = accounts.account(id);
        _same(abi.encode(mirror.account(id)), abi.encode(a), "account");
        _same(
            abi.encode(mirror.pendingRotation(id)),
            abi.encode(accounts.pendingRotation(id)),
            "rotation"
        );
        _same(
            abi.encode(mirror.pendingGuardians(id)),
            abi.encode(accounts.pendingGuardians(id)),
            "guardians"
        );
        _same(
            abi.encode(mirror.pendingRecovery(id)),
            abi.encode(accounts.pendingRecovery(id)),
            "recovery"
        );
        assertEq(mirror.ownerNonce(id), accounts.ownerNonce(id), "mirror: nonce of the owner");
        assertEq(accounts.accountOf(a.key), id, "an account without its key");
        if (a.frozen) {
            assertEq(accounts.pendingRotation(id).readyAt, 0, "a frozen account rotates");
            assertEq(accounts.pendingGuardians(id).readyAt, 0, "a frozen account appoints");
        }
    }

    function _same(bytes memory got, bytes memory expected, string memory what) private pure {
        assertEq(got, expected, string.concat("mirror: ", what));
    }
}
