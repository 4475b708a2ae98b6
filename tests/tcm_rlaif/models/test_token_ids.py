"""Samples keep the tokens that were drawn, and their log-probabilities are taken on these, whatever the text says."""

import json

import pytest
import tiny_model

from tcm_rlaif.feedback.candidates import sample_candidates
from tcm_rlaif.feedback.labels import read_labels
from tcm_rlaif.models import prompts
from tcm_rlaif.models.logps import sample_logps
from tcm_rlaif.models.sampling import sample

SETTINGS = {"number": 4, "temperature": 1.0, "max_new_tokens": 64, "batch_size": 48, "seed": 3}


@pytest.fixture(scope="module")
def drawn(model):
    return sample(*model, tiny_model.cases(), **SETTINGS)


def test_the_ids_say_the_text_and_hold_the_end_token_where_the_model_ended_its_answer(model, drawn):
    _, tokenizer = model
    assert {s.finished for s in drawn} == {True, False}
    for s in drawn:
        assert tokenizer.decode(s.ids, skip_special_tokens=True).strip() == s.text
        assert s.finished == (s.ids[-1] == tokenizer.eos_token_id) and tokenizer.eos_token_id not in s.ids[:-1]
        assert s.tokens == len(s.ids)


def test_an_answer_that_ended_in_a_padding_token_holds_no_filling(model, drawn):
    _, tokenizer = model
    padded = [s for s in drawn if s.ids[-1] == tokenizer.pad_token_id]
    assert padded and not any(s.finished for s in padded)
    assert not any(tokenizer.pad_token_id in s.ids[:-1] for s in drawn)


def test_the_ids_do_not_depend_on_the_batch(model, drawn):
    assert sample(*model, tiny_model.cases(), **{**SETTINGS, "batch_size": 5}) == drawn


def test_logps_of_samples_are_those_of_the_drawn_tokens_one_by_one(model, drawn):
    """No end is added to an answer that was cut off, and a spelling that the tokenizer would not choose is kept."""
    import torch

    policy, tokenizer = model
    chosen = [next(s for s in drawn if s.finished), next(s for s in drawn if not s.finished)]
    cases = [next(c for c in tiny_model.cases() if c.id == s.case_id) for s in chosen]
    assert all(tokenizer(s.text)["input_ids"] != [i for i in s.ids if i != tokenizer.eos_token_id] for s in chosen)
    by_hand = []
    for case, s in zip(cases, chosen, strict=True):
        asked = prompts.prompt(case)
        head = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=True)["input_ids"]
        with torch.inference_mode():
            rows = policy(torch.tensor([[*head, *s.ids]])).logits[0, len(head) - 1 : -1].double().log_softmax(-1)
        by_hand.append(sum(row[token].item() for row, token in zip(rows, s.ids, strict=True)))
    logps = sample_logps(policy, tokenizer, cases, chosen)
    assert [len(each) for each in logps] == [s.tokens for s in chosen]
    assert [each.sum().item() for each in logps] == pytest.approx(by_hand, rel=1e-5)


def test_logps_of_samples_do_not_depend_on_the_batch(model, drawn):
    cases = [next(c for c in tiny_model.cases() if c.id == s.case_id) for s in drawn[:10]]
    alone, together = (sample_logps(*model, cases, drawn[:10], batch_size=size) for size in (1, 10))
    for one, other in zip(alone, together, strict=True):
        assert one.tolist() == pytest.approx(other.tolist(), rel=1e-4, abs=1e-5)


def test_candidates_are_kept_with_their_ids_and_rows_without_them_are_still_read(model, tmp_path):
    P = tiny_model.params(candidate_number=2, candidate_max_new_tokens=12)
    cases = tiny_model.cases()[:3]
    items, samples = sample_candidates(*model, cases, P, 0, tmp_path / "candidates.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "candidates.jsonl").read_text("utf-8").splitlines()]
    assert [tuple(row["ids"]) for row in rows] == [s.ids for s in samples]
    verdicts = [{"case_id": c.id, "scores": [0.1, 0.2], "criteria": [{}, {}], "status": "judged"} for c in cases]
    (tmp_path / "verdicts.json").write_text(json.dumps(verdicts), "utf-8")
    assert read_labels(tmp_path, cases)[0] == items
    old = [{**{k: v for k, v in row.items() if k != "ids"}, "tokens": len(row["ids"])} for row in rows]
    (tmp_path / "candidates.jsonl").write_text("\n".join(map(json.dumps, old)), "utf-8")
    assert read_labels(tmp_path, cases)[0] == items
