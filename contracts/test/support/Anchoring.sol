// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRecords} from "../../src/interfaces/IRecords.sol";
import {Member, Network} from "./Network.sol";
import {ReferenceTree} from "./ReferenceTree.sol";

/// @notice Two organisations that anchor, and batches of any size with their paths.
abstract contract Anchoring is Network {
    bytes internal constant MANIFEST = hex"01551220aabb";

    Member internal hospital;
    Member internal clinic;

    function setUp() public virtual override {
        super.setUp();
        hospital = _member("hospital", 1);
        clinic = _member("clinic", 1);
    }

    function _batch(uint256 size, string memory seed) internal pure returns (bytes32[] memory) {
        bytes32[] memory leaves = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            leaves[i] = keccak256(abi.encode(seed, i));
        }
        return leaves;
    }

    function _anchor(Member memory member, bytes32[] memory leaves) internal returns (bytes32) {
        bytes32 root = ReferenceTree.root(leaves);
        vm.prank(member.agent.key);
        return records.anchor(root, uint32(leaves.length), MANIFEST);
    }

    function _leaf(bytes32 batchId, bytes32[] memory leaves, uint256 index)
        internal
        pure
        returns (IRecords.Leaf memory)
    {
        return IRecords.Leaf({
            batchId: batchId,
            leaf: leaves[index],
            index: index,
            path: ReferenceTree.path(leaves, index)
        });
    }
}
