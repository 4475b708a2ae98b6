"""A file that a finished stage wrote and that is damaged since is named, never read, and made again."""

import json
from pathlib import Path

import pytest

from tcm_rlaif.report import page, readme
from tcm_rlaif.report.page import ReportError
from tcm_rlaif.study import outputs, params, plan
from tcm_rlaif.study import stage as stages
from tcm_rlaif.study.plan import STAGES, StageError
from tcm_rlaif.study.stage import DONE, Stage, open_stage, problems

SMOKE = "params/smoke.yaml"
WRITTEN = {  # what the notebooks write, shortened
    "00_base_model": {},
    "01_data_prep": {"cases.jsonl": '{"id": 1}\n{"id": 2}\n{"id": 3}\n', "splits.json": '{"1": "train"}\n'},
    "02_sft": {"adapter/adapter_model.safetensors": "weights", "checkpoints-sft-1/a.bin": "passing"},
    "03_rlaif_labels": {"candidates.jsonl": "{}\n{}\n", "verdicts.json": "[]\n", "audit.json": "{}\n"},
    "04_dpo": {"adapter/adapter_model.safetensors": "weights", "pairs.jsonl": "{}\n"},
    "05_evaluate": {"scores.jsonl": "{}\n{}\n", "floors.jsonl": "{}\n"},
    "06_ablation": {"results.json": '{"study": "smoke"}\n'},
    "07_probes": {"probes.json": '{"study": "smoke"}\n'},
}


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """Folder of a finished smoke study whose files are stand-ins, with a base model in the cache."""
    for module in (plan, stages):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(stages, "code_hash", lambda stage: stage)
    monkeypatch.setattr(stages, "source_hash", lambda: "src")
    monkeypatch.setattr(stages, "_first_names", {})
    cache = tmp_path / "runs" / "cache" / "tiny-1"
    cache.mkdir(parents=True)
    (cache / "model.safetensors").write_text("the weights of the base")
    outputs.note(cache)
    P = params.load(SMOKE)
    for run in plan.plan(P):
        folder = plan.study_folder(P) / run.folder
        for name, text in WRITTEN[run.stage].items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
        cached = ["runs/cache/tiny-1"] if run.stage == "00_base_model" else []
        Stage(run, params.for_arm(P, run.arm), P, folder, {}).close(cached=cached)
    return plan.study_folder(P)


def due() -> dict[str, str]:
    return problems(params.load(SMOKE))


def test_a_finished_study_is_whole(study) -> None:
    assert due() == {}


DAMAGE = [
    ("01_data_prep/shared", "cases.jsonl", '{"id": 1}\n', "cases.jsonl is damaged: 1 rows where 3 were written"),
    ("01_data_prep/shared", "cases.jsonl", '{"id": 1}\n{"id": 2}\n{"id": 7}\n', "cases.jsonl is damaged: other bytes"),
    ("01_data_prep/shared", "splits.json", None, "splits.json is missing"),
    ("02_sft/sft/seed0", "adapter/adapter_model.safetensors", None, "adapter/adapter_model.safetensors is missing"),
    ("02_sft/sft/seed0", "adapter/adapter_model.safetensors", "weig", "4 bytes where 7 were written"),
    ("03_rlaif_labels/sft_dpo/seed0", "candidates.jsonl", "{}\n", "1 rows where 2 were written"),
    ("03_rlaif_labels/sft_dpo/seed0", "verdicts.json", "[", "verdicts.json is damaged"),
    ("05_evaluate/sft/seed0", "scores.jsonl", "", "scores.jsonl is damaged: 0 rows where 2 were written"),
    ("06_ablation", "results.json", '{"study"', "results.json is damaged: 8 bytes where 19 were written"),
]


