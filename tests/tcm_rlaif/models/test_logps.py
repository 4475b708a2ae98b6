"""Log-probabilities are summed over the tokens of an answer, its end included where it came to one."""

import pytest
import tiny_model

from tcm_rlaif.models import logps, prompts
from tcm_rlaif.models.logps import answer_logps, next_token_logps


def test_logps_of_a_short_answer_are_those_computed_by_hand():
    """The answer's tokens, the end token, and the line break that ends a ChatML turn: log-probabilities, added."""
    import torch

    model, tokenizer = tiny_model.base()
    prompt = prompts.prompt(tiny_model.cases()[0])
    head = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True)["input_ids"]
    said = [*tokenizer("10g。")["input_ids"], tokenizer.eos_token_id, *tokenizer("\n")["input_ids"]]
    assert len(said) == 4
    with torch.inference_mode():
        logits = model(torch.tensor([head + said])).logits[0].double()
    by_hand = 0.0
    for place, token in enumerate(said):
        row = logits[len(head) + place - 1]
        by_hand += (row[token] - row.exp().sum().log()).item()
    summed, counts = answer_logps(model, tokenizer, [(prompt, prompts.completion("10g。"))])
    assert counts == [4] and summed[0] == pytest.approx(by_hand, rel=1e-5)


def test_logps_do_not_depend_on_the_batch_an_answer_is_in():
    model, tokenizer = tiny_model.base()
    messages = [(r["prompt"], r[name]) for r in tiny_model.pairs(5) for name in ("chosen", "rejected")]
    alone, together = (answer_logps(model, tokenizer, messages, batch_size=size) for size in (1, 10))
    assert alone[0] == pytest.approx(together[0], rel=1e-5) and alone[1] == together[1]
    assert len(set(alone[1])) > 1


def test_what_is_not_asked_for_is_left_out_and_the_rest_stays():
    model, tokenizer = tiny_model.base()
    rows = [
        tokenizer(text)["input_ids"]
        for text in ("头痛，发热，恶寒，无汗，咳嗽。", "心悸，失眠。", "口渴，便秘，腹胀，苔黄。")
    ]
    first = [4, 3, 6]
    (whole,) = next_token_logps(model, tokenizer, rows, [1] * len(rows))
    (asked,) = next_token_logps(model, tokenizer, rows, first)
    assert asked.shape == whole.shape and asked[:, : min(first) - 1].abs().max() == 0
    assert asked[:, min(first) - 1 :].tolist() == [
        pytest.approx(row, rel=1e-5) for row in whole[:, min(first) - 1 :].tolist()
    ]


def test_no_more_logits_stand_in_memory_than_said_and_the_numbers_stay(monkeypatch):
    model, tokenizer = tiny_model.base()
    messages = [(r["prompt"], r[name]) for r in tiny_model.pairs(5) for name in ("chosen", "rejected")]
    whole, _ = answer_logps(model, tokenizer, messages)
    seen, forward = [], model.forward

    def watched(*args, **kwargs):
        out = forward(*args, **kwargs)
        seen.append(out.logits.numel())
        return out

    monkeypatch.setattr(model, "forward", watched)
    monkeypatch.setattr(logps, "LOGITS", 600 * len(tokenizer))
    parts, _ = answer_logps(model, tokenizer, messages)
    assert len(seen) > 1 and max(seen) <= logps.LOGITS
    assert parts == pytest.approx(whole, rel=1e-5)
