// SPDX-License-Identifier: Apache-2.0
// Written by tools/write_verifiers.py from the verification key of the circuit `free`.
pragma solidity 0.8.30;

/// @title FreeVerifier
/// @notice Groth16 over BN254 for 6 public inputs (EIP-196, EIP-197).
contract FreeVerifier {
    uint256 private constant FIELD =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant BASE =
        21888242871839275222246405745257275088696311157297823662689037894645226208583;

    /// @notice Whether the proof holds for these inputs. False for anything malformed.
    /// @param proof A, B, C; of B's coordinates the imaginary part first
    function verifyProof(uint256[8] calldata proof, uint256[6] calldata inputs)
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
                14242243479699272963768170740231237124731823549044452503350946023737808926513
            )
            mstore(
                add(sum, 0x20),
                21687418818078891127398880354929837029207710122768971355789886162521671579523
            )
            let good := 1
            good := and(
                good,
                add_input(
                    sum,
                    17291787408308140366635241122470333473424936717178752315033728436298687194061,
                    17549853854513057065688668046248987934872849627249191803045900397172905561028,
                    calldataload(add(inputs, 0x0))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    11889241998802022748471422367128179697879909949588536994526793115432721241819,
                    18926437213301637549595945544625475426267514043231108623661889705174473772686,
                    calldataload(add(inputs, 0x20))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    2891647382658729540875179123483437627972807499450376422139099487956643330799,
                    1303205751351085940942553580171616566519398360309301714952384217349413883441,
                    calldataload(add(inputs, 0x40))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    16685426546378158981562734590160296629787557522090751352088536494116133525781,
                    20721050963106595947419779854597438939017194831933577450927993755506176317817,
                    calldataload(add(inputs, 0x60))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    20995291633665747261747378112651045707430272156678288152365708533053240841900,
                    17689542551450725015490343260728583340987543579809104188644672412061617123351,
                    calldataload(add(inputs, 0x80))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    13200310689414169897570328270457925411658837504992239248382442946927306968548,
                    21689064493401634356193971709392044820400111441605186888727659608928740087579,
                    calldataload(add(inputs, 0xa0))
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
                2361854303871342317456931565536578423440427065511599125039499427632873067878
            )
            mstore(
                add(m, 0x2a0),
                10993238953243517401317437425645707185935380379652447406612514148207207578715
            )
            mstore(
                add(m, 0x2c0),
                921533570794334910607399224929931718033852219782468321756333155630917945598
            )
            mstore(
                add(m, 0x2e0),
                5798605015321713776247901767263009617131125172618675152925658025556040639931
            )
            mcopy(add(m, 0x180), sum, 0x40)
            calldatacopy(add(m, 0x240), add(proof, 0xc0), 0x40)
            good := and(good, staticcall(gas(), 8, m, 0x300, m, 0x20))
            holds := and(good, eq(mload(m), 1))
        }
    }
}
