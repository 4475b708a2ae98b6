"""How alike two cases are in what was found: rare pairs of characters and signs of the tables that both name."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from tcm.cases import Case
from tcm.knowledge.fit_matrix import incidence, pairs
from tcm.knowledge.matching import findings_text, signs_found


class Similarity:
    """Cosine of tf-idf vectors, rarity counted among the training cases.

    A sign is a token beside the pairs of characters, so that 失眠 and 夜不能寐 meet although they share no pair.

    Args:
        train: the cases that others are compared with.

    Source:
        Spärck Jones (1972) for the rarity; pairs of characters as in the nearest-case floor; one token more for each
        sign is our choice. An embedding of hidden states is measured beside it (`tests/benchmarks/measure_proxies.py`).
    """

    def __init__(self, train: Sequence[Case]) -> None:
        rows = [_tokens(case) for case in train]
        names = sorted(set().union(*rows)) if rows else []
        self.columns = {name: place for place, name in enumerate(names)}
        found = incidence(rows, self.columns)
        counts = np.maximum(np.asarray(found.sum(axis=0)).ravel(), 1)
        self.rarity = np.log(1 + len(rows)) - np.log(counts) if rows else np.zeros(1)
        self.train = self._unit(found)

    def _unit(self, found: csr_matrix) -> csr_matrix:
        weighted = found.multiply(self.rarity[None, :]).tocsr()
        norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        return weighted.multiply(1 / np.where(norms == 0, math.inf, norms)[:, None]).tocsr()

    def to(self, cases: Sequence[Case]) -> np.ndarray:
        """Similarity of each case to each training case, shape (cases, train), 0 to 1."""
        return (self._unit(incidence([_tokens(case) for case in cases], self.columns)) @ self.train.T).toarray()


def _tokens(case: Case) -> set[str]:
    text = findings_text(case)
    return {*pairs(text), *(f"sign {sign}" for sign in signs_found(text))}
