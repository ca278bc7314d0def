// SPDX-License-Identifier: Apache-2.0
pragma circom 2.1.0;

include "lib/comparing.circom";
include "lib/money.circom";
include "lib/poseidon.circom";
include "lib/tree.circom";

// "This claim is for an encounter of mine whose cost was stated, its lines sum to its amount, and
// with it no more is claimed of the encounter than that cost" (docs/formats/claims.md, claim).
//
// What the contract MUST check besides the proof: `root` is recent, `context` names this chain and
// contract, `holder` is the caller's, `claim` is the next one of this tag, payer and contract,
// `before` is what it has for the tag.
template Claim(batchDepth, forestDepth, lineCount) {
    var LEAF = 6;  // first inputs of the hashes: what a hash stands for
    var HOLDER = 7;
    var TAG = 8;
    var LINES = 11;
    var BLIND = 12;
    var MONEY = 64;    // bits of an amount in minor units
    var VERSION = 32;
    var PACKED = 3;    // lines in an element

    // Public.
    signal input root;
    signal input context;
    signal input holder;
    signal input tag;
    signal input claim;
    signal input before;    // what was claimed of the encounter, 0: nothing ever
    signal input after;
    signal input claimed;   // what this claim is about

    // The encounter.
    signal input secret;    // of the organisation
    signal input salt;
    signal input encounter;
    signal input cost;
    signal input currency;
    signal input version;
    signal input batchIndex;
    signal input batchSiblings[batchDepth];
    signal input forestIndex;
    signal input forestSiblings[forestDepth];

    // The claim.
    signal input lines[lineCount];
    signal input claimSalt;
    signal input continues;      // 1 unless nothing was ever claimed
    signal input sumBefore;
    signal input versionBefore;
    signal input saltBefore;
    signal input saltAfter;

    // --- The cost was stated, and this is its tag -----------------------------------------------
    component held = Poseidon(2);
    held.in <== [HOLDER, secret];
    holder === held.out;
    component terms = Poseidon(4);
    terms.in <== [encounter, cost, currency, version];
    component leaf = Poseidon(4);
    leaf.in <== [LEAF, holder, salt, terms.out];
    component member = Member(batchDepth, forestDepth);
    member.leaf <== leaf.out;
    member.batchIndex <== batchIndex;
    member.batchSiblings <== batchSiblings;
    member.forestIndex <== forestIndex;
    member.forestSiblings <== forestSiblings;
    root === member.root;

    component tagged = Poseidon(4);
    tagged.in <== [TAG, context, secret, encounter];
    tag === tagged.out;

    // --- The lines sum to the amount ------------------------------------------------------------
    component line[lineCount];
    var amount = 0;
    var packed[lineCount / PACKED];
    for (var i = 0; i < lineCount; i++) {
        line[i] = Bits(MONEY);
        line[i].in <== lines[i];
        amount += lines[i];
        if (i % PACKED == 0) packed[i \ PACKED] = 0;
        packed[i \ PACKED] += lines[i] * (1 << (MONEY * (i % PACKED)));
    }
    component first = Poseidon(6);
    first.in <== [LINES, packed[0], packed[1], packed[2], packed[3], packed[4]];
    component rest = Poseidon(6);
    rest.in <== [first.out, packed[5], packed[6], packed[7], packed[8], packed[9]];
    // So who gets these opened knows that it is this encounter, in this version.
    component blind = Poseidon(5);
    blind.in <== [BLIND, rest.out, encounter, version, claimSalt];
    component mine = Amount();
    mine.claim <== claim;
    mine.amount <== amount;
    mine.currency <== currency;
    mine.blind <== blind.out;
    claimed === mine.out;

    // --- What is claimed in all stays within the cost -------------------------------------------
    component money[4];
    for (var i = 0; i < 4; i++) money[i] = Bits(MONEY);
    money[0].in <== amount - 1;
    money[1].in <== cost;
    money[2].in <== sumBefore;
    money[3].in <== cost - sumBefore - amount;

    component versions[2];
    for (var i = 0; i < 2; i++) versions[i] = Bits(VERSION);
    versions[0].in <== versionBefore;
    versions[1].in <== version - versionBefore;

    component was = Total();
    was.tag <== tag;
    was.currency <== currency;
    was.sum <== sumBefore;
    was.version <== versionBefore;
    was.salt <== saltBefore;
    continues * (continues - 1) === 0;
    before === continues * was.out;
    (1 - continues) * sumBefore === 0;
    (1 - continues) * versionBefore === 0;
    (1 - continues) * saltBefore === 0;

    component is = Total();
    is.tag <== tag;
    is.currency <== currency;
    is.sum <== sumBefore + amount;
    is.version <== version;
    is.salt <== saltAfter;
    after === is.out;
}

component main {public [root, context, holder, tag, claim, before, after, claimed]} = Claim(10, 24, 30);
