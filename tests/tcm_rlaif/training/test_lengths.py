"""Cases that are too long for the model or for `sft_max_length` are named before anything is trained or sampled."""

import re
from types import SimpleNamespace

import pytest
import tiny_model
from transformers import BloomConfig

from tcm_rlaif.feedback import candidates
from tcm_rlaif.models.sampling import check_context, context_of, prompt_ids, sample
from tcm_rlaif.training import proofs, sft


@pytest.fixture
def narrow(model):
    """The model with a context that five of the twelve prompts leave no room of 20 tokens in, and their case ids."""
    policy, tokenizer = model
    lengths = {
        c.id: len(ids) for c, ids in zip(tiny_model.cases(), prompt_ids(tokenizer, tiny_model.cases()), strict=True)
    }
    long = dict(sorted(lengths.items(), key=lambda pair: -pair[1])[:5])
    whole = policy.config.max_position_embeddings
    policy.config.max_position_embeddings = min(long.values()) + 19
    assert max(set(lengths.values()) - set(long.values())) + 20 <= policy.config.max_position_embeddings
    yield policy, tokenizer, long
    policy.config.max_position_embeddings = whole


SETTINGS = {"number": 1, "temperature": 1.0, "max_new_tokens": 20, "batch_size": 12, "seed": 0}


def never(*args, **kwargs):
    raise AssertionError("the model was asked")


def test_every_case_whose_prompt_and_answer_do_not_fit_is_named_before_one_is_sampled(narrow, monkeypatch):
    policy, tokenizer, long = narrow
    monkeypatch.setattr(policy, "generate", never)
    with pytest.raises(ValueError, match="longer context") as refused:
        sample(policy, tokenizer, tiny_model.cases(), **SETTINGS)
    assert dict(re.findall(r"(\S+) \((\d+)\)", str(refused.value))) == {case: str(n) for case, n in long.items()}
    assert "5 in all" in str(refused.value) and str(context_of(policy)) in str(refused.value)


def test_what_fits_exactly_is_sampled(narrow):
    policy, tokenizer, long = narrow
    shorter = [c for c in tiny_model.cases() if long.get(c.id) in (None, min(long.values()))]
    assert len(sample(policy, tokenizer, shorter, **{**SETTINGS, "max_new_tokens": 19})) == len(shorter)


def test_vllm_is_not_started_for_prompts_that_do_not_fit(narrow, monkeypatch, tmp_path):
    policy, tokenizer, _ = narrow
    monkeypatch.setattr(candidates, "sample_vllm", never)
    P = tiny_model.params(candidate_engine="vllm", candidate_max_new_tokens=20)
    with pytest.raises(ValueError, match="5 in all"):
        candidates.sample_candidates(policy, tokenizer, tiny_model.cases(), P, 0, tmp_path / "candidates.jsonl")


def test_a_model_that_names_no_context_takes_any_prompt(model):
    _, tokenizer = model
    bloom = SimpleNamespace(config=BloomConfig())  # positions by ALiBi: no longest one
    assert context_of(bloom) is None
    check_context(bloom, tokenizer, tiny_model.cases(), 10**9)


def rows_and_lengths(tokenizer):
    """Pairs with their case ids, and the length of each of their rows as the chat template writes it."""
    cases = tiny_model.cases()
    rows = [{**row, "case_id": case.id} for row, case in zip(tiny_model.pairs(12), cases, strict=True)]
    length = {
        f"{row['case_id']} {field}": len(
            tokenizer.apply_chat_template(row["prompt"] + row[field], return_dict=True)["input_ids"]
        )
        for row in rows
        for field in ("chosen", "rejected")
    }
    return rows, length


def test_rows_that_are_too_long_are_named_by_case_with_their_lengths(model):
    _, tokenizer = model
    rows, length = rows_and_lengths(tokenizer)
    limit = sorted(length.values())[-4]
    long = {name: n for name, n in length.items() if n > limit}
    with pytest.raises(ValueError, match="sft_max_length") as refused:
        proofs.check_lengths(tokenizer, rows, limit)
    said = {name: int(n) for name, n in re.findall(r"(\S+ (?:chosen|rejected)) \((\d+)\)", str(refused.value))}
    assert said == long and f"{len(long)} in all" in str(refused.value)
    assert f"raise it to {max(length.values())}" in str(refused.value)  # after which it passes
    assert proofs.check_lengths(tokenizer, rows, max(length.values())) == {
        "longest": max(length.values()),
        "truncated": 0,
    }


def test_of_many_the_first_ten_are_named_and_all_are_counted(model):
    _, tokenizer = model
    rows, length = rows_and_lengths(tokenizer)
    with pytest.raises(ValueError, match="24 in all") as refused:
        proofs.check_lengths(tokenizer, rows, 64)
    assert len(re.findall(r"\(\d+\)", str(refused.value))) == 10


def test_a_row_longer_than_the_models_context_is_not_to_be_helped_by_the_limit(model):
    _, tokenizer = model
    rows, length = rows_and_lengths(tokenizer)
    longest = max(length.values())
    with pytest.raises(ValueError, match=f"the model's context is {longest - 1} tokens") as refused:
        proofs.check_lengths(tokenizer, rows, 10_000, longest - 1)
    assert "raise it" not in str(refused.value)
    assert proofs.check_lengths(tokenizer, rows, 10_000, longest)["longest"] == longest


def test_rows_of_sft_carry_their_case_and_the_trainer_counts_the_same_tokens(model, tmp_path):
    policy, tokenizer = tiny_model.base()
    cases = [c.model_copy(update={"id": f"甲{n}"}) for n, c in enumerate(tiny_model.cases()[:4])]
    rows = sft.sft_rows(cases)
    with pytest.raises(ValueError, match=r"甲0 completion \(\d+\), 甲1 completion"):
        proofs.check_lengths(tokenizer, rows, 64)
    made = sft.sft_trainer(policy, tokenizer, rows, None, tiny_model.params(), seed=0, folder=tmp_path)
    longest = proofs.check_lengths(tokenizer, rows, 10_000)["longest"]
    assert longest == max(len(row["input_ids"]) for row in made.train_dataset)
