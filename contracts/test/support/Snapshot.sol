// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Assertions} from "./Assertions.sol";

/// @notice A file that a test owns: compared at each run, or written with SIMDES_WRITE=true.
abstract contract Snapshot is Assertions {
    function _isWriting() internal view returns (bool) {
        return vm.envOr("SIMDES_WRITE", false);
    }

    function _pair(string memory key, string memory value) internal pure returns (string memory) {
        return string.concat('"', key, '": ', value);
    }

    function _text(bytes32 value) internal pure returns (string memory) {
        return string.concat('"', vm.toString(value), '"');
    }

    function _text(bytes memory value) internal pure returns (string memory) {
        return string.concat('"', vm.toString(value), '"');
    }

    function _address(address value) internal pure returns (string memory) {
        return _text(abi.encodePacked(value));
    }

    function _number(uint256 value) internal pure returns (string memory) {
        return vm.toString(value);
    }

    function _texts(bytes32[] memory values) internal pure returns (string memory list) {
        for (uint256 i = 0; i < values.length; ++i) {
            list = string.concat(list, i == 0 ? "" : ", ", _text(values[i]));
        }
        return string.concat("[", list, "]");
    }

    /// Join what is given with commas and line breaks, between braces or brackets.
    function _join(string[] memory parts, string memory open, string memory close)
        internal
        pure
        returns (string memory text)
    {
        for (uint256 i = 0; i < parts.length; ++i) {
            text = string.concat(text, i == 0 ? "\n" : ",\n", parts[i]);
        }
        return string.concat(open, text, "\n", close);
    }
}