@pytest.mark.parametrize(("folder", "name", "text", "said"), DAMAGE)
def test_the_stage_that_wrote_a_damaged_file_is_due_and_no_other(study, folder, name, text, said) -> None:
    path = study / folder / name
    path.unlink() if text is None else path.write_text(text, "utf-8")
    (found,) = due().items()
    assert found[0] == folder and said in found[1]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"params": {}}',
        "null",
        '{"stage": "0',
        "\x00",
        '{"params": 3, "code": "x", "inputs": [], "src": ""}',
        '{"params": {}, "code": "", "inputs": {}, "src": "", "cached": [1]}',
        "[" * 100_000,
    ],
    ids=["empty", "list", "object", "null", "cut", "binary", "other shapes", "a number in place of a name", "deep"],
)
def test_a_damaged_done_marker_makes_its_stage_due(study, stage: str, text: str) -> None:
    path = next(iter(sorted(study.glob(f"{stage}/**/{DONE}"))))
    path.write_text(text, "utf-8")
    assert due() == {path.parent.relative_to(study).as_posix(): "its stage.json is damaged"}


@pytest.mark.parametrize("text", [None, "", "the weights"], ids=["missing", "emptied", "cut"])
def test_a_damaged_base_model_in_the_cache_is_named_and_built_again(study, text: str | None) -> None:
    weights = study.parent / "cache" / "tiny-1" / "model.safetensors"
    weights.unlink() if text is None else weights.write_text(text, "utf-8")
    (folder, said), *others = due().items()
    assert (folder, others) == ("00_base_model/shared", []) and "runs/cache/tiny-1: model.safetensors is" in said


def test_a_cache_that_was_deleted_is_built_again(study) -> None:
    (study.parent / "cache" / "tiny-1" / "model.safetensors").unlink()
    (study.parent / "cache" / "tiny-1" / outputs.MANIFEST).unlink()
    (study.parent / "cache" / "tiny-1").rmdir()
    assert due() == {"00_base_model/shared": "runs/cache/tiny-1: is missing"}


def test_a_later_stage_is_refused_with_the_file_and_the_remedy(study) -> None:
    path = study / "01_data_prep" / "shared" / "cases.jsonl"
    path.write_text('{"id": 1}\n', "utf-8")
    with pytest.raises(StageError) as caught:
        open_stage("02_sft", {"params_file": SMOKE, "arm": "sft", "seed": 0})
    said = str(caught.value)
    assert "cases.jsonl is damaged: 1 rows where 3 were written" in said and "./study run" in said
    assert "01_data_prep.ipynb" in said and "\n" not in said


def test_a_file_made_again_is_whole_again(study) -> None:
    path = study / "05_evaluate" / "sft" / "seed0" / "scores.jsonl"
    path.write_text("", "utf-8")
    assert due()
    path.write_text(WRITTEN["05_evaluate"]["scores.jsonl"], "utf-8")
    assert due() == {}


def test_what_the_runner_writes_afterwards_and_checkpoints_damage_nothing(study) -> None:
    folder = study / "02_sft" / "sft" / "seed0"
    for name in ("log.txt", "timing.json", "notebook.ipynb", ".lock"):
        (folder / name).write_text("later", "utf-8")
    (folder / "checkpoints-sft-1" / "a.bin").unlink()
    assert due() == {}


def test_cut_results_are_not_published(study, tmp_path, monkeypatch) -> None:
    times = {"status": "done", "end": "9", "run": "06_ablation"}
    monkeypatch.setattr(page, "states", lambda _: [times])
    (study / "06_ablation" / "results.json").write_text('{"study"', "utf-8")
    with pytest.raises(ReportError, match="results.json is damaged.*./study run makes it again"):
        page.publish(study, tmp_path / "reports")
    assert not list((tmp_path / "reports").glob("*"))


def test_cut_published_results_are_named_when_the_readme_is_filled(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    path = tmp_path / "reports" / "mini" / "results.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"stu', "utf-8")
    text = f"{readme.BEGIN.format(study='mini')}\n{readme.END}"
    with pytest.raises(StageError, match="results.json: is damaged .*; ./study report mini writes it again"):
        readme.filled(text)


def test_a_study_of_before_files_were_noted_still_stands(study) -> None:
    for path in study.glob(f"**/{DONE}"):
        made = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps({k: v for k, v in made.items() if k not in ("files", "cached")}), "utf-8")
    assert due() == {}
