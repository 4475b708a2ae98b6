"""What a card says of asking a model, done by plain libraries, gives the tokens of training for any chat template."""

from types import SimpleNamespace

import pytest
import tiny_model
from chat_templates import FAMILIES, tokenizer_of
from transformers import AutoTokenizer

from tcm_rlaif.models import chat, prompts
from tcm_rlaif.runner import asked


def prepared(name: str):
    """The tokenizer of a family as a study has it."""
    tokenizer = tokenizer_of(name)
    ends = SimpleNamespace(eos_token_id=tokenizer.eos_token_id)
    chat.prepare(tokenizer, SimpleNamespace(generation_config=ends), name)
    return tokenizer


def exported(tokenizer, folder):
    """The tokenizer as a reader of an export loads it."""
    tokenizer.chat_template = asked.template(tokenizer)
    tokenizer.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_code_of_a_card_asks_with_the_tokens_of_training(name, tmp_path, capsys) -> None:
    import torch

    trained = chat.prompt_tokens(prepared(name), prompts.prompt(asked.EXAMPLE))
    given = []

    def generate(input_ids, **_):
        given.extend(input_ids[0].tolist())
        return torch.cat([input_ids, input_ids[:, -1:]], 1)

    tokenizer, model = exported(prepared(name), tmp_path), SimpleNamespace(device="cpu", generate=generate)
    exec(asked.asking(), {"tokenizer": tokenizer, "model": model})
    assert given == trained
    assert capsys.readouterr().out == tokenizer.decode(trained[-1:], skip_special_tokens=True) + "\n"


@pytest.mark.parametrize("name", FAMILIES)
def test_an_exported_template_writes_whole_conversations_as_the_base_s_own_does(name, tmp_path) -> None:
    own, tokenizer = prepared(name), exported(prepared(name), tmp_path)
    turns = [{"role": role, "content": f"{role} 好"} for role in ("user", "assistant", "user")]
    for messages in (turns[:1], turns):
        for ask in (True, False):
            said = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask)
            assert said == chat.rendered(own, messages, ask=ask)


def test_settings_stand_above_those_of_a_caller_and_a_template_keeps_its_white_space(tmp_path) -> None:
    own = prepared("ChatML, thinking")
    own.chat_template = "\n  {% set day = date_string %}{{ day }}\n" + own.chat_template
    messages = prompts.prompt(asked.EXAMPLE)
    expected = chat.rendered(own, messages, ask=True)
    tokenizer = exported(own, tmp_path)
    asks = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": True, "date_string": "today"}
    assert tokenizer.apply_chat_template(messages, **asks) == expected
    assert expected.startswith("\n01 Jan 2025") and expected.endswith("<think>\n\n</think>\n\n")


def test_an_exported_model_is_asked_the_same_way_as_the_base_of_another_study(tmp_path) -> None:
    tokenizer = exported(prepared("Gemma"), tmp_path)
    messages = prompts.prompt(asked.EXAMPLE)
    assert chat.prompt_tokens(tokenizer, messages) == chat.prompt_tokens(prepared("Gemma"), messages)
    assert [m["role"] for m in chat.fitted(tokenizer, messages)] == ["system", "user"]


def test_a_card_names_how_answers_ended_and_what_a_server_lacks() -> None:
    plain = asked.said(tiny_model.params(), "merged")
    assert "greedy and of at most 160 new tokens" in plain and '"temperature": 0, "max_tokens": 160' in plain
    assert "third time" not in plain and "evidence" not in plain and "draws a case" not in plain
    P = tiny_model.params(eval_max_new_tokens=200, eval_temperature=0.7, eval_number=4, prompt_herbs=20,
                          candidate_end_at_loop=True)  # fmt: skip
    said = asked.said(P, "adapter")
    assert "drawn at temperature 0.7, top_p 0.95 and of at most 200 new tokens" in said and "vllm" not in said
    assert "third time" in said and "candidate_end_at_loop" in said and "herbs 20" in said and "4 draws a case" in said


def test_answers_are_decoded_as_in_the_study() -> None:
    how = asked.decoding(tiny_model.params(eval_max_new_tokens=12), [1, 2], 0)
    assert (how.do_sample, how.max_new_tokens, how.eos_token_id, how.pad_token_id) == (False, 12, [1, 2], 0)
    drawn = asked.decoding(tiny_model.params(eval_temperature=0.7, candidate_top_p=0.9), [1], 0)
    assert (drawn.do_sample, drawn.temperature, drawn.top_p, drawn.top_k) == (True, 0.7, 0.9, 0)
