"""Snakemake runs exactly what is due, wherever in the study it lies (asked of Snakemake itself, without running it)."""

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tcm_rlaif.runner import study
from tcm_rlaif.study import params, plan, stage
from tcm_rlaif.study.schema import Params


@pytest.fixture(scope="module")
def finished() -> Iterator[Params]:
    """A study whose done-markers are written by hand; removed at the end."""
    P = params.validated({**params.read_yaml("params/smoke.yaml"), "study": "due_test"}, "x")
    shutil.rmtree(plan.study_folder(P), ignore_errors=True)
    for run in plan.plan(P):
        folder = plan.study_folder(P) / run.folder
        stage.Stage(run, params.for_arm(P, run.arm), P, folder, {}).close()
    (plan.study_folder(P) / study.PUBLISHED).touch()
    yield P
    shutil.rmtree(plan.study_folder(P), ignore_errors=True)


def planned(P: Params, due: list[str]) -> set[str]:
    """The rules that Snakemake would run."""
    command = [*study._snakemake(P, due, 2), "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=params.ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    counted = re.findall(r"^(\w+) +1$", (done.stdout + done.stderr), re.MULTILINE)
    return set(counted)


@pytest.mark.parametrize(
    "due",
    [
        ["01_data_prep/shared"],
        ["05_evaluate/sft/seed0", "06_ablation"],
        ["01_data_prep/shared", "06_ablation"],
        ["00_base_model/shared", "02_sft/sft/seed0", "03_rlaif_labels/dpo_only/seed0", "05_evaluate/sft/seed0"],
    ],
    ids=["the first", "the last two", "the first and the last", "here and there"],
)
def test_what_is_due_is_run_and_nothing_else(finished: Params, due: list[str]) -> None:
    assert planned(finished, due) == {*(study.rule_name(folder) for folder in due), "report"}


def test_every_stage_after_a_changed_one_is_run(finished: Params) -> None:
    changed = finished.model_copy(update={"sft_epochs": 2.0})
    due = list(stage.problems(changed))
    assert planned(changed, due) == {*map(study.rule_name, due), "report"} and len(due) > 4
