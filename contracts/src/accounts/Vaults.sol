// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../interfaces/Errors.sol";
import {IAccounts} from "../interfaces/IAccounts.sol";
import {Signatures} from "../lib/Signatures.sol";
import {Standings} from "../lib/Standings.sol";
import {Vocabulary} from "../lib/Vocabulary.sol";
import {AccountsState} from "./AccountsState.sol";

/// @title Vaults
/// @notice The part of Accounts that opens vaults and says who controls them.
abstract contract Vaults is AccountsState {
    using Standings for Standing;

    uint8 private constant MOST_CUSTODIANS = 64;

    bytes32 private constant CLAIM_VAULT_TYPE =
        keccak256("ClaimVault(bytes32 tag,bytes32 account,uint256 deadline)");
    bytes32 private constant ATTEST_VAULT_TYPE =
        keccak256("AttestVault(bytes32 tag,bytes32 account,uint256 deadline)");

    bytes32 private constant RENEW_VAULT_TYPE = keccak256(
        "RenewVault(bytes32 tag,uint32 epoch,bytes32 descriptor,uint8 m,uint8 n,bytes32 organisation,uint256 deadline)"
    );

    /// @inheritdoc IAccounts
    function openVault(bytes32 tag, bytes32 descriptor, uint8 m, uint8 n)
        external
        unlessPaused(this.openVault.selector)
    {
        if (tag == 0) revert Errors.Accounts_Zero();
        _requireSane(descriptor, m, n);
        Standing memory who = standing(msg.sender);
        if (!who.isActiveAs(Vocabulary.AGENT)) revert Errors.Accounts_NotPermitted(msg.sender);
        Vault storage v = _state().vaults[tag];
        if (v.epoch != 0) revert Errors.Accounts_VaultExists(tag);

        v.organisation = who.organisation;
        v.descriptor = descriptor;
        v.m = m;
        v.n = n;
        v.epoch = 1;
        v.since = uint64(block.timestamp);
        emit VaultOpened(tag, who.organisation, descriptor, m, n, 1);
    }

    /// @inheritdoc IAccounts
    function setVault(
        bytes32 tag,
        bytes32 id,
        uint256 deadline,
        bytes calldata signature,
        bytes[] calldata attestations
    ) external unlessPaused(this.setVault.selector) {
        Signatures.requireInTime(deadline);
        Vault storage v = _state().vaults[tag];
        if (v.epoch == 0) revert Errors.Accounts_VaultUnknown(tag);
        if (v.control != 0) revert Errors.Accounts_VaultSet(tag);
        _requirePatientSigned(tag, id, deadline, signature);
        bytes32 structHash = keccak256(abi.encode(ATTEST_VAULT_TYPE, tag, id, deadline));
        _requireTwoAttestors(_hashTypedDataV4(structHash), attestations, v.organisation);

        v.control = id;
        emit VaultSet(tag, id);
    }

    /// @inheritdoc IAccounts
    function renewVault(Renewal calldata next, bytes[] calldata signatures)
        external
        unlessPaused(this.renewVault.selector)
    {
        Signatures.requireInTime(next.deadline);
        _requireSane(next.descriptor, next.m, next.n);
        Vault storage v = _state().vaults[next.tag];
        if (v.epoch == 0) revert Errors.Accounts_VaultUnknown(next.tag);
        if (next.epoch != v.epoch + 1) revert Errors.Accounts_WrongEpoch(next.tag, v.epoch);
        Standing memory who = standing(msg.sender);
        if (!who.isActiveAs(Vocabulary.AGENT) || who.organisation != next.organisation) {
            revert Errors.Accounts_NotPermitted(msg.sender);
        }
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(RENEW_VAULT_TYPE, next)));
        if (v.control == 0) _requireTwoAttestors(digest, signatures, v.organisation);
        else _requireControlSigned(digest, signatures, v.control);

        v.descriptor = next.descriptor;
        v.m = next.m;
        v.n = next.n;
        v.epoch = next.epoch;
        v.since = uint64(block.timestamp);
        emit VaultRenewed(next.tag, next.organisation, next.descriptor, next.m, next.n, next.epoch);
    }

    /// @inheritdoc IAccounts
    function vault(bytes32 tag) external view returns (Vault memory) {
        return _state().vaults[tag];
    }

    function _requireSane(bytes32 descriptor, uint8 m, uint8 n) private pure {
        if (descriptor == 0) revert Errors.Accounts_Zero();
        // One share must never be enough: no single server holds the key.
        if (m < 2 || m > n || n > MOST_CUSTODIANS) revert Errors.Accounts_VaultMalformed(m, n);
    }

    function _requireControlSigned(bytes32 digest, bytes[] calldata signatures, bytes32 control)
        private
        view
    {
        if (signatures.length != 1) {
            revert Errors.Signatures_AttestationCount(signatures.length);
        }
        address signer = Signatures.signer(digest, signatures[0]);
        Standing memory who = standing(signer);
        if (who.account != control) revert Errors.Signatures_Invalid(signer);
        if (!who.isActive()) revert Errors.Accounts_NotPermitted(signer);
    }

    function _requirePatientSigned(
        bytes32 tag,
        bytes32 id,
        uint256 deadline,
        bytes calldata signature
    ) private view {
        bytes32 structHash = keccak256(abi.encode(CLAIM_VAULT_TYPE, tag, id, deadline));
        address signer = Signatures.signer(_hashTypedDataV4(structHash), signature);
        Standing memory who = standing(signer);
        if (id == 0 || who.account != id) revert Errors.Signatures_Invalid(signer);
        if (who.role != Vocabulary.PATIENT) revert Errors.Accounts_NotPatient(id);
        if (!who.isActive()) revert Errors.Accounts_NotPermitted(signer);
    }
}
