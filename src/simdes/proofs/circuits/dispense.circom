// SPDX-License-Identifier: Apache-2.0
pragma circom 2.1.0;

include "lib/comparing.circom";
include "lib/poseidon.circom";
include "lib/tree.circom";

// "I hold an issued prescription that allows this step" (docs/formats/statements.md, dispense).
//
// A step takes what was dispensed of a prescription from `dispensedBefore` to `dispensedAfter`
// units; the ledger knows both as parts of 10,000. Units are so coarse that a prescription has
// 10,000 at most: then a part tells exactly how many they are, and nothing gets lost by rounding.
// A step of nothing binds the prescription to the pharmacy, or releases it.
//
// What the contract MUST check besides the proof: `root` is recent, `pharmacy` is the caller,
// `context` names this chain and contract, `step` holds the state that it has for the tag and its
// own day, the tag is neither cancelled nor bound to another pharmacy.
template Dispense(batchDepth, forestDepth) {
    var LEAF = 1;  // first inputs of the hashes: what a hash stands for
    var TAG = 2;
    var PARTS = 10000;
    var AMOUNT = 14;  // bits of a number of units, of parts, of fills
    var DAY = 20;     // bits of a number of days since 1970-01-01

    // Public.
    signal input root;
    signal input tag;
    signal input pharmacy;
    signal input context;
    signal input step;

    // The prescription.
    signal input nullifierKey;
    signal input salt;
    signal input total;          // units in all
    signal input perFill;        // units in a fill
    signal input interval;       // days from one fill's beginning to the next's
    signal input firstDay;
    signal input lastDay;
    signal input bound;          // the one pharmacy, or 0
    signal input controlled;     // 1: stays at its pharmacy
    signal input batchIndex;
    signal input batchSiblings[batchDepth];
    signal input forestIndex;
    signal input forestSiblings[forestDepth];

    // The step.
    signal input dispensedBefore;
    signal input dispensedAfter;
    signal input fillsBefore;    // fills begun
    signal input fillsAfter;

    // --- It was issued, and this is its tag ---------------------------------------------------
    component terms = Poseidon(6);
    terms.in <== [total, perFill, interval, firstDay, lastDay, bound];
    component leaf = Poseidon(5);
    leaf.in <== [LEAF, nullifierKey, salt, terms.out, controlled];
    component member = Member(batchDepth, forestDepth);
    member.leaf <== leaf.out;
    member.batchIndex <== batchIndex;
    member.batchSiblings <== batchSiblings;
    member.forestIndex <== forestIndex;
    member.forestSiblings <== forestSiblings;
    root === member.root;

    component tagged = Poseidon(3);
    tagged.in <== [TAG, context, nullifierKey];
    tag === tagged.out;

    // --- The step, as the contract packed it --------------------------------------------------
    component bits = Bits(3 * DAY + 2 * AMOUNT + 1);
    bits.in <== step;
    var at = 0;
    var partBefore = 0;
    for (var i = 0; i < AMOUNT; i++) { partBefore += bits.out[at] * (1 << i); at++; }
    var partAfter = 0;
    for (var i = 0; i < AMOUNT; i++) { partAfter += bits.out[at] * (1 << i); at++; }
    var begunBefore = 0;
    for (var i = 0; i < DAY; i++) { begunBefore += bits.out[at] * (1 << i); at++; }
    var begunAfter = 0;
    for (var i = 0; i < DAY; i++) { begunAfter += bits.out[at] * (1 << i); at++; }
    var day = 0;
    for (var i = 0; i < DAY; i++) { day += bits.out[at] * (1 << i); at++; }
    var releases = bits.out[at];

    // --- Amounts: 0 < perFill <= total <= PARTS, before <= after <= total ---------------------
    component amounts[6];
    for (var i = 0; i < 6; i++) amounts[i] = Bits(AMOUNT);
    amounts[0].in <== perFill - 1;
    amounts[1].in <== total - perFill;
    amounts[2].in <== PARTS - total;
    amounts[3].in <== dispensedBefore;
    amounts[4].in <== dispensedAfter - dispensedBefore;
    amounts[5].in <== total - dispensedAfter;

    component before = Ceiling(AMOUNT);
    before.numerator <== dispensedBefore * PARTS;
    before.denominator <== total;
    before.quotient <== partBefore;
    component after = Ceiling(AMOUNT);
    after.numerator <== dispensedAfter * PARTS;
    after.denominator <== total;
    after.quotient <== partAfter;

    // --- Fills: a step begins one at most, and not before the interval is over ----------------
    component begun[2];
    for (var i = 0; i < 2; i++) begun[i] = Ceiling(AMOUNT);
    begun[0].numerator <== dispensedBefore;
    begun[0].denominator <== perFill;
    begun[0].quotient <== fillsBefore;
    begun[1].numerator <== dispensedAfter;
    begun[1].denominator <== perFill;
    begun[1].quotient <== fillsAfter;

    signal begins <== fillsAfter - fillsBefore;
    begins * (begins - 1) === 0;
    begunAfter === begunBefore + begins * (day - begunBefore);

    component none = IsZero();
    none.in <== fillsBefore;
    signal waits <== begins * (1 - none.out);
    component intervals = Bits(AMOUNT);
    intervals.in <== interval;
    component waited = Bits(DAY);
    waited.in <== waits * (day - begunBefore - interval);

    // --- The window, the pharmacy, the release ------------------------------------------------
    component days[4];
    for (var i = 0; i < 4; i++) days[i] = Bits(DAY);
    days[0].in <== firstDay;
    days[1].in <== day - firstDay;
    days[2].in <== lastDay;
    days[3].in <== lastDay - day;

    bound * (pharmacy - bound) === 0;
    controlled * (controlled - 1) === 0;
    releases * controlled === 0;
    releases * (dispensedAfter - dispensedBefore) === 0;
}

component main {public [root, tag, pharmacy, context, step]} = Dispense(10, 24);
