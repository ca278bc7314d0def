// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice The cheat code of halmos that these proofs use (https://github.com/a16z/halmos).
interface Svm {
    function enableSymbolicStorage(address where) external;
}

/// @notice The cheat codes of forge that these proofs use, which halmos has too.
interface HalmosVm {
    function assume(bool condition) external pure;
    function prank(address caller) external;
}

/// @notice What is proved here holds of any state: storage isn't what some calls made of it but any
/// at all, so that one call more stands for every number and order of calls (induction).
/// Run by tools/prove_contracts.py.
abstract contract Symbolic {
    HalmosVm internal constant vm =
        HalmosVm(address(uint160(uint256(keccak256("hevm cheat code")))));
    Svm internal constant svm = Svm(address(uint160(uint256(keccak256("svm cheat code")))));

    /// The call succeeded or not; what it returned is of no interest.
    function _try(address who, address target, bytes memory data) internal returns (bool done) {
        vm.prank(who);
        (done,) = target.call(data);
    }
}
