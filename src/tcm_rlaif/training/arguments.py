"""What all trainers share: their arguments, and going on from a checkpoint.

Convention, once for the whole study: log-probabilities of an answer are *summed* over its tokens, implicit rewards
include beta (arXiv 2305.18290, eq. 5), and a larger beta keeps the policy nearer to the reference.
"""

import hashlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_rlaif.models.loading import compute_dtype
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training import checkpoints

if TYPE_CHECKING:
    from transformers import Trainer, TrainingArguments


def arguments(P: Params, seed: int, folder: Path, stage: str, steps: int) -> dict[str, Any]:
    """What all trainers share: quiet, seeded, about 50 log rows, checkpoints that fit these parameters only."""
    import torch

    key = hashlib.sha256(json.dumps(P.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:12]
    return {
        "output_dir": str(folder / f"checkpoints-{stage}-{key}"),
        "seed": seed,
        "bf16": compute_dtype(P) == torch.bfloat16,
        "lr_scheduler_type": "cosine",
        "warmup_steps": steps // 10,
        "logging_steps": max(1, steps // 50),
        "logging_first_step": True,
        "logging_nan_inf_filter": False,  # it would write 0 for a loss that is no number
        "use_cpu": not torch.cuda.is_available(),
        "report_to": P.report_to,
        "save_total_limit": 1,
        "disable_tqdm": False,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }


def on_one_gpu(settings: "TrainingArguments") -> "TrainingArguments":
    """Keep a trainer on one GPU, however many are visible: by itself it would spread each batch over all of them.

    TRL's trainers refuse that (`DataParallel`), transformers' own would take a larger batch without a word. Several
    GPUs are for `accelerate`, whose processes have one each.
    """
    settings._n_gpu = min(1, settings.n_gpu)
    return settings


def steps_of(rows: int, batch: int, epochs: float) -> int:
    """Optimiser steps of so many passes over the rows."""
    return max(1, math.ceil(math.ceil(rows / batch) * epochs))


def run(trainer: "Trainer") -> list[dict[str, float]]:
    """Train, going on from the newest whole checkpoint where an interrupted run left one.

    Returns:
        The log as rows: `step`, `epoch` and what the trainer logged.

    Raises:
        FloatingPointError: as soon as a loss or the gradient is no number: every later step would be lost.
    """
    trainer.add_callback(_numbers())
    with trainer.args.main_process_first(local=False):  # of several processes one clears away what is damaged
        last = checkpoints.newest(Path(trainer.args.output_dir))
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    return [row for row in trainer.state.log_history if "train_runtime" not in row]


def _numbers():
    """A callback that ends a training whose loss or gradient is no number."""
    from transformers import TrainerCallback

    class Numbers(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            for name in ("loss", "grad_norm", "eval_loss"):
                if not math.isfinite(logs.get(name, 0)):
                    raise FloatingPointError(
                        f"step {state.global_step} of {state.max_steps}: {name} is {logs[name]}, nothing would be "
                        f"learned any more; lower the learning rate (here {args.learning_rate:g}), or set "
                        "base_dtype: float32 or base_attention: eager"
                    )

    return Numbers()
