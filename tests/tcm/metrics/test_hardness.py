"""The figures of real records beside which invented cases are shown are those that the same function gives on them."""

from statistics import fmean

import pytest

from tcm.metrics.hardness import REAL, herb_f1_by_folds
from tcm.sources import SOURCES


def test_the_figures_of_real_records_are_what_the_records_give(best4sdt_path) -> None:
    found = herb_f1_by_folds(SOURCES["best4sdt"](best4sdt_path).cases)
    assert {name: fmean(values) for name, values in found.items()} == pytest.approx(dict(REAL), abs=6e-4)
