// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Anchoring} from "../support/Anchoring.sol";
import {ReferenceTree} from "../support/ReferenceTree.sol";

/// verify
/// ├── accepts each leaf of its batch at its own index, for every size from 1 to 64
/// ├── refuses: a leaf at another index, an index at or over the count, another leaf, an inner node
/// │   or the root as a leaf, a path too short, too long or changed, another batch, no batch
/// └── an odd node is promoted, not paired with itself
contract VerifyLeafTest is Anchoring {
    function test_every_leaf_of_every_size_is_accepted_at_its_index_only() external {
        for (uint256 size = 1; size <= 64; ++size) {
            bytes32[] memory leaves = _batch(size, "leaf");
            bytes32 id = _anchor(hospital, leaves);
            for (uint256 i = 0; i < size; ++i) {
                bytes32[] memory path = ReferenceTree.path(leaves, i);
                assertTrue(records.verify(id, leaves[i], i, path), "own index");
                uint256 other = (i + 1) % size;
                assertEq(records.verify(id, leaves[i], other, path), size == 1, "other index");
            }
        }
    }

    function testFuzz_nothing_else_is_accepted(
        uint256 size,
        uint256 index,
        uint256 kind,
        bytes32 noise
    ) external {
        size = bound(size, 1, 64);
        index = bound(index, 0, size - 1);
        bytes32[] memory leaves = _batch(size, "leaf");
        bytes32 id = _anchor(hospital, leaves);
        bytes32 leaf = leaves[index];
        bytes32[] memory path = ReferenceTree.path(leaves, index);
        vm.assume(noise != 0);
        kind = bound(kind, 0, 7);
        if (kind == 0) leaf ^= noise;
        if (kind == 1) index = bound(uint256(noise), size, type(uint256).max - 1);
        if (kind == 2) path = _lengthened(path, noise);
        if (kind == 3) {
            if (path.length == 0) return;
            path = _shortened(path);
        }
        if (kind == 4) {
            if (path.length == 0) return;
            path[uint256(noise) % path.length] ^= noise;
        }
        if (kind == 5) id ^= noise;
        if (kind == 6) leaf = keccak256(abi.encodePacked(leaf));
        if (kind == 7) id = _anchor(clinic, _batch(size, "others"));
        assertFalse(records.verify(id, leaf, index, path), "accepted");
    }

    /// forge-config: default.fuzz.runs = 40
    /// forge-config: accept.fuzz.runs = 2000
    function testFuzz_inner_nodes_do_not_pass_for_leaves(uint256 size, uint256 start) external {
        size = bound(size, 2, 64);
        bytes32[] memory leaves = _batch(size, "leaf");
        bytes32 id = _anchor(hospital, leaves);
        uint256 index = bound(start, 0, size - 1);
        bytes32[] memory path = ReferenceTree.path(leaves, index);
        // Climb one level at a time; whatever stands there is no leaf at any index.
        bytes32 inner = leaves[index];
        uint256 place = index;
        uint256 count = size;
        uint256 used = 0;
        while (count > 1) {
            bool right = place % 2 == 1;
            bool promoted = !right && place + 1 == count;
            if (!promoted) {
                inner = right
                    ? ReferenceTree.node(path[used], inner)
                    : ReferenceTree.node(inner, path[used]);
                ++used;
                bytes32[] memory rest = new bytes32[](path.length - used);
                for (uint256 i = 0; i < rest.length; ++i) {
                    rest[i] = path[used + i];
                }
                for (uint256 i = 0; i < size; ++i) {
                    assertFalse(records.verify(id, inner, i, rest), "rest of the path");
                    assertFalse(records.verify(id, inner, i, path), "whole path");
                }
            }
            place /= 2;
            count = (count + 1) / 2;
        }
    }

    function test_an_odd_node_is_not_paired_with_itself() external {
        bytes32[] memory three = _batch(3, "leaf");
        bytes32 id = _anchor(hospital, three);
        bytes32[] memory four = new bytes32[](4);
        (four[0], four[1], four[2], four[3]) = (three[0], three[1], three[2], three[2]);
        assertFalse(ReferenceTree.root(three) == ReferenceTree.root(four), "two different roots");
        bytes32[] memory path = new bytes32[](1);
        path[0] = ReferenceTree.node(three[0], three[1]);
        assertTrue(records.verify(id, three[2], 2, path), "promoted");
        assertFalse(
            records.verify(id, three[2], 2, ReferenceTree.path(four, 2)), "paired with itself"
        );
    }

    function test_a_batch_of_one_is_its_leaf() external {
        bytes32[] memory one = _batch(1, "leaf");
        bytes32 id = _anchor(hospital, one);
        assertTrue(records.verify(id, one[0], 0, new bytes32[](0)), "the leaf");
        assertFalse(records.verify(id, one[0], 0, new bytes32[](1)), "with a path");
        assertFalse(records.verify(id, one[0], 1, new bytes32[](0)), "at one");
    }

    function test_an_unknown_batch_has_no_leaf() external view {
        assertFalse(records.verify(keccak256("no batch"), 0, 0, new bytes32[](0)), "zero leaf");
    }

    function _lengthened(bytes32[] memory path, bytes32 noise)
        private
        pure
        returns (bytes32[] memory longer)
    {
        longer = new bytes32[](path.length + 1);
        for (uint256 i = 0; i < path.length; ++i) {
            longer[i] = path[i];
        }
        longer[path.length] = noise;
    }

    function _shortened(bytes32[] memory path) private pure returns (bytes32[] memory shorter) {
        shorter = new bytes32[](path.length - 1);
        for (uint256 i = 0; i < shorter.length; ++i) {
            shorter[i] = path[i];
        }
    }
}
