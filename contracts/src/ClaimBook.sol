// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "./interfaces/Errors.sol";
import {IClaimBook} from "./interfaces/IClaimBook.sol";
import {ClaimStates} from "./lib/ClaimStates.sol";

/// @title ClaimBook
/// @notice No proxy, no owner, no pause. See IClaimBook.
contract ClaimBook is IClaimBook {
    uint8 private constant MOST_APPEALS = 3;

    mapping(address owner => mapping(uint256 id => Claim)) private _claims;
    mapping(address owner => mapping(uint256 tag => uint256)) private _totals;
    mapping(address owner => mapping(uint256 tag => mapping(bytes32 payer => uint256))) private
        _counts;

    /// @inheritdoc IClaimBook
    function open(Entry calldata entry) external returns (uint256 id) {
        uint256 number = _counts[msg.sender][entry.tag][entry.payer];
        if (number != 0) {
            uint256 last = idOf(msg.sender, entry.tag, entry.payer, number - 1);
            if (_claims[msg.sender][last].state != ClaimStates.REVERSED) {
                revert Errors.ClaimBook_ClaimedAlready(last);
            }
        }
        if (entry.claimed == 0) revert Errors.ClaimBook_NoAmount();
        _moveTotal(entry.tag, entry.before, entry.afterwards);
        _counts[msg.sender][entry.tag][entry.payer] = number + 1;

        id = idOf(msg.sender, entry.tag, entry.payer, number);
        Claim storage c = _claims[msg.sender][id];
        c.state = ClaimStates.OPENED;
        c.due = entry.due;
        c.provider = entry.provider;
        c.payer = entry.payer;
        c.tag = entry.tag;
        c.claimed = entry.claimed;
        c.counted = entry.claimed;
        if (entry.voice != 0) c.voice = entry.voice;
    }

    /// @inheritdoc IClaimBook
    function move(uint256 id, uint8 to, uint64 due) external {
        Claim storage c = _claims[msg.sender][id];
        if (ClaimStates.isDecision(to) || to == ClaimStates.PAID) _refuse(id, c.state, to);
        if (to == ClaimStates.APPEALED) {
            if (_isFinal(c)) revert Errors.ClaimBook_Final(id);
            if (c.appeals == MOST_APPEALS) revert Errors.ClaimBook_AppealsSpent(id);
            ++c.appeals;
        }
        _advance(id, c, to);
        c.due = due;
    }

    /// @inheritdoc IClaimBook
    function decide(uint256 id, uint8 to, uint256 approved, uint64 due) external {
        Claim storage c = _claims[msg.sender][id];
        if (!ClaimStates.isDecision(to)) _refuse(id, c.state, to);
        if ((approved == 0) != (to == ClaimStates.DENIED)) revert Errors.ClaimBook_NoAmount();
        _advance(id, c, to);
        c.approved = approved;
        c.due = due;
    }

    /// @inheritdoc IClaimBook
    function accept(uint256 id, uint64 due) external {
        Claim storage c = _claims[msg.sender][id];
        if (c.state != ClaimStates.PARTLY && c.state != ClaimStates.DENIED) {
            _refuse(id, c.state, c.state);
        }
        if (_isFinal(c)) revert Errors.ClaimBook_Final(id);
        c.accepted = true;
        c.due = due;
    }

    /// @inheritdoc IClaimBook
    function pay(uint256 id, uint256 paid) external {
        Claim storage c = _claims[msg.sender][id];
        if (paid == 0) revert Errors.ClaimBook_NoAmount();
        if (c.state == ClaimStates.PARTLY && !_isFinal(c)) revert Errors.ClaimBook_NotFinal(id);
        _advance(id, c, ClaimStates.PAID);
        c.paid = paid;
    }

    /// @inheritdoc IClaimBook
    function free(uint256 id, uint256 before, uint256 afterwards) external {
        uint256 kept = keptOf(msg.sender, id);
        Claim storage c = _claims[msg.sender][id];
        if (c.counted == kept) revert Errors.ClaimBook_NothingToFree(id);
        _moveTotal(c.tag, before, afterwards);
        c.counted = kept;
    }

    /// @inheritdoc IClaimBook
    function speak(uint256 id, bytes32 secret) external {
        Claim storage c = _claims[msg.sender][id];
        if (c.voice == 0 || keccak256(abi.encode(secret)) != c.voice) {
            revert Errors.ClaimBook_NotVoice(id);
        }
        c.voice = secret;
    }

    /// @inheritdoc IClaimBook
    function get(address owner, uint256 id) external view returns (Claim memory) {
        return _claims[owner][id];
    }

    /// @inheritdoc IClaimBook
    function totalOf(address owner, uint256 tag) external view returns (uint256) {
        return _totals[owner][tag];
    }

    /// @inheritdoc IClaimBook
    function countOf(address owner, uint256 tag, bytes32 payer) external view returns (uint256) {
        return _counts[owner][tag][payer];
    }

    /// @inheritdoc IClaimBook
    function keptOf(address owner, uint256 id) public view returns (uint256) {
        Claim storage c = _claims[owner][id];
        if (c.state == ClaimStates.REVERSED) return 0;
        if (c.state == ClaimStates.PAID) return c.paid;
        if (!_isFinal(c)) revert Errors.ClaimBook_NotFinal(id);
        return c.approved;
    }

    /// @inheritdoc IClaimBook
    function idOf(address owner, uint256 tag, bytes32 payer, uint256 number)
        public
        view
        returns (uint256)
    {
        return uint256(keccak256(abi.encode(block.chainid, owner, tag, payer, number))) >> 8;
    }

    function _moveTotal(uint256 tag, uint256 before, uint256 afterwards) private {
        uint256 total = _totals[msg.sender][tag];
        if (total != before) revert Errors.ClaimBook_Moved(tag, total);
        // A total that went back to zero would be one of which nothing was ever claimed.
        if (afterwards == 0) revert Errors.ClaimBook_NoAmount();
        _totals[msg.sender][tag] = afterwards;
    }

    function _advance(uint256 id, Claim storage c, uint8 to) private {
        if (!ClaimStates.isEdge(c.state, to)) _refuse(id, c.state, to);
        c.state = to;
    }

    /// @dev Partly or denied, and no appeal is possible any more.
    function _isFinal(Claim storage c) private view returns (bool) {
        bool appealable = c.state == ClaimStates.PARTLY || c.state == ClaimStates.DENIED;
        return appealable && (c.accepted || block.timestamp >= c.due);
    }

    function _refuse(uint256 id, uint8 from, uint8 to) private pure {
        revert Errors.ClaimBook_NoEdge(id, from, to);
    }
}
