"""Fewer cases than can show anything are named, and the limit is where a difference could first be told from chance."""

import pandas as pd
import pytest

from tcm.cases.splits import MIN_TEST, MIN_TRAIN, too_few
from tcm_rlaif.evaluation import stats
from tcm_rlaif.study import params


@pytest.mark.parametrize(("train", "test"), [(MIN_TRAIN, MIN_TEST), (100, 60)])
def test_enough_is_not_spoken_of(train: int, test: int) -> None:
    assert too_few(train, test) == ""


def test_each_that_is_too_few_is_named_with_its_number() -> None:
    assert "7 test cases" in too_few(5, 7) and "training" not in too_few(5, 7)
    assert "4 training answers" in too_few(4, 9) and "test cases" not in too_few(4, 9)
    assert " and " in too_few(4, 7)


def test_below_the_limit_even_the_clearest_difference_stays_above_five_percent() -> None:
    def clearest(n: int) -> float:
        """Adjusted p where one arm wins every one of n cases by as much, and nothing else differs."""
        p = stats.estimate(pd.DataFrame([[1.0] * n])).p
        P = params.load("params/best4sdt.yaml")  # what own records get
        others = dict.fromkeys(range(len(P.ablation_family) * len(P.ablation_primary) - 1), 1.0)
        return stats.holm({"won": p, **others})["won"]

    assert clearest(MIN_TEST - 1) > 0.05 > clearest(MIN_TEST)
