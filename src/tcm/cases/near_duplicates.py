"""Which texts are nearly the same: chains of texts whose character trigrams overlap, exact for 200,000 of them.

Every pair at or above the threshold joins its two texts, as if all pairs had been compared; few are:

* equal texts are one; texts whose smallest hashes agree are compared first (most chains are found so);
* of two sets with Jaccard similarity ≥ t, sorted by how rare their members are, the beginnings share members
  (prefix filter), so only beginnings are multiplied, and only sets of similar size;
* what is known to be one chain already is not compared again.

Source:
    Prefix and size filter: Bayardo, Ma & Srikant, "Scaling Up All Pairs Similarity Search" (WWW 2007); more than one
    shared member: Wang, Li & Feng, "Can we beat the prefix filtering?" (SIGMOD 2012). MinHash: Broder (1997). Libraries
    of set similarity join either miss pairs (datasketch) or compare one by one in Python (SetSimilaritySearch).
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

SHARED = 4
"""Members that two beginnings must share. Our choice: longer beginnings cost more, but let fewer pairs through."""
HASHES = 12
WORK = 20_000_000
"""Products at once: bounds the memory, about 20 bytes each."""
PAIRS = 200_000
"""Pairs compared at once."""
BIG = 0.02
"""Share of the texts from which a chain is too big to be compared with itself."""


def chains(texts: Sequence[str], threshold: float) -> np.ndarray:
    """A number for each text; two texts have the same if a chain of near-duplicates leads from one to the other.

    Args:
        texts: what is compared, character by character; a text below three characters is compared whole.
        threshold: Jaccard similarity of the sets of character trigrams from which two texts are near-duplicates, > 0.

    Returns:
        Numbers from 0 on in the order of first appearance, shape (len(texts),).
    """
    first: dict[str, int] = {}
    place = np.array([first.setdefault(text, len(first)) for text in texts], dtype=np.int64)
    if not first:
        return place
    sets = _sets(list(first))
    join = _Join(sets, threshold)
    join.by_smallest_hashes()
    join.by_beginnings()
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(chain, len(numbers)) for chain in join.chain[place].tolist()], dtype=np.int64)


def _sets(texts: Sequence[str]) -> csr_matrix:
    """Trigrams of each text as a row of ones; columns from the rarest trigram to the commonest."""
    length = np.array([max(1, len(text) - 2) for text in texts])
    padded = "".join(text + "\0" * (3 - len(text)) if len(text) < 3 else text for text in texts)
    codes = np.frombuffer(padded.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
    start = np.concatenate([[0], np.cumsum(length + 2)])[:-1]
    at = np.arange(length.sum()) + np.repeat(start - (np.cumsum(length) - length), length)
    grams = (codes[at] << 42) | (codes[at + 1] << 21) | codes[at + 2]
    vocabulary, member = np.unique(grams, return_inverse=True)
    rows = np.repeat(np.arange(len(texts)), length)
    sets = csr_matrix((np.ones(len(rows), dtype=np.int16), (rows, member)), shape=(len(texts), len(vocabulary)))
    sets.sum_duplicates()
    frequency = np.bincount(sets.indices, minlength=len(vocabulary))
    rank = np.empty(len(vocabulary), dtype=np.int32)
    rank[np.argsort(frequency, kind="stable")] = np.arange(len(vocabulary))
    sets.data[:] = 1
    sets.indices = rank[sets.indices]
    sets.has_sorted_indices = False
    sets.sort_indices()
    return sets


class _Join:
    """Sets that are joined into chains."""

    def __init__(self, sets: csr_matrix, threshold: float) -> None:
        self.sets, self.threshold = sets, threshold
        self.size = np.diff(sets.indptr)
        self.chain = np.arange(sets.shape[0])
        least = np.ceil(threshold * self.size - 1e-9).astype(np.int64)  # shared with any near-duplicate
        self.shared = np.clip(least, 1, SHARED)
        self.ending = least - self.shared
        beginning = self.size - self.ending
        kept = np.arange(len(sets.indices)) - np.repeat(sets.indptr[:-1], self.size) < np.repeat(beginning, self.size)
        self.last = sets.indices[sets.indptr[:-1] + beginning - 1]
        bounds = np.concatenate([[0], np.cumsum(beginning)])
        self.beginnings = csr_matrix((sets.data[kept], sets.indices[kept], bounds), shape=sets.shape)

    def by_smallest_hashes(self) -> None:
        """Compare neighbours among sets whose smallest hash is the same, under several hash functions."""
        rng = np.random.default_rng(0)
        for _ in range(HASHES):
            hashes = rng.permutation(self.sets.shape[1])[self.sets.indices]
            smallest = np.minimum.reduceat(hashes, self.sets.indptr[:-1])
            order = np.lexsort((self.size, smallest))
            same = smallest[order[1:]] == smallest[order[:-1]]
            self._join(order[:-1][same], order[1:][same])

    def by_beginnings(self) -> None:
        """Compare all pairs whose beginnings share enough, but none inside a big chain."""
        chain, order = self.chain.copy(), np.argsort(self.size, kind="stable")
        big = np.flatnonzero(np.bincount(chain) > max(2, BIG * len(chain)))
        outside = order[~np.isin(chain[order], big)]
        self._compare(outside, outside)
        for number, one in enumerate(big):
            inside = order[chain[order] == one]
            others = order[~np.isin(chain[order], big[: number + 1])]
            self._compare(others, inside)

    def _compare(self, rows: np.ndarray, columns: np.ndarray) -> None:
        """Compare sets with others, both in the order of their sizes."""
        if not len(rows) or not len(columns):
            return
        sizes, beginnings = self.size[columns], self.beginnings[columns]
        common = np.bincount(beginnings.indices, minlength=self.sets.shape[1])
        work = np.cumsum(self.beginnings[rows] @ common)
        for block in np.split(rows, np.flatnonzero(np.diff(work // WORK)) + 1):
            smallest, largest = self.size[block[0]], self.size[block[-1]]
            low = np.searchsorted(sizes, np.floor(self.threshold * smallest))
            high = np.searchsorted(sizes, np.ceil(largest / self.threshold), side="right")
            if rows is columns:  # each pair once: with a set that is not larger
                high = np.searchsorted(sizes, largest, side="right")
            product = (self.beginnings[block] @ beginnings[low:high].T).tocoo()
            self._join(*self._possible(block[product.row], columns[low:high][product.col], product.data))

    def _possible(self, i: np.ndarray, j: np.ndarray, shared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Those pairs that may be near-duplicates, by their sizes and by what their beginnings share."""
        size_i, size_j = self.size[i], self.size[j]
        ending = np.where(self.last[i] <= self.last[j], self.ending[i], self.ending[j])
        least = np.ceil(self.threshold / (1 + self.threshold) * (size_i + size_j) - 1e-9)
        kept = (shared >= np.minimum(self.shared[i], self.shared[j])) & (shared + ending >= least)
        kept &= (np.minimum(size_i, size_j) >= self.threshold * np.maximum(size_i, size_j) - 1e-9) & (i != j)
        return i[kept], j[kept]

    def _join(self, a: np.ndarray, b: np.ndarray) -> None:
        """Compare pairs whole, and join the chains of those that are near-duplicates."""
        for at in range(0, len(a), PAIRS):
            i, j = a[at : at + PAIRS], b[at : at + PAIRS]
            apart = self.chain[i] != self.chain[j]
            i, j = i[apart], j[apart]
            shared = np.asarray(self.sets[i].multiply(self.sets[j]).sum(axis=1), dtype=np.int64).ravel()
            similar = shared / (self.size[i] + self.size[j] - shared) >= self.threshold
            if similar.any():
                ends = self.chain[i[similar]], self.chain[j[similar]]
                graph = csr_matrix((np.ones(similar.sum(), dtype=np.int8), ends), shape=(len(self.chain),) * 2)
                self.chain = connected_components(graph, directed=False)[1][self.chain]
