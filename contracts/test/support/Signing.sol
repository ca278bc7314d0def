// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Network} from "./Network.sol";

/// @notice An owner who signs what others relay. A verb is its type's hash and what stands in it
/// between account and nonce.
abstract contract Signing is Network {
    function _rotateKey(address key) internal pure returns (bytes memory) {
        return abi.encode(
            keccak256("RotateKey(bytes32 account,address key,uint256 nonce,uint256 deadline)"), key
        );
    }

    function _cancelRotation(address key) internal pure returns (bytes memory) {
        return abi.encode(
            keccak256("CancelRotation(bytes32 account,address key,uint256 nonce,uint256 deadline)"),
            key
        );
    }

    function _setGuardians(bytes32 root, uint8 count, uint8 threshold)
        internal
        pure
        returns (bytes memory)
    {
        bytes32 kind = keccak256(
            "SetGuardians(bytes32 account,bytes32 root,uint8 count,uint8 threshold,uint256 nonce,uint256 deadline)"
        );
        return abi.encode(kind, root, count, threshold);
    }

    function _cancelGuardians(bytes32 root) internal pure returns (bytes memory) {
        return abi.encode(
            keccak256(
                "CancelGuardians(bytes32 account,bytes32 root,uint256 nonce,uint256 deadline)"
            ),
            root
        );
    }

    function _vetoRecovery(address key) internal pure returns (bytes memory) {
        return abi.encode(
            keccak256("VetoRecovery(bytes32 account,address key,uint256 nonce,uint256 deadline)"),
            key
        );
    }

    function _permitOf(
        uint256 secret,
        bytes32 account,
        bytes memory verb,
        uint256 nonce,
        uint256 deadline
    ) internal view returns (IAccounts.Permit memory) {
        bytes memory what = new bytes(verb.length - 32);
        for (uint256 i = 0; i < what.length; ++i) {
            what[i] = verb[i + 32];
        }
        bytes32 structHash = keccak256(
            bytes.concat(abi.encode(bytes32(verb), account), what, abi.encode(nonce, deadline))
        );
        return IAccounts.Permit({
            nonce: nonce, deadline: deadline, signature: _sign(secret, _accountsTyped(structHash))
        });
    }
}
