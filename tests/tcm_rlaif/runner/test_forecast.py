"""The plan of a study counts what its stages then do, measures only a model that is here, and fetches nothing."""

import pytest
import tiny_model

from tcm_rlaif.models.loading import ModelError
from tcm_rlaif.models.prompter import Prompter
from tcm_rlaif.runner import cli, forecast, probe
from tcm_rlaif.study import params, plan
from tcm_rlaif.training import augmentation, dpo, proofs, sft

ARMS = {
    "base": {"training": "none"},
    "sft": {"training": "sft"},
    "retrieved": {"training": "sft", "prompt_cases": 1},
    "permuted": {"training": "sft", "sft_permutations": 2},
    "augmented": {"training": "sft", "sft_invented": 30},
    "sft_dpo": {},
}


def study(**changes):
    small = {"study": "planned", "seeds": (0,), "arms": ARMS, "data_cases": 40, "sft_epochs": 3, "sft_max_length": 4096}
    return tiny_model.params(**{**small, **changes})


@pytest.fixture
def here(monkeypatch):
    """The tiny model stands where a study's model is looked for."""
    monkeypatch.setattr(probe, "on_this_machine", lambda P: str(tiny_model.folder()))


def table(lines) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in lines}


def test_every_run_of_the_study_is_planned_and_timed(here) -> None:
    P = study()
    lines = table(forecast.forecast(P))
    for run in plan.plan(P):
        assert float(lines[run.folder][-1].replace(",", "")) > 0
    assert "tiny:" in lines and "measured" in lines and "memory:" in lines


@pytest.mark.parametrize("arm", ["sft", "permuted", "augmented", "retrieved"])
def test_the_steps_and_tokens_of_sft_are_those_of_its_trainer(here, arm: str, tmp_path) -> None:
    P = study()
    steps, learned, *_ = table(forecast.forecast(P))[f"02_sft/{arm}/seed0"]
    PA, cases = params.for_arm(P, arm), forecast.cases_of(P)
    model, tokenizer = tiny_model.base()
    rows = sft.sft_rows(augmentation.augmented(cases["train"], PA), Prompter(PA, cases["train"]))
    answers = len(cases["train"])
    trainer = sft.sft_trainer(model, tokenizer, rows, None, PA, seed=0, folder=tmp_path, answered=answers)
    trainer.train()
    assert int(steps.replace(",", "")) == trainer.state.global_step
    passed = sum(map(len, trainer.train_dataset["input_ids"])) / len(rows) * answers * PA.sft_epochs
    assert int(learned.replace(",", "")) == pytest.approx(passed, rel=0.1)


def test_answers_and_steps_of_the_other_stages_are_those_of_their_keys(here) -> None:
    P = study(candidate_number=3, preference_rounds=2, eval_cases=7, candidate_prompts=20)
    lines, train = table(forecast.forecast(P)), 20
    assert lines["03_rlaif_labels/sft_dpo/seed0"][2] == str(train * 3)
    assert lines["04_dpo/sft_dpo/seed0"][0] == str(2 * dpo.steps(P, train * P.pair_number))
    checks = 2 * (P.dpo_health_evaluations + 1) * 2 * P.dpo_health_cases  # in each round, drawn and greedy
    assert lines["04_dpo/sft_dpo/seed0"][2] == str(checks + train * 3)
    assert lines["05_evaluate/base/seed0"][2:4] == ["7", f"{7 * P.eval_max_new_tokens:,}"]


def test_memory_is_told_for_the_largest_batch_that_any_run_learns(here) -> None:
    P = study(sft_batch_size=3, dpo_batch_size=2)
    together = {run.stage: forecast.learned_together(run, params.for_arm(P, run.arm)) for run in plan.plan(P)}
    assert {stage: rows for stage, rows in together.items() if rows} == {"02_sft": 3, "04_dpo": 4}
    (memory,) = [line for line in forecast.forecast(P) if line.startswith("memory:")]
    assert "with the longest batch that is learned" in memory


def test_a_row_is_as_long_as_the_trainers_rows_are(here) -> None:
    P, cases = study(), forecast.cases_of(study())
    _, tokenizer = tiny_model.base()
    long, rows = forecast.lengths(cases, P, tokenizer)
    assert long.prompt + long.answer == pytest.approx(sum(map(len, rows)) / len(rows))
    counted = proofs.check_lengths(tokenizer, sft.sft_rows(cases["train"]), 4096)
    assert max(map(len, rows)) <= counted["longest"]


def test_what_is_finished_is_not_planned_again(here, monkeypatch) -> None:
    P = study()
    monkeypatch.setattr(forecast.stage, "problems", lambda P: {"06_ablation": "not finished yet"})
    lines = table(forecast.forecast(P))
    assert lines["02_sft/sft/seed0"] == ["done"] and lines["06_ablation"][0] == "0"


@pytest.mark.parametrize("model", ["nobody-here/no-such-model", "tiny"])
def test_of_a_model_that_is_not_here_no_time_is_said_and_nothing_is_fetched(model: str, monkeypatch) -> None:
    monkeypatch.setattr(forecast, "load_base", lambda *_: pytest.fail("nothing may be loaded"))
    P = study(base_model=model, base_seed=987654)
    lines = forecast.forecast(P)
    assert lines[1].split()[-1] == "?" and "no time and memory are measured" in lines[-1]
    assert int(table(lines)["02_sft/sft/seed0"][1].replace(",", "")) > 1000
    assert not plan.study_folder(P).exists()


def test_of_a_model_of_which_only_the_configuration_is_here_its_size_is_told(monkeypatch) -> None:
    monkeypatch.setattr(forecast, "load_base", lambda *_: pytest.fail("nothing may be loaded"))
    monkeypatch.setattr(probe, "outline", lambda P: (7_000_000_000, 40_000_000))
    lines = forecast.forecast(study(base_model="nobody-here/no-such-model"))
    assert "7,000.0 million parameters, 40.0 million trained, by its configuration" in lines[-2]
    assert lines[-2].endswith("memory: more than the 26.1 GiB of its weights") and lines[1].split()[-1] == "?"


ABSENT = {"base": {"training": "none"}, "large": {"training": "none", "base_model": "./models/absent"}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_model": "/nowhere/model"}, "base_model: '/nowhere/model' is no folder"),
        ({"base_model": "models/qwen/0.6B"}, "base_model: 'models/qwen/0.6B' is no folder"),
        ({"base_model": "docs/qwen"}, "base_model: 'docs/qwen' is no folder"),
        ({"arms": ABSENT, "ablation_questions": {}}, "base_model: './models/absent' is no folder"),
        ({"base_model": "nobody-here/model", "base_quantization": "4bit"}, "4bit needs a GPU with CUDA"),
    ],
)
def test_what_a_run_would_refuse_is_not_planned(changes, words: str, monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match=words):
        forecast.forecast(study(**changes))


def test_the_command_prints_the_plan(here, capsys, tmp_path) -> None:
    (tmp_path / "p.yaml").write_text("data_cases: 40\narms: {base: {training: none}}\nseeds: [0]\n", "utf-8")
    assert cli.main(["plan", str(tmp_path / "p.yaml")]) == 0
    assert "05_evaluate/base/seed0" in capsys.readouterr().out


def test_data_that_is_not_there_is_one_line(capsys, tmp_path) -> None:
    (tmp_path / "p.yaml").write_text("data_source: mtcmb\ndata_path: /nowhere\n", "utf-8")
    assert cli.main(["plan", str(tmp_path / "p.yaml")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
