"""Near-duplicate groups, and the one split of a study.

Visits of one patient and near-duplicate findings form a group, and a group never straddles two splits: otherwise a test
case would be answered from memory.
"""

import random
from collections.abc import Sequence

import numpy as np
from scipy.sparse import bmat, csr_matrix
from scipy.sparse.csgraph import connected_components

from tcm.cases.cleaning import letters_of
from tcm.cases.near_duplicates import chains
from tcm.cases.types import Case, CaseError

MIN_TEST, MIN_TRAIN = 9, 5
"""Fewest test cases and training answers of a study that can say anything.

Source:
    A sign-flip permutation test of n pairs has no p below 2 / 2^n; after Holm's adjustment for the four questions on
    three metrics that a study of own records with the tiny model declares that is above 0.05 for n < 9. For training:
    our choice.
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
    duplicates = chains([letters_of(case.visit.findings) for case in cases], near_duplicate).tolist()
    patients: dict[str, int] = {}
    number = [patients.setdefault(case.patient_id, len(patients)) for case in cases]
    # a graph of chains and patients: each case is an edge between its chain and its patient
    size = (max(duplicates, default=-1) + 1, len(patients))
    edges = csr_matrix((np.ones(len(cases)), (duplicates, number)), shape=size)
    joined = connected_components(bmat([[None, edges], [edges.T, None]]), directed=False)[1] if cases else []
    labels: dict[int, int] = {}
    return [labels.setdefault(joined[chain], len(labels)) for chain in duplicates]


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


def by_lot(cases: Sequence[Case], seed: int = 0) -> list[Case]:
    """Cases with their patients in an order drawn by lot, the visits of one patient together and as they stood.

    A file lies in some order, by date or by kind of record. Whoever takes the first so many cases of it (`sft_cases`)
    would learn from one end of it: the first 60 training cases of TCM-BEST4SDT are classical school texts for the most
    part, the others next to all vignettes.

    Args:
        seed: of the shuffle.

    Returns:
        All cases, length len(cases).

    Source:
        Our choice; a simple random sample of patients.
    """
    patients = list(dict.fromkeys(case.patient_id for case in cases))
    random.Random(f"order-{seed}").shuffle(patients)
    turn = {patient: number for number, patient in enumerate(patients)}
    return sorted(cases, key=lambda case: turn[case.patient_id])


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
    return apart(pool, cases, [name != "train" for name in place], near_duplicate)


def apart(
    pool: Sequence[Case], cases: Sequence[Case], minded: Sequence[bool], near_duplicate: float = 0.8
) -> tuple[list[Case], list[Case]]:
    """Which cases of a pool are in no group with certain others.

    Args:
        cases: all that may chain two together; minded: whether a group with this one counts.

    Returns:
        Those that stand apart, and those that do not.
    """
    if not pool:
        return [], []  # groups of many cases take a minute
    group = groups([*cases, *pool], near_duplicate)
    taken = {number for number, counts in zip(group, minded, strict=False) if counts}
    alone = [number not in taken for number in group[len(cases) :]]
    return [c for c, a in zip(pool, alone, strict=True) if a], [c for c, a in zip(pool, alone, strict=True) if not a]


def folds(cases: Sequence[Case], seed: int = 0) -> list[tuple[list[Case], list[Case]]]:
    """Cross-validation: training and held-out cases of each of five folds; a group lies in one fold.

    Args:
        seed: of the shuffle.
    """
    number, group = 5, groups(cases, near_duplicate=0.8)
    order = sorted(set(group))
    random.Random(f"folds-{seed}").shuffle(order)
    fold = {name: place % number for place, name in enumerate(order)}
    parts = [[c for c, g in zip(cases, group, strict=True) if fold[g] == k] for k in range(number)]
    return [([c for j, part in enumerate(parts) if j != k for c in part], parts[k]) for k in range(number)]
