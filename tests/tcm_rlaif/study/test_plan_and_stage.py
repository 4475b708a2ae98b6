"""The plan of a study, and how a notebook opens and closes its stage."""

import json
from itertools import count

import pytest

from tcm_rlaif.study import params
from tcm_rlaif.study import plan as stages
from tcm_rlaif.study.params import ParamsError
from tcm_rlaif.study.plan import StageError
from tcm_rlaif.study.schema import Params

SMOKE = "params/smoke.yaml"
TWO = {"sft": {"training": "sft"}, "sft_dpo": {}}


def study(arms=None, **values) -> Params:
    return params.validated({"seeds": [0], **({"arms": arms} if arms else {}), **values}, "x")


def folders(P: Params, stage: str) -> list[str]:
    return [r.folder for r in stages.plan(P) if r.stage == stage]


def inputs(P: Params, folder: str) -> dict[str, str]:
    return dict(next(r for r in stages.plan(P) if r.folder == folder).inputs)


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    """Studies lie in a folder of the test, and no notebook was opened before."""
    monkeypatch.setattr(stages, "study_folder", lambda P: tmp_path / P.study)
    monkeypatch.setattr(stages, "_first_names", {})
    return tmp_path


def finish(P: Params, *wanted: str) -> None:
    """Run all stages of these names by writing their stage.json, as the notebooks' last cells do."""
    for run in stages.plan(P):
        if run.stage in wanted:
            folder = stages.study_folder(P) / run.folder
            stages.Stage(run, params.for_arm(P, run.arm), P, folder, {}).close(fact=f"of {run.folder}")


# the plan


def test_the_default_study_is_thirty_runs() -> None:
    plan = stages.plan(Params())
    numbers = {stage: sum(r.stage == stage for r in plan) for stage in stages.STAGES}
    assert numbers == {
        "00_base_model": 1,
        "01_data_prep": 1,
        "02_sft": 3,  # one per seed, shared by sft and sft_dpo
        "03_rlaif_labels": 6,
        "04_dpo": 6,
        "05_evaluate": 10,  # three arms by three seeds, and the untrained base once
        "06_ablation": 1,
    }


def test_inputs_come_before_those_that_use_them() -> None:
    done: set[str] = set()
    for run in stages.plan(Params()):
        assert set(dict(run.inputs).values()) <= done, run.folder
        done.add(run.folder)


def test_no_two_runs_write_into_one_folder() -> None:
    folder = [r.folder for r in stages.plan(Params())]
    assert len(folder) == len(set(folder))


def test_the_untrained_base_answers_once_whatever_the_seeds() -> None:
    assert [f for f in folders(Params(), "05_evaluate") if "/base/" in f] == ["05_evaluate/base/seed0"]


def test_the_untrained_base_answers_once_a_seed_where_it_samples() -> None:
    P = params.validated({"eval_temperature": 0.7}, "x")
    assert sum("/base/" in f for f in folders(P, "05_evaluate")) == 3


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
    read = stages.read_by(Params(), "02_sft")
    assert {"base_model", "data_seed", "sft_epochs", "lora_rank"} <= set(read)
    assert not [k for k in read if k.startswith(("candidate_", "judge", "dpo_", "eval_")) or k in ("study", "arms")]


@pytest.mark.parametrize("name", ["02_sft", "02", "sft", "02_sft.ipynb", "notebooks/02_sft.ipynb"])
def test_a_stage_may_be_named_in_short(name: str) -> None:
    assert stages.stage_name(name) == "02_sft"


def test_a_stage_that_is_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(StageError, match=r"no notebook '04_dop'; did you mean '04_dpo'\?"):
        stages.stage_name("04_dop")


def test_a_run_is_found_by_stage_arm_and_seed() -> None:
    P = Params()
    assert stages.find_run(P, "02_sft", "sft_dpo", 2).folder == "02_sft/sft/seed2"
    assert stages.find_run(P, "05_evaluate", "base", 2).folder == "05_evaluate/base/seed0"
    assert stages.find_run(P, "06_ablation", "sft", None).folder == "06_ablation"


def test_a_seed_that_the_study_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(StageError, match=r"seed: 7 is not among this study's seeds \[0, 1, 2\]"):
        stages.find_run(Params(), "02_sft", "sft", 7)


def test_an_arm_without_the_stage_is_refused_with_what_it_trains() -> None:
    with pytest.raises(StageError, match="arm 'sft' has no stage 04_dpo: it trains 'sft'"):
        stages.find_run(Params(), "04_dpo", "sft", 0)


