// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccounts} from "../interfaces/IAccounts.sol";
import {Vocabulary} from "./Vocabulary.sol";

/// @title Standings
/// @notice What follows from an account's standing, said once for all contracts.
library Standings {
    /// @notice Verified, not frozen, in a verified organisation.
    function isActive(IAccounts.Standing memory who) internal pure returns (bool) {
        return who.accountState == Vocabulary.VERIFIED
            && who.organisationState == Vocabulary.VERIFIED && !who.frozen;
    }

    /// @notice Active, in this role.
    function isActiveAs(IAccounts.Standing memory who, uint8 role) internal pure returns (bool) {
        return who.role == role && isActive(who);
    }

    /// @notice Active, and an Administrator or Agent: it speaks for its organisation.
    function speaksForOrganisation(IAccounts.Standing memory who) internal pure returns (bool) {
        return isActiveAs(who, Vocabulary.ADMINISTRATOR) || isActiveAs(who, Vocabulary.AGENT);
    }
}
