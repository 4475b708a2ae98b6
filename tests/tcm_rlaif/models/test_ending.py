"""An answer that goes round in circles ends before its circle."""

import pytest
import tiny_model
import torch

from tcm_rlaif.models import sampling
from tcm_rlaif.models.decoding import decode
from tcm_rlaif.models.ending import before_loop, loops

BEGUN = "中医诊断：消渴。证型：肾阴虚证。治法：滋阴，滋阴，滋阴。处方："


@pytest.mark.parametrize("dose", ["12g", "", "12g（捣，碎）"])
def test_a_loop_of_one_herb_leaves_the_answer_before_it(dose) -> None:
    kept = f"{BEGUN}生山药{dose}，生怀地黄{dose}"
    looping = kept + f"，生怀地黄{dose}" * 2
    assert before_loop(looping + "，") == kept + "。"
    assert before_loop(looping + "，生山药9g，甘草6g。7剂") == kept + "。"


def test_a_loop_of_several_herbs_leaves_each_of_them_once() -> None:
    assert before_loop(BEGUN + "当归9g，" + "黄芪9g，党参9g，" * 4) == BEGUN + "当归9g，黄芪9g，党参9g。"


def test_a_herb_named_again_in_another_formula_stays() -> None:
    said = BEGUN + "白头翁，黄连，黄柏，赤芍，当归，黄连，槟榔，黄芩，黄连"
    assert before_loop(said) is None  # the third name is not whole: it may be 黄连须
    assert before_loop(said + "，肉桂") == said[:-3] + "。"  # those between stand once


@pytest.mark.parametrize(
    "said",
    [
        "甘草6g，炙甘草6g，生甘草6g，甘草梢6g",
        "甘草6g，大枣6g，生姜6g",
        "龙骨18g（捣，碎），牡蛎18g（捣，碎），石膏18g（捣，碎），",
        "甘草6g。水煎服，日1剂，日2次，日3次。甘草泡水，甘草外洗，甘草",
        "甘草6g，7剂，7剂，7剂",
        "",
    ],
)
def test_other_things_may_be_said_again(said) -> None:
    assert before_loop(BEGUN + said) is None


def test_without_a_prescription_nothing_is_cut() -> None:
    assert before_loop("甘草6g，甘草6g，甘草6g，甘草6g。") is None


def test_an_answer_is_drawn_no_further_than_its_loop(monkeypatch) -> None:
    """A model that wants to say one herb for ever: the batch ends there, text, tokens and end agree."""
    model, tokenizer = tiny_model.base()
    wanted = tokenizer(BEGUN + "当归9g，" + "黄芪9g，" * 40, add_special_tokens=False)["input_ids"]
    script = iter(wanted)
    monkeypatch.setattr("tcm_rlaif.models.decoding.draw", lambda *_: torch.tensor([next(script)]))
    (case,) = tiny_model.cases()[:1]
    settings = {"number": 1, "temperature": 1, "max_new_tokens": len(wanted), "batch_size": 1, "seed": 0}
    (said,) = sampling.sample(model, tokenizer, [case], **settings, end_at_loop=True)
    assert said.text == BEGUN + "当归9g，黄芪9g。" and said.finished
    assert tokenizer.decode(said.ids, skip_special_tokens=True) == said.text and said.ids[-1] == tokenizer.eos_token_id
    assert len(list(script)) > 20 * len(tokenizer("黄芪9g，")["input_ids"])  # never asked for


def test_the_other_answers_of_a_batch_go_on() -> None:
    model, tokenizer = tiny_model.base()
    prompts = [tokenizer(text)["input_ids"] for text in ("头痛", "不寐")]
    how = {"temperature": 0, "top_p": 1, "limit": 12, "ends": set()}
    alone = decode(model, tokenizer, prompts, None, **how)
    first = alone[0][:4]
    assert alone[1][:4] != first
    assert decode(model, tokenizer, prompts, None, **how, ended=lambda drawn: [*drawn] == first) == [first, alone[1]]


def test_tokens_are_asked_about_by_what_they_say() -> None:
    tokenizer = tiny_model.base()[1]
    drawn = tokenizer(BEGUN + "甘草6g，甘草6g，甘草6g", add_special_tokens=False)["input_ids"]
    assert loops(tokenizer)(drawn) and not loops(tokenizer)(drawn[:-3])
