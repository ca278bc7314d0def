// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDispenseVerifier} from "../../src/interfaces/IDispenseVerifier.sol";
import {IPrescriptions} from "../../src/interfaces/IPrescriptions.sol";
import {Member, Network} from "./Network.sol";

/// @notice A verifier that takes every proof: what holds with it holds against any forger. Real
/// proofs meet the contracts in tests/adapters/test_ledger_prescriptions.py.
contract AnyProof is IDispenseVerifier {
    function verifyProof(uint256[8] calldata proof, uint256[5] calldata)
        external
        pure
        returns (bool)
    {
        return proof[0] == 0;
    }
}

/// @notice A hospital that issues, two pharmacies that dispense, and a forger's verifier.
abstract contract Dispensing is Network {
    uint8 internal constant PRESCRIPTION = 1;
    uint8 internal constant FACT = 2;

    Member internal hospital;
    Member internal pharmacy;
    Member internal rival;
    Member internal insurer;
    uint256 internal root;

    function setUp() public virtual override {
        super.setUp();
        hospital = _member("hospital", 1);
        pharmacy = _member("pharmacy", 2);
        rival = _member("rival", 2);
        insurer = _member("insurer", 3);
        vm.etch(address(dispenseVerifier), address(new AnyProof()).code);
        root = _insert(hospital, PRESCRIPTION, 1);
    }

    function _insert(Member memory member, uint8 kind, uint256 batchRoot)
        internal
        returns (uint256 newest)
    {
        vm.prank(member.agent.key);
        statements.insertRoot(kind, batchRoot);
        (,, newest) = statements.forestOf(kind);
    }

    function _step(uint256 tag, uint16 partBefore, uint16 partAfter)
        internal
        view
        returns (IPrescriptions.Step memory step)
    {
        step.root = root;
        step.tag = tag;
        (step.partBefore, step.partAfter) = (partBefore, partAfter);
        step.begins = partBefore == 0 && partAfter != 0;
    }

    function _dispense(Member memory member, uint256 tag, uint16 before, uint16 afterwards)
        internal
    {
        vm.prank(member.agent.key);
        prescriptions.dispense(_step(tag, before, afterwards));
    }

    function _bind(Member memory member, uint256 tag, uint16 part) internal {
        vm.prank(member.agent.key);
        prescriptions.bindPharmacy(_step(tag, part, part));
    }

    function _release(Member memory member, uint256 tag, uint16 part) internal {
        vm.prank(member.agent.key);
        prescriptions.releasePharmacy(_step(tag, part, part));
    }
}
