// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Groth16 proofs of the circuits `claim`, `settle` and `free`
/// @notice Each says whether a proof (A, B, C; B's coordinates imaginary part first, EIP-197) holds
/// for its inputs. False for anything malformed.
interface IClaimVerifier {
    /// @notice For root, context, holder, tag, claim, before, after, claimed.
    function verifyProof(uint256[8] calldata proof, uint256[8] calldata inputs)
        external
        view
        returns (bool);
}

interface ISettleVerifier {
    /// @notice For claim, upper, lower, whole.
    function verifyProof(uint256[8] calldata proof, uint256[4] calldata inputs)
        external
        view
        returns (bool);
}

interface IFreeVerifier {
    /// @notice For tag, claim, before, after, counted, kept.
    function verifyProof(uint256[8] calldata proof, uint256[6] calldata inputs)
        external
        view
        returns (bool);
}
