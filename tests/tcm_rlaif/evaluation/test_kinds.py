"""Primary metrics by kind of case: arms with intervals, floors beside, and nothing where all cases are of one kind."""

from dataclasses import replace

import pytest
import written_study

from tcm_rlaif.evaluation import kinds


def of_kinds(**kinds_by_id: str) -> list:
    """The test cases of the written study, each of a kind of its own."""
    return [case.model_copy(update={"source": f"best4sdt/{kinds_by_id[case.id]}"}) for case in written_study.TEST]


CASES = of_kinds(a="classical", b="vignette")


@pytest.fixture(scope="module")
def found(evidence, stage):
    return kinds.rows(evidence, CASES, stage.study)


def test_cases_of_one_kind_have_no_table(evidence, stage) -> None:
    assert kinds.rows(evidence, written_study.TEST, stage.study) == []


def test_every_arm_and_floor_is_told_on_each_kind_with_n_and_interval(evidence, found) -> None:
    herbs = {(row["source"], row["answers by"]): row for row in found if row["metric"] == "herb_f1"}
    assert list(dict.fromkeys(row["metric"] for row in found)) == evidence.primary
    assert {name for _, name in herbs} == {"base", "sft", "sft_dpo", "popularity", "nearest_case", "template_only",
                                           "expert_rule", "expert", "copy_previous"}  # fmt: skip
    arm = herbs["best4sdt/classical", "sft"]
    assert set(arm) == {"metric", "source", "answers by", "mean", "low", "high", "n"}
    assert (arm["mean"], arm["n"]) == (pytest.approx(2 / 3), 1)  # each seed named one of the two herbs
    assert herbs["best4sdt/vignette", "sft_dpo"]["mean"] == 1.0 and herbs["best4sdt/vignette", "sft_dpo"]["low"] < 1
    assert herbs["best4sdt/vignette", "copy_previous"]["mean"] == pytest.approx(2 / 3)
    assert ("best4sdt/classical", "copy_previous") not in herbs  # it answers follow-up visits alone


def test_kinds_are_columns_and_what_answers_fewer_cases_says_so(evidence, stage, found) -> None:
    table = kinds.table(found, "herb_f1")
    assert list(table.columns) == ["classical (n = 1)", "vignette (n = 1)"]
    assert list(table.index[:3]) == ["base", "sft", "sft_dpo"] and table.index.name == "answers by"
    assert table.loc["sft", "classical (n = 1)"].startswith("0.667 [")
    assert table["classical (n = 1)"].isna()["copy_previous"]
    fewer = [{**row, "n": 4} if row["answers by"] == "base" else row for row in found]
    table = kinds.table(fewer, "herb_f1")
    assert table.loc["sft", "classical (n = 4)"].endswith("] (1)") and table.loc["base"].str.endswith("]").all()


def test_a_metric_that_applies_to_no_case_of_a_kind_in_all_seeds_is_left_out(evidence, stage) -> None:
    scores = evidence.tables["sft"].copy()
    scores.loc[(scores["case_id"] == "a") & (scores["seed"] == 1), "herb_f1"] = None
    partly = replace(evidence, tables=evidence.tables | {"sft": scores}, primary=["herb_f1"])
    rows = kinds.rows(partly, CASES, stage.study)
    assert [row["source"] for row in rows if row["answers by"] == "sft"] == ["best4sdt/vignette"]
