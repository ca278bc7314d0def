// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Administrators: the owners of the network, k of n
/// @notice `threshold` members make this contract call anything: schedule in the timelock, verify
/// or suspend organisations, lift a pause. `alarmThreshold` members, usually fewer, do the two
/// things that only ever stop something: cancel an operation that waits in the timelock, and pause
/// one verb of one contract. Members change through the timelock alone.
interface IAdministrators {
    /// A call was proposed; the proposer confirmed it. It lapses at `expiry`.
    event Proposed(
        bytes32 indexed id,
        address indexed member,
        address indexed target,
        bytes data,
        bytes32 salt,
        uint64 expiry
    );
    /// A member confirmed.
    event Confirmed(bytes32 indexed id, address indexed member);
    /// A member took its confirmation back.
    event Withdrawn(bytes32 indexed id, address indexed member);
    /// The call was made.
    event Executed(bytes32 indexed id, address indexed target);
    /// A member asks to cancel a waiting operation; `done` when this was the last one needed.
    event VetoRaised(bytes32 indexed operation, address indexed member, bool done);
    /// A member asks to pause a verb; `done` when this was the last one needed.
    event PauseRaised(
        address indexed target, bytes4 indexed verb, address indexed member, bool done
    );
    /// Members and thresholds changed; all open proposals are void.
    event MembersSet(address[] members, uint256 threshold, uint256 alarmThreshold, uint64 term);

    /// @notice Propose a call and confirm it. Caller: a member.
    /// @return id keccak256(abi.encode(term, target, keccak256(data), salt))
    function propose(address target, bytes calldata data, bytes32 salt)
        external
        returns (bytes32 id);
    /// @notice Confirm an open proposal. Caller: a member.
    function confirm(bytes32 id) external;
    /// @notice Take a confirmation back. Caller: the member who gave it.
    function withdraw(bytes32 id) external;
    /// @notice Make the call once `threshold` members confirmed. Caller: a member. A revert of the
    /// call is passed on and leaves the proposal open.
    function execute(address target, bytes calldata data, bytes32 salt)
        external
        returns (bytes memory result);
    /// @notice Ask to cancel an operation waiting in the timelock; the `alarmThreshold`-th member's
    /// call cancels it. Caller: a member.
    function veto(bytes32 operation) external;
    /// @notice Ask to pause a verb; the `alarmThreshold`-th member's call pauses it. Caller: a member.
    function pause(address target, bytes4 verb) external;
    /// @notice Replace members and thresholds. Caller: the timelock.
    function setMembers(address[] calldata members, uint256 threshold, uint256 alarmThreshold)
        external;

    /// @notice The members.
    function members() external view returns (address[] memory);
    /// @notice Whether an address is a member.
    function isMember(address who) external view returns (bool);
    /// @notice Members needed to act.
    function threshold() external view returns (uint256);
    /// @notice Members needed to cancel a waiting operation or to pause a verb.
    function alarmThreshold() external view returns (uint256);
    /// @notice The timelock whose operations these members schedule and cancel.
    function timelock() external view returns (address);
    /// @notice How many times the members were set.
    function term() external view returns (uint64);
    /// @notice Confirmations of an open proposal, and when it lapses (0: no such proposal).
    function proposal(bytes32 id) external view returns (uint256 confirmed, uint64 expiry);
}
