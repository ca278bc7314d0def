// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title IPausable: the emergency pause
/// @notice One verb at a time, for a bounded time, with a cool-down before the same verb can be
/// paused again. What protects people can never be paused: revoke, freeze, cancel, suspend, audit.
interface IPausable {
    /// A verb (function selector; its BySig form included) is paused until a time.
    event VerbPaused(bytes4 indexed verb, uint64 until);
    /// The pause was lifted early.
    event VerbUnpaused(bytes4 indexed verb);

    /// @notice Pause a verb for `pauseSeconds`. Caller: the alarm role.
    function pause(bytes4 verb) external;
    /// @notice Lift a pause early. Caller: governance.
    function unpause(bytes4 verb) external;

    /// @notice Whether this verb can be paused at all.
    function isPausable(bytes4 verb) external pure returns (bool);
    /// @notice Until when a verb is paused, Unix seconds; a past time or zero: it is not.
    function pausedUntil(bytes4 verb) external view returns (uint64);
    /// @notice How long a pause lasts, and how long after its end the next one may begin.
    function pauseLimits() external view returns (uint64 pauseSeconds, uint64 coolDownSeconds);
}
