"""What is loaded is what was named: adapters on their own base, safe weights, a whole folder, this machine's means."""

import json
import shutil
from pathlib import Path

import peft
import pytest
import tiny_model
from safetensors.torch import load_file, save_file

from tcm_rlaif.models import loading, places, tiny
from tcm_rlaif.training import adapters


@pytest.fixture
def folder(tmp_path):
    """A copy of the tiny model to change."""
    return shutil.copytree(tiny_model.folder(), tmp_path / "qwen")


def refusal(source, **changes) -> str:
    """What a user reads when this source is loaded."""
    with pytest.raises(ValueError) as refused:
        loading.load_base(str(source), tiny_model.params(base_model=str(source), **changes))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def saved_adapter(place: Path, **changes) -> Path:
    """An adapter on a tiny base of other dimensions."""
    _, tokenizer = tiny_model.base()
    P = tiny_model.params(**changes)
    peft.get_peft_model(tiny.new_tiny(P, tokenizer), adapters.lora(P)).save_pretrained(place)
    return place


def test_an_adapter_is_loaded_on_the_base_that_it_was_made_on(tmp_path):
    adapter = saved_adapter(tmp_path / "adapter")
    policy, _ = loading.load_policy(str(tiny_model.folder()), adapter, tiny_model.params(), trainable=True)
    assert any(p.requires_grad for p in policy.parameters())


@pytest.mark.parametrize("changes", [{"base_hidden": 64}, {"base_layers": 3}, {"base_layers": 1}])
def test_an_adapter_of_another_base_is_refused_though_peft_would_take_some(tmp_path, changes):
    adapter = saved_adapter(tmp_path / "adapter", **changes)
    with pytest.raises(ValueError, match=r"adapter: this adapter was made on another base .* than .*base: ") as refused:
        loading.load_policy(str(tiny_model.folder()), adapter, tiny_model.params())
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["PromptTuningConfig", "PrefixTuningConfig"])
def test_a_learned_prompt_of_another_base_is_refused(tmp_path, kind):
    model, tokenizer = tiny_model.base()
    learned = getattr(peft, kind)(task_type="CAUSAL_LM", num_virtual_tokens=4)
    peft.get_peft_model(model, learned).save_pretrained(tmp_path / "adapter")
    loading.load_policy(str(tiny_model.folder()), tmp_path / "adapter", tiny_model.params())
    deeper = tiny.new_tiny(tiny_model.params(base_layers=3), tokenizer)
    with pytest.raises(loading.ModelError, match="made on another base .*: it was learned for 2 layers and not for 3"):
        loading.with_saved(deeper, tmp_path / "adapter", "deeper")


def test_an_adapter_without_some_of_its_weights_is_refused(tmp_path):
    adapter = saved_adapter(tmp_path / "adapter")
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file({k: v for k, v in weights.items() if "q_proj" not in k}, adapter / "adapter_model.safetensors")
    with pytest.raises(loading.ModelError, match="4 places in it have no weights, as .*q_proj.lora_A"):
        loading.load_policy(str(tiny_model.folder()), adapter, tiny_model.params())


@pytest.mark.parametrize("file", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_of_which_a_file_is_damaged_is_named(tmp_path, file):
    adapter = saved_adapter(tmp_path / "adapter")
    (adapter / file).write_bytes(b"{")
    with pytest.raises(loading.ModelError, match=f"{adapter}: no adapter that can be read .*; run what made it again"):
        loading.load_policy(str(tiny_model.folder()), adapter, tiny_model.params())


def test_an_adapter_given_as_a_base_that_is_damaged_too_is_still_told_from_a_model(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{", "utf-8")
    assert refusal(tmp_path).startswith(f"base_model: {tmp_path}: an adapter is no model; name the model that it was")


def test_an_adapter_given_as_a_base_names_the_model_that_it_wants(tmp_path):
    adapter = saved_adapter(tmp_path / "adapter")
    config = adapter / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), "base_model_name_or_path": "owner/model"}))
    said = refusal(adapter)
    assert said == f"base_model: {adapter}: an adapter is no model; name the model that it was made on (owner/model)"


def test_a_folder_without_a_tokenizer_is_named(folder):
    for file in folder.glob("tokenizer*"):
        file.unlink()
    assert refusal(folder).startswith(f"base_model: {folder}: a folder without a tokenizer (tokenizer.json)")


def test_weights_that_can_run_code_are_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "read from .safetensors files alone" in refusal(folder)


def test_code_of_a_model_runs_only_where_a_key_says_so(folder, monkeypatch):
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "own.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nraise ImportError('own code ran')\n", "utf-8")
    assert "set base_trust_remote_code: true" in refusal(folder)
    assert not (folder / "ran").exists()
    monkeypatch.setenv("HF_MODULES_CACHE", str(folder / "modules"))
    assert "own code ran" in refusal(folder, base_trust_remote_code=True)
    assert (folder / "ran").exists()


def test_a_file_that_is_no_gguf_says_so(tmp_path):
    (tmp_path / "page.gguf").write_text("<!doctype html>", "utf-8")
    assert "it does not begin as a GGUF file does" in refusal(tmp_path / "page.gguf")


def test_packed_weights_want_a_gpu_and_plain_files(folder, tmp_path):
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    assert "base_quantization: 4bit needs a GPU with CUDA" in refusal(folder, base_quantization="4bit")
    assert "base_quantization: 4bit is for models in folders" in refusal(tmp_path / "a.gguf", base_quantization="4bit")


def test_packed_weights_without_their_package_are_refused(folder, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(places, "find_spec", lambda name: None)
    assert "pip install bitsandbytes" in refusal(folder, base_quantization="4bit", base_dtype="float32")


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_attention_is_computed_as_the_key_says(attention):
    model, _ = loading.load_base(str(tiny_model.folder()), tiny_model.params(base_attention=attention))
    assert model.config._attn_implementation == attention
