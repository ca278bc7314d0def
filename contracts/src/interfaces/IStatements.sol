// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Statements: forests of what organisations state, for proofs that tell nothing else
/// @notice One forest per kind, a Poseidon tree of depth 24 whose leaves are the roots of batches
/// that verified organisations issue. Nothing says how many statements a batch has.
/// docs/formats/statements.md
interface IStatements {
    /// A batch's root stands in its kind's forest, as leaf number `index` of forest number `forest`.
    event RootInserted(
        uint8 indexed kind,
        bytes32 indexed organisation,
        uint32 forest,
        uint32 index,
        uint256 batchRoot,
        uint256 forestRoot
    );
    /// The kind begins anew with an empty forest; no root of an earlier one is recent any more.
    event ForestBegun(uint8 indexed kind, uint32 forest);

    /// @notice Insert a batch's root. Caller: an active Agent of a verified organisation whose kind
    /// may issue this kind of statement.
    /// @param batchRoot a field element, not zero, that the organisation has not in this forest yet
    /// @return index its place in the forest
    function insertRoot(uint8 kind, uint256 batchRoot) external returns (uint32 index);
    /// @notice Begin a kind's forest anew, so that proofs from an issuer who was suspended end.
    /// Governance only; issuers insert their roots again.
    function beginForest(uint8 kind) external;

    /// @notice Whether proofs under this root are taken: it is the kind's newest, or was until
    /// `recentSeconds` ago.
    function isRecentRoot(uint8 kind, uint256 root) external view returns (bool);
    /// @notice The newest root, and how many batches stand in the forest of this number.
    function forestOf(uint8 kind) external view returns (uint32 forest, uint32 count, uint256 root);
    /// @notice Whether an organisation has this root in the kind's forest.
    function isInserted(uint8 kind, bytes32 organisation, uint256 batchRoot)
        external
        view
        returns (bool);
    /// @notice How long a root stays recent after the next one.
    function recentSeconds() external view returns (uint64);
}
