// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Poseidon of two and of three field elements
/// @notice What the libraries PoseidonT3 and PoseidonT4 of npm's poseidon-solidity answer when they
/// are called like contracts. They reduce their inputs: callers check that these are elements.
interface IPoseidon2 {
    function hash(uint256[2] memory) external pure returns (uint256);
}

interface IPoseidon3 {
    function hash(uint256[3] memory) external pure returns (uint256);
}
