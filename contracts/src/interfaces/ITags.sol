// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Tags: how much of something nameless was used
/// @notice Kept apart from the contract that decides, which can be upgraded: whatever that becomes,
/// a part never falls, never exceeds the whole, and a closed tag stays closed. Each caller has
/// tags of its own.
interface ITags {
    /// `part` of 10,000; `day` is the caller's note with it; `holder` zero: nobody's.
    struct Tag {
        uint16 part;
        uint32 day;
        bool closed;
        bytes32 holder;
    }

    /// @notice Raise the caller's tag to this part (the same is allowed), with a day and a holder.
    function set(uint256 tag, uint16 part, uint32 day, bytes32 holder) external;
    /// @notice Close the caller's tag for ever.
    function close(uint256 tag) external;
    /// @notice A tag of `owner`.
    function get(address owner, uint256 tag) external view returns (Tag memory);
}
