// SPDX-License-Identifier: Apache-2.0
pragma circom 2.1.0;

include "poseidon.circom";

// What the ledger sees instead of an amount (docs/formats/claims.md).

// An amount of one claim: what is claimed, approved or paid.
template Amount() {
    var AMOUNT = 9;
    signal input claim;
    signal input amount;
    signal input currency;
    signal input blind;
    signal output out;

    component hash = Poseidon(5);
    hash.in <== [AMOUNT, claim, amount, currency, blind];
    out <== hash.out;
}

// What is claimed of an encounter in all, by the newest version of it that was claimed under.
template Total() {
    var TOTAL = 10;
    signal input tag;
    signal input currency;
    signal input sum;
    signal input version;
    signal input salt;
    signal output out;

    component hash = Poseidon(6);
    hash.in <== [TOTAL, tag, currency, sum, version, salt];
    out <== hash.out;
}
