"""Supervised fine-tuning: cases as prompt and completion, learned by TRL's trainer; here are only its arguments."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from tcm import answers
from tcm.cases import Case
from tcm_rlaif.models import chat, prompts
from tcm_rlaif.models.logps import PAD_TO
from tcm_rlaif.models.prompter import PLAIN, Prompter
from tcm_rlaif.study.schema import Params
from tcm_rlaif.study.types import Model, SFTTrainer, Tokenizer
from tcm_rlaif.training import adapters, economy
from tcm_rlaif.training.arguments import arguments, on_one_gpu, steps_of

SAVES = 4  # checkpoints of a training without validation; our choice


def sft_rows(
    cases: Sequence[Case],
    prompter: Prompter = PLAIN,
    followup_layout: Literal["changes", "full"] = "full",
    more: Sequence[dict] = (),
):
    """Cases, then what else is asked (`more`), as TRL's prompt-completion rows: only the completion is learned."""
    from datasets import Dataset

    texts = [answers.write_for(prompter.target(case), followup_layout) for case in cases]
    return Dataset.from_list(
        [
            {"case_id": c.id, "prompt": prompter.messages(c), "completion": prompts.completion(text)}
            for c, text in zip(cases, texts, strict=True)
        ]
        + list(more)
    )


def token_rows(tokenizer: Tokenizer, rows):
    """Prompt-completion rows as tokens, by the model's own template; rows that are tokens already stay."""
    from datasets import Dataset

    if rows is None or "input_ids" in rows.column_names:
        return rows
    pairs = [chat.row_tokens(tokenizer, row["prompt"], row["completion"]) for row in rows]
    return Dataset.from_list(
        [{"input_ids": ids, "completion_mask": [0] * first + [1] * (len(ids) - first)} for ids, first in pairs]
    )


def sft_trainer(
    model: Model,
    tokenizer: Tokenizer,
    train,
    validation,
    P: Params,
    *,
    seed: int,
    folder: Path,
    epochs: float | None = None,
    learning_rate: float | None = None,
    saves: int = SAVES,
    answered: int = 0,
) -> SFTTrainer:
    """TRL's SFT trainer with completion-only loss, watched by the validation loss; `sft_keep` says what is kept.

    Args:
        model: a base model, which gets a fresh adapter, or a model with a trainable adapter, which is continued.
        train: rows as of `sft_rows`, or any with `input_ids`, of which every token is learned; validation as of
            `sft_rows`, or None.
        epochs: passes over the rows; default `sft_epochs`. learning_rate: default `sft_learning_rate`.
        saves: without validation, checkpoints to go on from after a kill, spread over the training; 0 = none.
        answered: number of training answers, where `train` may hold rows beside them: no more steps are made,
            and no more readings taken, than on these alone, so that an arm gets no compute for its rows.
    """
    from trl import SFTConfig, SFTTrainer

    economy.of_trl()
    epochs = P.sft_epochs if epochs is None else epochs
    rows = token_rows(tokenizer, train)
    longest = max(map(len, rows["input_ids"])) + PAD_TO
    more = answered and len(train) != answered
    steps = steps_of(answered or len(train), P.sft_batch_size * P.sft_accumulation, epochs)
    settings = on_one_gpu(
        SFTConfig(
            **arguments(P, seed, folder, "sft", steps),
            **_saved(P, steps, bool(validation), saves, readings=epochs if more else 0),
            max_steps=steps if more else -1,
            per_device_train_batch_size=P.sft_batch_size,
            per_device_eval_batch_size=P.sft_batch_size,
            gradient_accumulation_steps=P.sft_accumulation,
            num_train_epochs=epochs,
            learning_rate=P.sft_learning_rate if learning_rate is None else learning_rate,
            pad_to_multiple_of=PAD_TO,
            max_length=None,  # `check_lengths` refuses long rows; cutting them would hide the end of an answer
            completion_only_loss=True,
            train_sampling_strategy="group_by_length",
            activation_checkpointing=economy.checkpointing(model, P.sft_batch_size * longest, P),
            metric_for_best_model="eval_loss" if validation else None,
            greater_is_better=False if validation else None,
        )
    )
    before, fresh = adapters.weights(model), adapters.missing(model, adapters.fresh(P))
    trainer = SFTTrainer(
        model,
        settings,
        train_dataset=rows,
        eval_dataset=token_rows(tokenizer, validation),
        processing_class=tokenizer,
        peft_config=fresh,
    )
    if fresh:
        adapters.begin(trainer.model, tokenizer, P)
    return adapters.in_float32(trainer, before)


def _saved(P: Params, steps: int, validated: bool, saves: int, readings: float) -> dict[str, Any]:
    """When weights are saved: with validation after each epoch, else `saves` times; and which are kept (`sft_keep`).

    Args:
        readings: how often to validate where the rows are more than the answers; 0 = after each epoch.
    """
    if not validated:
        return {"save_strategy": "steps", "save_steps": max(1, steps // saves)} if saves else {"save_strategy": "no"}
    keep = {"load_best_model_at_end": P.sft_keep == "best"}
    if not readings:
        return {"eval_strategy": "epoch", "save_strategy": "epoch", **keep}
    every = max(1, round(steps / readings))  # as often as without the further rows
    return {"eval_strategy": "steps", "eval_steps": every, "save_strategy": "steps", "save_steps": every, **keep}
