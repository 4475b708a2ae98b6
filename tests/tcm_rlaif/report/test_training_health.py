"""One verdict a training run: healthy runs are one line, what happened in the others is said in words."""

from written_study import DPO

from tcm_rlaif.report import plots, training_health

HEALTHY = {**DPO, "fell_back_to_step": None, "gate_overridden": False, "diagnosis": ["herb F1 …: no clear change."]}
READING = {"margin": 1.0, "kl_per_token": 0.1, "herb_f1": 0.4, "step": 5}


def test_a_run_in_which_nothing_happened_is_healthy() -> None:
    table = training_health.verdicts({"sft_dpo/seed0": HEALTHY})
    assert table.loc[0, "verdict"] == "healthy" and table.loc[0, "what"] == ""
    assert training_health.sentence(table) == "1 of 1 trainings were healthy from first to last reading."


def test_each_thing_that_can_happen_is_a_warning_with_its_reason() -> None:
    happened = {
        "nothing was left": {"rows": 0},
        "went back to step 5": {"fell_back_to_step": 5, "health": [READING, {**READING, "step": 9, "herb_f1": 0.1}]},
        "audit was overridden": {"gate_overridden": True},
        "step 5: finished 1.00 -> 0.40": {"health": [READING, {**READING, "ill": "finished 1.00 -> 0.40"}]},
        "herb F1 on 8 watched cases: 0.500 before, 0.300 after (difference [-0.3, -0.1]): worse": {
            "diagnosis": ["herb F1 on 8 watched cases: 0.500 before, 0.300 after (difference [-0.3, -0.1]): worse."]
        },
        "round 1, step 5: KL 1.0 nats a token": {
            "rounds": [{"round": 0}, {"round": 1, "ill": "step 5: KL 1.0 nats a token"}, {"round": 2, "ill": ""}]
        },
    }
    runs = {f"arm{n}/seed0": {**HEALTHY, **change} for n, change in enumerate(happened.values())}
    table = training_health.verdicts(runs)
    assert set(table["verdict"]) == {"warning"}
    assert all(said in what for said, what in zip(happened, table["what"], strict=True))
    assert table.loc[1, "herb F1"] == "0.40 to 0.40", "of the weights that were kept"
    assert "0 of 6 trainings" in training_health.sentence(table) and "arm4/seed0" in training_health.sentence(table)


def test_a_study_without_preference_training_says_so() -> None:
    assert training_health.sentence(training_health.verdicts({})) == "No arm of this study learns from preferences."


def test_supervised_trainings_are_told_by_run(stage) -> None:
    table = training_health.imitation(stage.study)
    assert table["run"].tolist() == ["sft/seed0", "sft/seed1"] and set(table["lowest in epoch"]) == {"–"}


def test_ill_runs_are_one_row_of_small_multiples_each() -> None:
    import matplotlib

    matplotlib.use("agg")
    keys = ("chosen_logp_per_token", "rejected_logp_per_token", "judge_score", "format_valid", "finished", "usable")
    rows = [{**READING, **dict.fromkeys(keys, 0.5), "step": step} for step in (0, 5)]
    figure = plots.ill({"a/seed0": rows, "b/seed1": rows})
    assert len(figure.axes) == 8 and figure.axes[4].get_ylabel() == "b\nseed1"
