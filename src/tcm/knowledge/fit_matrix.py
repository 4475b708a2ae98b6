"""How well every pattern fits each of many cases, as sparse matrices: what `matching` does for one text, for thousands.

Two readings of a case stand side by side. `sign_fits` counts the signs that the tables know by name; `wording_fits`
counts pairs of characters that the findings and the wordings of a pattern share, so that a finding written in words of
its own (大便黏滞难解) still speaks for the pattern that it is nearest to.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import numpy as np
from scipy.sparse import csr_matrix

from tcm.cases import Case
from tcm.cases.cleaning import letters_of
from tcm.knowledge import patterns, symptom_synonyms
from tcm.knowledge.matching import PULSE, _index, age_group, concerns, findings_text, signs_found


def incidence(rows: Sequence[Iterable[str]], columns: Mapping[str, int]) -> csr_matrix:
    """A sparse matrix with 1 where a row holds a column's name; names that are no column are left out."""
    places = [sorted({columns[name] for name in row if name in columns}) for row in rows]
    indptr = np.cumsum([0, *map(len, places)])
    indices = np.fromiter((place for row in places for place in row), dtype=np.int32, count=int(indptr[-1]))
    return csr_matrix((np.ones(len(indices)), indices, indptr), shape=(len(rows), max(1, len(columns))))


def pairs(text: str) -> list[str]:
    """Every two characters that follow each other, punctuation left out."""
    letters = letters_of(text)
    return [letters[i : i + 2] for i in range(len(letters) - 1)]


@cache
def _signs() -> tuple[dict[str, int], csr_matrix]:
    """Sign -> row, and weight of each sign in each pattern, shape (signs, patterns), divided by the pattern's size."""
    index = _index()
    rows = {sign: row for row, sign in enumerate(index.patterns)}
    triples = [(rows[sign], n, w / index.sizes[n]) for sign, found in index.patterns.items() for n, w in found]
    row, column, weight = zip(*triples, strict=True)
    return rows, csr_matrix((weight, (row, column)), shape=(len(rows), len(index.sizes)))


@cache
def _wordings() -> tuple[dict[str, int], csr_matrix]:
    """Pair of characters -> row, and its weight in each pattern, shape (pairs, patterns); rare pairs weigh more."""
    other = symptom_synonyms()
    found = []
    for p in patterns():
        signs = (*p.key_symptoms, *p.other_symptoms)
        pulse = (PULSE + sign.removeprefix(PULSE) for sign in p.pulse)
        others = (word for sign in signs for word in other.get(sign, ()))
        words = (p.disease, *p.disease_aliases, *signs, *p.tongue, *pulse, *others)
        found.append({pair for word in words for pair in pairs(word)})
    counts = Counter(pair for row in found for pair in row)
    rows = {pair: row for row, pair in enumerate(sorted(counts))}
    rarity = np.array([math.log(1 + len(found) / counts[pair]) for pair in rows])
    weights = incidence(found, rows).multiply(rarity[None, :]).tocsr()
    sizes = np.sqrt(np.asarray(weights.sum(axis=1)).ravel())
    return rows, weights.multiply(1 / sizes[:, None]).T.tocsr()


def sign_fits(cases: Sequence[Case]) -> np.ndarray:
    """`matching.fits` of every case.

    Returns:
        Shape (cases, patterns), 0 to 1, 1 for the pattern of a case that fits best; a row of 0 where nothing is found.
    """
    rows, weights = _signs()
    return _possible(incidence([signs_found(findings_text(c)) for c in cases], rows) @ weights, cases)


def wording_fits(cases: Sequence[Case]) -> np.ndarray:
    """The same by pairs of characters that the findings share with the wordings of a pattern and its disease.

    Source:
        Our choice: weighted as in `matching.fits`, each pair of characters in the place of a sign.
    """
    rows, weights = _wordings()
    return _possible(incidence([pairs(findings_text(c)) for c in cases], rows) @ weights, cases)


def relative(fits: np.ndarray) -> np.ndarray:
    """Each row divided by its highest value; a row of 0 stays."""
    best = fits.max(axis=1, keepdims=True)
    return np.divide(fits, best, out=np.zeros_like(fits), where=best > 0)


def _possible(raw: csr_matrix, cases: Sequence[Case]) -> np.ndarray:
    """Relative fits, 0 for patterns of the other sex or age group."""
    kinds = [(case.patient.sex, age_group(case.patient.age)) for case in cases]
    masks = {kind: np.array([concerns(p, *kind) for p in patterns()]) for kind in set(kinds)}
    return relative(raw.toarray() * np.array([masks[kind] for kind in kinds]))
