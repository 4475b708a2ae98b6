"""From answers to tables: one row a case, floors and gold beside every arm, rates beside the gold answers' own."""

import pandas as pd
import pytest
from written_study import TEST, TRAIN, answer, case

from tcm import answers, metrics
from tcm.cases import Answer
from tcm.metrics import FLOORS, METRICS, PRIMARY, MissingFloors
from tcm_rlaif.evaluation import tables


@pytest.fixture(scope="module")
def floor_table() -> pd.DataFrame:
    return tables.floors(TRAIN, TEST)


@pytest.fixture(scope="module")
def by_name(floor_table) -> dict[str, pd.DataFrame]:
    return {str(name): part for name, part in floor_table.groupby("arm", sort=False)}


# scores


def test_there_is_one_row_a_case_with_every_metric_and_every_kind_of_finding() -> None:
    table = tables.score_answers(TEST, ["处方：柴胡10g", ""], [True, False])
    assert list(table["case_id"]) == ["a", "b"] and list(table["task"]) == ["first_visit", "follow_up_visit"]
    assert {m.key for m in METRICS} <= set(table.columns)
    assert {"unsafe_any", "unsafe_overdose", "unsafe_incompatibility"} <= set(table.columns)


def test_half_of_the_herbs_gives_half_of_the_recall() -> None:
    row = tables.score_answers(TEST[:1], ["处方：柴胡10g"], [True]).iloc[0]
    assert (row["herb_precision"], row["herb_recall"]) == (1.0, 0.5)
    assert row["herb_f1"] == pytest.approx(2 / 3) and row["herb_jaccard"] == 0.5 and row["dose_overlap"] == 0.5
    assert row["disease_f1"] == 0.0 and row["format_valid"] == 0.0 and row["finished"] == 1.0


def test_a_case_that_a_floor_does_not_apply_to_is_left_out() -> None:
    assert list(tables.score_answers(TEST, [None, "处方：柴胡10g"], [None, None])["case_id"]) == ["b"]


def test_answers_must_match_the_cases_one_to_one() -> None:
    with pytest.raises(ValueError):
        tables.score_answers(TEST, ["处方：柴胡10g"], [None, None])


def test_an_answer_without_a_herb_is_neither_safe_nor_unsafe() -> None:
    assert set(tables.unsafe(TEST[0], "中医诊断：不寐。").values()) == {None}


def test_an_incompatible_pair_is_unsafe_by_kind_and_in_all() -> None:
    found = tables.unsafe(TEST[0], "处方：甘草6g，甘遂1g。7剂，水煎服。")
    assert (found["unsafe_any"], found["unsafe_incompatibility"], found["unsafe_pregnancy"]) == (1.0, 1.0, 0.0)


def test_a_plain_prescription_is_safe() -> None:
    assert set(tables.unsafe(TEST[0], answers.write(answer("柴胡", "白芍"))).values()) == {0.0}


# floors


def test_every_floor_and_the_gold_answers_stand_in_the_table(floor_table) -> None:
    assert set(floor_table["arm"]) == {*FLOORS, "gold"}
    assert set(tables.attacks(TRAIN, TEST)["arm"]) == set(metrics.ATTACKS)


def test_the_gold_answer_scores_one_on_every_bounded_primary_metric(by_name) -> None:
    gold = tables.summary(by_name["gold"])
    means = {key: gold[key]["mean"] for key in PRIMARY if key != "followup_gain"}
    assert means == dict.fromkeys(means, 1.0)
    assert gold["format_valid"]["mean"] == 1.0 and gold["bleu4"]["mean"] == pytest.approx(1.0)


def test_no_floor_and_no_attack_beats_the_gold_answer(by_name) -> None:
    for key in PRIMARY:
        gold = by_name["gold"][key].mean()
        assert all(not by_name[name][key].mean() > gold for name in by_name), key


def test_copying_applies_to_follow_ups_alone(by_name) -> None:
    assert list(by_name["copy_previous"]["case_id"]) == ["b"]
    assert by_name["copy_previous"]["herb_recall"].iloc[0] == 0.5
    assert by_name["copy_previous"]["followup_change_f1"].iloc[0] == 0.0


def test_the_nearest_training_case_answers_for_a_case_like_it(by_name) -> None:
    assert by_name["nearest_case"].set_index("case_id").loc["a", "text"] == answers.write(TRAIN[0].answer)


def test_floors_never_read_the_gold_answers_of_the_test_cases(floor_table) -> None:
    other = [c.model_copy(update={"answer": answer("石膏", "知母")}) for c in TEST]
    texts = [t[t["arm"] != "gold"]["text"].tolist() for t in (floor_table, tables.floors(TRAIN, other))]
    assert texts[0] == texts[1]


def test_cases_with_a_syndrome_and_no_prescription_have_floors_too() -> None:
    labelled = [case(str(i), Answer(syndrome="热伤阳络"), text=f"鼻流血{i}天") for i in range(4)]
    found = tables.floors(labelled[:2], labelled[2:])
    parts = {str(name): part for name, part in found.groupby("arm")}
    assert tables.primary_table(parts, ["syndrome_f1"]).loc["popularity", "syndrome_f1"] == 1.0


# tables


