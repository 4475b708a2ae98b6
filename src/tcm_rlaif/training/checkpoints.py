"""Checkpoints of a training: which of them is whole, so that a killed run goes on from it and never from half a one.

A kill or a full disk leaves a checkpoint cut off, and the trainer takes the newest for whole: it fails on it at every
later start, or goes on with its optimiser forgotten.
"""

import re
import shutil
import zipfile
from pathlib import Path

from tcm.files import read_json

# What going on needs, each under the names that plain and sharded trainings give it.
SHARDED = ("global_step*", "pytorch_model_fsdp*")
NEEDED = {
    "trainer_state.json": ("trainer_state.json",),
    "the state of the random generators": ("rng_state*.pth",),
    "optimizer.pt": ("optimizer*", *SHARDED),
    "scheduler.pt": ("scheduler.pt", *SHARDED),
    "weights": ("*model*.safetensors", "*model*.bin", *SHARDED),
}


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint of a training; damaged ones are removed, and said.

    One whose best checkpoint is lost is no use either: the trainer would end with the last weights in its place.

    Args:
        folder: the trainer's `output_dir`, which need not exist.

    Returns:
        Folder of the checkpoint, or None to begin afresh.
    """
    step = {path: int(path.name.split("-")[1]) for path in folder.glob("checkpoint-*") if _named(path)}
    whole: list[Path] = []
    for path in sorted(step, key=step.__getitem__):
        if why := damage(path) or _lost_best(path, whole):
            print(f"{path}: {why}; removed, training goes on from the newest whole checkpoint before it, if any")
            shutil.rmtree(path)
        else:
            whole.append(path)
    return whole[-1] if whole else None


def damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint; None = whole."""
    for what, patterns in NEEDED.items():
        if not any(any(checkpoint.glob(pattern)) for pattern in patterns):
            return f"{what} is missing"
    for file in sorted(path for path in checkpoint.rglob("*") if path.is_file()):
        if not file.stat().st_size:
            return f"{file.name} is empty"
        if why := _unreadable(file):
            return f"{file.name} cannot be read ({why})"
    if _state(checkpoint).get("global_step") != int(checkpoint.name.split("-")[1]):
        return "trainer_state.json is of another step"
    return None


def _named(path: Path) -> bool:
    return path.is_dir() and re.fullmatch(r"checkpoint-\d+", path.name) is not None


def _state(checkpoint: Path) -> dict:
    state = read_json(checkpoint / "trainer_state.json")
    return state if isinstance(state, dict) else {}


def _lost_best(checkpoint: Path, whole: list[Path]) -> str | None:
    best = _state(checkpoint).get("best_model_checkpoint")
    if best is None or Path(best).resolve() in {path.resolve() for path in [*whole, checkpoint]}:
        return None
    return f"the best weights until then, {best}, are lost"


def _unreadable(file: Path) -> str | None:
    from safetensors import SafetensorError, safe_open

    try:
        if file.suffix in (".pt", ".pth", ".bin"):  # torch writes zip archives, which carry check sums
            with zipfile.ZipFile(file) as archive:
                return "check sum" if archive.testzip() else None
        if file.suffix == ".safetensors":
            with safe_open(file, framework="np"):
                return None
        if file.suffix == ".json":
            read_json(file)
    except (zipfile.BadZipFile, SafetensorError, ValueError, EOFError, OSError) as error:
        return str(error) or type(error).__name__
    return None
