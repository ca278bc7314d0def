// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IConsents} from "../../src/interfaces/IConsents.sol";
import {Vm} from "./Vm.sol";

/// @notice A follower of Consents: its whole state rebuilt from events and block times alone.
contract ConsentsMirror {
    mapping(bytes32 tag => mapping(bytes32 handle => IConsents.Consent)) private _consents;
    mapping(bytes32 tag => mapping(bytes32 handle => IConsents.Emergency)) private _emergencies;
    mapping(bytes32 tag => uint64) public generation;
    mapping(bytes32 tag => mapping(uint256 nonce => bool)) public isNonceUsed;
    mapping(bytes32 organisation => mapping(uint64 day => uint32)) public emergenciesOn;

    function consent(bytes32 tag, bytes32 handle) external view returns (IConsents.Consent memory) {
        return _consents[tag][handle];
    }

    function emergency(bytes32 tag, bytes32 handle)
        external
        view
        returns (IConsents.Emergency memory)
    {
        return _emergencies[tag][handle];
    }

    function follow(Vm.Log calldata log, uint64 time) external {
        bytes32 kind = log.topics[0];
        bytes32 tag = log.topics[1];
        if (kind == IConsents.Granted.selector) {
            (bytes32 commitment,, uint64 g) = abi.decode(log.data, (bytes32, bytes32, uint64));
            _consents[tag][log.topics[2]] = IConsents.Consent(commitment, 1, g, time);
        } else if (kind == IConsents.Revoked.selector) {
            IConsents.Consent storage c = _consents[tag][log.topics[2]];
            if (c.state == 0) c.generation = generation[tag];
            (c.state, c.since) = (2, time);
        } else if (kind == IConsents.RevokedAll.selector) {
            generation[tag] = abi.decode(log.data, (uint64));
        } else if (kind == IConsents.NonceUsed.selector) {
            isNonceUsed[tag][abi.decode(log.data, (uint256))] = true;
        } else if (kind == IConsents.EmergencyReviewed.selector) {
            (, uint8 outcome) = abi.decode(log.data, (bytes32, uint8));
            _emergencies[tag][log.topics[2]].outcome = outcome;
        } else if (kind == IConsents.EmergencyOpened.selector) {
            _open(tag, log.topics[2], log.topics[3], log.data);
        } else {
            revert("an event of Consents that a follower does not know");
        }
    }

    function _open(bytes32 tag, bytes32 handle, bytes32 organisation, bytes calldata data) private {
        (bytes32 account,, uint64 openedAt, uint64 until, uint64 due, uint64 g) =
            abi.decode(data, (bytes32, bytes32, uint64, uint64, uint64, uint64));
        _consents[tag][handle] = IConsents.Consent(0, 3, g, openedAt);
        _emergencies[tag][handle] =
            IConsents.Emergency(account, organisation, openedAt, until, due, 0);
        ++emergenciesOn[organisation][openedAt / 1 days];
    }
}
