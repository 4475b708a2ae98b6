"""Direct Preference Optimization by TRL's trainer; here are only its arguments."""

from collections.abc import Sequence
from pathlib import Path

from tcm_rlaif.models import chat
from tcm_rlaif.models.logps import PAD_TO
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import DPOTrainer, Model, Tokenizer
from tcm_rlaif.training import economy, panel_file, shared_prefix
from tcm_rlaif.training.adapters import lora, missing
from tcm_rlaif.training.arguments import arguments, on_one_gpu, steps_of


def trainer(
    model: Model,
    tokenizer: Tokenizer,
    pairs: Sequence[dict],
    P: Params,
    *,
    seed: int,
    folder: Path,
    callbacks: Sequence = (),
) -> DPOTrainer:
    """TRL's DPO trainer. The reference is the model as it comes in: with an SFT adapter, a frozen copy of that adapter.

    Args:
        model: a base model (fresh adapter, reference = base) or one with a trainable SFT adapter (reference = SFT).
        pairs: rows in TRL's conversational preference format: prompt, chosen, rejected.
        callbacks: e.g. the health panel.
    """
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    economy.of_trl()
    rows = Dataset.from_list(
        [{k: chat.fitted(tokenizer, row[k]) for k in ("prompt", "chosen", "rejected")} for row in pairs]
    )
    tokens = token_rows(tokenizer, pairs)
    longest = max(len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"])) for row in tokens)
    settings = on_one_gpu(
        DPOConfig(
            **arguments(P, seed, folder, "dpo", steps(P, len(rows))),
            **panel_file.saved(P, steps(P, len(rows))),
            per_device_train_batch_size=P.dpo_batch_size,
            gradient_accumulation_steps=P.dpo_accumulation,
            num_train_epochs=P.dpo_epochs,
            learning_rate=P.dpo_learning_rate,
            beta=P.dpo_beta,
            loss_type=list(P.dpo_loss_type),
            loss_weights=list(P.dpo_loss_weights),
            label_smoothing=P.dpo_label_smoothing,
            pad_to_multiple_of=PAD_TO,
            max_length=None,
            activation_checkpointing=economy.checkpointing(model, 2 * P.dpo_batch_size * (longest + PAD_TO), P),
        )
    )
    trainer = DPOTrainer(
        model,
        args=settings,
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=missing(model, lora(P)),
        callbacks=list(callbacks),
    )
    trainer.train_dataset = tokens  # TRL's own start where prompt and whole differ, not at the end
    shared_prefix.share(trainer.model)
    return trainer


def token_rows(tokenizer: Tokenizer, pairs: Sequence[dict]):
    """Preference rows as tokens, by the model's own template and with the prompt as the sampler gives it."""
    from datasets import Dataset

    rows = []
    for pair in pairs:
        (chosen, first), (rejected, _) = (
            chat.row_tokens(tokenizer, pair["prompt"], pair[side]) for side in ("chosen", "rejected")
        )
        rows.append({"prompt_ids": chosen[:first], "chosen_ids": chosen[first:], "rejected_ids": rejected[first:]})
    return Dataset.from_list(rows)


def steps(P: Params, pairs: int) -> int:
    """Optimiser steps on so many pairs."""
    return steps_of(pairs, P.dpo_batch_size * P.dpo_accumulation, P.dpo_epochs)
