// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICondition, IConsents} from "../../src/interfaces/IConsents.sol";
import {Asking} from "../support/Asking.sol";
import {Person} from "../support/Network.sol";
import {ReferenceTree} from "../support/ReferenceTree.sol";

/// A condition that answers as it is told, well or badly.
contract Condition is ICondition {
    bytes private _answer;
    bool private _fails;
    bool private _burns;

    function set(bytes calldata answer, bool fails, bool burns) external {
        (_answer, _fails, _burns) = (answer, fails, burns);
    }

    function isOpen(bytes32) external view returns (bool) {
        require(!_fails, "told to fail");
        while (_burns) {}
        bytes memory answer = _answer;
        assembly ("memory-safe") {
            return(add(answer, 0x20), mload(answer))
        }
    }
}

/// isAllowed, in the order of its checks
/// ├── actor unknown, an old key; pending, suspended, frozen; organisation not verified
/// ├── vault unknown
/// ├── the control account with PATRQT: allowed, whatever the handle
/// ├── handle unknown; revoked; of an earlier generation
/// ├── terms or salt do not open the commitment
/// ├── grantee: account, organisation, role in organisation, unknown kind
/// ├── purpose, category, labels
/// ├── before notBefore; at or after expiry
/// ├── record not listed
/// └── condition not open
contract IsAllowedTest is Asking {
    function test_what_was_agreed_is_allowed() external {
        _grant(_terms());
        _expect(_terms(), _request(), IConsents.Reason.Allowed);
    }

    // --- the actor ----------------------------------------------------------------------------

    function test_an_unknown_or_former_key_is_refused() external {
        _grant(_terms());
        IConsents.Request memory request = _request();
        request.actor = address(0xDEAD);
        _expect(_terms(), request, IConsents.Reason.UnknownActor);
        request.actor = address(0);
        _expect(_terms(), request, IConsents.Reason.UnknownActor);
        IConsents.Terms memory terms = _terms();
        vm.prank(doctor.key);
        accounts.rotateKey(address(0xF2E5));
        _pass(DELAY);
        accounts.completeRotation(doctor.account);
        _expect(terms, _request(), IConsents.Reason.UnknownActor);
        request.actor = address(0xF2E5);
        request.time = uint64(block.timestamp);
        _expect(terms, request, IConsents.Reason.Allowed);
    }

    function test_inactive_actors_are_refused() external {
        Person memory fresh = _pending(clinic, DOCTOR, "fresh");
        IConsents.Terms memory terms = _terms();
        terms.granteeKind = 2;
        terms.grantee = clinic.id;
        _grant(terms);
        IConsents.Request memory request = _request();
        request.actor = fresh.key;
        _expect(terms, request, IConsents.Reason.InactiveActor);
        _expect(terms, _request(), IConsents.Reason.Allowed);
        _suspend(clinic, doctor);
        _expect(terms, _request(), IConsents.Reason.InactiveActor);
    }

    function test_actors_of_a_suspended_organisation_are_refused() external {
        _grant(_terms());
        _govern(address(accounts), abi.encodeCall(accounts.suspendOrganisation, (clinic.id)));
        _expect(_terms(), _request(), IConsents.Reason.InactiveOrganisation);
    }

    // --- the patient --------------------------------------------------------------------------

    function testFuzz_the_patient_reads_everything(uint8 category, uint64 labels) external {
        IConsents.Request memory request = _request();
        request.actor = patient.key;
        request.purpose = PATRQT;
        request.category = category;
        request.labels = labels;
        handle = 0;
        _expect(_terms(), request, IConsents.Reason.Allowed);
        request.purpose = TREAT;
        _expect(_terms(), request, IConsents.Reason.UnknownHandle);
    }

    function test_nobody_else_reads_as_the_patient() external {
        handle = 0;
        IConsents.Request memory request = _request();
        request.purpose = PATRQT;
        _expect(_terms(), request, IConsents.Reason.UnknownHandle);
        request.vault = _vault(hospital, "provisional");
        _expect(_terms(), request, IConsents.Reason.UnknownHandle);
        request.actor = patient.key;
        _expect(_terms(), request, IConsents.Reason.UnknownHandle);
    }

    function test_a_suspended_patient_does_not_read() external {
        _suspend(hospital, patient);
        IConsents.Request memory request = _request();
        request.actor = patient.key;
        request.purpose = PATRQT;
        _expect(_terms(), request, IConsents.Reason.InactiveActor);
    }

    // --- vault, handle, terms -----------------------------------------------------------------

    function test_an_unknown_vault_is_refused() external view {
        IConsents.Request memory request = _request();
        request.vault = _id("no such vault");
        _expect(_terms(), request, IConsents.Reason.UnknownVault);
    }

    function test_a_handle_opens_its_own_vault_only() external {
        _grant(_terms());
        IConsents.Request memory request = _request();
        request.vault = _vault(hospital, "other vault");
        _expect(_terms(), request, IConsents.Reason.UnknownHandle);
    }

    function testFuzz_every_field_of_the_terms_is_committed(uint256 field) external {
        _grant(_terms());
        IConsents.Terms memory terms = _terms();
        field = bound(field, 0, 11);
        if (field == 0) terms.granteeKind ^= 2;
        if (field == 1) terms.grantee ^= bytes32(uint256(1));
        if (field == 2) terms.granteeRole ^= 1;
        if (field == 3) terms.categories ^= 1;
        if (field == 4) terms.labels ^= 1;
        if (field == 5) terms.purposes ^= 2;
        if (field == 6) terms.notBefore -= 1;
        if (field == 7) terms.expiry += 1;
        if (field == 8) terms.records = _id("root");
        if (field == 9) terms.condition = address(1);
        if (field == 10) terms.conditionId = _id("x");
        if (field == 11) salt ^= bytes32(uint256(1));
        _expect(terms, _request(), IConsents.Reason.TermsMismatch);
    }

    // --- grantee ------------------------------------------------------------------------------

    function test_a_grant_to_an_account_is_for_nobody_else() external {
        _grant(_terms());
        IConsents.Request memory request = _request();
        request.actor = nurse.key;
        _expect(_terms(), request, IConsents.Reason.WrongGrantee);
    }

    function test_a_grant_to_an_organisation_is_for_all_its_people() external {
        IConsents.Terms memory terms = _terms();
        terms.granteeKind = 2;
        terms.grantee = clinic.id;
        _grant(terms);
        IConsents.Request memory request = _request();
        _expect(terms, request, IConsents.Reason.Allowed);
        request.actor = nurse.key;
        _expect(terms, request, IConsents.Reason.Allowed);
        request.actor = hospital.agent.key;
        _expect(terms, request, IConsents.Reason.WrongGrantee);
    }

    function testFuzz_a_grant_to_a_role_is_for_that_role(uint8 role) external {
        IConsents.Terms memory terms = _terms();
        terms.granteeKind = 3;
        terms.grantee = clinic.id;
        terms.granteeRole = NURSE;
        _grant(terms);
        role = uint8(bound(role, 1, 8));
        Person memory person = _person(clinic, role, "somebody");
        IConsents.Request memory request = _request();
        request.actor = person.key;
        _expect(
            terms, request, role == NURSE ? IConsents.Reason.Allowed : IConsents.Reason.WrongRole
        );
        request.actor = _person(hospital, NURSE, "nurse elsewhere").key;
        _expect(terms, request, IConsents.Reason.WrongGrantee);
    }

    function testFuzz_an_unknown_kind_of_grantee_is_refused(uint8 kind) external {
        vm.assume(kind == 0 || kind > 3);
        IConsents.Terms memory terms = _terms();
        terms.granteeKind = kind;
        _grant(terms);
        _expect(terms, _request(), IConsents.Reason.WrongGrantee);
    }

    // --- purpose, category, labels ------------------------------------------------------------

    function testFuzz_purposes(uint16 purposes, uint8 purpose) external {
        IConsents.Terms memory terms = _terms();
        terms.purposes = purposes;
        _grant(terms);
        IConsents.Request memory request = _request();
        request.purpose = purpose;
        bool open = purpose <= 5 && (purposes / (2 ** purpose)) % 2 == 1;
        _expect(terms, request, open ? IConsents.Reason.Allowed : IConsents.Reason.Purpose);
    }

    function testFuzz_categories(uint64 categories, uint8 category) external {
        IConsents.Terms memory terms = _terms();
        terms.categories = categories;
        _grant(terms);
        IConsents.Request memory request = _request();
        request.category = category;
        bool open = category <= 63 && (categories / (2 ** uint256(category))) % 2 == 1;
        _expect(terms, request, open ? IConsents.Reason.Allowed : IConsents.Reason.Category);
    }

    function testFuzz_all_of_a_records_labels_must_be_open(uint64 open, uint64 labels) external {
        IConsents.Terms memory terms = _terms();
        terms.labels = open;
        _grant(terms);
        IConsents.Request memory request = _request();
        request.labels = labels;
        _expect(
            terms,
            request,
            (open | labels) == open ? IConsents.Reason.Allowed : IConsents.Reason.Label
        );
        request.labels = open & labels;
        _expect(terms, request, IConsents.Reason.Allowed);
    }

    // --- time ---------------------------------------------------------------------------------

    function testFuzz_time(uint64 notBefore, uint64 expiry, uint64 time) external {
        IConsents.Terms memory terms = _terms();
        (terms.notBefore, terms.expiry) = (notBefore, expiry);
        _grant(terms);
        IConsents.Request memory request = _request();
        request.time = time;
        IConsents.Reason expected = IConsents.Reason.Allowed;
        if (time >= expiry) expected = IConsents.Reason.Expired;
        if (time < notBefore) expected = IConsents.Reason.NotYet;
        _expect(terms, request, expected);
    }

    function test_expiry_is_exclusive_and_not_before_inclusive() external {
        IConsents.Terms memory terms = _terms();
        _grant(terms);
        IConsents.Request memory request = _request();
        request.time = terms.notBefore - 1;
        _expect(terms, request, IConsents.Reason.NotYet);
        request.time = terms.notBefore;
        _expect(terms, request, IConsents.Reason.Allowed);
        request.time = terms.expiry - 1;
        _expect(terms, request, IConsents.Reason.Allowed);
        request.time = terms.expiry;
        _expect(terms, request, IConsents.Reason.Expired);
    }

    function test_terms_without_an_expiry_never_open() external {
        IConsents.Terms memory terms = _terms();
        terms.expiry = 0;
        _grant(terms);
        _expect(terms, _request(), IConsents.Reason.Expired);
    }

    // --- records ------------------------------------------------------------------------------

    function testFuzz_only_listed_records_are_open(uint256 size, uint256 index) external {
        size = bound(size, 1, 40);
        index = bound(index, 0, size - 1);
        bytes32[] memory leaves = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            leaves[i] = keccak256(abi.encodePacked(hex"04", keccak256(abi.encode("record", i))));
        }
        IConsents.Terms memory terms = _terms();
        terms.records = ReferenceTree.setRoot(leaves);
        _grant(terms);
        IConsents.Request memory request = _request();
        request.record = keccak256(abi.encode("record", index));
        request.recordProof = ReferenceTree.setPath(leaves, index);
        _expect(terms, request, IConsents.Reason.Allowed);

        request.record = keccak256(abi.encode("record", size));
        _expect(terms, request, IConsents.Reason.Record);
        // A node of the tree is not a record: leaves are hashed once more.
        request.record = terms.records;
        request.recordProof = new bytes32[](0);
        _expect(terms, request, IConsents.Reason.Record);
    }

    // --- condition ----------------------------------------------------------------------------

    function test_a_condition_must_answer_a_clean_true() external {
        Condition condition = new Condition();
        IConsents.Terms memory terms = _terms();
        terms.condition = address(condition);
        terms.conditionId = _id("claim");
        _grant(terms);
        bytes[6] memory answers = [
            abi.encode(false),
            abi.encode(uint256(2)),
            abi.encode(type(uint256).max),
            bytes(""),
            hex"01",
            abi.encode(uint256(1), uint256(1))
        ];
        for (uint256 i = 0; i < answers.length; ++i) {
            condition.set(answers[i], false, false);
            _expect(terms, _request(), IConsents.Reason.ConditionClosed);
        }
        condition.set(abi.encode(true), true, false);
        _expect(terms, _request(), IConsents.Reason.ConditionClosed);
        condition.set(abi.encode(true), false, true);
        _expect(terms, _request(), IConsents.Reason.ConditionClosed);
        condition.set(abi.encode(true), false, false);
        _expect(terms, _request(), IConsents.Reason.Allowed);
    }

    function test_a_condition_without_code_is_closed() external {
        IConsents.Terms memory terms = _terms();
        terms.condition = address(0xDEAD);
        _grant(terms);
        _expect(terms, _request(), IConsents.Reason.ConditionClosed);
    }
}
