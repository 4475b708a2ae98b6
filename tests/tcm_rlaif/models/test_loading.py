"""A base computes what was saved, from a folder and from a GGUF file; its padding never hides its end token."""

import numpy as np
import pytest
import tiny_model
from peft import get_peft_model

from tcm_rlaif.models import chat, decoding, drawn, loading, logps, prompts, tiny
from tcm_rlaif.training import adapters, proofs


def logits(model, ids):
    import torch

    with torch.inference_mode():
        return model(torch.tensor([ids])).logits


def vocabulary_and_merges(tokenizer) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """What a byte-level BPE tokenizer consists of."""
    import json

    parts = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    return parts["vocab"], [tuple(pair) for pair in parts["merges"]]


def test_a_base_from_a_folder_computes_what_the_saved_model_computed(tmp_path):
    P = tiny_model.params()
    _, tokenizer = tiny_model.base()
    saved = tiny.new_tiny(P, tokenizer).eval()
    tiny.save_whole(saved, tokenizer, tmp_path / "tiny")
    loaded, same_tokenizer = loading.load_base(str(tmp_path / "tiny"), P)
    ids = tokenizer("舌红，苔黄腻。脉弦数。")["input_ids"]
    assert (logits(loaded, ids) - logits(saved, ids)).abs().max() == 0
    assert not loaded.training and same_tokenizer.padding_side == "left"
    assert same_tokenizer.chat_template == tiny.CHATML
    assert [p.name for p in tmp_path.iterdir()] == ["tiny"]  # nothing half-written beside it


@pytest.mark.parametrize("pad", ["<|im_end|>", None])
def test_a_tokenizer_that_pads_with_its_end_token_gets_another_padding_token(tmp_path, pad):
    model, tokenizer = tiny_model.base()
    tokenizer.pad_token = pad
    tiny.save_whole(model, tokenizer, tmp_path / "tiny")
    _, loaded = loading.load_base(str(tmp_path / "tiny"), tiny_model.params())
    assert loaded.pad_token == "<|endoftext|>"


def test_a_tokenizer_with_no_other_padding_token_is_refused(tmp_path):
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    model, _ = tiny_model.base()
    words = Tokenizer(WordLevel({"柴胡": 0, "</s>": 1}, unk_token="</s>"))
    only_end = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>", pad_token="</s>")
    tiny.save_whole(model, only_end, tmp_path / "tiny")
    with pytest.raises(ValueError, match="no padding token other than its end token"):
        loading.load_base(str(tmp_path / "tiny"), tiny_model.params())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_base_dtype_decides_the_type_of_other_models_and_the_tiny_one_keeps_float32(dtype):
    for base_model, expected in ((str(tiny_model.folder()), dtype), ("tiny", "float32")):
        P = tiny_model.params(base_model=base_model, base_dtype=dtype)
        model, _ = loading.load_base(str(tiny_model.folder()), P)
        assert str(model.dtype) == f"torch.{expected}"


def test_the_head_is_given_no_slice_for_which_pytorch_would_copy_its_weights_once_a_row():
    given = []
    model, tokenizer = tiny_model.with_adapter()
    model.get_output_embeddings().register_forward_pre_hook(lambda _, inputs: given.extend(inputs))
    rows = [chat.prompt_tokens(tokenizer, prompts.prompt(case)) for case in tiny_model.cases()[:3]]
    decoding.decode(model, tokenizer, rows, None, temperature=0, top_p=1, limit=2, ends=[tokenizer.eos_token_id])
    list(logps.next_token_logps(model, tokenizer, rows, [len(row) - 3 for row in rows]))
    assert len(given) == 3 and all(hidden.is_contiguous() for hidden in given)


def test_a_judge_is_loaded_in_the_compute_type_though_the_base_is_the_tiny_one():
    P = tiny_model.params(base_dtype="bfloat16", judge_model=str(tiny_model.folder()))
    judge, _ = loading.load_base(P.judge_model, P)
    base, _ = loading.load_base(str(tiny_model.folder()), tiny_model.params())
    assert str(judge.dtype) == "torch.bfloat16" and str(base.dtype) == "torch.float32"


