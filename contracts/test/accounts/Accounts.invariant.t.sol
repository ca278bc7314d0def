// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {AccountsHandler} from "../support/AccountsHandler.sol";
import {Handled} from "../support/Handled.sol";

/// Any order of any calls: only active accounts act, keys change late and by the two verbs alone,
/// a key never changes hands, a vault is set once, a veto counts once per guardian set; and the
/// whole state can be rebuilt from events.
contract AccountsInvariantTest is Handled {
    AccountsHandler private handler;

    function setUp() external {
        handler = new AccountsHandler();
        handler.setUp();
    }

    function _handler() internal view override returns (address) {
        return address(handler);
    }

    function _verbs() internal view override returns (bytes4[] memory verbs) {
        verbs = new bytes4[](15);
        verbs[0] = handler.pass.selector;
        verbs[1] = handler.judge.selector;
        verbs[2] = handler.govern.selector;
        verbs[3] = handler.restore.selector;
        verbs[4] = handler.describe.selector;
        verbs[5] = handler.rotate.selector;
        verbs[6] = handler.cancel.selector;
        verbs[7] = handler.appoint.selector;
        verbs[8] = handler.complete.selector;
        verbs[9] = handler.freezeThem.selector;
        verbs[10] = handler.recoverThem.selector;
        verbs[11] = handler.veto.selector;
        verbs[12] = handler.open.selector;
        verbs[13] = handler.claim.selector;
        verbs[14] = handler.sign.selector;
    }

    function invariant_accounts_hold_and_events_tell_all() external view {
        handler.check();
    }

    /// The invariants would hold of a handler that achieves nothing; this one achieves everything.
    function test_every_verb_succeeds_in_some_order() external {
        bytes4[] memory verbs = _verbs();
        for (uint256 i = 0; i < 1000; ++i) {
            bytes32[3] memory word;
            for (uint256 j = 0; j < 3; ++j) {
                word[j] = keccak256(abi.encode("step", i, j));
            }
            bytes4 verb = verbs[uint256(keccak256(abi.encode("verb", i))) % verbs.length];
            word[1] = _fold(verb, 1, word[1]);
            word[2] = _fold(verb, 2, word[2]);
            (bool done,) = address(handler).call(abi.encodePacked(verb, word));
            assertTrue(done, "the handler itself never reverts");
        }
        handler.check();
        bytes4[22] memory reached = [
            IAccounts.verify.selector,
            IAccounts.suspend.selector,
            IAccounts.verifyOrganisation.selector,
            IAccounts.suspendOrganisation.selector,
            IAccounts.setDescriptor.selector,
            IAccounts.rotateKey.selector,
            IAccounts.cancelRotation.selector,
            IAccounts.completeRotation.selector,
            IAccounts.setGuardians.selector,
            IAccounts.completeGuardians.selector,
            IAccounts.freeze.selector,
            IAccounts.recover.selector,
            IAccounts.recoverAttested.selector,
            IAccounts.vetoRecovery.selector,
            IAccounts.completeRecovery.selector,
            IAccounts.openVault.selector,
            IAccounts.setVault.selector,
            IAccounts.rotateKeyBySig.selector,
            IAccounts.cancelRotationBySig.selector,
            IAccounts.setGuardiansBySig.selector,
            IAccounts.cancelGuardiansBySig.selector,
            IAccounts.vetoRecoveryBySig.selector
        ];
        for (uint256 i = 0; i < reached.length; ++i) {
            assertTrue(
                handler.successes(reached[i]) > 0,
                string.concat("never succeeded: ", vm.toString(bytes32(reached[i])))
            );
        }
    }

    /// Second and third words that are flags must be 0 or 1.
    function _fold(bytes4 verb, uint256 place, bytes32 word) private view returns (bytes32) {
        bool flag = place == 2
            ? verb == handler.judge.selector || verb == handler.recoverThem.selector
            : verb == handler.govern.selector || verb == handler.cancel.selector
                || verb == handler.appoint.selector || verb == handler.veto.selector;
        return flag ? bytes32(uint256(word) % 2) : word;
    }
}
