"""`report_to: tensorboard`: refused in one line where the package is missing, and it moves no result."""

import importlib.util

import pytest
import tiny_model

from tcm_rlaif.study import params, stage
from tcm_rlaif.study.params import ParamsError
from tcm_rlaif.training.arguments import arguments, run
from tcm_rlaif.training.sft import sft_rows, sft_trainer

WATCHED = {**params.read_yaml("params/smoke.yaml"), "report_to": "tensorboard"}


def test_a_study_that_reports_to_what_is_not_installed_is_refused_before_anything_is_trained(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ParamsError, match="report_to: tensorboard is not installed; .*pip install tensorboard.*none"):
        stage.prepare("00_base_model", {"params_file": "params/smoke.yaml", "report_to": "tensorboard"})
    params.check_installed(params.load("params/smoke.yaml"))


def test_trainers_report_where_they_are_told_to(tmp_path) -> None:
    assert arguments(params.validated(WATCHED, "x"), 0, tmp_path, "sft", 10)["report_to"] == "tensorboard"
    assert arguments(params.load("params/smoke.yaml"), 0, tmp_path, "sft", 10)["report_to"] == "none"


def test_no_stage_is_due_because_of_it() -> None:
    assert stage.recipes(params.validated(WATCHED, "x")) == stage.recipes(params.load("params/smoke.yaml"))


def test_an_arm_cannot_differ_in_it() -> None:
    with pytest.raises(ParamsError, match="arms.sft.report_to: arms are compared in the same way|arms are compared"):
        params.validated({"arms": {"sft": {"report_to": "tensorboard"}}}, "x")


def test_a_training_is_written_for_tensorboard_and_learns_the_same(tmp_path) -> None:
    pytest.importorskip("tensorboard", reason="an optional package")
    logs = []
    for told in ("none", "tensorboard"):
        P = tiny_model.params(sft_epochs=1, report_to=told)
        trainer = sft_trainer(*tiny_model.base(), sft_rows(tiny_model.cases()[:4]), None, P, 0, tmp_path / told)
        logs.append([row["loss"] for row in run(trainer) if "loss" in row])
    assert logs[0] == logs[1] and logs[0]
    assert list((tmp_path / "tensorboard").rglob("events.out.tfevents.*"))
    assert not list((tmp_path / "none").rglob("events.out.tfevents.*"))
