// SPDX-License-Identifier: Apache-2.0
// Written by tools/write_verifiers.py from the verification key of the circuit `cohort`.
pragma solidity 0.8.30;

/// @title CohortVerifier
/// @notice Groth16 over BN254 for 6 public inputs (EIP-196, EIP-197).
contract CohortVerifier {
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
                19296341641147432358031976391538398259024466467754337744180139664659086037542
            )
            mstore(
                add(sum, 0x20),
                18308575495953731448864341111848649565710092725184470255875140137901329828315
            )
            let good := 1
            good := and(
                good,
                add_input(
                    sum,
                    3474204412190921965990505996073938493255724271151132971038290793322701830304,
                    274086023038686583188919857992721630146622739519969400848633466505306194671,
                    calldataload(add(inputs, 0x0))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    4365088601970939419114434492838788290522984867079462542966940751137210137880,
                    8125452704896531648880097401781023066784492604587622159341917387764934603851,
                    calldataload(add(inputs, 0x20))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    7144187221456499326808991139115621044018663898108832857537599640223781727594,
                    20475614456403759313349270886491410678793115626779877208884674267277235280782,
                    calldataload(add(inputs, 0x40))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    12380374701403198443772431179044157471594850640536362507651807632308316169460,
                    19669842209260094693580844662352664042633718331876384183345367920499436129025,
                    calldataload(add(inputs, 0x60))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    14615708330376968272331228255501159839306771076035751971031946803801764692584,
                    13042454449732006003577817049932579343098636083449879668307731528735334735199,
                    calldataload(add(inputs, 0x80))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    13118819538955319407384234382907008107089222237445473863026643382801449193065,
                    12323741531087332436024273487391052485803940729219749386470061937547878198651,
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
                20400541830602795159804779697290797769489456382799125391636180337145545897129
            )
            mstore(
                add(m, 0x2a0),
                13980793491351109228322656413561369875555603824960953269832270861172526971022
            )
            mstore(
                add(m, 0x2c0),
                17322294972400700957073624390620634368225338580913882202821697909355753342515
            )
            mstore(
                add(m, 0x2e0),
                11646602880531227094707080364587434085200665667237284669251529952378995530854
            )
            mcopy(add(m, 0x180), sum, 0x40)
            calldatacopy(add(m, 0x240), add(proof, 0xc0), 0x40)
            good := and(good, staticcall(gas(), 8, m, 0x300, m, 0x20))
            holds := and(good, eq(mload(m), 1))
        }
    }
}
