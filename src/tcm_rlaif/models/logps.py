"""Log-probabilities of answers under a policy, *summed* over the tokens of an answer (arXiv 2305.18290)."""

from collections.abc import Iterator, Sequence

from tcm.cases import Case
from tcm_rlaif.models import chat
from tcm_rlaif.models.prompter import PLAIN, Prompter
from tcm_rlaif.models.sampling import Sample, prompt_ids
from tcm_rlaif.study.types import Tensor, Tokenizer

# Rows are padded to a multiple of so many tokens: a processor's kernels are built and kept for every shape that occurs,
# and a few shapes take 1.1 GiB where as many as there are lengths took 1.9 (measured on the embedded default's SFT).
PAD_TO = 64
LOGITS = 2**28
"""Logits that may stand in memory at once: 1 GiB in float32. Our choice: sixteen case records whose lengths differ by a
thousand tokens would take ten times that at 152,000 words, and their log-softmax as much again."""


def answer_logps(model, tokenizer: Tokenizer, messages: Sequence[tuple[list, list]], **batch):
    """Summed log-probability and number of tokens of each written answer given its prompt.

    Args:
        messages: (prompt, completion) as chat messages; tokenised as the trainers tokenise them.

    Returns:
        As `token_logps`.
    """
    rows = [chat.row_tokens(tokenizer, prompt, completion) for prompt, completion in messages]
    return token_logps(model, tokenizer, [ids for ids, _ in rows], [first for _, first in rows], **batch)


def sample_logps(
    model, tokenizer: Tokenizer, cases: Sequence[Case], samples: Sequence[Sample], prompter: Prompter = PLAIN, **batch
) -> list[Tensor]:
    """Log-probability of each token of sampled answers, of the very tokens that were drawn: nothing is tokenised again.

    Args:
        cases: the case of each sample.
        prompter: what they were sampled with.

    Returns:
        For each sample shape (tokens drawn,), in nats.
    """
    heads = prompt_ids(tokenizer, cases, prompter)
    rows = [[*head, *s.ids] for head, s in zip(heads, samples, strict=True)]
    return of_each_token(model, tokenizer, rows, [len(head) for head in heads], **batch)


def token_logps(
    model, tokenizer: Tokenizer, rows: Sequence[list[int]], first: Sequence[int], batch_size: int = 16
) -> tuple[list[float], list[int]]:
    """Summed log-probability and number of the tokens of each row from a place on.

    Args:
        rows: token ids of prompt and answer.
        first: place in each row where the answer begins.

    Returns:
        Two lists, length len(rows): sum of log-probabilities (nats), number of answer tokens.
    """
    each = of_each_token(model, tokenizer, rows, first, batch_size)
    return [logps.sum().item() for logps in each], [len(logps) for logps in each]


def of_each_token(
    model, tokenizer: Tokenizer, rows: Sequence[list[int]], first: Sequence[int], batch_size: int = 16
) -> list[Tensor]:
    """Log-probability of each token of each row from a place on; arguments as of `token_logps`."""
    order = sorted(range(len(rows)), key=lambda i: (first[i], len(rows[i])))  # rows of like length are read together
    batches = next_token_logps(model, tokenizer, [rows[i] for i in order], [first[i] for i in order], batch_size)
    taken = dict(zip(order, (line for batch in batches for line in batch), strict=True))
    return [taken[i][begin - 1 : len(row) - 1] for i, (row, begin) in enumerate(zip(rows, first, strict=True))]


def next_token_logps(
    model, tokenizer: Tokenizer, rows: Sequence[list[int]], first: Sequence[int], batch_size: int = 16
) -> Iterator[Tensor]:
    """Batch by batch the log-probability of each token after the first, padded on the right.

    Args:
        first: place in each row from which on they are asked for. What lies before the earliest place of a
            batch is not multiplied with the vocabulary and reads 0.
        batch_size: rows read together at most; fewer where more than `LOGITS` would stand in memory.

    Yields:
        Shape (rows of the batch, tokens - 1), padding included.
    """
    import torch

    for batch in _batches(rows, first, batch_size, len(tokenizer)):
        inputs = tokenizer.pad(
            {"input_ids": [rows[i] for i in batch]},
            return_tensors="pt",
            padding_side="right",
            pad_to_multiple_of=PAD_TO,
        ).to(model.device)
        begin = max(1, min(first[i] for i in batch))
        asked = inputs["input_ids"][:, begin:]
        keep = asked.shape[1] + 1  # the token before the first one asked for says how likely that is
        with torch.inference_mode():
            # what a learned prompt puts before the text is left out
            logits = model(**inputs, logits_to_keep=keep).logits[:, -keep:-1]
            one_by_one = zip(logits, asked, strict=True)  # of one row at a time, not of all, a second table is made
            taken = [row.float().log_softmax(-1).gather(-1, ids[:, None]).squeeze(-1) for row, ids in one_by_one]
        yield torch.nn.functional.pad(torch.stack(taken), (begin - 1, 0))


def _batches(rows: Sequence[list[int]], first: Sequence[int], most: int, words: int) -> Iterator[list[int]]:
    """Places of rows that are read together, in order: as many as may be, whose logits fit."""
    batch: list[int] = []
    for i in range(len(rows)):
        wider = [*batch, i]
        asked = max(len(rows[j]) for j in wider) - min(first[j] for j in wider) + PAD_TO
        if batch and (len(wider) > most or len(wider) * asked * words > LOGITS):
            yield batch
            wider = [i]
        batch = wider
    if batch:
        yield batch
