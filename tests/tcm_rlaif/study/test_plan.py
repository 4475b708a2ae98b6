"""The plan of a study: which runs there are, which arms share them, and how a run is found."""

import pytest

from tcm_rlaif.study import params
from tcm_rlaif.study.plan import STAGES, StageError, find_run, plan, read_by, stage_name
from tcm_rlaif.study.schema import Params

TWO = {"sft": {"training": "sft"}, "sft_dpo": {}}


def study(arms=None, **values) -> Params:
    return params.validated({"seeds": [0], **({"arms": arms} if arms else {}), **values}, "x")


def folders(P: Params, stage: str) -> list[str]:
    return [r.folder for r in plan(P) if r.stage == stage]


def inputs(P: Params, folder: str) -> dict[str, str]:
    return dict(next(r for r in plan(P) if r.folder == folder).inputs)


def test_the_default_study_is_thirty_runs() -> None:
    runs = plan(Params())
    numbers = {stage: sum(r.stage == stage for r in runs) for stage in STAGES}
    assert numbers == {
        "00_base_model": 1,
        "01_data_prep": 1,
        "02_sft": 3,  # one per seed, shared by sft and sft_dpo
        "03_rlaif_labels": 6,
        "04_dpo": 6,
        "05_evaluate": 10,  # three arms by three seeds, and the untrained base once
        "06_ablation": 1,
        "07_probes": 0,  # no arm is named to be probed
    }


def test_inputs_come_before_those_that_use_them() -> None:
    done: set[str] = set()
    for run in plan(Params()):
        assert set(dict(run.inputs).values()) <= done, run.folder
        done.add(run.folder)


def test_no_two_runs_write_into_one_folder() -> None:
    folder = [r.folder for r in plan(Params())]
    assert len(folder) == len(set(folder))


def test_the_untrained_base_answers_once_whatever_the_seeds() -> None:
    assert [f for f in folders(Params(), "05_evaluate") if "/base/" in f] == ["05_evaluate/base/seed0"]


def test_the_untrained_base_answers_once_a_seed_where_it_samples() -> None:
    P = params.validated({"eval_temperature": 0.7}, "x")
    assert sum("/base/" in f for f in folders(P, "05_evaluate")) == 3


def test_an_arm_with_fewer_seeds_runs_with_them_alone_and_shares_what_others_train() -> None:
    P = params.validated({"arm_seeds": {"sft_dpo": [2]}}, "x")
    for stage in ("04_dpo", "05_evaluate"):
        assert [f for f in folders(P, stage) if "/sft_dpo/" in f] == [f"{stage}/sft_dpo/seed2"]
    assert len(folders(P, "02_sft")) == 3
    assert find_run(P, "04_dpo", "sft_dpo", None).folder == "04_dpo/sft_dpo/seed2", "the first that it has"
    for stage in ("02_sft", "04_dpo", "05_evaluate"):  # another seed's run would be made again, or read for this one's
        with pytest.raises(StageError, match=r"seed: 'sft_dpo' has no seed 0 in this study, but \[2\]"):
            find_run(P, stage, "sft_dpo", 0)
    assert find_run(P, "05_evaluate", "base", 0).folder == "05_evaluate/base/seed0"


def test_an_arm_that_draws_at_the_test_answers_anew_with_the_model_that_is_there() -> None:
    drawing = {"eval_number": 8, "eval_temperature": 0.8}
    arms = {"base": {"training": "none"}, "sft": {"training": "sft"}, "best_of_n": {"training": "sft", **drawing},
            "base_of_n": {"training": "none", **drawing}}  # fmt: skip
    P = params.validated({"arms": arms}, "x")
    assert set(folders(P, "02_sft")) == {f"02_sft/sft/seed{seed}" for seed in P.seeds}
    assert sum("/best_of_n/" in f for f in folders(P, "05_evaluate")) == 3
    assert sum("/base_of_n/" in f for f in folders(P, "05_evaluate")) == 3
    assert sum("/base/" in f for f in folders(P, "05_evaluate")) == 1


def test_two_arms_share_the_sft_model() -> None:
    P = study(TWO)
    assert folders(P, "02_sft") == ["02_sft/sft/seed0"]
    assert inputs(P, "04_dpo/sft_dpo/seed0")["sft"] == inputs(P, "05_evaluate/sft/seed0")["sft"] == "02_sft/sft/seed0"


def test_dpo_only_starts_from_the_base_and_sft_dpo_from_the_sft_model() -> None:
    P = study()
    assert "sft" not in inputs(P, "04_dpo/dpo_only/seed0")
    assert set(inputs(P, "04_dpo/sft_dpo/seed0")) == {"base", "data", "sft", "labels"}


