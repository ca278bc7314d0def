// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Nullifiers} from "../../src/Nullifiers.sol";
import {Tags} from "../../src/Tags.sol";
import {ITags} from "../../src/interfaces/ITags.sol";
import {Symbolic} from "./Symbolic.sol";

/// The stores that no upgrade changes, from any state, by any caller, with any arguments.
contract StoresProof is Symbolic {
    Tags private tags;
    Nullifiers private nullifiers;

    function setUp() public {
        tags = new Tags();
        nullifiers = new Nullifiers();
    }

    function check_a_new_store_knows_nothing(address owner, uint256 tag) external view {
        ITags.Tag memory t = tags.get(owner, tag);
        assert(t.part == 0 && t.day == 0 && t.holder == 0 && !t.closed);
        assert(!nullifiers.isSpent(owner, tag));
    }

    function check_no_call_takes_a_tag_beyond_the_whole(
        address owner,
        uint256 tag,
        address caller,
        uint256 which,
        uint16 part,
        uint32 day,
        bytes32 holder,
        bool closes
    ) external {
        svm.enableSymbolicStorage(address(tags));
        ITags.Tag memory before = tags.get(owner, tag);
        vm.assume(before.part <= 10_000);
        bytes memory data = closes
            ? abi.encodeCall(ITags.close, (which))
            : abi.encodeCall(ITags.set, (which, part, day, holder));
        bool done = _try(caller, address(tags), data);

        ITags.Tag memory later = tags.get(owner, tag);
        assert(later.part <= 10_000);
        assert(later.part >= before.part);
        assert(later.closed || !before.closed);
        if (!done || before.closed || caller != owner || which != tag) {
            assert(later.part == before.part && later.day == before.day);
            assert(later.holder == before.holder && later.closed == before.closed);
        }
        if (closes) assert(later.part == before.part && later.holder == before.holder);
    }

    function check_a_nullifier_is_spent_once(
        address owner,
        uint256 nullifier,
        address caller,
        uint256 which
    ) external {
        svm.enableSymbolicStorage(address(nullifiers));
        bool before = nullifiers.isSpent(owner, nullifier);
        bool wasSpent = nullifiers.isSpent(caller, which);
        bool done = _try(caller, address(nullifiers), abi.encodeCall(nullifiers.spend, (which)));

        assert(done == !wasSpent);
        assert(nullifiers.isSpent(caller, which));
        if (caller == owner && which == nullifier) assert(nullifiers.isSpent(owner, nullifier));
        else assert(nullifiers.isSpent(owner, nullifier) == before);
    }

    function check_of_two_who_spend_one_succeeds(
        address owner,
        uint256 nullifier,
        address between,
        uint256 other
    ) external {
        svm.enableSymbolicStorage(address(nullifiers));
        bytes memory data = abi.encodeCall(nullifiers.spend, (nullifier));
        bool first = _try(owner, address(nullifiers), data);
        _try(between, address(nullifiers), abi.encodeCall(nullifiers.spend, (other)));
        bool second = _try(owner, address(nullifiers), data);
        assert(!(first && second));
        assert(!second);
    }

    // What must be found false, so that what is proved above isn't true for want of a success.

    function refute_no_tag_ever_moves(address owner, uint256 tag, uint16 part, uint32 day)
        external
    {
        svm.enableSymbolicStorage(address(tags));
        bytes memory data = abi.encodeCall(ITags.set, (tag, part, day, bytes32(0)));
        assert(!_try(owner, address(tags), data));
    }

    function refute_nothing_can_be_spent(address owner, uint256 nullifier) external {
        svm.enableSymbolicStorage(address(nullifiers));
        bytes memory data = abi.encodeCall(nullifiers.spend, (nullifier));
        assert(!_try(owner, address(nullifiers), data));
    }
}
