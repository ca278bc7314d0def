// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

import {BySignature} from "./accounts/BySignature.sol";
import {Registry} from "./accounts/Registry.sol";
import {Vaults} from "./accounts/Vaults.sol";
import {Errors} from "./interfaces/Errors.sol";

/// @title Accounts
/// @notice Organisations, people, their keys and vaults. See IAccounts.
contract Accounts is Registry, BySignature, Vaults, UUPSUpgradeable {
    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @notice Set up the proxy.
    /// @param authority AccessManager
    /// @param delaySeconds_ how long rotations, guardian sets and recoveries wait, at least 1
    /// @param pauseSeconds how long a pause lasts
    /// @param coolDownSeconds how long after a pause the next one of the same verb may begin
    function initialize(
        address authority,
        uint64 delaySeconds_,
        uint64 pauseSeconds,
        uint64 coolDownSeconds
    ) external initializer {
        if (delaySeconds_ == 0) revert Errors.Accounts_Zero();
        __AccessManaged_init(authority);
        __PausableVerbs_init(pauseSeconds, coolDownSeconds);
        __EIP712_init("SIMDES Accounts", "1");
        _state().delaySeconds = delaySeconds_;
    }

    /// @notice What lets somebody in can be paused; what keeps somebody out or safe cannot.
    function isPausable(bytes4 verb) public pure override returns (bool) {
        return verb == this.registerOrganisation.selector || verb == this.register.selector
            || verb == this.verify.selector || verb == this.openVault.selector
            || verb == this.setVault.selector || verb == this.renewVault.selector
            || verb == this.recover.selector || verb == this.recoverAttested.selector
            || verb == this.completeRecovery.selector;
    }

    // An empty body: the modifier asks the AccessManager, which knows the timelock alone.
    // solhint-disable-next-line no-empty-blocks
    function _authorizeUpgrade(address) internal override restricted {}
}
