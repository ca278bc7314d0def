// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../interfaces/Errors.sol";
import {IAccounts} from "../interfaces/IAccounts.sol";
import {Vocabulary} from "../lib/Vocabulary.sol";
import {AccountsState} from "./AccountsState.sol";

/// @title Keys
/// @notice The part of Accounts in which an owner changes key and guardians. Both wait, so that
/// whoever stole a key cannot lock the owner out before the guardians freeze the account.
abstract contract Keys is AccountsState {
    /// @inheritdoc IAccounts
    function rotateKey(address key) external {
        _requestRotation(_activeOwner(msg.sender), key);
    }

    /// @inheritdoc IAccounts
    function cancelRotation() external {
        _cancelRotation(_unfrozenOwner(msg.sender));
    }

    /// @inheritdoc IAccounts
    function completeRotation(bytes32 id) external {
        State storage $ = _state();
        PendingKey memory pending = $.rotations[id];
        _requireReady(id, pending.readyAt);
        Account storage a = _changeable(id);
        _requireFreshKey(pending.key);

        address from = a.key;
        a.key = pending.key;
        $.holders[pending.key] = id;
        delete $.rotations[id];
        emit KeyRotated(id, from, pending.key);
    }

    /// @inheritdoc IAccounts
    function setGuardians(bytes32 root, uint8 count, uint8 threshold) external {
        _requireSaneGuardians(root, count, threshold);
        _requestGuardians(_activeOwner(msg.sender), root, count, threshold);
    }

    /// @inheritdoc IAccounts
    function cancelGuardians() external {
        _cancelGuardians(_unfrozenOwner(msg.sender));
    }

    /// @inheritdoc IAccounts
    function completeGuardians(bytes32 id) external {
        State storage $ = _state();
        PendingGuardians memory pending = $.guardianSets[id];
        _requireReady(id, pending.readyAt);
        Account storage a = _changeable(id);

        a.guardiansRoot = pending.root;
        a.guardianCount = pending.count;
        a.guardianThreshold = pending.threshold;
        a.vetoed = false;
        delete $.guardianSets[id];
        emit GuardiansSet(id, pending.root, pending.count, pending.threshold);
        // The former guardians have no say any more, nor has what they started.
        if ($.recoveries[id].readyAt != 0 && !$.recoveries[id].attested) {
            delete $.recoveries[id];
            emit RecoveryCancelled(id, false);
        }
    }

    /// @inheritdoc IAccounts
    function pendingRotation(bytes32 id) external view returns (PendingKey memory) {
        return _state().rotations[id];
    }

    /// @inheritdoc IAccounts
    function pendingGuardians(bytes32 id) external view returns (PendingGuardians memory) {
        return _state().guardianSets[id];
    }

    /// @inheritdoc IAccounts
    function delaySeconds() external view returns (uint64) {
        return _state().delaySeconds;
    }

    /// @dev Of an active owner.
    function _requestRotation(bytes32 id, address key) internal {
        _requireFreshKey(key);

        uint64 readyAt = uint64(block.timestamp) + _state().delaySeconds;
        _state().rotations[id] = PendingKey({key: key, readyAt: readyAt, attested: false});
        emit KeyRotationRequested(id, key, readyAt);
    }

    /// @dev Of an owner who is not frozen.
    function _cancelRotation(bytes32 id) internal {
        if (!_dropRotation(id)) revert Errors.Accounts_NothingPending(id);
    }

    /// @dev Of an active owner.
    function _requestGuardians(bytes32 id, bytes32 root, uint8 count, uint8 threshold) internal {
        uint64 readyAt = uint64(block.timestamp) + _state().delaySeconds;
        _state().guardianSets[id] =
            PendingGuardians({root: root, count: count, threshold: threshold, readyAt: readyAt});
        emit GuardiansRequested(id, root, count, threshold, readyAt);
    }

    /// @dev Of an owner who is not frozen.
    function _cancelGuardians(bytes32 id) internal {
        if (!_dropGuardianSet(id)) revert Errors.Accounts_NothingPending(id);
    }

    function _requireSaneGuardians(bytes32 root, uint8 count, uint8 threshold) internal pure {
        bool none = root == 0 && count == 0 && threshold == 0;
        bool some = root != 0 && threshold != 0 && threshold <= count;
        if (!none && !some) revert Errors.Accounts_GuardiansMalformed(count, threshold);
    }

    /// @dev Forget what the present key started: it may be a thief's.
    function _dropPending(bytes32 id) internal {
        _dropRotation(id);
        _dropGuardianSet(id);
    }

    function _requireReady(bytes32 id, uint64 readyAt) internal view {
        if (readyAt == 0) revert Errors.Accounts_NothingPending(id);
        if (block.timestamp < readyAt) revert Errors.Accounts_TooEarly(id, readyAt);
    }

    function _dropRotation(bytes32 id) private returns (bool found) {
        State storage $ = _state();
        found = $.rotations[id].readyAt != 0;
        if (found) {
            delete $.rotations[id];
            emit KeyRotationCancelled(id);
        }
    }

    function _dropGuardianSet(bytes32 id) private returns (bool found) {
        State storage $ = _state();
        found = $.guardianSets[id].readyAt != 0;
        if (found) {
            delete $.guardianSets[id];
            emit GuardiansCancelled(id);
        }
    }

    /// @dev An account that may still change by its owner's wish: verified. Nothing waits for a
    /// frozen one, because freezing drops what waits and a frozen key starts nothing.
    function _changeable(bytes32 id) private view returns (Account storage a) {
        a = _state().accounts[id];
        if (a.state != Vocabulary.VERIFIED) revert Errors.Accounts_WrongState(id, a.state);
    }
}
