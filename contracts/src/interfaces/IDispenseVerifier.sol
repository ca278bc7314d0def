// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Groth16 proof of the circuit `dispense`
interface IDispenseVerifier {
    /// @notice Whether the proof (A, B, C; B's coordinates imaginary part first, EIP-197) holds for
    /// root, tag, pharmacy, context, step. False for anything malformed.
    function verifyProof(uint256[8] calldata proof, uint256[5] calldata inputs)
        external
        view
        returns (bool);
}
