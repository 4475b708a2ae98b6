"""Decoding: tokens are drawn as often as their probabilities say, and the loop continues any causal model's prompts."""

import pytest
import tiny_model
import torch
from transformers import (
    BloomConfig,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    RwkvConfig,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from tcm_rlaif.models import decoding
from tcm_rlaif.models.decoding import LEAVE, decode, draw
from tcm_rlaif.models.sampling import answer_seed, sample, uniform_numbers

TOY = torch.tensor([0.3, 0.05, 0.4, 0.0, 0.25])
DRAWS = 20_000
SMALL = {"vocab_size": 768, "hidden_size": 32, "tie_word_embeddings": False}
HEADS = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
FAMILIES = {
    "learned positions": GPT2Config(**SMALL, n_layer=2, n_head=2, n_positions=256),
    "rotary positions": LlamaConfig(**SMALL, **HEADS),
    "a sliding window shorter than the prompt": Gemma3TextConfig(
        **SMALL, **HEADS, num_key_value_heads=1, head_dim=16, sliding_window=4,
        layer_types=["sliding_attention", "full_attention"],
    ),
    "distances instead of positions": BloomConfig(**SMALL, n_layer=2, n_head=2),
    "a state instead of attention": MambaConfig(**SMALL, num_hidden_layers=2, state_size=4),
}  # fmt: skip


def shares(temperature: float, top_p: float, uniform: torch.Tensor) -> torch.Tensor:
    """How often each token of the toy distribution is drawn."""
    logits = TOY.log().expand(len(uniform), -1)
    return torch.bincount(draw(logits, uniform, temperature, top_p), minlength=len(TOY)) / len(uniform)


@pytest.mark.parametrize(
    ("temperature", "top_p", "expected"),
    [
        (1.0, 1.0, TOY),
        (0.5, 1.0, TOY**2 / (TOY**2).sum()),
        (2.0, 1.0, TOY**0.5 / (TOY**0.5).sum()),
        (1.0, 0.95, torch.tensor([0.3, 0, 0.4, 0, 0.25]) / 0.95),
        (1.0, 0.8, torch.tensor([0.3, 0, 0.4, 0, 0.25]) / 0.95),  # 0.7 is too little, so the third is needed
        (1.0, 0.69, torch.tensor([0.3, 0, 0.4, 0, 0]) / 0.7),
        (1.0, 0.1, torch.tensor([0.0, 0, 1, 0, 0])),
        (0.5, 0.75, torch.tensor([0.09, 0, 0.16, 0, 0]) / 0.25),  # the temperature comes first
    ],
)
def test_tokens_are_drawn_as_often_as_the_distribution_says(temperature, top_p, expected) -> None:
    even = (torch.arange(DRAWS) + 0.5) / DRAWS
    assert (shares(temperature, top_p, even) - expected).abs().max() <= 1.01 / DRAWS
    seeds = [answer_seed(0, "case", number) for number in range(DRAWS // 100)]
    drawn = shares(temperature, top_p, uniform_numbers(seeds, 100).flatten())
    error = (expected * (1 - expected) / DRAWS).sqrt()
    assert (drawn[expected == 0] == 0).all() and ((drawn - expected).abs() <= 4.5 * error).all()


def test_the_numbers_of_an_answer_hang_on_neither_its_length_nor_its_neighbours_nor_on_each_other() -> None:
    seeds = [answer_seed(3, f"case-{n}", 0) for n in range(400)]
    numbers = uniform_numbers(seeds, 40)
    assert torch.equal(uniform_numbers(seeds[7:9], 5), numbers[7:9, :5])
    assert numbers.min() >= 0 and numbers.max() < 1 and len(numbers.unique()) > 0.99 * numbers.numel()
    together = torch.corrcoef(torch.stack([numbers[:, :-1].flatten(), numbers[:, 1:].flatten()]))[0, 1]
    across = torch.corrcoef(torch.stack([numbers[:-1].flatten(), numbers[1:].flatten()]))[0, 1]
    assert abs(together) < 4.5 / numbers.numel() ** 0.5 and abs(across) < 4.5 / numbers.numel() ** 0.5


@pytest.mark.parametrize("spread", [0.01, 1.0, 8.0], ids=["flat", "even", "peaked"])
@pytest.mark.parametrize("top_p", [0.3, 0.9, 0.999])
def test_the_nucleus_is_that_of_transformers_however_many_tokens_it_holds(spread, top_p) -> None:
    logits = spread * torch.randn(4, 500, generator=torch.Generator().manual_seed(0))
    warped = TopPLogitsWarper(top_p)(None, TemperatureLogitsWarper(0.9)(None, logits))
    even = (torch.arange(5000) + 0.5) / 5000
    for row, kept in zip(logits, warped.softmax(-1), strict=True):
        drawn = torch.bincount(draw(row.expand(5000, -1), even, 0.9, top_p), minlength=500) / 5000
        assert (drawn - kept).abs().max() <= 1.5 / 5000


def test_the_ends_of_the_random_numbers_draw_tokens_that_can_be_drawn() -> None:
    logits = torch.tensor([[float("-inf"), 0.0, 0.0, float("-inf")]]).expand(2, -1)
    edges = torch.tensor([0.0, 1 - 2**-24])
    for top_p in (1.0, 0.99):
        assert draw(logits, edges, 1.0, top_p).tolist() == [1, 2]


def small(family: str):
    """A model of the family whose words hang on what it reads; freshly initialised ones say the same to everything."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(FAMILIES[family]).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.mul_(8)
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_long_prompts_are_read_in_parts(family: str, monkeypatch) -> None:
    model, tokenizer = small(family), tiny_model.base()[1]
    prompts = [[5, 9, 300, 44, 8, 71, 32], [9, 12, 700], [5, 9, 300, 44, 8, 71, 32]]
    how = {"uniform": uniform_numbers([1, 2, 3], 12), "temperature": 1.0, "top_p": 0.9, "limit": 12, "ends": set()}
    expected = decode(model, tokenizer, prompts, **how)
    seen: list[int] = []
    model.register_forward_pre_hook(lambda m, args, given: seen.append(given["input_ids"].numel()), with_kwargs=True)
    monkeypatch.setattr(decoding, "READ", 6 * model.config.hidden_size)
    assert decode(model, tokenizer, prompts, **how) == expected
    in_one_go = "window" in family or "state" in family
    assert seen == [*([14] if in_one_go else [6, 6, 2]), *[3] * 11]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_is_continued_as_generate_continues_it(family: str) -> None:
    model, tokenizer = small(family), tiny_model.base()[1]
    prompts = [[5, 9, 300, 44, 8, 71, 32], [9, 12, 700], [5, 9, 300, 44, 8, 71, 32]]
    inputs = tokenizer.pad({"input_ids": prompts}, return_tensors="pt")
    settings = {"max_new_tokens": 12, "do_sample": False, "pad_token_id": tokenizer.pad_token_id, "eos_token_id": None}
    expected = model.generate(**inputs, **settings)[:, 7:].tolist()
    said = decode(model, tokenizer, prompts, None, temperature=0, top_p=1, limit=12, ends=set())
    assert said == expected and said[0] == said[2] != said[1]
    assert len(set(said[0])) > 2, "a model that repeats one token would not show a wrong position"
    stop = said[1][4]
    ended = decode(model, tokenizer, prompts, None, temperature=0, top_p=1, limit=12, ends={stop})
    assert ended == [row[: row.index(stop) + 1] if stop in row else row for row in expected]


def test_a_model_without_a_cache_is_refused_by_its_name() -> None:
    model = AutoModelForCausalLM.from_config(RwkvConfig(**SMALL, num_hidden_layers=2, attention_hidden_size=32))
    with pytest.raises(ValueError, match="base_model: a RwkvForCausalLM cannot be sampled here"):
        decode(model, tiny_model.base()[1], [[5, 9]], None, temperature=0, top_p=1, limit=2, ends=set())


def test_equal_prompts_are_read_once_and_an_answer_that_ended_leaves_the_batch() -> None:
    model, tokenizer = tiny_model.base()
    seen: list[tuple[int, int]] = []
    model.register_forward_pre_hook(
        lambda m, args, kwargs: seen.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    cases = tiny_model.cases()[:3]
    drawn = sample(model, tokenizer, cases, number=8, temperature=1.0, max_new_tokens=64, batch_size=24, seed=3)
    assert seen[0][0] == len(cases) and len({len(s.ids) for s in drawn}) > 1
    assert all(length == 1 for _, length in seen[1:])
    for step, (rows, _) in enumerate(seen[1:], 1):
        going = sum(s.tokens > step for s in drawn)
        assert (1 - LEAVE) * rows < going <= rows, step
