// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {
    EIP712Upgradeable
} from "@openzeppelin/contracts-upgradeable/utils/cryptography/EIP712Upgradeable.sol";

import {PausableVerbs} from "../governance/PausableVerbs.sol";
import {Errors} from "../interfaces/Errors.sol";
import {IAccounts} from "../interfaces/IAccounts.sol";
import {IConsents} from "../interfaces/IConsents.sol";

/// @title ConsentsState
/// @notice Storage of Consents (one ERC-7201 namespace) and the questions all its parts ask of it.
abstract contract ConsentsState is IConsents, PausableVerbs, EIP712Upgradeable {
    /// Where an emergency stands, in the order in which an organisation opened them.
    struct Opened {
        bytes32 tag;
        bytes32 handle;
    }

    /// @custom:storage-location erc7201:simdes.consents
    struct State {
        IAccounts accounts;
        uint32 quota;
        uint64 openSeconds;
        uint64 reviewSeconds;
        // By vault first: nobody can use up, or burn, a handle of another vault.
        mapping(bytes32 tag => mapping(bytes32 handle => Consent)) consents;
        mapping(bytes32 tag => uint64) generations;
        mapping(bytes32 tag => mapping(uint256 word => uint256 bits)) nonces;
        mapping(bytes32 tag => mapping(bytes32 handle => Emergency)) emergencies;
        mapping(bytes32 organisation => mapping(uint64 day => uint32)) openedOn;
        mapping(bytes32 organisation => Opened[]) opened;
        // Everything before this index of `opened` is reviewed.
        mapping(bytes32 organisation => uint256) reviewedUpTo;
    }

    uint8 internal constant GRANTED = 1;
    uint8 internal constant REVOKED = 2;
    uint8 internal constant EMERGENCY = 3;

    bytes32 private constant STATE_SLOT =
        keccak256(abi.encode(uint256(keccak256("simdes.consents")) - 1)) & ~bytes32(uint256(0xff));

    /// @inheritdoc IConsents
    function consent(bytes32 tag, bytes32 handle) external view returns (Consent memory) {
        return _state().consents[tag][handle];
    }

    /// @inheritdoc IConsents
    function emergency(bytes32 tag, bytes32 handle) external view returns (Emergency memory) {
        return _state().emergencies[tag][handle];
    }

    /// @inheritdoc IConsents
    function generation(bytes32 tag) external view returns (uint64) {
        return _state().generations[tag];
    }

    /// @dev Enter a handle into its vault. A handle is used once.
    function _enter(bytes32 tag, bytes32 handle, bytes32 commitment, uint8 state) internal {
        if (handle == 0) revert Errors.Consents_Zero();
        State storage $ = _state();
        Consent storage c = $.consents[tag][handle];
        if (c.state != 0) revert Errors.Consents_HandleUsed(tag, handle);

        c.commitment = commitment;
        c.state = state;
        c.generation = $.generations[tag];
        c.since = uint64(block.timestamp);
    }

    function _state() internal pure returns (State storage $) {
        bytes32 slot = STATE_SLOT;
        assembly ("memory-safe") {
            $.slot := slot
        }
    }
}
