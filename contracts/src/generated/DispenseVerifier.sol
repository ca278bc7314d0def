// SPDX-License-Identifier: Apache-2.0
// Written by tools/write_verifiers.py from the verification key of the circuit `dispense`.
pragma solidity 0.8.30;

/// @title DispenseVerifier
/// @notice Groth16 over BN254 for 5 public inputs (EIP-196, EIP-197).
contract DispenseVerifier {
    uint256 private constant FIELD =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant BASE =
        21888242871839275222246405745257275088696311157297823662689037894645226208583;

    /// @notice Whether the proof holds for these inputs. False for anything malformed.
    /// @param proof A, B, C; of B's coordinates the imaginary part first
    function verifyProof(uint256[8] calldata proof, uint256[5] calldata inputs)
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
            mstore(sum, 591573429365648955692268196364933170784997528076468123269856734769015842327)
            mstore(
                add(sum, 0x20),
                6519831344569443793061369660690242193376867497696014259430428538945351083480
            )
            let good := 1
            good := and(
                good,
                add_input(
                    sum,
                    14679230913737687221894219220316016483893632071873381790683128918333278103282,
                    20058443791403451722658134798169429437677135992426279332050956067141273863904,
                    calldataload(add(inputs, 0x0))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    2921699712886977446709682692104329693514904641313458910885224794104112864511,
                    3194959604455059469938958138554789992962549960699439971068446942034286799699,
                    calldataload(add(inputs, 0x20))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    682502954052634393666429845328996364872316677669070344003121078571596663050,
                    11189885218029492604401616792236542947353371081236887558884115357473242367496,
                    calldataload(add(inputs, 0x40))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    17776020463892465623659470408174699683325997841905927455642041859674990631059,
                    11628076514185222923117784738435248547144601502610196247713355935417661925893,
                    calldataload(add(inputs, 0x60))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    8639172912097260922030570607356438464347700842673438201195564962180111095645,
                    17197959292504878821983061957440229251711582714092179254080615931534933926270,
                    calldataload(add(inputs, 0x80))
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
                382541681150338606200855788296381073709635739747390852738531859087226709086
            )
            mstore(
                add(m, 0x2a0),
                10921239562610214956559574443043616137252303578975014256946579793852259218447
            )
            mstore(
                add(m, 0x2c0),
                20115784962124432921572901588238901461357170068418547369670163449181160134543
            )
            mstore(
                add(m, 0x2e0),
                19026032915259554940186801053152183854884417090529245897249214060484453013990
            )
            mcopy(add(m, 0x180), sum, 0x40)
            calldatacopy(add(m, 0x240), add(proof, 0xc0), 0x40)
            good := and(good, staticcall(gas(), 8, m, 0x300, m, 0x20))
            holds := and(good, eq(mload(m), 1))
        }
    }
}
