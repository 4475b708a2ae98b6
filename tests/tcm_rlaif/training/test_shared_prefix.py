"""What both answers of a pair begin with is computed once, at the same states, gradients and loss of DPO."""

import logging

import pytest
import tiny_model
import torch
from transformers import AutoModelForCausalLM, BloomConfig, Gemma3TextConfig, GPT2Config, MambaConfig, Qwen2Config

from tcm_rlaif.training import dpo, proofs, shared_prefix

SIZES = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "intermediate_size": 48, "head_dim": 8}  # fmt: skip
ENDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
LOCAL = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 256, **SIZES, **ENDS}
CONFIGS = {
    "Qwen2": Qwen2Config(**SIZES),
    "GPT-2": GPT2Config(vocab_size=60, n_embd=32, n_layer=2, n_head=4),
    "Gemma 3": Gemma3TextConfig(**LOCAL),
    "Gemma 3, short window": Gemma3TextConfig(**{**LOCAL, "sliding_window": 8}),
    "Bloom": BloomConfig(vocab_size=60, hidden_size=32, n_layer=2, n_head=4),
    "Mamba": MambaConfig(vocab_size=60, hidden_size=32, num_hidden_layers=2, state_size=4),
}
ONCE = 2 * 192  # two rows of at most 124 + 3 + 9 tokens, padded to a multiple of 64: few shapes, see `PAD_TO`
SHARING = ("Qwen2", "GPT-2", "Gemma 3")


def model_of(config) -> torch.nn.Module:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


def batch(prompts=(120, 124), chosen=(5, 3), rejected=(4, 9)) -> dict:
    """Pairs as DPO's collator lays them: chosen rows, then rejected rows, padded on the right."""
    draw = torch.Generator().manual_seed(1)

    def tokens(number: int) -> torch.Tensor:
        return torch.randint(3, 60, (number,), generator=draw)

    asked = [tokens(number) for number in prompts]
    rows = [
        torch.cat([prompt, tokens(n)]) for side in (chosen, rejected) for prompt, n in zip(asked, side, strict=True)
    ]
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return {"input_ids": padded, "attention_mask": (padded > 0).long(), "use_cache": False}


def passes(model) -> list[int]:
    """Tokens of every pass through the layers, as they come."""
    seen: list[int] = []
    model.get_input_embeddings().register_forward_pre_hook(lambda _, given: seen.append(given[0].numel()))
    return seen


def states_and_gradients(model, given: dict) -> list[torch.Tensor]:
    model.zero_grad()
    states = model.base_model(**given).last_hidden_state * given["attention_mask"][..., None]
    states.square().sum().backward()
    return [states.detach(), *(p.grad.clone() for p in model.base_model.parameters() if p.grad is not None)]


@pytest.mark.parametrize("name", CONFIGS)
def test_states_and_gradients_are_the_same_and_prompts_are_computed_once_where_layers_allow_it(name: str) -> None:
    model, given = model_of(CONFIGS[name]), batch()
    seen, wanted = passes(model), states_and_gradients(model, batch())
    shared_prefix.share(model)
    del seen[:]
    for found, want in zip(states_and_gradients(model, given), wanted, strict=True):
        torch.testing.assert_close(found, want, rtol=1e-3, atol=1e-4)
    whole = given["input_ids"].numel()
    assert seen == [ONCE if name in SHARING else whole]


def test_rounding_is_no_reason_to_compute_prompts_twice() -> None:
    model = model_of(Qwen2Config(**{**SIZES, "num_hidden_layers": 16})).to(torch.bfloat16)
    shared_prefix.share(model)
    seen, given = passes(model), batch()
    model.base_model(**given)
    assert seen == [ONCE]


def test_layers_that_take_no_such_mask_are_told_and_compute_as_before(caplog) -> None:
    model = model_of(CONFIGS["Bloom"])
    with caplog.at_level(logging.WARNING):
        shared_prefix.share(model)
    assert "prompts are computed twice: " in caplog.text and "forward" not in vars(model.base_model)


@pytest.mark.parametrize("case", ["short prompts", "an odd row", "padding before", "a cache", "positions"])
def test_what_would_save_nothing_or_is_no_batch_of_pairs_passes_as_it_is(case: str) -> None:
    model, given = model_of(CONFIGS["Qwen2"]), batch()
    shared_prefix.share(model)
    seen = passes(model)
    if case == "short prompts":
        given = batch(prompts=(1, 2), chosen=(60, 60), rejected=(60, 60))
    if case == "an odd row":
        given |= {key: given[key][:3] for key in ("input_ids", "attention_mask")}
    if case == "padding before":
        given |= {key: given[key].flip(1) for key in ("input_ids", "attention_mask")}
    if case == "a cache":
        given["use_cache"] = True
    if case == "positions":
        given["position_ids"] = torch.arange(given["input_ids"].shape[1])[None].expand_as(given["input_ids"])
    model.base_model(**given)
    assert seen == [given["input_ids"].numel()]


def test_equal_answers_and_a_second_call_do_no_harm() -> None:
    model, given = model_of(CONFIGS["Qwen2"]), batch()
    for key in ("input_ids", "attention_mask"):
        given[key] = torch.cat([given[key][:2]] * 2)
    wanted = states_and_gradients(model, given)
    for _ in range(2):
        shared_prefix.share(model)
    for found, want in zip(states_and_gradients(model, given), wanted, strict=True):
        torch.testing.assert_close(found, want, rtol=1e-3, atol=1e-4)


def test_dpo_computes_prompts_once_at_the_same_loss_and_margin(tmp_path, monkeypatch) -> None:
    def first() -> tuple[dict, int]:
        tiny_model.base()  # it is made once, and that draws numbers, too
        torch.manual_seed(0)
        model, tokenizer = tiny_model.with_adapter()
        made = dpo.trainer(
            model, tokenizer, tiny_model.pairs(4), tiny_model.params(dpo_batch_size=4), seed=0, folder=tmp_path
        )
        tiny_model.perturb(made.model, seed=1)
        seen = passes(made.model.get_base_model())
        return proofs.batch_loss(made, 4), max(seen)

    with monkeypatch.context() as plain:
        plain.setattr(shared_prefix, "share", lambda model: None)
        wanted, twice = first()
    found, once = first()
    assert once < 0.9 * twice and wanted["margin"] != 0
    assert {key: found[key] for key in ("loss", "margin")} == pytest.approx(
        {key: wanted[key] for key in ("loss", "margin")}, rel=1e-4, abs=1e-5
    )
