"""A stage as its notebook sees it: opened only when its inputs fit, closed with its recipe, stale when that changes."""

import json
from itertools import count
from pathlib import Path

import pytest

from tcm_rlaif.study import params, plan
from tcm_rlaif.study import stage as stages
from tcm_rlaif.study.params import ParamsError
from tcm_rlaif.study.plan import STAGES, StageError
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.stage import DONE, UNFINISHED, Stage, open_stage, problems
from tcm_rlaif.study.syntax import does

SMOKE = "params/smoke.yaml"


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch) -> Path:
    """Studies lie in a folder of the test, and no notebook was opened before."""
    monkeypatch.setattr(plan, "ROOT", tmp_path)
    monkeypatch.setattr(stages, "_first_names", {})
    return tmp_path / "runs"


def finish(P: Params, *wanted: str) -> None:
    """Run all stages of these names by writing their stage.json, as the notebooks' last cells do."""
    for run in plan.plan(P):
        if run.stage in wanted:
            Stage(run, params.for_arm(P, run.arm), P, plan.study_folder(P) / run.folder, {}).close(
                fact=f"of {run.folder}"
            )


def opened(stage: str, **given) -> Stage:
    return open_stage(stage, {"params_file": SMOKE, **given})


def refused(stage: str, **given) -> str:
    with pytest.raises(StageError) as caught:
        opened(stage, **given)
    return str(caught.value)


# opening and closing


def test_opening_a_stage_makes_its_folder_and_gives_the_parameters_of_the_arm(runs) -> None:
    stage = opened("00_base_model", arm="dpo_only")
    assert stage.folder == runs / "smoke/00_base_model/shared" and stage.folder.is_dir()
    assert stage.P.base_steps == params.load(SMOKE).base_steps and stage.seed == 0


def test_opening_removes_the_done_marker_of_an_earlier_run() -> None:
    finish(params.load(SMOKE), "00_base_model")
    assert not (opened("00_base_model").folder / DONE).exists()


def test_a_missing_input_names_the_notebook_and_the_users_own_arm() -> None:
    said = refused("02_sft", arm="sft_dpo", seed=0)
    assert "00_base_model/shared/stage.json is missing" in said
    assert "run notebooks/00_base_model.ipynb with arm='sft_dpo' first" in said


def test_a_missing_input_with_a_seed_names_arm_and_seed() -> None:
    finish(params.load(SMOKE), "00_base_model", "01_data_prep", "02_sft")
    assert "03_rlaif_labels.ipynb with arm='sft_dpo', seed=0 first" in refused("04_dpo", arm="sft_dpo", seed=0)


@pytest.mark.parametrize("stage", ["06_ablation", "07_probes"])
def test_the_last_stages_name_what_is_missing_however_far_before_them(stage: str) -> None:
    finish(params.load(SMOKE), *(s for s in STAGES if s != "02_sft"))
    assert "run notebooks/02_sft.ipynb with arm='sft', seed=0 first" in refused(stage)


def test_a_stage_knows_the_models_that_answered_for_an_arm(runs) -> None:
    P = params.load(SMOKE)
    finish(P, *STAGES)
    change(P, "00_base_model/shared", model="runs/cache/tiny-1")
    models = {arm: opened("07_probes").models(arm) for arm in ("base", "sft", "sft_dpo")}
    assert models == {
        "base": {0: ("runs/cache/tiny-1", None)},
        "sft": {0: ("runs/cache/tiny-1", runs / "smoke/02_sft/sft/seed0/adapter")},
        "sft_dpo": {0: ("runs/cache/tiny-1", runs / "smoke/04_dpo/sft_dpo/seed0/adapter")},
    }


