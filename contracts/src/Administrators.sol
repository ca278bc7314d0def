// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

import {Errors} from "./interfaces/Errors.sol";
import {IAdministrators} from "./interfaces/IAdministrators.sol";
import {IPausable} from "./interfaces/IPausable.sol";

/// @title Administrators
/// @notice The owners of the network, k of n. See IAdministrators. Not upgradeable.
contract Administrators is IAdministrators {
    /// Something that members agree on: a call (k members) or an alarm (alarmThreshold members).
    struct Ballot {
        uint64 expiry;
        uint64 term;
        address[] members;
    }

    uint256 private constant MOST_MEMBERS = 32;

    /// Where upgrades and role changes wait; the only one that changes the members.
    TimelockController private immutable _TIMELOCK;
    /// How long confirmations count.
    uint64 public immutable BALLOT_SECONDS;

    address[] private _members;
    uint256 private _threshold;
    uint256 private _alarmThreshold;
    // A ballot counts in the term in which it was opened: new members void the former ones' votes.
    uint64 private _term;
    mapping(bytes32 id => Ballot) private _proposals;
    mapping(bytes32 id => Ballot) private _alarms;

    modifier onlyMember() {
        if (!isMember(msg.sender)) revert Errors.Administrators_NotMember(msg.sender);
        _;
    }

    /// @param members_ 1 to 32 distinct addresses
    /// @param threshold_ members needed to act
    /// @param alarmThreshold_ members needed to cancel or pause, at most `threshold_`
    /// @param ballotSeconds how long a proposal or an alarm stays open, at least 1
    /// @param timelock_ where this contract proposes and cancels
    constructor(
        address[] memory members_,
        uint256 threshold_,
        uint256 alarmThreshold_,
        uint64 ballotSeconds,
        TimelockController timelock_
    ) {
        if (ballotSeconds == 0) revert Errors.Administrators_Malformed();
        BALLOT_SECONDS = ballotSeconds;
        _TIMELOCK = timelock_;
        _setMembers(members_, threshold_, alarmThreshold_);
    }

    /// @inheritdoc IAdministrators
    function propose(address target, bytes calldata data, bytes32 salt)
        external
        onlyMember
        returns (bytes32 id)
    {
        id = _proposalId(target, data, salt);
        Ballot storage b = _proposals[id];
        if (_isOpen(b)) revert Errors.Administrators_ProposalExists(id);
        uint64 expiry = _vote(b, id);
        emit Proposed(id, msg.sender, target, data, salt, expiry);
        emit Confirmed(id, msg.sender);
    }

    /// @inheritdoc IAdministrators
    function confirm(bytes32 id) external onlyMember {
        _vote(_openProposal(id), id);
        emit Confirmed(id, msg.sender);
    }

    /// @inheritdoc IAdministrators
    function withdraw(bytes32 id) external onlyMember {
        address[] storage voters = _openProposal(id).members;
        (bool found, uint256 index) = _find(voters, msg.sender);
        if (!found) revert Errors.Administrators_NotConfirmed(id, msg.sender);

        voters[index] = voters[voters.length - 1];
        voters.pop();
        emit Withdrawn(id, msg.sender);
    }

    /// @inheritdoc IAdministrators
    function execute(address target, bytes calldata data, bytes32 salt)
        external
        onlyMember
        returns (bytes memory result)
    {
        bytes32 id = _proposalId(target, data, salt);
        uint256 confirmed = _openProposal(id).members.length;
        if (confirmed < _threshold) {
            revert Errors.Administrators_TooFew(id, confirmed, _threshold);
        }

        delete _proposals[id];
        emit Executed(id, target);
        result = _call(target, data);
    }

    /// @inheritdoc IAdministrators
    function veto(bytes32 operation) external onlyMember {
        bytes32 id = keccak256(abi.encode("veto", operation));
        bool done = _raise(id);
        emit VetoRaised(operation, msg.sender, done);
        if (done) _TIMELOCK.cancel(operation);
    }

    /// @inheritdoc IAdministrators
    function pause(address target, bytes4 verb) external onlyMember {
        bytes32 id = keccak256(abi.encode("pause", target, verb));
        bool done = _raise(id);
        emit PauseRaised(target, verb, msg.sender, done);
        if (done) IPausable(target).pause(verb);
    }

    /// @inheritdoc IAdministrators
    function setMembers(address[] calldata members_, uint256 threshold_, uint256 alarmThreshold_)
        external
    {
        if (msg.sender != address(_TIMELOCK)) {
            revert Errors.Administrators_NotTimelock(msg.sender);
        }
        _setMembers(members_, threshold_, alarmThreshold_);
    }

    /// @inheritdoc IAdministrators
    function members() external view returns (address[] memory) {
        return _members;
    }

    /// @inheritdoc IAdministrators
    function threshold() external view returns (uint256) {
        return _threshold;
    }

    /// @inheritdoc IAdministrators
    function alarmThreshold() external view returns (uint256) {
        return _alarmThreshold;
    }

    /// @inheritdoc IAdministrators
    function timelock() external view returns (address) {
        return address(_TIMELOCK);
    }

    /// @inheritdoc IAdministrators
    function term() external view returns (uint64) {
        return _term;
    }

    /// @inheritdoc IAdministrators
    function proposal(bytes32 id) external view returns (uint256 confirmed, uint64 expiry) {
        Ballot storage b = _proposals[id];
        if (_isOpen(b)) return (b.members.length, b.expiry);
        return (0, 0);
    }

    /// @inheritdoc IAdministrators
    function isMember(address who) public view returns (bool found) {
        (found,) = _find(_members, who);
    }

    function _setMembers(address[] memory members_, uint256 threshold_, uint256 alarmThreshold_)
        private
    {
        uint256 count = members_.length;
        bool sane = count <= MOST_MEMBERS && alarmThreshold_ != 0 && alarmThreshold_ <= threshold_
            && threshold_ <= count;
        if (!sane) revert Errors.Administrators_Malformed();
        delete _members;
        for (uint256 i = 0; i < count; ++i) {
            if (members_[i] == address(0) || isMember(members_[i])) {
                revert Errors.Administrators_Malformed();
            }
            _members.push(members_[i]);
        }
        _threshold = threshold_;
        _alarmThreshold = alarmThreshold_;
        ++_term;
        emit MembersSet(members_, threshold_, alarmThreshold_, _term);
    }

    /// @dev Count the caller in. A ballot opens with its first vote; one that lapsed opens anew.
    function _vote(Ballot storage b, bytes32 id) private returns (uint64) {
        if (!_isOpen(b)) {
            delete b.members;
            b.expiry = uint64(block.timestamp) + BALLOT_SECONDS;
            b.term = _term;
        }
        (bool found,) = _find(b.members, msg.sender);
        if (found) revert Errors.Administrators_AlreadyConfirmed(id, msg.sender);
        b.members.push(msg.sender);
        return b.expiry;
    }

    /// @dev Count the caller's alarm in; true when it was the last one needed. The ballot is
    /// cleared then, so that the next alarm starts anew.
    function _raise(bytes32 id) private returns (bool done) {
        Ballot storage b = _alarms[id];
        _vote(b, id);
        done = b.members.length >= _alarmThreshold;
        if (done) delete _alarms[id];
    }

    function _call(address target, bytes calldata data) private returns (bytes memory) {
        (bool done, bytes memory result) = target.call(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
        return result;
    }

    function _openProposal(bytes32 id) private view returns (Ballot storage b) {
        b = _proposals[id];
        if (!_isOpen(b)) revert Errors.Administrators_ProposalUnknown(id);
    }

    function _isOpen(Ballot storage b) private view returns (bool) {
        return b.expiry != 0 && block.timestamp <= b.expiry && b.term == _term;
    }

    function _proposalId(address target, bytes calldata data, bytes32 salt)
        private
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(_term, target, keccak256(data), salt));
    }

    function _find(address[] storage list, address who) private view returns (bool, uint256) {
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i] == who) return (true, i);
        }
        return (false, 0);
    }
}
