// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {
    AccessManagedUpgradeable
} from "@openzeppelin/contracts-upgradeable/access/manager/AccessManagedUpgradeable.sol";

import {Errors} from "../interfaces/Errors.sol";
import {IPausable} from "../interfaces/IPausable.sol";

/// @title PausableVerbs
/// @notice The emergency pause of a contract: single verbs, bounded, with a cool-down, so that
/// pausing again and again cannot become a stop.
abstract contract PausableVerbs is AccessManagedUpgradeable, IPausable {
    /// @custom:storage-location erc7201:simdes.pause
    struct PauseState {
        uint64 pauseSeconds;
        uint64 coolDownSeconds;
        mapping(bytes4 verb => uint64) until;
    }

    bytes32 private constant PAUSE_SLOT =
        keccak256(abi.encode(uint256(keccak256("simdes.pause")) - 1)) & ~bytes32(uint256(0xff));

    /// @dev Refuses while `verb` is paused.
    modifier unlessPaused(bytes4 verb) {
        _requireNotPaused(verb);
        _;
    }

    // solhint-disable-next-line func-name-mixedcase
    function __PausableVerbs_init(uint64 pauseSeconds, uint64 coolDownSeconds)
        internal
        onlyInitializing
    {
        PauseState storage $ = _pauseState();
        $.pauseSeconds = pauseSeconds;
        $.coolDownSeconds = coolDownSeconds;
    }

    /// @inheritdoc IPausable
    function pause(bytes4 verb) external restricted {
        if (!isPausable(verb)) revert Errors.Pause_NotPausable(verb);
        PauseState storage $ = _pauseState();
        uint64 last = $.until[verb];
        if (last != 0 && block.timestamp < last + $.coolDownSeconds) {
            revert Errors.Pause_CoolingDown(verb, last + $.coolDownSeconds);
        }
        uint64 until = uint64(block.timestamp) + $.pauseSeconds;
        $.until[verb] = until;
        emit VerbPaused(verb, until);
    }

    /// @inheritdoc IPausable
    function unpause(bytes4 verb) external restricted {
        PauseState storage $ = _pauseState();
        if (block.timestamp >= $.until[verb]) revert Errors.Pause_NotPaused(verb);
        // Not zero: the cool-down counts from here.
        $.until[verb] = uint64(block.timestamp);
        emit VerbUnpaused(verb);
    }

    /// @inheritdoc IPausable
    function pausedUntil(bytes4 verb) external view returns (uint64) {
        return _pauseState().until[verb];
    }

    /// @inheritdoc IPausable
    function pauseLimits() external view returns (uint64 pauseSeconds, uint64 coolDownSeconds) {
        PauseState storage $ = _pauseState();
        return ($.pauseSeconds, $.coolDownSeconds);
    }

    /// @inheritdoc IPausable
    function isPausable(bytes4 verb) public pure virtual returns (bool);

    function _requireNotPaused(bytes4 verb) internal view {
        uint64 until = _pauseState().until[verb];
        if (block.timestamp < until) revert Errors.Pause_Paused(verb, until);
    }

    function _pauseState() private pure returns (PauseState storage $) {
        bytes32 slot = PAUSE_SLOT;
        assembly ("memory-safe") {
            $.slot := slot
        }
    }
}
