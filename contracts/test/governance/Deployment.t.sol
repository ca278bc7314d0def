// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";

import {Accounts} from "../../src/Accounts.sol";
import {Consents} from "../../src/Consents.sol";
import {Records} from "../../src/Records.sol";
import {Errors} from "../../src/interfaces/Errors.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {Network} from "../support/Network.sol";

/// What DEPLOY.md promises of a finished deployment.
contract DeploymentTest is Network {
    function test_the_deployer_kept_nothing() external view {
        (bool member,) = authority.hasRole(0, address(this));
        assertFalse(member, "access manager");
        assertFalse(timelock.hasRole(bytes32(0), address(this)), "timelock admin");
        assertFalse(timelock.hasRole(timelock.PROPOSER_ROLE(), address(this)), "proposer");
    }

    function test_the_timelock_alone_administers_roles_and_upgrades() external view {
        (bool member, uint32 delay) = authority.hasRole(0, address(timelock));
        assertTrue(member && delay == 0, "timelock is the administrator");
        (member,) = authority.hasRole(0, address(administrators));
        assertFalse(member, "administrators are not");
        assertTrue(timelock.hasRole(bytes32(0), address(timelock)), "and of itself");
        assertEq(timelock.getMinDelay(), TIMELOCK, "delay");
        bytes4 upgrade = accounts.upgradeToAndCall.selector;
        assertEq(authority.getTargetFunctionRole(address(accounts), upgrade), 0, "accounts");
        assertEq(authority.getTargetFunctionRole(address(consents), upgrade), 0, "consents");
        assertEq(authority.getTargetFunctionRole(address(records), upgrade), 0, "records");
    }

    function test_administrators_govern_raise_alarms_propose_and_cancel() external view {
        (bool governs,) = authority.hasRole(1, address(administrators));
        (bool alarms,) = authority.hasRole(2, address(administrators));
        assertTrue(governs && alarms, "roles");
        assertTrue(timelock.hasRole(timelock.PROPOSER_ROLE(), address(administrators)), "proposes");
        assertTrue(timelock.hasRole(timelock.CANCELLER_ROLE(), address(administrators)), "cancels");
        assertEq(administrators.timelock(), address(timelock), "timelock");
    }

    function test_everything_points_to_everything_else() external view {
        assertEq(accounts.authority(), address(authority), "accounts");
        assertEq(consents.authority(), address(authority), "consents");
        assertEq(records.authority(), address(authority), "records");
        assertEq(address(auditLog.ACCOUNTS()), address(accounts), "audit log");
        assertEq(accounts.delaySeconds(), DELAY, "delay");
        (uint32 quota, uint64 open, uint64 review) = consents.emergencyLimits();
        assertTrue(quota == QUOTA && open == OPEN && review == REVIEW, "emergency limits");
        (uint64 pause, uint64 coolDown) = records.pauseLimits();
        assertTrue(pause == PAUSE && coolDown == COOL_DOWN, "pause limits");
    }

    function test_nothing_is_initialised_twice() external {
        bytes4 refusal = Initializable.InvalidInitialization.selector;
        vm.expectRevert(refusal);
        accounts.initialize(address(this), 1, 1, 1);
        vm.expectRevert(refusal);
        consents.initialize(address(this), accounts, 1, 1, 1, 1, 1);
        vm.expectRevert(refusal);
        records.initialize(address(this), accounts, 1, 1);
        Accounts plainAccounts = new Accounts();
        vm.expectRevert(refusal);
        plainAccounts.initialize(address(this), 1, 1, 1);
        Consents plainConsents = new Consents();
        vm.expectRevert(refusal);
        plainConsents.initialize(address(this), accounts, 1, 1, 1, 1, 1);
        Records plainRecords = new Records();
        vm.expectRevert(refusal);
        plainRecords.initialize(address(this), accounts, 1, 1);
    }

    function test_senseless_limits_are_refused() external {
        address implementation = address(new Accounts());
        bytes memory init =
            abi.encodeCall(Accounts.initialize, (address(authority), 0, PAUSE, COOL_DOWN));
        vm.expectRevert(Errors.Accounts_Zero.selector);
        new ERC1967Proxy(implementation, init);
        implementation = address(new Consents());
        uint64[2][3] memory bad = [[uint64(0), 1], [uint64(3 days + 1), 1], [uint64(1), 0]];
        for (uint256 i = 0; i < bad.length; ++i) {
            init = abi.encodeCall(
                Consents.initialize,
                (address(authority), accounts, QUOTA, bad[i][0], bad[i][1], PAUSE, COOL_DOWN)
            );
            vm.expectRevert(
                abi.encodeWithSelector(
                    Errors.Consents_LimitsMalformed.selector, bad[i][0], bad[i][1]
                )
            );
            new ERC1967Proxy(implementation, init);
        }
    }

    function test_a_single_owner_changes_no_role() external {
        vm.startPrank(owners[0]);
        vm.expectRevert();
        authority.grantRole(0, owners[0], 0);
        bytes32 admin = timelock.DEFAULT_ADMIN_ROLE();
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, owners[0], admin
            )
        );
        timelock.grantRole(admin, owners[0]);
        vm.stopPrank();
    }
}
