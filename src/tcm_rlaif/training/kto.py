"""Kahneman-Tversky Optimization by TRL's trainer: single answers that are good or bad, no pairs needed."""

import random
from collections.abc import Sequence
from pathlib import Path

from tcm_rlaif.models import chat
from tcm_rlaif.models.logps import PAD_TO
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Model, Tokenizer, Trainer
from tcm_rlaif.training import dpo, economy, panel_file
from tcm_rlaif.training.adapters import lora, missing
from tcm_rlaif.training.arguments import arguments, on_one_gpu


def trainer(
    model: Model, tokenizer: Tokenizer, pairs: Sequence[dict], P: Params, *, seed: int, folder: Path
) -> Trainer:
    """TRL's KTO trainer on the chosen answers as good ones and the rejected as bad ones, with DPO's rate and beta.

    Source:
        arXiv 2402.01306, eq. 8; the answers of DPO's pairs are our choice, so that both learn from the same.
    """
    from datasets import Dataset
    from trl import KTOConfig, KTOTrainer

    economy.of_trl()
    answers = [(row["prompt"], row[side], side == "chosen") for row in pairs for side in ("chosen", "rejected")]
    rows = [{"prompt": prompt, "completion": answer, "label": good} for prompt, answer, good in answers]
    random.Random(f"{seed}:kto").shuffle(rows)  # TRL takes them in order, and KTO's KL needs other prompts beside it
    fitted = [row | {k: chat.fitted(tokenizer, row[k]) for k in ("prompt", "completion")} for row in rows]
    tokens = token_rows(tokenizer, rows)
    longest = max(len(r["prompt_ids"]) + max(len(r["completion_ids"]), len(r["KL_completion_ids"])) for r in tokens)
    settings = on_one_gpu(
        KTOConfig(
            **arguments(P, seed, folder, "kto", dpo.steps(P, len(pairs))),
            **panel_file.saved(P, dpo.steps(P, len(pairs))),
            per_device_train_batch_size=P.dpo_batch_size,
            gradient_accumulation_steps=2 * P.dpo_accumulation,  # a pair is two answers here: as many steps as DPO
            num_train_epochs=P.dpo_epochs,
            learning_rate=P.dpo_learning_rate,
            beta=P.dpo_beta,
            pad_to_multiple_of=PAD_TO,
            max_length=None,
            activation_checkpointing=economy.checkpointing(model, P.dpo_batch_size * (longest + PAD_TO), P),
        )
    )
    data = Dataset.from_list(fitted)
    trainer = KTOTrainer(
        model, args=settings, train_dataset=data, processing_class=tokenizer, peft_config=missing(model, lora(P))
    )
    trainer.train_dataset = tokens  # as in `dpo.trainer`
    return trainer


def token_rows(tokenizer: Tokenizer, rows: Sequence[dict]):
    """Rows as tokens; beside each the nearest answer before it to another prompt, which does not belong, for KTO's KL.

    Before the first comes the last; where all answers are to one prompt it is the answer itself.
    """
    from datasets import Dataset

    found = []
    for row in rows:
        ids, first = chat.row_tokens(tokenizer, row["prompt"], row["completion"])
        found.append({"prompt_ids": ids[:first], "completion_ids": ids[first:], "label": row["label"]})
    for place, row in enumerate(found):
        before = (found[place - back] for back in range(1, len(found)))
        other = next((one for one in before if one["prompt_ids"] != row["prompt_ids"]), row)
        row["KL_completion_ids"] = other["completion_ids"]
    return Dataset.from_list(found)
