// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

import {PausableVerbs} from "./governance/PausableVerbs.sol";
import {Errors} from "./interfaces/Errors.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {IRecords} from "./interfaces/IRecords.sol";
import {MerkleTree} from "./lib/MerkleTree.sol";
import {Standings} from "./lib/Standings.sol";
import {Vocabulary} from "./lib/Vocabulary.sol";

/// @title Records
/// @notice Merkle roots of sealed records, each under its own organisation. See IRecords.
contract Records is IRecords, PausableVerbs, UUPSUpgradeable {
    using Standings for IAccounts.Standing;

    /// @custom:storage-location erc7201:simdes.records
    struct State {
        IAccounts accounts;
        mapping(bytes32 batchId => Batch) batches;
        // By organisation: what one says about a leaf binds no other that anchored the same.
        mapping(bytes32 organisation => mapping(bytes32 leaf => Status)) statuses;
    }

    uint8 private constant CURRENT = 0;
    uint8 private constant SUPERSEDED = 1;
    uint8 private constant ERASED = 2;
    uint256 private constant LONGEST_POINTER = 96;

    bytes32 private constant STATE_SLOT =
        keccak256(abi.encode(uint256(keccak256("simdes.records")) - 1)) & ~bytes32(uint256(0xff));

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @notice Set up the proxy.
    /// @param authority AccessManager
    /// @param accounts Accounts proxy
    /// @param pauseSeconds how long a pause lasts
    /// @param coolDownSeconds how long after a pause the next one of the same verb may begin
    function initialize(
        address authority,
        IAccounts accounts,
        uint64 pauseSeconds,
        uint64 coolDownSeconds
    ) external initializer {
        __AccessManaged_init(authority);
        __PausableVerbs_init(pauseSeconds, coolDownSeconds);
        _state().accounts = accounts;
    }

    /// @inheritdoc IRecords
    function anchor(bytes32 root, uint32 count, bytes calldata manifest)
        external
        unlessPaused(this.anchor.selector)
        returns (bytes32 batchId)
    {
        if (root == 0 || count == 0) revert Errors.Records_EmptyBatch();
        if (manifest.length == 0 || manifest.length > LONGEST_POINTER) {
            revert Errors.Records_PointerLength(manifest.length);
        }
        bytes32 organisation = _requireAgent();
        batchId = batchIdOf(organisation, root);
        Batch storage b = _state().batches[batchId];
        if (b.count != 0) revert Errors.Records_AlreadyAnchored(batchId);

        b.organisation = organisation;
        b.root = root;
        b.count = count;
        b.time = uint64(block.timestamp);
        emit Anchored(batchId, organisation, root, count, manifest);
    }

    /// @inheritdoc IRecords
    function supersede(Leaf calldata old, Leaf calldata successor) external {
        bytes32 organisation = _requireAgent();
        Status storage s = _requireOwn(organisation, old);
        Status storage next = _requireOwn(organisation, successor);
        // The successor must be current itself: with that, no chain of versions can close to a ring.
        if (s.status != CURRENT) revert Errors.Records_WrongStatus(old.leaf, s.status);
        if (next.status != CURRENT || old.leaf == successor.leaf) {
            revert Errors.Records_WrongStatus(successor.leaf, next.status);
        }

        s.status = SUPERSEDED;
        s.since = uint64(block.timestamp);
        s.successor = successor.leaf;
        emit Superseded(organisation, old.leaf, successor.leaf);
    }

    /// @inheritdoc IRecords
    function erase(Leaf calldata old) external {
        bytes32 organisation = _requireAgent();
        Status storage s = _requireOwn(organisation, old);
        if (s.status == ERASED) revert Errors.Records_WrongStatus(old.leaf, s.status);

        s.status = ERASED;
        s.since = uint64(block.timestamp);
        emit Erased(organisation, old.leaf);
    }

    /// @inheritdoc IRecords
    function verify(bytes32 batchId, bytes32 leaf, uint256 index, bytes32[] calldata path)
        external
        view
        returns (bool)
    {
        Batch storage b = _state().batches[batchId];
        return MerkleTree.verify(b.root, leaf, index, b.count, path);
    }

    /// @inheritdoc IRecords
    function batch(bytes32 batchId) external view returns (Batch memory) {
        return _state().batches[batchId];
    }

    /// @inheritdoc IRecords
    function status(bytes32 organisation, bytes32 leaf) external view returns (Status memory) {
        return _state().statuses[organisation][leaf];
    }

    /// @inheritdoc IRecords
    function batchIdOf(bytes32 organisation, bytes32 root) public view returns (bytes32) {
        return keccak256(abi.encodePacked(block.chainid, organisation, root));
    }

    /// @notice Anchoring can be paused; saying that something is superseded or erased cannot.
    function isPausable(bytes4 verb) public pure override returns (bool) {
        return verb == this.anchor.selector;
    }

    // An empty body: the modifier asks the AccessManager, which knows the timelock alone.
    // solhint-disable-next-line no-empty-blocks
    function _authorizeUpgrade(address) internal override restricted {}

    function _requireAgent() private view returns (bytes32) {
        IAccounts accounts = _state().accounts;
        IAccounts.Standing memory who = accounts.standing(msg.sender);
        if (!who.isActiveAs(Vocabulary.AGENT)) revert Errors.Records_NotAgent(msg.sender);
        return who.organisation;
    }

    /// @dev The leaf stands in a batch of this organisation; its status is returned.
    function _requireOwn(bytes32 organisation, Leaf calldata at)
        private
        view
        returns (Status storage)
    {
        State storage $ = _state();
        Batch storage b = $.batches[at.batchId];
        if (b.count == 0) revert Errors.Records_BatchUnknown(at.batchId);
        if (b.organisation != organisation) {
            revert Errors.Records_NotAuthor(at.batchId, organisation);
        }
        if (!MerkleTree.verify(b.root, at.leaf, at.index, b.count, at.path)) {
            revert Errors.Records_NotInBatch(at.batchId, at.leaf);
        }
        return $.statuses[organisation][at.leaf];
    }

    function _state() private pure returns (State storage $) {
        bytes32 slot = STATE_SLOT;
        assembly ("memory-safe") {
            $.slot := slot
        }
    }
}
