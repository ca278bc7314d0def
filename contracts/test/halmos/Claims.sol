// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ClaimBook} from "../../src/ClaimBook.sol";
import {IClaimBook} from "../../src/interfaces/IClaimBook.sol";
import {ClaimStates} from "../../src/lib/ClaimStates.sol";
import {Symbolic} from "./Symbolic.sol";

/// The book of claims, from any state, by any caller, with any arguments: so whatever an upgrade
/// makes of Claims.
contract ClaimBookProof is Symbolic {
    ClaimBook private book;

    function setUp() public {
        book = new ClaimBook();
    }

    /// One call of any verb that is not `open`.
    function _call(
        address caller,
        uint256 which,
        uint8 verb,
        uint8 to,
        uint64 due,
        uint256 a,
        uint256 b
    ) private returns (bool) {
        bytes memory data;
        if (verb == 0) data = abi.encodeCall(IClaimBook.move, (which, to, due));
        else if (verb == 1) data = abi.encodeCall(IClaimBook.decide, (which, to, a, due));
        else if (verb == 2) data = abi.encodeCall(IClaimBook.accept, (which, due));
        else if (verb == 3) data = abi.encodeCall(IClaimBook.pay, (which, a));
        else if (verb == 4) data = abi.encodeCall(IClaimBook.free, (which, a, b));
        else data = abi.encodeCall(IClaimBook.speak, (which, bytes32(a)));
        return _try(caller, address(book), data);
    }

    function check_a_claim_moves_along_drawn_edges_alone(
        address owner,
        uint256 id,
        address caller,
        uint256 which,
        uint8 verb,
        uint8 to,
        uint64 due,
        uint256 a,
        uint256 b
    ) external {
        svm.enableSymbolicStorage(address(book));
        IClaimBook.Claim memory before = book.get(owner, id);
        bool done = _call(caller, which, verb, to, due, a, b);
        IClaimBook.Claim memory later = book.get(owner, id);

        assert(later.state == before.state || ClaimStates.isEdge(before.state, later.state));
        assert(later.claimed == before.claimed && later.tag == before.tag);
        assert(later.provider == before.provider && later.payer == before.payer);
        assert(later.appeals >= before.appeals);
        if (later.paid != before.paid) {
            assert(later.state == ClaimStates.PAID && before.state != ClaimStates.PAID);
        }
        if (later.approved != before.approved) assert(ClaimStates.isDecision(later.state));
        if (later.counted != before.counted) {
            assert(
                later.counted == 0 || later.counted == later.approved || later.counted == later.paid
            );
        }
        if (!done || caller != owner || which != id) {
            assert(later.state == before.state && later.counted == before.counted);
            assert(later.approved == before.approved && later.paid == before.paid);
            assert(later.accepted == before.accepted && later.due == before.due);
        }
    }

    function check_a_total_changes_from_what_it_is_alone(
        address owner,
        uint256 tag,
        address caller,
        uint256 which,
        uint8 verb,
        uint8 to,
        uint64 due,
        uint256 a,
        uint256 b
    ) external {
        svm.enableSymbolicStorage(address(book));
        uint256 before = book.totalOf(owner, tag);
        bool done = _call(caller, which, verb, to, due, a, b);
        uint256 later = book.totalOf(owner, tag);
        if (later == before) return;
        assert(done && caller == owner && verb == 4);
        assert(a == before && b == later && later != 0);
    }

    /// The patient's hash gives way to what is behind it, to nothing else, and only to who shows it:
    /// so a secret that was shown is no secret of the next appeal.
    function check_a_voice_gives_way_to_its_secret_alone(
        address owner,
        uint256 id,
        address caller,
        uint256 which,
        uint8 verb,
        uint8 to,
        uint64 due,
        uint256 a,
        uint256 b
    ) external {
        svm.enableSymbolicStorage(address(book));
        bytes32 before = book.get(owner, id).voice;
        bool done = _call(caller, which, verb, to, due, a, b);
        bytes32 later = book.get(owner, id).voice;
        if (later == before) return;
        assert(done && caller == owner && which == id && verb > 4);
        assert(before != 0 && later == bytes32(a));
        assert(keccak256(abi.encode(later)) == before);
    }

    function check_a_payer_has_one_claim_that_is_not_reversed(
        address owner,
        IClaimBook.Entry calldata entry
    ) external {
        svm.enableSymbolicStorage(address(book));
        uint256 count = book.countOf(owner, entry.tag, entry.payer);
        uint256 total = book.totalOf(owner, entry.tag);
        vm.assume(count < type(uint256).max);
        uint8 last;
        if (count != 0) {
            last = book.get(owner, book.idOf(owner, entry.tag, entry.payer, count - 1)).state;
        }
        bool done = _try(owner, address(book), abi.encodeCall(IClaimBook.open, (entry)));
        if (!done) return;
        assert(count == 0 || last == ClaimStates.REVERSED);
        assert(total == entry.before);
        assert(book.totalOf(owner, entry.tag) == entry.afterwards);
        assert(book.countOf(owner, entry.tag, entry.payer) == count + 1);
    }

    function refute_no_claim_is_ever_opened(address owner, IClaimBook.Entry calldata entry)
        external
    {
        svm.enableSymbolicStorage(address(book));
        assert(!_try(owner, address(book), abi.encodeCall(IClaimBook.open, (entry))));
    }

    function refute_no_secret_is_ever_taken(address owner, uint256 id, bytes32 secret) external {
        svm.enableSymbolicStorage(address(book));
        assert(!_try(owner, address(book), abi.encodeCall(IClaimBook.speak, (id, secret))));
    }

    function refute_no_claim_is_ever_paid(address owner, uint256 id, uint256 paid) external {
        svm.enableSymbolicStorage(address(book));
        assert(!_try(owner, address(book), abi.encodeCall(IClaimBook.pay, (id, paid))));
    }
}
