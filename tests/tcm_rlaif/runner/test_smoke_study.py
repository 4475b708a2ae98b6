"""The smoke study as a user runs it: started, killed, resumed, read; and single notebooks by plain papermill.

These tests share one study under runs/ and run in the order written.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from tcm_rlaif.report import first_screen
from tcm_rlaif.report.safe_html import problems
from tcm_rlaif.study import params, stage
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.plan import plan
from tcm_rlaif.study.timings import timeless

STUDY = "smoke_test"
FOLDER, REPORTS = ROOT / "runs" / STUDY, ROOT / "reports" / STUDY
ENVIRONMENT = {**os.environ, "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))}


@pytest.fixture(scope="module")
def params_file(tmp_path_factory):
    """The smoke parameters under a study name of our own; what the study left is removed at the end.

    The file's path holds what a shell, YAML and Snakemake each take for something else.
    """
    path = tmp_path_factory.mktemp("params") / "a: {x} #1.yaml"
    path.write_text(yaml.safe_dump({**params.read_yaml("params/smoke.yaml"), "study": STUDY}), "utf-8")
    shutil.rmtree(FOLDER, ignore_errors=True)
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / "report.html").write_text("the report of an earlier run", "utf-8")
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
        time.sleep(0.2)


@pytest.fixture(scope="module")
def killed(params_file):
    """The study, its whole group killed outright while the first notebooks run."""
    process = start(params_file)
    wait_for(lambda: list(FOLDER.glob("00_base_model/shared/log.txt")), 300, process)
    time.sleep(2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return (REPORTS / "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def stopped(killed, params_file):
    """The same command again; its first process alone is told to stop while the SFT notebook runs."""
    process = start(params_file)
    wait_for(lambda: list(FOLDER.glob("02_sft/*/*/log.txt")), 600, process)
    time.sleep(2)
    children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    code = process.wait(timeout=120)
    alive = psutil.wait_procs(children, timeout=60)[1]  # a kernel ends a moment after the notebook that it served
    done = {p: p.stat().st_mtime_ns for p in FOLDER.rglob(stage.DONE)}
    return {"code": code, "seen": children, "alive": alive, "done": done}


@pytest.fixture(scope="module")
def finished(stopped, params_file):
    """The same command again, to its end."""
    process = start(params_file)
    output = process.communicate(timeout=3600)[0]  # no promise: a machine that others use takes its time
    return {"code": process.returncode, "output": output}


def test_a_study_that_was_killed_keeps_the_report_it_had(killed):
    assert killed == "the report of an earlier run"


def test_a_study_told_to_stop_leaves_no_process(stopped):
    assert stopped["code"] == 128 + signal.SIGTERM
    assert len(stopped["seen"]) >= 3, "snakemake, runner and kernel were expected"
    assert stopped["alive"] == []


def test_a_stopped_notebook_is_not_taken_for_done(stopped):
    done = {p.parent.relative_to(FOLDER).parts[0] for p in stopped["done"]}
    assert {"00_base_model", "01_data_prep"} <= done
    assert "02_sft" not in done


def test_a_resumed_study_finishes(finished):
    assert finished["code"] == 0, finished["output"][-4000:]


def test_a_resumed_study_does_not_redo_finished_stages(finished, stopped):
    again = [str(p) for p, made in stopped["done"].items() if p.stat().st_mtime_ns != made]
    assert stopped["done"]
    assert again == []


def found(folder: Path, reports: Path) -> dict[str, object]:
    """What a study found along the chain that was disturbed: cases, pairs, answers with their scores, the floors."""
    read = (
        "01_data_prep/shared/cases.jsonl",
        "04_dpo/sft_dpo/seed0/pairs.jsonl",
        "05_evaluate/sft_dpo/seed0/scores.jsonl",
    )
    results = json.loads((reports / "results.json").read_text("utf-8"))
    arms = {arm: results["arms"][arm] for arm in ("base", "sft_dpo")}
    return {name: (folder / name).read_text("utf-8") for name in read} | timeless(arms | {"floors": results["floors"]})


@pytest.mark.slow
def test_a_study_that_was_killed_and_stopped_found_what_an_undisturbed_one_finds(finished, params_file, tmp_path):
    """From the stages that were killed and stopped to the answers of the arm that builds on all of them."""
    again = {"study": f"{STUDY}_again", "arms": {"base": {"training": "none"}, "sft_dpo": {}}, "probe_arms": []}
    path, places = tmp_path / "again.yaml", [ROOT / folder / again["study"] for folder in ("runs", "reports")]
    path.write_text(yaml.safe_dump({**params.read_yaml(str(params_file)), **again}), "utf-8")
    process = start(path)
    said = process.communicate(timeout=900)[0]
    undisturbed = found(*places) if process.returncode == 0 else said
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
    assert undisturbed == found(FOLDER, REPORTS)


def test_no_log_warns_of_parameters_that_are_known(finished):
    logs = [p for p in FOLDER.rglob("log.txt") if "unknown parameter" in p.read_text("utf-8")]
    assert logs == []


def test_every_run_of_the_plan_is_done_and_can_be_repeated(finished, params_file):
    for run in plan(params.load(params_file)):
        folder = FOLDER / run.folder
        for name in ("stage.json", "notebook.ipynb", "log.txt", "params.yaml", "timing.json"):
            assert (folder / name).is_file(), f"{run.folder}/{name}"


def test_the_report_is_one_safe_page_that_needs_no_network(finished):
    assert problems((REPORTS / "report.html").read_text("utf-8")) == []
    assert (REPORTS / "report.html").stat().st_size < 2_000_000


def test_the_results_hold_arms_floors_judge_and_cost(finished):
    results = json.loads((REPORTS / "results.json").read_text("utf-8"))
    assert list(results["arms"]) == ["base", "sft", "dpo_only", "sft_dpo"]
    assert {"popularity", "nearest_case", "copy_previous", "gold"} <= set(results["floors"])
    assert results["floors"]["gold"]["herb_f1"]["mean"] == 1.0
    trained = [row for row in results["dpo"] if row["pairs"]]
    assert all(abs(row["first loss"] - 0.6931) < 1e-3 and abs(row["first margin"]) < 1e-3 for row in trained)
    assert {row["stage"] for row in results["cost"]} >= {"02_sft", "04_dpo", "all"}
    assert all(row["peak MiB"] < 4096 for row in results["cost"])


def test_the_first_screen_says_what_imitation_and_what_feedback_adds(finished):
    first = (REPORTS / "report.html").read_text("utf-8").split("What was declared</h2>")[0]
    results = json.loads((REPORTS / "results.json").read_text("utf-8"))
    assert "AI feedback changes that by" in first_screen.lead(results), "the smoke study asks what feedback adds"
    assert "AI feedback changes that by" in first and "SFT " in first


def test_what_hidden_states_hold_lies_beside_the_report(finished):
    assert problems((REPORTS / "probes.html").read_text("utf-8")) == []
    found = json.loads((REPORTS / "probes.json").read_text("utf-8"))
    assert {row["arm"] for row in found["layers"]} == {row["arm"] for row in found["pareto"]} == set(found["arms"])
    assert {row["label"] for row in found["layers"]} >= {"tongue", "cold or heat", "deficiency or excess", "dose known"}
    assert all(0 <= row[key] <= 1 for row in found["layers"] for key in ("low", "accuracy", "high", "shuffled"))
    assert {row["arms"] for row in found["changes"]["rows"]} == {"sft - base", "sft_dpo - sft", "sft_dpo - base"}
    (said,) = found["density"]["said"]
    assert "one size of training data" in said


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
                          capture_output=True, text=True, timeout=600)  # fmt: skip


def test_bare_papermill_runs_notebooks_in_any_order_and_leaves_the_study_standing(finished, params_file, tmp_path):
    named = ("-p", "params_file", str(params_file))
    given = {"05_evaluate": ("-f", str(params_file), "-p", "arm", "base"), "01_data_prep": named, "06_ablation": named}
    for name, how in given.items():
        done = papermill(f"notebooks/{name}.ipynb", str(tmp_path / f"{name}.ipynb"), *how, "-k", "python3")
        assert done.returncode == 0, done.stderr[-3000:]
    done = {p: p.stat().st_mtime_ns for p in FOLDER.rglob(stage.DONE)}
    process = start(params_file)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output[-3000:]
    assert {p: p.stat().st_mtime_ns for p in FOLDER.rglob(stage.DONE)} == done, "the study ran stages again"


def test_the_explore_notebook_runs_headless_and_leaves_the_study_as_it_was(finished, params_file, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in FOLDER.rglob("*") if p.is_file()}
    out = tmp_path / "explore.ipynb"
    done = papermill("notebooks/explore.ipynb", str(out), "-p", "params_file", str(params_file), "-k", "python3")
    assert done.returncode == 0, done.stderr[-3000:]
    said = out.read_text("utf-8")
    for seen in ("Answers side by side", "likeliest next tokens", "Stacked bars"):
        assert seen in said, seen
    assert {p: p.stat().st_mtime_ns for p in FOLDER.rglob("*") if p.is_file()} == before


def test_a_page_of_the_explore_notebook_is_small_and_safe(finished):
    done = subprocess.run([sys.executable, "-m", "tcm_rlaif", "look", STUDY], cwd=ROOT, env=ENVIRONMENT,
                          capture_output=True, text=True, timeout=600)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert problems((REPORTS / "explore.html").read_text("utf-8")) == []
    assert (REPORTS / "explore.html").stat().st_size < 1_000_000
    linked = re.findall(r'<a href="([^"#]+)"', (REPORTS / "report.html").read_text("utf-8").split("<main>")[0])
    assert linked == ["cases.html", "probes.html", "explore.html", "../index.html"]


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
