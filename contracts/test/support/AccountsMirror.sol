// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Vm} from "./Vm.sol";

/// @notice A follower of Accounts: its whole state rebuilt from events and block times alone.
contract AccountsMirror {
    mapping(bytes32 id => IAccounts.Organisation) private _organisations;
    mapping(bytes32 id => IAccounts.Account) private _accounts;
    mapping(bytes32 tag => IAccounts.Vault) private _vaults;
    mapping(address key => bytes32) public holders;
    mapping(bytes32 id => IAccounts.PendingKey) private _rotations;
    mapping(bytes32 id => IAccounts.PendingKey) private _recoveries;
    mapping(bytes32 id => IAccounts.PendingGuardians) private _guardians;
    mapping(bytes32 id => uint256) public ownerNonce;

    function organisation(bytes32 id) external view returns (IAccounts.Organisation memory) {
        return _organisations[id];
    }

    function account(bytes32 id) external view returns (IAccounts.Account memory) {
        return _accounts[id];
    }

    function vault(bytes32 tag) external view returns (IAccounts.Vault memory) {
        return _vaults[tag];
    }

    function pendingRotation(bytes32 id) external view returns (IAccounts.PendingKey memory) {
        return _rotations[id];
    }

    function pendingRecovery(bytes32 id) external view returns (IAccounts.PendingKey memory) {
        return _recoveries[id];
    }

    function pendingGuardians(bytes32 id)
        external
        view
        returns (IAccounts.PendingGuardians memory)
    {
        return _guardians[id];
    }

    function follow(Vm.Log calldata log, uint64 time) external {
        bytes32 kind = log.topics[0];
        bytes32 id = log.topics[1];
        if (kind == IAccounts.OrganisationRegistered.selector) {
            (uint8 k, bytes32 descriptor) = abi.decode(log.data, (uint8, bytes32));
            _organisations[id] = IAccounts.Organisation(k, 1, time, descriptor, log.topics[2]);
        } else if (kind == IAccounts.OrganisationVerified.selector) {
            (_organisations[id].state, _organisations[id].since) = (2, time);
        } else if (kind == IAccounts.OrganisationSuspended.selector) {
            (_organisations[id].state, _organisations[id].since) = (3, time);
        } else if (kind == IAccounts.DescriptorSet.selector) {
            _organisations[id].descriptor = abi.decode(log.data, (bytes32));
        } else if (kind == IAccounts.AccountRegistered.selector) {
            IAccounts.Account storage a = _accounts[id];
            (a.organisation, a.key) = (log.topics[2], _address(log.topics[3]));
            (a.role, a.state, a.since) = (abi.decode(log.data, (uint8)), 1, time);
            holders[a.key] = id;
        } else if (kind == IAccounts.AccountVerified.selector) {
            (_accounts[id].state, _accounts[id].since) = (2, time);
        } else if (kind == IAccounts.AccountSuspended.selector) {
            (_accounts[id].state, _accounts[id].since) = (3, time);
        } else {
            _followKeys(kind, id, log, time);
        }
    }

    function _followKeys(bytes32 kind, bytes32 id, Vm.Log calldata log, uint64 time) private {
        IAccounts.Account storage a = _accounts[id];
        if (kind == IAccounts.KeyRotationRequested.selector) {
            uint64 readyAt = abi.decode(log.data, (uint64));
            _rotations[id] = IAccounts.PendingKey(_address(log.topics[2]), readyAt, false);
        } else if (kind == IAccounts.KeyRotationCancelled.selector) {
            delete _rotations[id];
        } else if (kind == IAccounts.KeyRotated.selector) {
            a.key = _address(log.topics[3]);
            holders[a.key] = id;
            delete _rotations[id];
        } else if (kind == IAccounts.GuardiansRequested.selector) {
            (bytes32 root, uint8 count, uint8 threshold, uint64 readyAt) =
                abi.decode(log.data, (bytes32, uint8, uint8, uint64));
            _guardians[id] = IAccounts.PendingGuardians(root, count, threshold, readyAt);
        } else if (kind == IAccounts.GuardiansCancelled.selector) {
            delete _guardians[id];
        } else if (kind == IAccounts.GuardiansSet.selector) {
            (a.guardiansRoot, a.guardianCount, a.guardianThreshold) =
                abi.decode(log.data, (bytes32, uint8, uint8));
            a.vetoed = false;
            delete _guardians[id];
        } else {
            _followRecovery(kind, id, log, time);
        }
    }

    function _followRecovery(bytes32 kind, bytes32 id, Vm.Log calldata log, uint64 time) private {
        IAccounts.Account storage a = _accounts[id];
        if (kind == IAccounts.AccountFrozen.selector) {
            a.frozen = true;
            a.guardianNonce = abi.decode(log.data, (uint32)) + 1;
        } else if (kind == IAccounts.RecoveryRequested.selector) {
            (uint64 readyAt, bool attested, uint32 nonce) =
                abi.decode(log.data, (uint64, bool, uint32));
            _recoveries[id] = IAccounts.PendingKey(_address(log.topics[2]), readyAt, attested);
            a.guardianNonce = nonce + 1;
        } else if (kind == IAccounts.RecoveryCancelled.selector) {
            if (abi.decode(log.data, (bool))) a.vetoed = true;
            delete _recoveries[id];
        } else if (kind == IAccounts.AccountRecovered.selector) {
            a.key = _address(log.topics[3]);
            (a.frozen, a.vetoed) = (false, false);
            holders[a.key] = id;
            delete _recoveries[id];
        } else if (kind == IAccounts.OwnerSigned.selector) {
            ownerNonce[id] = abi.decode(log.data, (uint256)) + 1;
        } else if (kind == IAccounts.VaultOpened.selector) {
            (bytes32 descriptor, uint8 m, uint8 n, uint32 epoch) =
                abi.decode(log.data, (bytes32, uint8, uint8, uint32));
            _vaults[id] = IAccounts.Vault(log.topics[2], descriptor, 0, m, n, epoch, time);
        } else if (kind == IAccounts.VaultSet.selector) {
            _vaults[id].control = log.topics[2];
        } else {
            revert("an event of Accounts that a follower does not know");
        }
    }

    function _address(bytes32 topic) private pure returns (address) {
        return address(uint160(uint256(topic)));
    }
}
