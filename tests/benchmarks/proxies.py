"""An embedding of cases trained with learned syndrome proxies, on a model's own hidden states: which cases are alike.

Each syndrome gets a vector of its own, its proxy. A linear map of the hidden states is trained so that a case lies near
the proxies of its syndromes and far from all others; two cases are then as alike as their images. The model itself
stays as it is. Measured, not used by any arm: nearest cases by it share less of the prescription than nearest cases by
characters and signs (`tests/benchmarks/measure_proxies.py`, docs/results.md), so it has no key.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tcm.cases import Case
from tcm.metrics.labels import label_set

if TYPE_CHECKING:
    import torch

ALPHA, MARGIN = 32.0, 0.1  # arXiv 2003.13911
SIZE, STEPS = 64, 200  # our choice, not tuned
MAP_RATE, PROXY_RATE = 1.0e-3, 1.0e-1  # proxies learn 100 times as fast as the map, as in the paper
DECAY = 1.0e-4


def proxy_anchor(
    similarity: "torch.Tensor", positive: "torch.Tensor", alpha: float = ALPHA, margin: float = MARGIN
) -> "torch.Tensor":
    """The proxy-anchor loss.

    Args:
        similarity: cosine of each case and proxy, shape (cases, proxies).
        positive: whether the proxy is one of the case's own, boolean, same shape.
        alpha: sharpness. margin: how far beyond 0 a case is pulled or pushed.

    Returns:
        A scalar: mean over proxies that have a case of log(1 + Σ exp(-alpha (s - margin))) over their own cases, plus
        mean over all proxies of log(1 + Σ exp(alpha (s + margin))) over the cases of others.

    Source:
        Kim et al. 2020, arXiv 2003.13911. There each example has one class; a case may have several syndromes.
    """
    import torch

    def total(exponents: "torch.Tensor", counted: "torch.Tensor") -> "torch.Tensor":
        kept = exponents.masked_fill(~counted, -torch.inf)
        return torch.cat([torch.zeros_like(kept[:1]), kept]).logsumexp(0)  # the 1 in log(1 + Σ) is a row of exp(0)

    pull, push = total(-alpha * (similarity - margin), positive), total(alpha * (similarity + margin), ~positive)
    return pull[positive.any(0)].mean() + push.mean()


class Embedding:
    """A linear map of hidden states to unit vectors, trained on labelled cases.

    Args:
        states: hidden states of training cases, shape (cases, hidden).
        syndromes: the labels of each; a case without any pulls nothing and is pushed from all.
        seed: of map and proxies.
    """

    def __init__(self, states: np.ndarray, syndromes: Sequence[frozenset[str]], seed: int = 0) -> None:
        import torch
        from torch.nn.functional import normalize

        self.mean, self.spread = states.mean(0), np.maximum(states.std(0), 1e-6)
        names = sorted(set().union(*syndromes))
        positive = torch.tensor([[name in own for name in names] for own in syndromes])
        generator = torch.Generator().manual_seed(seed)
        values = torch.tensor((states - self.mean) / self.spread, dtype=torch.float32)
        width = values.shape[1]
        weight = (torch.randn(width, SIZE, generator=generator) / width**0.5).requires_grad_()
        proxies = torch.randn(len(names), SIZE, generator=generator).requires_grad_()
        groups = [{"params": [weight], "lr": MAP_RATE}, {"params": [proxies], "lr": PROXY_RATE}]
        optimizer = torch.optim.AdamW(groups, weight_decay=DECAY)
        for _ in range(STEPS if names else 0):
            loss = proxy_anchor(normalize(values @ weight, dim=1) @ normalize(proxies, dim=1).T, positive)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.weight = weight.detach().numpy()

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """Unit vectors, shape (cases, SIZE)."""
        mapped = (states - self.mean) / self.spread @ self.weight
        return mapped / np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), 1e-12)


def syndromes(cases: Sequence[Case]) -> list[frozenset[str]]:
    """The syndromes that each case's answer names."""
    return [label_set(case.answer.syndrome) if case.answer else frozenset() for case in cases]
