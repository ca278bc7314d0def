// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claims} from "../../src/Claims.sol";
import {IClaimBook} from "../../src/interfaces/IClaimBook.sol";
import {Prescriptions} from "../../src/Prescriptions.sol";
import {Studies} from "../../src/Studies.sol";
import {IStudies} from "../../src/interfaces/IStudies.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {Asking} from "../support/Asking.sol";
import {Member, Network} from "../support/Network.sol";
import {Signing} from "../support/Signing.sol";

/// Where every field lies. A version that moves one would read garbage after an upgrade, so this
/// test pins the slots: append fields at the end of a struct, never reorder, and extend this test.
contract StorageLayoutTest is Asking, Signing {
    function setUp() public override(Asking, Network) {
        Asking.setUp();
    }

    function _base(string memory name) private pure returns (uint256) {
        // ERC-7201.
        uint256 hash = uint256(keccak256(abi.encodePacked(name))) - 1;
        return uint256(keccak256(abi.encode(hash)) & ~bytes32(uint256(0xff)));
    }

    function _under(bytes32 key, uint256 slot) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(key, slot)));
    }

    function _at(address target, uint256 slot) private view returns (uint256) {
        return uint256(vm.load(target, bytes32(slot)));
    }

    function test_accounts() external {
        address a = address(accounts);
        uint256 base = _base("simdes.accounts");
        assertEq(_at(a, base), DELAY, "0 delaySeconds");
        uint256 slot = _under(hospital.id, base + 1);
        assertEq(uint8(_at(a, slot)), 1, "1 organisations: kind");
        assertEq(uint8(_at(a, slot) >> 8), 2, "1 organisations: state");
        assertEq(uint64(_at(a, slot) >> 16), START, "1 organisations: since");
        assertEq(_at(a, slot + 1), uint256(keccak256("hospital")), "1: descriptor");
        assertEq(_at(a, slot + 2), uint256(hospital.administrator.account), "1: first");
        slot = _under(patient.account, base + 2);
        assertEq(_at(a, slot), uint256(hospital.id), "2 accounts: organisation");
        assertEq(address(uint160(_at(a, slot + 1))), patient.key, "2 accounts: key");
        assertEq(uint8(_at(a, slot + 1) >> 160), PATIENT, "2 accounts: role");
        assertEq(uint8(_at(a, slot + 1) >> 168), 2, "2 accounts: state");
        assertEq(uint64(_at(a, slot + 1) >> 192), START, "2 accounts: since");
        slot = _under(bytes32(uint256(uint160(patient.key))), base + 3);
        assertEq(_at(a, slot), uint256(patient.account), "3 holders");
        vm.startPrank(patient.key);
        accounts.rotateKey(address(0xF2E5));
        accounts.setGuardians(_id("root"), 3, 2);
        vm.stopPrank();
        slot = _under(patient.account, base + 4);
        assertEq(address(uint160(_at(a, slot))), address(0xF2E5), "4 rotations");
        slot = _under(patient.account, base + 5);
        assertEq(_at(a, slot), uint256(_id("root")), "5 guardianSets: root");
        assertEq(uint8(_at(a, slot + 1)), 3, "5 guardianSets: count");
        assertEq(uint8(_at(a, slot + 1) >> 8), 2, "5 guardianSets: threshold");
        slot = _under(tag, base + 7);
        assertEq(_at(a, slot), uint256(hospital.id), "7 vaults: organisation");
        assertEq(_at(a, slot + 2), uint256(patient.account), "7 vaults: control");
        assertEq(uint32(_at(a, slot + 3) >> 16), 1, "7 vaults: epoch");
    }

    function test_accounts_recoveries_and_guardians() external {
        address a = address(accounts);
        uint256 base = _base("simdes.accounts");
        uint256 deadline = block.timestamp;
        bytes32 digest = _attestRecoveryDigest(patient.account, address(0xF2E5), 0, deadline);
        bytes[] memory attestations =
            _both(_sign(hospital.agent.secret, digest), _sign(clinic.agent.secret, digest));
        accounts.recoverAttested(patient.account, address(0xF2E5), deadline, attestations);
        uint256 word = _at(a, _under(patient.account, base + 6));
        assertEq(address(uint160(word)), address(0xF2E5), "6 recoveries: key");
        assertEq(uint64(word >> 160), START + DELAY, "6 recoveries: readyAt");
        assertEq(uint8(word >> 224), 1, "6 recoveries: attested");
        vm.prank(patient.key);
        accounts.setGuardians(_id("root"), 3, 2);
        _pass(DELAY);
        accounts.completeGuardians(patient.account);
        uint256 slot = _under(patient.account, base + 2);
        assertEq(uint32(_at(a, slot + 2)), 1, "2 accounts: guardianNonce");
        assertEq(uint8(_at(a, slot + 2) >> 32), 3, "2 accounts: guardianCount");
        assertEq(uint8(_at(a, slot + 2) >> 40), 2, "2 accounts: guardianThreshold");
        assertEq(_at(a, slot + 3), uint256(_id("root")), "2 accounts: guardiansRoot");
    }

    function test_accounts_owners_nonces() external {
        bytes32 id = patient.account;
        bytes memory verb = _rotateKey(address(0xF2E5));
        IAccounts.Permit memory permit = _permitOf(patient.secret, id, verb, 0, block.timestamp);
        accounts.rotateKeyBySig(id, address(0xF2E5), permit);
        uint256 base = _base("simdes.accounts");
        assertEq(_at(address(accounts), _under(id, base + 8)), 1, "8 ownerNonces");
    }

    function test_consents() external {
        address c = address(consents);
        uint256 base = _base("simdes.consents");
        assertEq(address(uint160(_at(c, base))), address(accounts), "0 accounts");
        assertEq(uint32(_at(c, base) >> 160), QUOTA, "0 quota");
        assertEq(uint64(_at(c, base) >> 192), OPEN, "0 openSeconds");
        assertEq(_at(c, base + 1), REVIEW, "1 reviewSeconds");
        vm.prank(patient.key);
        consents.grant(tag, handle, _id("commitment"), pointer);
        uint256 slot = _under(handle, _under(tag, base + 2));
        assertEq(_at(c, slot), uint256(_id("commitment")), "2 consents: commitment");
        assertEq(uint8(_at(c, slot + 1)), 1, "2 consents: state");
        assertEq(uint64(_at(c, slot + 1) >> 72), START, "2 consents: since");
        vm.prank(patient.key);
        consents.revokeAll(tag);
        assertEq(_at(c, _under(tag, base + 3)), 1, "3 generations");
        bytes32 digest = _revokeDigest(_id("burned"), 513, block.timestamp);
        consents.revokeBySig(
            tag, _id("burned"), _permit(patient.secret, digest, 513, block.timestamp)
        );
        slot = _under(bytes32(uint256(2)), _under(tag, base + 4));
        assertEq(_at(c, slot), 2, "4 nonces: bit 1 of word 2");
        vm.prank(doctor.key);
        consents.openEmergency(tag, _id("emergency"), _id("reason"));
        slot = _under(_id("emergency"), _under(tag, base + 5));
        assertEq(_at(c, slot), uint256(doctor.account), "5 emergencies: account");
        assertEq(_at(c, slot + 1), uint256(clinic.id), "5 emergencies: organisation");
        assertEq(uint64(_at(c, slot + 2) >> 64), START + OPEN, "5 emergencies: until");
        slot = _under(bytes32(uint256(START / 1 days)), _under(clinic.id, base + 6));
        assertEq(_at(c, slot), 1, "6 openedOn");
        slot = uint256(keccak256(abi.encode(_under(clinic.id, base + 7))));
        assertEq(_at(c, slot), uint256(tag), "7 opened: tag");
        assertEq(_at(c, slot + 1), uint256(_id("emergency")), "7 opened: handle");
        vm.prank(clinic.administrator.key);
        consents.reviewEmergency(tag, _id("emergency"), 1);
        assertEq(_at(c, _under(clinic.id, base + 8)), 1, "8 reviewedUpTo");
    }

    function test_records_and_pause() external {
        address r = address(records);
        uint256 base = _base("simdes.records");
        assertEq(_at(r, base), uint256(uint160(address(accounts))), "0 accounts");
        vm.startPrank(hospital.agent.key);
        bytes32 id = records.anchor(_id("root"), 1, hex"01");
        uint256 slot = _under(id, base + 1);
        assertEq(_at(r, slot), uint256(hospital.id), "1 batches: organisation");
        assertEq(_at(r, slot + 1), uint256(_id("root")), "1 batches: root");
        assertEq(uint32(_at(r, slot + 2)), 1, "1 batches: count");
        assertEq(uint64(_at(r, slot + 2) >> 32), START, "1 batches: time");
        vm.stopPrank();
        base = _base("simdes.pause");
        assertEq(_at(r, base), uint256(PAUSE) | uint256(COOL_DOWN) << 64, "0 limits");
        vm.prank(owners[0]);
        administrators.pause(r, records.anchor.selector);
        slot = _under(bytes32(records.anchor.selector), base + 1);
        assertEq(_at(r, slot), START + PAUSE, "1 until");
    }

    function test_statements() external {
        address s = address(statements);
        uint256 base = _base("simdes.statements");
        assertEq(_at(s, base), uint256(uint160(address(accounts))), "0 accounts");
        assertEq(address(uint160(_at(s, base + 1))), address(poseidon2), "1 poseidon");
        assertEq(uint64(_at(s, base + 1) >> 160), RECENT, "1 recentSeconds");
        assertEq(_at(s, base + 3), poseidon2.hash([uint256(0), uint256(0)]), "2 empty: height 1");
        vm.startPrank(hospital.agent.key);
        statements.insertRoot(1, 41);
        (,, uint256 first) = statements.forestOf(1);
        statements.insertRoot(1, 42);
        vm.stopPrank();
        uint256 forest = _under(bytes32(0), _under(bytes32(uint256(1)), base + 28));
        assertEq(_at(s, _under(bytes32(uint256(1)), base + 27)), 0, "27 forest");
        assertEq(_at(s, forest), 2, "28 forests: count");
        (,, uint256 root) = statements.forestOf(1);
        assertEq(_at(s, forest + 1), root, "28 forests: root");
        assertEq(_at(s, forest + 2), 41, "28 forests: filled");
        assertEq(_at(s, _under(bytes32(first), forest + 26)), START, "28 forests: replacedAt");
        uint256 mine = _under(hospital.id, forest + 27);
        assertEq(_at(s, _under(bytes32(uint256(42)), mine)), 1, "28 forests: inserted");
        vm.prank(address(administrators));
        statements.beginForest(1);
        assertEq(_at(s, _under(bytes32(uint256(1)), base + 27)), 1, "27 forest");
    }

    function test_claims_and_their_book() external {
        address p = address(claims);
        uint256 base = _base("simdes.claims");
        Claims.Parts memory parts = claims.uses();
        assertEq(_at(p, base), uint256(uint160(address(parts.accounts))), "0 accounts");
        assertEq(_at(p, base + 1), uint256(uint160(address(parts.statements))), "1 statements");
        assertEq(_at(p, base + 2), uint256(uint160(address(parts.book))), "2 book");
        assertEq(_at(p, base + 3), uint256(uint160(address(parts.claimVerifier))), "3 claim");
        assertEq(_at(p, base + 4), uint256(uint160(address(parts.settleVerifier))), "4 settle");
        assertEq(_at(p, base + 5), uint256(uint160(address(parts.freeVerifier))), "5 free");
        assertEq(uint64(_at(p, base + 6)), ANSWER, "6 times: answer");
        assertEq(uint64(_at(p, base + 6) >> 64), DECIDE, "6 times: decide");
        assertEq(uint64(_at(p, base + 6) >> 128), APPEAL, "6 times: appeal");
        vm.prank(hospital.agent.key);
        claims.enrol(11);
        assertEq(_at(p, _under(hospital.id, base + 7)), 11, "7 holder");
        assertEq(_at(p, _under(bytes32(uint256(11)), base + 8)), 1, "8 taken");
        IClaimBook.Entry memory e;
        (e.tag, e.afterwards, e.claimed, e.due) = (77, 5, 6, 7);
        vm.prank(p);
        uint256 claim = parts.book.open(e);
        uint256 slot = _under(bytes32(claim), _under(bytes32(uint256(uint160(p))), 0));
        assertEq(_at(address(parts.book), slot), 1 | (7 << 24), "book: state, due");
        assertEq(_at(address(parts.book), slot + 3), 77, "book: tag");
        assertEq(_at(address(parts.book), slot + 4), 6, "book: claimed");
        uint256 total = _under(bytes32(uint256(77)), _under(bytes32(uint256(uint160(p))), 1));
        assertEq(_at(address(parts.book), total), 5, "book: total");
    }

    function test_prescriptions_and_tags() external {
        address p = address(prescriptions);
        uint256 base = _base("simdes.prescriptions");
        Prescriptions.Parts memory parts = prescriptions.uses();
        assertEq(_at(p, base), uint256(uint160(address(parts.accounts))), "0 accounts");
        assertEq(_at(p, base + 1), uint256(uint160(address(parts.statements))), "1 statements");
        assertEq(_at(p, base + 2), uint256(uint160(address(parts.tags))), "2 tags");
        assertEq(_at(p, base + 3), uint256(uint160(address(parts.verifier))), "3 verifier");
        assertEq(_at(p, base + 4), uint256(uint160(address(parts.poseidon2))), "4 poseidon2");
        assertEq(_at(p, base + 5), uint256(uint160(address(parts.poseidon3))), "5 poseidon3");
        vm.startPrank(p);
        parts.tags.set(77, 3_334, 20_000, _id("pharmacy"));
        parts.tags.close(77);
        vm.stopPrank();
        uint256 slot = _under(bytes32(uint256(77)), _under(bytes32(uint256(uint160(p))), 0));
        uint256 word = _at(address(parts.tags), slot);
        assertEq(uint16(word), 3_334, "tags: part");
        assertEq(uint32(word >> 16), 20_000, "tags: day");
        assertEq(uint8(word >> 48), 1, "tags: closed");
        assertEq(_at(address(parts.tags), slot + 1), uint256(_id("pharmacy")), "tags: holder");
    }

    function test_studies() external {
        address s = address(studies);
        uint256 base = _base("simdes.studies");
        Studies.Parts memory parts = studies.uses();
        assertEq(_at(s, base), uint256(uint160(address(parts.accounts))), "0 accounts");
        assertEq(_at(s, base + 1), uint256(uint160(address(parts.statements))), "1 statements");
        assertEq(_at(s, base + 2), uint256(uint160(address(parts.tags))), "2 tags");
        assertEq(_at(s, base + 3), uint256(uint160(address(parts.nullifiers))), "3 nullifiers");
        assertEq(_at(s, base + 4), uint256(uint160(address(parts.verifier))), "4 verifier");
        Member memory sponsor = _member("a sponsor", 4);
        IStudies.Registration memory what;
        (what.protocol, what.purpose, what.terms) = (_id("a"), _id("b"), _id("c"));
        (what.area, what.collector, what.threshold) = (_id("area"), _id("collector"), 1);
        (what.begins, what.ends) = (START + 1, START + 2 days);
        what.approvers = new bytes32[](1);
        what.approvers[0] = doctor.account;
        what.criteria = new uint256[](1);
        what.criteria[0] = 99;
        vm.prank(sponsor.agent.key);
        bytes32 id = studies.register(what);
        vm.prank(doctor.key);
        studies.approve(id);
        uint256 slot = _under(id, base + 5);
        assertEq(_at(s, slot), uint256(sponsor.id), "5 studies: sponsor");
        assertEq(_at(s, slot + 1), uint256(_id("area")), "5 studies: area");
        assertEq(_at(s, slot + 2), uint256(_id("collector")), "5 studies: collector");
        uint256 word = _at(s, slot + 3);
        assertEq(uint64(word), START + 1, "5 studies: begins");
        assertEq(uint64(word >> 64), START + 2 days, "5 studies: ends");
        assertEq(uint8(word >> 128), 1, "5 studies: threshold");
        assertEq(uint8(word >> 136), 1, "5 studies: approvals");
        assertEq(_at(s, _under(id, base + 6)), 1, "6 criteria");
        uint256 approver = _under(doctor.account, _under(id, base + 7));
        assertEq(_at(s, approver), 2, "7 approvers");
        uint256 newest = _under(studies.groupOf(sponsor.id, what.area), base + 9);
        assertEq(_at(s, newest), 1, "9 newest: count");
        assertEq(_at(s, newest + 1), uint256(id), "9 newest: study");
    }
}
