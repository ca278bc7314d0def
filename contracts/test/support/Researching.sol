// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICohortVerifier} from "../../src/interfaces/ICohortVerifier.sol";
import {IStudies} from "../../src/interfaces/IStudies.sol";
import {Member, Network, Person} from "./Network.sol";

/// @notice A verifier that takes every proof whose first word is zero. Real proofs meet the
/// contract in tests/adapters/test_ledger_studies.py.
contract AnyCohort is ICohortVerifier {
    function verifyProof(uint256[8] calldata proof, uint256[6] calldata)
        external
        pure
        returns (bool)
    {
        return proof[0] == 0;
    }
}

/// @notice A research organisation, a board of three in a hospital, and a forger's verifier.
abstract contract Researching is Network {
    Member internal hospital;
    Member internal sponsor;
    Member internal rival;
    Member internal pharmacy;
    Person[3] internal board;
    Person internal insider;
    uint256 internal root;

    function setUp() public virtual override {
        super.setUp();
        hospital = _member("hospital", 1);
        sponsor = _member("sponsor", 4);
        rival = _member("rival", 4);
        pharmacy = _member("pharmacy", 2);
        for (uint256 i = 0; i < 3; ++i) {
            board[i] = _person(hospital, DOCTOR, string.concat("board ", vm.toString(i)));
        }
        insider = _person(sponsor, DOCTOR, "insider");
        vm.etch(address(cohortVerifier), address(new AnyCohort()).code);
        vm.prank(hospital.agent.key);
        statements.insertRoot(2, 1);
        (,, root) = statements.forestOf(2);
    }

    function _approvers() internal view returns (bytes32[] memory named) {
        named = new bytes32[](4);
        for (uint256 i = 0; i < 3; ++i) {
            named[i] = board[i].account;
        }
        named[3] = insider.account;
        for (uint256 i = 1; i < 4; ++i) {
            for (uint256 j = i; j > 0 && named[j] < named[j - 1]; --j) {
                (named[j], named[j - 1]) = (named[j - 1], named[j]);
            }
        }
    }

    function _what(string memory name) internal view returns (IStudies.Registration memory what) {
        what.protocol = _id(name);
        what.purpose = _id("purpose");
        what.terms = _id("terms");
        what.area = _id("area");
        what.collector = sponsor.id;
        what.begins = uint64(block.timestamp);
        what.ends = uint64(block.timestamp + 30 days);
        what.threshold = 2;
        what.approvers = _approvers();
        what.criteria = new uint256[](2);
        (what.criteria[0], what.criteria[1]) = (11, 22);
    }

    function _register(string memory name) internal returns (bytes32 study) {
        IStudies.Registration memory what = _what(name);
        vm.prank(sponsor.agent.key);
        return studies.register(what);
    }

    function _approve(bytes32 study, uint256 who) internal {
        vm.prank(board[who].key);
        studies.approve(study);
    }

    function _running(string memory name) internal returns (bytes32 study) {
        study = _register(name);
        _approve(study, 0);
        _approve(study, 1);
    }

    function _secretOf(uint256 number) internal pure returns (bytes32) {
        return keccak256(abi.encode("participation secret", number));
    }

    function _optIn(bytes32 study, uint256 number) internal returns (bytes32 tag) {
        tag = studies.tagFor(study, _secretOf(number));
        vm.prank(pharmacy.agent.key);
        studies.optIn(study, tag);
    }

    function _members(bytes32[] memory tags) internal pure returns (bytes32[] memory) {
        for (uint256 i = 1; i < tags.length; ++i) {
            for (uint256 j = i; j > 0 && tags[j] < tags[j - 1]; --j) {
                (tags[j], tags[j - 1]) = (tags[j - 1], tags[j]);
            }
        }
        return tags;
    }

    function _one(bytes32 tag) internal pure returns (bytes32[] memory tags) {
        tags = new bytes32[](1);
        tags[0] = tag;
    }

    function _record(bytes32 study, bytes32[] memory members) internal returns (uint32) {
        uint64 until = uint64(block.timestamp + 90 days);
        vm.prank(sponsor.agent.key);
        return studies.recordRelease(study, _id("manifest"), _id("policy"), until, members);
    }

    function _met(uint256 count) internal view returns (IStudies.Met[] memory proofs) {
        proofs = new IStudies.Met[](count);
        for (uint256 i = 0; i < count; ++i) {
            proofs[i].root = root;
        }
    }
}
