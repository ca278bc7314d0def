// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IClaims} from "../src/interfaces/IClaims.sol";
import {IAccounts} from "../src/interfaces/IAccounts.sol";
import {IConsents} from "../src/interfaces/IConsents.sol";
import {IPrescriptions} from "../src/interfaces/IPrescriptions.sol";
import {IRecords} from "../src/interfaces/IRecords.sol";
import {IStudies} from "../src/interfaces/IStudies.sol";
import {DisclosureVerifier} from "../src/generated/DisclosureVerifier.sol";
import {Asking} from "./support/Asking.sol";
import {Believer} from "./support/Claiming.sol";
import {AnyProof} from "./support/Dispensing.sol";
import {Guarded} from "./support/Guarded.sol";
import {AnyCohort} from "./support/Researching.sol";
import {Member, Network, Person} from "./support/Network.sol";
import {ReferenceTree} from "./support/ReferenceTree.sol";
import {Signing} from "./support/Signing.sol";
import {Snapshot} from "./support/Snapshot.sol";

/// Gas per verb, each as a transaction of its own (isolated, so that every slot is cold), compared
/// with contracts/gas.json within 2 %. After a change that is meant:
///   SIMDES_WRITE=true contracts/forge test --match-contract GasTest
/// and update the table in docs/contracts.md, which a test compares with the file.
contract GasTest is Guarded, Asking, Signing, Snapshot {
    string private constant FILE = "contracts/gas.json";

    string[] private _names;
    uint256[] private _costs;
    bytes32[] private _batchLeaves;
    bytes32 private _batchId;

    function setUp() public override(Guarded, Asking, Network) {
        Network.setUp();
        _chooseGuardians("guardian");
        for (uint256 i = 0; i < 1024; ++i) {
            _batchLeaves.push(keccak256(abi.encode(i)));
        }
    }

    /// forge-config: default.isolate = true
    /// forge-config: accept.isolate = true
    function test_gas_per_verb() external {
        _measureRegistry();
        _measureKeys();
        _measureSigned();
        _measureConsents();
        _measureRecords();
        _measureProofs();
        _measurePrescriptions();
        _measureStudies();
        _measureClaims();
        if (_isWriting()) {
            string[] memory lines = new string[](_names.length);
            for (uint256 i = 0; i < lines.length; ++i) {
                lines[i] = string.concat("  ", _pair(_names[i], _number(_costs[i])));
            }
            vm.writeFile(FILE, string.concat(_join(lines, "{", "}"), "\n"));
            return;
        }
        string memory known = vm.readFile(FILE);
        for (uint256 i = 0; i < _names.length; ++i) {
            uint256 expected = vm.parseJsonUint(known, string.concat("$['", _names[i], "']"));
            uint256 slack = expected / 50;
            bool close = _costs[i] >= expected - slack && _costs[i] <= expected + slack;
            assertTrue(close, string.concat(_names[i], " now costs ", _number(_costs[i]), " gas"));
        }
    }

    function _cost(string memory name) private {
        uint256 cost = vm.lastCallGas().gasTotalUsed;
        assertTrue(cost > 21_000, "not measured as a transaction");
        _names.push(name);
        _costs.push(cost);
    }

    function _measureRegistry() private {
        hospital = _applicant("hospital", 1);
        _cost("Accounts.registerOrganisation");
        vm.prank(address(administrators));
        accounts.verifyOrganisation(hospital.id);
        _cost("Accounts.verifyOrganisation");
        hospital.agent = _pending(hospital, AGENT, "agent");
        _cost("Accounts.register");
        vm.prank(hospital.administrator.key);
        accounts.verify(hospital.agent.account);
        _cost("Accounts.verify");
        vm.prank(hospital.agent.key);
        accounts.setDescriptor(_id("descriptor"));
        _cost("Accounts.setDescriptor");
        clinic = _member("clinic", 1);
        doctor = _person(clinic, DOCTOR, "doctor");
        patient = _person(hospital, PATIENT, "patient");
        Person memory spare = _person(hospital, NURSE, "spare");
        _suspend(hospital, spare);
        _cost("Accounts.suspend");
        Member memory other = _member("other", 2);
        vm.prank(address(administrators));
        accounts.suspendOrganisation(other.id);
        _cost("Accounts.suspendOrganisation");
        tag = _vault(hospital, "vault");
        _cost("Accounts.openVault");
        _claim(tag, patient, hospital, clinic);
        _cost("Accounts.setVault");
        IAccounts.Renewal memory next = _renewal(tag, hospital.id, block.timestamp);
        bytes[] memory signed = new bytes[](1);
        signed[0] = _sign(patient.secret, _renewDigest(next));
        vm.prank(hospital.agent.key);
        accounts.renewVault(next, signed);
        _cost("Accounts.renewVault");
    }

    function _measureKeys() private {
        vm.prank(patient.key);
        accounts.setGuardians(guardiansRoot, GUARDIANS, NEEDED);
        _cost("Accounts.setGuardians");
        _pass(DELAY);
        accounts.completeGuardians(patient.account);
        _cost("Accounts.completeGuardians");
        vm.prank(patient.key);
        accounts.setGuardians(guardiansRoot, GUARDIANS, NEEDED);
        vm.prank(patient.key);
        accounts.cancelGuardians();
        _cost("Accounts.cancelGuardians");
        vm.prank(doctor.key);
        accounts.rotateKey(address(0xD0C));
        _cost("Accounts.rotateKey");
        vm.prank(doctor.key);
        accounts.cancelRotation();
        _cost("Accounts.cancelRotation");
        vm.prank(doctor.key);
        accounts.rotateKey(address(0xD0C));
        _pass(DELAY);
        accounts.completeRotation(doctor.account);
        doctor.key = address(0xD0C);
        _cost("Accounts.completeRotation");
        _recover(patient, patient.key);
        _cost("Accounts.recover");
        vm.prank(patient.key);
        accounts.vetoRecovery();
        _cost("Accounts.vetoRecovery");
        _freeze(patient);
        _cost("Accounts.freeze");
        _recoverAttested(patient, patient.key);
        _cost("Accounts.recoverAttested");
        _pass(DELAY);
        accounts.completeRecovery(patient.account);
        _cost("Accounts.completeRecovery");
    }

    function _measureSigned() private {
        bytes32 id = patient.account;
        bytes32 root = guardiansRoot;
        accounts.setGuardiansBySig(
            id, root, GUARDIANS, NEEDED, _owners(_setGuardians(root, GUARDIANS, NEEDED))
        );
        _cost("Accounts.setGuardiansBySig");
        accounts.cancelGuardiansBySig(id, root, _owners(_cancelGuardians(root)));
        _cost("Accounts.cancelGuardiansBySig");
        accounts.rotateKeyBySig(id, fresh, _owners(_rotateKey(fresh)));
        _cost("Accounts.rotateKeyBySig");
        accounts.cancelRotationBySig(id, fresh, _owners(_cancelRotation(fresh)));
        _cost("Accounts.cancelRotationBySig");
        _recover(patient, fresh);
        accounts.vetoRecoveryBySig(id, fresh, _owners(_vetoRecovery(fresh)));
        _cost("Accounts.vetoRecoveryBySig");
    }

    function _owners(bytes memory verb) private view returns (IAccounts.Permit memory) {
        uint256 nonce = accounts.ownerNonce(patient.account);
        return _permitOf(patient.secret, patient.account, verb, nonce, block.timestamp);
    }

    function _measureConsents() private {
        _grant(_terms());
        _cost("Consents.grant");
        bytes memory question =
            abi.encodeCall(consents.isAllowed, (handle, _terms(), salt, _request()));
        uint256 before = gasleft();
        (bool done,) = address(consents).staticcall(question);
        before -= gasleft();
        assertTrue(done, "asked");
        _names.push("Consents.isAllowed");
        _costs.push(before);
        vm.prank(patient.key);
        consents.revoke(tag, handle);
        _cost("Consents.revoke");
        vm.prank(patient.key);
        consents.revokeAll(tag);
        _cost("Consents.revokeAll");
        uint256 deadline = block.timestamp;
        bytes32 digest = _grantDigest(_id("signed"), _id("c"), 1, 1, deadline);
        consents.grantBySig(
            tag, _id("signed"), _id("c"), pointer, 1, _permit(patient.secret, digest, 1, deadline)
        );
        _cost("Consents.grantBySig");
        digest = _revokeDigest(_id("signed"), 2, deadline);
        consents.revokeBySig(tag, _id("signed"), _permit(patient.secret, digest, 2, deadline));
        _cost("Consents.revokeBySig");
        digest = _revokeAllDigest(1, 3, deadline);
        consents.revokeAllBySig(tag, 1, _permit(patient.secret, digest, 3, deadline));
        _cost("Consents.revokeAllBySig");
        vm.prank(doctor.key);
        consents.openEmergency(tag, _id("emergency"), _id("reason"));
        _cost("Consents.openEmergency");
        vm.prank(clinic.administrator.key);
        consents.reviewEmergency(tag, _id("emergency"), 1);
        _cost("Consents.reviewEmergency");
    }

    function _leaf(uint256 index) private view returns (IRecords.Leaf memory) {
        return IRecords.Leaf({
            batchId: _batchId,
            leaf: _batchLeaves[index],
            index: index,
            path: ReferenceTree.path(_batchLeaves, index)
        });
    }

    function _measureRecords() private {
        bytes32 root = ReferenceTree.root(_batchLeaves);
        bytes memory cid = abi.encodePacked(hex"01551220", _id("manifest"));
        vm.prank(hospital.agent.key);
        _batchId = records.anchor(root, 1024, cid);
        _cost("Records.anchor");
        (IRecords.Leaf memory one, IRecords.Leaf memory two) = (_leaf(0), _leaf(1));
        vm.prank(hospital.agent.key);
        records.supersede(one, two);
        _cost("Records.supersede");
        vm.prank(hospital.agent.key);
        records.erase(one);
        _cost("Records.erase");
        vm.prank(hospital.agent.key);
        auditLog.append(1, 0, root, 1024);
        vm.prank(hospital.agent.key);
        auditLog.append(2, root, _id("root"), 1024);
        _cost("AuditLog.append");
    }

    function _measurePrescriptions() private {
        Member memory pharmacy = _member("pharmacy", 2);
        vm.etch(address(dispenseVerifier), address(new AnyProof()).code);
        for (uint256 i = 1; i <= 3; ++i) {
            vm.prank(hospital.agent.key);
            statements.insertRoot(1, i);
        }
        _cost("Statements.insertRoot");
        IPrescriptions.Step memory step;
        (,, step.root) = statements.forestOf(1);
        step.tag = poseidon3.hash(
            [uint256(2), prescriptions.context(), poseidon2.hash([uint256(5), 1234])]
        );
        vm.prank(pharmacy.agent.key);
        prescriptions.bindPharmacy(step);
        _cost("Prescriptions.bindPharmacy");
        (step.partAfter, step.begins) = (3_334, true);
        vm.prank(pharmacy.agent.key);
        prescriptions.dispense(step);
        _cost("Prescriptions.dispense");
        (step.partBefore, step.begins) = (3_334, false);
        vm.prank(pharmacy.agent.key);
        prescriptions.releasePharmacy(step);
        _cost("Prescriptions.releasePharmacy");
        prescriptions.cancel(1234);
        _cost("Prescriptions.cancel");
    }

    function _measureStudies() private {
        Member memory sponsor = _member("sponsor", 4);
        vm.etch(address(cohortVerifier), address(new AnyCohort()).code);
        vm.prank(hospital.agent.key);
        statements.insertRoot(2, 1);
        IStudies.Registration memory what = _study(sponsor);
        vm.prank(sponsor.agent.key);
        bytes32 study = studies.register(what);
        _cost("Studies.register");
        vm.prank(doctor.key);
        studies.approve(study);
        _cost("Studies.approve");
        bytes32[] memory tags = new bytes32[](100);
        for (uint256 i = 0; i < 100; ++i) {
            tags[i] = studies.tagFor(study, bytes32(i));
            vm.prank(clinic.agent.key);
            studies.optIn(study, tags[i]);
            for (uint256 j = i; j > 0 && tags[j] < tags[j - 1]; --j) {
                (tags[j], tags[j - 1]) = (tags[j - 1], tags[j]);
            }
        }
        bytes32 last = studies.tagFor(study, bytes32(uint256(100)));
        vm.prank(clinic.agent.key);
        studies.optIn(study, last);
        _cost("Studies.optIn");
        bytes32 preferred = studies.tagFor(studies.groupOf(sponsor.id, what.area), 0);
        vm.prank(clinic.agent.key);
        studies.prefer(sponsor.id, what.area, preferred);
        _cost("Studies.prefer");
        vm.prank(sponsor.agent.key);
        studies.recordRelease(study, _id("m"), _id("p"), what.ends, tags);
        _cost("Studies.recordRelease");
        studies.withdraw(study, 0);
        _cost("Studies.withdraw");
        IStudies.Met[] memory proofs = new IStudies.Met[](1);
        (,, proofs[0].root) = statements.forestOf(2);
        vm.prank(sponsor.agent.key);
        studies.count(study, 7, proofs);
        _cost("Studies.count");
        vm.prank(doctor.key);
        studies.retract(study);
        _cost("Studies.retract");
    }

    function _study(Member memory sponsor) private view returns (IStudies.Registration memory) {
        bytes32[] memory approvers = new bytes32[](1);
        approvers[0] = doctor.account;
        return IStudies.Registration({
            protocol: _id("protocol"),
            purpose: _id("purpose"),
            terms: _id("terms"),
            area: _id("area"),
            collector: sponsor.id,
            begins: uint64(block.timestamp),
            ends: uint64(block.timestamp + 30 days),
            threshold: 1,
            approvers: approvers,
            criteria: new uint256[](1)
        });
    }

    function _measureClaims() private {
        Member memory insurer = _member("insurer", 3);
        bytes memory code = address(new Believer()).code;
        vm.etch(address(claimVerifier), code);
        vm.etch(address(settleVerifier), code);
        vm.etch(address(freeVerifier), code);
        vm.prank(hospital.agent.key);
        statements.insertRoot(3, 1);
        address here = hospital.agent.key;
        _claims("enrol", here, abi.encodeCall(claims.enrol, (11)));
        IClaims.Opening memory o;
        (,, o.root) = statements.forestOf(3);
        (o.tag, o.payer, o.afterwards, o.claimed) = (77, insurer.id, 1, 2);
        o.voice = keccak256(abi.encode(_id("voice")));
        uint256 claim = claims.nextId(o.tag, o.payer);
        _claims("open", here, abi.encodeCall(claims.open, (o)));
        _claims("disclose", here, abi.encodeCall(claims.disclose, (claim)));
        here = insurer.agent.key;
        _claims("acknowledge", here, abi.encodeCall(claims.acknowledge, (claim)));
        _claims("ask", here, abi.encodeCall(claims.ask, (claim)));
        vm.prank(hospital.agent.key);
        claims.disclose(claim);
        vm.prank(insurer.agent.key);
        claims.acknowledge(claim);
        bytes memory decides =
            abi.encodeCall(claims.adjudicate, (claim, 6, 5, _id("reason"), o.proof));
        _claims("adjudicate", here, decides);
        _claims("appeal", hospital.agent.key, abi.encodeCall(claims.appeal, (claim)));
        _call(here, decides);
        _claims(
            "appealFor", hospital.agent.key, abi.encodeCall(claims.appealFor, (claim, _id("voice")))
        );
        _call(here, decides);
        _claims("accept", hospital.agent.key, abi.encodeCall(claims.accept, (claim)));
        _claims("settle", here, abi.encodeCall(claims.settle, (claim, 6, true, o.proof)));
        _claims("free", hospital.agent.key, abi.encodeCall(claims.free, (claim, 1, 3, o.proof)));
        _claims("reverse", here, abi.encodeCall(claims.reverse, (claim)));
    }

    function _claims(string memory verb, address caller, bytes memory data) private {
        _call(caller, data);
        _cost(string.concat("Claims.", verb));
    }

    function _call(address caller, bytes memory data) private {
        vm.prank(caller);
        (bool done,) = address(claims).call(data);
        assertTrue(done, "the verb succeeds");
    }

    /// Of real proofs, as a call: what a step costs more than with a verifier that only nods.
    function _measureProofs() private {
        string memory json = vm.readFile("tests/vectors/proofs.json");
        bytes memory question = abi.encodeWithSignature(
            "verifyProof(uint256[8],uint256[5])", _eight(json, "dispense"), _five(json, "dispense")
        );
        _verify("DispenseVerifier.verifyProof", address(dispenseVerifier), question);
        uint256[8] memory inputs;
        for (uint256 i = 0; i < 8; ++i) {
            inputs[i] = _at(json, "disclosure", "inputs", i);
        }
        question = abi.encodeWithSignature(
            "verifyProof(uint256[8],uint256[8])", _eight(json, "disclosure"), inputs
        );
        _verify("DisclosureVerifier.verifyProof", address(new DisclosureVerifier()), question);
        uint256[6] memory six;
        for (uint256 i = 0; i < 6; ++i) {
            six[i] = _at(json, "cohort", "inputs", i);
        }
        question = abi.encodeWithSignature(
            "verifyProof(uint256[8],uint256[6])", _eight(json, "cohort"), six
        );
        _verify("CohortVerifier.verifyProof", address(cohortVerifier), question);
        for (uint256 i = 0; i < 8; ++i) {
            inputs[i] = _at(json, "claim", "inputs", i);
        }
        question = abi.encodeWithSignature(
            "verifyProof(uint256[8],uint256[8])", _eight(json, "claim"), inputs
        );
        _verify("ClaimVerifier.verifyProof", address(claimVerifier), question);
        uint256[4] memory four;
        for (uint256 i = 0; i < 4; ++i) {
            four[i] = _at(json, "settle", "inputs", i);
        }
        question = abi.encodeWithSignature(
            "verifyProof(uint256[8],uint256[4])", _eight(json, "settle"), four
        );
        _verify("SettleVerifier.verifyProof", address(settleVerifier), question);
        for (uint256 i = 0; i < 6; ++i) {
            six[i] = _at(json, "free", "inputs", i);
        }
        question = abi.encodeWithSignature(
            "verifyProof(uint256[8],uint256[6])", _eight(json, "free"), six
        );
        _verify("FreeVerifier.verifyProof", address(freeVerifier), question);
    }

    function _verify(string memory name, address verifier, bytes memory question) private {
        uint256 before = gasleft();
        (bool done, bytes memory answer) = verifier.staticcall(question);
        before -= gasleft();
        assertTrue(done && abi.decode(answer, (bool)), "the proof holds");
        _names.push(name);
        _costs.push(before);
    }

    function _at(string memory json, string memory circuit, string memory part, uint256 index)
        private
        pure
        returns (uint256)
    {
        string memory place = string.concat("$['", circuit, "']['", part, "'][");
        return vm.parseJsonUint(json, string.concat(place, _number(index), "]"));
    }

    function _eight(string memory json, string memory circuit)
        private
        pure
        returns (uint256[8] memory words)
    {
        for (uint256 i = 0; i < 8; ++i) {
            words[i] = _at(json, circuit, "proof", i);
        }
    }

    function _five(string memory json, string memory circuit)
        private
        pure
        returns (uint256[5] memory words)
    {
        for (uint256 i = 0; i < 5; ++i) {
            words[i] = _at(json, circuit, "inputs", i);
        }
    }
}