def test_a_refused_stage_keeps_its_earlier_result() -> None:
    P = params.load(SMOKE)
    finish(P, "02_sft")
    refused("02_sft", arm="sft", seed=0)
    assert (plan.study_folder(P) / "02_sft/sft/seed0" / DONE).exists()


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
    written = json.loads((stage.folder / DONE).read_text("utf-8"))
    assert (written["stage"], written["arm"], written["seed"]) == ("00_base_model", "base", None)
    assert (written["parameters"], written["word"]) == (7, "失眠")
    assert written["params"] == json.loads(json.dumps(plan.read_by(stage.P, "00_base_model")))
    assert written["code"] == stages.code_hash("00_base_model") and written["src"] == stages.source_hash()
    assert "next: notebooks/01_data_prep.ipynb" in capsys.readouterr().out, "02_sft waits for it"
    finish(params.load(SMOKE), "01_data_prep")
    assert "next: notebooks/02_sft.ipynb" in capsys.readouterr().out


def test_after_the_last_stage_comes_the_report(capsys) -> None:
    finish(params.load(SMOKE), "07_probes")
    assert "next: ./study report smoke" in capsys.readouterr().out


def test_a_value_that_is_no_json_leaves_no_done_marker() -> None:
    stage = opened("00_base_model")
    with pytest.raises(TypeError):
        stage.close(oops=object())
    assert list(stage.folder.iterdir()) == []


# stale or not


def change(P: Params, folder: str, **values) -> None:
    """Rewrite a finished run's stage.json as if it had been made otherwise."""
    done = plan.study_folder(P) / folder / DONE
    done.write_text(json.dumps(json.loads(done.read_text("utf-8")) | values), "utf-8")


def stages_of(folders) -> set[str]:
    return {folder.split("/")[0] for folder in folders}


def test_a_finished_study_that_still_fits_has_no_problem() -> None:
    finish(params.load(SMOKE), *STAGES)
    assert problems(params.load(SMOKE)) == {}


def test_nothing_of_a_fresh_study_is_finished() -> None:
    assert set(problems(params.load(SMOKE)).values()) == {UNFINISHED}


def test_a_changed_key_makes_the_stages_stale_that_read_it_and_no_other() -> None:
    finish(params.load(SMOKE), *STAGES)
    found = problems(params.load(SMOKE, sft_epochs=5))
    assert stages_of(found) == set(STAGES[2:])
    assert found["02_sft/sft/seed0"] == "sft_epochs was 3.0 and is 5.0"


def test_a_changed_beta_keeps_the_labels() -> None:
    finish(params.load(SMOKE), *STAGES)
    assert stages_of(problems(params.load(SMOKE, dpo_beta=0.7))) == {"04_dpo", "05_evaluate", *STAGES[6:]}


def test_a_stale_input_names_the_changed_key_with_both_values() -> None:
    finish(params.load(SMOKE), "00_base_model", "01_data_prep")
    said = refused("02_sft", arm="sft", seed=0, data_cases=80)
    assert "01_data_prep/shared/stage.json does not stand: data_cases was 60 and is 80" in said


def test_a_stage_made_by_other_code_is_stale_and_so_are_those_after_it() -> None:
    P = params.load(SMOKE)
    finish(P, *STAGES)
    change(P, "03_rlaif_labels/sft_dpo/seed0", code="0" * 16)
    found = problems(P)
    assert found == {"03_rlaif_labels/sft_dpo/seed0": "the code of 03_rlaif_labels.ipynb changed"}
    assert "does not stand: the code of 03_rlaif_labels.ipynb changed" in refused("04_dpo", arm="sft_dpo", seed=0)


def test_a_stage_is_stale_when_what_it_read_was_made_by_another_recipe() -> None:
    P = params.load(SMOKE)
    finish(P, *STAGES)
    change(P, "04_dpo/sft_dpo/seed0", inputs={"base": "x", "data": "x", "sft": "x", "labels": "x"})
    assert problems(P)["04_dpo/sft_dpo/seed0"] == "it was made from other inputs (base, data, sft)"


