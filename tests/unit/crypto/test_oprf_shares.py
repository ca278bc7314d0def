"""A key in parts: nobody holds it, it can be handed on, and who cheats is found."""

from itertools import combinations

import pytest

from simdes.crypto import oprf_shares, ristretto
from simdes.errors import Invalid, Tampered
from support.drawn import counted


def joined(shares, chosen):
    """The key that these custodians' shares give together."""
    return oprf_shares.join_parts({x: shares[x] for x in chosen}, oprf_shares.weights(chosen))


def made(*, m=2, n=3):
    """Shares and public shares of a key to which each of n dealt a number."""
    numbers = [ristretto.random_scalar(counted(n + x)) for x in range(n)]
    dealt = {
        x: oprf_shares.deal(numbers[x - 1], m=m, n=n, random=counted(50 + x))
        for x in range(1, n + 1)
    }
    ones = dict.fromkeys(dealt, 1)
    shares = {
        to: oprf_shares.join_parts({x: one.parts[to - 1] for x, one in dealt.items()}, ones)
        for to in range(1, n + 1)
    }
    public = [
        oprf_shares.join_elements(
            {x: oprf_shares.public_part(to, one.commitments) for x, one in dealt.items()}, ones
        )
        for to in range(n + 1)
    ]
    return sum(numbers) % ristretto.ORDER, shares, public


@pytest.mark.parametrize(("m", "n"), [(2, 2), (2, 3), (3, 5)])
def test_any_m_of_n_hold_a_key_that_nobody_dealt(m, n):
    key, shares, public = made(m=m, n=n)
    assert public[0] == ristretto.multiply_base(key)
    assert public[1:] == [ristretto.multiply_base(shares[x]) for x in range(1, n + 1)]
    oprf_shares.check_shares(public[0], public[1:], m=m)
    for chosen in combinations(range(1, n + 1), m):
        assert joined(shares, chosen) == key
    for chosen in combinations(range(1, n + 1), m - 1):
        assert joined(shares, chosen) != key


def test_handing_on_keeps_the_key_and_makes_old_shares_useless():
    key, old, public = made(m=2, n=3)
    dealers = (1, 3)
    dealt = {x: oprf_shares.deal(old[x], m=3, n=4, random=counted(90 + x)) for x in dealers}
    for x, one in dealt.items():
        assert one.commitments[0] == public[x]
    weights = oprf_shares.weights(dealers)
    new = {
        to: oprf_shares.join_parts({x: one.parts[to - 1] for x, one in dealt.items()}, weights)
        for to in range(1, 5)
    }
    for chosen in combinations(range(1, 5), 3):
        assert joined(new, chosen) == key
    mixed = {1: old[1], 2: old[2], 3: new[3], 4: new[4]}
    for chosen in combinations(range(1, 5), 3):
        assert joined(mixed, chosen) != key


def test_a_part_that_was_not_committed_to_is_found():
    dealt = oprf_shares.deal(5, m=2, n=3, random=counted())
    for x, part in enumerate(dealt.parts, 1):
        oprf_shares.check_part(x, part, dealt.commitments)
        with pytest.raises(Tampered):
            oprf_shares.check_part(x, part + 1, dealt.commitments)
        with pytest.raises(Tampered):
            oprf_shares.check_part(x % 3 + 1, part, dealt.commitments)


def test_who_deals_must_know_what_it_deals():
    mine = ristretto.multiply_base(5)
    proof = oprf_shares.prove_known(5, bound=b"plan, dealer 1", random=counted())
    oprf_shares.check_known(mine, proof, bound=b"plan, dealer 1")
    for commitment, shown, bound in (
        (mine, proof, b"plan, dealer 2"),
        (ristretto.multiply_base(6), proof, b"plan, dealer 1"),
        (mine, proof[:-1] + bytes([proof[-1] ^ 1]), b"plan, dealer 1"),
        (mine, proof[:-1], b"plan, dealer 1"),
        (bytes(32), proof, b"plan, dealer 1"),
    ):
        with pytest.raises(Tampered):
            oprf_shares.check_known(commitment, shown, bound=bound)


def test_public_shares_that_do_not_belong_together_are_found():
    _, _, public = made(m=2, n=4)
    for place in range(4):
        shares = list(public[1:])
        shares[place] = ristretto.multiply_base(77)
        with pytest.raises(Tampered):
            oprf_shares.check_shares(public[0], shares, m=2)
    with pytest.raises(Tampered):
        oprf_shares.check_shares(ristretto.multiply_base(77), public[1:], m=2)


def test_numbers_of_custodians_are_distinct_and_above_zero():
    for wrong in ((1, 1), (0, 1), ()):
        with pytest.raises(Invalid):
            oprf_shares.weights(wrong)


def test_secrets_do_not_show_in_text():
    assert "5" not in repr(oprf_shares.deal(5, m=2, n=3, random=counted()))
