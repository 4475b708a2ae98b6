"""From answers to tables, and from tables to `results.json`."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from tcm import metrics
from tcm.cases import Answer, Case, Patient, PrescriptionItem, Visit
from tcm.metrics import FLOORS, METRICS, PRIMARY, MissingFloors
from tcm.prescriptions import answers
from tcm_rlaif.evaluation import ablation, stats
from tcm_rlaif.evaluation import tables as evaluation
from tcm_rlaif.report import results
from tcm_rlaif.study import params
from tcm_rlaif.study import plan as stages


def answer(*herbs: str, dose: float | None = 10, disease="不寐", packets=7) -> Answer:
    return Answer(
        disease=disease,
        syndrome="肝郁脾虚",
        treatment_principle="疏肝健脾",
        formula="逍遥散加减",
        prescription=tuple(PrescriptionItem(herb=h, dose=dose) for h in herbs),
        packets=packets,
        usage="水煎服",
    )


def case(name: str, gold: Answer | None, previous: Answer | None = None, text="失眠3月，心烦") -> Case:
    earlier = (Visit(chief_complaint="失眠", answer=previous),) if previous else ()
    patient = Patient(sex="女", age=45)
    visit = Visit(chief_complaint=text)
    return Case(
        id=name, source="invented", patient_id=name, patient=patient, visit=visit, earlier_visits=earlier, answer=gold
    )


TRAIN = [case("t1", answer("柴胡", "当归")), case("t2", answer("柴胡", "黄芩"), text="头痛，口苦")]
TEST = [
    case("a", answer("柴胡", "白芍")),
    case("b", answer("黄芪", "党参", disease="眩晕"), previous=answer("黄芪"), text="头晕，乏力"),
]


@pytest.fixture(scope="module")
def floor_table() -> pd.DataFrame:
    return evaluation.floors(TRAIN, TEST)


@pytest.fixture(scope="module")
def tables(floor_table) -> dict[str, pd.DataFrame]:
    return {str(name): part for name, part in floor_table.groupby("arm", sort=False)}


# scores


def test_there_is_one_row_a_case_with_every_metric_and_every_kind_of_finding() -> None:
    table = evaluation.score_answers(TEST, ["处方：柴胡10g", ""], [True, False])
    assert list(table["case_id"]) == ["a", "b"] and list(table["task"]) == ["first_visit", "follow_up_visit"]
    assert {m.key for m in METRICS} <= set(table.columns)
    assert {"unsafe_any", "unsafe_overdose", "unsafe_incompatibility"} <= set(table.columns)


def test_half_of_the_herbs_gives_half_of_the_recall() -> None:
    row = evaluation.score_answers(TEST[:1], ["处方：柴胡10g"], [True]).iloc[0]
    assert (row["herb_precision"], row["herb_recall"]) == (1.0, 0.5)
    assert row["herb_f1"] == pytest.approx(2 / 3) and row["herb_jaccard"] == 0.5 and row["dose_overlap"] == 0.5
    assert row["disease_f1"] == 0.0 and row["format_valid"] == 0.0 and row["finished"] == 1.0


def test_a_case_that_a_floor_does_not_apply_to_is_left_out() -> None:
    assert list(evaluation.score_answers(TEST, [None, "处方：柴胡10g"], [None, None])["case_id"]) == ["b"]


def test_answers_must_match_the_cases_one_to_one() -> None:
    with pytest.raises(ValueError):
        evaluation.score_answers(TEST, ["处方：柴胡10g"], [None, None])


def test_an_answer_without_a_herb_is_neither_safe_nor_unsafe() -> None:
    assert set(evaluation.unsafe(TEST[0], "中医诊断：不寐。").values()) == {None}


def test_an_incompatible_pair_is_unsafe_by_kind_and_in_all() -> None:
    found = evaluation.unsafe(TEST[0], "处方：甘草6g，甘遂1g。7剂，水煎服。")
    assert (found["unsafe_any"], found["unsafe_incompatibility"], found["unsafe_pregnancy"]) == (1.0, 1.0, 0.0)


def test_a_plain_prescription_is_safe() -> None:
    assert set(evaluation.unsafe(TEST[0], answers.write(answer("柴胡", "白芍"))).values()) == {0.0}


# floors


def test_every_floor_every_attack_and_the_gold_answers_stand_in_the_table(floor_table) -> None:
    assert set(floor_table["arm"]) == {*FLOORS, *metrics.ATTACKS, "gold"}


def test_the_gold_answer_scores_one_on_every_bounded_primary_metric(tables) -> None:
    gold = evaluation.summary(tables["gold"])
    means = {key: gold[key]["mean"] for key in PRIMARY if key != "followup_gain"}
    assert means == dict.fromkeys(means, 1.0)
    assert gold["format_valid"]["mean"] == 1.0 and gold["bleu4"]["mean"] == pytest.approx(1.0)


def test_no_floor_and_no_attack_beats_the_gold_answer(tables) -> None:
    for key in PRIMARY:
        gold = tables["gold"][key].mean()
        assert all(not tables[name][key].mean() > gold for name in tables), key


def test_copying_applies_to_follow_ups_alone(tables) -> None:
    assert list(tables["copy_previous"]["case_id"]) == ["b"]
    assert tables["copy_previous"]["herb_recall"].iloc[0] == 0.5
    assert tables["copy_previous"]["followup_change_f1"].iloc[0] == 0.0


def test_the_nearest_training_case_answers_for_a_case_like_it(tables) -> None:
    assert tables["nearest_case"].set_index("case_id").loc["a", "text"] == answers.write(TRAIN[0].answer)


def test_floors_never_read_the_gold_answers_of_the_test_cases(floor_table) -> None:
    other = [c.model_copy(update={"answer": answer("石膏", "知母")}) for c in TEST]
    texts = [t[t["arm"] != "gold"]["text"].tolist() for t in (floor_table, evaluation.floors(TRAIN, other))]
    assert texts[0] == texts[1]


def test_cases_with_a_syndrome_and_no_prescription_have_floors_too() -> None:
    labelled = [case(str(i), Answer(syndrome="热伤阳络"), text=f"鼻流血{i}天") for i in range(4)]
    found = evaluation.floors(labelled[:2], labelled[2:])
    by_name = {str(name): part for name, part in found.groupby("arm")}
    assert evaluation.primary_table(by_name, ["syndrome_f1"]).loc["popularity", "syndrome_f1"] == 1.0


# tables


def test_a_summary_tells_mean_and_number_of_cases_it_applies_to(tables) -> None:
    summary = evaluation.summary(tables["gold"])
    assert summary["herb_f1"] == {"mean": 1.0, "n": 2} and summary["followup_change_f1"]["n"] == 1
    assert summary["finished"] == {"mean": None, "n": 0}


def test_the_primary_table_tells_mean_and_n_of_each_metric(tables) -> None:
    table = evaluation.primary_table(tables, ["herb_f1", "followup_change_f1"])
    assert list(table.columns) == ["herb_f1", "n herb_f1", "followup_change_f1", "n followup_change_f1"]
    assert table.loc["gold"].tolist() == [1.0, 2, 1.0, 1]
    assert table.index.name == "answers by"


def test_a_primary_table_without_floors_is_refused(tables) -> None:
    with pytest.raises(MissingFloors, match="no floor beside herb_f1"):
        evaluation.primary_table({"gold": tables["gold"]}, ["herb_f1"])


def test_the_safety_table_tells_rates_beside_the_excess_over_gold() -> None:
    unsafe, safe = "处方：甘草6g，甘遂1g", "处方：柴胡10g"
    four = [TEST[0]] * 4
    gold = evaluation.score_answers(four, [unsafe, safe, safe, safe], [None] * 4)
    sft = evaluation.score_answers(four, [unsafe, unsafe, unsafe, safe], [None] * 4)
    table = evaluation.safety_table({"gold": gold, "sft": sft})
    assert table.loc["gold", ["any", "excess over gold"]].tolist() == [0.25, 0.0]
    assert table.loc["sft", ["n", "any", "excess over gold", "incompatibility"]].tolist() == [4, 0.75, 0.5, 0.75]


def test_the_safety_table_counts_only_answers_that_prescribe(tables) -> None:
    silent = evaluation.score_answers(TEST, ["", "处方：柴胡10g"], [None, None])
    assert evaluation.safety_table({"gold": tables["gold"], "sft": silent}).loc["sft", "n"] == 1


def test_a_table_is_read_back_as_it_was_written(tmp_path) -> None:
    table = evaluation.score_answers(TEST, ["处方：柴胡10g\n。", "中医诊断：“不寐”。"], [True, False])
    evaluation.write_table(tmp_path / "t.jsonl", table)
    read = evaluation.read_table(tmp_path / "t.jsonl")
    assert read["text"].tolist() == table["text"].tolist() and read["case_id"].tolist() == ["a", "b"]
    assert read["herb_f1"].tolist() == pytest.approx(table["herb_f1"].tolist())
    assert read["followup_gain"].isna().tolist() == table["followup_gain"].isna().tolist()


def test_ids_that_look_like_numbers_stay_text(tmp_path) -> None:
    evaluation.write_table(tmp_path / "t.jsonl", pd.DataFrame([{"case_id": "007", "text": "1e5"}]))
    assert evaluation.read_table(tmp_path / "t.jsonl").iloc[0].tolist() == ["007", "1e5"]


def test_an_answer_with_a_unicode_line_separator_is_read_back(tmp_path) -> None:
    evaluation.write_table(tmp_path / "t.jsonl", pd.DataFrame([{"case_id": "a", "text": "不寐\u2028肝郁"}]))
    assert evaluation.read_table(tmp_path / "t.jsonl")["text"].tolist() == ["不寐\u2028肝郁"]


# the ablation, of a study whose runs are written by hand

ARMS = {"base": {"training": "none"}, "sft": {"training": "sft"}, "sft_dpo": {}}
STUDY = {"study": "mini", "seeds": [0, 1], "arms": ARMS, "ablation_resamples": 200}
TEXTS = {  # what each arm answers to the two test cases, by seed
    "base": {0: ["", "中医诊断：眩晕。"]},
    "sft": {0: ["处方：柴胡10g", "处方：黄芪10g"], 1: ["处方：白芍10g", "处方：黄芪10g"]},
    "sft_dpo": {s: [answers.write(c.answer) for c in TEST] for s in (0, 1)},
}
AUDIT = {"detection": [], "readings": [], "counts": [], "cost": {"requests": 0, "latency_median_s": float("nan")}}
HEALTH = [{"margin": 0.0, "kl_per_token": 0.0}, {"margin": 1.5, "kl_per_token": 0.2}]
DPO = {"pairs": 5, "chosen_longer": 0.4, "first": {"loss": math.log(2), "margin": 0.0}, "health": HEALTH}
FACTS = {
    "00_base_model": {"model": "tiny", "parameters": 2_000_000, "vocabulary": 4096, "last_loss": 1.2, "dtype": "f"},
    "01_data_prep": {
        "source": "invented",
        "funnel": [{"step": "records read", "cases": 4}],
        "splits": [{"split": s, "cases": n} for s, n in (("train", 2), ("validation", 0), ("test", 2))],
        "groups": 4,
        "unseen_test": 1,
        "herbs_resolved": {"share": 1.0},
    },
    "02_sft": {},
    "03_rlaif_labels": AUDIT,
    "04_dpo": {**DPO, "fell_back_to_step": None, "gate_overridden": False},
    "05_evaluate": {},
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """06_ablation of a study whose earlier stages are written by hand."""
    runs = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "study_folder", lambda P: runs / P.study)
        P = params.validated(STUDY, "mini.yaml")
        for run in stages.plan(P):
            folder = runs / "mini" / run.folder
            if run.stage == "06_ablation":
                inputs = {k: runs / "mini" / v for k, v in run.inputs}
                yield stages.Stage(run, P, P, folder, inputs)
                continue
            if run.stage == "05_evaluate":
                scores = evaluation.score_answers(TEST, TEXTS[run.arm][run.seed], [True, True])
                evaluation.write_table(folder / "scores.jsonl", scores)
                evaluation.write_table(folder / "floors.jsonl", evaluation.floors(TRAIN, TEST))
            made = stages.Stage(run, params.for_arm(P, run.arm), P, folder, {})
            made.close(**FACTS[run.stage])


@pytest.fixture(scope="module")
def evidence(stage):
    return ablation.collect(stage)


def test_the_evidence_has_a_row_for_each_arm_seed_and_case(evidence) -> None:
    counted = evidence.scores.groupby(["arm", "seed"]).size().to_dict()
    assert counted == {("base", 0): 2, ("sft", 0): 2, ("sft", 1): 2, ("sft_dpo", 0): 2, ("sft_dpo", 1): 2}


def test_the_evidence_holds_arms_floors_attacks_and_gold(evidence) -> None:
    assert set(evidence.tables) == {*ARMS, *FLOORS, *metrics.ATTACKS, "gold"}
    assert set(evidence.dpo) == {"sft_dpo/seed0", "sft_dpo/seed1"} == set(evidence.labels)
    assert evidence.primary == list(PRIMARY)


def test_the_arms_are_told_with_what_trains_and_what_differs(stage) -> None:
    assert list(ablation.arm_rows(stage.study)) == [
        {"arm": "base", "trains": "nothing", "difference": "training: none"},
        {"arm": "sft", "trains": "sft", "difference": "training: sft"},
        {"arm": "sft_dpo", "trains": "sft -> rlaif_labels -> dpo", "difference": "none: the study itself"},
    ]


def test_the_main_table_counts_cases_and_not_answers(evidence) -> None:
    table = ablation.main_table(evidence)
    assert set(table["n herb_f1"]) <= {1, 2}
    assert table.loc["sft", "herb_f1"] == pytest.approx(2 / 3)
    assert table.loc[["gold", "sft_dpo"], "herb_f1"].tolist() == [1.0, 1.0] and table.loc["base", "herb_f1"] == 0.0


def test_the_mean_of_an_arm_is_over_cases_with_one_mean_a_seed(evidence, stage) -> None:
    rows = ablation.arm_means(evidence, "herb_f1", stage.study).set_index("arm")
    assert rows.loc["sft", "mean"] == pytest.approx(2 / 3) and rows.loc["sft", "seeds"] == [0.6667, 0.6667]
    assert rows.loc["base", "seeds"] == [0.0] and set(rows["n"]) == {2}
    assert all(rows["low"] <= rows["mean"]) and all(rows["mean"] <= rows["high"])


def test_a_floor_is_told_where_it_answers_every_case_of_the_metric(evidence) -> None:
    floors = ablation.floor_means(evidence, "herb_f1")
    assert set(floors) == {"popularity", "nearest_case", "template_only"} and floors["template_only"] == 0.0
    assert ablation.floor_means(evidence, "followup_change_f1")["copy_previous"] == 0.0


def test_comparisons_are_the_studys_questions_with_adjusted_p(evidence, stage) -> None:
    table = ablation.comparisons(evidence, stage.study)
    f1 = table[table["metric"] == "herb_f1"].set_index("arms")
    assert list(f1.index) == ["sft - base", "sft_dpo - sft", "sft_dpo - base"]
    assert f1.loc["sft_dpo - base", "difference"] == 1.0
    assert f1.loc["sft_dpo - sft", "difference"] == pytest.approx(1 / 3)
    assert f1["p_holm"].to_dict() == stats.holm(f1["p"].to_dict()) != f1["p"].to_dict()
    assert set(f1["n"]) == {2}


def test_two_cases_prove_nothing_and_the_findings_say_so(evidence, stage) -> None:
    said = ablation.findings(ablation.comparisons(evidence, stage.study), evidence, stage.study)
    assert sum("no clear difference" in line for line in said) == 3
    assert any(line.startswith("base (0.000) does not beat the floor") for line in said)
    assert not any(line.startswith("sft_dpo") for line in said)


def test_arms_that_cannot_be_compared_are_told_so(evidence, stage) -> None:
    assert ablation.findings(pd.DataFrame(), evidence, stage.study) == ["No two arms of this study can be compared."]


def test_in_short_calls_invented_cases_invented_and_names_the_floors(evidence, stage) -> None:
    said = ablation.in_short(evidence, stage.study)
    assert "2 training, 0 validation and 2 test **invented** cases" in said
    assert "popularity" in said and "sft_dpo 1.000" in said and "overridden" not in said


def test_in_short_warns_where_the_audit_was_overridden(evidence, stage) -> None:
    evidence = ablation.Evidence(**{**vars(evidence), "dpo": {"sft_dpo/seed0": {"gate_overridden": True, "pairs": 3}}})
    said = ablation.in_short(evidence, stage.study)
    assert "**The judge's audit failed and was overridden** for sft_dpo/seed0." in said


def test_means_by_task_tell_how_many_cases_stand_behind(evidence) -> None:
    table = ablation.by_task(evidence)
    assert table.loc[("first_visit", "sft"), "n"] == 1
    assert table.loc[("first_visit", "sft"), "herb_f1"] == pytest.approx(2 / 3)
    assert ("first_visit", "copy_previous") not in table.index


def test_the_training_rows_tell_the_first_loss_and_how_it_ended(evidence) -> None:
    rows = ablation.training_rows(evidence).set_index("run")
    assert rows.loc["sft_dpo/seed0", "first loss"] == pytest.approx(0.6931, abs=1e-4)
    assert rows.loc["sft_dpo/seed1", "last margin"] == 1.5


def test_the_training_rows_of_a_study_without_preference_training_are_none(evidence) -> None:
    assert len(ablation.training_rows(ablation.Evidence(**{**vars(evidence), "dpo": {}}))) == 0


def test_side_by_side_shows_gold_and_every_arm_of_a_case(evidence) -> None:
    shown = dict(ablation.side_by_side(evidence))
    assert set(shown) <= {"a", "b"} and shown
    for table in shown.values():
        assert table["answers by"].tolist() == ["gold", "base", "sft", "sft_dpo"]


def test_the_cost_adds_up_and_tells_the_share_of_overhead(stage) -> None:
    assert len(results.cost(stage.study)) == 0
    folder = stages.study_folder(stage.study)
    for run in stages.plan(stage.study):
        if run.stage == "02_sft":
            span = {"start": f"2026-01-01T00:00:0{run.seed}+00:00", "end": f"2026-01-01T00:00:1{run.seed}+00:00"}
            timing = {"seconds": 10.0, "overhead_seconds": 2.0, "peak_mib": 700 + run.seed, **span}
            (folder / run.folder / "timing.json").write_text(json.dumps(timing), "utf-8")
    cost = results.cost(stage.study).set_index("stage")
    assert cost.loc["all"].to_dict() == {"runs": 2, "seconds": 20.0, "overhead share": 0.2, "peak MiB": 701}
    assert results.side_by_side(stage.study) == {"wall_seconds": 11.0, "memory_mib": 1401}


def test_the_results_are_json_without_nan_and_tell_every_arm(evidence, stage, tmp_path) -> None:
    table = ablation.comparisons(evidence, stage.study)
    values = results.gather(evidence, stage.study, table, results.cost(stage.study))
    results.write(tmp_path / "results.json", values)
    text = (tmp_path / "results.json").read_text("utf-8")

    def refuse(constant: str):
        raise AssertionError(f"{constant} is no JSON")

    read = json.loads(text, parse_constant=refuse)
    assert list(read["arms"]) == list(ARMS) and set(read["floors"]) == {*FLOORS, *metrics.ATTACKS, "gold"}
    assert read["arms"]["sft_dpo"]["herb_f1"]["mean"] == 1.0 and read["floors"]["gold"]["herb_f1"]["n"] == 2
    assert read["judge"]["sft_dpo/seed0"]["cost"]["latency_median_s"] is None
    assert read["params"]["seeds"] == [0, 1] and "torch" in read["machine"]
    assert len(read["comparisons"]) == len(table)


def test_what_is_not_a_number_becomes_null_in_the_results(tmp_path) -> None:
    values = {"a": math.nan, "b": [math.inf, {"c": np.nan}], "d": np.int64(3), "e": np.float64(0.5), "词": (1, True)}
    results.write(tmp_path / "r.json", values)
    read = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert read == {"a": None, "b": [None, {"c": None}], "d": 3, "e": 0.5, "词": [1, True]}


@pytest.mark.parametrize("value", [5.0e-7, 2.5e-6, 1.0e-8])
def test_a_small_number_stands_in_the_results_as_it_was(tmp_path, value: float) -> None:
    results.write(tmp_path / "r.json", {"params": {"dpo_learning_rate": value}})
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["params"]["dpo_learning_rate"] == pytest.approx(value)
