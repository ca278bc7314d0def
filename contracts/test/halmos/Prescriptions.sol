// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";

import {Prescriptions} from "../../src/Prescriptions.sol";
import {Tags} from "../../src/Tags.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {IDispenseVerifier} from "../../src/interfaces/IDispenseVerifier.sol";
import {IPoseidon2, IPoseidon3} from "../../src/interfaces/IPoseidon.sol";
import {IPrescriptions} from "../../src/interfaces/IPrescriptions.sol";
import {IStatements} from "../../src/interfaces/IStatements.sol";
import {ITags} from "../../src/interfaces/ITags.sol";
import {Symbolic} from "./Symbolic.sol";

/// Believes everybody and everything: every caller is an agent of a pharmacy of its own, every root
/// is recent, every proof holds. What is proved with it holds against any forger and any member.
contract Credulous {
    function standing(address key) external pure returns (IAccounts.Standing memory who) {
        who.organisation = bytes32(uint256(uint160(key)));
        who.role = 8; // agent
        (who.accountState, who.organisationState) = (2, 2);
    }

    function organisation(bytes32) external pure returns (IAccounts.Organisation memory found) {
        found.kind = 2;
    }

    function isRecentRoot(uint8, uint256) external pure returns (bool) {
        return true;
    }

    function verifyProof(uint256[8] calldata, uint256[5] calldata) external pure returns (bool) {
        return true;
    }

    /// Two different keys never have one tag; that is all that is assumed of the hash.
    function hash(uint256[2] calldata inputs) external pure returns (uint256) {
        return inputs[1];
    }

    function hash(uint256[3] calldata inputs) external pure returns (uint256) {
        return inputs[2];
    }
}

/// One call more of any verb, from any state of the tags, by anybody, with any arguments.
contract PrescriptionsProof is Symbolic {
    Prescriptions private prescriptions;
    Tags private tags;

    function setUp() public {
        tags = new Tags();
        address all = address(new Credulous());
        Prescriptions.Parts memory parts = Prescriptions.Parts({
            accounts: IAccounts(all),
            statements: IStatements(all),
            tags: tags,
            verifier: IDispenseVerifier(all),
            poseidon2: IPoseidon2(all),
            poseidon3: IPoseidon3(all)
        });
        bytes memory data =
            abi.encodeCall(Prescriptions.initialize, (address(this), parts, 1 hours, 1 hours));
        prescriptions = Prescriptions(address(new ERC1967Proxy(address(new Prescriptions()), data)));
    }

    function _any(uint256 tag) private returns (ITags.Tag memory before) {
        svm.enableSymbolicStorage(address(tags));
        before = tags.get(address(prescriptions), tag);
        vm.assume(before.part <= 10_000);
    }

    function _step(uint256 tag, uint16 from, uint16 to, bool begins)
        private
        pure
        returns (IPrescriptions.Step memory step)
    {
        (step.tag, step.partBefore, step.partAfter, step.begins) = (tag, from, to, begins);
    }

    function check_dispensing_adds_exactly_what_was_handed_out(
        uint256 tag,
        address caller,
        uint256 which,
        uint16 from,
        uint16 to,
        bool begins
    ) external {
        ITags.Tag memory before = _any(tag);
        IPrescriptions.Step memory step = _step(which, from, to, begins);
        bool done =
            _try(caller, address(prescriptions), abi.encodeCall(IPrescriptions.dispense, (step)));
        ITags.Tag memory later = tags.get(address(prescriptions), tag);
        if (!done || which != tag) {
            assert(later.part == before.part && later.holder == before.holder);
            return;
        }
        assert(!before.closed);
        assert(before.holder == 0 || before.holder == bytes32(uint256(uint160(caller))));
        assert(from == before.part && to > from && to <= 10_000);
        assert(later.part == to && later.holder == before.holder && !later.closed);
    }

    function check_binding_and_releasing_dispense_nothing(
        uint256 tag,
        address caller,
        uint256 which,
        uint16 from,
        uint16 to,
        bool begins,
        bool releases
    ) external {
        ITags.Tag memory before = _any(tag);
        IPrescriptions.Step memory step = _step(which, from, to, begins);
        bytes memory data = releases
            ? abi.encodeCall(IPrescriptions.releasePharmacy, (step))
            : abi.encodeCall(IPrescriptions.bindPharmacy, (step));
        bool done = _try(caller, address(prescriptions), data);
        ITags.Tag memory later = tags.get(address(prescriptions), tag);
        bytes32 pharmacy = bytes32(uint256(uint160(caller)));
        assert(later.part == before.part && later.day == before.day);
        assert(later.closed == before.closed);
        if (!done || which != tag) {
            assert(later.holder == before.holder);
            return;
        }
        assert(!before.closed);
        if (releases) assert(before.holder == pharmacy && later.holder == 0);
        else assert(before.holder == 0 && later.holder == pharmacy);
    }

    function check_a_cancelled_tag_never_moves(uint256 tag, address caller, uint256 secret)
        external
    {
        ITags.Tag memory before = _any(tag);
        bool done =
            _try(caller, address(prescriptions), abi.encodeCall(IPrescriptions.cancel, (secret)));
        ITags.Tag memory later = tags.get(address(prescriptions), tag);
        assert(later.part == before.part && later.holder == before.holder);
        assert(later.closed == (before.closed || (done && secret == tag)));
    }

    function check_two_dispensings_never_exceed_the_whole(
        address one,
        address other,
        uint16 first,
        uint16 from,
        uint16 second
    ) external {
        uint256 handedOut = 0;
        IPrescriptions.Step memory step = _step(77, 0, first, true);
        bytes memory data = abi.encodeCall(IPrescriptions.dispense, (step));
        if (_try(one, address(prescriptions), data)) handedOut += first;
        data = abi.encodeCall(IPrescriptions.dispense, (_step(77, from, second, false)));
        if (_try(other, address(prescriptions), data)) handedOut += second - from;
        assert(handedOut <= 10_000);
        assert(handedOut == tags.get(address(prescriptions), 77).part);
    }

    // What must be found false, so that what is proved above isn't true for want of a success.

    function refute_nobody_dispenses(uint256 tag, address caller, uint16 from, uint16 to) external {
        _any(tag);
        bytes memory data = abi.encodeCall(IPrescriptions.dispense, (_step(tag, from, to, false)));
        assert(!_try(caller, address(prescriptions), data));
    }

    function refute_nobody_binds(uint256 tag, address caller, uint16 part) external {
        _any(tag);
        bytes memory data =
            abi.encodeCall(IPrescriptions.bindPharmacy, (_step(tag, part, part, false)));
        assert(!_try(caller, address(prescriptions), data));
    }

    function refute_nobody_releases(uint256 tag, address caller, uint16 part) external {
        _any(tag);
        bytes memory data =
            abi.encodeCall(IPrescriptions.releasePharmacy, (_step(tag, part, part, false)));
        assert(!_try(caller, address(prescriptions), data));
    }

    function refute_nobody_cancels(uint256 secret, address caller) external {
        _any(secret);
        bytes memory data = abi.encodeCall(IPrescriptions.cancel, (secret));
        assert(!_try(caller, address(prescriptions), data));
    }
}
