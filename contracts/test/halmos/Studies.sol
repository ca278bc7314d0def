// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Nullifiers} from "../../src/Nullifiers.sol";
import {Studies} from "../../src/Studies.sol";
import {Tags} from "../../src/Tags.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {IStudies} from "../../src/interfaces/IStudies.sol";
import {ITags} from "../../src/interfaces/ITags.sol";
import {Symbolic} from "./Symbolic.sol";

interface AnyTime {
    function warp(uint256 time) external;
    function store(address where, bytes32 slot, bytes32 value) external;
}

/// Believes everybody and everything: every caller is an agent of an organisation of its own, every
/// root is recent, every proof holds. What is proved with it holds against any member and forger.
contract Trusting {
    function standing(address key) external pure returns (IAccounts.Standing memory who) {
        who.account = bytes32(uint256(uint160(key)));
        who.organisation = bytes32(uint256(uint160(key)));
        who.role = 8; // agent
        (who.accountState, who.organisationState) = (2, 2);
    }

    function organisation(bytes32) external pure returns (IAccounts.Organisation memory found) {
        found.kind = 1; // hospital
    }

    function isRecentRoot(uint8, uint256) external pure returns (bool) {
        return true;
    }

    function verifyProof(uint256[8] calldata, uint256[6] calldata) external pure returns (bool) {
        return true;
    }
}

