// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

import {PausableVerbs} from "./governance/PausableVerbs.sol";
import {Errors} from "./interfaces/Errors.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {IPoseidon2} from "./interfaces/IPoseidon.sol";
import {IStatements} from "./interfaces/IStatements.sol";
import {Field} from "./lib/Field.sol";
import {Standings} from "./lib/Standings.sol";
import {Vocabulary} from "./lib/Vocabulary.sol";

/// @title Statements
/// @notice Incremental Poseidon trees over the roots of batches. See IStatements.
contract Statements is IStatements, PausableVerbs, UUPSUpgradeable {
    using Standings for IAccounts.Standing;

    uint256 private constant DEPTH = 24;
    uint256 private constant CAPACITY = 2 ** DEPTH;
    uint64 private constant LONGEST_RECENT = 7 days;

    /// One filling of a tree. `filled[i]` is the newest left node at height i; what stands right of
    /// it is empty.
    struct Forest {
        uint32 count;
        uint256 root;
        uint256[DEPTH] filled;
        mapping(uint256 root => uint64) replacedAt;
        mapping(bytes32 organisation => mapping(uint256 batchRoot => bool)) inserted;
    }

    /// @custom:storage-location erc7201:simdes.statements
    struct State {
        IAccounts accounts;
        IPoseidon2 poseidon;
        uint64 recentSeconds;
        uint256[DEPTH + 1] empty; // roots of empty trees by height
        mapping(uint8 kind => uint32) forest;
        mapping(uint8 kind => mapping(uint32 forest => Forest)) forests;
    }

    bytes32 private constant STATE_SLOT = keccak256(
        abi.encode(uint256(keccak256("simdes.statements")) - 1)
    ) & ~bytes32(uint256(0xff));

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @notice Set up the proxy.
    /// @param authority AccessManager
    /// @param accounts Accounts proxy
    /// @param poseidon the hash of two elements
    /// @param recent for how many seconds a root stays recent after the next one, at most 7 days
    /// @param pauseSeconds how long a pause lasts
    /// @param coolDownSeconds how long after a pause the next one of the same verb may begin
    function initialize(
        address authority,
        IAccounts accounts,
        IPoseidon2 poseidon,
        uint64 recent,
        uint64 pauseSeconds,
        uint64 coolDownSeconds
    ) external initializer {
        if (recent == 0 || recent > LONGEST_RECENT) {
            revert Errors.Statements_RecentMalformed(recent);
        }
        __AccessManaged_init(authority);
        __PausableVerbs_init(pauseSeconds, coolDownSeconds);
        State storage $ = _state();
        $.accounts = accounts;
        $.poseidon = poseidon;
        $.recentSeconds = recent;
        uint256 node = 0;
        for (uint256 i = 0; i < DEPTH; ++i) {
            $.empty[i] = node;
            node = poseidon.hash([node, node]);
        }
        $.empty[DEPTH] = node;
    }

    /// @inheritdoc IStatements
    function insertRoot(uint8 kind, uint256 batchRoot)
        external
        unlessPaused(this.insertRoot.selector)
        returns (uint32 index)
    {
        bytes32 organisation = _requireIssuer(kind);
        if (batchRoot == 0 || batchRoot >= Field.ORDER) {
            revert Errors.Statements_NotElement(batchRoot);
        }
        State storage $ = _state();
        uint32 number = $.forest[kind];
        Forest storage f = $.forests[kind][number];
        if (f.inserted[organisation][batchRoot]) {
            revert Errors.Statements_AlreadyInserted(kind, organisation, batchRoot);
        }
        index = f.count;
        if (index == CAPACITY) revert Errors.Statements_ForestFull(kind);

        uint256 root = _append(f, batchRoot);
        f.inserted[organisation][batchRoot] = true;
        if (index != 0) f.replacedAt[f.root] = uint64(block.timestamp);
        f.root = root;
        f.count = index + 1;
        emit RootInserted(kind, organisation, number, index, batchRoot, root);
    }

    /// @inheritdoc IStatements
    function beginForest(uint8 kind) external restricted {
        _requireKind(kind);
        uint32 number = ++_state().forest[kind];
        emit ForestBegun(kind, number);
    }

    /// @inheritdoc IStatements
    function isRecentRoot(uint8 kind, uint256 root) external view returns (bool) {
        State storage $ = _state();
        Forest storage f = $.forests[kind][$.forest[kind]];
        if (f.count == 0) return false;
        if (root == f.root) return true;
        uint64 replaced = f.replacedAt[root];
        return replaced != 0 && block.timestamp <= replaced + $.recentSeconds;
    }

    /// @inheritdoc IStatements
    function forestOf(uint8 kind)
        external
        view
        returns (uint32 forest, uint32 count, uint256 root)
    {
        State storage $ = _state();
        forest = $.forest[kind];
        Forest storage f = $.forests[kind][forest];
        return (forest, f.count, f.count == 0 ? $.empty[DEPTH] : f.root);
    }

    /// @inheritdoc IStatements
    function isInserted(uint8 kind, bytes32 organisation, uint256 batchRoot)
        external
        view
        returns (bool)
    {
        State storage $ = _state();
        return $.forests[kind][$.forest[kind]].inserted[organisation][batchRoot];
    }

    /// @inheritdoc IStatements
    function recentSeconds() external view returns (uint64) {
        return _state().recentSeconds;
    }

    /// @notice Issuing can be paused.
    function isPausable(bytes4 verb) public pure override returns (bool) {
        return verb == this.insertRoot.selector;
    }

    // An empty body: the modifier asks the AccessManager, which knows the timelock alone.
    // solhint-disable-next-line no-empty-blocks
    function _authorizeUpgrade(address) internal override restricted {}

    /// @dev Put a leaf at the next place; the new root is returned.
    function _append(Forest storage f, uint256 leaf) private returns (uint256 node) {
        State storage $ = _state();
        IPoseidon2 poseidon = $.poseidon;
        uint256 place = f.count;
        node = leaf;
        for (uint256 i = 0; i < DEPTH; ++i) {
            if (place & 1 == 0) {
                f.filled[i] = node;
                node = poseidon.hash([node, $.empty[i]]);
            } else {
                node = poseidon.hash([f.filled[i], node]);
            }
            place >>= 1;
        }
    }

    function _requireKind(uint8 kind) private pure {
        if (kind == 0 || kind > Vocabulary.LAST_STATEMENT) {
            revert Errors.Statements_KindUnknown(kind);
        }
    }

    function _requireIssuer(uint8 kind) private view returns (bytes32) {
        _requireKind(kind);
        IAccounts accounts = _state().accounts;
        IAccounts.Standing memory who = accounts.standing(msg.sender);
        // Hospitals issue every kind; pharmacies state facts, such as a vaccination.
        uint8 issuer = accounts.organisation(who.organisation).kind;
        bool mayIssue = issuer == Vocabulary.HOSPITAL
            || (issuer == Vocabulary.PHARMACY && kind == Vocabulary.STATEMENT_FACT);
        if (!mayIssue || !who.isActiveAs(Vocabulary.AGENT)) {
            revert Errors.Statements_NotIssuer(kind, msg.sender);
        }
        return who.organisation;
    }

    function _state() private pure returns (State storage $) {
        bytes32 slot = STATE_SLOT;
        assembly ("memory-safe") {
            $.slot := slot
        }
    }
}