# opening and closing


def opened(stage: str, **given) -> stages.Stage:
    return stages.open_stage(stage, {"params_file": SMOKE, **given})


def test_opening_a_stage_makes_its_folder_and_gives_the_parameters_of_the_arm(runs) -> None:
    stage = opened("00_base_model", arm="dpo_only")
    assert stage.folder == runs / "smoke/00_base_model/shared" and stage.folder.is_dir()
    assert stage.P.base_steps == stages.params.load(SMOKE).base_steps and stage.seed == 0


def test_opening_removes_the_done_marker_of_an_earlier_run() -> None:
    finish(params.load(SMOKE), "00_base_model")
    assert not (opened("00_base_model").folder / stages.DONE).exists()


def test_a_missing_input_names_the_notebook_to_run() -> None:
    with pytest.raises(StageError) as caught:
        opened("02_sft", arm="sft", seed=0)
    assert "00_base_model/shared/stage.json is missing (base)" in str(caught.value)
    assert "run notebooks/00_base_model.ipynb with arm='base' first" in str(caught.value)


def test_a_missing_input_with_a_seed_names_arm_and_seed() -> None:
    finish(params.load(SMOKE), "00_base_model", "01_data_prep", "02_sft")
    with pytest.raises(StageError, match=r"03_rlaif_labels\.ipynb with arm='sft_dpo', seed=0 first"):
        opened("04_dpo", arm="sft_dpo", seed=0)


def test_a_refused_stage_keeps_its_earlier_result() -> None:
    P = params.load(SMOKE)
    finish(P, "02_sft")
    with pytest.raises(StageError):
        opened("02_sft", arm="sft", seed=0)
    assert (stages.study_folder(P) / "02_sft/sft/seed0" / stages.DONE).exists()


def test_a_stale_input_names_the_changed_key_with_both_values() -> None:
    finish(params.load(SMOKE), "00_base_model", "01_data_prep")
    with pytest.raises(StageError) as caught:
        opened("02_sft", arm="sft", seed=0, data_cases=80)
    assert "01_data_prep/shared is stale (data): data_cases was 60 and is 80" in str(caught.value)
    assert "run notebooks/01_data_prep.ipynb with arm='base' again" in str(caught.value)


def test_an_input_made_by_other_code_is_stale() -> None:
    P = params.load(SMOKE)
    finish(P, "00_base_model", "01_data_prep")
    done = stages.study_folder(P) / "01_data_prep/shared" / stages.DONE
    done.write_text(done.read_text("utf-8").replace(stages.code_hash("01_data_prep"), "0" * 16), "utf-8")
    with pytest.raises(StageError, match=r"is stale \(data\): the code of 01_data_prep\.ipynb changed"):
        opened("02_sft", arm="sft", seed=0)


def test_a_finished_study_that_still_fits_is_kept_whole() -> None:
    P = params.load(SMOKE)
    finish(P, *stages.STAGES)
    assert stages.forget_stale(P) == []


def test_a_changed_key_forgets_the_stages_that_read_it_and_no_other() -> None:
    finish(params.load(SMOKE), *stages.STAGES)
    P = params.load(SMOKE, sft_epochs=5)
    assert {f.split("/")[0] for f in stages.forget_stale(P)} == set(stages.STAGES[2:])
    assert not (stages.study_folder(P) / "02_sft/sft/seed0" / stages.DONE).exists()
    assert (stages.study_folder(P) / "01_data_prep/shared" / stages.DONE).exists()


def test_a_changed_beta_keeps_the_labels() -> None:
    finish(params.load(SMOKE), *stages.STAGES)
    forgotten = stages.forget_stale(params.load(SMOKE, dpo_beta=0.7))
    assert {f.split("/")[0] for f in forgotten} == {"04_dpo", "05_evaluate", "06_ablation"}


def test_runs_that_never_finished_cannot_be_stale() -> None:
    assert stages.forget_stale(params.load(SMOKE, sft_epochs=5)) == []


def test_a_key_that_no_input_reads_makes_nothing_stale() -> None:
    finish(params.load(SMOKE), "00_base_model", "01_data_prep")
    stage = opened("02_sft", arm="sft", seed=0, sft_epochs=1, dpo_beta=0.9, data_cases=60)
    assert stage.P.sft_epochs == 1 and set(stage.inputs) == {"base", "data"}


