// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "./interfaces/Errors.sol";
import {ITags} from "./interfaces/ITags.sol";
import {Vocabulary} from "./lib/Vocabulary.sol";

/// @title Tags
/// @notice No proxy, no owner, no pause. See ITags.
contract Tags is ITags {
    mapping(address owner => mapping(uint256 tag => Tag)) private _tags;

    /// @inheritdoc ITags
    function set(uint256 tag, uint16 part, uint32 day, bytes32 holder) external {
        Tag storage t = _tags[msg.sender][tag];
        if (t.closed) revert Errors.Tags_Closed(tag);
        if (part < t.part || part > Vocabulary.PARTS) {
            revert Errors.Tags_PartRefused(tag, t.part, part);
        }
        t.part = part;
        t.day = day;
        t.holder = holder;
    }

    /// @inheritdoc ITags
    function close(uint256 tag) external {
        Tag storage t = _tags[msg.sender][tag];
        if (t.closed) revert Errors.Tags_Closed(tag);
        t.closed = true;
    }

    /// @inheritdoc ITags
    function get(address owner, uint256 tag) external view returns (Tag memory) {
        return _tags[owner][tag];
    }
}