# ---- GGUF: what llama.cpp writes, here written with its own Python package


def write_gguf(path, model, tokenizer, architecture: str, half: bool) -> None:
    """Write a Qwen model and a byte-level tokenizer as llama.cpp's converter would: names, keys, tokenizer fields."""
    import gguf

    config = model.config
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    vocabulary, merges = vocabulary_and_merges(tokenizer)
    tokens = sorted(vocabulary, key=vocabulary.get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control if token in tiny.SPECIAL else normal for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)
    writer.add_chat_template(tokenizer.chat_template)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], config.num_hidden_layers)
    for name, value in model.state_dict().items():
        if name != "lm_head.weight":  # tied to the embedding
            array = value.numpy()
            # matrices in half precision, vectors in full: as in a file of type F16
            array = array.astype(np.float16) if half and array.ndim == 2 else array
            writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def qwen(architecture: str):
    """A small Qwen2 or Qwen3 model of random weights, and Qwen's tokenizer class over the tiny vocabulary."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM

    _, small = tiny_model.base()
    vocabulary, merges = vocabulary_and_merges(small)
    tokenizer = Qwen2Tokenizer(vocabulary, merges, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.add_tokens(list(tiny.SPECIAL), special_tokens=True)
    tokenizer.chat_template = tiny.CHATML
    shape = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True, "max_position_embeddings": 512,
        "initializer_range": 0.3, "rope_parameters": {"rope_type": "default", "rope_theta": 1_000_000.0},
    }  # fmt: skip
    torch.manual_seed(0)
    if architecture == "qwen2":
        model = Qwen2ForCausalLM(Qwen2Config(**shape))
        for name, value in model.named_parameters():
            if name.endswith(".bias"):  # fresh biases are zero: a lost one would not be seen
                value.data.normal_()
        return model.eval(), tokenizer
    return Qwen3ForCausalLM(Qwen3Config(**shape, head_dim=128)).eval(), tokenizer  # 128 as in every published Qwen3


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3"])
@pytest.mark.parametrize("half", [False, True], ids=["f32", "f16"])
def test_a_gguf_file_computes_what_the_original_computes_and_takes_an_adapter(tmp_path, architecture, half):
    import torch

    original, tokenizer = qwen(architecture)
    write_gguf(tmp_path / "tiny.gguf", original, tokenizer, architecture, half)
    model, loaded = loading.load_base(str(tmp_path / "tiny.gguf"), tiny_model.params())

    messages = prompts.prompt(tiny_model.cases()[0])
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text)["input_ids"]
    assert loaded.apply_chat_template(messages, tokenize=False, add_generation_prompt=True) == text
    assert loaded(text)["input_ids"] == ids
    assert (loaded.eos_token, loaded.pad_token, loaded.padding_side) == ("<|im_end|>", "<|endoftext|>", "left")

    expected = logits(original, ids)
    assert (logits(model, ids) - expected).abs().max() <= (0.02 if half else 1e-5) * expected.abs().max()
    assert {type(p) for p in model.parameters()} == {torch.nn.Parameter}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    adapted = get_peft_model(model, adapters.lora(tiny_model.params()))
    adapted(torch.tensor([ids]), labels=torch.tensor([ids])).loss.backward()
    gradients = [p.grad for n, p in adapted.named_parameters() if "lora_B" in n]
    assert len(gradients) == 14 and all(g is not None and g.abs().max() > 0 for g in gradients)


def test_a_gguf_file_in_upper_case_is_the_same_model(tmp_path):
    original, tokenizer = qwen("qwen2")
    write_gguf(tmp_path / "tiny.gguf", original, tokenizer, "qwen2", half=False)
    ids = tokenizer("柴胡10g，黄芩9g")["input_ids"]
    lower, _ = loading.load_base(str(tmp_path / "tiny.gguf"), tiny_model.params())
    (tmp_path / "tiny.gguf").rename(tmp_path / "TINY.GGUF")
    upper, _ = loading.load_base(str(tmp_path / "TINY.GGUF"), tiny_model.params())
    assert logits(upper, ids).equal(logits(lower, ids))
    again, _ = loading.load_base(str(tmp_path / "TINY.GGUF"), tiny_model.params())
    assert upper.config._name_or_path == again.config._name_or_path == str(tmp_path / "TINY.GGUF")


def test_two_gguf_files_of_one_folder_are_two_models(tmp_path):
    original, tokenizer = qwen("qwen2")
    for name in ("a.gguf", "b.gguf"):
        write_gguf(tmp_path / name, original, tokenizer, "qwen2", half=False)
    (a, _), (b, _) = (loading.load_base(str(tmp_path / name), tiny_model.params()) for name in ("a.gguf", "b.gguf"))
    assert drawn.policy_of(a) != drawn.policy_of(b)
    adapted = get_peft_model(a, adapters.lora(tiny_model.params()))
    assert adapted.peft_config["default"].base_model_name_or_path == str(tmp_path / "a.gguf")


def test_a_folder_is_named_as_it_always_was():
    model, _ = tiny_model.base()
    assert model.config._name_or_path == str(tiny_model.folder())


@pytest.mark.parametrize("share", [0.02, 0.1, 0.6, 0.99])
def test_a_gguf_file_that_was_cut_off_says_so_and_what_to_do(tmp_path, share):
    write_gguf(tmp_path / "tiny.gguf", *qwen("qwen2"), "qwen2", half=False)
    content = (tmp_path / "tiny.gguf").read_bytes()
    (tmp_path / "tiny.gguf").write_bytes(content[: int(share * len(content))])
    with pytest.raises(loading.ModelError, match=r"tiny\.gguf: the file is cut off or damaged \(.*\); fetch it again"):
        loading.load_base(str(tmp_path / "tiny.gguf"), tiny_model.params())


def test_a_gguf_file_of_quantised_weights_is_loaded_as_plain_floats(tmp_path):
    import gguf
    import torch

    original, tokenizer = qwen("qwen2")
    write_gguf(tmp_path / "tiny.gguf", original, tokenizer, "qwen2", half=False)
    plain = gguf.GGUFReader(tmp_path / "tiny.gguf")
    writer = _copy_without_tensors(plain, tmp_path / "Q8.GGUF")
    for tensor in plain.tensors:
        quantised = gguf.GGMLQuantizationType.Q8_0 if tensor.data.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(tensor.name, gguf.quantize(np.array(tensor.data), quantised), raw_dtype=quantised)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model, _ = loading.load_base(str(tmp_path / "Q8.GGUF"), tiny_model.params())
    ids = tokenizer("舌红，苔黄腻。脉弦数。")["input_ids"]
    expected = logits(original, ids)
    difference = (logits(model, ids) - expected).abs().max() / expected.abs().max()
    assert 0 < difference < 0.1 and {p.dtype for p in model.parameters()} == {torch.float32}


def _copy_without_tensors(reader, path):
    import gguf

    writer = gguf.GGUFWriter(path, "qwen2")
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            kind = field.types[0]
            writer.add_key_value(name, field.contents(), kind, field.types[-1] if len(field.types) > 1 else None)
    return writer


def test_a_missing_gguf_file_is_named(tmp_path):
    with pytest.raises(loading.ModelError, match=r"base_model: .*absent\.gguf: no such file"):
        loading.load_base(str(tmp_path / "absent.gguf"), tiny_model.params())


def test_load_policy_puts_a_saved_adapter_on_its_base(tmp_path):
    P = tiny_model.params()
    policy, tokenizer = tiny_model.with_adapter()
    policy.save_pretrained(tmp_path / "adapter")
    frozen, _ = loading.load_policy(str(tiny_model.folder()), tmp_path / "adapter", P)
    trainable, _ = loading.load_policy(str(tiny_model.folder()), tmp_path / "adapter", P, trainable=True)
    bare, _ = loading.load_policy(str(tiny_model.folder()), None, P)
    text = "患者：女，45岁。"
    assert proofs.largest_difference(policy, frozen, tokenizer, text) == 0
    assert proofs.largest_difference(policy, bare, tokenizer, text) > 0.01
    assert not any(p.requires_grad for p in frozen.parameters())
    assert {n.split(".")[-2] for n, p in trainable.named_parameters() if p.requires_grad} == {"default"}
