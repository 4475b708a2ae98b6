"""What is measured of a machine stays a speed while something else keeps it busy; what is here of a model is told."""

import shutil

import pytest
import tiny_model

from tcm_rlaif.models import loading
from tcm_rlaif.runner import probe


@pytest.mark.parametrize(("one", "said"), [(1.0, 32.0), (2.5, 51.2), (4.0, 51.2), (9.0, 51.2)])
def test_a_slow_first_token_does_not_make_the_others_free(one: float, said: float, monkeypatch) -> None:
    """5 seconds for 8 answers of 17 tokens; the pass with one token took `one`, at times longer than all of them."""
    times = iter([1.0, one, 5.0, 1.0])
    monkeypatch.setattr(probe, "_fastest", lambda work: next(times))
    model, _ = tiny_model.base()
    rates = probe.measure(model, [[1] * 32] * 8, tiny_model.params(sft_batch_size=8), 8)
    assert rates.said == pytest.approx(said)


HUB = {"base_model": "owner/model"}


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """The folder of a model in the hub's cache, as a download leaves it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    place = tmp_path / "models--owner--model"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("0123456789abcdef", "utf-8")
    return shutil.copytree(tiny_model.folder(), place / "snapshots" / "0123456789abcdef")


def test_a_model_of_the_hub_that_was_fetched_is_loaded_from_its_folder(fetched) -> None:
    P = tiny_model.params(**HUB)
    assert probe.on_this_machine(P) == str(fetched)
    model, _ = loading.load_base(str(fetched), P)
    assert not model.training


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_model_of_which_a_file_was_not_fetched_is_not_here(fetched, file: str) -> None:
    (fetched / file).unlink()
    assert probe.on_this_machine(tiny_model.params(**HUB)) is None


def test_a_configuration_alone_tells_how_many_parameters_there_are_and_are_trained(fetched) -> None:
    (fetched / "model.safetensors").unlink()
    model, _ = tiny_model.with_adapter()
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert probe.outline(tiny_model.params(**HUB)) == (sum(p.numel() for p in model.parameters()) - trained, trained)


@pytest.mark.parametrize("content", ["{", '{"model_type": "nosuch"}', '{"auto_map": {"AutoConfig": "own.Config"}}'])
def test_of_a_configuration_that_cannot_be_read_nothing_is_told(fetched, content: str) -> None:
    (fetched / "config.json").write_text(content, "utf-8")
    assert probe.outline(tiny_model.params(**HUB)) is None


@pytest.mark.parametrize("model", ["tiny", "nobody-here/no-such-model", "/nowhere/model"])
def test_of_what_is_not_here_nothing_is_told(model: str) -> None:
    assert probe.outline(tiny_model.params(base_model=model)) is None
