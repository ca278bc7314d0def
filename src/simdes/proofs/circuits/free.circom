// SPDX-License-Identifier: Apache-2.0
pragma circom 2.1.0;

include "lib/comparing.circom";
include "lib/money.circom";

// "Of what this claim counted in its encounter's total, this much remains, and the total falls by
// the rest" (docs/formats/claims.md, free).
//
// What the contract MUST check besides the proof: `tag`, `claim`, `counted` and `kept` are what it
// has for the claim, `before` what it has for the tag.
template Free() {
    var MONEY = 64;

    // Public.
    signal input tag;
    signal input claim;
    signal input before;
    signal input after;
    signal input counted;
    signal input kept;      // 0: nothing remains

    signal input currency;
    signal input sum;
    signal input version;
    signal input saltBefore;
    signal input saltAfter;
    signal input countedAmount;
    signal input countedBlind;
    signal input keeps;     // 1 where something remains
    signal input keptAmount;
    signal input keptBlind;

    component counts = Amount();
    counts.claim <== claim;
    counts.amount <== countedAmount;
    counts.currency <== currency;
    counts.blind <== countedBlind;
    counted === counts.out;

    component remains = Amount();
    remains.claim <== claim;
    remains.amount <== keptAmount;
    remains.currency <== currency;
    remains.blind <== keptBlind;
    keeps * (keeps - 1) === 0;
    kept === keeps * remains.out;
    (1 - keeps) * keptAmount === 0;
    (1 - keeps) * keptBlind === 0;

    component money[4];
    for (var i = 0; i < 4; i++) money[i] = Bits(MONEY);
    money[0].in <== countedAmount;
    money[1].in <== keptAmount;
    money[2].in <== countedAmount - keptAmount;
    money[3].in <== sum - countedAmount;

    component was = Total();
    was.tag <== tag;
    was.currency <== currency;
    was.sum <== sum;
    was.version <== version;
    was.salt <== saltBefore;
    before === was.out;
    component is = Total();
    is.tag <== tag;
    is.currency <== currency;
    is.sum <== sum - countedAmount + keptAmount;
    is.version <== version;
    is.salt <== saltAfter;
    after === is.out;
}

component main {public [tag, claim, before, after, counted, kept]} = Free();
