// SPDX-License-Identifier: Apache-2.0
pragma circom 2.1.0;

// `in` is a number of at most `n` bits, n < 254; its bits, the lowest first.
template Bits(n) {
    signal input in;
    signal output out[n];
    var sum = 0;
    for (var i = 0; i < n; i++) {
        out[i] <-- (in >> i) & 1;
        out[i] * (out[i] - 1) === 0;
        sum += out[i] * (1 << i);
    }
    sum === in;
}

// out = 1 where in = 0, else 0.
template IsZero() {
    signal input in;
    signal output out;
    signal inverse <-- in != 0 ? 1 / in : 0;
    out <== 1 - in * inverse;
    in * out === 0;
}

// quotient = numerator / denominator, rounded up. The quotient has `n` bits at most; the product of
// quotient and denominator must stay below the field's order.
template Ceiling(n) {
    signal input numerator;
    signal input denominator;
    signal input quotient;

    // Else any fraction's inverse in the field would do.
    component whole = Bits(n);
    whole.in <== quotient;
    signal product <== quotient * denominator;
    component least = Bits(n);
    least.in <== product - numerator;
    component most = Bits(n);
    most.in <== denominator - 1 - (product - numerator);
}
