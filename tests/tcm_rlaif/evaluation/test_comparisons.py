"""Comparisons: a family declared beforehand, verdicts over seeds and cases, and silence where too few seeds stand."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tcm_rlaif.evaluation import ablation, comparisons, stats
from tcm_rlaif.study import params
from tcm_rlaif.study.params import ParamsError

CASES = [f"c{i}" for i in range(40)]


def evidence(effects: dict[str, list[float]], metrics=("herb_f1", "usable")) -> ablation.Evidence:
    """A study of 40 cases whose arms have an effect per seed on top of what the case gives."""
    rng = np.random.default_rng(0)
    level = rng.uniform(0.3, 0.6, len(CASES))
    rows = [
        {"arm": arm, "seed": seed, "case_id": case, "patient_id": case, "task": "first_visit"}
        | {m: level[i] + effect + rng.normal(0, 0.02) for m in metrics}
        for arm, by_seed in effects.items()
        for seed, effect in enumerate(by_seed)
        for i, case in enumerate(CASES)
    ]
    scores = pd.DataFrame(rows)
    tables = {arm: scores[scores["arm"] == arm] for arm in effects}
    return ablation.Evidence(scores, tables, {}, {}, {}, {}, list(metrics), list(metrics), Path())


def study(seeds: int, **changed):
    arms = {"base": {"training": "none"}, "sft": {"training": "sft"}, "sft_dpo": {}}
    return params.validated({"study": "s", "seeds": list(range(seeds)), "arms": arms, **changed}, "s.yaml")


FIVE = {"base": [0.0], "sft": [0.1, 0.11, 0.09, 0.1, 0.1], "sft_dpo": [0.2, 0.21, 0.19, 0.22, 0.2]}


def row(table: pd.DataFrame, arms: str, metric: str = "herb_f1") -> dict:
    return table[(table["arms"] == arms) & (table["metric"] == metric)].iloc[0].to_dict()


def test_a_difference_that_every_seed_shows_is_higher() -> None:
    found = row(comparisons.comparisons(evidence(FIVE), study(5)), "sft_dpo - sft")
    assert found["verdict"] == "higher" and found["low"] > 0 and not found["exploratory"]
    assert found["seeds"] == pytest.approx([0.1, 0.1, 0.1, 0.12, 0.1], abs=0.01) and found["n"] == 40


def test_the_base_that_no_seed_changes_stands_beside_every_seed() -> None:
    found = row(comparisons.comparisons(evidence(FIVE), study(5)), "sft - base")
    assert found["seeds"] == pytest.approx(FIVE["sft"], abs=0.02) and found["verdict"] == "higher"


def test_seeds_that_disagree_show_nothing_though_the_cases_would() -> None:
    moved = FIVE | {"sft_dpo": [0.3, 0.0, 0.25, 0.02, 0.1]}
    both = [stats.matrix(evidence(moved).tables[arm], "herb_f1") for arm in ("sft_dpo", "sft")]
    over_cases = stats.estimate(stats.difference(*both).mean().to_frame().T)
    found = row(comparisons.comparisons(evidence(moved), study(5)), "sft_dpo - sft")
    assert over_cases.interval(0.95)[0] > 0 > found["low"] and found["verdict"] == "no clear difference"


@pytest.mark.parametrize(("seeds", "said"), [(1, "one seed"), (2, "2 seeds")])
def test_too_few_seeds_are_exploratory_and_never_plainly_higher(seeds: int, said: str) -> None:
    effects = {arm: values[:seeds] for arm, values in FIVE.items()}
    table = comparisons.comparisons(evidence(effects), study(seeds))
    assert all(v.startswith(f"{said}: exploratory") for v in table["verdict"]) and table["exploratory"].all()
    assert "every verdict here is exploratory" in comparisons.declaration(study(seeds), ["herb_f1"])


def test_an_arm_with_fewer_seeds_is_paired_by_those_that_both_have_and_exploratory_beside_arms_that_are_not() -> None:
    P = study(5, arm_seeds={"sft_dpo": [3]})
    assert params.seeds_of(P, "sft_dpo") == (3,) and params.seeds_of(P, "sft") == (0, 1, 2, 3, 4)
    found = evidence(FIVE | {"sft": [0.1, 0.11, 0.09, 0.15, 0.1]})
    found.tables["sft_dpo"] = found.tables["sft_dpo"].query("seed == 3")
    table = comparisons.comparisons(found, P)
    assert row(table, "sft - base")["verdict"] == "higher"
    one = row(table, "sft_dpo - sft")
    assert one["verdict"] == "one seed: exploratory (higher there)"
    declared = table[table["declared"]].set_index(["arms", "metric"])
    sound = declared["p"].mask(declared["exploratory"], 1.0)
    first = ("sft - base", "herb_f1")
    assert declared["p_holm"][first] == stats.holm(sound.to_dict())[first], "no easier by one seed"
    assert one["seeds"] == pytest.approx([0.22 - 0.15], abs=0.01), "not beside the seeds that it did not start from"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"arm_seeds": {"dpo": [0]}}, "arm_seeds: dpo: no arm of this study; did you mean"),
        ({"arm_seeds": {"base": [0]}}, "arm_seeds.base: each seed once, and only where a seed changes what the arm"),
        ({"arm_seeds": {"sft": [1, 1]}}, "arm_seeds.sft: each seed once"),
        ({"arm_seeds": {"sft": [7]}}, r"arm_seeds.sft: 7 is not among `seeds` \[0, 1, 2, 3, 4\]; add it there"),
        ({"arm_seeds": {"sft": [0], "sft_dpo": [1, 2]}}, "sft_dpo - sft: the two have no seed in common"),
    ],
)
def test_seeds_of_an_arm_that_cannot_be_are_refused(changed: dict, said: str) -> None:
    with pytest.raises(ParamsError, match=said):
        study(5, **changed)


def test_the_family_is_what_was_declared_and_holm_counts_it_alone() -> None:
    small = study(5, ablation_family=["sft_dpo - sft"], ablation_primary=["herb_f1", "usable"])
    table = comparisons.comparisons(evidence(FIVE), small)
    family = table[table["declared"]]
    assert set(family["arms"]) == {"sft_dpo - sft"} and set(family["metric"]) == {"herb_f1", "usable"}
    assert sorted(family["p_holm"]) == sorted(stats.holm(dict(enumerate(family["p"]))).values())
    assert set(table.loc[~table["declared"], "verdict"]) == {"not declared: shown only"}
    assert table.loc[~table["declared"], "p_holm"].isna().all()


def test_all_questions_on_all_primary_metrics_are_the_family_unless_said_otherwise() -> None:
    table = comparisons.comparisons(evidence(FIVE), study(5, ablation_primary=["herb_f1", "usable"]))
    assert table["declared"].all() and len(table) == 3 * 2


def test_both_the_interval_and_the_adjusted_p_must_tell() -> None:
    clear = {"declared": True, "low": 0.01, "high": 0.2, "difference": 0.1, "seeds": [0.1] * 5, "exploratory": False}
    assert comparisons.verdict(clear | {"p_holm": 0.04}, 0.05) == "higher"
    assert comparisons.verdict(clear | {"p_holm": 0.06}, 0.05) == "no clear difference"
    assert comparisons.verdict(clear | {"low": -0.01, "p_holm": 0.04}, 0.05) == "no clear difference"
    assert (
        comparisons.verdict(clear | {"low": -0.2, "high": -0.01, "difference": -0.1, "p_holm": 0.04}, 0.05) == "lower"
    )


def test_the_findings_tell_each_declared_test_with_the_effect_of_every_seed() -> None:
    table = comparisons.comparisons(evidence(FIVE), study(5, ablation_family=["sft_dpo - sft"]))
    said = comparisons.findings(table)
    assert len(said) == 2 and all("by seed +0." in line and "**higher**" in line for line in said)
    assert all(
        f"detectable from {mdd:.3f}" in line for line, mdd in zip(said, table["mdd"][table["declared"]], strict=True)
    )
    assert comparisons.findings(pd.DataFrame()) == ["No two arms of this study can be compared."]


def test_the_declared_tests_are_told_by_what_was_found() -> None:
    table = comparisons.comparisons(evidence(FIVE), study(5, ablation_family=["sft_dpo - sft"]))
    assert comparisons.verdicts(table) == ["**higher**: sft_dpo - sft (herb_f1, usable)."]
    declared = table[table["declared"]].copy()
    declared.loc[declared["metric"] == "usable", "verdict"] = "no clear difference"
    assert comparisons.verdicts(declared)[1] == "**no clear difference**: sft_dpo - sft (usable)."
    assert comparisons.verdicts(pd.DataFrame()) == ["No two arms of this study can be compared."]


def test_the_declaration_names_metrics_family_and_what_does_not_apply() -> None:
    said = comparisons.declaration(study(5), ["herb_f1", "usable"])
    assert "3 question(s) times 2 metric(s) = 6 tests" in said
    assert "not applying to these cases: judge_score" in said and "exploratory" not in said
    told = comparisons.declared(study(5, ablation_family=["sft - base"]))
    assert dict(zip(told["difference"], told["in the family"], strict=True))["sft_dpo - sft"] == "no"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ablation_primary": ["herbf1"]}, "did you mean 'herb_f1'"),
        ({"ablation_primary": ["dose_mae_g"]}, "no metric of which more is better"),
        ({"ablation_family": ["sft - sft_dpo"]}, "ablation_family.sft - sft_dpo: is not asked"),
    ],
)
def test_a_declaration_that_cannot_be_kept_is_refused(changed: dict, message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        study(5, **changed)


def test_controls_are_the_arms_that_learn_without_the_judges_word() -> None:
    arms = {"sft": {"training": "sft"}, "sft_dpo": {}, "shuffled": {"pair_labels": "shuffled"},
            "more": {"preference_training": "sft_more"}, "best": {"preference_training": "best_of_n"},
            "chosen": {"preference_training": "sft_chosen"}, "lots": {"judge_noise": 1.0}}  # fmt: skip
    rows = [("sft_dpo - shuffled", "herb_f1"), ("sft_dpo - more", "herb_f1"), ("sft_dpo - shuffled", "length"),
            ("best - sft", "herb_f1"), ("chosen - sft", "herb_f1"), ("lots - sft", "herb_f1")]  # fmt: skip
    table = pd.DataFrame(rows, columns=["arms", "metric"])
    found = comparisons.controls(table, study(1, arms=arms))
    assert found.index.tolist() == [0, 1, 5]
    assert len(comparisons.controls(pd.DataFrame(), study(1))) == 0


def test_visits_of_one_patient_are_one_unit() -> None:
    alone = evidence(FIVE)
    scores = alone.scores.assign(patient_id=[f"p{int(c[1:]) // 10}" for c in alone.scores["case_id"]])
    four = dataclasses.replace(alone, scores=scores)
    assert stats.estimate(pd.DataFrame([[1.0] * 40], columns=CASES), four.patient_of).patients == 4
    assert comparisons.compared(four, study(1), "sft_dpo", "sft", "herb_f1").patients == 4
