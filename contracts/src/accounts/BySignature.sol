// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../interfaces/Errors.sol";
import {IAccounts} from "../interfaces/IAccounts.sol";
import {Signatures} from "../lib/Signatures.sol";
import {Recovery} from "./Recovery.sol";

/// @title BySignature
/// @notice The part of Accounts for an owner whose key sends no transactions here, a wallet's above
/// all: the verbs of Keys and the veto, signed by the key, relayed by anybody, by the same rules.
/// What withdraws names what waits, so that it ends this and nothing that came in its place.
abstract contract BySignature is Recovery {
    bytes32 private constant ROTATE_KEY_TYPE =
        keccak256("RotateKey(bytes32 account,address key,uint256 nonce,uint256 deadline)");
    bytes32 private constant CANCEL_ROTATION_TYPE =
        keccak256("CancelRotation(bytes32 account,address key,uint256 nonce,uint256 deadline)");
    bytes32 private constant SET_GUARDIANS_TYPE = keccak256(
        "SetGuardians(bytes32 account,bytes32 root,uint8 count,uint8 threshold,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant CANCEL_GUARDIANS_TYPE =
        keccak256("CancelGuardians(bytes32 account,bytes32 root,uint256 nonce,uint256 deadline)");
    bytes32 private constant VETO_RECOVERY_TYPE =
        keccak256("VetoRecovery(bytes32 account,address key,uint256 nonce,uint256 deadline)");

    /// @inheritdoc IAccounts
    function rotateKeyBySig(bytes32 id, address key, Permit calldata permit) external {
        _activeOwner(_spend(ROTATE_KEY_TYPE, id, abi.encode(key), permit));
        _requestRotation(id, key);
    }

    /// @inheritdoc IAccounts
    function cancelRotationBySig(bytes32 id, address key, Permit calldata permit) external {
        _unfrozenOwner(_spend(CANCEL_ROTATION_TYPE, id, abi.encode(key), permit));
        if (_state().rotations[id].key != key) revert Errors.Accounts_NothingPending(id);
        _cancelRotation(id);
    }

    /// @inheritdoc IAccounts
    function setGuardiansBySig(
        bytes32 id,
        bytes32 root,
        uint8 count,
        uint8 threshold,
        Permit calldata permit
    ) external {
        _requireSaneGuardians(root, count, threshold);
        _activeOwner(_spend(SET_GUARDIANS_TYPE, id, abi.encode(root, count, threshold), permit));
        _requestGuardians(id, root, count, threshold);
    }

    /// @inheritdoc IAccounts
    function cancelGuardiansBySig(bytes32 id, bytes32 root, Permit calldata permit) external {
        _unfrozenOwner(_spend(CANCEL_GUARDIANS_TYPE, id, abi.encode(root), permit));
        if (_state().guardianSets[id].root != root) revert Errors.Accounts_NothingPending(id);
        _cancelGuardians(id);
    }

    /// @inheritdoc IAccounts
    function vetoRecoveryBySig(bytes32 id, address key, Permit calldata permit) external {
        _unfrozenOwner(_spend(VETO_RECOVERY_TYPE, id, abi.encode(key), permit));
        if (_state().recoveries[id].key != key) revert Errors.Accounts_NothingPending(id);
        _veto(id);
    }

    /// @inheritdoc IAccounts
    function ownerNonce(bytes32 id) external view returns (uint256) {
        return _state().ownerNonces[id];
    }

    /// @dev Check deadline, signature and nonce, use the nonce up, return the signer, whose account
    /// this is. Whether the account may do this is the caller's question; if not, all of this
    /// reverts. `what` is what stands in the type between account and nonce.
    function _spend(bytes32 kind, bytes32 id, bytes memory what, Permit calldata permit)
        private
        returns (address signer)
    {
        Signatures.requireInTime(permit.deadline);
        bytes32 structHash = keccak256(
            bytes.concat(abi.encode(kind, id), what, abi.encode(permit.nonce, permit.deadline))
        );
        signer = Signatures.signer(_hashTypedDataV4(structHash), permit.signature);
        if (_accountOf(signer) != id) revert Errors.Signatures_Invalid(signer);
        uint256 nonce = _state().ownerNonces[id];
        if (permit.nonce != nonce) revert Errors.Accounts_WrongNonce(id, nonce, permit.nonce);
        _state().ownerNonces[id] = nonce + 1;
        emit OwnerSigned(id, nonce);
    }
}
