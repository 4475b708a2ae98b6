"""The control of DPO: SFT on the chosen answers alone."""

from collections.abc import Sequence
from pathlib import Path

from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Model, SFTTrainer, Tokenizer
from tcm_rlaif.training.arguments import steps_of
from tcm_rlaif.training.sft import sft_trainer


def trainer(
    model: Model, tokenizer: Tokenizer, pairs: Sequence[dict], P: Params, *, seed: int, folder: Path
) -> SFTTrainer:
    """The control of DPO: SFT on the chosen answers alone, with as many answer passes as DPO makes on its pairs."""
    from datasets import Dataset

    rows = Dataset.from_list([{"prompt": row["prompt"], "completion": row["chosen"]} for row in pairs])
    P = P.model_copy(update={"sft_batch_size": P.dpo_batch_size, "sft_accumulation": P.dpo_accumulation})
    passes = {"epochs": 2 * P.dpo_epochs, "learning_rate": P.dpo_learning_rate}
    return sft_trainer(model, tokenizer, rows, None, P, seed=seed, folder=folder, **passes)


def steps(P: Params, pairs: int) -> int:
    """Optimiser steps on the chosen answers of so many pairs: DPO passes two answers a pair."""
    return steps_of(pairs, P.dpo_batch_size * P.dpo_accumulation, 2 * P.dpo_epochs)
