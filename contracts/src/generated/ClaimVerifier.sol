// SPDX-License-Identifier: Apache-2.0
// Written by tools/write_verifiers.py from the verification key of the circuit `claim`.
pragma solidity 0.8.30;

/// @title ClaimVerifier
/// @notice Groth16 over BN254 for 8 public inputs (EIP-196, EIP-197).
contract ClaimVerifier {
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
            mstore(sum, 705474480484281432580455663916575006018989377952427046669422245480484762535)
            mstore(
                add(sum, 0x20),
                17094076038781730199947779963806570609099983876576418108551646072249945732093
            )
            let good := 1
            good := and(
                good,
                add_input(
                    sum,
                    19579984254842258271632343205962162446769602828417599460927633406473620770542,
                    4449066821254556577061675974846652847425313615437749975842679690475589901593,
                    calldataload(add(inputs, 0x0))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    21019632015049082164804577852513105666240679003814741226861728522618332156855,
                    14231197184921352677500627078790377306502516938324579514063241872007934713046,
                    calldataload(add(inputs, 0x20))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    179270616902484008244448692857182008229675767324460070406206636712042156766,
                    17523263288950403631126166680094032919464090143108192182569979458392106627903,
                    calldataload(add(inputs, 0x40))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    7213157693619492099133243403368754381242031190210016458886228956375473199792,
                    9636908681873463435892537412299927304285408133652934728973965281601774478232,
                    calldataload(add(inputs, 0x60))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    4451345731826090163684869615695556084225191700707209569557188032371929415643,
                    12502752688601544235651809639812877862126602279054899941324133697132055885249,
                    calldataload(add(inputs, 0x80))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    20787988835461806391117049997955494133916734928804084030485140136574460456752,
                    19365686726206375240263011002867784642109955999734262425080947271532721178844,
                    calldataload(add(inputs, 0xa0))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    13890158620113024433438077858635629355540186188597314180147833209059340218085,
                    8336687540587804715180541925657793925619108474075115136339032954774582702299,
                    calldataload(add(inputs, 0xc0))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    906886661631761349847430469007961597007928720152008877704336794891324064638,
                    7728554154128522631963075466572207838997170731180657276489054634040993866870,
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
                6139442164569032006782440677775722090005283633411359496295151650843102249358
            )
            mstore(
                add(m, 0x2a0),
                15720347522917644788982881653533110772412257335343846379514529912613998907975
            )
            mstore(
                add(m, 0x2c0),
                16710053150706594283389938868836849609629540034814361779801590594684391405786
            )
            mstore(
                add(m, 0x2e0),
                11066150655818624084300549000600153482716551153333091498396934148426975438597
            )
            mcopy(add(m, 0x180), sum, 0x40)
            calldatacopy(add(m, 0x240), add(proof, 0xc0), 0x40)
            good := and(good, staticcall(gas(), 8, m, 0x300, m, 0x20))
            holds := and(good, eq(mload(m), 1))
        }
    }
}
