"""An export is whole, loads by plain transformers, peft and datasets, gives the study's logits, says what it is."""

import json
import re

import pytest
import tiny_model
import trained_study
import yaml

from tcm_rlaif.models import prompts
from tcm_rlaif.models.sampling import sample
from tcm_rlaif.runner import asked, cli, trained
from tcm_rlaif.runner.export import export
from tcm_rlaif.study import params
from tcm_rlaif.study.plan import StageError, study_folder


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    with trained_study.opened(tmp_path_factory.mktemp("project")) as P:
        yield P


@pytest.fixture(scope="module")
def exported(study, tmp_path_factory):
    """The arm with AI feedback, as the command writes it."""
    out = tmp_path_factory.mktemp("out") / "given"
    assert cli.main(["export", trained_study.NAME, "sft_dpo", str(out)]) == 0
    return out


def logits(model, tokenizer):
    """What a model makes of a case asked with the tokenizer's own template."""
    import torch

    asked = tokenizer.apply_chat_template(
        prompts.prompt(tiny_model.cases()[0]), add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    with torch.inference_mode():
        return model.eval()(**asked).logits


def test_plain_transformers_and_peft_give_the_logits_of_the_study(study, exported) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    policy, tokenizer = trained.find(trained_study.NAME, "sft_dpo").load()
    ours = logits(policy, tokenizer)
    merged = AutoModelForCausalLM.from_pretrained(exported / "merged", dtype="float32")
    base = AutoModelForCausalLM.from_pretrained(exported / "base", dtype="float32")
    untrained = logits(base, tokenizer)
    adapted = PeftModel.from_pretrained(base, str(exported / "adapter"))
    by_merged = logits(merged, AutoTokenizer.from_pretrained(exported / "merged"))
    by_adapter = logits(adapted, AutoTokenizer.from_pretrained(exported / "adapter"))
    assert (ours - untrained).abs().max() > 0.05, "the adapter changes nothing, so the test would show nothing"
    assert (by_adapter - ours).abs().max() < 1e-4
    assert (by_merged - ours).abs().max() < 1e-3


def answer_by_card(folder, kind: str, monkeypatch, capsys) -> str:
    """What the code of a card prints, run as its reader runs it."""
    code = re.findall(r"```python\n(.*?)```", (folder / kind / "README.md").read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(folder)
    capsys.readouterr()
    exec("\n".join(code), {})
    return capsys.readouterr().out.strip()


def answer_of_study(arm: str) -> str:
    """What the study's own code answers to the case of the cards."""
    found = trained.find(trained_study.NAME, arm)
    how = {"number": 1, "temperature": 0.0, "max_new_tokens": found.P.eval_max_new_tokens, "batch_size": 1, "seed": 0}
    (said,) = sample(*found.load(), [asked.EXAMPLE], **how)
    return said.text


@pytest.mark.parametrize("kind", ["adapter", "merged"])
def test_the_code_of_a_card_answers_as_the_study_does(study, exported, kind, monkeypatch, capsys) -> None:
    assert answer_by_card(exported, kind, monkeypatch, capsys) == answer_of_study("sft_dpo") != ""


@pytest.mark.parametrize("adapter", ["prompt", "prefix"])
def test_a_learned_prompt_or_prefix_is_exported_as_what_it_is(adapter, tmp_path, monkeypatch, capsys) -> None:
    arms = {"learned": {"training": "sft", "adapter": adapter}}
    out = tmp_path / "out"
    with trained_study.opened(tmp_path / "project", arms=arms, adapter_tokens=5, eval_max_new_tokens=40):
        assert cli.main(["export", trained_study.NAME, "learned", str(out)]) == 0
        said = capsys.readouterr().out
        assert f"a learned {adapter} cannot be merged" in said and "merged: " not in said
        assert sorted(path.name for path in out.iterdir()) == ["adapter", "base"]
        _, text = card(out / "adapter" / "README.md")
        assert f"a learned {adapter} of 5 tokens" in text and "LoRA of rank" not in text and "vllm serve" not in text
        assert answer_by_card(out, "adapter", monkeypatch, capsys) == answer_of_study("learned") != ""


def test_the_merged_model_ends_answers_and_pads_as_the_study_does(exported) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer, how = (
        AutoTokenizer.from_pretrained(exported / "merged"),
        GenerationConfig.from_pretrained(exported / "merged"),
    )
    ends = how.eos_token_id if isinstance(how.eos_token_id, list) else [how.eos_token_id]
    assert tokenizer.eos_token_id in ends and tokenizer.pad_token_id not in ends
    assert how.pad_token_id == tokenizer.pad_token_id and how.repetition_penalty is None


def test_weights_are_safetensors_alone_and_nothing_names_a_place_of_this_machine(exported) -> None:
    names = {path.name for path in exported.rglob("*") if path.is_file()}
    assert {"adapter_model.safetensors", "model.safetensors"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth", ".pkl"))]
    place = str(tiny_model.folder().parent)
    texts = [p for p in exported.rglob("*") if p.suffix in (".json", ".md", ".jinja", ".jsonl")]
    assert [p for p in texts if place in p.read_text("utf-8")] == []
    assert (
        json.loads((exported / "adapter/adapter_config.json").read_text("utf-8"))["base_model_name_or_path"] == "base"
    )


def card(path) -> tuple[dict, str]:
    """Front matter and text of a card."""
    _, head, text = path.read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(head), text


@pytest.fixture(scope="module")
def sft_card(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("sft") / "out"
    export(trained.find(trained_study.NAME, "sft", 0), out)
    return card(out / "merged" / "README.md")


def test_the_model_card_holds_data_parameters_results_with_intervals_floors_and_limits(sft_card) -> None:
    head, text = sft_card
    assert head["language"] == ["zh"] and "research-only" in head["tags"]
    assert "| sft | 0.420 [0.310, 0.530] |" in text and "| popularity | 0.251 (3) |" in text
    assert "high 0.25" in text and "1 seed(s) (exploratory)" in text
    assert "Invented cases" in text and "9 train, 3 test" in text and "base_vocabulary: 768" in text
    assert "LoRA of rank 16" in text and "1.2 million parameters" in text
    assert "Research only" in text and text.index("Research only") < 200 and "## Limits" in text


def test_an_arm_without_results_says_so_instead_of_numbers(exported) -> None:
    _, text = card(exported / "adapter" / "README.md")
    assert "nothing is known of how well this model answers" in text and "0.420" not in text


def test_the_preference_pairs_load_as_a_data_set_with_a_card(exported, tmp_path) -> None:
    from datasets import load_dataset

    pairs = load_dataset(str(exported / "preferences"), split="train", cache_dir=str(tmp_path))
    assert len(pairs) == 3 and pairs[0]["chosen"][0]["role"] == "assistant" and pairs[0]["prompt"][1]["role"] == "user"
    head, text = card(exported / "preferences" / "README.md")
    assert head["configs"][0]["data_files"][0] == {"split": "train", "path": "data/train.jsonl"}
    assert "3 pairs on 3 cases" in text and "planted `overdose`: scored lower in 75% of 4" in text
    assert "Research only" in text and "never of validation or test" in text


def test_an_arm_without_feedback_has_no_pairs(study, tmp_path) -> None:
    assert sorted(export(trained.find(trained_study.NAME, "sft"), tmp_path / "x")) == ["adapter", "base", "merged"]


def refused(capsys, *arguments: str) -> str:
    assert cli.main(list(arguments)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_what_cannot_be_exported_is_one_line(study, capsys, tmp_path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine", "utf-8")
    out = str(tmp_path / "new")
    assert "arm 'base' trains nothing" in refused(capsys, "export", trained_study.NAME, "base", out)
    assert "no arm 'stf'" in refused(capsys, "export", trained_study.NAME, "stf", out)
    assert "was not run here" in refused(capsys, "export", "never", "sft", out)
    assert "7 is not among" in refused(capsys, "export", trained_study.NAME, "sft", out, "--seed", "7")
    assert "is there already" in refused(capsys, "export", trained_study.NAME, "sft", str(tmp_path / "full"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full"], "nothing half-written is left"


def test_a_run_that_is_not_finished_or_damaged_is_named(tmp_path) -> None:
    with trained_study.opened(tmp_path):
        found = trained.find(trained_study.NAME, "sft")
        weights = found.adapter / "adapter_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        with pytest.raises(StageError, match="adapter_model.safetensors is damaged: .*; ./study run makes it again"):
            trained.find(trained_study.NAME, "sft")
        (found.folders["sft"] / "stage.json").unlink()
        with pytest.raises(StageError, match="02_sft.* is missing: that run is not finished"):
            trained.find(trained_study.NAME, "sft")


def test_a_seed_that_the_arm_does_not_have_is_not_answered_by_another(tmp_path) -> None:
    with trained_study.opened(tmp_path) as P:
        snapshot = study_folder(P) / params.SNAPSHOT
        values = yaml.safe_load(snapshot.read_text("utf-8")) | {"seeds": [0, 1], "arm_seeds": {"sft": [0]}}
        snapshot.write_text(yaml.safe_dump(values), "utf-8")
        with pytest.raises(StageError, match=r"'sft' has no seed 1 in this study, but \[0\]"):
            trained.find(trained_study.NAME, "sft", 1)
        assert trained.find(trained_study.NAME, "sft").seed == 0


@pytest.mark.slow
def test_a_server_of_plain_transformers_answers_as_the_study_does(study, exported) -> None:
    """Asked as the card says, through `transformers serve`."""
    from faulty_proxy import real_server
    from openai import OpenAI

    case = tiny_model.cases()[0]
    model, tokenizer = trained.find(trained_study.NAME, "sft_dpo").load()
    how = {"number": 1, "temperature": 0.0, "max_new_tokens": 12, "batch_size": 1, "seed": 0}
    (expected,) = sample(model, tokenizer, [case], **how)
    with real_server(exported / "merged") as url:
        client = OpenAI(base_url=url, api_key="none")
        asked = {
            "model": str(exported / "merged"),
            "messages": prompts.prompt(case),
            "max_tokens": 12,
            "temperature": 0,
        }
        said = client.chat.completions.create(**asked).choices[0].message.content
    assert said.strip() == expected.text
