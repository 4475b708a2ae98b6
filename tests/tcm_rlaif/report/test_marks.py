"""An arm has one colour and one mark in every report, and the arms of a study are told apart without colour names."""

import re

import pytest
import shipped

from tcm_rlaif.report.marks import ARMS, COLOURS, MARKERS, mark_of
from tcm_rlaif.study import params


@pytest.mark.parametrize("path", shipped.PARAMS, ids=lambda path: path.stem)
def test_the_arms_of_a_params_file_are_all_known_and_all_different(path) -> None:
    arms = list(params.load(path).arms)
    ideas = {re.sub(r"_\d{2,}$", "", arm) if arm not in ARMS else arm for arm in arms}
    assert ideas <= set(ARMS), "add new arms at the end of marks.ARMS"
    assert len({mark_of(idea) for idea in ideas}) == len(ideas)
    assert all(mark_of(arm) == mark_of(re.sub(r"_\d{2,}$", "", arm)) for arm in arms if arm not in ARMS)


def test_the_arms_that_every_report_has_keep_their_marks() -> None:
    assert [mark_of(arm)[1] for arm in ("base", "sft", "sft_dpo", "sft_best_of_n", "random_choice")] == list("osD^v")
    assert mark_of("sft")[0] == "#D55E00"


def test_an_unknown_arm_has_the_same_mark_whatever_stands_beside_it_and_none_of_a_known_arm() -> None:
    known = {mark_of(arm) for arm in ARMS}
    for name in ("mine", "乙臂", "sft_dpo_2"):
        assert mark_of(name) == mark_of(name) and mark_of(name) not in known
        assert mark_of(name)[0] in COLOURS and mark_of(name)[1] in MARKERS
