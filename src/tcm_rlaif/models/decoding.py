"""Drawing tokens: a plain decoding loop over a causal language model, the whole batch at a time.

Each answer brings its random numbers, one a token. A number becomes a token by the inverse of the cumulative
distribution, so a draw depends on its own number and its own distribution, and on nothing beside it. The loop does what
`generate` with a processor could not: it reads equal prompts once, and an answer that ended leaves the batch.
"""

from collections.abc import Callable, Collection, Sequence
from inspect import signature

from tcm_rlaif.study.types import DynamicCache, Model, Tensor, Tokenizer

LEAVE = 1 / 8  # share of a batch that has ended when these answers leave it: then the cache of the others is copied
READ = 2**23  # numbers of the hidden states of prompts that are read at once: 9,362 tokens of a 0.5B model
NUCLEUS = 64  # likeliest tokens that a nucleus is looked for in first: found ten times as fast as all are sorted


def draw(logits: Tensor, uniform: Tensor, temperature: float, top_p: float) -> Tensor:
    """One token a row: the first at which the cumulative distribution, in the order of token ids, exceeds the number.

    Args:
        logits: shape (rows, vocabulary).
        uniform: shape (rows,), each in [0, 1).
        temperature: above 0.
        top_p: draw from the fewest likeliest tokens that together have this mass; 1 = from all.

    Returns:
        Token ids, shape (rows,).

    Source:
        Nucleus sampling: arXiv 1904.09751.
    """
    probability = (logits.float() / temperature).softmax(-1)
    if top_p == 1:
        return _inverse(probability, uniform)
    token, found = _from_nucleus(probability, uniform, top_p, min(NUCLEUS, probability.shape[-1]))
    wider = (~found).nonzero()[:, 0]
    if len(wider):
        token[wider], _ = _from_nucleus(probability[wider], uniform[wider], top_p, probability.shape[-1])
    return token


def _from_nucleus(probability: Tensor, uniform: Tensor, top_p: float, size: int) -> tuple[Tensor, Tensor]:
    """A token of each row's nucleus, and whether the nucleus lies among so many likeliest tokens."""
    best, tokens = probability.topk(size)
    before = best.cumsum(-1) - best
    tokens, order = tokens.sort(-1)
    kept = best.masked_fill(before >= top_p, 0).gather(-1, order)
    return tokens.gather(-1, _inverse(kept, uniform)[:, None]).squeeze(-1), best.sum(-1) >= top_p


def _inverse(weights: Tensor, uniform: Tensor) -> Tensor:
    """The first place of each row at which the cumulative weights exceed the number's share of their sum."""
    import torch

    cumulative = weights.cumsum(-1, dtype=torch.float64)  # in float32 the ends of a long vocabulary would shift
    return torch.searchsorted(cumulative, uniform[:, None].double() * cumulative[:, -1:], right=True).squeeze(-1)


