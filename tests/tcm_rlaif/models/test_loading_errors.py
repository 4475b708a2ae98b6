"""A model that cannot be loaded is one clear error: the key, what was looked for, and what to do."""

import json
import re
import shutil

import pytest
import tiny_model
from safetensors.torch import load_file, save_file

from tcm_rlaif.models import places
from tcm_rlaif.models.loading import ModelError, load_base
from tcm_rlaif.study.params import ROOT


@pytest.fixture(autouse=True)
def without_network(monkeypatch):
    """As on a machine that reaches no hub, and has nothing from it in its cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def folder(tmp_path):
    """A copy of the tiny model to damage."""
    return shutil.copytree(tiny_model.folder(), tmp_path / "qwen")


def refusal(source, **changes) -> str:
    """What a user reads when this source is loaded."""
    with pytest.raises(ModelError) as refused:
        load_base(str(source), tiny_model.params(base_model=str(source), **changes))
    said = str(refused.value)
    assert "\n" not in said and "Repo id must" not in said
    return said


@pytest.mark.parametrize("source", ["models/qwen/0.6B", "/data/models/qwen", "./qwen", "~/qwen", "a b", "模型/qwen"])
def test_a_misspelt_folder_is_no_matter_of_repo_ids(source):
    said = refusal(source)
    assert said.startswith(f"base_model: {source!r} is no folder (")
    assert ".gguf" in said and "hub id" in said and "check the spelling" in said


def test_a_relative_folder_is_said_to_count_from_the_project():
    assert str(ROOT / "models/qwen/0.6B") in refusal("models/qwen/0.6B")


@pytest.mark.parametrize("source", ["nobody-here/no-such-model", "nosuchmodel"])
def test_a_hub_id_without_network_is_named_with_both_ways_out(source):
    said = refusal(source)
    assert said.startswith(f"base_model: {source!r} is no folder (") and "as a hub id it cannot be had" in said
    assert "a token" in said and "without network" in said


def test_a_gated_model_says_that_a_token_is_wanted(monkeypatch):
    """The hub's own words for it, raised where transformers raises them."""
    from transformers import AutoTokenizer

    def gated(*args, **kwargs):
        raise OSError("You are trying to access a gated repo.\nMake sure to have access to it.")

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", gated)
    said = refusal("owner/gated")
    assert "gated repo. Make sure" in said and "`hf auth login`" in said


def test_a_folder_without_config_is_named(tmp_path):
    said = refusal(tmp_path)
    assert said == (f"base_model: {tmp_path}: a folder without config.json is no model; name the folder that holds it")


def test_a_folder_of_gguf_files_names_them(tmp_path):
    for name in ("q8.gguf", "Q4.GGUF", "README.md"):
        (tmp_path / name).write_text("x")
    assert refusal(tmp_path).endswith("name the file itself, one of: Q4.GGUF, q8.gguf")


def test_another_file_is_said_to_be_no_model_and_not_to_be_missing(tmp_path):
    (tmp_path / "weights.bin").touch()
    said = refusal(tmp_path / "weights.bin")
    assert said.startswith(f"base_model: {tmp_path / 'weights.bin'}: a single file is a model only as .gguf")


def test_a_name_in_a_folder_of_the_project_is_a_misspelt_folder(tmp_path, monkeypatch):
    (tmp_path / "models/qwen").mkdir(parents=True)
    monkeypatch.setattr(places, "ROOT", tmp_path)
    said = refusal("models/qwem")
    assert said.startswith("base_model: 'models/qwem' is no folder (") and "hf download models/qwem" in said
    monkeypatch.setattr(places, "cached", lambda source: tmp_path)  # fetched from the hub: no folder is meant
    assert places.locate("models/qwem", "base_model") == ("models/qwem", None)


DAMAGES = {
    "cut weights": lambda folder: (folder / "model.safetensors").write_bytes(
        (folder / "model.safetensors").read_bytes()[:5000]
    ),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "an empty config.json": lambda folder: (folder / "config.json").write_text(""),
    "a config.json of no known model": lambda folder: (folder / "config.json").write_text('{"model_type": "nosuch"}'),
    "a config.json that is a list": lambda folder: (folder / "config.json").write_text("[]"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_folder_that_is_not_whole_is_named_and_not_taken_for_a_hub_id(folder, damage):
    DAMAGES[damage](folder)
    said = refusal(folder)
    assert said.startswith(f"base_model: {folder}: cannot be loaded: ") and "hub id" not in said


def weights_become(folder, change) -> None:
    """Write a model's weights again, changed."""
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def config_becomes(folder, file="config.json", **changes) -> None:
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), "utf-8")


