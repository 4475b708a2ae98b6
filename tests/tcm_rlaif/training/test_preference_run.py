"""Every way of learning runs through the same rounds: sampled anew where it asks, watched, its cost written down."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import tiny_model
import torch

from tcm.answers import write
from tcm.cases import write_cases
from tcm_rlaif.feedback import candidates
from tcm_rlaif.feedback.judges.base import Item, Verdict
from tcm_rlaif.feedback.labels import Feedback
from tcm_rlaif.training import preference_run
from tcm_rlaif.training.health import HealthPanel
from tcm_rlaif.training.methods import METHODS
from tcm_rlaif.training.preference_run import PreferenceRun
from tcm_rlaif.training.rounds import of_candidates

CASES = tiny_model.cases()
TRAIN, POOL, WATCHED = CASES[:3], CASES[3:5], CASES[5:8]
SMALL = {
    **{"candidate_number": 4, "candidate_max_new_tokens": 24, "dpo_batch_size": 2, "dpo_accumulation": 1},
    **{"pair_margin": 0.0, "pair_max_overlap": 1.0, "pair_max_length_ratio": 100.0, "dpo_health_evaluations": 1},
    **{"preference_epochs": 1, "preference_learning_rate": 0.01, "dpo_learning_rate": 0.01, "judge": "format"},
}
SCORES = (0.1, 0.9, 0.4, 0.6)
COST = {"answers": 20, "tokens": 160, "sampling": 1.5, "judging": 0.5}


@pytest.fixture
def study(tmp_path):
    """A function that makes a preference run on three training cases and two prompts without an answer."""
    pool = [case.model_copy(update={"answer": None}) for case in POOL]
    write_cases(tmp_path / "cases.jsonl", [*TRAIN, *pool, *WATCHED])
    place = {c.id: "train" for c in TRAIN} | {c.id: "unlabelled" for c in pool} | {c.id: "validation" for c in WATCHED}
    (tmp_path / "splits.json").write_text(json.dumps(place), "utf-8")

    def made(start: str = "sft", folder: str = "out", **changes) -> PreferenceRun:
        P = tiny_model.params(**{**SMALL, **changes})
        stage = SimpleNamespace(P=P, seed=0, folder=tmp_path / folder, inputs={"data": tmp_path})
        stage.folder.mkdir(exist_ok=True)
        tiny_model.folder()
        torch.manual_seed(0)  # of the adapter's start, which a study reads from a file
        model, tokenizer = tiny_model.with_adapter() if start == "sft" else tiny_model.base()
        texts = tuple(write(case.answer) for case in CASES[:4])
        items = [Item(case, texts) for case in (*TRAIN, *pool)]
        verdicts = [Verdict(item.case.id, SCORES, ({},) * 4, "judged") for item in items]
        return PreferenceRun(model, tokenizer, Feedback(items, verdicts, TRAIN[:2]), WATCHED, stage, COST)

    return made


@pytest.fixture
def told_apart(monkeypatch):
    """Later rounds are judged as the first one is: the layout of random answers may be the same in all of them.

    And their answers count as ended, which those of an untaught model hardly ever are.
    """
    drawn = candidates.sample

    def ended(*args, **how):
        return [replace(said, finished=True) for said in drawn(*args, **how)]

    monkeypatch.setattr(candidates, "sample", ended)

    def judge(_, items, *__):
        scores = [SCORES[: len(item.candidates)] for item in items]
        return SimpleNamespace(
            verdicts=[
                Verdict(item.case.id, own, ({},) * len(own), "judged") for item, own in zip(items, scores, strict=True)
            ]
        )

    monkeypatch.setattr(preference_run.labels, "judge", judge)


@pytest.mark.parametrize(("method", "start"), [*((method, "sft") for method in METHODS), ("best_of_n", "base")])
def test_two_rounds_of_each_method_are_watched_and_their_cost_is_told(
    study, told_apart, method: str, start: str
) -> None:
    run = study(start, preference_training=method, preference_rounds=2)
    history = run.train()
    online, asks = METHODS[method].online, METHODS[method].asks
    assert [row["round"] for row in run.rounds] == ([0, 1] if online else [0, 1, 2])
    first, *rounds = run.rounds
    assert first["kl"] == pytest.approx(0, abs=1e-4)
    assert all(row["prompts"] == 5 and row["rows"] and row["steps"] for row in rounds)
    assert rounds[-1]["steps"] == run.steps
    assert all(row["tokens_trained"] > 0 and row["seconds"]["training"] > 0 for row in rounds)
    assert all(math.isfinite(row["entropy"]) and 0 <= row["judge_score"] <= 1 for row in run.rounds)
    assert rounds[0]["seconds"].get("sampling") == (1.5 if asks else None)
    assert {row["round"] for row in history} == {row["round"] for row in rounds}
    if asks:
        assert rounds[1]["answers"] == 20 and rounds[1]["tokens_sampled"] <= 20 * 24
        assert {"sampling", "judging"} <= set(rounds[1]["seconds"])
    assert (run.stage.folder / "round2" / "candidates.jsonl").exists() == asks
    assert (rounds[0]["answers"] is None) == (method == "sft_more")
    if online:
        assert rounds[0]["answers"] == 4 * 6 * 2 and rounds[0]["steps"] == 6
        assert 0 < rounds[0]["tokens_sampled"] <= 48 * 24 < rounds[0]["tokens_trained"]
    moved = max(abs(row["kl"]) for row in run.panel.rows)
    assert moved > 1e-4, "the policy moved away from what it came in as, kept or not"


@pytest.mark.parametrize(
    ("method", "rounds"), [("dpo", 1), ("kto", 1), ("best_of_n", 1), ("sft_chosen", 1), ("dpo", 2)]
)
def test_a_killed_training_goes_on_with_its_readings_and_ends_as_one_that_nobody_disturbed(
    study, told_apart, monkeypatch, method: str, rounds: int
) -> None:
    settings = {"preference_training": method, "preference_rounds": rounds, "dpo_health_evaluations": 2}
    settings |= {"preference_epochs": 3, "sft_batch_size": 2, "sft_accumulation": 1}
    whole = study(folder="whole", **settings)
    whole.train()
    readings = [row["step"] for row in whole.panel.rows]
    killed_at = min(2, len(readings) - 1)  # of the readings of the last round
    checks, check = [], HealthPanel.check

    def counted(panel, step: int) -> bool:
        checks.append(step)
        if len(checks) == (rounds - 1) * len(whole.first_panel.rows) + killed_at + 1:
            raise KeyboardInterrupt
        return check(panel, step)

    with monkeypatch.context() as patched:
        patched.setattr(HealthPanel, "check", counted)
        with pytest.raises(KeyboardInterrupt):
            study(**settings).train()
        before = len(checks)
        run = study(**settings)
        run.train()
    assert checks[before:] == readings[killed_at:], "read once what was checkpointed"
    assert [row["step"] for row in run.panel.rows] == readings and run.panel.kept_step == whole.panel.kept_step
    assert json.dumps(run.panel.scores) == json.dumps(whole.panel.scores)
    ours, theirs = (dict(made.model.named_parameters()) for made in (run, whole))
    assert max((ours[n] - p).abs().max().item() for n, p in theirs.items()) < 1e-6
    assert [row["tokens_trained"] for row in run.rounds[1:]] == [row["tokens_trained"] for row in whole.rounds[1:]]


def test_what_comes_in_stays_the_reference_of_kl_over_all_rounds(study, told_apart) -> None:
    run = study(preference_training="best_of_n", preference_rounds=2)
    weights = {n: p.clone() for n, p in run.model.named_parameters() if ".start." in n}
    assert weights
    run.train()
    now = dict(run.model.named_parameters())
    assert all((now[n] == p).all() for n, p in weights.items())
    assert "ref" not in run.model.peft_config
    policy = run.save(run.stage.folder / "adapter")
    assert policy is not None and not list((run.stage.folder / "adapter").glob("**/start*"))


def test_dpo_takes_the_newest_policy_as_the_reference_of_a_later_round(study, told_apart) -> None:
    run = study(preference_rounds=2)
    run.train()
    now = dict(run.model.named_parameters())
    pairs = [(n, n.replace(".ref.", ".start.")) for n in now if ".ref." in n]
    assert max((now[ref] - now[start]).abs().max().item() for ref, start in pairs) > 1e-4


def test_a_round_whose_answers_make_no_rows_ends_the_training_and_the_policy_before_it_stands(
    study, monkeypatch, capsys
) -> None:
    run = study(preference_rounds=3, pair_margin=0.1)
    alike = [Verdict(item.case.id, (0.5,) * 4, ({},) * 4, "judged") for item in run.feedback.items]
    monkeypatch.setattr(preference_run.labels, "judge", lambda *_: SimpleNamespace(verdicts=alike))
    history = run.train()
    assert {row["round"] for row in history} == {1} and [row["round"] for row in run.rounds] == [0, 1]
    assert "round 2: the newest policy's answers make no rows to learn from" in capsys.readouterr().out
    trained = {n: p.clone() for n, p in run.model.named_parameters() if ".default." in n}
    run.save(run.stage.folder / "adapter")
    assert (run.stage.folder / "adapter" / "adapter_model.safetensors").is_file()
    assert any((p != dict(run.model.named_parameters())[n.replace(".default.", ".start.")]).any()
               for n, p in trained.items())  # fmt: skip


def test_the_trainers_loss_is_that_of_a_few_lines_of_ours_with_the_term_of_sft_too(study) -> None:
    run = study(dpo_loss_type=("sigmoid", "sft"), dpo_loss_weights=(1.0, 0.5), dpo_health_cases=4)
    run.train()
    ours, trainers = run.both_losses()
    assert ours == pytest.approx(trainers, rel=1e-4) and ours > 1.0, "the sigmoid loss alone is below ln 2 by now"


def test_without_rows_the_policy_passes_through(study) -> None:
    run = study(pair_margin=1.0)
    assert run.train() == [] and run.rounds == [] and run.trainer is None
    assert run.first_loss() == {"loss": None, "margin": None}
    assert len(run.panel.scores[0]) == len(WATCHED)


def test_collapse_shows_in_the_candidates() -> None:
    texts = ("处方：柴胡9g，黄芩9g。", "处方：黄芩9g，柴胡9g。", "处方：白术9g。", "不知道")
    items = [Item(CASES[0], texts)]
    found = of_candidates(items, [Verdict(CASES[0].id, (0.5, 0.5, 0.25, None), ({},) * 4, "partial")])
    assert found["mean_score"] == pytest.approx(1.25 / 3) and found["spread"] == 0.25
    assert found["distinct"] == pytest.approx(2 / 3) and found["commonest"] == 1.0
    many = "处方：" + "，".join(
        f"{herb}9g" for herb in "柴胡 黄芩 白术 当归 川芎 白芍 茯苓 甘草 陈皮 半夏 党参 黄芪".split()
    )
    assert of_candidates([Item(CASES[0], (many,))], [])["commonest"] == pytest.approx(10 / 12)
    assert of_candidates([], []) == dict.fromkeys(("mean_score", "spread", "distinct", "commonest"))


def test_the_panel_follows_as_many_pairs_as_it_answers_cases(study) -> None:
    run = study(dpo_health_cases=2)
    assert len(run.pairs) > 2 and len(run.panel.pairs) == 4, "chosen and rejected of two pairs"
