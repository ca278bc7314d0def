// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "./interfaces/Errors.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {IAuditLog} from "./interfaces/IAuditLog.sol";
import {MerkleTree} from "./lib/MerkleTree.sol";
import {Standings} from "./lib/Standings.sol";
import {Vocabulary} from "./lib/Vocabulary.sol";

/// @title AuditLog
/// @notice One gap-free, fork-free chain of audit roots per organisation. No proxy, no owner, no
/// pause: what is appended stays. See IAuditLog.
contract AuditLog is IAuditLog {
    using Standings for IAccounts.Standing;

    /// Says which agent speaks for which organisation.
    IAccounts public immutable ACCOUNTS;

    mapping(bytes32 organisation => Head) private _heads;
    mapping(bytes32 organisation => mapping(uint64 seq => Entry)) private _entries;

    /// @param accounts Accounts proxy
    constructor(IAccounts accounts) {
        ACCOUNTS = accounts;
    }

    /// @inheritdoc IAuditLog
    function append(uint64 seq, bytes32 previousRoot, bytes32 root, uint32 count) external {
        if (root == 0 || count == 0) revert Errors.AuditLog_EmptyBatch();
        bytes32 organisation = _requireAgent();
        Head storage h = _heads[organisation];
        if (seq != h.seq + 1) revert Errors.AuditLog_Gap(organisation, h.seq + 1, seq);
        if (previousRoot != h.root) {
            revert Errors.AuditLog_Fork(organisation, h.root, previousRoot);
        }

        h.seq = seq;
        h.root = root;
        h.total += count;
        h.time = uint64(block.timestamp);
        _entries[organisation][seq] =
            Entry({root: root, count: count, time: uint64(block.timestamp)});
        emit Appended(organisation, seq, previousRoot, root, count);
    }

    /// @inheritdoc IAuditLog
    function verify(
        bytes32 organisation,
        uint64 seq,
        bytes32 leaf,
        uint256 index,
        bytes32[] calldata path
    ) external view returns (bool) {
        Entry storage e = _entries[organisation][seq];
        return MerkleTree.verify(e.root, leaf, index, e.count, path);
    }

    /// @inheritdoc IAuditLog
    function head(bytes32 organisation) external view returns (Head memory) {
        return _heads[organisation];
    }

    /// @inheritdoc IAuditLog
    function entryAt(bytes32 organisation, uint64 seq) external view returns (Entry memory) {
        return _entries[organisation][seq];
    }

    /// @inheritdoc IAuditLog
    function rootAt(bytes32 organisation, uint64 seq) external view returns (bytes32) {
        return _entries[organisation][seq].root;
    }

    function _requireAgent() private view returns (bytes32) {
        IAccounts.Standing memory who = ACCOUNTS.standing(msg.sender);
        if (!who.isActiveAs(Vocabulary.AGENT)) revert Errors.AuditLog_NotAgent(msg.sender);
        return who.organisation;
    }
}
