// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Child: what a contract makes
contract Child {
    uint256 public age = 1;
}

/// @title Probe: what the ledger adapters' suite needs of a contract, and nothing of SIMDES
contract Probe {
    /// The caller asked for it.
    error Refused(uint256 number, bytes note);
    /// A value was set.
    event Set(address indexed by, uint256 indexed key, uint256 value);

    mapping(uint256 key => uint256 value) public valueOf;
    uint256 public count;
    Child public child;

    function set(uint256 key, uint256 value) external {
        valueOf[key] = value;
        ++count;
        emit Set(msg.sender, key, value);
    }

    /// Refuses unless `number` is the present count: passes a simulation, fails in a later block.
    function setOnce(uint256 number) external {
        if (number != count) revert Refused(number, "not the count");
        ++count;
        emit Set(msg.sender, number, number);
    }

    function refuse(uint256 number) external pure {
        revert Refused(number, "as asked");
    }

    function exhaust() external {
        while (true) ++count;
    }

    function spawn() external {
        child = new Child();
    }

    function surroundings() external view returns (uint256 chain, uint256 time, address caller) {
        return (block.chainid, block.timestamp, msg.sender);
    }
}
