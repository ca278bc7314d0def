// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Errors} from "../../src/interfaces/Errors.sol";
import {ITags} from "../../src/interfaces/ITags.sol";
import {Network} from "../support/Network.sol";

/// set, close, get
/// ├── a part that falls or exceeds 10,000: refused
/// ├── anything of a closed tag: refused
/// └── otherwise as given, in the caller's own tags
contract SetTest is Network {
    address private constant OWNER = address(0xA);
    address private constant OTHER = address(0xB);

    function testFuzz_a_part_rises_up_to_the_whole(uint256 tag, uint16 first, uint16 second)
        external
    {
        vm.startPrank(OWNER);
        if (first > 10_000) {
            vm.expectRevert(abi.encodeWithSelector(Errors.Tags_PartRefused.selector, tag, 0, first));
            tagStore.set(tag, first, 0, 0);
            return;
        }
        tagStore.set(tag, first, 7, bytes32(uint256(1)));
        if (second < first || second > 10_000) {
            vm.expectRevert(
                abi.encodeWithSelector(Errors.Tags_PartRefused.selector, tag, first, second)
            );
            tagStore.set(tag, second, 8, 0);
            return;
        }
        tagStore.set(tag, second, 8, bytes32(uint256(2)));
        ITags.Tag memory t = tagStore.get(OWNER, tag);
        assertEq(t.part, second, "part");
        assertEq(t.day, 8, "day");
        assertEq(t.holder, bytes32(uint256(2)), "holder");
        assertEq(tagStore.get(OTHER, tag).part, 0, "another's tag");
    }

    function testFuzz_a_closed_tag_stays_as_it_is(uint256 tag, uint16 part) external {
        part = uint16(bound(part, 0, 10_000));
        vm.startPrank(OWNER);
        tagStore.set(tag, part, 0, 0);
        tagStore.close(tag);
        bytes memory refusal = abi.encodeWithSelector(Errors.Tags_Closed.selector, tag);
        vm.expectRevert(refusal);
        tagStore.set(tag, 10_000, 0, 0);
        vm.expectRevert(refusal);
        tagStore.close(tag);
        vm.stopPrank();
        assertTrue(tagStore.get(OWNER, tag).closed, "closed");
        assertEq(tagStore.get(OWNER, tag).part, part, "part");
        vm.prank(OTHER);
        tagStore.set(tag, 1, 0, 0);
    }
}
