// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

// Others' contracts that are deployed as they are (contracts/DEPLOY.md). Naming them here
// makes one compile, with one set of options, cover everything that is deployed.
// solhint-disable no-unused-import
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {PoseidonT3} from "poseidon-solidity/PoseidonT3.sol";
import {PoseidonT4} from "poseidon-solidity/PoseidonT4.sol";
