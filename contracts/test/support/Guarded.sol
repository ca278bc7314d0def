// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Neighbours} from "./Neighbours.sol";
import {Person} from "./Network.sol";
import {ReferenceTree} from "./ReferenceTree.sol";

/// @notice A hospital with a patient who has five guardians, three of whom act.
abstract contract Guarded is Neighbours {
    uint8 internal constant GUARDIANS = 5;
    uint8 internal constant NEEDED = 3;

    address internal fresh = address(0xF2E5);
    // Guardians in ascending order of address, as proofs must be.
    uint256[] internal guardians;
    bytes32 internal guardiansRoot;

    function setUp() public virtual override {
        super.setUp();
        _chooseGuardians("guardian");
        _appoint(patient);
    }

    function _chooseGuardians(string memory name) internal {
        delete guardians;
        for (uint256 i = 0; i < GUARDIANS; ++i) {
            guardians.push(_secret(name, i));
            for (uint256 j = i; j > 0; --j) {
                if (vm.addr(guardians[j]) >= vm.addr(guardians[j - 1])) break;
                (guardians[j], guardians[j - 1]) = (guardians[j - 1], guardians[j]);
            }
        }
        guardiansRoot = ReferenceTree.root(_leaves());
    }

    function _appoint(Person memory person) internal {
        vm.prank(person.key);
        accounts.setGuardians(guardiansRoot, GUARDIANS, NEEDED);
        _pass(DELAY);
        accounts.completeGuardians(person.account);
    }

    function _salt(uint256 index) internal pure returns (bytes32) {
        return keccak256(abi.encode("guardian salt", index));
    }

    function _leaves() internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](GUARDIANS);
        for (uint256 i = 0; i < GUARDIANS; ++i) {
            bytes32 guardian = bytes32(uint256(uint160(vm.addr(guardians[i]))));
            leaves[i] = keccak256(abi.encodePacked(hex"03", _salt(i), guardian));
        }
    }

    /// Proofs by the first `count` guardians over a digest.
    function _proofs(bytes32 digest, uint256 count)
        internal
        view
        returns (IAccounts.GuardianProof[] memory proofs)
    {
        bytes32[] memory leaves = _leaves();
        proofs = new IAccounts.GuardianProof[](count);
        for (uint256 i = 0; i < count; ++i) {
            proofs[i] = IAccounts.GuardianProof({
                salt: _salt(i),
                index: i,
                path: ReferenceTree.path(leaves, i),
                signature: _sign(guardians[i], digest)
            });
        }
    }

    function _nonce(Person memory person) internal view returns (uint256) {
        return accounts.account(person.account).guardianNonce;
    }

    function _freeze(Person memory person) internal {
        uint256 deadline = block.timestamp + 1 hours;
        bytes32 digest = _freezeDigest(person.account, _nonce(person), deadline);
        accounts.freeze(person.account, deadline, _proofs(digest, NEEDED));
    }

    function _recover(Person memory person, address key) internal {
        uint256 deadline = block.timestamp + 1 hours;
        bytes32 digest = _recoverDigest(person.account, key, _nonce(person), deadline);
        accounts.recover(person.account, key, deadline, _proofs(digest, NEEDED));
    }

    function _recoverAttested(Person memory person, address key) internal {
        uint256 deadline = block.timestamp + 1 hours;
        bytes32 digest = _attestRecoveryDigest(person.account, key, _nonce(person), deadline);
        accounts.recoverAttested(
            person.account,
            key,
            deadline,
            _both(_sign(hospital.agent.secret, digest), _sign(clinic.agent.secret, digest))
        );
    }
}
