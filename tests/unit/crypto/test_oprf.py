"""The oblivious function against RFC 9497's vectors, and what must be refused.

Encodings that are none: RFC 9496, appendix A.2.
"""

import json
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.crypto import oprf, oprf_shares, ristretto
from simdes.crypto.oprf import Evaluation
from simdes.errors import Invalid, Tampered
from support.drawn import counted

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "oprf-ristretto255-sha512.json").read_text()
)
KEY = ristretto.read_scalar(bytes.fromhex(VECTORS["skSm"]))
PUBLIC = bytes.fromhex(VECTORS["pkSm"])
BAD_ELEMENTS = (
    "00" * 32,  # the identity
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",  # not canonical
    "0100000000000000000000000000000000000000000000000000000000000000",  # negative
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",  # no square
    "00" * 31,
    "00" * 33,
)


def said(*scalars: str):
    """A source of randomness that says these scalars, one a call."""
    left = [bytes.fromhex(one) + bytes(32) for one in scalars]
    return lambda length: left.pop(0)


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=["one", "long", "batch"])
def test_published_vectors_come_out(vector):
    blinded = [
        oprf.blind(bytes.fromhex(one), random=said(hidden))
        for one, hidden in zip(vector["Input"], vector["Blind"], strict=True)
    ]
    assert [one.element.hex() for one in blinded] == vector["BlindedElement"]
    evaluation = oprf.evaluate(
        KEY, [one.element for one in blinded], random=said(vector["ProofRandomScalar"])
    )
    assert [one.hex() for one in evaluation.elements] == vector["EvaluationElement"]
    assert evaluation.proof.hex() == vector["Proof"]
    oprf.verify(PUBLIC, [one.element for one in blinded], evaluation)
    outputs = [
        oprf.finalize(one, product).hex()
        for one, product in zip(blinded, evaluation.elements, strict=True)
    ]
    assert outputs == vector["Output"]


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=["one", "long", "batch"])
def test_any_m_shares_of_the_published_key_give_the_published_outputs(vector):
    dealt = oprf_shares.deal(KEY, m=3, n=5, random=counted())
    blinded = [
        oprf.blind(bytes.fromhex(one), random=said(hidden))
        for one, hidden in zip(vector["Input"], vector["Blind"], strict=True)
    ]
    elements = [one.element for one in blinded]
    public = [oprf_shares.public_part(x, dealt.commitments) for x in range(6)]
    assert public[0] == PUBLIC
    oprf_shares.check_shares(PUBLIC, public[1:], m=3)
    answers = {
        x: oprf.evaluate(dealt.parts[x - 1], elements, random=counted(x)) for x in range(1, 6)
    }
    for x, answer in answers.items():
        oprf.verify(public[x], elements, answer)
    for chosen in combinations(range(1, 6), 3):
        weights = oprf_shares.weights(chosen)
        for number, one in enumerate(blinded):
            joined = oprf_shares.join_elements(
                {x: answers[x].elements[number] for x in chosen}, weights
            )
            assert oprf.finalize(one, joined).hex() == vector["Output"][number]


def test_fewer_than_m_shares_give_something_else():
    dealt = oprf_shares.deal(KEY, m=3, n=5, random=counted())
    one = oprf.blind(b"somebody", random=counted(1))
    true = oprf.finalize(one, ristretto.multiply(KEY, one.element))
    for chosen in combinations(range(1, 6), 2):
        weights = oprf_shares.weights(chosen)
        joined = oprf_shares.join_elements(
            {x: ristretto.multiply(dealt.parts[x - 1], one.element) for x in chosen}, weights
        )
        assert oprf.finalize(one, joined) != true


@given(value=st.binary(max_size=200), other=st.binary(max_size=200), seed=st.integers(1, 500))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_the_output_hangs_on_the_input_alone(value, other, seed):
    first, second = (oprf.blind(value, random=counted(seed + n)) for n in (0, 1000))
    assert first.element != second.element
    outputs = {oprf.finalize(one, ristretto.multiply(KEY, one.element)) for one in (first, second)}
    assert len(outputs) == 1
    third = oprf.blind(other, random=counted(seed))
    assert (oprf.finalize(third, ristretto.multiply(KEY, third.element)) in outputs) == (
        value == other
    )


def _batch():
    elements = [oprf.blind(bytes([n]), random=counted(n + 1)).element for n in range(3)]
    return elements, oprf.evaluate(KEY, elements, random=counted(9))


def test_another_key_for_one_element_of_a_batch_is_found():
    elements, evaluation = _batch()
    for place in range(3):
        products = list(evaluation.elements)
        products[place] = ristretto.multiply(KEY + 1, elements[place])
        with pytest.raises(Tampered):
            oprf.verify(PUBLIC, elements, Evaluation(tuple(products), evaluation.proof))


def test_swapped_products_and_a_proof_for_another_key_are_found():
    elements, evaluation = _batch()
    first, second, third = evaluation.elements
    for products in ((second, first, third), (first, second), (first, second, third, third)):
        with pytest.raises(Tampered):
            oprf.verify(PUBLIC, elements, Evaluation(products, evaluation.proof))
    with pytest.raises(Tampered):
        oprf.verify(ristretto.multiply_base(KEY + 1), elements, evaluation)
    other = oprf.evaluate(KEY + 1, elements, random=counted(9))
    with pytest.raises(Tampered):
        oprf.verify(PUBLIC, elements, other)


def test_every_byte_of_a_proof_counts():
    elements, evaluation = _batch()
    for place in range(oprf.PROOF_BYTES):
        proof = bytearray(evaluation.proof)
        proof[place] ^= 1
        with pytest.raises(Tampered):
            oprf.verify(PUBLIC, elements, Evaluation(evaluation.elements, bytes(proof)))


@pytest.mark.parametrize("element", BAD_ELEMENTS, ids=range(len(BAD_ELEMENTS)))
def test_what_is_no_element_is_never_multiplied(element):
    with pytest.raises(Tampered):
        oprf.evaluate(KEY, [PUBLIC, bytes.fromhex(element)], random=counted())
    elements, evaluation = _batch()
    products = (*evaluation.elements[:2], bytes.fromhex(element))
    with pytest.raises(Tampered):
        oprf.verify(PUBLIC, elements, Evaluation(products, evaluation.proof))


def test_a_batch_has_a_size():
    for batch in ([], [PUBLIC] * (oprf.MAX_BATCH + 1)):
        with pytest.raises(Invalid):
            oprf.evaluate(KEY, batch, random=counted())
    with pytest.raises(Invalid):
        oprf.blind(bytes(65_536), random=counted())


def test_scalars_have_one_spelling():
    with pytest.raises(Tampered):
        ristretto.read_scalar(ristretto.ORDER.to_bytes(32, "little"))
    with pytest.raises(Tampered):
        ristretto.read_scalar(bytes(31))
