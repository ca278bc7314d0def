"""Counts with differential privacy: cost, memory, small cells, and attacks that fail."""

from __future__ import annotations

from statistics import mean

import pytest

from simdes.errors import Invalid, TooLarge
from simdes.research.counting import (
    MICRO,
    Terms,
    charged,
    margin,
    noisy_count,
    question,
    told,
)

TERMS = Terms()


def test_noise_is_centred_on_the_count_and_as_wide_as_epsilon_says():
    answers = [noisy_count(1000, MICRO) for _ in range(1000)]
    assert abs(mean(answers) - 1000) < 0.5  # 14 standard errors
    off = mean(abs(a - 1000) for a in answers)
    assert 0.7 < off < 1.1  # 2e^-1 / (1 - e^-2) = 0.85
    assert sum(abs(a - 1000) <= margin(MICRO) for a in answers) > 920


def test_one_person_more_or_less_changes_no_chance_by_more_than_epsilon_allows():
    with_, without = ([noisy_count(n, MICRO) for _ in range(2000)] for n in (10, 9))
    for answer in range(7, 13):
        ratio = (with_.count(answer) + 30) / (without.count(answer) + 30)
        assert 1 / 3.3 < ratio < 3.3  # e is 2.72; the rest is chance


def test_answers_cost_until_the_budget_is_used_up():
    spent = 0
    for _ in range(20):
        spent = charged(spent, TERMS)
    assert spent == TERMS.budget
    with pytest.raises(TooLarge):
        charged(spent, TERMS)


def test_averaging_what_a_budget_buys_does_not_tell_whether_one_person_is_there():
    """The attacker asks the same in 20 wordings, which is all the budget pays for, and averages."""
    right = 0
    for trial in range(200):
        truth = 100 + trial % 2
        answers = [noisy_count(truth, TERMS.epsilon) for _ in range(20)]
        right += (mean(answers) > 100.5) == (truth == 101)
    assert right < 150  # 60 % to be expected; 100 % without a budget


def test_without_a_budget_the_same_attack_would_succeed():
    answers = {n: mean(noisy_count(n, MICRO) for _ in range(1500)) for n in (100, 101)}
    assert answers[100] < 100.5 < answers[101]


def test_the_difference_of_two_overlapping_counts_hides_one_person():
    """Everybody, and everybody but the one that the attacker means."""
    differences = [
        noisy_count(100, TERMS.epsilon) - noisy_count(99, TERMS.epsilon) for _ in "x" * 400
    ]
    assert sum(d <= 0 for d in differences) > 120  # a half, less or more, of the answers mislead


def test_the_same_question_has_one_digest_in_whatever_order_it_is_written():
    first = question({"age": [18, 65], "code": "44054006"}, period="2026-11")
    assert first == question({"code": "44054006", "age": [18, 65]}, period="2026-11")
    assert first != question({"code": "44054006", "age": [18, 65]}, period="2026-12")
    assert first != question({"code": "44054006", "age": [18, 66]}, period="2026-11")
    assert len(first) == 32


def test_small_cells_are_not_told():
    assert told(19, TERMS).count is None
    assert told(-4, TERMS).count is None
    assert told(20, TERMS).count == 20
    assert told(20, TERMS).fewer_than == 20
    assert told(20, TERMS).margin == 30


@pytest.mark.parametrize("wrong", [{"epsilon": 0}, {"epsilon": 3 * MICRO}, {"smallest": 0}])
def test_terms_that_promise_nothing_are_refused(wrong):
    with pytest.raises(Invalid):
        Terms(**wrong)
    with pytest.raises(Invalid):
        noisy_count(-1, MICRO)
