"""Sampling: what is drawn depends on the case, the seed and the number of the answer, and on nothing beside it."""

import copy

import pytest
import tiny_model

from tcm_rlaif.models import prompts
from tcm_rlaif.models.sampling import answer_seed, prompt_ids, sample, sample_vllm

SETTINGS = {"number": 2, "temperature": 1.0, "max_new_tokens": 20, "batch_size": 8, "seed": 3}


LONG = {**SETTINGS, "number": 4, "max_new_tokens": 64, "batch_size": 48}  # long enough that some end by themselves


def said(model, cases=None, **changes) -> dict[tuple[str, int], str]:
    """Answer texts by case and number."""
    drawn = sample(*model, cases or tiny_model.cases(), **{**SETTINGS, **changes})
    return {(s.case_id, s.number): s.text for s in drawn}


@pytest.mark.parametrize("top_p", [1.0, 0.8])
def test_batch_size_does_not_change_what_is_drawn(model, top_p):
    alone = said(model, batch_size=1, top_p=top_p)
    assert alone == said(model, batch_size=5, top_p=top_p) == said(model, batch_size=64, top_p=top_p)


def test_order_and_company_of_the_cases_do_not_change_what_is_drawn(model):
    everything = said(model)
    assert said(model, tiny_model.cases()[::-1]) == everything
    some = said(model, tiny_model.cases()[4:7])
    assert some == {key: everything[key] for key in some} and len(some) == 6


def test_more_answers_per_case_leave_the_first_ones_as_they_were(model):
    more = said(model, number=3)
    assert {key: text for key, text in more.items() if key[1] < 2} == said(model)


def test_answers_come_in_the_order_of_the_cases_and_numbers(model):
    cases = tiny_model.cases()[::-1]
    drawn = sample(*model, cases, **SETTINGS)
    assert [(s.case_id, s.number) for s in drawn] == [(c.id, n) for c in cases for n in range(2)]


def test_each_answer_has_a_seed_of_its_own():
    seeds = {answer_seed(seed, case, number) for seed in (0, 1) for case in ("a", "b") for number in range(3)}
    assert len(seeds) == 12 and answer_seed(0, "a", 0) == answer_seed(0, "a", 0)
    assert answer_seed(1, "1", 1) != answer_seed(11, "1", 1)
    assert all(0 <= seed < 2**63 for seed in seeds)  # what a torch generator takes


def test_answers_to_one_case_differ_at_a_temperature_and_with_the_study_seed(model):
    drawn = said(model)
    assert len(set(drawn.values())) == len(drawn)
    other = said(model, seed=4)
    assert not any(other[key] == text for key, text in drawn.items())


def test_temperature_zero_gives_one_answer_per_case_whatever_the_seed(model):
    greedy = said(model, temperature=0.0)
    assert greedy == said(model, temperature=0.0, seed=99, top_p=0.5)
    assert all(greedy[case.id, 0] == greedy[case.id, 1] for case in tiny_model.cases())


def test_a_low_temperature_approaches_greedy_and_a_small_nucleus_is_greedy(model):
    greedy = said(model, temperature=0.0)
    assert said(model, temperature=1e-4) == greedy == said(model, top_p=1e-6)


def generated_alone(model, tokenizer, case, max_new_tokens: int) -> list[int]:
    """Greedy token ids by transformers' own generate, one unpadded prompt."""
    ids = tokenizer.apply_chat_template(
        prompts.prompt(case), add_generation_prompt=True, return_tensors="pt", return_dict=True
    )["input_ids"]
    out = model.generate(ids, do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=tokenizer.eos_token_id)
    return out[0, ids.shape[1] :].tolist()


def test_greedy_answers_are_those_of_generate_one_at_a_time(model):
    drawn = sample(*model, tiny_model.cases(), **{**SETTINGS, "number": 1, "temperature": 0.0})
    for case, answer in zip(tiny_model.cases(), drawn, strict=True):
        ids = generated_alone(*model, case, SETTINGS["max_new_tokens"])
        assert answer.text == model[1].decode(ids, skip_special_tokens=True).strip()
        assert answer.tokens == len(ids)


def test_an_answer_is_finished_when_the_model_ended_it_and_its_length_counts_the_end(model):
    drawn = sample(*model, tiny_model.cases(), **LONG)
    finished = [s for s in drawn if s.finished]
    assert 0 < len(finished) < len(drawn)
    padding = model[1].pad_token_id  # a draw of it ends an answer, too, but is no end that the model was taught
    assert all(s.tokens == 64 or s.ids[-1] == padding for s in drawn if not s.finished)
    assert min(s.tokens for s in finished) < 64


@pytest.mark.parametrize("named", [True, False])
def test_a_greedy_answer_ends_at_padding_and_is_finished_where_the_model_names_that_as_an_end(
    model, monkeypatch, named: bool
) -> None:
    policy, tokenizer = model[0], copy.deepcopy(model[1])
    (said, *_) = sample(policy, tokenizer, tiny_model.cases()[:1], **{**SETTINGS, "number": 1, "temperature": 0.0})
    third = said.ids[2]
    assert third not in (*said.ids[:2], tokenizer.eos_token_id)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(third)
    ends = [tokenizer.eos_token_id, *([third] if named else [])]
    monkeypatch.setattr(policy.generation_config, "eos_token_id", ends)
    (cut, *_) = sample(policy, tokenizer, tiny_model.cases()[:1], **{**SETTINGS, "number": 1, "temperature": 0.0})
    assert cut.ids == said.ids[:3] and cut.finished == named


