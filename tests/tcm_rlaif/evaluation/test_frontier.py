"""The frontier: judge's score and herb F1 by KL over rounds and best of n, and nothing where stages do not tell."""

import json

import pytest
import written_study

from tcm_rlaif.evaluation import ablation, frontier, rounding


def evidence(root, dpo: dict, evaluations: dict) -> ablation.Evidence:
    with written_study.opened(root) as stage:
        found = ablation.collect(stage)
    return ablation.Evidence(**{**vars(found), "dpo": dpo, "evaluations": evaluations})


def test_rounds_and_best_of_n_are_gathered_and_averaged_over_seeds(tmp_path) -> None:
    rounds = [{"round": n, "pairs": 5, "kl": 0.5 * n, "judge_score": 0.8 + n / 100, "herb_f1": 0.5} for n in (1, 2)]
    other = [row | {"herb_f1": 0.7} for row in rounds]
    curve = [{"k": n, "herb_f1": 0.5, "score": 0.8, "kl": kl} for n, kl in ((1, 0.0), (4, 0.64))]
    found = evidence(
        tmp_path,
        {"sft_dpo/seed0": {"rounds": rounds}, "sft_dpo/seed1": {"rounds": other}},
        {"sft/seed0": {"answering": {"curve": curve}}},
    )
    table = frontier.points(found)
    first = table.iloc[0].to_dict()
    assert first == {"answers by": "sft_dpo", "step": 1, "kl": 0.5, "judge_score": 0.81, "herb_f1": pytest.approx(0.6)}
    assert table["answers by"].tolist() == ["sft_dpo"] * 2 + ["sft, best of n"] * 2
    assert "sft, best of n 4: KL 0.64" in frontier.describe(table)
    assert set(frontier.heights(found)) == {"expert_rule", "expert"}
    assert frontier.heights(found)["expert"]["herb_f1"] == pytest.approx(found.tables["expert"]["herb_f1"].mean())


def test_without_rounds_and_draws_there_is_no_frontier(tmp_path) -> None:
    nothing = {"sft_dpo/seed0": {"rounds": []}}
    assert len(frontier.points(evidence(tmp_path, nothing, {"sft/seed0": {"answering": {}}}))) == 0


def test_what_rounding_moves_is_told_or_said_to_be_unknown(tmp_path) -> None:
    assert rounding.measured(tmp_path / "none.json") is None and "not measured" in rounding.sentence(None)
    runs = [{"threads": t, "dtype": d, "herb_f1": f} for t, d, f in ((1, "float32", 0.5), (2, "bfloat16", 0.53))]
    told = {"spread": 0.03, "training_answers": 40, "test_cases": 60, "machine": "x86_64", "runs": runs}
    (tmp_path / "r.json").write_text(json.dumps(told), "utf-8")
    said = rounding.sentence(rounding.measured(tmp_path / "r.json"))
    assert "by up to 0.030" in said and "2 thread(s), bfloat16: 0.530" in said and "40 answers, 60 cases" in said
