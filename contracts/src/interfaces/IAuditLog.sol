// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title AuditLog: one gap-free, fork-free chain of audit roots per organisation
/// @notice Not upgradeable and never paused. Leaves are keccak256(0x02 || salt || sha256(entry));
/// the tree is that of Records. The first batch has seq 1 and previous root zero.
interface IAuditLog {
    /// The last batch of an organisation; seq 0: none. `total` counts all leaves so far.
    struct Head {
        uint64 seq;
        bytes32 root;
        uint64 total;
        uint64 time;
    }

    /// One batch.
    struct Entry {
        bytes32 root;
        uint32 count;
        uint64 time;
    }

    /// A batch was appended.
    event Appended(
        bytes32 indexed organisation,
        uint64 indexed seq,
        bytes32 previousRoot,
        bytes32 root,
        uint32 count
    );

    /// @notice Append the next batch. Caller: an active Agent of a verified organisation.
    function append(uint64 seq, bytes32 previousRoot, bytes32 root, uint32 count) external;

    /// @notice Whether `leaf` is leaf number `index` of the organisation's batch `seq`.
    function verify(
        bytes32 organisation,
        uint64 seq,
        bytes32 leaf,
        uint256 index,
        bytes32[] calldata path
    ) external view returns (bool);
    /// @notice The last batch.
    function head(bytes32 organisation) external view returns (Head memory);
    /// @notice A batch; all zero if it does not exist.
    function entryAt(bytes32 organisation, uint64 seq) external view returns (Entry memory);
    /// @notice The root of a batch; zero if it does not exist.
    function rootAt(bytes32 organisation, uint64 seq) external view returns (bytes32);
}
