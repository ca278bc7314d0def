// SPDX-License-Identifier: Apache-2.0
pragma circom 2.1.0;

include "comparing.circom";
include "poseidon.circom";

// The root above leaf number `index` with these siblings, the lowest first.
template Root(depth) {
    signal input leaf;
    signal input index;
    signal input siblings[depth];
    signal output out;

    component sides = Bits(depth);
    sides.in <== index;
    component nodes[depth];
    signal left[depth];
    var below = leaf;
    for (var i = 0; i < depth; i++) {
        left[i] <== below + sides.out[i] * (siblings[i] - below);
        nodes[i] = Poseidon(2);
        nodes[i].in[0] <== left[i];
        nodes[i].in[1] <== below + siblings[i] - left[i];
        below = nodes[i].out;
    }
    out <== below;
}

// A statement's leaf is in a batch, and the batch's root in the forest (docs/formats/statements.md).
template Member(batchDepth, forestDepth) {
    signal input leaf;
    signal input batchIndex;
    signal input batchSiblings[batchDepth];
    signal input forestIndex;
    signal input forestSiblings[forestDepth];
    signal output root;

    component batch = Root(batchDepth);
    batch.leaf <== leaf;
    batch.index <== batchIndex;
    batch.siblings <== batchSiblings;
    component forest = Root(forestDepth);
    forest.leaf <== batch.out;
    forest.index <== forestIndex;
    forest.siblings <== forestSiblings;
    root <== forest.out;
}
