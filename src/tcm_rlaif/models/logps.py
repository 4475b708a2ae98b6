"""Log-probabilities of answers under a policy, *summed* over the tokens of an answer (arXiv 2305.18290)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Rows are padded to a multiple of so many tokens: a processor's kernels are built and kept for every shape that occurs,
# and a few shapes take 1.1 GiB where as many as there are lengths took 1.9 (measured on the embedded default's SFT).
PAD_TO = 64


def answer_logps(
    model,
    tokenizer: "PreTrainedTokenizerBase",
    messages: Sequence[tuple[list, list]],
    finished: Sequence[bool] | None = None,
    batch_size: int = 16,
):
    """Summed log-probability and number of tokens of each answer given its prompt.

    Args:
        messages: (prompt, completion) as chat messages.
        finished: whether each answer came to its end; of one that was cut off, no end token is counted. Default: all.

    Returns:
        Two lists, length len(messages): sum of log-probabilities (nats), number of answer tokens.
    """
    import torch

    logps, counts = [], []
    for start in range(0, len(messages), batch_size):
        batch = messages[start : start + batch_size]
        ended = finished[start : start + batch_size] if finished else [True] * len(batch)
        head = [tokenizer.apply_chat_template(p, tokenize=False, add_generation_prompt=True) for p, _ in batch]
        full = [
            tokenizer.apply_chat_template(p + c, tokenize=False) if end else opened + c[0]["content"]
            for (p, c), opened, end in zip(batch, head, ended, strict=True)
        ]
        inputs = tokenizer(
            full,
            return_tensors="pt",
            padding=True,
            padding_side="right",
            pad_to_multiple_of=PAD_TO,
            add_special_tokens=False,
        )
        first = [len(ids) for ids in tokenizer(head, add_special_tokens=False)["input_ids"]]
        inputs = inputs.to(model.device)
        with torch.inference_mode():
            logits = model(**inputs).logits[:, :-1].float()
        taken = logits.log_softmax(-1).gather(-1, inputs["input_ids"][:, 1:, None]).squeeze(-1)  # (B, T-1)
        position = torch.arange(1, inputs["input_ids"].shape[1], device=model.device)
        answer = (position >= torch.tensor(first, device=model.device)[:, None]) & inputs["attention_mask"][
            :, 1:
        ].bool()
        logps += (taken * answer).sum(-1).tolist()
        counts += answer.sum(-1).tolist()
    return logps, counts
