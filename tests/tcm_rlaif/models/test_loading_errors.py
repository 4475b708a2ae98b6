"""A model that cannot be loaded is one clear error: the key, what was looked for, and what to do."""

import shutil

import pytest
import tiny_model

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
    with pytest.raises(ValueError) as refused:
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


DAMAGES = {
    "cut weights": lambda folder: (folder / "model.safetensors").write_bytes(
        (folder / "model.safetensors").read_bytes()[:5000]
    ),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "an empty config.json": lambda folder: (folder / "config.json").write_text(""),
    "a config.json of no known model": lambda folder: (folder / "config.json").write_text('{"model_type": "nosuch"}'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_folder_that_is_not_whole_is_named_and_not_taken_for_a_hub_id(folder, damage):
    DAMAGES[damage](folder)
    said = refusal(folder)
    assert said.startswith(f"base_model: {folder}: cannot be loaded: ") and "hub id" not in said


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
