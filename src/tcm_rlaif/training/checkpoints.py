"""Checkpoints of a training: which of them is whole, so that a killed run goes on from it and never from half a one.

A kill or a full disk leaves a checkpoint cut off, and the trainer takes the newest for whole: it fails on it at every
later start, or goes on with its optimiser forgotten. It also takes whatever lies there for its own: where a killed
study goes on with other cases or another base, the checkpoints are those of another training.
"""

import hashlib
import json
import re
import shutil
import zipfile
from pathlib import Path

from tcm.files import read_json, write_bytes, write_text
from tcm_rlaif.models.drawn import policy_of
from tcm_rlaif.study.types import Trainer, TrainerCallback

# What going on needs, each under the names that plain and sharded trainings give it.
SHARDED = ("global_step*", "pytorch_model_fsdp*")
NEEDED = {
    "trainer_state.json": ("trainer_state.json",),
    "the state of the random generators": ("rng_state*.pth",),
    "optimizer.pt": ("optimizer*", *SHARDED),
    "scheduler.pt": ("scheduler.pt", *SHARDED),
    "weights": ("*model*.safetensors", "*model*.bin", *SHARDED),
}
EPOCH = "epoch-{}.rng"  # beside the checkpoints: the random generator as each epoch began
MADE_OF = "made_of.txt"  # beside the checkpoints: hash of what their training was made of


def only_own(trainer: Trainer) -> None:
    """Remove checkpoints that another training left in a trainer's folder, and say so.

    The folder is named after the parameters. What they do not say is the base as it was built, the policy that
    preference training starts from and the rows as they were written: of these a hash lies beside the checkpoints.

    Args:
        trainer: before it trains; one that saves no checkpoints is left alone.
    """
    if trainer.args.save_strategy == "no":
        return
    folder, came_in = Path(trainer.args.output_dir), policy_of(trainer.model, "start")
    training = hashlib.sha256(json.dumps([came_in, trainer.train_dataset[:]], sort_keys=True).encode()).hexdigest()
    left, note = [path for path in folder.glob("checkpoint-*") if _named(path)], folder / MADE_OF
    if left and not (note.is_file() and note.read_text("utf-8") == training):
        print(f"{folder}: checkpoints of another training (other rows, base or policy); removed, it begins afresh")
        for path in left:
            shutil.rmtree(path)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(note, training)


def going_on(trainer: Trainer) -> TrainerCallback:
    """A callback that mends what the trainer forgets where it goes on from a checkpoint in the middle of an epoch.

    Rows of like length are drawn together by the random generator as it stands when an epoch begins; the checkpoint has
    it as it stood later, so the rest of the epoch would be of another order: some rows twice, others never. And TRL
    counts tokens from 0 again. Of several processes the first draws the order for all.
    """
    import torch
    from transformers import TrainerCallback

    class GoingOn(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            self.within = not float(state.epoch or 0).is_integer()
            trainer._total_train_tokens = max((row.get("num_tokens", 0) for row in state.log_history), default=0)

        def on_epoch_begin(self, args, state, control, **kwargs):
            drawn_from = Path(args.output_dir) / EPOCH.format(int(state.epoch or 0))
            if not state.is_world_process_zero:
                return
            if self.within and drawn_from.is_file():
                torch.set_rng_state(torch.frombuffer(bytearray(drawn_from.read_bytes()), dtype=torch.uint8))
            elif args.save_strategy != "no":
                write_bytes(drawn_from, torch.get_rng_state().numpy().tobytes())
            self.within = False

    return GoingOn()


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
