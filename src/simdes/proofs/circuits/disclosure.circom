// SPDX-License-Identifier: Apache-2.0
pragma circom 2.1.0;

include "lib/comparing.circom";
include "lib/poseidon.circom";
include "lib/tree.circom";

// "A verified organisation recorded this one fact about me" (docs/formats/statements.md,
// disclosure): a code, what it says within bounds, when within bounds, and nothing else.
//
// What the asker MUST check besides the proof: `root` is recent on its own node, `challenge` is
// its own and unused, code, bounds and days answer its question.
template Disclosure(batchDepth, forestDepth) {
    var LEAF = 3;
    var HOLDER = 4;
    var VALUE = 64;  // bits of a value
    var DAY = 20;    // bits of a number of days since 1970-01-01

    // Public.
    signal input root;
    signal input challenge;
    signal input code;       // what the fact is about
    signal input coded;      // what it says if that is a code, else 0
    signal input least;      // bounds of what it says if that is a number, else 0
    signal input most;
    signal input firstDay;   // bounds of the day that it is true of
    signal input lastDay;

    // The fact.
    signal input holderKey;
    signal input salt;
    signal input value;
    signal input day;
    signal input batchIndex;
    signal input batchSiblings[batchDepth];
    signal input forestIndex;
    signal input forestSiblings[forestDepth];

    component holder = Poseidon(2);
    holder.in <== [HOLDER, holderKey];
    component fact = Poseidon(4);
    fact.in <== [code, coded, value, day];
    component leaf = Poseidon(4);
    leaf.in <== [LEAF, holder.out, salt, fact.out];
    component member = Member(batchDepth, forestDepth);
    member.leaf <== leaf.out;
    member.batchIndex <== batchIndex;
    member.batchSiblings <== batchSiblings;
    member.forestIndex <== forestIndex;
    member.forestSiblings <== forestSiblings;
    root === member.root;

    component values[3];
    for (var i = 0; i < 3; i++) values[i] = Bits(VALUE);
    values[0].in <== least;
    values[1].in <== value - least;
    values[2].in <== most - value;

    component days[3];
    for (var i = 0; i < 3; i++) days[i] = Bits(DAY);
    days[0].in <== firstDay;
    days[1].in <== day - firstDay;
    days[2].in <== lastDay - day;

    // A proof is for one challenge: it has to stand in an equation.
    signal answered <== challenge * challenge;
}

component main {public [root, challenge, code, coded, least, most, firstDay, lastDay]} = Disclosure(10, 24);
