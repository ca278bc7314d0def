// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title MerkleTree
/// @notice The one tree of SIMDES: node = keccak256(0x01 || left || right), an odd node at the end
/// of a level is promoted unchanged. Leaves are hashed by their owners under other first bytes
/// (0x00 record, 0x02 audit, 0x03 guardian, 0x04 record id), so a node never passes for a leaf.
library MerkleTree {
    /// @notice Whether `leaf` is leaf number `index` of a tree of `count` leaves with this root.
    /// @dev Index and count fix how many siblings there are and on which side each stands, so a
    /// path that is too short, too long or meant for another place is refused.
    function verify(
        bytes32 root,
        bytes32 leaf,
        uint256 index,
        uint256 count,
        bytes32[] calldata path
    ) internal pure returns (bool) {
        if (index >= count) return false;
        bytes32 hash = leaf;
        uint256 used = 0;
        while (count > 1) {
            bool isRight = index & 1 == 1;
            // The last node of an odd level has no sibling: it goes up as it is.
            if (isRight || index + 1 < count) {
                if (used == path.length) return false;
                hash = isRight ? node(path[used], hash) : node(hash, path[used]);
                ++used;
            }
            index >>= 1;
            count = (count + 1) >> 1;
        }
        return used == path.length && hash == root;
    }

    /// @notice Whether `leaf` is in the set with this root; sides are told by sorting siblings.
    function contains(bytes32 root, bytes32 leaf, bytes32[] calldata path)
        internal
        pure
        returns (bool)
    {
        bytes32 hash = leaf;
        for (uint256 i = 0; i < path.length; ++i) {
            hash = hash < path[i] ? node(hash, path[i]) : node(path[i], hash);
        }
        return hash == root;
    }

    /// @notice Hash of two children.
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }

    /// @notice Leaf of a guardian tree.
    function guardianLeaf(bytes32 salt, address guardian) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x03), salt, bytes32(uint256(uint160(guardian)))));
    }

    /// @notice Leaf of a set of record ids.
    function recordLeaf(bytes32 record) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x04), record));
    }
}
