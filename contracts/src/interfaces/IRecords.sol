// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Records: Merkle roots of sealed records
/// @notice One leaf per resource version. Node keccak256(0x01 || left || right), an odd node is
/// promoted; leaf keccak256(0x00 || record id || sha256(body) || type || keccak256(salt || digest)).
/// batch id = keccak256(abi.encodePacked(uint256 chain id, bytes32 organisation, bytes32 root)).
interface IRecords {
    /// An anchored batch; never changes.
    struct Batch {
        bytes32 organisation;
        bytes32 root;
        uint32 count;
        uint64 time;
    }

    /// A leaf and its place in a batch.
    struct Leaf {
        bytes32 batchId;
        bytes32 leaf;
        uint256 index;
        bytes32[] path;
    }

    /// status: 0 current, 1 superseded by `successor`, 2 erased.
    struct Status {
        uint8 status;
        uint64 since;
        bytes32 successor;
    }

    /// A batch of `count` leaves; `manifest` is the CID (binary) of its manifest list.
    event Anchored(
        bytes32 indexed batchId,
        bytes32 indexed organisation,
        bytes32 root,
        uint32 count,
        bytes manifest
    );
    /// A newer version of the resource stands in `successor`.
    event Superseded(bytes32 indexed organisation, bytes32 indexed leaf, bytes32 indexed successor);
    /// The organisation declares the leaf's content erased.
    event Erased(bytes32 indexed organisation, bytes32 indexed leaf);

    /// @notice Anchor a batch. Caller: an active Agent of a verified organisation. Reverts with
    /// Records_AlreadyAnchored, and changes nothing, when sent twice.
    /// @param manifest binary CID, 1 to 96 bytes
    function anchor(bytes32 root, uint32 count, bytes calldata manifest)
        external
        returns (bytes32 batchId);
    /// @notice Say that a leaf is replaced by another, both in batches of the caller's organisation.
    function supersede(Leaf calldata old, Leaf calldata successor) external;
    /// @notice Say that a leaf's content is erased.
    function erase(Leaf calldata old) external;

    /// @notice Whether `leaf` is leaf number `index` of the batch. False for an unknown batch.
    function verify(bytes32 batchId, bytes32 leaf, uint256 index, bytes32[] calldata path)
        external
        view
        returns (bool);
    /// @notice A batch; all zero if unknown.
    function batch(bytes32 batchId) external view returns (Batch memory);
    /// @notice Status of a leaf as declared by the organisation.
    function status(bytes32 organisation, bytes32 leaf) external view returns (Status memory);
    /// @notice The batch id that this organisation's batch with this root has on this chain.
    function batchIdOf(bytes32 organisation, bytes32 root) external view returns (bytes32);
}
