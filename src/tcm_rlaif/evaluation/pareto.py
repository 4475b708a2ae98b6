"""The Pareto front: points that no other point is at least as good as in everything and better in something."""

import numpy as np


def front(points: np.ndarray) -> np.ndarray:
    """Which points lie on the front, more being better in every column.

    Args:
        points: shape (points, objectives), finite.

    Returns:
        Shape (points,), boolean; of equal points all or none are on it.

    Source:
        Pareto optimality of encoded information and task performance: arXiv 2203.15860. There models are
        trained towards the front; here trained arms are set side by side and the front among them is drawn.
    """
    as_good = (points[:, None] <= points[None]).all(axis=2)
    better = (points[:, None] < points[None]).any(axis=2)
    return ~(as_good & better).any(axis=1)
