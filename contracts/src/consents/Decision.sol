// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccounts} from "../interfaces/IAccounts.sol";
import {ICondition, IConsents} from "../interfaces/IConsents.sol";
import {MerkleTree} from "../lib/MerkleTree.sol";
import {Vocabulary} from "../lib/Vocabulary.sol";
import {ConsentsState} from "./ConsentsState.sol";

/// @title Decision
/// @notice The part of Consents that answers whether something is allowed. The order of checks is
/// part of the interface: a second implementation must give the same first reason.
abstract contract Decision is ConsentsState {
    uint8 private constant TO_ACCOUNT = 1;
    uint8 private constant TO_ORGANISATION = 2;
    uint8 private constant TO_ROLE = 3;
    uint8 private constant UNJUSTIFIED = 2;

    // Enough for a look-up; a condition contract must not make a decision expensive.
    uint256 private constant CONDITION_GAS = 100_000;

    /// @inheritdoc IConsents
    function isAllowed(bytes32 handle, Terms calldata terms, bytes32 salt, Request calldata request)
        external
        view
        returns (bool allowed, Reason reason)
    {
        reason = _decide(handle, terms, salt, request);
        return (reason == Reason.Allowed, reason);
    }

    function _decide(bytes32 handle, Terms calldata terms, bytes32 salt, Request calldata request)
        private
        view
        returns (Reason)
    {
        State storage $ = _state();
        IAccounts.Standing memory who = $.accounts.standing(request.actor);
        Reason reason = _judgeActor(who);
        if (reason != Reason.Allowed) return reason;

        IAccounts.Vault memory v = $.accounts.vault(request.vault);
        if (v.epoch == 0) return Reason.UnknownVault;
        if (request.purpose == Vocabulary.PATRQT && who.account == v.control) {
            return Reason.Allowed;
        }

        Consent memory c = $.consents[request.vault][handle];
        if (c.state == 0) return Reason.UnknownHandle;
        if (c.state == REVOKED) return Reason.Revoked;
        if (c.generation != $.generations[request.vault]) return Reason.OldGeneration;
        if (c.state == EMERGENCY) return _judgeEmergency(handle, who, request);

        if (keccak256(abi.encode(salt, terms)) != c.commitment) return Reason.TermsMismatch;
        reason = _judgeGrantee(terms, who);
        if (reason != Reason.Allowed) return reason;
        reason = _judgeScope(terms.purposes, terms.categories, terms.labels, request);
        if (reason != Reason.Allowed) return reason;
        if (request.time < terms.notBefore) return Reason.NotYet;
        if (request.time >= terms.expiry) return Reason.Expired;
        return _judgeLimits(terms, request);
    }

    function _judgeEmergency(
        bytes32 handle,
        IAccounts.Standing memory who,
        Request calldata request
    ) private view returns (Reason) {
        Emergency memory e = _state().emergencies[request.vault][handle];
        if (who.account != e.account) return Reason.WrongGrantee;
        Reason reason = _judgeScope(
            uint16(1) << Vocabulary.ETREAT, Vocabulary.EMERGENCY_CATEGORIES, 0, request
        );
        if (reason != Reason.Allowed) return reason;
        if (request.time < e.openedAt) return Reason.NotYet;
        if (request.time >= e.until || e.outcome == UNJUSTIFIED) return Reason.EmergencyOver;
        return Reason.Allowed;
    }

    function _judgeLimits(Terms calldata terms, Request calldata request)
        private
        view
        returns (Reason)
    {
        if (terms.records != 0) {
            bytes32 leaf = MerkleTree.recordLeaf(request.record);
            if (!MerkleTree.contains(terms.records, leaf, request.recordProof)) {
                return Reason.Record;
            }
        }
        if (terms.condition != address(0) && !_isOpen(terms.condition, terms.conditionId)) {
            return Reason.ConditionClosed;
        }
        return Reason.Allowed;
    }

    /// @dev Whatever a condition contract does but answer a clean `true` counts as closed.
    function _isOpen(address condition, bytes32 id) private view returns (bool) {
        (bool done, bytes memory answer) =
            condition.staticcall{gas: CONDITION_GAS}(abi.encodeCall(ICondition.isOpen, (id)));
        return done && answer.length == 32 && abi.decode(answer, (uint256)) == 1;
    }

    function _judgeActor(IAccounts.Standing memory who) private pure returns (Reason) {
        if (who.account == 0) return Reason.UnknownActor;
        if (who.accountState != Vocabulary.VERIFIED || who.frozen) return Reason.InactiveActor;
        if (who.organisationState != Vocabulary.VERIFIED) return Reason.InactiveOrganisation;
        return Reason.Allowed;
    }

    function _judgeGrantee(Terms calldata terms, IAccounts.Standing memory who)
        private
        pure
        returns (Reason)
    {
        bytes32 expected = terms.granteeKind == TO_ACCOUNT ? who.account : who.organisation;
        bool known = terms.granteeKind >= TO_ACCOUNT && terms.granteeKind <= TO_ROLE;
        if (!known || terms.grantee != expected) return Reason.WrongGrantee;
        if (terms.granteeKind == TO_ROLE && terms.granteeRole != who.role) return Reason.WrongRole;
        return Reason.Allowed;
    }

    function _judgeScope(
        uint16 purposes,
        uint64 categories,
        uint64 labels,
        Request calldata request
    ) private pure returns (Reason) {
        if (request.purpose > Vocabulary.LAST_PURPOSE || purposes >> request.purpose & 1 == 0) {
            return Reason.Purpose;
        }
        if (request.category > Vocabulary.LAST_CATEGORY || categories >> request.category & 1 == 0)
        {
            return Reason.Category;
        }
        if (request.labels & ~labels != 0) return Reason.Label;
        return Reason.Allowed;
    }
}
