"""The proxy-anchor loss by hand, and that an embedding trained with it brings cases of one syndrome together."""

import math

import numpy as np
import torch
from benchmarks.proxies import Embedding, proxy_anchor, syndromes
from written_study import answer, case


def test_the_loss_of_two_cases_and_two_proxies_by_hand() -> None:
    similarity = torch.tensor([[0.5, -0.25], [0.0, 1.0]])
    positive = torch.tensor([[True, False], [False, True]])
    pull = [math.log(1 + math.exp(-2 * (0.5 - 0.1))), math.log(1 + math.exp(-2 * (1.0 - 0.1)))]
    push = [math.log(1 + math.exp(2 * (0.0 + 0.1))), math.log(1 + math.exp(2 * (-0.25 + 0.1)))]
    by_hand = sum(pull) / 2 + sum(push) / 2
    assert math.isclose(proxy_anchor(similarity, positive, alpha=2, margin=0.1).item(), by_hand, rel_tol=1e-6)


def test_a_proxy_without_a_case_only_pushes_and_one_with_two_sums_before_the_logarithm() -> None:
    similarity = torch.tensor([[0.5, 0.2], [0.3, -0.4]])
    positive = torch.tensor([[True, False], [True, False]])
    pull = math.log(1 + math.exp(-0.4) + math.exp(-0.2))  # alpha 1, margin 0.1, one proxy that has cases
    push = (0.0 + math.log(1 + math.exp(0.3) + math.exp(-0.3))) / 2  # over both proxies
    assert math.isclose(proxy_anchor(similarity, positive, alpha=1, margin=0.1).item(), pull + push, rel_tol=1e-6)


def test_extreme_similarities_stay_finite() -> None:
    similarity = torch.tensor([[-1.0, 1.0]], requires_grad=True)
    loss = proxy_anchor(similarity, torch.tensor([[True, False]]), alpha=1000)
    loss.backward()
    assert math.isfinite(loss.item()) and torch.isfinite(similarity.grad).all()


def test_cases_of_one_syndrome_come_together_though_something_louder_parts_them() -> None:
    rng = np.random.default_rng(0)
    names = ["肝郁", "脾虚", "血瘀"] * 40
    states = np.hstack([np.eye(3)[[("肝郁", "脾虚", "血瘀").index(n) for n in names]], 3 * rng.normal(size=(120, 8))])
    train, test = slice(0, 90), slice(90, 120)
    embedding = Embedding(states[train], [frozenset([n]) for n in names[train]])

    def agreement(asked: np.ndarray, known: np.ndarray) -> float:
        nearest = (asked @ known.T).argmax(axis=1)
        return float(np.mean([names[90 + i] == names[j] for i, j in enumerate(nearest)]))

    plain = states / np.linalg.norm(states, axis=1, keepdims=True)
    assert agreement(embedding(states[test]), embedding(states[train])) > 0.9
    assert agreement(plain[test], plain[train]) < 0.6


def test_images_are_unit_vectors_and_a_seed_gives_them_again() -> None:
    states = np.random.default_rng(1).normal(size=(6, 4))
    labels = [frozenset(["肝郁"]), frozenset(["脾虚", "血瘀"])] * 3
    one, again = (Embedding(states, labels, seed=3)(states) for _ in range(2))
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(one, again)


def test_a_case_has_the_syndromes_that_its_answer_names() -> None:
    assert syndromes([case("a", answer("柴胡")), case("b", None)]) == [frozenset(["肝郁脾虚"]), frozenset()]