/// One call more of any verb, from any state of studies, tags and nullifiers, at any time, by
/// anybody. Lists have two items at most, which is what halmos goes through.
contract StudiesProof is Symbolic {
    bytes32 private constant STATE_SLOT =
        keccak256(abi.encode(uint256(keccak256("simdes.studies")) - 1)) & ~bytes32(uint256(0xff));
    AnyTime private constant ANY = AnyTime(address(vm));

    Studies private studies;
    Tags private tags;
    Nullifiers private nullifiers;
    address private all;

    function setUp() public {
        studies = new Studies();
        tags = new Tags();
        nullifiers = new Nullifiers();
        all = address(new Trusting());
    }

    /// Any state at any time; only what the contract is made of stands.
    function _any(uint64 time) private {
        svm.enableSymbolicStorage(address(studies));
        svm.enableSymbolicStorage(address(tags));
        svm.enableSymbolicStorage(address(nullifiers));
        address[5] memory parts = [all, all, address(tags), address(nullifiers), all];
        for (uint256 i = 0; i < parts.length; ++i) {
            bytes32 slot = bytes32(uint256(STATE_SLOT) + i);
            ANY.store(address(studies), slot, bytes32(uint256(uint160(parts[i]))));
        }
        ANY.warp(time);
    }

    /// How many criteria a study has; the rest of its state stays any.
    function _criteria(bytes32 id, uint256 count) private {
        bytes32 slot = keccak256(abi.encode(id, uint256(STATE_SLOT) + 6));
        ANY.store(address(studies), slot, bytes32(count));
    }

    function _same(IStudies.Study memory a, IStudies.Study memory b) private pure {
        assert(a.sponsor == b.sponsor && a.area == b.area && a.collector == b.collector);
        assert(a.begins == b.begins && a.ends == b.ends && a.threshold == b.threshold);
    }

    function _organisation(address caller) private pure returns (bytes32) {
        return bytes32(uint256(uint160(caller)));
    }

    function check_an_approval_is_its_approvers_own(
        uint64 time,
        bytes32 id,
        bytes32 account,
        address caller,
        bytes32 which,
        bool retracts
    ) external {
        _any(time);
        IStudies.Study memory before = studies.study(id);
        (bool named, bool approved) = studies.approverOf(id, account);
        bytes memory data = retracts
            ? abi.encodeCall(IStudies.retract, (which))
            : abi.encodeCall(IStudies.approve, (which));
        bool done = _try(caller, address(studies), data);
        IStudies.Study memory later = studies.study(id);
        (bool stillNamed, bool approves) = studies.approverOf(id, account);

        _same(before, later);
        assert(stillNamed == named);
        assert(later.counted == before.counted && later.releases == before.releases);
        if (!done || which != id) {
            assert(later.approvals == before.approvals && approves == approved);
            return;
        }
        assert(before.sponsor != 0 && _organisation(caller) != before.sponsor);
        if (retracts) assert(uint256(later.approvals) + 1 == before.approvals);
        else assert(later.approvals == uint256(before.approvals) + 1 && time < before.ends);
        if (_organisation(caller) == account) assert(named && approved == retracts);
        if (_organisation(caller) == account) assert(approves == !retracts);
        else assert(approves == approved);
    }

    function check_a_study_stays_what_was_registered(
        uint64 time,
        bytes32 id,
        address caller,
        IStudies.Registration calldata what
    ) external {
        _any(time);
        IStudies.Study memory before = studies.study(id);
        bytes32 made = studies.idOf(_organisation(caller), what);
        bool done = _try(caller, address(studies), abi.encodeCall(IStudies.register, (what)));
        IStudies.Study memory later = studies.study(id);
        if (!done || made != id) {
            _same(before, later);
            assert(later.approvals == before.approvals && later.counted == before.counted);
            assert(later.releases == before.releases);
            return;
        }
        assert(before.sponsor == 0 && later.sponsor == _organisation(caller));
        assert(later.approvals == 0 && later.counted == 0 && later.releases == 0);
        assert(later.threshold == what.threshold && later.threshold != 0);
        assert(later.threshold <= what.approvers.length && time < later.ends);
        assert(later.begins == what.begins && later.ends == what.ends);
        assert(!studies.isRunning(id));
    }

    function check_a_tag_joins_once_and_never_again(
        uint64 time,
        bytes32 tag,
        address caller,
        bytes32 which,
        bytes32 group,
        bytes32 area,
        bool prefers
    ) external {
        _any(time);
        ITags.Tag memory before = tags.get(address(studies), uint256(tag));
        bytes memory data = prefers
            ? abi.encodeCall(IStudies.prefer, (group, area, which))
            : abi.encodeCall(IStudies.optIn, (group, which));
        bool done = _try(caller, address(studies), data);
        ITags.Tag memory later = tags.get(address(studies), uint256(tag));
        assert(later.closed == before.closed);
        if (!done || which != tag) {
            assert(later.part == before.part && later.holder == before.holder);
            return;
        }
        assert(!before.closed && before.part == 0 && tag != 0 && later.part == 1);
        assert(later.holder == (prefers ? studies.groupOf(group, area) : group));
        if (!prefers) {
            assert(time < studies.study(group).ends && studies.study(group).sponsor != 0);
        }
    }

    function check_whoever_withdraws_closes_their_own_tag_for_ever(
        uint64 time,
        bytes32 tag,
        address caller,
        bytes32 group,
        bytes32 secret
    ) external {
        _any(time);
        ITags.Tag memory before = tags.get(address(studies), uint256(tag));
        bool own = studies.tagFor(group, secret) == tag;
        bool done =
            _try(caller, address(studies), abi.encodeCall(IStudies.withdraw, (group, secret)));
        ITags.Tag memory later = tags.get(address(studies), uint256(tag));
        assert(later.part == before.part && later.holder == before.holder);
        assert(later.closed == (before.closed || own));
        assert(done || !own || before.closed);
        if (later.closed) assert(!studies.isOpen(tag));
    }

    function check_a_release_has_those_alone_who_take_part_then(
        uint64 time,
        bytes32 id,
        address caller,
        bytes32 manifest,
        bytes32 policy,
        uint64 until,
        bytes32[] calldata members
    ) external {
        _any(time);
        IStudies.Study memory before = studies.study(id);
        bool ran = studies.isRunning(id);
        bytes memory data =
            abi.encodeCall(IStudies.recordRelease, (id, manifest, policy, until, members));
        bool done = _try(caller, address(studies), data);
        IStudies.Study memory later = studies.study(id);
        _same(before, later);
        assert(later.approvals == before.approvals && later.counted == before.counted);
        if (!done) {
            assert(later.releases == before.releases);
            return;
        }
        assert(ran && before.approvals >= before.threshold);
        assert(time >= before.begins && time < before.ends && until > time);
        assert(before.sponsor == _organisation(caller));
        assert(members.length != 0 && later.releases == uint256(before.releases) + 1);
        for (uint256 i = 0; i < members.length; ++i) {
            (bytes32 group, bool withdrawn) = studies.tagOf(members[i]);
            assert(group == id && !withdrawn);
            if (i != 0) assert(members[i] > members[i - 1]);
        }
        IStudies.Release memory made = studies.release(id, later.releases);
        assert(made.manifest == manifest && made.policy == policy && made.until == until);
        assert(made.count == members.length && made.at == time);
    }

    function check_what_was_released_stays_so(
        uint64 time,
        bytes32 id,
        uint32 number,
        address caller,
        bytes32 which,
        bytes32 manifest,
        bytes32[] calldata members
    ) external {
        _any(time);
        vm.assume(number <= studies.study(id).releases);
        IStudies.Release memory before = studies.release(id, number);
        bytes memory data = abi.encodeCall(
            IStudies.recordRelease, (which, manifest, manifest, type(uint64).max, members)
        );
        _try(caller, address(studies), data);
        IStudies.Release memory later = studies.release(id, number);
        assert(later.manifest == before.manifest && later.policy == before.policy);
        assert(later.members == before.members && later.count == before.count);
        assert(later.at == before.at && later.until == before.until);
    }

    function check_somebody_is_counted_once_by_the_collector_while_it_runs(
        uint64 time,
        bytes32 id,
        uint256 nullifier,
        address caller,
        uint256 root,
        uint256 criteria
    ) external {
        _any(time);
        IStudies.Study memory before = studies.study(id);
        bool ran = studies.isRunning(id);
        bool was = nullifiers.isSpent(address(studies), nullifier);
        _criteria(id, criteria);
        IStudies.Met[] memory proofs = new IStudies.Met[](1);
        proofs[0].root = root;
        bool done =
            _try(caller, address(studies), abi.encodeCall(IStudies.count, (id, nullifier, proofs)));
        IStudies.Study memory later = studies.study(id);
        _same(before, later);
        assert(later.approvals == before.approvals && later.releases == before.releases);
        if (!done) {
            assert(later.counted == before.counted);
            assert(nullifiers.isSpent(address(studies), nullifier) == was);
            return;
        }
        assert(criteria == 1); // one proof for each
        assert(ran && !was && before.collector == _organisation(caller));
        assert(later.counted == uint256(before.counted) + 1);
        assert(nullifiers.isSpent(address(studies), nullifier));
    }

    // What must be found false, so that what is proved above isn't true for want of a success.

    function refute_nobody_approves(uint64 time, bytes32 id, address caller) external {
        _any(time);
        assert(!_try(caller, address(studies), abi.encodeCall(IStudies.approve, (id))));
    }

    function refute_nobody_retracts(uint64 time, bytes32 id, address caller) external {
        _any(time);
        assert(!_try(caller, address(studies), abi.encodeCall(IStudies.retract, (id))));
    }

    function refute_nothing_is_registered(
        uint64 time,
        address caller,
        IStudies.Registration calldata what
    ) external {
        _any(time);
        assert(!_try(caller, address(studies), abi.encodeCall(IStudies.register, (what))));
    }

    function refute_nobody_joins(uint64 time, bytes32 id, bytes32 tag, address caller) external {
        _any(time);
        assert(!_try(caller, address(studies), abi.encodeCall(IStudies.optIn, (id, tag))));
    }

    function refute_nobody_withdraws(uint64 time, bytes32 group, bytes32 secret, address caller)
        external
    {
        _any(time);
        assert(!_try(caller, address(studies), abi.encodeCall(IStudies.withdraw, (group, secret))));
    }

    function refute_nothing_is_released(
        uint64 time,
        bytes32 id,
        address caller,
        bytes32[] calldata members
    ) external {
        _any(time);
        bytes memory data = abi.encodeCall(
            IStudies.recordRelease, (id, bytes32("m"), bytes32("p"), type(uint64).max, members)
        );
        assert(!_try(caller, address(studies), data));
    }

    function refute_nobody_is_counted(uint64 time, bytes32 id, uint256 nullifier, address caller)
        external
    {
        _any(time);
        _criteria(id, 1);
        IStudies.Met[] memory proofs = new IStudies.Met[](1);
        bytes memory data = abi.encodeCall(IStudies.count, (id, nullifier, proofs));
        assert(!_try(caller, address(studies), data));
    }
}
