"""Expected agreement: the F1 that a set of herbs may hope for, and the set that may hope for most.

With p(h) the probability that a physician's answer holds herb h, and m the mean size of such answers, the expected F1
of a set is about 2·Σp(h) / (its size + m): exact where every answer has m herbs. An answer that shares more than m
herbs with the set is that long at least, so m is never taken below Σp(h), and no set may hope for more than 1.
"""

import numpy as np

LONGEST = 40
"""No prescription of more herbs is proposed; records of practice hold up to about 30."""


def hoped_f1(shared: np.ndarray, sizes: np.ndarray | int, mean_size: np.ndarray | float) -> np.ndarray:
    """Expected F1 of sets, 0 to 1.

    Args:
        shared: herbs that a set is expected to share with a physician's answer: the sum of its probabilities.
        sizes: of the sets, above 0. mean_size: of answers. All in herbs, of shapes that broadcast together.

    Returns:
        Of the broadcast shape.

    Source:
        Our choice of the bound: with it an expectation stays within 0 to 1 where the mean size is below what is shared.
    """
    return 2 * shared / (sizes + np.maximum(mean_size, shared))


def best_sets(p: np.ndarray, mean_size: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """The set of herbs with the highest expected F1 for each case: its most probable herbs, as many as pay.

    Args:
        p: shape (cases, herbs).
        mean_size: one for all, or shape (cases, 1).

    Returns:
        Herbs by falling probability (ties by column), shape (cases, LONGEST or fewer), and how many of them belong to
        the set; 0 for a case with no probable herb.

    Source:
        Minimum Bayes risk (Kumar & Byrne 2004) with the loss 1 - F1; for F1 the best set is a head of the ranking
        (Lewis 1995).
    """
    width = min(LONGEST, p.shape[1])
    head = np.argpartition(-p, width - 1, axis=1)[:, :width]
    head.sort(axis=1)
    order = np.take_along_axis(head, np.argsort(-np.take_along_axis(p, head, axis=1), axis=1, kind="stable"), axis=1)
    gains = np.cumsum(np.take_along_axis(p, order, axis=1), axis=1)
    expected = hoped_f1(gains, np.arange(1, width + 1), mean_size)
    return order, np.where(gains[:, -1] > 0, expected.argmax(axis=1) + 1, 0)


def f1_of_best_sets(p: np.ndarray, gold: np.ndarray, mean_size: np.ndarray | float) -> np.ndarray:
    """F1 of each case's best set with its gold answer, for fitting.

    Args:
        p: shape (cases, herbs).
        gold: 1 where the gold answer holds a herb, same shape; rows without herbs give 0.
        mean_size: one for all, or shape (cases, 1).
    """
    order, sizes = best_sets(p, mean_size)
    taken = np.arange(order.shape[1]) < sizes[:, None]
    common = (np.take_along_axis(gold, order, axis=1) * taken).sum(axis=1)
    return 2 * common / np.maximum(sizes + gold.sum(axis=1), 1)
