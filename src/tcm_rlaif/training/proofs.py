"""Proofs that a training is what it says: no row is cut, the loss is taken where it should be, DPO starts at ln 2.

Free of charge, and each catches a mistake that would cost a whole study; the notebooks call them as they train.
"""

from collections.abc import Sequence
from pathlib import Path

from tcm_rlaif.models import chat, prompts
from tcm_rlaif.models.prompter import PLAIN, Prompter
from tcm_rlaif.models.sampling import named
from tcm_rlaif.study.types import DPOTrainer, PeftModel, SFTTrainer, Tensor, Tokenizer


def check_lengths(
    tokenizer: Tokenizer, rows: Sequence[dict], limit: int, context: int | None = None, prompter: Prompter = PLAIN
) -> dict[str, int]:
    """Refuse rows that are too long; nothing is ever cut.

    Args:
        rows: prompt + completion, or prompt + chosen + rejected, as messages, with the `case_id` they come from.
        limit: `sft_max_length`, in tokens.
        context: of the model (`sampling.context_of`), in tokens; a row that fits `limit` alone is refused, too.
        prompter: what the rows are asked with: the error names its keys.

    Returns:
        `longest` (tokens) and `truncated` (always 0).

    Raises:
        ValueError: names the cases and the lengths of their rows.
    """
    lengths = [
        (row, field, len(chat.row_tokens(tokenizer, row["prompt"], row[field])[0]))
        for row in rows
        for field in ("completion", "chosen", "rejected")
        if field in row
    ]
    longest = max((length for *_, length in lengths), default=0)
    allowed = min(limit, context or limit)
    if longest > allowed:
        long = [(f"{row['case_id']} {field}", length) for row, field, length in lengths if length > allowed]
        fix = (
            f"sft_max_length is {limit}: raise it to {longest}"
            if longest <= (context or longest)
            else f"the model's context is {context} tokens: leave these cases out or take a model with a longer one"
        )
        raise ValueError(f"rows of more than {allowed} tokens: {named(long)}; {fix}{prompter.named()}")
    return {"longest": longest, "truncated": 0}


def supervised(trainer: SFTTrainer, number: int = 0) -> list[tuple[str, bool]]:
    """One row as the trainer sees it: text of each run of tokens, and whether the loss is taken there.

    Returns:
        Runs of (decoded text, is supervised), in order.
    """
    batch = trainer.data_collator([trainer.train_dataset[number]])
    length = int(batch["attention_mask"][0].sum())  # padding follows
    ids, labels = batch["input_ids"][0, :length].tolist(), batch["labels"][0, :length].tolist()
    runs: list[tuple[list[int], bool]] = []
    for token, label in zip(ids, labels, strict=True):
        if not runs or runs[-1][1] != (label != -100):
            runs.append(([], label != -100))
        runs[-1][0].append(token)
    return [(trainer.processing_class.decode(run), learned) for run, learned in runs]


def holds(text: str, part: str) -> bool:
    """Whether a decoded text holds another; white space, set by tokenizers and templates, does not count."""
    return "".join(part.split()) in "".join(text.split())


def first_loss(trainer: DPOTrainer) -> dict[str, float]:
    """DPO's loss and margin on the first batch before any step.

    With policy = reference the sigmoid loss is ln 2 = 0.6931 and the margin 0 (arXiv 2305.18290, eq. 7 at pi = pi_ref).
    """
    return batch_loss(trainer, trainer.args.per_device_train_batch_size)


def batch_loss(trainer: DPOTrainer, number: int) -> dict[str, float]:
    """The trainer's own loss and margin on the first rows of its data, without a step.

    Args:
        number: of pairs.
    """
    import torch

    trainer.model.eval()
    rows = [trainer.train_dataset[i] for i in range(min(number, len(trainer.train_dataset)))]
    with torch.no_grad(), trainer.compute_loss_context_manager():
        loss = trainer.compute_loss(trainer.model, trainer._prepare_inputs(trainer.data_collator(rows)))
    logged = {name: values[-1] for name, values in trainer._metrics["eval"].items()}
    trainer._metrics["eval"].clear()
    trainer.model.train()
    return {"loss": float(loss), "margin": logged["rewards/margins"]}


def reloaded_difference(policy: PeftModel, folder: Path, tokenizer: Tokenizer, text: str) -> float:
    """Largest absolute difference of logits between an adapter and what was saved of it, on the same base.

    A second base would ask for twice the memory at the end of a training that needed it once.

    Args:
        folder: of the saved adapter. text: as in `largest_difference`.
    """
    before = _logits(policy, tokenizer, text)
    policy.load_adapter(str(folder), "saved")
    policy.set_adapter("saved")
    after = _logits(policy, tokenizer, text)
    policy.set_adapter("default")
    policy.delete_adapter("saved")
    return float((before - after).abs().max())


def largest_difference(model, other, tokenizer: Tokenizer, text: str) -> float:
    """Largest absolute difference of two models' logits on a text: 0 when an adapter was saved and reloaded whole.

    Args:
        text: what a model said, say; the instruction is read where it said nothing.
    """
    return float((_logits(model, tokenizer, text) - _logits(other, tokenizer, text)).abs().max())


def _logits(model, tokenizer: Tokenizer, text: str) -> Tensor:
    import torch

    inputs = tokenizer(text or prompts.SYSTEM, return_tensors="pt").to(model.device)
    with torch.inference_mode():
        return model.eval()(**inputs).logits