BERT = {"model_type": "bert", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 768}
INCOMPLETE = {
    "a layer is missing": (
        lambda folder: weights_become(folder, lambda w: {k: v for k, v in w.items() if ".layers.1." not in k}),
        r"11 of its 25 weights are not in its files, as model\.layers\.1\.input_layernorm\.weight, model\.layers\.1\.",
    ),
    "every weight has another name": (
        lambda folder: weights_become(folder, lambda w: {f"policy.{k}": v for k, v in w.items()}),
        "25 of its 25 weights are not in its files, as lm_head",
    ),
    "the weights are another model's": (
        lambda folder: (folder / "config.json").write_text(json.dumps(BERT)),
        r"(\d+) of its \1 weights are not in its files, as bert\.",
    ),
    "config.json names other shapes": (
        lambda folder: config_becomes(folder, intermediate_size=48),
        r"6 of its weights are of other shapes than its configuration says: .*\(\[\d+, \d+\], not \[\d+, 48\]\)",
    ),
}


@pytest.mark.parametrize("damage", INCOMPLETE)
def test_weights_that_the_files_do_not_hold_are_no_random_numbers(folder, damage):
    change, words = INCOMPLETE[damage]
    change(folder)
    said = refusal(folder)
    assert re.match(f"base_model: {folder}: {words}", said)
    assert said.endswith("; fetch it again, with the config.json that belongs to it")


def test_a_head_of_its_own_may_be_missing_only_where_it_is_tied_to_the_words(folder):
    config_becomes(folder, tie_word_embeddings=False)
    assert "1 of its 25 weights are not in its files, as lm_head.weight; fetch it again" in refusal(folder)


TALKS = {
    "no end token": (
        lambda folder: config_becomes(folder, "tokenizer_config.json", eos_token=None),
        "the tokenizer has no end token, so that no answer could end; name it as eos_token in",
    ),
    "texts as lists": (
        lambda folder: (folder / "chat_template.jinja").write_text(
            "{% for m in messages %}{% for part in m.content %}{{ part.text }}{% endfor %}<|im_end|>{% endfor %}"
        ),
        "its chat template leaves out what is said, as '问' (it may want lists of parts); put one for plain",
    ),
    "a template that is cut off": (
        lambda folder: (folder / "chat_template.jinja").write_text("{% for m in %}"),
        "its chat template fails (Expected an expression, got 'end of statement block'); put one for plain",
    ),
}


@pytest.mark.parametrize("damage", TALKS)
def test_a_model_that_cannot_be_talked_with_is_an_error_of_its_model_and_key(folder, damage):
    change, words = TALKS[damage]
    change(folder)
    assert refusal(folder).startswith(f"base_model: {folder}: {words}")
    with pytest.raises(ModelError, match=f"^judge_model: {folder}: "):
        load_base(str(folder), tiny_model.params(judge_model=str(folder)))


def test_a_file_that_is_no_gguf_is_named(tmp_path):
    (tmp_path / "broken.gguf").write_bytes(b"no weights")
    assert refusal(tmp_path / "broken.gguf").startswith(f"base_model: {tmp_path / 'broken.gguf'}: cannot be loaded: ")


def test_a_gguf_file_in_upper_case_is_looked_for_as_a_file(tmp_path):
    with pytest.raises(ModelError, match=r"base_model: .*absent\.GGUF: no such file"):
        load_base(str(tmp_path / "absent.GGUF"), tiny_model.params())


def test_a_judges_model_is_named_by_its_own_key():
    P = tiny_model.params(judge_model="models/judge/7B")
    with pytest.raises(ValueError, match=r"^judge_model: 'models/judge/7B' is no folder"):
        load_base("models/judge/7B", P)


def test_a_home_folder_is_found(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    model, _ = load_base("~/qwen", tiny_model.params())
    assert not model.training
