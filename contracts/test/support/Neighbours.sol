// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Member, Network, Person} from "./Network.sol";

/// @notice Two verified organisations and a patient of the first.
abstract contract Neighbours is Network {
    Member internal hospital;
    Member internal clinic;
    Person internal patient;

    function setUp() public virtual override {
        super.setUp();
        hospital = _member("hospital", 1);
        clinic = _member("clinic", 1);
        patient = _person(hospital, PATIENT, "patient");
    }
}
