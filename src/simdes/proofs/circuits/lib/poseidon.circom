// SPDX-License-Identifier: Apache-2.0
pragma circom 2.1.0;

include "constants.circom";

// Poseidon (https://eprint.iacr.org/2019/458), the permutation of simdes.proofs.poseidon. The state
// is kept as linear expressions of what the S-boxes gave, so that only these cost constraints; in
// the partial rounds expressions would grow without end and are pinned to signals every few rounds.
template Poseidon(n) {
    signal input in[n];
    signal output out;

    var width = n + 1;
    var FULL = 8;
    var PINNED_EVERY = 8;
    var partial = PARTIAL_ROUNDS(width);
    var rounds = FULL + partial;
    var constants[width * rounds] = ROUND_CONSTANTS(width);
    var matrix[width * width] = MATRIX(width);

    signal square[rounds][width];
    signal fourth[rounds][width];
    signal fifth[rounds][width];
    signal pinned[rounds][width];

    var state[width];
    state[0] = 0;
    for (var i = 0; i < n; i++) state[i + 1] = in[i];
    for (var r = 0; r < rounds; r++) {
        var isPartial = r >= FULL / 2 && r < FULL / 2 + partial;
        for (var i = 0; i < width; i++) {
            state[i] = state[i] + constants[r * width + i];
            if (i == 0 || !isPartial) {
                square[r][i] <== state[i] * state[i];
                fourth[r][i] <== square[r][i] * square[r][i];
                fifth[r][i] <== fourth[r][i] * state[i];
                state[i] = fifth[r][i];
            } else {
                square[r][i] <== 0;
                fourth[r][i] <== 0;
                fifth[r][i] <== 0;
            }
        }
        var mixed[width];
        for (var i = 0; i < width; i++) {
            mixed[i] = 0;
            for (var j = 0; j < width; j++) mixed[i] += matrix[i * width + j] * state[j];
        }
        for (var i = 0; i < width; i++) {
            if (isPartial && i > 0 && (r - FULL / 2) % PINNED_EVERY == PINNED_EVERY - 1) {
                pinned[r][i] <== mixed[i];
                state[i] = pinned[r][i];
            } else {
                pinned[r][i] <== 0;
                state[i] = mixed[i];
            }
        }
    }
    out <== state[0];
}
