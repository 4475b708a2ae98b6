"""Training in several processes under `accelerate launch`: the same trainer, its rows and its start, worked elsewhere.

Whoever trains builds the trainer as ever. With `accelerate` (a configuration of that library: DDP, FSDP2, DeepSpeed)
its rows, arguments and adapter are written down, the processes train on them (`worker`), and the weights and the log
come back into the trainer, so that everything after it is as if it had trained itself. The batch of a step stays what
the parameters say, whatever the number of processes: it is divided among them.

The processes are a group of their own. It is ended when training fails or is interrupted, and ends by itself within
seconds when the process that started it is killed outright: nothing is left on a GPU.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import psutil
import yaml

from tcm.files import read_json, write_json
from tcm_rlaif.models.memory import off_the_gpu
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.study.stage import Stage
from tcm_rlaif.study.types import Trainer
from tcm_rlaif.training import arguments, checkpoints

JOB, RESULT = "job.json", "result.json"
ERROR = re.compile(r"(?:\[rank\d+\]: ?)?[\w.]*(?:Error|Exception)\b")  # the line of a traceback that says why
PATIENCE = 10  # seconds that processes told to end may take


def run(trainer: Trainer, stage: Stage) -> list[dict[str, float]]:
    """Train: in this process, or in those that `accelerate` configures; goes on from a checkpoint of it either way.

    Returns:
        The log as rows, as of `arguments.run`.

    Raises:
        ValueError: for a configuration that cannot be used.
        RuntimeError: if the processes failed; the message says why and where all of their output lies.
    """
    checkpoints.only_own(trainer)
    if not stage.P.accelerate:
        trainer.add_callback(checkpoints.going_on(trainer))
        return arguments.run(trainer)
    from transformers import TrainerState

    processes = processes_of(stage.P.accelerate)
    folder = Path(f"{trainer.args.output_dir}-processes")
    _write(trainer, stage, folder, processes)
    with off_the_gpu(trainer.model):
        _launch(stage.P.accelerate, folder, processes)
    result = read_json(folder / RESULT)
    _take(trainer.model, folder / "adapter")
    trainer.state = TrainerState.load_from_json(str(folder / "trainer_state.json"))
    shutil.rmtree(folder)
    print(f"trained in {processes} processes ({result['distributed']}), {result['batch']} rows each at a time")
    return [row for row in trainer.state.log_history if "train_runtime" not in row]


def processes_of(config: str) -> int:
    """How many processes a configuration of `accelerate` starts on this machine.

    Raises:
        ValueError: where it cannot be read, or is for several machines (a run of a study is one machine's; the runs of
            a sweep are spread over machines by Snakemake).
    """
    path = ROOT / config
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
        processes, machines = int(found["num_processes"]), int(found.get("num_machines", 1))
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        raise ValueError(f"accelerate: {path}: no configuration of accelerate with num_processes; `accelerate config` "
                         "writes one, profiles/accelerate holds some") from None  # fmt: skip
    if machines != 1:
        raise ValueError(f"accelerate: {path}: num_machines is {machines}; a run trains on one machine")
    return processes


def shares(batch: int, accumulation: int, processes: int) -> tuple[int, int]:
    """Rows at a time and passes a step of each process, so that a step has the rows that it has in one process.

    Raises:
        ValueError: where they cannot be divided.
    """
    if accumulation % processes == 0:
        return batch, accumulation // processes
    if batch % processes == 0:
        return batch // processes, accumulation
    raise ValueError(f"accelerate: {processes} processes cannot share a step of {batch} x {accumulation} rows evenly; "
                     "make the batch size or the accumulation a multiple of their number")  # fmt: skip


def _write(trainer: Trainer, stage: Stage, folder: Path, processes: int) -> None:
    """Write down what the processes need."""
    args = trainer.args
    batch, accumulation = shares(args.per_device_train_batch_size, args.gradient_accumulation_steps, processes)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    trainer.model.save_pretrained(folder / "start", selected_adapters=["default"])
    trainer.train_dataset.save_to_disk(folder / "train")
    if trainer.eval_dataset is not None:
        trainer.eval_dataset.save_to_disk(folder / "validation")
    given = {field.name for field in fields(args) if field.init}
    settings = {name: value for name, value in args.to_dict().items() if name in given and not name.endswith("_token")}
    settings |= {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation}
    job = {
        "trainer": type(trainer).__name__,
        "source": stage.read("base")["model"],
        "params": stage.P.model_dump(mode="json"),
        "arguments": settings,
        "parent": [os.getpid(), psutil.Process().create_time()],
    }
    write_json(folder / JOB, job)


def _launch(config: str, folder: Path, processes: int) -> None:
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(ROOT / config),
               "--main_process_port", "0", "-m", "tcm_rlaif.training.worker", str(folder)]  # fmt: skip
    threads = max(1, int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)) // processes)
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    output = folder / "output.txt"
    with output.open("w", encoding="utf-8") as file:
        how = {"stdout": file, "stderr": subprocess.STDOUT, "start_new_session": True}
        group = subprocess.Popen(command, env=environment, **how)
        try:
            status = group.wait()
        finally:
            end(group.pid)
    if status or not (folder / RESULT).is_file():
        said = output.read_text("utf-8", errors="replace").strip().splitlines() or ["nothing"]
        why = next(filter(ERROR.match, said), said[-1])
        raise RuntimeError(f"accelerate: {processes} processes failed (exit status {status}): {why} (all: {output})")


def end(pid: int) -> None:
    """End a process and all that it started: first asked to, then killed."""
    try:
        top = psutil.Process(pid)
        left = [*top.children(recursive=True), top]
    except psutil.NoSuchProcess:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        _, left = psutil.wait_procs(left, PATIENCE)


def _take(model, adapter: Path) -> None:
    """Give a model the weights of an adapter that was trained elsewhere; every one must have its place."""
    from peft import get_peft_model_state_dict, set_peft_model_state_dict
    from safetensors.torch import load_file

    weights = load_file(adapter / "adapter_model.safetensors")
    if missing := set(get_peft_model_state_dict(model)) ^ set(weights):
        raise RuntimeError(f"accelerate: {len(missing)} weights of the trained adapter do not fit, as {min(missing)}")
    set_peft_model_state_dict(model, weights)


def alive(pid: int, born: float) -> bool:
    """Whether a process still runs, and is not another one that got its number.

    Args:
        born: its creation time, in seconds, as psutil tells it.
    """
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - born) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def watch(pid: int, born: float) -> None:
    """End this process's group once its launcher, or the process that wants its work, is gone; looks each second."""
    launcher = os.getppid()

    def wait() -> None:
        while alive(pid, born) and os.getppid() == launcher:
            time.sleep(1)
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()
