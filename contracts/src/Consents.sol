// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

import {Decision} from "./consents/Decision.sol";
import {Emergencies} from "./consents/Emergencies.sol";
import {Grants} from "./consents/Grants.sol";
import {Errors} from "./interfaces/Errors.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";

/// @title Consents
/// @notice Grants, revocations, emergencies, and the one rule. See IConsents.
contract Consents is Grants, Emergencies, Decision, UUPSUpgradeable {
    uint64 private constant LONGEST_EMERGENCY_SECONDS = 3 days;

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @notice Set up the proxy.
    /// @param authority AccessManager
    /// @param accounts Accounts proxy
    /// @param quota emergencies an organisation may open in a day
    /// @param openSeconds how long an emergency lasts, 1 second to 3 days
    /// @param reviewSeconds after how long a missing review blocks the next emergency, at least 1
    /// @param pauseSeconds how long a pause lasts
    /// @param coolDownSeconds how long after a pause the next one of the same verb may begin
    function initialize(
        address authority,
        IAccounts accounts,
        uint32 quota,
        uint64 openSeconds,
        uint64 reviewSeconds,
        uint64 pauseSeconds,
        uint64 coolDownSeconds
    ) external initializer {
        if (openSeconds == 0 || openSeconds > LONGEST_EMERGENCY_SECONDS || reviewSeconds == 0) {
            revert Errors.Consents_LimitsMalformed(openSeconds, reviewSeconds);
        }
        __AccessManaged_init(authority);
        __PausableVerbs_init(pauseSeconds, coolDownSeconds);
        __EIP712_init("SIMDES Consents", "1");
        State storage $ = _state();
        $.accounts = accounts;
        $.quota = quota;
        $.openSeconds = openSeconds;
        $.reviewSeconds = reviewSeconds;
    }

    /// @notice Granting and breaking glass can be paused; revoking and reviewing cannot.
    function isPausable(bytes4 verb) public pure override returns (bool) {
        return verb == this.grant.selector || verb == this.openEmergency.selector;
    }

    // An empty body: the modifier asks the AccessManager, which knows the timelock alone.
    // solhint-disable-next-line no-empty-blocks
    function _authorizeUpgrade(address) internal override restricted {}
}
