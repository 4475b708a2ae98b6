"""The data-size study in small, as a user runs it: two sizes, one seed; its report draws the axis, says what helps."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tcm_rlaif.study import params
from tcm_rlaif.study.params import ROOT

STUDY = "small_data_test"
FOLDER, REPORTS = ROOT / "runs" / STUDY, ROOT / "reports" / STUDY
ENVIRONMENT = {**os.environ, "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))}
KEPT = ("base", "sft", "tasks", "boundary", "prompt")  # of rows, of order and (below) loss, of the adapter


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The study's results.json; what it left is removed at the end."""
    small = {
        k: v for k, v in params.read_yaml("params/smoke.yaml").items() if k.startswith(("base_", "data_", "eval_"))
    }
    whole = params.read_yaml("params/small-data.yaml")
    larger = ("data_", "eval_", "ablation_")
    values = {
        **{name: value for name, value in whole.items() if not name.startswith(larger)},
        **small,
        "study": STUDY, "seeds": [0], "sizes": {8: 1, 16: 1}, "sft_epochs": 2, "eval_cases": 8,
        "probe_arms": ["base", "sft_8", "sft_16"], "probe_cases": 60,
        "arms": {arm: whole["arms"][arm] for arm in KEPT},
    }  # fmt: skip
    values["arms"]["boundary"] |= whole["arms"]["noise_stability"]
    path = tmp_path_factory.mktemp("params") / "small.yaml"
    path.write_text(yaml.safe_dump(values), "utf-8")
    shutil.rmtree(FOLDER, ignore_errors=True)
    command = [sys.executable, "-m", "tcm_rlaif", "run", str(path)]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    yield json.loads((REPORTS / "results.json").read_text("utf-8"))
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.rmtree(REPORTS, ignore_errors=True)


def test_every_idea_stands_at_both_sizes_with_its_minutes(results):
    rows = results["data_size"]["rows"]
    assert {(row["idea"], row["answers"]) for row in rows} == {(i, n) for i in KEPT[1:] for n in (8, 16)}
    assert all(row["minutes"] > 0 and row["seeds"] == 1 for row in rows)


def test_every_idea_made_as_many_steps_as_plain_sft(results):
    for size, steps in ((8, 4), (16, 8)):
        for idea in KEPT[1:]:
            made = json.loads((FOLDER / "02_sft" / f"{idea}_{size}" / "seed0" / "stage.json").read_text("utf-8"))
            assert (made["steps"], made["cases"]) == (steps, size), idea


def test_the_report_says_of_each_idea_where_it_helps_and_draws_the_axis(results):
    said = " ".join(results["data_size"]["said"])
    assert all(f"{idea}: " in said for idea in KEPT[2:])
    report = (REPORTS / "report.html").read_text("utf-8")
    assert "by number of training answers" in report and said.split(".")[0][:40] in report


def test_scores_by_how_often_training_met_the_disease_are_kept(results):
    assert {row["arm"] for row in results["rarity"]} == {f"{idea}_{size}" for idea in KEPT[1:] for size in (8, 16)}


def test_probes_look_into_arms_of_the_axis_and_density_is_set_beside_every_curve(results):
    found = json.loads((FOLDER / "07_probes" / "probes.json").read_text("utf-8"))
    assert found["arms"] == ["base", "sft_8", "sft_16"]
    assert {row["arms"] for row in found["changes"]["rows"]} >= {"sft_8 - base", "sft_16 - base"}
    points = {(row["arm"], row["answers"]) for row in found["density"]["points"]}
    assert points == {(f"{idea}_{size}", size) for idea in KEPT[1:] for size in (8, 16)}
    assert (REPORTS / "probes.html").exists()
