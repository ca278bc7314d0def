// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

import {Accounts} from "../../src/Accounts.sol";
import {Consents} from "../../src/Consents.sol";
import {Records} from "../../src/Records.sol";
import {IAdministrators} from "../../src/interfaces/IAdministrators.sol";
import {IConsents} from "../../src/interfaces/IConsents.sol";
import {IRecords} from "../../src/interfaces/IRecords.sol";
import {Guarded} from "../support/Guarded.sol";
import {Network, Person} from "../support/Network.sol";
import {ReferenceTree} from "../support/ReferenceTree.sol";
import {Signing} from "../support/Signing.sol";

/// The next versions: a new verb each, over the same storage.
contract AccountsNext is Accounts {
    function version() external pure returns (uint256) {
        return 2;
    }
}

contract ConsentsNext is Consents {
    function version() external pure returns (uint256) {
        return 2;
    }
}

contract RecordsNext is Records {
    function version() external pure returns (uint256) {
        return 2;
    }
}

/// upgradeToAndCall
/// ├── caller is not the timelock, all owners together included: refused
/// ├── before the delay: refused; visible from the first moment
/// ├── cancelled by an owner: never happens
/// └── after the delay: new code, every read as before, storage outside the namespaces untouched
contract UpgradeTest is Guarded, Signing {
    struct Read {
        address target;
        bytes data;
    }

    bytes32 private constant IMPLEMENTATION =
        0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;

    bytes32 private tag;
    bytes32 private batchId;
    bytes32[] private leaves;
    Read[] private reads;
    Person private doctor;

    function setUp() public override(Guarded, Network) {
        super.setUp();
        _fill();
        _list();
    }

    /// Something in every mapping of the three contracts.
    function _fill() private {
        doctor = _person(clinic, DOCTOR, "doctor");
        tag = _vault(hospital, "vault");
        _claim(tag, patient, hospital, clinic);
        _recover(patient, fresh);
        vm.startPrank(patient.key);
        accounts.vetoRecovery();
        accounts.rotateKey(fresh);
        accounts.setGuardians(_id("others"), 2, 1);
        consents.grant(tag, _id("grant"), _id("commitment"), _id("pointer"));
        consents.grant(tag, _id("revoked"), _id("commitment"), _id("pointer"));
        consents.revoke(tag, _id("revoked"));
        consents.revokeAll(tag);
        vm.stopPrank();
        _revokeSigned();
        _rotateSigned();
        vm.prank(doctor.key);
        consents.openEmergency(tag, _id("emergency"), _id("reason"));
        vm.prank(clinic.administrator.key);
        consents.reviewEmergency(tag, _id("emergency"), 1);
        for (uint256 i = 0; i < 5; ++i) {
            leaves.push(keccak256(abi.encode("leaf", i)));
        }
        bytes32 root = ReferenceTree.root(leaves);
        vm.startPrank(hospital.agent.key);
        batchId = records.anchor(root, 5, hex"0155");
        records.supersede(_leaf(0), _leaf(1));
        records.erase(_leaf(2));
        auditLog.append(1, 0, root, 5);
        vm.stopPrank();
        _freeze(patient);
        _recover(patient, fresh);
    }

    function _revokeSigned() private {
        bytes32 kind =
            keccak256("RevokeAll(bytes32 tag,uint64 generation,uint256 nonce,uint256 deadline)");
        bytes32 digest = _consentsTyped(
            keccak256(abi.encode(kind, tag, uint64(1), uint256(77), block.timestamp))
        );
        consents.revokeAllBySig(
            tag,
            1,
            IConsents.Permit({
                nonce: 77, deadline: block.timestamp, signature: _sign(patient.secret, digest)
            })
        );
    }

    function _rotateSigned() private {
        bytes32 id = patient.account;
        accounts.rotateKeyBySig(
            id, fresh, _permitOf(patient.secret, id, _rotateKey(fresh), 0, block.timestamp)
        );
    }

    function _leaf(uint256 index) private view returns (IRecords.Leaf memory) {
        return IRecords.Leaf({
            batchId: batchId,
            leaf: leaves[index],
            index: index,
            path: ReferenceTree.path(leaves, index)
        });
    }

    function _read(address target, bytes memory data) private {
        reads.push(Read(target, data));
    }

    /// Every view function of every contract, on what was filled in.
    function _list() private {
        address a = address(accounts);
        bytes32[3] memory people = [patient.account, doctor.account, hospital.agent.account];
        address[3] memory keys = [patient.key, doctor.key, fresh];
        for (uint256 i = 0; i < 3; ++i) {
            _read(a, abi.encodeCall(accounts.account, (people[i])));
            _read(a, abi.encodeCall(accounts.pendingRotation, (people[i])));
            _read(a, abi.encodeCall(accounts.pendingGuardians, (people[i])));
            _read(a, abi.encodeCall(accounts.pendingRecovery, (people[i])));
            _read(a, abi.encodeCall(accounts.ownerNonce, (people[i])));
            _read(a, abi.encodeCall(accounts.accountOf, (keys[i])));
            _read(a, abi.encodeCall(accounts.holderOf, (keys[i])));
            _read(a, abi.encodeCall(accounts.isActive, (keys[i])));
            _read(a, abi.encodeCall(accounts.standing, (keys[i])));
        }
        _read(a, abi.encodeCall(accounts.organisation, (hospital.id)));
        _read(a, abi.encodeCall(accounts.organisation, (clinic.id)));
        _read(a, abi.encodeCall(accounts.vault, (tag)));
        _read(a, abi.encodeCall(accounts.delaySeconds, ()));
        _read(a, abi.encodeCall(accounts.pauseLimits, ()));
        _read(a, abi.encodeCall(accounts.authority, ()));
        _read(a, abi.encodeCall(accounts.eip712Domain, ()));
        _listConsents(address(consents));
        _listRecords(address(records));
    }

    function _listConsents(address c) private {
        bytes32[3] memory handles = [_id("grant"), _id("revoked"), _id("emergency")];
        for (uint256 i = 0; i < 3; ++i) {
            _read(c, abi.encodeCall(consents.consent, (tag, handles[i])));
            _read(c, abi.encodeCall(consents.emergency, (tag, handles[i])));
            IConsents.Terms memory terms;
            IConsents.Request memory request;
            (request.vault, request.actor, request.purpose) = (tag, doctor.key, 4);
            request.time = uint64(block.timestamp);
            _read(c, abi.encodeCall(consents.isAllowed, (handles[i], terms, 0, request)));
        }
        _read(c, abi.encodeCall(consents.generation, (tag)));
        _read(c, abi.encodeCall(consents.isNonceUsed, (tag, 77)));
        _read(c, abi.encodeCall(consents.emergenciesOn, (clinic.id, uint64(START / 1 days))));
        _read(
            c, abi.encodeCall(consents.emergenciesOn, (clinic.id, uint64(block.timestamp / 1 days)))
        );
        _read(c, abi.encodeCall(consents.emergencyLimits, ()));
        _read(c, abi.encodeCall(consents.pauseLimits, ()));
        _read(c, abi.encodeCall(consents.authority, ()));
        _read(c, abi.encodeCall(consents.eip712Domain, ()));
    }

    function _listRecords(address r) private {
        _read(r, abi.encodeCall(records.batch, (batchId)));
        for (uint256 i = 0; i < 3; ++i) {
            IRecords.Leaf memory at = _leaf(i);
            _read(r, abi.encodeCall(records.status, (hospital.id, at.leaf)));
            _read(r, abi.encodeCall(records.verify, (batchId, at.leaf, at.index, at.path)));
        }
        _read(r, abi.encodeCall(records.pauseLimits, ()));
        _read(r, abi.encodeCall(records.authority, ()));
        _read(address(auditLog), abi.encodeCall(auditLog.head, (hospital.id)));
        _read(address(auditLog), abi.encodeCall(auditLog.entryAt, (hospital.id, 1)));
    }

    function _snapshot() private view returns (bytes32[] memory answers) {
        answers = new bytes32[](reads.length);
        for (uint256 i = 0; i < reads.length; ++i) {
            (bool done, bytes memory answer) = reads[i].target.staticcall(reads[i].data);
            assertTrue(done, "a read failed");
            answers[i] = keccak256(answer);
        }
    }

    function _upgradeCall(address implementation) private pure returns (bytes memory) {
        return abi.encodeCall(UUPSUpgradeable.upgradeToAndCall, (implementation, ""));
    }

    function _upgrade(address proxy, address implementation) private {
        bytes memory call = _upgradeCall(implementation);
        _schedule(proxy, call);
        vm.warp(block.timestamp + TIMELOCK);
        timelock.execute(proxy, 0, call, 0, 0);
        bytes32 now_ = vm.load(proxy, IMPLEMENTATION);
        assertEq(address(uint160(uint256(now_))), implementation, "implementation slot");
    }

    function test_every_read_is_the_same_after_an_upgrade() external {
        bytes32[] memory before = _snapshot();
        _upgrade(address(accounts), address(new AccountsNext()));
        _upgrade(address(consents), address(new ConsentsNext()));
        _upgrade(address(records), address(new RecordsNext()));
        assertEq(AccountsNext(address(accounts)).version(), 2, "accounts");
        assertEq(ConsentsNext(address(consents)).version(), 2, "consents");
        assertEq(RecordsNext(address(records)).version(), 2, "records");
        bytes32[] memory afterwards = _snapshot();
        for (uint256 i = 0; i < before.length; ++i) {
            assertEq(afterwards[i], before[i], string.concat("read ", vm.toString(i)));
        }
    }

    function test_the_new_version_goes_on_where_the_old_one_stopped() external {
        _upgrade(address(accounts), address(new AccountsNext()));
        accounts.completeRecovery(patient.account);
        assertTrue(accounts.isActive(fresh), "recovered");
        vm.prank(fresh);
        consents.grant(tag, _id("later"), _id("c"), _id("p"));
        assertEq(consents.consent(tag, _id("later")).generation, 2, "generation kept");
    }

    function test_nobody_but_the_timelock_upgrades() external {
        address next = address(new AccountsNext());
        address[4] memory callers =
            [owners[0], address(administrators), hospital.administrator.key, address(this)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.startPrank(callers[i]);
            bytes memory refusal = abi.encodeWithSelector(
                IAccessManaged.AccessManagedUnauthorized.selector, callers[i]
            );
            vm.expectRevert(refusal);
            accounts.upgradeToAndCall(next, "");
            vm.expectRevert(refusal);
            consents.upgradeToAndCall(next, "");
            vm.expectRevert(refusal);
            records.upgradeToAndCall(next, "");
            vm.stopPrank();
        }
    }

    function testFuzz_an_upgrade_waits_visibly(uint256 early) external {
        bytes memory call = _upgradeCall(address(new AccountsNext()));
        bytes32 operation = _schedule(address(accounts), call);
        assertTrue(timelock.isOperationPending(operation), "visible");
        vm.warp(block.timestamp + bound(early, 0, TIMELOCK - 1));
        vm.expectPartialRevert(TimelockController.TimelockUnexpectedOperationState.selector);
        timelock.execute(address(accounts), 0, call, 0, 0);
    }

    function test_an_owner_cancels_a_waiting_upgrade() external {
        bytes memory call = _upgradeCall(address(new AccountsNext()));
        bytes32 operation = _schedule(address(accounts), call);
        vm.expectEmit(address(administrators));
        emit IAdministrators.VetoRaised(operation, owners[2], true);
        vm.prank(owners[2]);
        administrators.veto(operation);
        assertFalse(timelock.isOperation(operation), "gone");
        vm.warp(block.timestamp + TIMELOCK);
        vm.expectPartialRevert(TimelockController.TimelockUnexpectedOperationState.selector);
        timelock.execute(address(accounts), 0, call, 0, 0);
    }

    function test_a_veto_of_two_needs_two() external {
        address[] memory list = administrators.members();
        vm.prank(address(timelock));
        administrators.setMembers(list, 2, 2);
        bytes32 operation = _schedule(address(accounts), _upgradeCall(address(new AccountsNext())));
        vm.prank(owners[2]);
        administrators.veto(operation);
        assertTrue(timelock.isOperationPending(operation), "still waiting");
        vm.prank(owners[1]);
        administrators.veto(operation);
        assertFalse(timelock.isOperation(operation), "gone");
    }

    function test_what_does_not_wait_is_not_cancelled() external {
        vm.expectPartialRevert(TimelockController.TimelockUnexpectedOperationState.selector);
        vm.prank(owners[2]);
        administrators.veto(_id("no operation"));
    }

    function test_state_lies_in_the_namespaces_alone() external view {
        address[3] memory proxies = [address(accounts), address(consents), address(records)];
        for (uint256 i = 0; i < proxies.length; ++i) {
            for (uint256 slot = 0; slot < 256; ++slot) {
                assertEq(vm.load(proxies[i], bytes32(slot)), 0, "a plain slot is in use");
            }
        }
    }
}
