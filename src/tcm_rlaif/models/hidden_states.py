"""Hidden states of prompts, layer by layer: what a model holds of a case at the moment before it answers."""

from collections.abc import Sequence

import numpy as np

from tcm.cases import Case
from tcm_rlaif.models.logps import PAD_TO
from tcm_rlaif.models.prompter import PLAIN, Prompter
from tcm_rlaif.models.sampling import prompt_ids
from tcm_rlaif.study.types import Model, Tokenizer

STATES = ("last", "mean")
"""Two readings of a prompt: its last token (what an answer starts from), and the mean over its tokens (what stands
anywhere in it)."""


def of_cases(
    model: Model, tokenizer: Tokenizer, cases: Sequence[Case], prompter: Prompter = PLAIN, batch_size: int = 16
) -> dict[str, np.ndarray]:
    """The hidden states of the prompts of cases.

    Args:
        model: with or without an adapter; it is read only.
        prompter: what the model was trained to be asked with.
        batch_size: prompts read together; changes speed and memory alone.

    Returns:
        As `of_prompts`.
    """
    return of_prompts(model, tokenizer, prompt_ids(tokenizer, cases, prompter), batch_size)


def of_prompts(
    model: Model, tokenizer: Tokenizer, prompts: Sequence[list[int]], batch_size: int = 16
) -> dict[str, np.ndarray]:
    """The hidden states of prompts, those of padding left out.

    Prompts of like length are read together; each is padded on the right, where no token before it can see the padding.

    Args:
        prompts: token ids, at least one each.

    Returns:
        Each of `STATES` -> float32, shape (layers + 1, prompts, hidden): first the embeddings (layer 0), then the
        output of each layer; the last one as the language-model head gets it, normalised.

    Raises:
        ValueError: for a learned prompt or prefix, which is no part of the layers: the states would be the base's.
    """
    import torch

    if getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False):
        raise ValueError("adapter: states are read of lora alone; leave arms with a prompt or prefix out of probe_arms")
    backbone = getattr(model, "get_base_model", lambda: model)().base_model  # an adapter's layers stay in it
    order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), i))
    found: dict[str, list] = {name: [None] * len(prompts) for name in STATES}
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        inputs = tokenizer.pad(
            {"input_ids": [prompts[i] for i in batch]}, return_tensors="pt", padding_side="right",
            pad_to_multiple_of=PAD_TO,
        ).to(model.device)  # fmt: skip
        with torch.inference_mode():
            read = backbone(**inputs, output_hidden_states=True, use_cache=False)
        mask = inputs["attention_mask"].float()
        lengths, row = mask.sum(-1), torch.arange(len(batch), device=mask.device)
        shares, layers = mask / lengths[:, None], read.hidden_states
        readings = {  # layer by layer: all of them in float32 at once would be several times the model's own states
            "last": [layer[row, lengths.long() - 1].float() for layer in layers],
            "mean": [torch.einsum("bth,bt->bh", layer.float(), shares) for layer in layers],
        }
        for name, values in readings.items():
            of_each = torch.stack(values, 1).cpu().numpy()  # (batch, layers + 1, hidden)
            for place, i in enumerate(batch):
                found[name][i] = of_each[place]
    return {name: np.stack(values, axis=1) for name, values in found.items()}
