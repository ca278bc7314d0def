// SPDX-License-Identifier: Apache-2.0
pragma circom 2.1.0;

include "lib/comparing.circom";
include "lib/poseidon.circom";
include "lib/tree.circom";

// "A verified organisation stated a fact about me that meets this criterion of a study"
// (docs/formats/studies.md, cohort). A study has several criteria: one proof for each, all with the
// same nullifier, so that all their facts are about the holder of one key, who counts once.
//
// What the contract MUST check besides the proof: `root` is recent, `scope` names this chain,
// contract and study, `collector` is the caller and the study's, `criterion` is the study's, `day` is
// the block's, and `nullifier` is the same for all criteria and not spent.
template Cohort(batchDepth, forestDepth, setDepth) {
    var LEAF = 3;        // first inputs of the hashes: what a hash stands for
    var HOLDER = 4;
    var MEMBER = 13;
    var CRITERION = 14;
    var NULLIFIER = 15;
    var VALUE = 64;      // bits of a value
    var DAY = 20;        // bits of a number of days since 1970-01-01

    // Public.
    signal input root;
    signal input nullifier;
    signal input scope;
    signal input collector;
    signal input criterion;
    signal input day;

    // The criterion.
    signal input set;        // root over the codes that will do
    signal input least;      // bounds of what the fact says if that is a number
    signal input most;
    signal input within;     // how many days old the fact may be
    signal input setIndex;
    signal input setSiblings[setDepth];

    // The fact.
    signal input holderKey;
    signal input salt;
    signal input code;
    signal input coded;
    signal input value;
    signal input factDay;
    signal input batchIndex;
    signal input batchSiblings[batchDepth];
    signal input forestIndex;
    signal input forestSiblings[forestDepth];

    // --- It was stated about the holder of the key, who counts once in this study --------------
    component holder = Poseidon(2);
    holder.in <== [HOLDER, holderKey];
    component fact = Poseidon(4);
    fact.in <== [code, coded, value, factDay];
    component leaf = Poseidon(4);
    leaf.in <== [LEAF, holder.out, salt, fact.out];
    component member = Member(batchDepth, forestDepth);
    member.leaf <== leaf.out;
    member.batchIndex <== batchIndex;
    member.batchSiblings <== batchSiblings;
    member.forestIndex <== forestIndex;
    member.forestSiblings <== forestSiblings;
    root === member.root;

    component once = Poseidon(3);
    once.in <== [NULLIFIER, scope, holderKey];
    nullifier === once.out;

    // --- It meets the criterion ----------------------------------------------------------------
    component asked = Poseidon(5);
    asked.in <== [CRITERION, set, least, most, within];
    criterion === asked.out;

    component said = Poseidon(3);
    said.in <== [MEMBER, code, coded];
    component among = Root(setDepth);
    among.leaf <== said.out;
    among.index <== setIndex;
    among.siblings <== setSiblings;
    set === among.out;

    component values[3];
    for (var i = 0; i < 3; i++) values[i] = Bits(VALUE);
    values[0].in <== least;
    values[1].in <== value - least;
    values[2].in <== most - value;

    component days[4];
    for (var i = 0; i < 4; i++) days[i] = Bits(DAY);
    days[0].in <== within;
    days[1].in <== factDay;
    days[2].in <== day - factDay;
    days[3].in <== factDay + within - day;

    // A proof is for one collector: it has to stand in an equation.
    signal collected <== collector * collector;
}

component main {public [root, nullifier, scope, collector, criterion, day]} = Cohort(10, 24, 8);
