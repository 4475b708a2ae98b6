"""The health panel beside a trainer's checkpoints: a killed training goes on with every reading it took.

One file a checkpoint, written whole before the checkpoint of the same step: a checkpoint is never without its panel.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tcm.files import write_bytes
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Tensor
from tcm_rlaif.training.sft import SAVES

NAME = "panel-{}.safetensors"


def saved(P: Params, steps: int) -> dict[str, str | int]:
    """How a trainer of preferences saves: as SFT does; in several processes, which have no panel, not at all."""
    return {"save_strategy": "no"} if P.accelerate else {"save_strategy": "steps", "save_steps": max(1, steps // SAVES)}


def keep(folder: Path, step: int, said: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Write readings and healthy weights down.

    Of older files the newest stays: until the checkpoint of this step is whole, the one before it is gone on from.

    Args:
        folder: the trainer's `output_dir`.
        said: what the panel has read, for JSON.
        weights: the last healthy ones.
    """
    from safetensors.torch import save

    write_bytes(folder / NAME.format(step), save(dict(weights), {"panel": json.dumps(said)}))
    for older in sorted(folder.glob(NAME.format("*")), key=_step)[:-2]:
        older.unlink()


def take(folder: Path, step: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What `keep` wrote at a step.

    Raises:
        ValueError: where the file is missing or damaged: without it nobody knows which weights were healthy.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / NAME.format(step)
    try:
        with safe_open(path, "pt") as file:
            return json.loads(file.metadata()["panel"]), {name: file.get_tensor(name) for name in list(file.keys())}
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); remove {folder} to train from the beginning") from error


def clear(folder: Path) -> None:
    """Remove the readings of a training that is not gone on with."""
    for path in folder.glob(NAME.format("*")):
        path.unlink()


def _step(path: Path) -> int:
    return int(path.stem.split("-")[1])
