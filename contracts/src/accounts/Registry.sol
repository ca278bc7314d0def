// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AuthorityUtils} from "@openzeppelin/contracts/access/manager/AuthorityUtils.sol";

import {Errors} from "../interfaces/Errors.sol";
import {IAccounts} from "../interfaces/IAccounts.sol";
import {Standings} from "../lib/Standings.sol";
import {Vocabulary} from "../lib/Vocabulary.sol";
import {AccountsState} from "./AccountsState.sol";

/// @title Registry
/// @notice The part of Accounts that registers, verifies and suspends.
abstract contract Registry is AccountsState {
    using Standings for Standing;

    /// @inheritdoc IAccounts
    function registerOrganisation(
        bytes32 organisation_,
        uint8 kind,
        bytes32 descriptor,
        bytes32 administrator
    ) external unlessPaused(this.registerOrganisation.selector) {
        if (kind == 0 || kind > Vocabulary.LAST_KIND) {
            revert Errors.Accounts_KindUnknown(kind);
        }
        if (descriptor == 0) revert Errors.Accounts_Zero();
        _requireFreshId(organisation_);

        _state().organisations[organisation_] = Organisation({
            kind: kind,
            state: Vocabulary.PENDING,
            since: uint64(block.timestamp),
            descriptor: descriptor,
            firstAdministrator: administrator
        });
        emit OrganisationRegistered(organisation_, administrator, kind, descriptor);
        _add(administrator, organisation_, Vocabulary.ADMINISTRATOR, msg.sender);
    }

    /// @inheritdoc IAccounts
    function setDescriptor(bytes32 descriptor) external {
        if (descriptor == 0) revert Errors.Accounts_Zero();
        Standing memory who = standing(msg.sender);
        if (!who.speaksForOrganisation()) revert Errors.Accounts_NotPermitted(msg.sender);

        _state().organisations[who.organisation].descriptor = descriptor;
        emit DescriptorSet(who.organisation, descriptor);
    }

    /// @inheritdoc IAccounts
    function register(bytes32 account_, bytes32 organisation_, uint8 role, address key)
        external
        unlessPaused(this.register.selector)
    {
        if (role == 0 || role > Vocabulary.LAST_ROLE) {
            revert Errors.Accounts_RoleUnknown(role);
        }
        Standing memory who = standing(msg.sender);
        bool speaks = who.organisation == organisation_
            && (who.speaksForOrganisation() || _isFoundingAdministrator(who));
        if (!speaks) revert Errors.Accounts_NotPermitted(msg.sender);
        _add(account_, organisation_, role, key);
    }

    /// @inheritdoc IAccounts
    function verifyOrganisation(bytes32 id) external restricted {
        Organisation storage o = _existing(id);
        if (o.state == Vocabulary.VERIFIED) revert Errors.Accounts_WrongState(id, o.state);

        o.state = Vocabulary.VERIFIED;
        o.since = uint64(block.timestamp);
        emit OrganisationVerified(id);
        bytes32 first = o.firstAdministrator;
        if (_state().accounts[first].state == Vocabulary.PENDING) _setVerified(first, id);
    }

    /// @inheritdoc IAccounts
    function suspendOrganisation(bytes32 id) external restricted {
        Organisation storage o = _existing(id);
        if (o.state == Vocabulary.SUSPENDED) revert Errors.Accounts_WrongState(id, o.state);

        o.state = Vocabulary.SUSPENDED;
        o.since = uint64(block.timestamp);
        emit OrganisationSuspended(id);
    }

    /// @inheritdoc IAccounts
    function verify(bytes32 id) external unlessPaused(this.verify.selector) {
        Account storage a = _state().accounts[id];
        bytes32 caller = _requireJudge(a.organisation);
        // Nobody lifts the suspension of an own account.
        if (caller == id && id != 0) revert Errors.Accounts_NotPermitted(msg.sender);
        if (a.state == 0) revert Errors.Accounts_AccountUnknown(id);
        if (a.state == Vocabulary.VERIFIED) revert Errors.Accounts_WrongState(id, a.state);
        _setVerified(id, a.organisation);
    }

    /// @inheritdoc IAccounts
    function suspend(bytes32 id) external {
        Account storage a = _state().accounts[id];
        _requireJudge(a.organisation);
        if (a.state == 0) revert Errors.Accounts_AccountUnknown(id);
        if (a.state == Vocabulary.SUSPENDED) revert Errors.Accounts_WrongState(id, a.state);

        a.state = Vocabulary.SUSPENDED;
        a.since = uint64(block.timestamp);
        emit AccountSuspended(id, a.organisation);
    }

    /// @inheritdoc IAccounts
    function organisation(bytes32 id) external view returns (Organisation memory) {
        return _state().organisations[id];
    }

    function _add(bytes32 id, bytes32 organisation_, uint8 role, address key) private {
        _requireFreshId(id);
        _requireFreshKey(key);
        State storage $ = _state();
        Account storage a = $.accounts[id];
        a.organisation = organisation_;
        a.key = key;
        a.role = role;
        a.state = Vocabulary.PENDING;
        a.since = uint64(block.timestamp);
        $.holders[key] = id;
        emit AccountRegistered(id, organisation_, key, role);
    }

    function _setVerified(bytes32 id, bytes32 organisation_) private {
        Account storage a = _state().accounts[id];
        a.state = Vocabulary.VERIFIED;
        a.since = uint64(block.timestamp);
        emit AccountVerified(id, organisation_);
    }

    /// @dev The caller is an active Administrator of the organisation (its account is returned) or
    /// governance (zero is returned).
    function _requireJudge(bytes32 organisation_) private view returns (bytes32) {
        Standing memory who = standing(msg.sender);
        bool own = who.organisation == organisation_;
        if (own && who.isActiveAs(Vocabulary.ADMINISTRATOR)) return who.account;
        (bool immediate,) =
            AuthorityUtils.canCallWithDelay(authority(), msg.sender, address(this), msg.sig);
        if (!immediate) revert Errors.Accounts_NotPermitted(msg.sender);
        return 0;
    }

    function _isFoundingAdministrator(Standing memory who) private view returns (bool) {
        return who.organisationState == Vocabulary.PENDING && who.accountState == Vocabulary.PENDING
            && !who.frozen
            && _state().organisations[who.organisation].firstAdministrator == who.account;
    }

    function _existing(bytes32 id) private view returns (Organisation storage o) {
        o = _state().organisations[id];
        if (o.state == 0) revert Errors.Accounts_OrganisationUnknown(id);
    }

    function _requireFreshId(bytes32 id) private view {
        State storage $ = _state();
        if (id == 0) revert Errors.Accounts_Zero();
        if ($.organisations[id].state != 0) revert Errors.Accounts_OrganisationExists(id);
        if ($.accounts[id].state != 0) revert Errors.Accounts_AccountExists(id);
    }
}
