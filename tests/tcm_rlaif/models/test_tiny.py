"""The tiny base: its tokenizer gives every text back, its layout is Qwen's, equal parameters make equal weights."""

import tiny_model

from tcm_rlaif.models import prompts, tiny


def logits(model, ids):
    import torch

    with torch.inference_mode():
        return model(torch.tensor([ids])).logits


def test_the_end_of_a_turn_is_not_the_padding_token():
    _, tokenizer = tiny_model.base()
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert tokenizer.eos_token_id != tokenizer.pad_token_id


def test_the_tokenizer_has_the_size_asked_for_and_gives_every_text_back():
    _, tokenizer = tiny_model.base()
    text = "处方：柴胡10g，龙骨30g（先煎），大枣5枚。Ω\n"
    assert len(tokenizer) == tiny_model.params().base_vocabulary
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_no_token_is_spent_on_the_spelling_of_a_marker():
    _, tokenizer = tiny_model.base()
    assert [t for t in tokenizer.get_vocab() if "|" in t and t not in tiny.SPECIAL] == ["|"]


def test_dose_units_stay_with_their_number():
    _, tokenizer = tiny_model.base()
    assert "10g" in [tokenizer.decode([token]) for token in tokenizer("柴胡10g，")["input_ids"]]


def test_chat_layout_is_that_of_qwen():
    _, tokenizer = tiny_model.base()
    messages = [{"role": "system", "content": "甲"}, {"role": "user", "content": "乙？"}]
    head = "<|im_start|>system\n甲<|im_end|>\n<|im_start|>user\n乙？<|im_end|>\n"
    asked = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    answered = tokenizer.apply_chat_template([*messages, *prompts.completion("丙。")], tokenize=False)
    assert asked == head + "<|im_start|>assistant\n"
    assert answered == head + "<|im_start|>assistant\n丙。<|im_end|>\n"


def test_prompt_tokens_are_a_prefix_of_prompt_and_answer_tokens_for_every_case():
    _, tokenizer = tiny_model.base()
    for case in tiny_model.cases():
        prompt, answer = prompts.prompt(case), prompts.completion(case.answer)
        head = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True)["input_ids"]
        whole = tokenizer.apply_chat_template(prompt + answer, return_dict=True)["input_ids"]
        assert whole[: len(head)] == head and whole.count(tokenizer.eos_token_id) == 3


def test_equal_parameters_give_equal_fresh_weights():
    P = tiny_model.params()
    _, tokenizer = tiny_model.base()
    ids = tokenizer("柴胡")["input_ids"]
    one, same, other = (tiny.new_tiny(p, tokenizer) for p in (P, P, P.model_copy(update={"base_seed": 1})))
    assert logits(one, ids).equal(logits(same, ids)) and not logits(one, ids).equal(logits(other, ids))


def test_the_words_of_a_change_are_cut_from_herbs_and_doses_before_anything_is_merged():
    _, tokenizer = tiny_model.base()
    text = "守上方，去柴胡，加五加皮10g，黄芪增至30g，甘草减至3g"
    pieces = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)
    said = [text[start:end] for _, (start, end) in pieces]
    wanted = "守上方 ， 去 柴胡 ， 加 五加皮 10g ， 黄芪 增至 30g ， 甘草 减至 3g"
    assert said == wanted.split()
