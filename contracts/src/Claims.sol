// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

import {PausableVerbs} from "./governance/PausableVerbs.sol";
import {Errors} from "./interfaces/Errors.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {IClaimBook} from "./interfaces/IClaimBook.sol";
import {IClaims} from "./interfaces/IClaims.sol";
import {IClaimVerifier, IFreeVerifier, ISettleVerifier} from "./interfaces/IClaimVerifiers.sol";
import {IStatements} from "./interfaces/IStatements.sol";
import {ClaimStates} from "./lib/ClaimStates.sol";
import {Field} from "./lib/Field.sol";
import {Standings} from "./lib/Standings.sol";
import {Vocabulary} from "./lib/Vocabulary.sol";

/// @title Claims
/// @notice Checks callers and proofs and moves claims, which ClaimBook keeps. See IClaims.
contract Claims is IClaims, PausableVerbs, UUPSUpgradeable {
    using Standings for IAccounts.Standing;

    /// What claims are made of.
    struct Parts {
        IAccounts accounts;
        IStatements statements;
        IClaimBook book;
        IClaimVerifier claimVerifier;
        ISettleVerifier settleVerifier;
        IFreeVerifier freeVerifier;
    }

    /// @custom:storage-location erc7201:simdes.claims
    struct State {
        Parts parts;
        Times times;
        mapping(bytes32 organisation => uint256) holder;
        mapping(uint256 holder => bool) taken;
    }

    bytes32 private constant STATE_SLOT =
        keccak256(abi.encode(uint256(keccak256("simdes.claims")) - 1)) & ~bytes32(uint256(0xff));

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    /// @notice Set up the proxy.
    /// @param authority AccessManager
    /// @param parts the contracts it uses
    /// @param waits how long the states wait, none of them zero
    /// @param pauseSeconds how long a pause lasts
    /// @param coolDownSeconds how long after a pause the next one of the same verb may begin
    function initialize(
        address authority,
        Parts calldata parts,
        Times calldata waits,
        uint64 pauseSeconds,
        uint64 coolDownSeconds
    ) external initializer {
        if (waits.answer == 0 || waits.decide == 0 || waits.appeal == 0) {
            revert Errors.Claims_TimesMalformed();
        }
        __AccessManaged_init(authority);
        __PausableVerbs_init(pauseSeconds, coolDownSeconds);
        _state().parts = parts;
        _state().times = waits;
    }

    /// @inheritdoc IClaims
    function enrol(uint256 holder) external {
        bytes32 organisation = _requireProvider();
        State storage $ = _state();
        if (holder == 0 || holder >= Field.ORDER) revert Errors.Claims_NotElement(holder);
        if ($.holder[organisation] != 0 || $.taken[holder]) {
            revert Errors.Claims_EnrolledAlready(organisation);
        }
        $.holder[organisation] = holder;
        $.taken[holder] = true;
        emit Enrolled(organisation, holder);
    }

    /// @inheritdoc IClaims
    function dismiss(bytes32 organisation) external restricted {
        State storage $ = _state();
        if ($.holder[organisation] == 0) revert Errors.Claims_NotEnrolled(organisation);
        delete $.holder[organisation];
        emit Dismissed(organisation);
    }

    /// @inheritdoc IClaims
    function open(Opening calldata opening)
        external
        unlessPaused(this.open.selector)
        returns (uint256 claim)
    {
        bytes32 provider = _requireProvider();
        uint256 holder = _state().holder[provider];
        if (holder == 0) revert Errors.Claims_NotEnrolled(provider);
        _requirePayer(opening.payer);
        _requireOpening(opening, holder);

        claim = _state().parts.book
            .open(
                IClaimBook.Entry({
                tag: opening.tag,
                provider: provider,
                payer: opening.payer,
                before: opening.before,
                afterwards: opening.afterwards,
                claimed: opening.claimed,
                voice: opening.voice,
                due: _in(_state().times.answer)
            })
            );
        emit ClaimOpened(
            claim, provider, opening.payer, opening.tag, opening.claimed, opening.afterwards
        );
    }

    /// @inheritdoc IClaims
    function disclose(uint256 claim) external {
        _requireMine(_claim(claim).provider);
        _move(claim, ClaimStates.DISCLOSED, _state().times.decide);
        emit ClaimDisclosed(claim);
    }

    /// @inheritdoc IClaims
    function acknowledge(uint256 claim) external {
        _requireMine(_claim(claim).payer);
        _move(claim, ClaimStates.RECEIVED, _state().times.decide);
        emit ClaimReceived(claim);
    }

    /// @inheritdoc IClaims
    function ask(uint256 claim) external {
        _requireMine(_claim(claim).payer);
        _move(claim, ClaimStates.ASKED, _state().times.answer);
        emit ClaimAsked(claim);
    }

    /// @inheritdoc IClaims
    function adjudicate(
        uint256 claim,
        uint8 outcome,
        uint256 approved,
        bytes32 reason,
        uint256[8] calldata proof
    ) external unlessPaused(this.adjudicate.selector) {
        IClaimBook.Claim memory c = _claim(claim);
        _requireMine(c.payer);
        bool whole = outcome == ClaimStates.APPROVED;
        if (outcome != ClaimStates.DENIED) {
            _requireSettling(claim, c.claimed, approved, whole, proof);
        }
        uint64 due = _in(whole ? _state().times.decide : _state().times.appeal);
        _state().parts.book.decide(claim, outcome, approved, due);
        emit ClaimAdjudicated(claim, outcome, approved, reason, due);
    }

    /// @inheritdoc IClaims
    function accept(uint256 claim) external {
        IClaimBook.Claim memory c = _claim(claim);
        _requireMine(c.provider);
        // What is denied ends here; what is partly approved waits for its payment.
        uint64 wait = c.state == ClaimStates.PARTLY ? _state().times.decide : 0;
        _state().parts.book.accept(claim, _in(wait));
        emit ClaimAccepted(claim);
    }

    /// @inheritdoc IClaims
    function appeal(uint256 claim) external {
        _requireMine(_claim(claim).provider);
        _appeal(claim);
    }

    /// @inheritdoc IClaims
    function appealFor(uint256 claim, bytes32 secret) external {
        _state().parts.book.speak(claim, secret);
        _appeal(claim);
    }

    /// @inheritdoc IClaims
    function settle(uint256 claim, uint256 paid, bool whole, uint256[8] calldata proof)
        external
        unlessPaused(this.settle.selector)
    {
        IClaimBook.Claim memory c = _claim(claim);
        _requireMine(c.payer);
        _requireSettling(claim, c.approved, paid, whole, proof);
        _state().parts.book.pay(claim, paid);
        emit ClaimPaid(claim, paid, whole);
    }

    /// @inheritdoc IClaims
    function reverse(uint256 claim) external {
        IClaimBook.Claim memory c = _claim(claim);
        IAccounts.Standing memory who = _state().parts.accounts.standing(msg.sender);
        bool decided = c.state == ClaimStates.APPROVED || c.state == ClaimStates.PARTLY
            || c.state == ClaimStates.PAID;
        bool may = (who.organisation == c.provider && c.state != ClaimStates.PAID)
            || (who.organisation == c.payer && decided);
        if (!may || !who.isActiveAs(Vocabulary.AGENT)) {
            revert Errors.Claims_NotParty(claim, msg.sender);
        }
        _move(claim, ClaimStates.REVERSED, 0);
        emit ClaimReversed(claim, who.organisation);
    }

    /// @inheritdoc IClaims
    function free(uint256 claim, uint256 before, uint256 afterwards, uint256[8] calldata proof)
        external
        unlessPaused(this.free.selector)
    {
        IClaimBook.Claim memory c = _claim(claim);
        _requireMine(c.provider);
        Parts storage p = _state().parts;
        uint256 kept = p.book.keptOf(address(this), claim);
        uint256[6] memory inputs = [c.tag, claim, before, afterwards, c.counted, kept];
        if (!p.freeVerifier.verifyProof(proof, inputs)) revert Errors.Claims_ProofRefused(claim);
        p.book.free(claim, before, afterwards);
        emit ClaimFreed(claim, c.tag, kept, afterwards);
    }

    /// @inheritdoc IClaims
    function isOpen(bytes32 claim) external view returns (bool) {
        IClaimBook.Claim memory c = _claim(uint256(claim));
        bool goesOn = c.state != 0 && c.state != ClaimStates.PAID && c.state != ClaimStates.REVERSED;
        return goesOn && block.timestamp < c.due;
    }

    /// @inheritdoc IClaims
    function claimOf(uint256 claim) external view returns (IClaimBook.Claim memory) {
        return _claim(claim);
    }

    /// @inheritdoc IClaims
    function totalOf(uint256 tag) external view returns (uint256) {
        return _state().parts.book.totalOf(address(this), tag);
    }

    /// @inheritdoc IClaims
    function keptOf(uint256 claim) external view returns (uint256) {
        return _state().parts.book.keptOf(address(this), claim);
    }

    /// @inheritdoc IClaims
    function holderOf(bytes32 organisation) external view returns (uint256) {
        return _state().holder[organisation];
    }

    /// @inheritdoc IClaims
    function times() external view returns (Times memory) {
        return _state().times;
    }

    /// @notice The contracts that it uses.
    function uses() external view returns (Parts memory) {
        return _state().parts;
    }

    /// @inheritdoc IClaims
    function nextId(uint256 tag, bytes32 payer) public view returns (uint256) {
        IClaimBook book = _state().parts.book;
        uint256 number = book.countOf(address(this), tag, payer);
        return book.idOf(address(this), tag, payer, number);
    }

    /// @inheritdoc IClaims
    function context() public view returns (uint256) {
        return Field.ofContract(block.chainid, address(this));
    }

    /// @notice What takes a proof can be paused; all else cannot.
    function isPausable(bytes4 verb) public pure override returns (bool) {
        return verb == this.open.selector || verb == this.adjudicate.selector
            || verb == this.settle.selector || verb == this.free.selector;
    }

    // An empty body: the modifier asks the AccessManager, which knows the timelock alone.
    // solhint-disable-next-line no-empty-blocks
    function _authorizeUpgrade(address) internal override restricted {}

    function _move(uint256 claim, uint8 to, uint64 wait) private {
        _state().parts.book.move(claim, to, _in(wait));
    }

    function _appeal(uint256 claim) private {
        _move(claim, ClaimStates.APPEALED, _state().times.decide);
        emit ClaimAppealed(claim);
    }

    function _in(uint64 wait) private view returns (uint64) {
        return uint64(block.timestamp) + wait;
    }

    function _claim(uint256 claim) private view returns (IClaimBook.Claim memory) {
        return _state().parts.book.get(address(this), claim);
    }

    function _requireProvider() private view returns (bytes32) {
        IAccounts accounts = _state().parts.accounts;
        IAccounts.Standing memory who = accounts.standing(msg.sender);
        bool treats = accounts.organisation(who.organisation).kind == Vocabulary.HOSPITAL;
        if (!treats || !who.isActiveAs(Vocabulary.AGENT)) {
            revert Errors.Claims_NotProvider(msg.sender);
        }
        return who.organisation;
    }

    function _requirePayer(bytes32 payer) private view {
        IAccounts.Organisation memory o = _state().parts.accounts.organisation(payer);
        if (o.kind != Vocabulary.INSURER || o.state != Vocabulary.VERIFIED) {
            revert Errors.Claims_NotPayer(payer);
        }
    }

    /// @dev The caller is an active Agent of this side of the claim; of an unknown one, nobody is.
    function _requireMine(bytes32 organisation) private view {
        IAccounts.Standing memory who = _state().parts.accounts.standing(msg.sender);
        bool mine = organisation != 0 && who.organisation == organisation;
        if (!mine || !who.isActiveAs(Vocabulary.AGENT)) {
            revert Errors.Claims_NotSide(organisation, msg.sender);
        }
    }

    /// @dev The proof holds for this claim of this holder, under a recent root.
    function _requireOpening(Opening calldata opening, uint256 holder) private view {
        Parts storage p = _state().parts;
        if (!p.statements.isRecentRoot(Vocabulary.STATEMENT_ENCOUNTER, opening.root)) {
            revert Errors.Claims_RootNotRecent(opening.root);
        }
        uint256 claim = nextId(opening.tag, opening.payer);
        uint256[8] memory inputs = [
            opening.root,
            context(),
            holder,
            opening.tag,
            claim,
            opening.before,
            opening.afterwards,
            opening.claimed
        ];
        if (!p.claimVerifier.verifyProof(opening.proof, inputs)) {
            revert Errors.Claims_ProofRefused(claim);
        }
    }

    /// @dev What is given is no more than what it may be, and exactly that if `whole`.
    function _requireSettling(
        uint256 claim,
        uint256 upper,
        uint256 lower,
        bool whole,
        uint256[8] calldata proof
    ) private view {
        uint256[4] memory inputs = [claim, upper, lower, whole ? 1 : 0];
        if (!_state().parts.settleVerifier.verifyProof(proof, inputs)) {
            revert Errors.Claims_ProofRefused(claim);
        }
    }

    function _state() private pure returns (State storage $) {
        bytes32 slot = STATE_SLOT;
        assembly ("memory-safe") {
            $.slot := slot
        }
    }
}
