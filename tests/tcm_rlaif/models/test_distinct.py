"""A herb that an answer has named is not named again: what counts as named again, and what the loop does then."""

import pytest
import tiny_model
import torch
from transformers import LlamaConfig
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from tcm_rlaif.models.decoding import decode
from tcm_rlaif.models.distinct import Distinct, named_again

BEGUN = "中医诊断：消渴。证型：肾阴虚证。治法：滋阴，滋阴。处方："


@pytest.mark.parametrize("dose", ["12g", ""])
def test_a_name_is_refused_where_it_is_whole_for_the_second_time(dose) -> None:
    said = f"{BEGUN}生怀地黄{dose}，生山药{dose}（先煎），"
    assert named_again(said + "生怀地黄") and named_again(said + "生山药")
    assert not any(named_again(said + more) for more in ("", "生", "生怀地", "地黄", "生怀地黄炭", "山药"))


def test_words_of_other_fields_and_equal_doses_may_come_again() -> None:
    assert not named_again("中医诊断：消渴。证型：消渴") and not named_again(BEGUN + "甘草6g，大枣6g")
    assert not named_again(BEGUN)


@pytest.mark.parametrize("temperature", [0, 1.0])
def test_what_is_refused_gives_way_to_the_next_likeliest_token(temperature) -> None:
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 768,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "tie_word_embeddings": True,
    }
    model = AutoModelForCausalLM.from_config(LlamaConfig(**sizes, intermediate_size=64)).eval()
    tokenizer, asked = tiny_model.base()[1], [5, 9, 11]
    uniform = torch.rand(1, 6) if temperature else None
    how = {"temperature": temperature, "top_p": 1, "limit": 6, "ends": set()}
    refuses = lambda drawn, token: token in [*asked, *drawn]  # noqa: E731
    (said,) = decode(model, tokenizer, [asked], uniform, **how, refuses=refuses)
    assert len({*asked, *said}) == len(asked) + len(said)
    if not temperature:
        never = model.generate(torch.tensor([asked]), max_new_tokens=6, do_sample=False, no_repeat_ngram_size=1,
                               eos_token_id=None, pad_token_id=0)  # fmt: skip
        assert said == never[0, len(asked) :].tolist()
        (free,) = decode(model, tokenizer, [asked], None, **how)
        assert len(set(free)) < len(free)  # it would have said some token twice


def test_tokens_are_asked_about_by_what_they_say() -> None:
    tokenizer = tiny_model.base()[1]
    *drawn, last = tokenizer(BEGUN + "甘草6g，甘草", add_special_tokens=False)["input_ids"]
    assert Distinct(tokenizer).refuses(drawn, last) and not Distinct(tokenizer).refuses(drawn[:-2], drawn[-2])
