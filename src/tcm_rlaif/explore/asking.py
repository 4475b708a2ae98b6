"""Asking a trained arm: its answer, several draws, and what it thinks of writing next."""

import re
from typing import TYPE_CHECKING

from tcm.cases import Case
from tcm_rlaif.models import chat, sampling
from tcm_rlaif.models.decoding import decode

if TYPE_CHECKING:
    import pandas as pd

    from tcm_rlaif.explore.opened import Policy

GOES_ON = 8  # tokens that are shown behind a candidate for the next one: enough for the name of a herb and its dose
HERBS = "处方："


def draws(policy: "Policy", case: Case, number: int, temperature: float, seed: int = 0) -> list[str]:
    """Answers to a case, as a study samples them; with temperature 0 the greedy one.

    Args:
        seed: of the draws: the same seed draws the same answers.
    """
    found = sampling.sample(
        policy.model, policy.tokenizer, [case], number=number if temperature else 1, temperature=temperature,
        top_p=policy.P.candidate_top_p, max_new_tokens=policy.P.eval_max_new_tokens, batch_size=8, seed=seed,
        prompter=policy.prompter, end_at_loop=policy.P.candidate_end_at_loop,
    )  # fmt: skip
    return [sample.text for sample in found]


def begun(answer: str, herbs: int) -> str:
    """The beginning of an answer, up to where the next herb comes.

    Args:
        herbs: how many herbs of it are kept; where there is no prescription, the whole answer is the beginning.
    """
    before, found, after = answer.partition(HERBS)
    if not found:
        return answer
    kept = re.findall(r"[^，。]+，", after.split("。")[0] + "，")[:herbs]
    return before + found + "".join(kept)


def next_tokens(policy: "Policy", case: Case, beginning: str) -> "pd.DataFrame":
    """What a model would write next, after the beginning of an answer.

    Args:
        beginning: tokenized by itself; a model that sampled it may have spelt it in other tokens.

    Returns:
        Twelve rows, likeliest first: `next`, the token with how the model would go on from it (greedily, up to the end
        of that herb), and `probability`, of the token alone: over the vocabulary they sum to 1.
    """
    import pandas as pd
    import torch

    model, tokenizer = policy.model, policy.tokenizer
    ids = chat.prompt_tokens(tokenizer, policy.prompter.messages(case))
    ids = ids + tokenizer(beginning, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = model(torch.tensor([ids], device=model.device)).logits[0, -1]
    best = logits.float().softmax(-1).topk(12)
    after = decode(
        model, tokenizer, [[*ids, token] for token in best.indices.tolist()], None, temperature=0.0, top_p=1.0,
        limit=GOES_ON, ends={*chat.ends(model, tokenizer)},
    )  # fmt: skip
    rows = [
        {"next": _shown(tokenizer, token, rest), "probability": p}
        for token, rest, p in zip(best.indices.tolist(), after, best.values.tolist(), strict=True)
    ]
    return pd.DataFrame(rows)


def _shown(tokenizer, token: int, rest: list[int]) -> str:
    """A token, and behind a bar what would follow it, up to the end of the herb."""
    first = tokenizer.decode([token]).strip() or tokenizer.convert_ids_to_tokens(token)
    following = re.split("[，。；\n]", tokenizer.decode(rest, skip_special_tokens=True))[0]
    return f"{first}|{following}" if following and first[-1] not in "，。；" else first
