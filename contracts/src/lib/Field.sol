// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Field
/// @notice BN254's scalar field, in which circuits calculate (EIP-196).
library Field {
    /// How many elements it has.
    uint256 internal constant ORDER =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// @notice What stands for an id in a circuit: 248 bits of its hash, since ids are chosen
    /// freely and two that agree in most bits must not become one.
    function ofId(bytes32 id) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(id))) >> 8;
    }

    /// @notice What stands for a contract on a chain in a circuit.
    function ofContract(uint256 chain, address where) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(chain, where))) >> 8;
    }
}