def learned_tokens(model) -> tuple["DynamicCache | None", int]:
    """What a model keeps of a learned prompt or prefix (`adapter`), for one row, and how many tokens it is."""
    import torch
    from transformers import DynamicCache

    config = getattr(model, "active_peft_config", None)
    if config is None or not config.is_prompt_learning:
        return None, 0
    with torch.inference_mode():
        prompt = model.get_prompt(1)
        if not isinstance(prompt, torch.Tensor):  # keys and values of every layer
            return prompt, config.num_virtual_tokens
        base, cache = model.get_base_model(), DynamicCache(config=model.get_base_model().config)
        base(inputs_embeds=prompt.to(base.dtype), past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache, config.num_virtual_tokens


def decode(
    model: Model,
    tokenizer: Tokenizer,
    prompts: Sequence[list[int]],
    uniform: "Tensor | None",
    *,
    temperature: float,
    top_p: float,
    limit: int,
    ends: Collection[int],
    ended: Callable[[Sequence[int]], bool] | None = None,
) -> list[list[int]]:
    """Continue each prompt until it draws an end token or reaches the limit.

    Args:
        prompts: token ids of one prompt an answer; equal ones are read once.
        uniform: a number in [0, 1) for each answer and token, shape (answers, limit); None = greedy.
        temperature: as in `draw`.
        top_p: as in `draw`.
        limit: longest answer, in tokens.
        ends: tokens that end an answer.
        ended: asked for the tokens of an answer after each; where it says yes, the answer ends, too.

    Returns:
        The tokens drawn for each prompt, with the one that ended it.

    Raises:
        ValueError: for a model that keeps what it has read in no cache of transformers (RWKV, xLSTM).
    """
    import torch

    from tcm_rlaif.models.cache import GrowingLayer, growing_cache

    cache, learned = learned_tokens(model)
    model = getattr(model, "get_base_model", lambda: model)()  # an adapter's layers stay in it
    takes = signature(model.forward).parameters
    if not {"past_key_values", "cache_params"} & set(takes):
        raise ValueError(f"base_model: a {type(model).__name__} cannot be sampled here: it takes no transformers cache")
    first = {ids: row for row, ids in enumerate(dict.fromkeys(map(tuple, prompts)))}
    inputs = tokenizer.pad({"input_ids": [list(ids) for ids in first]}, padding_side="left", return_tensors="pt")
    inputs = inputs.to(model.device)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    position = (learned + mask.cumsum(-1) - 1).clamp(min=0)
    mask = torch.cat([mask.new_ones(len(first), learned), mask], -1)
    stops = torch.tensor(sorted(ends), device=model.device)
    going = torch.arange(len(prompts), device=model.device)  # the answers in the batch
    over = torch.zeros(len(prompts), dtype=torch.bool, device=model.device)  # those of them that have ended
    rows = torch.tensor([first[tuple(p)] for p in prompts], device=model.device)  # of the batch, that go on
    uniform = uniform if uniform is None else uniform.to(model.device)
    drawn: list[list[int]] = [[] for _ in prompts]
    if learned:
        cache.batch_repeat_interleave(len(first))
    else:
        cache = growing_cache(model.config)
    width = len(ids[0])
    if all(isinstance(layer, GrowingLayer) for layer in cache.layers):  # states and sliding windows are read in one go
        width = max(READ // (len(first) * model.config.get_text_config().hidden_size), 1)

    def read(ids: Tensor, mask: Tensor, position: Tensor, begins: bool) -> Tensor:
        """Logits after the last of some tokens; what stands before them lies in the cache."""
        given = {"input_ids": ids, "attention_mask": mask, "position_ids": position, "past_key_values": cache,
                 "cache_params": cache, "use_cache": True, "logits_to_keep": 1}  # fmt: skip
        given = {name: value for name, value in given.items() if name in takes}
        given = model.prepare_inputs_for_generation(**given, is_first_iteration=begins)  # what the model is used to
        return model(**given, return_dict=True).logits[:, -1]

    with torch.inference_mode():
        *parts, last = range(0, len(ids[0]), width)
        for start in parts:
            part = slice(start, start + width)
            read(ids[:, part], mask[:, : learned + start + width], position[:, part], start == 0)
        ids, position = ids[:, last:], position[:, last:]
        for step in range(limit):
            logits = read(ids, mask, position, step == last == 0)
            if step == 0:
                if len(first) < len(prompts):
                    cache.reorder_cache(rows)
                logits, mask, position = logits[rows], mask[rows], position[rows]
            token = logits.argmax(-1) if uniform is None else draw(logits, uniform[going, step], temperature, top_p)
            for answer, drawn_token, done in zip(going.tolist(), token.tolist(), over.tolist(), strict=True):
                if not done:
                    drawn[answer].append(drawn_token)
            over |= torch.isin(token, stops)
            if ended:
                over |= torch.tensor([ended(drawn[answer]) for answer in going.tolist()], device=over.device)
            on = (~over).nonzero()[:, 0]
            if len(on) == 0:
                break
            if len(on) <= (1 - LEAVE) * len(going):
                cache.reorder_cache(on)
                token, mask, position, going, over = token[on], mask[on], position[on], going[on], over[on]
            ids, position = token[:, None], position[:, -1:] + 1
            mask = torch.cat([mask, mask.new_ones(len(going), 1)], -1)
    return drawn
