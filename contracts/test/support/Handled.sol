// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Assertions} from "./Assertions.sol";
import {FuzzSelector} from "./Vm.sol";

/// @notice An invariant test with one handler: tells forge which of its functions to call.
abstract contract Handled is Assertions {
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = _handler();
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(_handler(), _verbs());
    }

    function _handler() internal view virtual returns (address);

    function _verbs() internal view virtual returns (bytes4[] memory);
}
