// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IClaimBook} from "../../src/interfaces/IClaimBook.sol";
import {IClaims} from "../../src/interfaces/IClaims.sol";
import {Member, Network} from "./Network.sol";

/// @notice A verifier of any number of inputs that takes every proof but those that begin with a
/// number: what holds with it holds against any forger. Real proofs meet the contracts in
/// tests/adapters/test_ledger_claims.py.
contract Believer {
    fallback() external {
        assembly ("memory-safe") {
            mstore(0, iszero(calldataload(4)))
            return(0, 32)
        }
    }
}

/// @notice Two hospitals that claim, two insurers that pay, and a forger's verifiers.
abstract contract Claiming is Network {
    uint8 internal constant ENCOUNTER = 3;
    uint8 internal constant APPROVED = 5;
    uint8 internal constant PARTLY = 6;
    uint8 internal constant DENIED = 7;
    uint256 internal constant TAG = 77;

    Member internal hospital;
    Member internal clinic;
    Member internal insurer;
    Member internal other;
    uint256 internal root;

    function setUp() public virtual override {
        super.setUp();
        hospital = _member("hospital", 1);
        clinic = _member("clinic", 1);
        insurer = _member("insurer", 3);
        other = _member("other insurer", 3);
        bytes memory code = address(new Believer()).code;
        vm.etch(address(claimVerifier), code);
        vm.etch(address(settleVerifier), code);
        vm.etch(address(freeVerifier), code);
        vm.startPrank(hospital.agent.key);
        statements.insertRoot(ENCOUNTER, 1);
        claims.enrol(11);
        vm.stopPrank();
        vm.prank(clinic.agent.key);
        claims.enrol(12);
        (,, root) = statements.forestOf(ENCOUNTER);
    }

    function _opening(uint256 tag, Member memory payer, uint256 before, uint256 afterwards)
        internal
        view
        returns (IClaims.Opening memory opening)
    {
        opening.root = root;
        opening.tag = tag;
        opening.payer = payer.id;
        (opening.before, opening.afterwards) = (before, afterwards);
        opening.claimed = afterwards ^ 0xC1A1;
        opening.voice = keccak256(abi.encode(keccak256(abi.encode(_id("secret")))));
    }

    function _open(Member memory who, uint256 tag, Member memory payer, uint256 before)
        internal
        returns (uint256)
    {
        vm.prank(who.agent.key);
        return claims.open(_opening(tag, payer, before, before + 1));
    }

    function _noProof() internal pure returns (uint256[8] memory proof) {}

    function _as(Member memory who) internal {
        vm.prank(who.agent.key);
    }

    function _state(uint256 claim) internal view returns (uint8) {
        return claims.claimOf(claim).state;
    }

    /// A claim that the insurer has.
    function _received(uint256 tag) internal returns (uint256 claim) {
        claim = _open(hospital, tag, insurer, claims.totalOf(tag));
        _as(hospital);
        claims.disclose(claim);
        _as(insurer);
        claims.acknowledge(claim);
    }

    function _decided(uint256 tag, uint8 outcome) internal returns (uint256 claim) {
        claim = _received(tag);
        _decide(claim, outcome);
    }

    function _decide(uint256 claim, uint8 outcome) internal {
        _as(insurer);
        claims.adjudicate(claim, outcome, outcome == DENIED ? 0 : 500, _id("reason"), _noProof());
    }

    function _paid(uint256 tag) internal returns (uint256 claim) {
        claim = _decided(tag, APPROVED);
        _as(insurer);
        claims.settle(claim, 600, true, _noProof());
    }

    function _claim(uint256 claim) internal view returns (IClaimBook.Claim memory) {
        return claims.claimOf(claim);
    }
}
