// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {Errors} from "../interfaces/Errors.sol";

/// @title Signatures
/// @notice 65-byte low-s secp256k1 signatures and their deadlines. Everything else is refused:
/// another length, a high s (malleable), a v that is neither 27 nor 28.
library Signatures {
    /// @notice The address that signed; reverts if there is none.
    function signer(bytes32 digest, bytes calldata signature) internal pure returns (address) {
        (address who, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (failure != ECDSA.RecoverError.NoError) revert Errors.Signatures_Invalid(address(0));
        return who;
    }

    /// @notice Reverts once the deadline (Unix seconds, inclusive) has passed.
    function requireInTime(uint256 deadline) internal view {
        if (block.timestamp > deadline) revert Errors.Signatures_Expired(deadline);
    }
}