def test_an_answer_cut_before_its_end_is_not_finished(model):
    whole = next(s for s in sample(*model, tiny_model.cases(), **LONG) if s.finished and s.tokens > 1)
    case = [c for c in tiny_model.cases() if c.id == whole.case_id]
    exact, cut = (
        sample(*model, case, **{**LONG, "max_new_tokens": limit})[whole.number]
        for limit in (whole.tokens, whole.tokens - 1)
    )
    assert exact == whole
    assert (cut.finished, cut.tokens) == (False, whole.tokens - 1)


def test_draws_follow_the_probabilities_of_the_model(model):
    """The first token of many answers is drawn as often as the model says, within four standard errors."""
    import torch

    policy, tokenizer = model
    case, number, temperature = tiny_model.cases()[0], 600, 0.5
    ids = tokenizer.apply_chat_template(
        prompts.prompt(case), add_generation_prompt=True, return_tensors="pt", return_dict=True
    )["input_ids"]
    with torch.inference_mode():
        probability = (policy(ids).logits[0, -1] / temperature).softmax(-1)
    likeliest = probability.argmax().item()
    drawn = sample(
        policy, tokenizer, [case], number=number, temperature=temperature, max_new_tokens=1, batch_size=200, seed=0
    )
    first = tokenizer.decode([likeliest], skip_special_tokens=True).strip()
    p = sum(
        probability[token].item()
        for token in range(len(tokenizer))
        if tokenizer.decode([token], skip_special_tokens=True).strip() == first
    )
    share = sum(s.text == first for s in drawn) / number
    assert 0.02 < p < 0.98 and abs(share - p) < 4 * (p * (1 - p) / number) ** 0.5


def test_a_model_that_penalises_repetition_by_its_own_settings_is_sampled_without_it(model):
    """Published chat models bring a generation_config.json with a repetition penalty, which would change every draw."""
    import copy

    policy, tokenizer = model
    plain = said(model, temperature=0.0, number=1)
    penalising = copy.deepcopy(policy)
    penalising.generation_config.repetition_penalty = 1.3
    penalising.generation_config.no_repeat_ngram_size = 2
    assert said((penalising, tokenizer), temperature=0.0, number=1) == plain


def test_no_cases_give_no_answers(model):
    assert sample(*model, [], **SETTINGS) == []


def test_vllm_is_asked_with_the_seed_of_each_answer_and_the_adapter(model, monkeypatch, tmp_path):
    """vLLM itself needs a GPU; what is handed to it and what is made of its outputs is checked with a stand-in."""
    import sys
    from types import ModuleType, SimpleNamespace

    asked = {}

    class LLM:
        def __init__(self, **settings):
            asked["llm"] = settings

        def generate(self, texts, settings, lora_request):
            asked.update(texts=texts, settings=settings, lora=lora_request)
            said = asked.get("said", SimpleNamespace(text=" 答 ", finish_reason="stop", token_ids=[1, 2]))
            return [SimpleNamespace(outputs=[said]) for _ in texts]

    vllm, lora, request = ModuleType("vllm"), ModuleType("vllm.lora"), ModuleType("vllm.lora.request")
    vllm.LLM, vllm.SamplingParams, request.LoRARequest = LLM, lambda **kw: SimpleNamespace(**kw), lambda *args: args
    for name, module in (("vllm", vllm), ("vllm.lora", lora), ("vllm.lora.request", request)):
        monkeypatch.setitem(sys.modules, name, module)
    _, tokenizer = model
    cases = tiny_model.cases()[:2]
    settings = {"number": 2, "temperature": 0.9, "top_p": 0.95, "max_new_tokens": 8, "seed": 5}
    samples = sample_vllm("base", tmp_path, tokenizer, cases, **settings)
    assert [(s.case_id, s.number, s.text, s.finished, s.tokens) for s in samples[:2]] == [
        (cases[0].id, 0, "答", True, 2), (cases[0].id, 1, "答", True, 2),
    ]  # fmt: skip
    assert len({s.seed for s in asked["settings"]}) == 4 and asked["lora"][2] == str(tmp_path)
    # asked with a text it would put a BOS token before the one of the chat template
    assert [entry["prompt_token_ids"] for entry in asked["texts"][::2]] == prompt_ids(tokenizer, cases)
    assert {s.ids for s in samples} == {(1, 2)}
    assert asked["llm"]["max_model_len"] == max(len(t["prompt_token_ids"]) for t in asked["texts"]) + 8
    assert not asked["llm"]["trust_remote_code"]
    sample_vllm("base", None, tokenizer, cases, **settings, trust_remote_code=True)
    assert asked["llm"]["trust_remote_code"]

    asked["said"] = SimpleNamespace(text="处方：甘草6g" + "，大枣9g" * 9, finish_reason="length", token_ids=[1, 2])
    (short, *_) = sample_vllm("base", None, tokenizer, cases, **settings, end_at_loop=True)
    assert short.text == "处方：甘草6g，大枣9g。" and short.finished and short.ids[-1] == tokenizer.eos_token_id
