"""Training in several processes is the same: same curve, same weights; and nothing of it outlives its notebook."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import SimpleNamespace

import psutil
import pytest
import tiny_model
import yaml

from tcm_rlaif.study.params import ROOT
from tcm_rlaif.training import dpo, launch
from tcm_rlaif.training.sft import sft_rows, sft_trainer

CPU = "profiles/accelerate/cpu.yaml"
SETTINGS = {"sft_batch_size": 4, "sft_epochs": 3, "dpo_batch_size": 2, "dpo_accumulation": 2, "dpo_epochs": 2}


def stage(**changes) -> SimpleNamespace:
    """As much of a stage as a training needs."""
    P = tiny_model.params(**SETTINGS, **changes)
    return SimpleNamespace(P=P, read=lambda role: {"model": str(tiny_model.folder())})


def trainer(kind: str, folder, P):
    """SFT from the base, watched by two validation cases, or DPO from an adapter; begun alike each time."""
    import torch

    tiny_model.folder()  # made once, with draws of its own
    torch.manual_seed(0)
    if kind == "sft":
        model, tokenizer = tiny_model.base()
        rows, validation = sft_rows(tiny_model.cases()[:8]), sft_rows(tiny_model.cases()[8:10])
        return sft_trainer(model, tokenizer, rows, validation, P, seed=0, folder=folder)
    model, tokenizer = tiny_model.with_adapter()
    return dpo.trainer(model, tokenizer, tiny_model.pairs(8), P, seed=0, folder=folder)


# what a step is, whatever the number of processes


@pytest.mark.parametrize(
    ("batch", "accumulation", "processes", "each"),
    [(4, 1, 2, (2, 1)), (4, 8, 4, (4, 2)), (1, 16, 8, (1, 2)), (8, 3, 4, (2, 3)), (4, 1, 1, (4, 1))],
)
def test_a_step_has_as_many_rows_in_many_processes_as_in_one(batch, accumulation, processes, each) -> None:
    found = launch.shares(batch, accumulation, processes)
    assert found == each and found[0] * found[1] * processes == batch * accumulation


def test_a_step_that_cannot_be_divided_is_refused_with_the_fix() -> None:
    with pytest.raises(ValueError, match="3 processes cannot share a step of 4 x 2 rows evenly; make the batch size"):
        launch.shares(4, 2, 3)


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "profiles/accelerate").glob("*.yaml")))
def test_every_configuration_that_is_shipped_is_one_that_accelerate_reads(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    path = ROOT / "profiles/accelerate" / name
    assert load_config_from_file(str(path)).num_processes == launch.processes_of(f"profiles/accelerate/{name}") >= 2


def test_a_configuration_that_is_none_is_one_clear_line(tmp_path) -> None:
    (tmp_path / "other.yaml").write_text("study: x\n", "utf-8")
    for path in (tmp_path / "absent.yaml", tmp_path / "other.yaml"):
        with pytest.raises(
            ValueError, match="no configuration of accelerate with num_processes; .*profiles/accelerate"
        ):
            launch.processes_of(str(path))
    (tmp_path / "two.yaml").write_text("num_processes: 4\nnum_machines: 2\n", "utf-8")
    with pytest.raises(ValueError, match="num_machines is 2; a run trains on one machine"):
        launch.processes_of(str(tmp_path / "two.yaml"))


def test_grpo_is_refused_beside_it() -> None:
    with pytest.raises(ValueError, match="leave out accelerate"):
        tiny_model.params(preference_training="grpo", judge="rubric", accelerate=CPU)


@pytest.mark.parametrize(
    "idea", [{"sft_order": "competence"}, {"sft_batches": "by_disease"}, {"sft_noise_stability": 1.0}]
)
def test_what_hooks_into_a_trainer_is_refused_rather_than_left_out(idea):
    with pytest.raises(ValueError, match="train in one process"):
        tiny_model.params(accelerate=CPU, **idea)


# the same training


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_two_processes_train_to_the_same_curve_and_weights_as_one(tmp_path, kind: str) -> None:
    """Tolerances: losses to one part in a thousand, the trained adapter to a hundredth of what training moved it."""
    curves, ends = [], []
    for name, place in (("one", stage()), ("two", stage(accelerate=CPU))):
        made = trainer(kind, tmp_path / name, place.P)
        start = tiny_model.weights(made.model)
        curves.append([row["loss"] for row in launch.run(made, place) if "loss" in row])
        ends.append(tiny_model.weights(made.model))
        assert made.state.global_step == len(curves[-1]) == (6 if kind == "sft" else 4)
    assert curves[1] == pytest.approx(curves[0], rel=1e-3)
    moved = sum(((ends[0][n] - w) ** 2).sum() for n, w in start.items() if "lora_B" in n)
    apart = sum(((ends[0][n] - w) ** 2).sum() for n, w in ends[1].items() if "lora_B" in n)
    assert moved > 0 and apart < 1e-4 * moved
    assert not list((tmp_path / "two").glob("*-processes")), "what was handed over is removed"


@pytest.mark.slow
def test_training_goes_on_from_a_checkpoint_in_other_processes(tmp_path) -> None:
    """Six steps, a kill after four (the checkpoint of the second pass), the rest, in an order of their own, in two."""
    from transformers import TrainerCallback

    class Kill(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 5:
                raise KeyboardInterrupt

    place = stage(accelerate=CPU)
    cut = trainer("sft", tmp_path / "cut", stage().P)
    cut.add_callback(Kill())
    with pytest.raises(KeyboardInterrupt):
        launch.run(cut, stage())
    again = trainer("sft", tmp_path / "cut", stage().P)
    again.args.output_dir = cut.args.output_dir
    rows = [row for row in launch.run(again, place) if "loss" in row]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    before = [row["loss"] for row in cut.state.log_history if "loss" in row]
    assert [row["loss"] for row in rows[:4]] == before[:4], "the first four steps are those of the checkpoint"


# its end


@pytest.mark.slow
def test_processes_that_fail_say_why(tmp_path) -> None:
    place = stage(accelerate=CPU)
    place.read = lambda role: {"model": str(tmp_path / "nowhere")}
    with pytest.raises(RuntimeError, match="2 processes failed") as failed:
        launch.run(trainer("sft", tmp_path, place.P), place)
    assert "nowhere" in str(failed.value)


PARENT = """
import signal, sys, test_launch
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
from tcm_rlaif.training import launch
from pathlib import Path
place = test_launch.stage(accelerate=test_launch.CPU, sft_permutations=0)
place.P = place.P.model_copy(update={"sft_epochs": 1000})
print("ready", flush=True)
launch.run(test_launch.trainer("sft", Path(sys.argv[1]), place.P), place)
"""


def of_training(folder) -> list[psutil.Process]:
    """All processes of a training in a folder, whoever their parent is."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            said = process.cmdline()
            found += [process] * ("tcm_rlaif.training.worker" in said and str(folder) in said[-1])
    return found


