// SPDX-License-Identifier: Apache-2.0
pragma circom 2.1.0;

include "lib/comparing.circom";
include "lib/money.circom";

// "What I approve (or paid) of this claim is more than nothing and no more than what it may be"
// (docs/formats/claims.md, settle). `whole`: it is exactly that; else it is less.
//
// What the contract MUST check besides the proof: `claim` is the claim, `upper` what it has for it,
// `whole` what the caller says.
template Settle() {
    var MONEY = 64;

    // Public.
    signal input claim;
    signal input upper;
    signal input lower;
    signal input whole;

    signal input currency;
    signal input upperAmount;
    signal input upperBlind;
    signal input lowerAmount;
    signal input lowerBlind;

    component most = Amount();
    most.claim <== claim;
    most.amount <== upperAmount;
    most.currency <== currency;
    most.blind <== upperBlind;
    upper === most.out;
    component given = Amount();
    given.claim <== claim;
    given.amount <== lowerAmount;
    given.currency <== currency;
    given.blind <== lowerBlind;
    lower === given.out;

    component money[3];
    for (var i = 0; i < 3; i++) money[i] = Bits(MONEY);
    money[0].in <== lowerAmount - 1;
    money[1].in <== upperAmount;
    money[2].in <== upperAmount - lowerAmount - 1 + whole;
    whole * (whole - 1) === 0;
    whole * (upperAmount - lowerAmount) === 0;
}

component main {public [claim, upper, lower, whole]} = Settle();
