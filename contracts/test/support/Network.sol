// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

import {Accounts} from "../../src/Accounts.sol";
import {Administrators} from "../../src/Administrators.sol";
import {AuditLog} from "../../src/AuditLog.sol";
import {ClaimBook} from "../../src/ClaimBook.sol";
import {Claims} from "../../src/Claims.sol";
import {Consents} from "../../src/Consents.sol";
import {Nullifiers} from "../../src/Nullifiers.sol";
import {Prescriptions} from "../../src/Prescriptions.sol";
import {Records} from "../../src/Records.sol";
import {Statements} from "../../src/Statements.sol";
import {Studies} from "../../src/Studies.sol";
import {Tags} from "../../src/Tags.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {ICohortVerifier} from "../../src/interfaces/ICohortVerifier.sol";
import {
    IClaimVerifier,
    IFreeVerifier,
    ISettleVerifier
} from "../../src/interfaces/IClaimVerifiers.sol";
import {IClaims} from "../../src/interfaces/IClaims.sol";
import {IDispenseVerifier} from "../../src/interfaces/IDispenseVerifier.sol";
import {IPausable} from "../../src/interfaces/IPausable.sol";
import {IPoseidon2, IPoseidon3} from "../../src/interfaces/IPoseidon.sol";
import {IStatements} from "../../src/interfaces/IStatements.sol";
import {Assertions} from "./Assertions.sol";

/// @notice Somebody with an account and a signing key.
struct Person {
    bytes32 account;
    bytes32 organisation;
    uint256 secret;
    address key;
}

/// @notice An organisation with its first Administrator and one Agent, all verified.
struct Member {
    bytes32 id;
    Person administrator;
    Person agent;
}