def test_running_a_stage_again_by_the_same_recipe_leaves_those_after_it_standing() -> None:
    P = params.load(SMOKE)
    finish(P, *STAGES)
    finish(P, "02_sft", "01_data_prep")
    assert problems(P) == {}


def test_runs_made_with_other_code_under_src_stand_and_are_told_apart() -> None:
    P = params.load(SMOKE)
    finish(P, *STAGES)
    change(P, "02_sft/sft/seed0", src="older")
    assert problems(P) == {}
    assert stages.made_with(P)["older"] == ["02_sft/sft/seed0"]
    assert len(stages.made_with(P)[stages.source_hash()]) == len(plan.plan(P)) - 1


# what a notebook's globals hold


def test_papermills_injected_parameters_override_the_file() -> None:
    assert opened("00_base_model", base_steps=5).P.base_steps == 5


def test_a_whole_params_file_given_to_bare_papermill_is_that_study() -> None:
    injected = params.read_yaml(SMOKE)  # what `papermill -f params/smoke.yaml -p seed 0` puts into the notebook
    stage = open_stage("00_base_model", {"params_file": "params/default.yaml", "seed": 0, **injected})
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
    open_stage("00_base_model", notebook)
    notebook |= {"losses": [1.0], "text": "失眠", "parameters": 12, "rows": [{}], "base_steps": 7, "stage": object()}
    assert open_stage("00_base_model", notebook).P.base_steps == 7


def test_what_python_and_ipython_put_there_is_no_parameter() -> None:
    machinery = {"__name__": "__main__", "_": 3, "_i1": "x", "_dh": ["/"], "In": [""], "Out": {}, "json": json}
    assert stages.given_parameters({"params_file": SMOKE, "seed": 0, **machinery}) == {"params_file": SMOKE, "seed": 0}


def test_an_object_that_is_no_plain_value_is_no_parameter() -> None:
    assert stages.given_parameters({"params_file": SMOKE, "study": Params(), "arms": count()}) == {"params_file": SMOKE}


# the hash of a notebook's code


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """Save a notebook of one prose cell, the cell of parameters and one code cell; gives the hash of its code."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(stages, "ROOT", tmp_path)

    def save(prose="# 题", parameters="seed = 0", code="x = 1", outputs=(), count=None, metadata=None) -> str:
        sources = [
            ("markdown", prose, {}),
            ("code", parameters, {"tags": ["parameters"]}),
            ("code", code, metadata or {}),
        ]
        cells = [{"cell_type": kind, "metadata": meta, "source": [text], "outputs": list(outputs),
                  "execution_count": count} for kind, text, meta in sources]  # fmt: skip
        (tmp_path / "notebooks/02_sft.ipynb").write_text(json.dumps({"cells": cells}), "utf-8")
        return stages.code_hash("02_sft")

    return save


def test_what_is_saved_in_jupyterlab_without_changing_the_code_leaves_the_hash(saved) -> None:
    plain = saved()
    assert plain == saved(outputs=[{"output_type": "stream", "text": ["1"]}], count=3, metadata={"collapsed": True})
    assert plain == saved(prose="other words")
    assert plain == saved(parameters='params_file = "params/mine.yaml"\nseed = 2')
    assert plain == saved(code="# why\nx   =  1  # so\n\n")


def test_code_is_written_alike_under_every_python() -> None:
    subscript = ["Subscript", {"value": _name("a"), "slice": ["Constant", {"value": "'b'"}], "ctx": ["Load", {}]}]
    said = ["JoinedStr", {"values": [["FormattedValue", {"value": subscript, "conversion": "-1"}]]}]
    assert does("x = f'{a[\"b\"]}'  # why") == [["Assign", {"targets": [_name("x", "Store")], "value": said}]]
    assert does("# only words\n") == []


def _name(name: str, context: str = "Load") -> list:
    return ["Name", {"id": repr(name), "ctx": [context, {}]}]


def test_the_code_hash_notices_changed_code(saved) -> None:
    assert saved() != saved(code="x = 2")
