// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice The Merkle tree again, written as the format page says it: level by level, the last node
/// of an odd level promoted. Independent of src/lib/MerkleTree.sol, which climbs from one leaf.
library ReferenceTree {
    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        bytes32[] memory level = leaves;
        while (level.length > 1) level = _up(level, false);
        return level[0];
    }

    function path(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory) {
        return _path(leaves, index, false);
    }

    /// The set form: children sorted before hashing.
    function setRoot(bytes32[] memory leaves) internal pure returns (bytes32) {
        bytes32[] memory level = leaves;
        while (level.length > 1) level = _up(level, true);
        return level[0];
    }

    function setPath(bytes32[] memory leaves, uint256 index)
        internal
        pure
        returns (bytes32[] memory)
    {
        return _path(leaves, index, true);
    }

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"01", left, right));
    }

    function _path(bytes32[] memory leaves, uint256 index, bool sorted)
        private
        pure
        returns (bytes32[] memory)
    {
        bytes32[] memory found = new bytes32[](64);
        uint256 length = 0;
        bytes32[] memory level = leaves;
        while (level.length > 1) {
            uint256 sibling = index % 2 == 0 ? index + 1 : index - 1;
            if (sibling < level.length) found[length++] = level[sibling];
            level = _up(level, sorted);
            index /= 2;
        }
        bytes32[] memory result = new bytes32[](length);
        for (uint256 i = 0; i < length; ++i) {
            result[i] = found[i];
        }
        return result;
    }

    function _up(bytes32[] memory level, bool sorted) private pure returns (bytes32[] memory) {
        uint256 pairs = level.length / 2;
        bool odd = level.length % 2 == 1;
        bytes32[] memory next = new bytes32[](odd ? pairs + 1 : pairs);
        for (uint256 i = 0; i < pairs; ++i) {
            (bytes32 left, bytes32 right) = (level[2 * i], level[2 * i + 1]);
            if (sorted && right < left) (left, right) = (right, left);
            next[i] = node(left, right);
        }
        if (odd) next[pairs] = level[level.length - 1];
        return next;
    }
}
