// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../interfaces/Errors.sol";
import {IAccounts} from "../interfaces/IAccounts.sol";
import {MerkleTree} from "../lib/MerkleTree.sol";
import {Signatures} from "../lib/Signatures.sol";
import {Vocabulary} from "../lib/Vocabulary.sol";
import {Keys} from "./Keys.sol";

/// @title Recovery
/// @notice The part of Accounts in which others act for an owner whose key is lost or stolen.
abstract contract Recovery is Keys {
    bytes32 private constant FREEZE_TYPE =
        keccak256("Freeze(bytes32 account,uint256 nonce,uint256 deadline)");
    bytes32 private constant RECOVER_TYPE =
        keccak256("Recover(bytes32 account,address key,uint256 nonce,uint256 deadline)");
    bytes32 private constant ATTEST_RECOVERY_TYPE =
        keccak256("AttestRecovery(bytes32 account,address key,uint256 nonce,uint256 deadline)");

    /// @inheritdoc IAccounts
    function freeze(bytes32 id, uint256 deadline, GuardianProof[] calldata proofs) external {
        Signatures.requireInTime(deadline);
        Account storage a = _state().accounts[id];
        if (a.frozen) revert Errors.Accounts_Frozen(id);
        uint32 nonce = a.guardianNonce;
        _requireGuardians(id, keccak256(abi.encode(FREEZE_TYPE, id, nonce, deadline)), proofs);

        a.guardianNonce = nonce + 1;
        a.frozen = true;
        emit AccountFrozen(id, nonce);
        _dropPending(id);
    }

    /// @inheritdoc IAccounts
    function recover(bytes32 id, address key, uint256 deadline, GuardianProof[] calldata proofs)
        external
        unlessPaused(this.recover.selector)
    {
        Signatures.requireInTime(deadline);
        PendingKey storage pending = _state().recoveries[id];
        if (pending.readyAt != 0 && pending.attested) revert Errors.Accounts_AttestedPending(id);
        uint32 nonce = _state().accounts[id].guardianNonce;
        _requireGuardians(id, keccak256(abi.encode(RECOVER_TYPE, id, key, nonce, deadline)), proofs);
        _startRecovery(id, key, false);
    }

    /// @inheritdoc IAccounts
    function recoverAttested(
        bytes32 id,
        address key,
        uint256 deadline,
        bytes[] calldata attestations
    ) external unlessPaused(this.recoverAttested.selector) {
        Signatures.requireInTime(deadline);
        Account storage a = _state().accounts[id];
        // Staff accounts are their organisation's business: two others must not take them over.
        if (a.role != Vocabulary.PATIENT) revert Errors.Accounts_NotPatient(id);
        bytes32 structHash =
            keccak256(abi.encode(ATTEST_RECOVERY_TYPE, id, key, a.guardianNonce, deadline));
        _requireTwoAttestors(_hashTypedDataV4(structHash), attestations, a.organisation);
        _startRecovery(id, key, true);
    }

    /// @inheritdoc IAccounts
    function vetoRecovery() external {
        _veto(_unfrozenOwner(msg.sender));
    }

    /// @inheritdoc IAccounts
    function completeRecovery(bytes32 id) external unlessPaused(this.completeRecovery.selector) {
        State storage $ = _state();
        PendingKey memory pending = $.recoveries[id];
        _requireReady(id, pending.readyAt);
        Account storage a = $.accounts[id];
        address from = a.key;
        // Recovering to the present key is how a mistaken freeze ends.
        if (pending.key != from) _requireFreshKey(pending.key);

        a.key = pending.key;
        a.frozen = false;
        a.vetoed = false;
        $.holders[pending.key] = id;
        delete $.recoveries[id];
        emit AccountRecovered(id, from, pending.key);
        _dropPending(id);
    }

    /// @inheritdoc IAccounts
    function pendingRecovery(bytes32 id) external view returns (PendingKey memory) {
        return _state().recoveries[id];
    }

    /// @dev Of an owner who is not frozen.
    function _veto(bytes32 id) internal {
        State storage $ = _state();
        PendingKey storage pending = $.recoveries[id];
        if (pending.readyAt == 0) revert Errors.Accounts_NothingPending(id);
        if (pending.attested) revert Errors.Accounts_VetoRefused(id);
        if ($.accounts[id].vetoed) revert Errors.Accounts_VetoSpent(id);

        $.accounts[id].vetoed = true;
        delete $.recoveries[id];
        emit RecoveryCancelled(id, true);
    }

    function _startRecovery(bytes32 id, address key, bool attested) private {
        State storage $ = _state();
        Account storage a = $.accounts[id];
        if (key != a.key) _requireFreshKey(key);

        uint32 nonce = a.guardianNonce;
        uint64 readyAt = uint64(block.timestamp) + $.delaySeconds;
        a.guardianNonce = nonce + 1;
        $.recoveries[id] = PendingKey({key: key, readyAt: readyAt, attested: attested});
        emit RecoveryRequested(id, key, readyAt, attested, nonce);
    }

    /// @dev At least `threshold` distinct guardians signed; more are checked as well.
    function _requireGuardians(bytes32 id, bytes32 structHash, GuardianProof[] calldata proofs)
        private
        view
    {
        Account storage a = _state().accounts[id];
        uint8 threshold = a.guardianThreshold;
        if (threshold == 0) revert Errors.Accounts_NoGuardians(id);
        if (proofs.length < threshold) {
            revert Errors.Accounts_TooFewGuardians(proofs.length, threshold);
        }
        bytes32 digest = _hashTypedDataV4(structHash);
        address last = address(0);
        for (uint256 i = 0; i < proofs.length; ++i) {
            address signer = Signatures.signer(digest, proofs[i].signature);
            if (signer <= last) revert Errors.Accounts_GuardiansUnordered(signer);
            last = signer;
            bytes32 leaf = MerkleTree.guardianLeaf(proofs[i].salt, signer);
            bool known = MerkleTree.verify(
                a.guardiansRoot, leaf, proofs[i].index, a.guardianCount, proofs[i].path
            );
            if (!known) revert Errors.Accounts_NotGuardian(signer);
        }
    }
}
