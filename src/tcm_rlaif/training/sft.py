"""Supervised fine-tuning: cases as prompt and completion, learned by TRL's trainer; here are only its arguments."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tcm.cases import Case
from tcm_rlaif.models import prompts
from tcm_rlaif.models.logps import PAD_TO
from tcm_rlaif.models.prompter import PLAIN, Prompter
from tcm_rlaif.study.schema import Params
from tcm_rlaif.training import economy
from tcm_rlaif.training.adapters import lora
from tcm_rlaif.training.arguments import arguments, steps_of

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTTrainer


def sft_rows(cases: Sequence[Case], prompter: Prompter = PLAIN):
    """Cases as TRL's prompt-completion rows: only the completion is learned."""
    from datasets import Dataset

    return Dataset.from_list(
        [{"case_id": c.id, "prompt": prompter.messages(c), "completion": prompts.completion(c.answer)} for c in cases]
    )


def sft_trainer(
    model: "PreTrainedModel | PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    train,
    validation,
    P: Params,
    *,
    seed: int,
    folder: Path,
    epochs: float | None = None,
    learning_rate: float | None = None,
) -> "SFTTrainer":
    """TRL's SFT trainer with completion-only loss; the epoch with the lowest validation loss is kept.

    Args:
        model: a base model, which gets a fresh adapter, or a model with a trainable adapter, which is continued.
        train: rows as of `sft_rows`; validation likewise, or None.
        epochs: passes over the rows; default `sft_epochs`. learning_rate: default `sft_learning_rate`.
    """
    from peft import PeftModel
    from trl import SFTConfig, SFTTrainer

    real = P.base_model != "tiny"
    if real:
        economy.answers_alone()
    epochs = P.sft_epochs if epochs is None else epochs
    each_epoch = (
        {"eval_strategy": "epoch", "save_strategy": "epoch", "load_best_model_at_end": True} if validation else {}
    )
    settings = SFTConfig(
        **arguments(P, seed, folder, "sft", steps_of(len(train), P.sft_batch_size * P.sft_accumulation, epochs)),
        **(each_epoch or {"save_strategy": "no"}),
        per_device_train_batch_size=P.sft_batch_size,
        per_device_eval_batch_size=P.sft_batch_size,
        gradient_accumulation_steps=P.sft_accumulation,
        num_train_epochs=epochs,
        learning_rate=P.sft_learning_rate if learning_rate is None else learning_rate,
        pad_to_multiple_of=PAD_TO,
        max_length=None,  # `check_lengths` refuses long rows; cutting them would hide the end of an answer
        completion_only_loss=True,
        train_sampling_strategy="group_by_length",
        gradient_checkpointing=real and economy.checkpointing(model, P.sft_batch_size * P.sft_max_length),
        metric_for_best_model="eval_loss" if validation else None,
        greater_is_better=False if validation else None,
    )
    fresh = None if isinstance(model, PeftModel) else lora(P)
    return SFTTrainer(
        model, settings, train_dataset=train, eval_dataset=validation, processing_class=tokenizer, peft_config=fresh
    )
