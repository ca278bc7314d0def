// SPDX-License-Identifier: Apache-2.0
// Written by tools/write_verifiers.py from placeholders for the key of the circuit `free`.
pragma solidity 0.8.30;

/// @title FreeVerifierForm
/// @notice Groth16 over BN254 for 6 public inputs (EIP-196, EIP-197).
contract FreeVerifierForm {
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
                57994312046776835456568119836730980293268228053142188532147187141381268098988
            )
            mstore(
                add(sum, 0x20),
                77711989275010268607743484794187045977915470227494256384790599284232396221825
            )
            let good := 1
            good := and(
                good,
                add_input(
                    sum,
                    77176114872283280731393215393355815695534176433632081225729031406102374898731,
                    84532236150699044385993664586178219175446509811516040251468368979839340536239,
                    calldataload(add(inputs, 0x0))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    69510490296981806327410475187149730719787783561306337589904617542345050654432,
                    58403867806479639436980239218053750452812097231430534424487234025450995460022,
                    calldataload(add(inputs, 0x20))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    96805966243428905079388631737534280544747992796491773913548703203549739269634,
                    115055824587526178160670566905701139065589175084090159589421755372701167730926,
                    calldataload(add(inputs, 0x40))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    108659804745433664493162772750742808437394090217064257048481250821901314134504,
                    107847894378456732133782825218624577022836850069440547299385032521673397223973,
                    calldataload(add(inputs, 0x60))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    92359896300916845466577111023863586583302051062036914939188444216683380304496,
                    73418316400632863453542545421285160087236023969601811071040829071822620515931,
                    calldataload(add(inputs, 0x80))
                )
            )
            good := and(
                good,
                add_input(
                    sum,
                    101735122306060676068897470734424186354916441381328649132908872283308883046467,
                    62565799306140972830101782527284104864430789837755883846247059135517608370942,
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
                113587807636586493182013868551333011456250572505531742436647464514019816837612
            )
            mstore(
                add(m, 0xe0),
                83369348233702669370872685140164422125412599213216172343797355704824733935102
            )
            mstore(
                add(m, 0x100),
                69927346943234209620713234318538311362855102069088687348958276443597480733176
            )
            mstore(
                add(m, 0x120),
                103098085574104831253826373360295601300241391455708422370465385753981727975089
            )
            mstore(
                add(m, 0x140),
                66949380065574529841510090949624018086961042540406325781808824966302283101592
            )
            mstore(
                add(m, 0x160),
                87346910276355607014735000488537341431964492458760537465011365974850205461042
            )
            mstore(
                add(m, 0x1c0),
                80279853441559629575397741922122611128817321299178130998668309579350374376919
            )
            mstore(
                add(m, 0x1e0),
                102478868132715668366244692506355602984379223023842050002050701229509487058659
            )
            mstore(
                add(m, 0x200),
                86001830043621922751192732942387481468189981504762538175351871226097590395068
            )
            mstore(
                add(m, 0x220),
                97114958563427350020055555863370264599096224761364551326566484740315651883954
            )
            mstore(
                add(m, 0x280),
                58144694953601446981224346857086150378236516273433997111139796946967887150559
            )
            mstore(
                add(m, 0x2a0),
                95321009005809543572189441003636409194080635554765966689401871448403738630930
            )
            mstore(
                add(m, 0x2c0),
                110078340131254668468763107328694736009176705292262624657777786767482776170467
            )
            mstore(
                add(m, 0x2e0),
                106716817462542570712810851399936023492498244584244773971589953076938010243159
            )
            mcopy(add(m, 0x180), sum, 0x40)
            calldatacopy(add(m, 0x240), add(proof, 0xc0), 0x40)
            good := and(good, staticcall(gas(), 8, m, 0x300, m, 0x20))
            holds := and(good, eq(mload(m), 1))
        }
    }
}
