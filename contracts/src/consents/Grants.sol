// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../interfaces/Errors.sol";
import {IAccounts} from "../interfaces/IAccounts.sol";
import {IConsents} from "../interfaces/IConsents.sol";
import {Signatures} from "../lib/Signatures.sol";
import {Standings} from "../lib/Standings.sol";
import {ConsentsState} from "./ConsentsState.sol";

/// @title Grants
/// @notice The part of Consents that a vault's control key uses: grant, revoke, revoke all.
abstract contract Grants is ConsentsState {
    using Standings for IAccounts.Standing;

    bytes32 private constant GRANT_TYPE = keccak256(
        "Grant(bytes32 tag,bytes32 handle,bytes32 commitment,bytes32 pointer,uint64 generation,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant REVOKE_TYPE =
        keccak256("Revoke(bytes32 tag,bytes32 handle,uint256 nonce,uint256 deadline)");
    bytes32 private constant REVOKE_ALL_TYPE =
        keccak256("RevokeAll(bytes32 tag,uint64 generation,uint256 nonce,uint256 deadline)");

    /// @inheritdoc IConsents
    function grant(bytes32 tag, bytes32 handle, bytes32 commitment, bytes32 pointer)
        external
        unlessPaused(this.grant.selector)
    {
        _requireActiveControl(tag, msg.sender);
        _grant(tag, handle, commitment, pointer);
    }

    /// @inheritdoc IConsents
    function grantBySig(
        bytes32 tag,
        bytes32 handle,
        bytes32 commitment,
        bytes32 pointer,
        uint64 generation_,
        Permit calldata permit
    ) external unlessPaused(this.grant.selector) {
        bytes32 structHash = keccak256(
            abi.encode(
                GRANT_TYPE,
                tag,
                handle,
                commitment,
                pointer,
                generation_,
                permit.nonce,
                permit.deadline
            )
        );
        _requireActiveControl(tag, _spend(tag, structHash, permit));
        _requireGeneration(tag, generation_);
        _grant(tag, handle, commitment, pointer);
    }

    /// @inheritdoc IConsents
    function revoke(bytes32 tag, bytes32 handle) external {
        _requireControl(tag, msg.sender);
        _revoke(tag, handle);
    }

    /// @inheritdoc IConsents
    function revokeBySig(bytes32 tag, bytes32 handle, Permit calldata permit) external {
        bytes32 structHash =
            keccak256(abi.encode(REVOKE_TYPE, tag, handle, permit.nonce, permit.deadline));
        _requireControl(tag, _spend(tag, structHash, permit));
        _revoke(tag, handle);
    }

    /// @inheritdoc IConsents
    function revokeAll(bytes32 tag) external {
        _requireControl(tag, msg.sender);
        _revokeAll(tag);
    }

    /// @inheritdoc IConsents
    function revokeAllBySig(bytes32 tag, uint64 generation_, Permit calldata permit) external {
        bytes32 structHash =
            keccak256(abi.encode(REVOKE_ALL_TYPE, tag, generation_, permit.nonce, permit.deadline));
        _requireControl(tag, _spend(tag, structHash, permit));
        _requireGeneration(tag, generation_);
        _revokeAll(tag);
    }

    /// @inheritdoc IConsents
    function isNonceUsed(bytes32 tag, uint256 nonce) external view returns (bool) {
        return _state().nonces[tag][nonce >> 8] & _bit(nonce) != 0;
    }

    function _grant(bytes32 tag, bytes32 handle, bytes32 commitment, bytes32 pointer) private {
        if (commitment == 0) revert Errors.Consents_Zero();
        _enter(tag, handle, commitment, GRANTED);
        emit Granted(tag, handle, commitment, pointer, _state().generations[tag]);
    }

    function _revoke(bytes32 tag, bytes32 handle) private {
        if (handle == 0) revert Errors.Consents_Zero();
        State storage $ = _state();
        Consent storage c = $.consents[tag][handle];
        if (c.state == REVOKED) revert Errors.Consents_AlreadyRevoked(tag, handle);

        // An unseen handle is burned: a grant that a relay held back comes too late.
        if (c.state == 0) c.generation = $.generations[tag];
        c.state = REVOKED;
        c.since = uint64(block.timestamp);
        emit Revoked(tag, handle);
    }

    function _revokeAll(bytes32 tag) private {
        uint64 next = ++_state().generations[tag];
        emit RevokedAll(tag, next);
    }

    /// @dev Check deadline and signature, use the nonce up, return the signer. Whether the signer
    /// may do this is the caller's question; if not, all of this reverts.
    function _spend(bytes32 tag, bytes32 structHash, Permit calldata permit)
        private
        returns (address signer)
    {
        Signatures.requireInTime(permit.deadline);
        signer = Signatures.signer(_hashTypedDataV4(structHash), permit.signature);
        mapping(uint256 => uint256) storage words = _state().nonces[tag];
        uint256 word = permit.nonce >> 8;
        uint256 bits = words[word];
        uint256 bit = _bit(permit.nonce);
        if (bits & bit != 0) revert Errors.Signatures_NonceUsed(tag, permit.nonce);
        words[word] = bits | bit;
        emit NonceUsed(tag, permit.nonce);
    }

    function _requireControl(bytes32 tag, address key)
        private
        view
        returns (IAccounts.Standing memory who)
    {
        IAccounts accounts = _state().accounts;
        bytes32 control = accounts.vault(tag).control;
        who = accounts.standing(key);
        if (control == 0 || who.account != control) revert Errors.Consents_NotControl(tag, key);
    }

    function _requireActiveControl(bytes32 tag, address key) private view {
        if (!_requireControl(tag, key).isActive()) revert Errors.Consents_ControlInactive(tag);
    }

    function _requireGeneration(bytes32 tag, uint64 signed) private view {
        uint64 current = _state().generations[tag];
        if (signed != current) revert Errors.Consents_WrongGeneration(tag, current, signed);
    }

    /// @dev The bit of a nonce in its word of 256.
    function _bit(uint256 nonce) private pure returns (uint256) {
        return uint256(1) << (nonce & 0xff);
    }
}
