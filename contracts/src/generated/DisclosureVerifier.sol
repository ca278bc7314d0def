// SPDX-License-Identifier: Apache-2.0
// Written by tools/write_verifiers.py from the verification key of the circuit `disclosure`.
pragma solidity 0.8.30;

/// @title DisclosureVerifier
/// @notice Groth16 over BN254 for 8 public inputs (EIP-196, EIP-197).
contract DisclosureVerifier {
    uint256 private constant FIELD =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant BASE =
        21888242871839275222246405745257275088696311157297823662689037894645226208583;

    /// @notice Whether the proof holds for these inputs. False for anything malformed.
    /// @param proof A, B, C; of B's coordinates the imaginary part first
    function verifyProof(uint256[8] calldata proof, uint256[8] calldata inputs)
        external
        view
        returns (bool holds)
    {
        assembly ("memory-safe") {
            // sum := sum + point * input, where sum is at m and what follows it is free.
            function add_input(m, x, y, input) -> good {
                mstore(add(m, 0x40), x)
                mstore(add(m, 0x60), y)
                mstore(add(m, 0x80), input)
                good := lt(input, FIELD)
                good := and(good, staticcall(gas(), 7, add(m, 0x40), 0x60, add(m, 0x40), 0x40))
                good := and(good, staticcall(gas(), 6, m, 0x80, m, 0x40))
            }

            let m := mload(0x40)
            // The inputs' point: ic[0] + sum of ic[i + 1] * input i.
            let sum := add(m, 0x300)
            mstore(
                sum,
                1768111176341444369015889144581432037333185371505607978246779483848952553737
            )
            mstore(
                add(sum, 0x20),
                20912013619837820351046285897561683672310175333513528897314228308394464614625
            )
            let good := 1
            good := and(
                good,
                add_input(
                    sum,
                    17288806700329919464661421057075704351461417100897066453306477763525665098674,
                    15279605482088471459147720104998771143438353660663821159316589325399112865277,
                    calldataload(add(inputs, 0x0))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    16766362404506956537162821976605788774048628923284807082133687059292950287873,
                    13793766871894454182895636543028605336240688904178537835327505486654259299322,
                    calldataload(add(inputs, 0x20))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    14730406087148471828565393407716055379529768686428286159460927081600726166731,
                    2435933265872124945949221377492248681751070072720083736210793222286107284670,
                    calldataload(add(inputs, 0x40))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    20760685122548656354097116434484304326605960033808894121624057987158450169531,
                    5065777601529059873009161515724994429857138565999219002655940424143304614628,
                    calldataload(add(inputs, 0x60))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    7746533861231143100281543980957935330847287947247269284381429548670345538178,
                    2194683545249279215825100552217498177609791133099441924246653859824077563878,
                    calldataload(add(inputs, 0x80))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    10791686280162206751484075567398275289853009123210872401932807108705150634215,
                    2422910128363014881845656309622239350527047582819114841314849188366118215076,
                    calldataload(add(inputs, 0xa0))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    4811243519501191421526935883036912355186242496401992546418692351987015017407,
                    21232022858067827432465031210182683904033206554328943253419394752712380484425,
                    calldataload(add(inputs, 0xc0))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    13368239566172063592145184524169874040328475383410817158431790271788908469896,
                    526503412216803813912422863276688558355484791951841228582657397794627705074,
                    calldataload(add(inputs, 0xe0))
                )
            )
            // e(-A, B) e(alpha, beta) e(sum, gamma) e(C, delta) = 1
            let y := calldataload(add(proof, 0x20))
            good := and(good, lt(y, BASE))
            mstore(m, calldataload(proof))
            mstore(add(m, 0x20), mod(sub(BASE, y), BASE))
            calldatacopy(add(m, 0x40), add(proof, 0x40), 0x80)
            mstore(
                add(m, 0xc0),
                9527016010555585396383359586487375976036584230782898655156722522523975717935
            )
            mstore(
                add(m, 0xe0),
                10408942712492119741128965954134536766893057316415869548426191331023588020152
            )
            mstore(
                add(m, 0x100),
                12834524746269306102119945061933683178928911021828947498940740189424553315407
            )
            mstore(
                add(m, 0x120),
                10738346655701708897554610509928369441611396460930590825543106939596191665616
            )
            mstore(
                add(m, 0x140),
                15888021191272731182254593951972426049104213884596241219434344236795911226843
            )
            mstore(
                add(m, 0x160),
                9456678600087476348907235460146299924058719463464861370674461335997981878980
            )
            mstore(
                add(m, 0x1c0),
                11559732032986387107991004021392285783925812861821192530917403151452391805634
            )
            mstore(
                add(m, 0x1e0),
                10857046999023057135944570762232829481370756359578518086990519993285655852781
            )
            mstore(
                add(m, 0x200),
                4082367875863433681332203403145435568316851327593401208105741076214120093531
            )
            mstore(
                add(m, 0x220),
                8495653923123431417604973247489272438418190587263600148770280649306958101930
            )
            mstore(
                add(m, 0x280),
                2405958806070693281324796393154117594943493923798462392585406866958984700112
            )
            mstore(
                add(m, 0x2a0),
                16458119382717395782490122364508873125539497562410096754900649423505146614275
            )
            mstore(
                add(m, 0x2c0),
                20610520219029500908216961812129209154441836992470288206328940716065175470495
            )
            mstore(
                add(m, 0x2e0),
                7408835626155949750725320548320941065981185017889049002617990277360693865115
            )
            mcopy(add(m, 0x180), sum, 0x40)
            calldatacopy(add(m, 0x240), add(proof, 0xc0), 0x40)
            good := and(good, staticcall(gas(), 8, m, 0x300, m, 0x20))
            holds := and(good, eq(mload(m), 1))
        }
    }
}