def trains(folder) -> bool:
    """Whether the processes of a training say that they made a step."""
    said = [path.read_text("utf-8", "replace") for path in folder.glob("*-processes/output.txt")]
    return any(re.search(r" [1-9]\d*/\d+ \[", text) for text in said)  # the progress bar: steps made/of all


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_notebook_leaves_no_process_behind(tmp_path, number: int) -> None:
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT / "tests"), os.path.dirname(__file__)))
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], env={**os.environ, "PYTHONPATH": paths},
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        end = time.time() + 300
        while len(of_training(tmp_path)) < 3 and time.time() < end:  # the launcher and two workers
            assert parent.poll() is None
            time.sleep(0.5)
        end = time.time() + 120
        while not trains(tmp_path) and time.time() < end:
            time.sleep(0.2)
        assert len(of_training(tmp_path)) == 3
        parent.send_signal(number)
        parent.wait(timeout=120)
        end = time.time() + 60
        while of_training(tmp_path) and time.time() < end:
            time.sleep(0.5)
        assert of_training(tmp_path) == []
    finally:
        for process in (parent, *of_training(tmp_path)):
            process.kill()


def test_a_process_that_got_the_number_of_a_dead_one_is_not_taken_for_it() -> None:
    me = psutil.Process()
    assert launch.alive(me.pid, me.create_time())
    assert not launch.alive(me.pid, me.create_time() - 100)


def test_what_is_written_down_can_be_read_by_others(tmp_path) -> None:
    place = stage(accelerate=CPU)
    made = trainer("sft", tmp_path / "x", place.P)
    launch._write(made, place, tmp_path / "job", 2)
    job = json.loads((tmp_path / "job" / launch.JOB).read_text("utf-8"))
    assert job["arguments"]["per_device_train_batch_size"] == 2 and "hub_token" not in job["arguments"]
    assert yaml.safe_load((ROOT / CPU).read_text("utf-8"))["num_processes"] == 2
