"""The curve over the number of answers: random groups of training cases, and a line that arms are set beside."""

import random

import pandas as pd
import pytest
import written_study
from written_study import answer, case

from tcm_rlaif.evaluation import ablation, curve, tables
from tcm_rlaif.study.schema import Params

KINDS = (("胃脘冷痛喜温喜按", ("干姜", "桂枝", "白术")), ("咽干咳嗽痰少而黏", ("麦冬", "川贝母", "桔梗")))
WORDS = "起居饮食劳倦情志寒暑风雨往来久卧行坐山水田园书画琴棋"


def invented(number: int, kind: int, rng: random.Random):
    findings, herbs = KINDS[kind]
    return case(f"{kind}-{number}", answer(*herbs), text=findings + "".join(rng.sample(WORDS, 14)))


RNG = random.Random(4)
TRAIN = [invented(n, n % 2, RNG) for n in range(24)]
TEST = [invented(n, n % 2, RNG) for n in range(100, 106)]
STUDY = Params()
LINE = pd.DataFrame(
    [("herb_f1", "expert", 10, 0.5, 0.4, 0.6), ("herb_f1", "expert", 20, 0.7, 0.6, 0.8)],
    columns=["metric", "answers by", "answers", "mean", "low", "high"],
)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return curve.measure(TRAIN, TEST, STUDY)


def test_a_subset_holds_whole_groups_and_lies_in_the_larger_ones() -> None:
    family = [invented(n, 0, random.Random(n)).model_copy(update={"patient_id": f"p{n // 3}"}) for n in range(30)]
    small, large = ({c.id for c in curve.subset(family, size, 0.8, seed=1)} for size in (10, 20))
    assert len(small) == 9 and len(large) == 18 and small < large
    patients = {c.patient_id for c in family if c.id in large}
    assert sum(c.patient_id in patients for c in family) == 18
    assert small != {c.id for c in curve.subset(family, 10, 0.8, seed=2)}


def test_there_is_a_point_for_every_size_and_all_answers_come_last(rows) -> None:
    counted = rows.groupby(["metric", "answers by"])["answers"].apply(list)
    assert set(map(tuple, counted)) == {(10, 20, 24)}
    assert set(rows["answers by"]) == {"expert", "nearest_case", "popularity"} and set(rows["n"]) == {len(TEST)}
    assert rows["subsets"].map(len).tolist() == [1 if size == 24 else curve.SUBSETS for size in rows["answers"]]
    assert ((rows["low"] <= rows["mean"]) & (rows["mean"] <= rows["high"])).all()


def test_with_all_answers_it_is_the_floor_of_the_tables(rows) -> None:
    known = rows[(rows["answers"] == 24) & (rows["metric"] == "herb_f1")].set_index("answers by")
    floors = tables.floors(TRAIN, TEST).groupby("arm")["herb_f1"].mean()
    for name in known.index:
        assert known.loc[name, "mean"] == pytest.approx(floors[name])


def test_a_gold_answer_of_the_test_cases_changes_no_answer() -> None:
    strange = [c.model_copy(update={"answer": answer("附子", "石膏")}) for c in TEST]
    assert curve.answered(TRAIN, strange, 0.8) == curve.answered(TRAIN, TEST, 0.8)


def test_cases_without_a_prescription_have_no_curve() -> None:
    assert len(curve.measure(TRAIN, [case("x", answer())], STUDY)) == 0
    assert len(curve.measure([case("x", None)], TEST, STUDY)) == 0


def test_the_arms_that_sft_trained_stand_at_the_answers_they_saw_and_below_or_above_the_line(tmp_path, rows) -> None:
    with written_study.opened(tmp_path) as stage:
        study = stage.study.model_copy(update={"sft_cases": 20})
        evidence = ablation.collect(stage)
        found = curve.points(ablation.arm_means(evidence, "herb_f1", study), TRAIN, study)
    assert found.set_index("arm")["answers"].to_dict() == {"sft": 20, "sft_dpo": 20}
    below, above = curve.findings(LINE, found, "herb_f1")
    assert "below the line at 20 answers, 0.700" in below and below.endswith("expert reaches as much with 20 answers.")
    assert "above the line at 20 answers" in above and above.endswith("expert reaches as much with none of these.")


def test_arms_that_stand_alike_share_a_sentence() -> None:
    arms = pd.DataFrame(
        [{"arm": name, "mean": mean, "low": mean, "high": mean, "answers": 20, "seeds": [mean] * seeds}
         for name, mean, seeds in (("sft", 0.41, 3), ("sft_dpo", 0.42, 1), ("sft_kto", 0.6, 3))]
    )  # fmt: skip
    low, high = curve.findings(LINE, arms, "herb_f1")
    assert "sft 0.410" in low and "sft_dpo 0.420" in low and "with 10 answers." in low
    assert "sft_dpo 0.420 [0.420, 0.420] (one seed)" in low and "seed" not in high
    assert "sft_kto 0.600" in high and "with 20 answers." in high


def test_an_arm_is_set_beside_as_many_answers_as_it_saw() -> None:
    line = curve.measure(TRAIN, TEST, STUDY.model_copy(update={"sft_cases": 15}))
    assert sorted(set(line["answers"])) == [10, 15, 20, 24]
    arm = pd.DataFrame([{"arm": "sft", "mean": 0.5, "low": 0.4, "high": 0.6, "answers": 15, "seeds": [0.5]}])
    (said,) = curve.findings(line, arm, "herb_f1")
    assert "the line at 15 answers" in said