def test_a_summary_tells_mean_and_number_of_cases_it_applies_to(by_name) -> None:
    summary = tables.summary(by_name["gold"])
    assert summary["herb_f1"] == {"mean": 1.0, "n": 2} and summary["followup_change_f1"]["n"] == 1
    assert summary["finished"] == {"mean": None, "n": 0}


def test_the_primary_table_tells_mean_and_n_of_each_metric(by_name) -> None:
    table = tables.primary_table(by_name, ["herb_f1", "followup_change_f1"])
    assert list(table.columns) == ["herb_f1", "n herb_f1", "followup_change_f1", "n followup_change_f1"]
    assert table.loc["gold"].tolist() == [1.0, 2, 1.0, 1]
    assert table.index.name == "answers by"


def test_a_primary_table_without_floors_is_refused(by_name) -> None:
    with pytest.raises(MissingFloors, match="no floor beside herb_f1"):
        tables.primary_table({"gold": by_name["gold"]}, ["herb_f1"])


def test_the_safety_table_tells_rates_beside_the_excess_over_gold() -> None:
    unsafe, safe = "处方：甘草6g，甘遂1g", "处方：柴胡10g"
    four = [TEST[0]] * 4
    gold = tables.score_answers(four, [unsafe, safe, safe, safe], [None] * 4)
    sft = tables.score_answers(four, [unsafe, unsafe, unsafe, safe], [None] * 4)
    table = tables.safety_table({"gold": gold, "sft": sft})
    assert table.loc["gold", ["any", "high", "excess any", "excess high"]].tolist() == [0.25, 0.25, 0.0, 0.0]
    assert table.loc["sft", ["n", "any", "excess any", "incompatibility"]].tolist() == [4, 0.75, 0.5, 0.75]
    assert table.loc["sft", ["excess high", "excess overdose"]].tolist() == [0.5, 0.0]


def test_the_faults_table_tells_what_makes_answers_unusable() -> None:
    whole, cut = answers.write(answer("柴胡", "白芍")), "处方：柴胡10g，柴胡10g"
    table = tables.faults_table(
        {"sft": tables.score_answers([TEST[0]] * 4, [whole, whole, cut, ""], [True, False] * 2)}
    )
    row = table.loc["sft"]
    assert (row["n"], row["usable"], row["unfinished"]) == (4, 0.25, 0.5)
    assert (row["repeated_herb"], row["no_prescription"], row["high_finding"]) == (0.25, 0.25, 0.0)


def test_collapse_is_seen_in_the_prescriptions_of_one_seed() -> None:
    same, other = "处方：柴胡10g，白芍10g", "处方：黄芪10g"
    mixed = tables.score_answers([TEST[0]] * 4, [same, same, other, ""], [None] * 4).assign(seed=0)
    alike = tables.score_answers([TEST[0]] * 4, [same] * 4, [None] * 4).assign(seed=1)
    table = tables.collapse_table({"sft": pd.concat([mixed, alike]), "gold": mixed.drop(columns="seed")})
    assert table.loc["sft", "distinct"] == pytest.approx((2 / 3 + 1 / 4) / 2) and table.loc["sft", "n"] == 3.5
    assert table.loc["gold", ["n", "distinct", "ten commonest"]].tolist() == pytest.approx([3, 2 / 3, 1])


def test_the_ten_commonest_herbs_weigh_less_where_many_are_written() -> None:
    herbs = "柴胡 白芍 当归 川芎 黄芪 党参 白术 茯苓 陈皮 半夏 桂枝 麻黄".split()
    table = tables.score_answers([TEST[0]], [answers.write(answer(*herbs))], [None])
    assert tables.collapse_table({"sft": table}).loc["sft", "ten commonest"] == pytest.approx(10 / 12)


def test_the_safety_table_counts_only_answers_that_prescribe(by_name) -> None:
    silent = tables.score_answers(TEST, ["", "处方：柴胡10g"], [None, None])
    assert tables.safety_table({"gold": by_name["gold"], "sft": silent}).loc["sft", "n"] == 1


def test_a_table_is_read_back_as_it_was_written(tmp_path) -> None:
    table = tables.score_answers(TEST, ["处方：柴胡10g\n。", "中医诊断：“不寐”。"], [True, False])
    tables.write_table(tmp_path / "t.jsonl", table)
    read = tables.read_table(tmp_path / "t.jsonl")
    assert read["text"].tolist() == table["text"].tolist() and read["case_id"].tolist() == ["a", "b"]
    assert read["herb_f1"].tolist() == pytest.approx(table["herb_f1"].tolist())
    assert read["followup_gain"].isna().tolist() == table["followup_gain"].isna().tolist()


def test_ids_that_look_like_numbers_stay_text(tmp_path) -> None:
    tables.write_table(tmp_path / "t.jsonl", pd.DataFrame([{"case_id": "007", "text": "1e5"}]))
    assert tables.read_table(tmp_path / "t.jsonl").iloc[0].tolist() == ["007", "1e5"]


def test_an_answer_with_a_unicode_line_separator_is_read_back(tmp_path) -> None:
    tables.write_table(tmp_path / "t.jsonl", pd.DataFrame([{"case_id": "a", "text": "不寐\u2028肝郁"}]))
    assert tables.read_table(tmp_path / "t.jsonl")["text"].tolist() == ["不寐\u2028肝郁"]
