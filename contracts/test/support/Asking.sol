// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IConsents} from "../../src/interfaces/IConsents.sol";
import {Neighbours} from "./Neighbours.sol";
import {Person} from "./Network.sol";

/// @notice A hospital's patient in control of a vault, a doctor and a nurse elsewhere who ask, and
/// a request and terms that are allowed, from which each test takes one thing away.
abstract contract Asking is Neighbours {
    uint8 internal constant TREAT = 0;
    uint8 internal constant ETREAT = 4;
    uint8 internal constant PATRQT = 5;
    uint8 internal constant OBSERVATIONS = 3;

    Person internal doctor;
    Person internal nurse;
    bytes32 internal tag;
    bytes32 internal handle = keccak256("handle");
    bytes32 internal salt = keccak256("salt");
    bytes32 internal pointer = keccak256("pointer");

    function setUp() public virtual override {
        super.setUp();
        doctor = _person(clinic, DOCTOR, "doctor");
        nurse = _person(clinic, NURSE, "nurse");
        tag = _vault(hospital, "vault");
        _claim(tag, patient, hospital, clinic);
    }

    function _terms() internal view returns (IConsents.Terms memory terms) {
        terms.granteeKind = 1;
        terms.grantee = doctor.account;
        terms.categories = uint64(1) << OBSERVATIONS;
        terms.purposes = uint16(1) << TREAT;
        terms.notBefore = uint64(block.timestamp);
        terms.expiry = uint64(block.timestamp) + 30 days;
    }

    function _request() internal view returns (IConsents.Request memory request) {
        request.vault = tag;
        request.record = keccak256("record");
        request.actor = doctor.key;
        request.category = OBSERVATIONS;
        request.purpose = TREAT;
        request.time = uint64(block.timestamp);
    }

    function _commitment(IConsents.Terms memory terms) internal view returns (bytes32) {
        return keccak256(
            bytes.concat(
                abi.encode(salt, terms.granteeKind, terms.grantee, terms.granteeRole),
                abi.encode(terms.categories, terms.labels, terms.purposes, terms.notBefore),
                abi.encode(terms.expiry, terms.records, terms.condition, terms.conditionId)
            )
        );
    }

    function _grant(IConsents.Terms memory terms) internal {
        bytes32 commitment = _commitment(terms);
        vm.prank(patient.key);
        consents.grant(tag, handle, commitment, pointer);
    }

    function _ask(IConsents.Terms memory terms, IConsents.Request memory request)
        internal
        view
        returns (IConsents.Reason)
    {
        (bool allowed, IConsents.Reason reason) = consents.isAllowed(handle, terms, salt, request);
        assertEq(allowed, reason == IConsents.Reason.Allowed, "flag and reason agree");
        return reason;
    }

    function _expect(
        IConsents.Terms memory terms,
        IConsents.Request memory request,
        IConsents.Reason reason
    ) internal view {
        assertEq(uint256(_ask(terms, request)), uint256(reason), "reason");
    }

    function _grantDigest(bytes32 h, bytes32 c, uint64 generation, uint256 nonce, uint256 deadline)
        internal
        view
        returns (bytes32)
    {
        bytes32 kind = keccak256(
            "Grant(bytes32 tag,bytes32 handle,bytes32 commitment,bytes32 pointer,uint64 generation,uint256 nonce,uint256 deadline)"
        );
        return _consentsTyped(
            keccak256(abi.encode(kind, tag, h, c, pointer, generation, nonce, deadline))
        );
    }

    function _revokeDigest(bytes32 h, uint256 nonce, uint256 deadline)
        internal
        view
        returns (bytes32)
    {
        bytes32 kind =
            keccak256("Revoke(bytes32 tag,bytes32 handle,uint256 nonce,uint256 deadline)");
        return _consentsTyped(keccak256(abi.encode(kind, tag, h, nonce, deadline)));
    }

    function _revokeAllDigest(uint64 generation, uint256 nonce, uint256 deadline)
        internal
        view
        returns (bytes32)
    {
        bytes32 kind = keccak256(
            "RevokeAll(bytes32 tag,uint64 generation,uint256 nonce,uint256 deadline)"
        );
        return _consentsTyped(keccak256(abi.encode(kind, tag, generation, nonce, deadline)));
    }

    function _permit(uint256 secret, bytes32 digest, uint256 nonce, uint256 deadline)
        internal
        pure
        returns (IConsents.Permit memory)
    {
        return
            IConsents.Permit({nonce: nonce, deadline: deadline, signature: _sign(secret, digest)});
    }
}
