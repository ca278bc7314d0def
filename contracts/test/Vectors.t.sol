// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IConsents} from "../src/interfaces/IConsents.sol";
import {Asking} from "./support/Asking.sol";
import {ReferenceTree} from "./support/ReferenceTree.sol";
import {Snapshot} from "./support/Snapshot.sol";

/// Vectors for everybody who computes what the contracts check: trees, leaves, batch ids, terms,
/// typed data. tests/vectors/contracts.json is compared byte for byte; rewrite it with
///   SIMDES_WRITE=true contracts/forge test --match-contract VectorsTest
/// Every vector goes through the deployed contract where it has a function for it.
contract VectorsTest is Asking, Snapshot {
    string private constant FILE = "tests/vectors/contracts.json";
    uint256 private constant CHAIN = 20_251;

    function test_vectors_are_as_published() external {
        string[] memory parts = new string[](7);
        parts[0] = _pair("about", '"made by contracts/test/Vectors.t.sol; hex is 0x-prefixed"');
        parts[1] = _pair("trees", _trees());
        parts[2] = _pair("record_sets", _recordSets());
        parts[3] = _pair("leaves", _leafVectors());
        parts[4] = _pair("batch_ids", _batchIds());
        parts[5] = _pair("terms", _termsVectors());
        parts[6] = _pair("typed_data", _typedVectors());
        string memory text = string.concat(_join(parts, "{", "}"), "\n");
        if (_isWriting()) vm.writeFile(FILE, text);
        assertEq(bytes(vm.readFile(FILE)), bytes(text), "tests/vectors/contracts.json is stale");
    }

    function _leavesOf(uint256 size) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            leaves[i] = keccak256(abi.encodePacked(hex"00", "vector", i));
        }
    }

    function _trees() private returns (string memory) {
        uint8[10] memory sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 33];
        string[] memory list = new string[](sizes.length);
        for (uint256 i = 0; i < sizes.length; ++i) {
            bytes32[] memory leaves = _leavesOf(sizes[i]);
            bytes32 root = ReferenceTree.root(leaves);
            vm.prank(hospital.agent.key);
            bytes32 id = records.anchor(root, sizes[i], hex"01");
            string[] memory paths = new string[](leaves.length);
            for (uint256 j = 0; j < leaves.length; ++j) {
                bytes32[] memory path = ReferenceTree.path(leaves, j);
                assertTrue(records.verify(id, leaves[j], j, path), "the contract agrees");
                paths[j] = _texts(path);
            }
            string[] memory parts = new string[](3);
            parts[0] = _pair("leaves", _texts(leaves));
            parts[1] = _pair("root", _text(root));
            parts[2] = _pair("paths", _join(paths, "[", "]"));
            list[i] = _join(parts, "{", "}");
        }
        return _join(list, "[", "]");
    }

    function _recordSets() private returns (string memory) {
        uint8[5] memory sizes = [1, 2, 3, 5, 8];
        string[] memory list = new string[](sizes.length);
        for (uint256 i = 0; i < sizes.length; ++i) {
            list[i] = _recordSet(sizes[i]);
        }
        return _join(list, "[", "]");
    }

    function _recordSet(uint256 size) private returns (string memory) {
        bytes32[] memory ids = new bytes32[](size);
        bytes32[] memory leaves = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            ids[i] = keccak256(abi.encode("record id", i));
            leaves[i] = keccak256(abi.encodePacked(hex"04", ids[i]));
        }
        IConsents.Terms memory terms = _terms();
        terms.records = ReferenceTree.setRoot(leaves);
        handle = keccak256(abi.encode("set", size));
        _grant(terms);
        IConsents.Request memory request = _request();
        string[] memory proofs = new string[](size);
        for (uint256 i = 0; i < size; ++i) {
            request.record = ids[i];
            request.recordProof = ReferenceTree.setPath(leaves, i);
            _expect(terms, request, IConsents.Reason.Allowed);
            proofs[i] = _texts(request.recordProof);
        }
        string[] memory parts = new string[](3);
        parts[0] = _pair("records", _texts(ids));
        parts[1] = _pair("root", _text(terms.records));
        parts[2] = _pair("proofs", _join(proofs, "[", "]"));
        return _join(parts, "{", "}");
    }

    function _leafVectors() private pure returns (string memory) {
        bytes32 recordId = keccak256("record id");
        bytes32 bodyDigest = sha256("body bytes");
        bytes32 kind = "Observation";
        bytes32 saltOf = keccak256("salt");
        bytes32 content = sha256('{"resourceType":"Observation"}');
        bytes32 inner = keccak256(abi.encodePacked(saltOf, content));
        bytes32 leaf = keccak256(abi.encodePacked(hex"00", recordId, bodyDigest, kind, inner));
        string[] memory list = new string[](3);
        string[] memory parts = new string[](7);
        parts[0] = _pair("kind", '"record"');
        parts[1] = _pair("record_id", _text(recordId));
        parts[2] = _pair("body_digest", _text(bodyDigest));
        parts[3] = _pair("type", _text(kind));
        parts[4] = _pair("salt", _text(saltOf));
        parts[5] = _pair("content_digest", _text(content));
        parts[6] = _pair("leaf", _text(leaf));
        list[0] = _join(parts, "{", "}");
        list[1] = _auditLeaf(saltOf);
        list[2] = _guardianLeaf(saltOf);
        return _join(list, "[", "]");
    }

    function _auditLeaf(bytes32 saltOf) private pure returns (string memory) {
        bytes32 leaf = keccak256(abi.encodePacked(hex"02", saltOf, sha256("an entry's bytes")));
        string[] memory parts = new string[](4);
        parts[0] = _pair("kind", '"audit"');
        parts[1] = _pair("entry", '"an entry\'s bytes"');
        parts[2] = _pair("salt", _text(saltOf));
        parts[3] = _pair("leaf", _text(leaf));
        return _join(parts, "{", "}");
    }

    function _guardianLeaf(bytes32 saltOf) private pure returns (string memory) {
        address guardian = vm.addr(1);
        bytes32 padded = bytes32(uint256(uint160(guardian)));
        bytes32 leaf = keccak256(abi.encodePacked(hex"03", saltOf, padded));
        string[] memory parts = new string[](4);
        parts[0] = _pair("kind", '"guardian"');
        parts[1] = _pair("guardian", _address(guardian));
        parts[2] = _pair("salt", _text(saltOf));
        parts[3] = _pair("leaf", _text(leaf));
        return _join(parts, "{", "}");
    }

    function _batchIds() private returns (string memory) {
        uint256[3] memory chains = [uint256(1), CHAIN, 2 ** 53 - 1];
        string[] memory list = new string[](3);
        uint256 home = block.chainid;
        for (uint256 i = 0; i < 3; ++i) {
            bytes32 organisation = keccak256(abi.encode("organisation", i));
            bytes32 root = keccak256(abi.encode("root", i));
            vm.chainId(chains[i]);
            bytes32 id = records.batchIdOf(organisation, root);
            string[] memory parts = new string[](4);
            parts[0] = _pair("chain_id", _number(chains[i]));
            parts[1] = _pair("organisation", _text(organisation));
            parts[2] = _pair("root", _text(root));
            parts[3] = _pair("batch_id", _text(id));
            list[i] = _join(parts, "{", "}");
        }
        vm.chainId(home);
        return _join(list, "[", "]");
    }

    function _termsVectors() private returns (string memory) {
        IConsents.Terms[3] memory all;
        all[0] = _terms();
        all[1].granteeKind = 3;
        all[1].grantee = keccak256("organisation");
        all[1].granteeRole = 2;
        all[1].categories = type(uint64).max;
        all[1].labels = 0x1ff;
        all[1].purposes = 0x3f;
        all[1].notBefore = 1;
        all[1].expiry = type(uint64).max;
        all[1].records = keccak256("records root");
        all[1].condition = vm.addr(2);
        all[1].conditionId = keccak256("claim");
        all[2].granteeKind = 2;
        string[] memory list = new string[](3);
        for (uint256 i = 0; i < 3; ++i) {
            salt = keccak256(abi.encode("terms salt", i));
            handle = keccak256(abi.encode("terms handle", i));
            _grant(all[i]);
            bytes32 commitment = keccak256(abi.encode(salt, all[i]));
            assertEq(consents.consent(tag, handle).commitment, commitment, "both encodings");
            assertFalse(
                _ask(all[i], _request()) == IConsents.Reason.TermsMismatch, "the contract agrees"
            );
            list[i] = _termsVector(all[i], commitment);
        }
        return _join(list, "[", "]");
    }

    function _termsVector(IConsents.Terms memory t, bytes32 commitment)
        private
        view
        returns (string memory)
    {
        string[] memory parts = new string[](11);
        parts[0] = _pair("grantee_kind", _number(t.granteeKind));
        parts[1] = _pair("grantee", _text(t.grantee));
        parts[2] = _pair("grantee_role", _number(t.granteeRole));
        parts[3] = _pair("categories", _number(t.categories));
        parts[4] = _pair("labels", _number(t.labels));
        parts[5] = _pair("purposes", _number(t.purposes));
        parts[6] = _pair("not_before", _number(t.notBefore));
        parts[7] = _pair("expiry", _number(t.expiry));
        parts[8] = _pair("records", _text(t.records));
        parts[9] = _pair("condition", _address(t.condition));
        parts[10] = _pair("condition_id", _text(t.conditionId));
        string[] memory whole = new string[](4);
        whole[0] = _pair("terms", _join(parts, "{", "}"));
        whole[1] = _pair("salt", _text(salt));
        whole[2] = _pair("encoded", _text(abi.encode(salt, t)));
        whole[3] = _pair("commitment", _text(commitment));
        return _join(whole, "{", "}");
    }

    function _typedVectors() private returns (string memory) {
        uint256 home = block.chainid;
        vm.chainId(CHAIN);
        bytes32 account = keccak256("account");
        address key = vm.addr(3);
        bytes32 c = keccak256("commitment");
        string[] memory list = new string[](8);
        list[0] = _typedVector("Freeze", _freezeDigest(account, 4, 5));
        list[1] = _typedVector("Recover", _recoverDigest(account, key, 4, 5));
        list[2] = _typedVector("AttestRecovery", _attestRecoveryDigest(account, key, 4, 5));
        list[3] = _typedVector("ClaimVault", _claimDigest(tag, account, 5));
        list[4] = _typedVector("AttestVault", _attestVaultDigest(tag, account, 5));
        handle = keccak256("handle");
        list[5] = _typedVector("Grant", _grantDigest(handle, c, 3, 4, 5));
        list[6] = _typedVector("Revoke", _revokeDigest(handle, 4, 5));
        list[7] = _typedVector("RevokeAll", _revokeAllDigest(3, 4, 5));
        vm.chainId(home);
        string[] memory parts = new string[](13);
        parts[0] = _pair("chain_id", _number(CHAIN));
        parts[1] = _pair("accounts", _address(address(accounts)));
        parts[2] = _pair("consents", _address(address(consents)));
        parts[3] = _pair("account", _text(account));
        parts[4] = _pair("key", _address(key));
        parts[5] = _pair("tag", _text(tag));
        parts[6] = _pair("handle", _text(handle));
        parts[7] = _pair("commitment", _text(c));
        parts[8] = _pair("pointer", _text(pointer));
        parts[9] = '"generation": 3';
        parts[10] = '"nonce": 4';
        parts[11] = '"deadline": 5';
        parts[12] = _pair("digests", _join(list, "{", "}"));
        return _join(parts, "{", "}");
    }

    function _typedVector(string memory name, bytes32 digest) private pure returns (string memory) {
        return _pair(name, _text(digest));
    }
}
