// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

import {PausableVerbs} from "./governance/PausableVerbs.sol";
import {Errors} from "./interfaces/Errors.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {IDispenseVerifier} from "./interfaces/IDispenseVerifier.sol";
import {IPoseidon2, IPoseidon3} from "./interfaces/IPoseidon.sol";
import {IPrescriptions} from "./interfaces/IPrescriptions.sol";
import {IStatements} from "./interfaces/IStatements.sol";
import {ITags} from "./interfaces/ITags.sol";
import {Field} from "./lib/Field.sol";
import {Standings} from "./lib/Standings.sol";
import {Vocabulary} from "./lib/Vocabulary.sol";

/// @title Prescriptions
/// @notice Checks proofs and moves tags, which Tags keeps. See IPrescriptions.
contract Prescriptions is IPrescriptions, PausableVerbs, UUPSUpgradeable {
    using Standings for IAccounts.Standing;

    /// What a prescription's network is made of.
    struct Parts {
        IAccounts accounts;
        IStatements statements;
        ITags tags;
        IDispenseVerifier verifier;
        IPoseidon2 poseidon2;
        IPoseidon3 poseidon3;
    }

    /// @custom:storage-location erc7201:simdes.prescriptions
    struct State {
        Parts parts;
    }

    // First inputs of the hashes (docs/formats/statements.md).
    uint256 private constant DOMAIN_TAG = 2;
    uint256 private constant DOMAIN_KEY = 5;

    bytes32 private constant STATE_SLOT = keccak256(
        abi.encode(uint256(keccak256("simdes.prescriptions")) - 1)
    ) & ~bytes32(uint256(0xff));

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @notice Set up the proxy.
    /// @param authority AccessManager
    /// @param parts the contracts it uses
    /// @param pauseSeconds how long a pause lasts
    /// @param coolDownSeconds how long after a pause the next one of the same verb may begin
    function initialize(
        address authority,
        Parts calldata parts,
        uint64 pauseSeconds,
        uint64 coolDownSeconds
    ) external initializer {
        __AccessManaged_init(authority);
        __PausableVerbs_init(pauseSeconds, coolDownSeconds);
        _state().parts = parts;
    }

    /// @inheritdoc IPrescriptions
    function dispense(Step calldata step) external unlessPaused(this.dispense.selector) {
        if (step.partAfter <= step.partBefore || step.partAfter > Vocabulary.PARTS) {
            revert Errors.Prescriptions_PartMalformed(step.partBefore, step.partAfter);
        }
        bytes32 pharmacy = _requireDispenser();
        ITags.Tag memory t = _requireTag(step);
        if (t.holder != 0 && t.holder != pharmacy) {
            revert Errors.Prescriptions_BoundElsewhere(step.tag);
        }
        uint32 fillDay = _requireProof(step, t, pharmacy, false);

        _state().parts.tags.set(step.tag, step.partAfter, fillDay, t.holder);
        emit Dispensed(step.tag, pharmacy, step.partAfter, fillDay);
    }

    /// @inheritdoc IPrescriptions
    function bindPharmacy(Step calldata step) external unlessPaused(this.bindPharmacy.selector) {
        bytes32 pharmacy = _requireDispenser();
        ITags.Tag memory t = _requireTag(step);
        _requireNothing(step);
        if (t.holder != 0) revert Errors.Prescriptions_BoundElsewhere(step.tag);
        _requireProof(step, t, pharmacy, false);

        _state().parts.tags.set(step.tag, t.part, t.day, pharmacy);
        emit PharmacyBound(step.tag, pharmacy);
    }

    /// @inheritdoc IPrescriptions
    function releasePharmacy(Step calldata step) external {
        bytes32 pharmacy = _requireDispenser();
        ITags.Tag memory t = _requireTag(step);
        _requireNothing(step);
        if (t.holder != pharmacy) revert Errors.Prescriptions_NotBound(step.tag);
        _requireProof(step, t, pharmacy, true);

        _state().parts.tags.set(step.tag, t.part, t.day, 0);
        emit PharmacyReleased(step.tag, pharmacy);
    }

    /// @inheritdoc IPrescriptions
    function cancel(uint256 secret) external {
        if (secret >= Field.ORDER) revert Errors.Prescriptions_NotElement(secret);
        Parts storage p = _state().parts;
        uint256 key = p.poseidon2.hash([DOMAIN_KEY, secret]);
        uint256 tag = p.poseidon3.hash([DOMAIN_TAG, context(), key]);
        if (p.tags.get(address(this), tag).closed) revert Errors.Prescriptions_Cancelled(tag);

        p.tags.close(tag);
        emit Cancelled(tag);
    }

    /// @inheritdoc IPrescriptions
    function statusOf(uint256 tag) external view returns (Status memory) {
        ITags.Tag memory t = _state().parts.tags.get(address(this), tag);
        return Status({part: t.part, fillDay: t.day, cancelled: t.closed, pharmacy: t.holder});
    }

    /// @inheritdoc IPrescriptions
    function isOpen(bytes32 tag) external view returns (bool) {
        ITags.Tag memory t = _state().parts.tags.get(address(this), uint256(tag));
        return !t.closed && t.part < Vocabulary.PARTS;
    }

    /// @notice The contracts that it uses.
    function uses() external view returns (Parts memory) {
        return _state().parts;
    }

    /// @inheritdoc IPrescriptions
    function pharmacyElement(bytes32 organisation) external pure returns (uint256) {
        return Field.ofId(organisation);
    }

    /// @inheritdoc IPrescriptions
    function context() public view returns (uint256) {
        return Field.ofContract(block.chainid, address(this));
    }

    /// @notice Dispensing and binding can be paused; releasing and cancelling cannot.
    function isPausable(bytes4 verb) public pure override returns (bool) {
        return verb == this.dispense.selector || verb == this.bindPharmacy.selector;
    }

    // An empty body: the modifier asks the AccessManager, which knows the timelock alone.
    // solhint-disable-next-line no-empty-blocks
    function _authorizeUpgrade(address) internal override restricted {}

    function _requireDispenser() private view returns (bytes32) {
        IAccounts accounts = _state().parts.accounts;
        IAccounts.Standing memory who = accounts.standing(msg.sender);
        uint8 kind = accounts.organisation(who.organisation).kind;
        bool dispenses = kind == Vocabulary.PHARMACY || kind == Vocabulary.HOSPITAL;
        if (!dispenses || !who.isActiveAs(Vocabulary.AGENT)) {
            revert Errors.Prescriptions_NotDispenser(msg.sender);
        }
        return who.organisation;
    }

    /// @dev The tag's state, if it is open and stands where the step begins.
    function _requireTag(Step calldata step) private view returns (ITags.Tag memory t) {
        t = _state().parts.tags.get(address(this), step.tag);
        if (t.closed) revert Errors.Prescriptions_Cancelled(step.tag);
        if (t.part != step.partBefore) revert Errors.Prescriptions_Moved(step.tag, t.part);
    }

    function _requireNothing(Step calldata step) private pure {
        if (step.partAfter != step.partBefore || step.begins) {
            revert Errors.Prescriptions_PartMalformed(step.partBefore, step.partAfter);
        }
    }

    /// @dev The proof holds for this caller, contract, state and day; the fill's day is returned.
    function _requireProof(Step calldata step, ITags.Tag memory t, bytes32 pharmacy, bool releases)
        private
        view
        returns (uint32 fillDay)
    {
        Parts storage p = _state().parts;
        if (!p.statements.isRecentRoot(Vocabulary.STATEMENT_PRESCRIPTION, step.root)) {
            revert Errors.Prescriptions_RootNotRecent(step.root);
        }
        uint32 today = uint32(block.timestamp / 1 days);
        fillDay = step.begins ? today : t.day;
        // Bits from the lowest: 14 part before, 14 after, 20 fill's day before, 20 after, 20 today,
        // 1 release.
        uint256 packed = uint256(step.partBefore) | (uint256(step.partAfter) << 14)
            | (uint256(t.day) << 28) | (uint256(fillDay) << 48) | (uint256(today) << 68)
            | (uint256(releases ? 1 : 0) << 88);
        uint256[5] memory inputs = [step.root, step.tag, Field.ofId(pharmacy), context(), packed];
        if (!p.verifier.verifyProof(step.proof, inputs)) {
            revert Errors.Prescriptions_ProofRefused(step.tag);
        }
    }

    function _state() private pure returns (State storage $) {
        bytes32 slot = STATE_SLOT;
        assembly ("memory-safe") {
            $.slot := slot
        }
    }
}
