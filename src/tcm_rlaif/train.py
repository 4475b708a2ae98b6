"""Training: the tiny base, SFT and DPO, all by well-kept trainers; here are only their arguments.

Convention, once for the whole study: log-probabilities of an answer are *summed* over its tokens, implicit rewards
include beta (arXiv 2305.18290, eq. 5), and a larger beta keeps the policy nearer to the reference.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_rlaif import corpus, prompts
from tcm_rlaif.cases import Case
from tcm_rlaif.models import compute_dtype
from tcm_rlaif.schema import Params

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer
    from trl import DPOTrainer, SFTTrainer


# Rows are padded to a multiple of so many tokens: a processor's kernels are built and kept for every shape that occurs,
# and a few shapes take 1.1 GiB where as many as there are lengths took 1.9 (measured on the embedded default's SFT).
PAD_TO = 64


def _arguments(P: Params, seed: int, folder: Path, stage: str, steps: int) -> dict[str, Any]:
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
        "use_cpu": not torch.cuda.is_available(),
        "report_to": "none",
        "save_total_limit": 1,
        "disable_tqdm": False,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }


def _steps(rows: int, batch: int, epochs: float) -> int:
    return max(1, math.ceil(math.ceil(rows / batch) * epochs))


def run(trainer: "Trainer") -> list[dict[str, float]]:
    """Train, going on from the last checkpoint where an interrupted run left one.

    Returns:
        The log as rows: `step`, `epoch` and what the trainer logged.
    """
    from transformers.trainer_utils import get_last_checkpoint

    folder = trainer.args.output_dir
    trainer.train(resume_from_checkpoint=get_last_checkpoint(folder) if Path(folder).is_dir() else None)
    return [row for row in trainer.state.log_history if "train_runtime" not in row]


def pretrain_trainer(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", P: Params, folder: Path
) -> "Trainer":
    """The trainer of the tiny base: statements joined by `<|endoftext|>` and cut into blocks of `base_block` tokens."""
    from transformers import Trainer, TrainingArguments, default_data_collator

    needed = P.base_steps * P.base_batch_size
    ids: list[int] = []
    stream = corpus.statements(P.base_seed + 1, P.base_patterns)
    while len(ids) < needed * P.base_block:
        for one in tokenizer(list(islice(stream, 2000)), add_special_tokens=False)["input_ids"]:
            ids += [*one, tokenizer.pad_token_id]
    blocks = [ids[i * P.base_block : (i + 1) * P.base_block] for i in range(needed)]
    arguments = TrainingArguments(
        **_arguments(P, P.base_seed, folder, "base", P.base_steps),
        per_device_train_batch_size=P.base_batch_size,
        max_steps=P.base_steps,
        learning_rate=P.base_learning_rate,
        weight_decay=0.05,
        save_strategy="no",
    )
    rows = [{"input_ids": block, "labels": block} for block in blocks]
    return Trainer(model, arguments, train_dataset=rows, data_collator=default_data_collator)


def lora(P: Params):
    """The LoRA configuration of every adapter: all linear layers (arXiv 2106.09685)."""
    from peft import LoraConfig

    return LoraConfig(
        r=P.lora_rank,
        lora_alpha=P.lora_alpha,
        lora_dropout=P.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def sft_rows(cases: Sequence[Case]):
    """Cases as TRL's prompt-completion rows: only the completion is learned."""
    from datasets import Dataset

    return Dataset.from_list([{"prompt": prompts.prompt(c), "completion": prompts.completion(c.answer)} for c in cases])


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

    epochs = P.sft_epochs if epochs is None else epochs
    each_epoch = (
        {"eval_strategy": "epoch", "save_strategy": "epoch", "load_best_model_at_end": True} if validation else {}
    )
    arguments = SFTConfig(
        **_arguments(P, seed, folder, "sft", _steps(len(train), P.sft_batch_size * P.sft_accumulation, epochs)),
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
        gradient_checkpointing=P.base_model != "tiny",
        metric_for_best_model="eval_loss" if validation else None,
        greater_is_better=False if validation else None,
    )
    fresh = None if isinstance(model, PeftModel) else lora(P)
    return SFTTrainer(
        model, arguments, train_dataset=train, eval_dataset=validation, processing_class=tokenizer, peft_config=fresh
    )


def dpo_trainer(
    model: "PreTrainedModel | PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    pairs: Sequence[dict],
    P: Params,
    *,
    seed: int,
    folder: Path,
    callbacks: Sequence = (),
) -> "DPOTrainer":
    """TRL's DPO trainer. The reference is the model as it comes in: with an SFT adapter, a frozen copy of that adapter.

    Args:
        model: a base model (fresh adapter, reference = base) or one with a trainable SFT adapter (reference = SFT).
        pairs: rows in TRL's conversational preference format: prompt, chosen, rejected.
        callbacks: e.g. the health panel.
    """
    from datasets import Dataset
    from peft import PeftModel
    from trl import DPOConfig, DPOTrainer

    rows = Dataset.from_list([{k: row[k] for k in ("prompt", "chosen", "rejected")} for row in pairs])
    arguments = DPOConfig(
        **_arguments(P, seed, folder, "dpo", dpo_steps(P, len(rows))),
        save_strategy="no",
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
        gradient_checkpointing=P.base_model != "tiny",
    )
    fresh = None if isinstance(model, PeftModel) else lora(P)
    return DPOTrainer(
        model,
        args=arguments,
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=fresh,
        callbacks=list(callbacks),
    )


def dpo_steps(P: Params, pairs: int) -> int:
    """Optimiser steps that DPO makes on so many pairs."""
    return _steps(pairs, P.dpo_batch_size * P.dpo_accumulation, P.dpo_epochs)


def sft_chosen_trainer(
    model: "PreTrainedModel | PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    pairs: Sequence[dict],
    P: Params,
    *,
    seed: int,
    folder: Path,
) -> "SFTTrainer":
    """The control of DPO: SFT on the chosen answers alone, with as many answer passes as DPO makes on its pairs.

    A frozen copy of an SFT adapter is kept as `ref`, as DPO keeps it, so that both are watched alike.
    """
    from datasets import Dataset
    from peft import PeftModel

    if isinstance(model, PeftModel):
        copy_adapter(model, "ref")
    rows = Dataset.from_list([{"prompt": row["prompt"], "completion": row["chosen"]} for row in pairs])
    P = P.model_copy(update={"sft_batch_size": P.dpo_batch_size, "sft_accumulation": P.dpo_accumulation})
    passes = {"epochs": 2 * P.dpo_epochs, "learning_rate": P.dpo_learning_rate}
    return sft_trainer(model, tokenizer, rows, None, P, seed=seed, folder=folder, **passes)


def with_adapter(model: "PreTrainedModel | PeftModel", P: Params) -> "PeftModel":
    """The model with an adapter: its own, or a fresh one, which changes nothing before it is trained."""
    from peft import PeftModel, get_peft_model

    return model if isinstance(model, PeftModel) else get_peft_model(model, lora(P))


def copy_adapter(model: "PeftModel", name: str) -> None:
    """Keep a frozen copy of the adapter `default` under another name; `default` stays the one that is trained."""
    model.add_adapter(name, model.peft_config["default"])
    for parameter_name, value in list(model.named_parameters()):
        if ".default." in parameter_name:
            copied = model.get_parameter(parameter_name.replace(".default.", f".{name}."))
            copied.data.copy_(value.data)
            copied.requires_grad_(False)


def trained(trainer: "Trainer") -> "PeftModel":
    """The trained model without the autocast wrapper of the trainer, in evaluation mode: as it will be loaded later."""
    return trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).eval()