def test_an_input_can_be_read_back() -> None:
    finish(params.load(SMOKE), "00_base_model", "01_data_prep")
    assert opened("02_sft", arm="sft", seed=0).read("data")["fact"] == "of 01_data_prep/shared"


def test_closing_writes_what_the_stage_was_made_of_and_says_what_comes_next(capsys) -> None:
    stage = opened("00_base_model")
    stage.close(parameters=7, word="失眠")
    written = json.loads((stage.folder / stages.DONE).read_text("utf-8"))
    assert (written["stage"], written["arm"], written["seed"]) == ("00_base_model", "base", None)
    assert (written["parameters"], written["word"]) == (7, "失眠")
    assert written["params"] == json.loads(json.dumps(stages.read_by(stage.P, "00_base_model")))
    assert written["code"] == stages.code_hash("00_base_model")
    assert "next: notebooks/02_sft.ipynb" in capsys.readouterr().out


def test_after_the_last_stage_comes_the_report(capsys) -> None:
    finish(params.load(SMOKE), "06_ablation")
    assert "next: ./study report smoke" in capsys.readouterr().out


def test_a_value_that_is_no_json_leaves_no_done_marker() -> None:
    stage = opened("00_base_model")
    with pytest.raises(TypeError):
        stage.close(oops=object())
    assert list(stage.folder.iterdir()) == []


# what a notebook's globals hold


def test_papermills_injected_parameters_override_the_file() -> None:
    assert opened("00_base_model", base_steps=5).P.base_steps == 5


def test_a_whole_params_file_given_to_bare_papermill_is_that_study() -> None:
    injected = params.read_yaml(SMOKE)  # what `papermill -f params/smoke.yaml -p seed 0` puts into the notebook
    stage = stages.open_stage("00_base_model", {"params_file": "params/default.yaml", "seed": 0, **injected})
    assert stage.study == params.load(SMOKE)


def test_1e_5_given_to_bare_papermill_is_the_float() -> None:
    assert opened("00_base_model", base_learning_rate="1e-5").P.base_learning_rate == 1.0e-5


def test_a_typo_at_first_open_is_refused_with_the_nearest_key() -> None:
    with pytest.raises(
        ParamsError, match=r"smoke\.yaml: base_stepps: no such key; did you mean 'base_steps'\?.*`del base_stepps`"
    ):
        opened("00_base_model", base_stepps=5)


def test_opening_again_in_a_notebook_full_of_variables_works() -> None:
    notebook = {"params_file": SMOKE, "arm": "sft_dpo"}
    stages.open_stage("00_base_model", notebook)
    notebook |= {"losses": [1.0], "text": "失眠", "parameters": 12, "rows": [{}], "base_steps": 7, "stage": object()}
    assert stages.open_stage("00_base_model", notebook).P.base_steps == 7


def test_what_python_and_ipython_put_there_is_no_parameter() -> None:
    machinery = {"__name__": "__main__", "_": 3, "_i1": "x", "_dh": ["/"], "In": [""], "Out": {}, "json": json}
    assert stages.given_parameters({"params_file": SMOKE, "seed": 0, **machinery}) == {"params_file": SMOKE, "seed": 0}


def test_an_object_that_is_no_plain_value_is_no_parameter() -> None:
    assert stages.given_parameters({"params_file": SMOKE, "study": Params(), "arms": count()}) == {"params_file": SMOKE}


# the hash of a notebook's code


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """A notebook of one prose cell and one code cell, and how to save it anew."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(stages, "ROOT", tmp_path)

    def save(prose="# 题", code="x = 1", outputs=(), count=None, metadata=None):
        cells = [
            {"cell_type": "markdown", "metadata": {}, "source": [prose]},
            {
                "cell_type": "code",
                "metadata": metadata or {},
                "source": [code],
                "outputs": list(outputs),
                "execution_count": count,
            },
        ]
        (tmp_path / "notebooks/02_sft.ipynb").write_text(json.dumps({"cells": cells}), "utf-8")
        return stages.code_hash("02_sft")

    return save


def test_the_code_hash_ignores_outputs_counts_prose_and_cell_metadata(notebook) -> None:
    plain = notebook()
    ran = notebook(outputs=[{"output_type": "stream", "text": ["1"]}], count=3, metadata={"collapsed": True})
    assert plain == ran == notebook(prose="other words")


def test_the_code_hash_notices_changed_code(notebook) -> None:
    assert notebook() != notebook(code="x = 2")
