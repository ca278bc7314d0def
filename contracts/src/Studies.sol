// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

import {PausableVerbs} from "./governance/PausableVerbs.sol";
import {Errors} from "./interfaces/Errors.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {ICohortVerifier} from "./interfaces/ICohortVerifier.sol";
import {INullifiers} from "./interfaces/INullifiers.sol";
import {IStatements} from "./interfaces/IStatements.sol";
import {IStudies} from "./interfaces/IStudies.sol";
import {ITags} from "./interfaces/ITags.sol";
import {Field} from "./lib/Field.sol";
import {Standings} from "./lib/Standings.sol";
import {Vocabulary} from "./lib/Vocabulary.sol";

/// @title Studies
/// @notice What was withdrawn stays in Tags, who was counted in Nullifiers. See IStudies.
contract Studies is IStudies, PausableVerbs, UUPSUpgradeable {
    using Standings for IAccounts.Standing;

    /// What studies are made of.
    struct Parts {
        IAccounts accounts;
        IStatements statements;
        ITags tags;
        INullifiers nullifiers;
        ICohortVerifier verifier;
    }

    /// Of the approved studies of a sponsor in an area, the newest: what a preference asks for.
    struct Newest {
        uint256 count;
        bytes32[4] studies; // KEPT
    }

    /// @custom:storage-location erc7201:simdes.studies
    struct State {
        Parts parts;
        mapping(bytes32 id => Study) studies;
        mapping(bytes32 id => uint256[]) criteria;
        mapping(bytes32 id => mapping(bytes32 account => uint8)) approvers;
        mapping(bytes32 id => mapping(uint32 number => Release)) releases;
        mapping(bytes32 group => Newest) newest;
    }

    uint256 private constant KEPT = 4; // a consent's condition has 100,000 gas
    uint256 private constant MOST_APPROVERS = 32;
    uint256 private constant MOST_CRITERIA = 8;
    uint256 private constant MOST_MEMBERS = 2_000;
    uint64 private constant LONGEST = 3_653 days;
    uint8 private constant NAMED = 1;
    uint8 private constant APPROVES = 2;
    uint16 private constant TAKES_PART = 1;

    bytes32 private constant STATE_SLOT =
        keccak256(abi.encode(uint256(keccak256("simdes.studies")) - 1)) & ~bytes32(uint256(0xff));

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @notice Set up the proxy.
    /// @param authority AccessManager
    /// @param parts the contracts it uses
    /// @param pauseSeconds how long a pause lasts
    /// @param coolDownSeconds how long after a pause the next one of the same verb may begin
    function initialize(
        address authority,
        Parts calldata parts,
        uint64 pauseSeconds,
        uint64 coolDownSeconds
    ) external initializer {
        __AccessManaged_init(authority);
        __PausableVerbs_init(pauseSeconds, coolDownSeconds);
        _state().parts = parts;
    }

    /// @inheritdoc IStudies
    function register(Registration calldata what)
        external
        unlessPaused(this.register.selector)
        returns (bytes32 id)
    {
        bytes32 sponsor = _requireSponsor();
        _requireWhole(what);
        id = idOf(sponsor, what);
        State storage $ = _state();
        if ($.studies[id].sponsor != 0) revert Errors.Studies_Exists(id);

        $.studies[id] = Study({
            sponsor: sponsor,
            area: what.area,
            collector: what.collector,
            begins: what.begins,
            ends: what.ends,
            threshold: what.threshold,
            approvals: 0,
            counted: 0,
            releases: 0
        });
        $.criteria[id] = what.criteria;
        for (uint256 i = 0; i < what.approvers.length; ++i) {
            $.approvers[id][what.approvers[i]] = NAMED;
        }
        emit StudyRegistered(id, sponsor, what.area);
    }

    /// @inheritdoc IStudies
    function approve(bytes32 id) external unlessPaused(this.approve.selector) {
        Study storage s = _requireStudy(id);
        bytes32 account = _requireApprover(id, s.sponsor, NAMED);
        if (block.timestamp >= s.ends) revert Errors.Studies_NotRunning(id);

        State storage $ = _state();
        $.approvers[id][account] = APPROVES;
        uint8 approvals = ++s.approvals;
        if (approvals == s.threshold) {
            Newest storage n = $.newest[groupOf(s.sponsor, s.area)];
            n.studies[n.count++ % KEPT] = id;
        }
        emit StudyApproved(id, account, approvals);
    }

    /// @inheritdoc IStudies
    function retract(bytes32 id) external {
        Study storage s = _requireStudy(id);
        bytes32 account = _requireApprover(id, s.sponsor, APPROVES);

        _state().approvers[id][account] = NAMED;
        uint8 approvals = --s.approvals;
        emit ApprovalRetracted(id, account, approvals);
    }

    /// @inheritdoc IStudies
    function optIn(bytes32 id, bytes32 tag) external unlessPaused(this.optIn.selector) {
        Study storage s = _requireStudy(id);
        if (block.timestamp >= s.ends) revert Errors.Studies_NotRunning(id);
        _join(id, tag);
    }

    /// @inheritdoc IStudies
    function prefer(bytes32 sponsor, bytes32 area, bytes32 tag)
        external
        unlessPaused(this.prefer.selector)
    {
        _join(groupOf(sponsor, area), tag);
    }

    /// @inheritdoc IStudies
    function withdraw(bytes32 group, bytes32 secret) external {
        bytes32 tag = tagFor(group, secret);
        ITags tags = _state().parts.tags;
        if (tags.get(address(this), uint256(tag)).closed) revert Errors.Studies_Withdrawn(tag);

        tags.close(uint256(tag));
        emit Withdrawn(group, tag);
    }

    /// @inheritdoc IStudies
    function count(bytes32 id, uint256 nullifier, Met[] calldata proofs)
        external
        unlessPaused(this.count.selector)
    {
        Study storage s = _requireStudy(id);
        IAccounts.Standing memory who = _state().parts.accounts.standing(msg.sender);
        if (who.organisation != s.collector || !who.isActiveAs(Vocabulary.AGENT)) {
            revert Errors.Studies_NotCollector(msg.sender);
        }
        if (!isRunning(id)) revert Errors.Studies_NotRunning(id);
        _requireMet(id, nullifier, s.collector, proofs);

        uint32 counted = ++s.counted;
        _state().parts.nullifiers.spend(nullifier);
        emit Counted(id, nullifier, counted);
    }

    /// @inheritdoc IStudies
    function recordRelease(
        bytes32 id,
        bytes32 manifest,
        bytes32 policy,
        uint64 until,
        bytes32[] calldata members
    ) external unlessPaused(this.recordRelease.selector) returns (uint32 number) {
        Study storage s = _requireStudy(id);
        IAccounts.Standing memory who = _state().parts.accounts.standing(msg.sender);
        if (who.organisation != s.sponsor || !who.isActiveAs(Vocabulary.AGENT)) {
            revert Errors.Studies_NotSponsor(msg.sender);
        }
        if (!isRunning(id)) revert Errors.Studies_NotRunning(id);
        if (manifest == 0 || policy == 0 || until <= block.timestamp) {
            revert Errors.Studies_ReleaseMalformed(id);
        }
        _requireMembers(id, members);

        number = ++s.releases;
        uint32 size = uint32(members.length);
        bytes32 digest = keccak256(abi.encodePacked(members));
        _state().releases[id][number] =
            Release(manifest, policy, digest, size, uint64(block.timestamp), until);
        emit ReleaseRecorded(id, number, manifest, policy, digest, size, until);
    }

    /// @inheritdoc IStudies
    function isOpen(bytes32 tag) external view returns (bool) {
        State storage $ = _state();
        ITags.Tag memory t = $.parts.tags.get(address(this), uint256(tag));
        if (t.closed || t.part != TAKES_PART) return false;
        if ($.studies[t.holder].sponsor != 0) return isRunning(t.holder);
        Newest storage n = $.newest[t.holder];
        for (uint256 i = 0; i < KEPT; ++i) {
            if (isRunning(n.studies[i])) return true;
        }
        return false;
    }

    /// @inheritdoc IStudies
    function study(bytes32 id) external view returns (Study memory) {
        return _state().studies[id];
    }

    /// @inheritdoc IStudies
    function criteriaOf(bytes32 id) external view returns (uint256[] memory) {
        return _state().criteria[id];
    }

    /// @inheritdoc IStudies
    function approverOf(bytes32 id, bytes32 account) external view returns (bool, bool) {
        uint8 stands = _state().approvers[id][account];
        return (stands != 0, stands == APPROVES);
    }

    /// @inheritdoc IStudies
    function release(bytes32 id, uint32 number) external view returns (Release memory) {
        return _state().releases[id][number];
    }

    /// @inheritdoc IStudies
    function tagOf(bytes32 tag) external view returns (bytes32 group, bool withdrawn) {
        ITags.Tag memory t = _state().parts.tags.get(address(this), uint256(tag));
        return (t.holder, t.closed);
    }

    /// @notice The contracts that it uses.
    function uses() external view returns (Parts memory) {
        return _state().parts;
    }

    /// @inheritdoc IStudies
    function isRunning(bytes32 id) public view returns (bool) {
        Study storage s = _state().studies[id];
        bool approved = s.sponsor != 0 && s.approvals >= s.threshold;
        return approved && block.timestamp >= s.begins && block.timestamp < s.ends;
    }

    /// @inheritdoc IStudies
    function idOf(bytes32 sponsor, Registration calldata what) public view returns (bytes32) {
        return keccak256(abi.encode("study", block.chainid, address(this), sponsor, what));
    }

    /// @inheritdoc IStudies
    function groupOf(bytes32 sponsor, bytes32 area) public view returns (bytes32) {
        return keccak256(abi.encode("preference", block.chainid, address(this), sponsor, area));
    }

    /// @inheritdoc IStudies
    function tagFor(bytes32 group, bytes32 secret) public pure returns (bytes32) {
        return keccak256(abi.encode("participation", group, secret));
    }

    /// @inheritdoc IStudies
    function scopeOf(bytes32 id) public view returns (uint256) {
        return uint256(keccak256(abi.encode(block.chainid, address(this), id))) >> 8;
    }

    /// @notice Everything but retracting and withdrawing can be paused.
    function isPausable(bytes4 verb) public pure override returns (bool) {
        return verb == this.register.selector || verb == this.approve.selector
            || verb == this.optIn.selector || verb == this.prefer.selector
            || verb == this.count.selector || verb == this.recordRelease.selector;
    }

    // An empty body: the modifier asks the AccessManager, which knows the timelock alone.
    // solhint-disable-next-line no-empty-blocks
    function _authorizeUpgrade(address) internal override restricted {}

    function _join(bytes32 group, bytes32 tag) private {
        Parts storage p = _state().parts;
        if (!p.accounts.standing(msg.sender).isActiveAs(Vocabulary.AGENT)) {
            revert Errors.Studies_NotAgent(msg.sender);
        }
        ITags.Tag memory t = p.tags.get(address(this), uint256(tag));
        if (t.closed) revert Errors.Studies_Withdrawn(tag);
        if (tag == 0 || t.part != 0) revert Errors.Studies_TagUsed(tag);

        p.tags.set(uint256(tag), TAKES_PART, uint32(block.timestamp / 1 days), group);
        emit OptedIn(group, tag);
    }

    function _requireStudy(bytes32 id) private view returns (Study storage s) {
        s = _state().studies[id];
        if (s.sponsor == 0) revert Errors.Studies_Unknown(id);
    }

    function _requireSponsor() private view returns (bytes32) {
        IAccounts accounts = _state().parts.accounts;
        IAccounts.Standing memory who = accounts.standing(msg.sender);
        uint8 kind = accounts.organisation(who.organisation).kind;
        bool sponsors = kind == Vocabulary.RESEARCH || kind == Vocabulary.HOSPITAL;
        if (!sponsors || !who.isActiveAs(Vocabulary.AGENT)) {
            revert Errors.Studies_NotSponsor(msg.sender);
        }
        return who.organisation;
    }

    function _requireWhole(Registration calldata what) private view {
        bool whole = what.protocol != 0 && what.purpose != 0 && what.terms != 0 && what.area != 0
            && what.collector != 0 && what.begins < what.ends && block.timestamp < what.ends
            && what.ends - what.begins <= LONGEST && what.threshold != 0
            && what.threshold <= what.approvers.length && what.approvers.length <= MOST_APPROVERS
            && what.criteria.length != 0 && what.criteria.length <= MOST_CRITERIA;
        bytes32 last = 0;
        for (uint256 i = 0; whole && i < what.approvers.length; ++i) {
            whole = what.approvers[i] > last;
            last = what.approvers[i];
        }
        for (uint256 i = 0; whole && i < what.criteria.length; ++i) {
            whole = what.criteria[i] < Field.ORDER;
        }
        if (!whole) revert Errors.Studies_Malformed();
    }

    function _requireApprover(bytes32 id, bytes32 sponsor, uint8 stands)
        private
        view
        returns (bytes32)
    {
        State storage $ = _state();
        IAccounts.Standing memory who = $.parts.accounts.standing(msg.sender);
        uint8 found = $.approvers[id][who.account];
        if (found == 0 || !who.isActive() || who.organisation == sponsor) {
            revert Errors.Studies_NotApprover(msg.sender);
        }
        if (found != stands) revert Errors.Studies_Decided(id, who.account);
        return who.account;
    }

    function _requireMembers(bytes32 id, bytes32[] calldata members) private view {
        if (members.length == 0 || members.length > MOST_MEMBERS) {
            revert Errors.Studies_ReleaseMalformed(id);
        }
        ITags tags = _state().parts.tags;
        bytes32 last = 0;
        for (uint256 i = 0; i < members.length; ++i) {
            bytes32 tag = members[i];
            if (tag <= last) revert Errors.Studies_ReleaseMalformed(id);
            last = tag;
            ITags.Tag memory t = tags.get(address(this), uint256(tag));
            if (t.closed) revert Errors.Studies_Withdrawn(tag);
            if (t.holder != id) revert Errors.Studies_NotMember(id, tag);
        }
    }

    /// @dev One proof for each criterion, all of the same nullifier: of one holder's facts.
    function _requireMet(bytes32 id, uint256 nullifier, bytes32 collector, Met[] calldata proofs)
        private
        view
    {
        Parts storage p = _state().parts;
        uint256[] storage criteria = _state().criteria[id];
        if (proofs.length != criteria.length) revert Errors.Studies_ProofRefused(id, nullifier);
        uint256[6] memory inputs =
            [0, nullifier, scopeOf(id), Field.ofId(collector), 0, block.timestamp / 1 days];
        for (uint256 i = 0; i < proofs.length; ++i) {
            if (!p.statements.isRecentRoot(Vocabulary.STATEMENT_FACT, proofs[i].root)) {
                revert Errors.Studies_RootNotRecent(proofs[i].root);
            }
            (inputs[0], inputs[4]) = (proofs[i].root, criteria[i]);
            if (!p.verifier.verifyProof(proofs[i].proof, inputs)) {
                revert Errors.Studies_ProofRefused(id, nullifier);
            }
        }
    }

    function _state() private pure returns (State storage $) {
        bytes32 slot = STATE_SLOT;
        assembly ("memory-safe") {
            $.slot := slot
        }
    }
}
