"""Feature density counted by hand, a curve that follows it foretold exactly, and one line where there is no curve."""

import math

import numpy as np
import pandas as pd
import pytest
from written_study import answer, case

from tcm_rlaif.evaluation import feature_density as fd
from tcm_rlaif.study import params

TRAIN = [case(f"t{n}", answer("黄连", "干姜", *(["半夏"] if n else [])), text="胃痛胃") for n in range(3)]


def test_density_is_distinct_over_all() -> None:
    found = fd.density(TRAIN[:2])
    assert found["characters"] == pytest.approx(2 / 6)  # 胃 and 痛 of six characters
    assert found["herbs"] == pytest.approx(3 / 5)
    assert math.isnan(fd.density([case("t", None)])["herbs"])


def test_punctuation_is_no_character_of_the_findings() -> None:
    assert fd.features(case("t", None, text="胃痛，胃胀。"))["characters"] == list("胃痛胃胀")


def study(*sizes: int) -> params.Params:
    arms = {"base": {"training": "none"}, **{f"sft_{n}": {"training": "sft", "sft_cases": n} for n in sizes}}
    return params.validated({"seeds": [0], "arms": arms, "probe_arms": ["base"]}, "x")


def results(scores: dict[str, float]) -> dict:
    means = {arm: {"herb_f1": {"mean": m, "low": m - 0.05, "high": m + 0.05}} for arm, m in scores.items()}
    return {"arms": {"base": {"herb_f1": {"mean": 0.1, "low": 0, "high": 1}}, **means}}


def test_a_curve_is_made_of_arms_that_differ_in_the_number_of_cases_alone() -> None:
    points = fd.curves(results({"sft_1": 0.3, "sft_2": 0.4}), study(1, 2), TRAIN, "herb_f1")
    assert points[["curve", "arm", "answers", "score"]].values.tolist() == [
        ["sft_2", "sft_1", 1, 0.3], ["sft_2", "sft_2", 2, 0.4],
    ]  # fmt: skip
    assert points["half"].tolist() == pytest.approx([0.05, 0.05])


def test_a_study_with_one_size_says_so_in_one_line() -> None:
    points = fd.curves(results({"sft_2": 0.4}), study(2), TRAIN, "herb_f1")
    (said,) = fd.sentences(points, fd.skill(points))
    assert points.empty and "one size of training data" in said


def points(score, sizes=(10, 20, 40, 80), herbs=(0.5, 0.3, 0.2, 0.1)) -> pd.DataFrame:
    rows = {"curve": "sft", "arm": "sft", "answers": sizes, "characters": np.log(sizes), "findings": 0.5}
    return pd.DataFrame({**rows, "herbs": herbs, "score": score, "half": 0.01})


def test_a_score_that_follows_the_density_in_a_line_is_foretold_exactly_and_every_size_could_be_skipped() -> None:
    herbs = np.array([0.5, 0.3, 0.2, 0.1])
    skills = fd.skill(points(0.9 - herbs)).set_index("predictor")
    assert skills.loc["herbs", "error"] == pytest.approx(0, abs=1e-12)
    assert skills.loc["herbs", "rank correlation"] == -1 and skills.loc["herbs", "skippable"] == [10, 20, 40, 80]
    assert skills.loc["answers", "error"] > 0.005 and skills.loc["answers", "skippable"] != [10, 20, 40, 80]
    assert math.isnan(skills.loc["findings", "error"]), "a density that never changes foretells nothing"
    (said,) = fd.sentences(points(0.9 - herbs), fd.skill(points(0.9 - herbs)))
    assert "the density of herbs foretells best (mean error 0.000;" in said


def test_leaving_one_out_never_sees_the_size_that_is_foretold() -> None:
    told = fd.foretold(points([0.1, 0.2, 0.3, 9.0], herbs=(0.4, 0.3, 0.2, 0.1)))
    last = told[(told["predictor"] == "herbs") & (told["answers"] == 80)].iloc[0]
    assert last["foretold"] == pytest.approx(0.4) and last["error"] == pytest.approx(8.6)


def test_two_sizes_are_too_few() -> None:
    two = points([0.1, 0.2], sizes=(10, 20), herbs=(0.4, 0.3))
    assert fd.foretold(two).empty and "too few" in fd.sentences(two, fd.skill(two))[0]


def test_curves_that_foretell_alike_share_a_sentence_with_the_range_of_their_errors() -> None:
    sizes, scores = [10, 20, 40], ([0.3, 0.35, 0.5], [0.2, 0.25, 0.4])
    parts = [
        pd.DataFrame({"curve": name, "arm": name, "answers": sizes, "characters": score, "findings": 0.5, "herbs": 0.5,
                      "score": score, "half": 0.1})
        for name, score in zip(("sft", "tasks"), scores, strict=True)
    ]  # fmt: skip
    points = pd.concat(parts, ignore_index=True)
    (said,) = fd.sentences(points, fd.skill(points))
    assert said.startswith(
        "sft, tasks, sizes 10, 20, 40: the density of characters foretells best (mean error 0.000 to"
    )
    assert said.endswith("10, 20, 40.")
