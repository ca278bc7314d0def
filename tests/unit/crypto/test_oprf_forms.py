"""Plans, dealings and keys: what custodians of fingerprints sign, and what they refuse."""

from dataclasses import replace

import pytest

from simdes.crypto import cbor, oprf, oprf_shares, ristretto
from simdes.crypto.keys import OpeningKey, SigningKey
from simdes.crypto.oprf_forms import (
    Dealing,
    Key,
    Plan,
    check_plan,
    conclude,
    make_dealing,
    read_dealing,
    read_key,
    read_plan,
)
from simdes.errors import Invalid, SimdesError, Tampered
from support.drawn import counted

ORGANISATIONS = tuple(bytes([n]) * 32 for n in range(1, 6))
PLAN = Plan(
    chain=1,
    m=2,
    custodians=ORGANISATIONS[:3],
    persons=("urn:persons",),
    places=("urn:places",),
    nonce=bytes(32),
)


class Member:
    """A custodian's keys."""

    def __init__(self, number: int) -> None:
        self.opening = OpeningKey.generate(lambda length: bytes([number]) * length)
        self.signing = SigningKey(bytes([number]) * 32)


MEMBERS = [Member(n) for n in range(1, 6)]


def dealt(plan: Plan, dealer: int, *, share: int | None = None, seed: int = 0) -> Dealing:
    who = MEMBERS[dealer - 1]
    publics = [MEMBERS[one[0] - 1].opening.public for one in plan.custodians]
    return make_dealing(
        plan,
        dealer=dealer,
        publics=publics,
        share=share,
        sign=who.signing.sign,
        random=counted(dealer + 10 * seed),
    )


def concluded(plan: Plan, dealings: list[Dealing]) -> tuple[dict[int, int], Key]:
    shares, keys = {}, []
    for index, organisation in enumerate(plan.custodians, 1):
        opening = MEMBERS[organisation[0] - 1].opening
        shares[index], key = conclude(plan, dealings, index=index, opening=opening)
        keys.append(key)
    assert len({one.digest for one in keys}) == 1
    signatures = [MEMBERS[one[0] - 1].signing.sign(keys[0].digest) for one in plan.custodians]
    return shares, replace(keys[0], signatures=tuple(signatures))


@pytest.fixture(scope="module")
def made() -> tuple[dict[int, int], Key]:
    return concluded(PLAN, [dealt(PLAN, n) for n in (1, 2, 3)])


def test_all_custodians_come_to_one_key_and_any_two_have_it(made):
    shares, key = made
    assert [ristretto.multiply_base(shares[n]) for n in (1, 2, 3)] == list(key.shares)
    for pair in ((1, 2), (1, 3), (2, 3)):
        weights = oprf_shares.weights(pair)
        whole = oprf_shares.join_parts({n: shares[n] for n in pair}, weights)
        assert ristretto.multiply_base(whole) == key.public
    assert list(key.signers()) == [one.signing.address for one in MEMBERS[:3]]


def test_forms_come_back_as_they_were_written(made):
    _, key = made
    one = dealt(PLAN, 1)
    assert read_plan(PLAN.encode()) == PLAN
    assert read_dealing(one.encode()) == one
    assert one.signer == MEMBERS[0].signing.address
    assert read_key(key.encode()) == key
    assert read_key(key.encode()).digest == key.digest


def test_a_key_is_handed_on_to_others_and_stays_the_same(made):
    shares, key = made
    plan = replace(PLAN, m=3, custodians=ORGANISATIONS[1:5], nonce=b"2" * 32, previous=key.encode())
    dealings = [dealt(plan, 1, share=shares[1]), dealt(plan, 3, share=shares[3])]
    new, handed = concluded(plan, dealings)
    assert handed.public == key.public and handed.shares != key.shares
    one = oprf.blind(b"x", random=counted(3))
    answers = {n: ristretto.multiply(new[n], one.element) for n in (1, 2, 4)}
    joined = oprf_shares.join_elements(answers, oprf_shares.weights((1, 2, 4)))
    old = {n: ristretto.multiply(shares[n], one.element) for n in (2, 3)}
    assert joined == oprf_shares.join_elements(old, oprf_shares.weights((2, 3)))
    assert read_key(handed.encode()) == handed


def test_handing_on_takes_the_true_shares_of_enough(made):
    shares, key = made
    plan = replace(PLAN, nonce=b"3" * 32, previous=key.encode())
    true = dealt(plan, 1, share=shares[1])
    opening = MEMBERS[0].opening
    with pytest.raises(Invalid):
        conclude(plan, [true], index=1, opening=opening)
    with pytest.raises(Invalid):
        conclude(plan, [true, true], index=1, opening=opening)
    with pytest.raises(Tampered, match="Dealer 2"):
        conclude(plan, [true, dealt(plan, 2, share=shares[2] + 1)], index=1, opening=opening)


def test_a_fresh_key_takes_everybody_and_a_cheating_dealer_is_named():
    good = [dealt(PLAN, n) for n in (1, 2, 3)]
    other = dealt(replace(PLAN, nonce=b"4" * 32), 2)
    swapped = replace(good[1], sealed=good[1].sealed[::-1])
    not_known = replace(good[1], proof=good[0].proof)
    longer = replace(good[1], commitments=(*good[1].commitments, good[1].commitments[0]))
    opening = MEMBERS[0].opening
    with pytest.raises(Invalid):
        conclude(PLAN, good[:2], index=1, opening=opening)
    for bad in (other, swapped, not_known, longer):
        with pytest.raises(Tampered, match="Dealer 2"):
            conclude(PLAN, [good[0], bad, good[2]], index=1, opening=opening)
    altered = replace(good[1], commitments=(good[1].commitments[0], good[0].commitments[1]))
    with pytest.raises(Tampered, match="Dealer 2"):
        conclude(PLAN, [good[0], altered, good[2]], index=1, opening=opening)


def test_a_changed_key_is_another_key_or_none(made):
    _, key = made
    shares = (key.shares[1], key.shares[0], key.shares[2])
    for changed in (replace(key, shares=shares), replace(key, public=key.shares[0])):
        with pytest.raises(Tampered):
            read_key(changed.encode())
    other = replace(key, plan=replace(PLAN, nonce=b"5" * 32))
    assert set(read_key(other.encode()).signers()) != set(key.signers())


@pytest.mark.parametrize(
    "change",
    [
        {"m": 1},
        {"m": 4},
        {"custodians": (ORGANISATIONS[0], ORGANISATIONS[0])},
        {"persons": ()},
        {"places": ()},
    ],
    ids=["one", "too-many", "twice", "persons", "places"],
)
def test_a_plan_that_nobody_should_follow_is_refused(change):
    bad = replace(PLAN, **change)
    with pytest.raises(Invalid):
        check_plan(bad)
    with pytest.raises(Invalid):
        read_plan(bad.encode())


def test_anything_else_is_no_form():
    for data in (b"", b"\xa0", b"\x80", cbor.encode({"type": "letter", "v": 1}), bytes(300 << 10)):
        for read in (read_plan, read_dealing, read_key):
            with pytest.raises(SimdesError):
                read(data)