def test_an_arm_with_another_beta_shares_the_labels() -> None:
    P = study({"sft_dpo": {}, "stiff": {"dpo_beta": 0.5}})
    assert folders(P, "03_rlaif_labels") == ["03_rlaif_labels/sft_dpo/seed0"]
    assert folders(P, "04_dpo") == ["04_dpo/sft_dpo/seed0", "04_dpo/stiff/seed0"]
    assert inputs(P, "04_dpo/stiff/seed0")["labels"] == "03_rlaif_labels/sft_dpo/seed0"


@pytest.mark.parametrize("difference", [{"pair_labels": "shuffled"}, {"preference_training": "sft_chosen"}])
def test_controls_of_the_labels_share_labels_too(difference) -> None:
    assert len(folders(study({"sft_dpo": {}, "control": difference}), "03_rlaif_labels")) == 1


def test_an_arm_with_more_candidates_has_labels_of_its_own_and_shares_sft() -> None:
    P = study({"sft_dpo": {}, "many": {"candidate_number": 8}})
    assert len(folders(P, "02_sft")) == 1 and len(folders(P, "03_rlaif_labels")) == 2


def test_an_arm_with_another_base_shares_nothing_that_was_trained() -> None:
    P = study({"sft_dpo": {}, "small": {"base_layers": 2}})
    assert folders(P, "00_base_model") == ["00_base_model/shared", "00_base_model/small"]
    assert inputs(P, "02_sft/small/seed0")["base"] == "00_base_model/small"


def test_two_arms_that_agree_on_everything_are_evaluated_once_and_both_compared() -> None:
    P = study({"sft_dpo": {}, "again": {"dpo_beta": Params().dpo_beta}})
    assert folders(P, "05_evaluate") == ["05_evaluate/sft_dpo/seed0"]
    assert inputs(P, "06_ablation") == dict.fromkeys(("sft_dpo/seed0", "again/seed0"), "05_evaluate/sft_dpo/seed0")


def test_every_arm_and_seed_reaches_the_ablation() -> None:
    named = set(inputs(Params(), "06_ablation"))
    trained = {f"{arm}/seed{s}" for arm in ("sft", "dpo_only", "sft_dpo") for s in (0, 1, 2)}
    assert named == trained | {"base/seed0"}


def test_a_stage_reads_its_own_keys_and_those_of_the_stages_before() -> None:
    read = read_by(Params(), "02_sft")
    assert {"base_model", "data_seed", "sft_epochs", "lora_rank"} <= set(read)
    assert not [k for k in read if k.startswith(("candidate_", "judge", "dpo_", "eval_")) or k in ("study", "arms")]


@pytest.mark.parametrize("name", ["02_sft", "02", "sft", "02_sft.ipynb", "notebooks/02_sft.ipynb"])
def test_a_stage_may_be_named_in_short(name: str) -> None:
    assert stage_name(name) == "02_sft"


def test_a_stage_that_is_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(StageError, match=r"no notebook '04_dop'; did you mean '04_dpo'\?"):
        stage_name("04_dop")


def test_a_run_is_found_by_stage_arm_and_seed() -> None:
    P = Params()
    assert find_run(P, "02_sft", "sft_dpo", 2).folder == "02_sft/sft/seed2"
    assert find_run(P, "05_evaluate", "base", 2).folder == "05_evaluate/base/seed0"
    assert find_run(P, "06_ablation", "sft", None).folder == "06_ablation"


def test_a_study_that_names_arms_to_probe_has_one_more_run_after_the_ablation() -> None:
    P = params.validated({"probe_arms": ["base", "sft"]}, "x")
    assert plan(P)[:-1] == plan(Params())
    assert (plan(P)[-1].folder, dict(plan(P)[-1].inputs)["ablation"]) == ("07_probes", "06_ablation")
    assert find_run(P, "07_probes", "sft", 2).folder == "07_probes"


def test_without_such_arms_the_notebook_is_refused_with_what_to_write() -> None:
    with pytest.raises(StageError, match=r"probes no arm; name some, e.g. probe_arms: \['base', 'sft', 'dpo_only'\]"):
        find_run(Params(), "07_probes", "sft", None)


def test_an_arm_to_probe_has_to_be_one_of_the_study() -> None:
    with pytest.raises(params.ParamsError, match="probe_arms: sft_dop: no arm of this study; did you mean 'sft_dpo'"):
        params.validated({"probe_arms": ["sft_dop"]}, "x")


def test_naming_arms_to_probe_makes_no_earlier_stage_read_anything_else() -> None:
    probing = params.validated({"probe_arms": ["base"], "probe_cases": 50}, "x")
    assert read_by(probing, "06_ablation") == read_by(Params(), "06_ablation")


def test_a_seed_that_the_study_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(StageError, match=r"seed: 7 is not among this study's seeds \[0, 1, 2\]"):
        find_run(Params(), "02_sft", "sft", 7)


def test_an_arm_without_the_stage_is_refused_with_what_it_trains() -> None:
    with pytest.raises(StageError, match="arm 'sft' has no stage 04_dpo: it trains 'sft'"):
        find_run(Params(), "04_dpo", "sft", 0)
