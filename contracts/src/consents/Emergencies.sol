// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../interfaces/Errors.sol";
import {IAccounts} from "../interfaces/IAccounts.sol";
import {IConsents} from "../interfaces/IConsents.sol";
import {Standings} from "../lib/Standings.sol";
import {Vocabulary} from "../lib/Vocabulary.sol";
import {ConsentsState} from "./ConsentsState.sol";

/// @title Emergencies
/// @notice The part of Consents for patients who cannot be asked: bounded in time, number and
/// content, visible to all members, and followed by a review.
abstract contract Emergencies is ConsentsState {
    using Standings for IAccounts.Standing;

    uint8 private constant LAST_OUTCOME = 2;

    /// @inheritdoc IConsents
    function openEmergency(bytes32 tag, bytes32 handle, bytes32 reasonDigest)
        external
        unlessPaused(this.openEmergency.selector)
    {
        if (reasonDigest == 0) revert Errors.Consents_Zero();
        State storage $ = _state();
        IAccounts.Standing memory who = _requireClinician();
        if ($.accounts.vault(tag).epoch == 0) revert Errors.Consents_VaultUnknown(tag);
        _requireReviewsDone(who.organisation);
        _countToday(who.organisation);
        _enter(tag, handle, 0, EMERGENCY);

        uint64 time = uint64(block.timestamp);
        Emergency memory e = Emergency({
            account: who.account,
            organisation: who.organisation,
            openedAt: time,
            until: time + $.openSeconds,
            reviewDue: time + $.reviewSeconds,
            outcome: 0
        });
        $.emergencies[tag][handle] = e;
        $.opened[who.organisation].push(Opened({tag: tag, handle: handle}));
        _announce(tag, handle, reasonDigest, e);
    }

    /// @inheritdoc IConsents
    function reviewEmergency(bytes32 tag, bytes32 handle, uint8 outcome) external {
        if (outcome == 0 || outcome > LAST_OUTCOME) revert Errors.Consents_OutcomeUnknown(outcome);
        State storage $ = _state();
        Emergency storage e = $.emergencies[tag][handle];
        if (e.openedAt == 0) revert Errors.Consents_NotEmergency(tag, handle);
        IAccounts.Standing memory who = $.accounts.standing(msg.sender);
        bool own = who.organisation == e.organisation;
        if (!own || !who.isActiveAs(Vocabulary.ADMINISTRATOR)) {
            revert Errors.Consents_NotReviewer(msg.sender);
        }
        if (e.outcome != 0) revert Errors.Consents_AlreadyReviewed(tag, handle);

        e.outcome = outcome;
        emit EmergencyReviewed(tag, handle, e.organisation, who.account, outcome);
        _skipReviewed(e.organisation);
    }

    /// @inheritdoc IConsents
    function emergenciesOn(bytes32 organisation, uint64 day) external view returns (uint32) {
        return _state().openedOn[organisation][day];
    }

    /// @inheritdoc IConsents
    function emergencyLimits()
        external
        view
        returns (uint32 quota, uint64 openSeconds, uint64 reviewSeconds)
    {
        State storage $ = _state();
        return ($.quota, $.openSeconds, $.reviewSeconds);
    }

    function _announce(bytes32 tag, bytes32 handle, bytes32 reasonDigest, Emergency memory e)
        private
    {
        emit EmergencyOpened(
            tag,
            handle,
            e.organisation,
            e.account,
            reasonDigest,
            e.openedAt,
            e.until,
            e.reviewDue,
            _state().generations[tag]
        );
    }

    function _countToday(bytes32 organisation) private {
        State storage $ = _state();
        uint64 day = uint64(block.timestamp / 1 days);
        uint32 opened = $.openedOn[organisation][day];
        if (opened >= $.quota) revert Errors.Consents_QuotaSpent(organisation, day);
        $.openedOn[organisation][day] = opened + 1;
    }

    /// @dev Move past what is reviewed, so that opening looks at one entry only. The emergencies
    /// of an organisation fall due in the order in which they were opened.
    function _skipReviewed(bytes32 organisation) private {
        State storage $ = _state();
        Opened[] storage opened = $.opened[organisation];
        uint256 index = $.reviewedUpTo[organisation];
        while (index < opened.length) {
            Opened storage next = opened[index];
            if ($.emergencies[next.tag][next.handle].outcome == 0) break;
            ++index;
        }
        $.reviewedUpTo[organisation] = index;
    }

    function _requireReviewsDone(bytes32 organisation) private view {
        State storage $ = _state();
        uint256 index = $.reviewedUpTo[organisation];
        if (index == $.opened[organisation].length) return;
        Opened storage oldest = $.opened[organisation][index];
        if (block.timestamp > $.emergencies[oldest.tag][oldest.handle].reviewDue) {
            revert Errors.Consents_ReviewOverdue(organisation, oldest.tag, oldest.handle);
        }
    }

    /// @dev Roles are given by the organisation itself, its kind by governance: without asking for
    /// a hospital, an insurer could call its people doctors.
    function _requireClinician() private view returns (IAccounts.Standing memory who) {
        IAccounts accounts = _state().accounts;
        who = accounts.standing(msg.sender);
        bool clinician = who.isActiveAs(Vocabulary.DOCTOR) || who.isActiveAs(Vocabulary.NURSE);
        if (!clinician || accounts.organisation(who.organisation).kind != Vocabulary.HOSPITAL) {
            revert Errors.Consents_NotClinician(msg.sender);
        }
    }
}