/// @notice The whole network, deployed and wired in the order of contracts/DEPLOY.md, with the
/// steps that tests build on: organisations, people, vaults.
abstract contract Network is Assertions {
    uint64 internal constant DELAY = 3 days;
    uint64 internal constant TIMELOCK = 7 days;
    uint64 internal constant PAUSE = 1 days;
    uint64 internal constant COOL_DOWN = 2 days;
    uint64 internal constant BALLOT = 5 days;
    uint32 internal constant QUOTA = 3;
    uint64 internal constant OPEN = 4 hours;
    uint64 internal constant REVIEW = 3 days;
    uint64 internal constant RECENT = 1 hours;
    uint64 internal constant ANSWER = 30 days;
    uint64 internal constant DECIDE = 20 days;
    uint64 internal constant APPEAL = 60 days;
    uint64 internal constant START = 1_800_000_000;
    uint8 internal constant PATIENT = 1;
    uint8 internal constant DOCTOR = 2;
    uint8 internal constant NURSE = 3;
    uint8 internal constant PHARMACIST = 4;
    uint8 internal constant ADMINISTRATOR = 7;
    uint8 internal constant AGENT = 8;

    TimelockController internal timelock;
    Administrators internal administrators;
    AccessManager internal authority;
    Accounts internal accounts;
    Consents internal consents;
    Records internal records;
    AuditLog internal auditLog;
    Statements internal statements;
    Prescriptions internal prescriptions;
    Studies internal studies;
    Tags internal tagStore;
    Nullifiers internal nullifiers;
    Claims internal claims;
    ClaimBook internal claimBook;
    IClaimVerifier internal claimVerifier;
    ISettleVerifier internal settleVerifier;
    IFreeVerifier internal freeVerifier;
    IDispenseVerifier internal dispenseVerifier;
    ICohortVerifier internal cohortVerifier;
    IPoseidon2 internal poseidon2;
    IPoseidon3 internal poseidon3;
    address[] internal owners;

    function setUp() public virtual {
        vm.warp(START);
        vm.roll(100);
        _deploy();
    }

    // --- deployment ---------------------------------------------------------------------------

    function _deploy() internal {
        owners = new address[](3);
        for (uint256 i = 0; i < 3; ++i) {
            owners[i] = vm.addr(_secret("owner", i));
        }
        address[] memory anybody = new address[](1);
        timelock = TimelockController(
            payable(_createForeign(
                    "TimelockController",
                    abi.encode(TIMELOCK, new address[](0), anybody, address(this))
                ))
        );
        bytes memory arguments = abi.encode(owners, 2, 1, BALLOT, timelock);
        administrators = Administrators(_create("Administrators", arguments));
        timelock.grantRole(timelock.PROPOSER_ROLE(), address(administrators));
        timelock.grantRole(timelock.CANCELLER_ROLE(), address(administrators));
        authority = AccessManager(_createForeign("AccessManager", abi.encode(address(this))));
        _deployProxies();
        _deployProofs();
        _deployStudies();
        auditLog = AuditLog(_create("AuditLog", abi.encode(accounts)));
        _wire();
    }

    function _deployProxies() private {
        bytes memory init =
            abi.encodeCall(Accounts.initialize, (address(authority), DELAY, PAUSE, COOL_DOWN));
        accounts = Accounts(_proxy("Accounts", init));
        init = abi.encodeCall(
            Consents.initialize,
            (address(authority), accounts, QUOTA, OPEN, REVIEW, PAUSE, COOL_DOWN)
        );
        consents = Consents(_proxy("Consents", init));
        init = abi.encodeCall(Records.initialize, (address(authority), accounts, PAUSE, COOL_DOWN));
        records = Records(_proxy("Records", init));
    }

    function _deployProofs() private {
        poseidon2 = IPoseidon2(_create("PoseidonT3", ""));
        poseidon3 = IPoseidon3(_create("PoseidonT4", ""));
        dispenseVerifier = IDispenseVerifier(_create("DispenseVerifier", ""));
        tagStore = Tags(_create("Tags", ""));
        nullifiers = Nullifiers(_create("Nullifiers", ""));
        bytes memory init = abi.encodeCall(
            Statements.initialize,
            (address(authority), accounts, poseidon2, RECENT, PAUSE, COOL_DOWN)
        );
        statements = Statements(_proxy("Statements", init));
        Prescriptions.Parts memory parts = Prescriptions.Parts({
            accounts: accounts,
            statements: statements,
            tags: tagStore,
            verifier: dispenseVerifier,
            poseidon2: poseidon2,
            poseidon3: poseidon3
        });
        init =
            abi.encodeCall(Prescriptions.initialize, (address(authority), parts, PAUSE, COOL_DOWN));
        prescriptions = Prescriptions(_proxy("Prescriptions", init));
        _deployClaims();
    }

    function _deployClaims() private {
        claimBook = ClaimBook(_create("ClaimBook", ""));
        claimVerifier = IClaimVerifier(_create("ClaimVerifier", ""));
        settleVerifier = ISettleVerifier(_create("SettleVerifier", ""));
        freeVerifier = IFreeVerifier(_create("FreeVerifier", ""));
        Claims.Parts memory parts = Claims.Parts({
            accounts: accounts,
            statements: statements,
            book: claimBook,
            claimVerifier: claimVerifier,
            settleVerifier: settleVerifier,
            freeVerifier: freeVerifier
        });
        IClaims.Times memory waits = IClaims.Times({answer: ANSWER, decide: DECIDE, appeal: APPEAL});
        bytes memory init =
            abi.encodeCall(Claims.initialize, (address(authority), parts, waits, PAUSE, COOL_DOWN));
        claims = Claims(_proxy("Claims", init));
    }

    function _deployStudies() private {
        cohortVerifier = ICohortVerifier(_create("CohortVerifier", ""));
        Studies.Parts memory parts = Studies.Parts({
            accounts: accounts,
            statements: statements,
            tags: tagStore,
            nullifiers: nullifiers,
            verifier: cohortVerifier
        });
        bytes memory init =
            abi.encodeCall(Studies.initialize, (address(authority), parts, PAUSE, COOL_DOWN));
        studies = Studies(_proxy("Studies", init));
    }

    function _proxy(string memory name, bytes memory init) private returns (address) {
        return _createForeign("ERC1967Proxy", abi.encode(_create(name, ""), init));
    }

    /// Deploy what ships: compiled with the optimiser, unlike everything else in these tests.
    function _create(string memory name, bytes memory arguments) private returns (address) {
        return _createFrom(string.concat(name, ".sol/", name, ".json"), arguments);
    }

    /// The same for OpenZeppelin's, whose two artifacts forge names after their profiles.
    function _createForeign(string memory name, bytes memory arguments) private returns (address) {
        return _createFrom(string.concat(name, ".sol/", name, ".default.json"), arguments);
    }

    function _createFrom(string memory file, bytes memory arguments)
        private
        returns (address deployed)
    {
        bytes memory code = vm.getCode(string.concat("contracts/out/", file));
        code = bytes.concat(code, arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
        }
        assertTrue(deployed != address(0), file);
    }

    function _wire() private {
        bytes4[] memory governed = new bytes4[](5);
        governed[0] = IAccounts.verifyOrganisation.selector;
        governed[1] = IAccounts.suspendOrganisation.selector;
        governed[2] = IAccounts.verify.selector;
        governed[3] = IAccounts.suspend.selector;
        governed[4] = IPausable.unpause.selector;
        authority.setTargetFunctionRole(address(accounts), governed, 1);
        bytes4[] memory unpause = new bytes4[](1);
        unpause[0] = IPausable.unpause.selector;
        authority.setTargetFunctionRole(address(consents), unpause, 1);
        authority.setTargetFunctionRole(address(records), unpause, 1);
        authority.setTargetFunctionRole(address(prescriptions), unpause, 1);
        authority.setTargetFunctionRole(address(studies), unpause, 1);
        bytes4[] memory forests = new bytes4[](2);
        forests[0] = IPausable.unpause.selector;
        forests[1] = IStatements.beginForest.selector;
        authority.setTargetFunctionRole(address(statements), forests, 1);
        bytes4[] memory dismissing = new bytes4[](2);
        dismissing[0] = IPausable.unpause.selector;
        dismissing[1] = IClaims.dismiss.selector;
        authority.setTargetFunctionRole(address(claims), dismissing, 1);
        bytes4[] memory pause = new bytes4[](1);
        pause[0] = IPausable.pause.selector;
        authority.setTargetFunctionRole(address(accounts), pause, 2);
        authority.setTargetFunctionRole(address(consents), pause, 2);
        authority.setTargetFunctionRole(address(records), pause, 2);
        authority.setTargetFunctionRole(address(statements), pause, 2);
        authority.setTargetFunctionRole(address(prescriptions), pause, 2);
        authority.setTargetFunctionRole(address(studies), pause, 2);
        authority.setTargetFunctionRole(address(claims), pause, 2);
        authority.grantRole(1, address(administrators), 0);
        authority.grantRole(2, address(administrators), 0);
        authority.grantRole(0, address(timelock), 0);
        authority.renounceRole(0, address(this));
        timelock.renounceRole(timelock.DEFAULT_ADMIN_ROLE(), address(this));
    }

    // --- governance ---------------------------------------------------------------------------

    /// Two owners make Administrators call something at once.
    function _govern(address target, bytes memory data) internal returns (bytes memory) {
        bytes32 salt = keccak256(abi.encode(target, data, block.timestamp, gasleft()));
        vm.prank(owners[0]);
        bytes32 id = administrators.propose(target, data, salt);
        vm.prank(owners[1]);
        administrators.confirm(id);
        vm.prank(owners[1]);
        return administrators.execute(target, data, salt);
    }

    /// Two owners schedule a call in the timelock; its operation id is returned.
    function _schedule(address target, bytes memory data) internal returns (bytes32) {
        bytes memory call = abi.encodeCall(
            TimelockController.schedule, (target, 0, data, bytes32(0), bytes32(0), TIMELOCK)
        );
        _govern(address(timelock), call);
        return timelock.hashOperation(target, 0, data, bytes32(0), bytes32(0));
    }

    function _pass(uint256 duration) internal virtual {
        vm.warp(block.timestamp + duration);
        vm.roll(block.number + 1);
    }

    // --- organisations and people -------------------------------------------------------------

    function _secret(string memory name, uint256 number) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("secret", name, number)));
    }

    function _id(string memory name) internal pure returns (bytes32) {
        return keccak256(abi.encode("id", name));
    }

    /// Keys and ids of a person who is not registered yet.
    function _stranger(bytes32 organisation, string memory name)
        internal
        pure
        returns (Person memory person)
    {
        person.account = _id(name);
        person.organisation = organisation;
        person.secret = _secret(name, 0);
        person.key = vm.addr(person.secret);
    }

    /// An organisation that is registered but not verified, with its pending Administrator.
    function _applicant(string memory name, uint8 kind) internal returns (Member memory member) {
        member.id = _id(name);
        member.administrator = _stranger(member.id, string.concat(name, " administrator"));
        vm.prank(member.administrator.key);
        accounts.registerOrganisation(
            member.id, kind, keccak256(bytes(name)), member.administrator.account
        );
    }

    function _member(string memory name, uint8 kind) internal returns (Member memory member) {
        member = _applicant(name, kind);
        _govern(address(accounts), abi.encodeCall(accounts.verifyOrganisation, (member.id)));
        member.agent = _person(member, AGENT, string.concat(name, " agent"));
    }

    function _person(Member memory member, uint8 role, string memory name)
        internal
        returns (Person memory person)
    {
        person = _pending(member, role, name);
        vm.prank(member.administrator.key);
        accounts.verify(person.account);
    }

    function _pending(Member memory member, uint8 role, string memory name)
        internal
        returns (Person memory person)
    {
        person = _stranger(member.id, name);
        vm.prank(member.administrator.key);
        accounts.register(person.account, member.id, role, person.key);
    }

    function _suspend(Member memory member, Person memory person) internal {
        vm.prank(member.administrator.key);
        accounts.suspend(person.account);
    }

    // --- vaults -------------------------------------------------------------------------------

    function _vault(Member memory member, string memory name) internal returns (bytes32 tag) {
        tag = _id(name);
        vm.prank(member.agent.key);
        accounts.openVault(tag, keccak256(bytes(name)), 2, 3);
    }

    function _claim(bytes32 tag, Person memory patient, Member memory one, Member memory two)
        internal
    {
        uint256 deadline = block.timestamp + 1 hours;
        bytes memory signature = _sign(patient.secret, _claimDigest(tag, patient.account, deadline));
        bytes32 digest = _attestVaultDigest(tag, patient.account, deadline);
        accounts.setVault(
            tag,
            patient.account,
            deadline,
            signature,
            _both(_sign(one.agent.secret, digest), _sign(two.agent.secret, digest))
        );
    }

    // --- signatures ---------------------------------------------------------------------------

    function _sign(uint256 secret, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(secret, digest);
        return abi.encodePacked(r, s, v);
    }

    /// The same signature in its other form: s mirrored at half the curve's order, v flipped.
    function _malleate(bytes memory signature) internal pure returns (bytes memory) {
        bytes32 r;
        uint256 s;
        uint8 v;
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        return abi.encodePacked(r, order - s, v == 27 ? uint8(28) : uint8(27));
    }

    function _both(bytes memory one, bytes memory two) internal pure returns (bytes[] memory list) {
        list = new bytes[](2);
        (list[0], list[1]) = (one, two);
    }

    /// EIP-712 by hand, so that the contracts' own hashing is not its own judge.
    function _typed(string memory name, address target, bytes32 structHash)
        internal
        view
        returns (bytes32)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256(bytes(name)),
                keccak256("1"),
                block.chainid,
                target
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function _accountsTyped(bytes32 structHash) internal view returns (bytes32) {
        return _typed("SIMDES Accounts", address(accounts), structHash);
    }

    function _consentsTyped(bytes32 structHash) internal view returns (bytes32) {
        return _typed("SIMDES Consents", address(consents), structHash);
    }

    function _claimDigest(bytes32 tag, bytes32 account, uint256 deadline)
        internal
        view
        returns (bytes32)
    {
        bytes32 kind = keccak256("ClaimVault(bytes32 tag,bytes32 account,uint256 deadline)");
        return _accountsTyped(keccak256(abi.encode(kind, tag, account, deadline)));
    }

    function _attestVaultDigest(bytes32 tag, bytes32 account, uint256 deadline)
        internal
        view
        returns (bytes32)
    {
        bytes32 kind = keccak256("AttestVault(bytes32 tag,bytes32 account,uint256 deadline)");
        return _accountsTyped(keccak256(abi.encode(kind, tag, account, deadline)));
    }

    function _renewal(bytes32 tag, bytes32 by, uint256 deadline)
        internal
        view
        returns (IAccounts.Renewal memory)
    {
        uint32 epoch = accounts.vault(tag).epoch + 1;
        return IAccounts.Renewal(tag, epoch, keccak256("next"), 3, 5, by, deadline);
    }

    function _renewDigest(IAccounts.Renewal memory next) internal view returns (bytes32) {
        bytes32 kind = keccak256(
            "RenewVault(bytes32 tag,uint32 epoch,bytes32 descriptor,uint8 m,uint8 n,bytes32 organisation,uint256 deadline)"
        );
        bytes memory fields = abi.encode(next.tag, next.epoch, next.descriptor, next.m, next.n);
        return _accountsTyped(
            keccak256(bytes.concat(kind, fields, abi.encode(next.organisation, next.deadline)))
        );
    }

    function _attestRecoveryDigest(bytes32 account, address key, uint256 nonce, uint256 deadline)
        internal
        view
        returns (bytes32)
    {
        bytes32 kind =
            keccak256("AttestRecovery(bytes32 account,address key,uint256 nonce,uint256 deadline)");
        return _accountsTyped(keccak256(abi.encode(kind, account, key, nonce, deadline)));
    }

    function _freezeDigest(bytes32 account, uint256 nonce, uint256 deadline)
        internal
        view
        returns (bytes32)
    {
        bytes32 kind = keccak256("Freeze(bytes32 account,uint256 nonce,uint256 deadline)");
        return _accountsTyped(keccak256(abi.encode(kind, account, nonce, deadline)));
    }

    function _recoverDigest(bytes32 account, address key, uint256 nonce, uint256 deadline)
        internal
        view
        returns (bytes32)
    {
        bytes32 kind = keccak256(
            "Recover(bytes32 account,address key,uint256 nonce,uint256 deadline)"
        );
        return _accountsTyped(keccak256(abi.encode(kind, account, key, nonce, deadline)));
    }
}
