"""Near-duplicate groups, and the one split of a study.

Visits of one patient and near-duplicate findings form a group, and a group never straddles two splits: otherwise a test
case would be answered from memory.
"""

import random
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from tcm.cases.cleaning import letters_of
from tcm.cases.types import Case, CaseError

MIN_TEST, MIN_TRAIN = 8, 5
"""Fewest test cases and training answers of a study that can say anything.

Source:
    A sign-flip permutation test of n pairs has no p below 2 / 2^n; after Holm's adjustment for the five questions of
    the default study that is above 0.05 for n < 8. For training: our choice.
"""


def too_few(train: int, test: int) -> str:
    """What a number of training answers and test cases is too small for; "" where it is enough."""
    said = []
    if test < MIN_TEST:
        said.append(f"{test} test cases (below {MIN_TEST} no difference between arms can be told from chance)")
    if train < MIN_TRAIN:
        said.append(f"{train} training answers (below {MIN_TRAIN} there is nothing to learn from)")
    return " and ".join(said)


def groups(cases: Sequence[Case], near_duplicate: float = 0.8) -> list[int]:
    """A group number for each case: one patient, or findings that are nearly the same, chained.

    Args:
        near_duplicate: Jaccard similarity of character trigrams from which two findings count as the same.

    Returns:
        Group numbers, length len(cases).

    Source:
        Our choice: character trigrams need no word list, and visits are short.
    """
    grams = [{t[i : i + 3] for i in range(max(1, len(t) - 2))} for t in (letters_of(c.visit.findings) for c in cases)]
    vocabulary = {gram: i for i, gram in enumerate(sorted(set().union(*grams)))} if grams else {}
    rows = np.repeat(np.arange(len(cases)), [len(g) for g in grams])
    columns = [vocabulary[gram] for g in grams for gram in sorted(g)]
    X = csr_matrix(
        (np.ones(len(columns), dtype=np.int32), (rows, columns)), shape=(len(cases), max(1, len(vocabulary)))
    )
    shared = (X @ X.T).tocoo()
    size = np.array([len(g) for g in grams])
    similar = shared.data / (size[shared.row] + size[shared.col] - shared.data) >= near_duplicate
    patients = {p: i for i, p in enumerate(dict.fromkeys(c.patient_id for c in cases))}
    first = {}
    same_patient = [(i, first.setdefault(patients[c.patient_id], i)) for i, c in enumerate(cases)]
    a = np.concatenate([shared.row[similar], [i for i, _ in same_patient]])
    b = np.concatenate([shared.col[similar], [j for _, j in same_patient]])
    graph = csr_matrix((np.ones(len(a)), (a, b)), shape=(len(cases), len(cases)))
    return connected_components(graph, directed=False)[1].tolist()


def split(
    cases: Sequence[Case], group: Sequence[int], validation: float = 0.15, test: float = 0.3, seed: int = 0
) -> list[str]:
    """Assign each group whole to `train`, `validation` or `test`.

    Args:
        group: group number of each case.
        validation: share of groups; test: share of groups (each split gets at least one group where its share is > 0).
        seed: of the shuffle.

    Returns:
        The split of each case, length len(cases).

    Raises:
        CaseError: if some split that is asked for would be empty.
    """
    order = sorted(set(group))
    random.Random(f"split-{seed}").shuffle(order)
    wanted = {"test": test, "validation": validation}
    sizes = {name: max(1, round(share * len(order))) if share else 0 for name, share in wanted.items()}
    if len(order) - sum(sizes.values()) < 1:
        raise CaseError(
            f"{len(cases)} cases form only {len(order)} groups (one patient or near-duplicate findings): too few for "
            f"{sizes['test']} test, {sizes['validation']} validation and at least one training group; give more cases "
            "or lower data_test_share, data_validation_share or raise data_near_duplicate"
        )
    place = dict.fromkeys(order, "train")
    place.update(dict.fromkeys(order[: sizes["test"]], "test"))
    place.update(dict.fromkeys(order[sizes["test"] : sum(sizes.values())], "validation"))
    return [place[g] for g in group]


def unlabelled(
    pool: Sequence[Case], cases: Sequence[Case], place: Sequence[str], near_duplicate: float = 0.8
) -> tuple[list[Case], list[Case]]:
    """Which cases without an answer may be prompts of AI feedback: those in no group with a held-out case.

    A held-out patient's findings would give no answer away, but a model that practised on them is not new to them. The
    split itself is made before and without the pool, so a pool changes no other case's place.

    Args:
        pool: cases without an answer.
        cases: the cases that were split; place: the split of each.

    Returns:
        The usable ones, and those left out because they share a group with a test or validation case.
    """
    group = groups([*cases, *pool], near_duplicate)
    held_out = {number for number, name in zip(group, place, strict=False) if name != "train"}
    alone = [number not in held_out for number in group[len(cases) :]]
    return [c for c, a in zip(pool, alone, strict=True) if a], [c for c, a in zip(pool, alone, strict=True) if not a]


def folds(
    cases: Sequence[Case], seed: int = 0, number: int = 5, near_duplicate: float = 0.8
) -> list[tuple[list[Case], list[Case]]]:
    """Cross-validation: training and held-out cases of each fold; a group lies in one fold.

    Args:
        seed: of the shuffle.
        number: of folds.
        near_duplicate: see `groups`.
    """
    group = groups(cases, near_duplicate)
    order = sorted(set(group))
    random.Random(f"folds-{seed}").shuffle(order)
    fold = {name: place % number for place, name in enumerate(order)}
    parts = [[c for c, g in zip(cases, group, strict=True) if fold[g] == k] for k in range(number)]
    return [([c for j, part in enumerate(parts) if j != k for c in part], parts[k]) for k in range(number)]
