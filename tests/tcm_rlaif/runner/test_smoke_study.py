"""The smoke study as a user runs it: started, killed, resumed, read; and single notebooks by plain papermill.

These tests share one study under runs/ and run in the order written.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from tcm_rlaif.report.safe_html import audit_html
from tcm_rlaif.study import params
from tcm_rlaif.study import plan as stages
from tcm_rlaif.study.params import ROOT

STUDY = "smoke_test"
FOLDER, REPORTS = ROOT / "runs" / STUDY, ROOT / "reports" / STUDY
ENVIRONMENT = {**os.environ, "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))}


@pytest.fixture(scope="module")
def params_file(tmp_path_factory):
    """The smoke parameters under a study name of our own; what the study left is removed at the end."""
    path = tmp_path_factory.mktemp("params") / "smoke_test.yaml"
    path.write_text(yaml.safe_dump({**params.read_yaml("params/smoke.yaml"), "study": STUDY}), "utf-8")
    shutil.rmtree(FOLDER, ignore_errors=True)
    yield path
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.rmtree(REPORTS, ignore_errors=True)


def start(path: Path) -> subprocess.Popen:
    """Start the study in a process group of its own, as a terminal does."""
    command = [sys.executable, "-m", "tcm_rlaif", "run", str(path)]
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, start_new_session=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip


def wait_for(condition, seconds: float, process: subprocess.Popen) -> None:
    """Wait until a condition holds; fails when the process ends first or time runs out."""
    end = time.time() + seconds
    while not condition():
        assert process.poll() is None, f"the study ended early:\n{process.stdout.read()[-3000:]}"
        assert time.time() < end, "the study did not come so far in time"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def killed(params_file):
    """The study, terminated while the SFT notebook runs; children seen before and left after."""
    process = start(params_file)
    wait_for(lambda: list(FOLDER.glob("02_sft/*/*/log.txt")), 600, process)
    time.sleep(3)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=60)
    _, alive = psutil.wait_procs(children, timeout=20)
    return {"seen": children, "alive": alive, "done": {p: p.stat().st_mtime_ns for p in FOLDER.rglob(stages.DONE)}}


@pytest.fixture(scope="module")
def finished(killed, params_file):
    """The same command again, to its end."""
    process = start(params_file)
    output = process.communicate(timeout=900)[0]
    return {"code": process.returncode, "output": output}


def test_a_terminated_study_leaves_no_process(killed):
    assert len(killed["seen"]) >= 3, "snakemake, runner and kernel were expected"
    assert killed["alive"] == []


def test_a_terminated_notebook_is_not_taken_for_done(killed):
    done = {p.parent.relative_to(FOLDER).parts[0] for p in killed["done"]}
    assert {"00_base_model", "01_data_prep"} <= done
    assert "02_sft" not in done


def test_a_resumed_study_finishes(finished):
    assert finished["code"] == 0, finished["output"][-4000:]


def test_a_resumed_study_does_not_redo_finished_stages(finished, killed):
    again = [str(p) for p, made in killed["done"].items() if p.stat().st_mtime_ns != made]
    assert killed["done"]
    assert again == []


def test_every_run_of_the_plan_is_done_and_can_be_repeated(finished, params_file):
    for run in stages.plan(params.load(params_file)):
        folder = FOLDER / run.folder
        for name in ("stage.json", "notebook.ipynb", "log.txt", "params.yaml", "timing.json"):
            assert (folder / name).is_file(), f"{run.folder}/{name}"


def test_the_report_is_one_safe_page_that_needs_no_network(finished):
    assert audit_html(REPORTS / "report.html") == []


def test_the_results_hold_arms_floors_judge_and_cost(finished):
    results = json.loads((REPORTS / "results.json").read_text("utf-8"))
    assert list(results["arms"]) == ["base", "sft", "dpo_only", "sft_dpo"]
    assert {"popularity", "nearest_case", "copy_previous", "gold"} <= set(results["floors"])
    assert results["floors"]["gold"]["herb_f1"]["mean"] == 1.0
    trained = [row for row in results["dpo"] if row["pairs"]]
    assert all(abs(row["first loss"] - 0.6931) < 1e-3 and abs(row["first margin"]) < 1e-3 for row in trained)
    assert {row["stage"] for row in results["cost"]} >= {"02_sft", "04_dpo", "all"}
    assert all(row["peak MiB"] < 4096 for row in results["cost"])


def test_preference_pairs_load_with_datasets(finished):
    from datasets import load_dataset

    path = max(FOLDER.glob("04_dpo/*/*/pairs.jsonl"), key=lambda p: p.stat().st_size)
    assert path.stat().st_size, "no arm of the smoke study has a pair"
    pairs = load_dataset("json", data_files=str(path), split="train", cache_dir=str(FOLDER / "datasets"))
    assert {"prompt", "chosen", "rejected"} <= set(pairs.column_names)
    assert pairs[0]["chosen"][0]["role"] == "assistant"


def test_the_funnels_of_a_study_add_up(finished):
    for path in FOLDER.glob("04_dpo/*/*/stage.json"):
        for unit in {row["unit"] for row in json.loads(path.read_text("utf-8"))["funnel"]}:
            counts = [row["count"] for row in json.loads(path.read_text("utf-8"))["funnel"] if row["unit"] == unit]
            assert counts[0] == sum(counts[1:]), (path, unit)


def papermill(*arguments: str) -> subprocess.CompletedProcess:
    """Plain papermill, as users type it."""
    return subprocess.run([sys.executable, "-m", "papermill", *arguments], cwd=ROOT, env=ENVIRONMENT,
                          capture_output=True, text=True, timeout=300)  # fmt: skip


def test_bare_papermill_runs_one_notebook_of_the_study(finished, params_file, tmp_path):
    out = str(tmp_path / "out.ipynb")
    done = papermill("notebooks/05_evaluate.ipynb", out, "-f", str(params_file), "-p", "arm", "base", "-k", "python3")
    assert done.returncode == 0, done.stderr[-3000:]


def test_bare_papermill_refuses_a_misspelt_parameter(params_file, tmp_path):
    out = str(tmp_path / "out.ipynb")
    done = papermill("notebooks/04_dpo.ipynb", out, "-f", str(params_file), "-p", "dpo_bata", "0.3", "-k", "python3")
    assert done.returncode != 0
    assert "did you mean 'dpo_beta'" in done.stderr


def test_a_notebook_without_its_upstream_says_what_to_run(params_file, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(params_file.read_text("utf-8").replace(STUDY, "never_run"), "utf-8")
    out = str(tmp_path / "out.ipynb")
    done = papermill("notebooks/02_sft.ipynb", out, "-f", str(other), "-k", "python3")
    shutil.rmtree(ROOT / "runs" / "never_run", ignore_errors=True)
    assert done.returncode != 0
    assert "run notebooks/00_base_model.ipynb" in done.stderr
