// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title The verifier of the circuit `cohort`
/// @notice What Studies asks; generated code answers. docs/formats/studies.md
interface ICohortVerifier {
    /// @notice Whether the proof holds. inputs: root, nullifier, scope, collector, criterion, day.
    function verifyProof(uint256[8] calldata proof, uint256[6] calldata inputs)
        external
        view
        returns (bool);
}
