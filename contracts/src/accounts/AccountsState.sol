// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {
    EIP712Upgradeable
} from "@openzeppelin/contracts-upgradeable/utils/cryptography/EIP712Upgradeable.sol";

import {PausableVerbs} from "../governance/PausableVerbs.sol";
import {Errors} from "../interfaces/Errors.sol";
import {IAccounts} from "../interfaces/IAccounts.sol";
import {Signatures} from "../lib/Signatures.sol";
import {Standings} from "../lib/Standings.sol";
import {Vocabulary} from "../lib/Vocabulary.sol";

/// @title AccountsState
/// @notice Storage of Accounts (one ERC-7201 namespace) and the questions all its parts ask of it.
abstract contract AccountsState is IAccounts, PausableVerbs, EIP712Upgradeable {
    using Standings for Standing;

    /// @custom:storage-location erc7201:simdes.accounts
    struct State {
        uint64 delaySeconds;
        mapping(bytes32 id => Organisation) organisations;
        mapping(bytes32 id => Account) accounts;
        // Every key that was ever in force, so that none comes back under another account.
        mapping(address key => bytes32 account) holders;
        mapping(bytes32 account => PendingKey) rotations;
        mapping(bytes32 account => PendingGuardians) guardianSets;
        mapping(bytes32 account => PendingKey) recoveries;
        mapping(bytes32 tag => Vault) vaults;
        mapping(bytes32 account => uint256) ownerNonces;
    }

    bytes32 private constant STATE_SLOT =
        keccak256(abi.encode(uint256(keccak256("simdes.accounts")) - 1)) & ~bytes32(uint256(0xff));

    /// @inheritdoc IAccounts
    function account(bytes32 id) external view returns (Account memory) {
        return _state().accounts[id];
    }

    /// @inheritdoc IAccounts
    function accountOf(address key) external view returns (bytes32) {
        return _accountOf(key);
    }

    /// @inheritdoc IAccounts
    function holderOf(address key) external view returns (bytes32) {
        return _state().holders[key];
    }

    /// @inheritdoc IAccounts
    function isActive(address key) external view returns (bool) {
        return standing(key).isActive();
    }

    /// @inheritdoc IAccounts
    function standing(address key) public view returns (Standing memory found) {
        State storage $ = _state();
        bytes32 id = _accountOf(key);
        if (id == 0) return found;
        Account storage a = $.accounts[id];
        found.account = id;
        found.organisation = a.organisation;
        found.role = a.role;
        found.accountState = a.state;
        found.frozen = a.frozen;
        found.organisationState = $.organisations[a.organisation].state;
    }

    function _accountOf(address key) internal view returns (bytes32) {
        State storage $ = _state();
        bytes32 id = $.holders[key];
        return $.accounts[id].key == key ? id : bytes32(0);
    }

    /// @dev The account whose present key this is, active.
    function _activeOwner(address key) internal view returns (bytes32) {
        Standing memory who = standing(key);
        if (!who.isActive()) revert Errors.Accounts_NotPermitted(key);
        return who.account;
    }

    /// @dev The account whose present key this is, not frozen, in any other state.
    function _unfrozenOwner(address key) internal view returns (bytes32 id) {
        id = _accountOf(key);
        if (id == 0) revert Errors.Accounts_NotPermitted(key);
        if (_state().accounts[id].frozen) revert Errors.Accounts_Frozen(id);
    }

    function _requireFreshKey(address key) internal view {
        if (key == address(0)) revert Errors.Accounts_Zero();
        if (_state().holders[key] != 0) revert Errors.Accounts_KeyUsed(key);
    }

    /// @dev Two signatures over one digest by active Administrators or Agents of two distinct
    /// verified organisations. One of them is the `witness`, who knows the person, unless it is
    /// suspended: any two others, who need not, could else take over whom they like.
    function _requireTwoAttestors(bytes32 digest, bytes[] calldata attestations, bytes32 witness)
        internal
        view
    {
        if (attestations.length != 2) {
            revert Errors.Signatures_AttestationCount(attestations.length);
        }
        bytes32 first = _attestingOrganisation(digest, attestations[0]);
        bytes32 second = _attestingOrganisation(digest, attestations[1]);
        if (first == second) revert Errors.Signatures_SameOrganisation(first);
        bool present = first == witness || second == witness;
        if (!present && _state().organisations[witness].state == Vocabulary.VERIFIED) {
            revert Errors.Signatures_WitnessMissing(witness);
        }
    }

    function _state() internal pure returns (State storage $) {
        bytes32 slot = STATE_SLOT;
        assembly ("memory-safe") {
            $.slot := slot
        }
    }

    function _attestingOrganisation(bytes32 digest, bytes calldata signature)
        private
        view
        returns (bytes32)
    {
        address signer = Signatures.signer(digest, signature);
        Standing memory who = standing(signer);
        if (!who.speaksForOrganisation()) revert Errors.Signatures_NotAttestor(signer);
        return who.organisation;
    }
}
