"""The health panel: what it reads, what it calls ill, and that it stops training and goes back in time."""

import math

import pytest
import tiny_model

from tcm_rlaif.models.logps import answer_logps
from tcm_rlaif.models.sampling import Sample
from tcm_rlaif.report import plots
from tcm_rlaif.training import dpo, health
from tcm_rlaif.training.arguments import run
from tcm_rlaif.training.health import PATIENCE, HealthPanel, illness

WELL = {"format_valid": 0.75, "finished": 1.0, "herb_repetition": 0.0, "length": 100.0, "judge_score": 0.5}
WELL |= {"unknown_herb": 0.0}
RAMBLING = {"finished": 0.0}


def panel(model, tokenizer, **changes) -> HealthPanel:
    """A panel on four cases and four pairs with a judge that likes long answers."""
    P = tiny_model.params(candidate_max_new_tokens=12, dpo_batch_size=4, **changes)
    cases = tiny_model.cases()[:4]
    return HealthPanel(model, tokenizer, cases, tiny_model.pairs(4), lambda case, text: min(1.0, len(text) / 100), P, 0)


def scripted(monkeypatch, watch: HealthPanel, readings: list[dict]) -> None:
    """Let the panel find these answers, one entry a check, whatever the model says."""
    script = iter(readings)
    monkeypatch.setattr(watch, "_answer_readings", lambda step: {**WELL, **next(script)})


def weights(model, name: str = "default") -> dict:
    return {n: p.detach().clone() for n, p in model.named_parameters() if f".{name}." in n}


def same(one: dict, two: dict) -> bool:
    return one.keys() == two.keys() and all(one[n].equal(two[n]) for n in one)


# ---- what is called ill


def test_a_reading_like_the_first_is_healthy():
    assert illness(WELL, WELL) == []


@pytest.mark.parametrize(
    ("name", "before", "limit", "beyond"),
    [
        ("format_valid", 1.0, 0.75, 0.74),
        ("finished", 1.0, 0.75, 0.74),
        ("herb_repetition", 0.0, 0.2, 0.21),
        ("unknown_herb", 0.25, 0.45, 0.46),
        ("length", 100.0, 50.0, 49.0),
        ("length", 100.0, 200.0, 201.0),
    ],
)
def test_an_answer_is_ill_only_beyond_its_limit(name, before, limit, beyond):
    first = {**WELL, name: before}
    assert illness({**first, name: limit}, first) == []
    found = illness({**first, name: beyond}, first)
    assert len(found) == 1 and name in found[0]


def test_an_illness_says_what_was_and_what_is():
    row = {**WELL, "finished": 0.5, "length": 300.0}
    assert illness(row, WELL) == ["finished 1.00 -> 0.50", "length x 3.00"]


def test_getting_better_is_no_illness():
    before = {**WELL, "format_valid": 0.0, "finished": 0.0, "herb_repetition": 0.9}
    assert illness(WELL, before) == []


def test_an_empty_first_answer_does_not_divide_by_zero():
    assert illness({**WELL, "length": 1.0}, {**WELL, "length": 0.0}) == []


# ---- what the panel reads


def test_the_first_reading_finds_policy_and_reference_equal():
    watch = panel(*tiny_model.with_adapter_and_reference())
    assert watch.check(0)
    row = watch.rows[0]
    assert (row["step"], row["margin"], row["accuracy"], row["kl_per_token"], row["ill"]) == (0, 0.0, 0.0, 0.0, "")
    assert 0 < row["judge_score"] <= 1 and row["length"] > 0 and row["chosen_logp_per_token"] < 0


@pytest.mark.parametrize("start", ["base", "sft"])
def test_margin_and_kl_are_measured_against_what_training_started_from(start):
    model, tokenizer = tiny_model.with_adapter_and_reference() if start == "sft" else tiny_model.with_adapter(0.0)
    watch = panel(model, tokenizer, dpo_beta=0.3)
    reference = answer_logps(model, tokenizer, watch.pairs)[0]
    tiny_model.perturb(model, 0.05, seed=1)
    watch.check(0)
    policy, counts = answer_logps(model, tokenizer, watch.pairs)
    rewards = [0.3 * (p - r) for p, r in zip(policy, reference, strict=True)]
    margins = [c - r for c, r in zip(rewards[:4], rewards[4:], strict=True)]
    row = watch.rows[0]
    assert row["margin"] == pytest.approx(sum(margins) / 4, rel=1e-4)
    assert row["accuracy"] == sum(m > 0 for m in margins) / 4
    assert row["chosen_logp_per_token"] == pytest.approx(sum(policy[:4]) / sum(counts[:4]), rel=1e-6)
    assert row["rejected_logp_per_token"] == pytest.approx(sum(policy[4:]) / sum(counts[4:]), rel=1e-6)
    assert math.isfinite(row["kl_per_token"]) and row["kl_per_token"] != 0


def test_reading_changes_neither_weights_nor_mode_nor_what_is_trained():
    model, tokenizer = tiny_model.with_adapter_and_reference()
    watch = panel(model, tokenizer)
    before = weights(model), weights(model, "ref")
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    for mode in (True, False):
        model.train(mode)
        watch.check(0)
        assert model.training == mode
    assert same(before[0], weights(model)) and same(before[1], weights(model, "ref"))
    assert {n for n, p in model.named_parameters() if p.requires_grad} == trained
    assert all(".default." in n for n in trained) and model.active_adapter == "default"


def test_a_reading_holds_what_the_figure_of_the_panel_shows():
    watch = panel(*tiny_model.with_adapter_and_reference())
    watch.check(0)
    assert len(plots.health(watch.rows).axes) == 6


def test_unknown_herbs_and_likeness_are_of_greedy_answers_all_else_of_the_policys_own_draws(monkeypatch):
    texts = {
        0.0: ["处方：柴胡10g，茯苓10g。", "处方：茯苓10g，柴胡10g。", "处方：生杭芍提取物9g。", "不寐"],
        1.0: ["柴胡10g"] * 4,
    }
    asked = []

    def scripted_sample(model, tokenizer, cases, *, temperature, **how):
        asked.append((temperature, how.get("end_at_loop", False)))
        return [Sample(c.id, 0, text, True, (5, 6)) for c, text in zip(cases, texts[temperature], strict=True)]

    monkeypatch.setattr(health, "sample", scripted_sample)
    watch = panel(*tiny_model.with_adapter_and_reference(), candidate_end_at_loop=True)
    watch.check(0)
    assert sorted(asked) == [(0.0, True), (1.0, False)]
    row = watch.rows[0]
    assert (row["unknown_herb"], row["alike"]) == (0.25, 0.5), "the order of herbs is no difference"
    assert (row["length"], row["kl_per_token"]) == (len("柴胡10g"), 0.0)


def test_two_readings_of_the_same_weights_are_equal():
    watch = panel(*tiny_model.with_adapter_and_reference())
    watch.check(0)
    watch.check(0)
    assert watch.rows[0] == watch.rows[1]


# ---- going back


def test_the_last_healthy_weights_come_back_when_the_newest_reading_is_ill(monkeypatch):
    model, tokenizer = tiny_model.with_adapter_and_reference()
    watch = panel(model, tokenizer)
    scripted(monkeypatch, watch, [{}, {}, RAMBLING])
    assert watch.check(0)
    tiny_model.perturb(model, seed=1)
    assert watch.check(10)
    healthy = weights(model)
    tiny_model.perturb(model, seed=2)
    assert not watch.check(20)
    ref = weights(model, "ref")
    assert watch.rows[-1]["ill"] == "finished 1.00 -> 0.00" and not same(healthy, weights(model))
    assert watch.restore() and same(healthy, weights(model)) and watch.kept_step == 10
    assert same(ref, weights(model, "ref"))


def test_a_passing_illness_is_not_gone_back_on(monkeypatch):
    model, tokenizer = tiny_model.with_adapter_and_reference()
    watch = panel(model, tokenizer)
    scripted(monkeypatch, watch, [{}, RAMBLING, {}])
    for step in (0, 10, 20):
        tiny_model.perturb(model, seed=step)
        watch.check(step)
    newest = weights(model)
    assert not watch.restore() and same(newest, weights(model)) and watch.kept_step == 20


def trained_under_watch(monkeypatch, tmp_path, readings: list[dict]):
    """DPO for eight steps with a check after every second, the panel finding these answers."""
    P = tiny_model.params(dpo_batch_size=2, dpo_epochs=8, dpo_learning_rate=0.01, dpo_health_evaluations=4)
    policy, tokenizer = tiny_model.with_adapter()
    trainer = dpo.trainer(policy, tokenizer, tiny_model.pairs(2), P, seed=0, folder=tmp_path)
    watch = panel(trainer.model, tokenizer)
    watch.P = P
    scripted(monkeypatch, watch, readings)
    trainer.add_callback(watch.callback(dpo.steps(P, 2)))
    run(trainer)
    return trainer, watch


def test_training_stops_after_two_ill_readings_in_a_row_and_goes_back(monkeypatch, tmp_path):
    assert PATIENCE == 2
    trainer, watch = trained_under_watch(monkeypatch, tmp_path, [{}, {}, RAMBLING, RAMBLING])
    assert [row["step"] for row in watch.rows] == [0, 2, 4, 6] and trainer.state.global_step == 6
    assert watch.restore() and watch.kept_step == 2
    assert same(watch.healthy_weights, weights(trainer.model))


def test_what_was_stopped_as_ill_stays_stopped_when_its_run_goes_on(monkeypatch, tmp_path):
    trained_under_watch(monkeypatch, tmp_path, [{}, {}, RAMBLING, RAMBLING])
    trainer, watch = trained_under_watch(monkeypatch, tmp_path, [{}])  # another reading would find the script ended
    assert [row["step"] for row in watch.rows] == [0, 2, 4, 6] and trainer.state.global_step <= 7
    assert watch.restore() and same(watch.healthy_weights, weights(trainer.model))


def test_a_later_round_is_held_against_the_policy_that_came_in(monkeypatch):
    model, tokenizer = tiny_model.with_adapter_and_reference()
    watch = panel(model, tokenizer)
    watch.before = WELL
    scripted(monkeypatch, watch, [{"finished": 0.8}, {"finished": 0.6}])
    assert watch.check(0)
    came_in = weights(model)
    tiny_model.perturb(model, seed=1)
    assert not watch.check(10), "0.2 less in each of two rounds"
    assert watch.restore() and same(came_in, weights(model)) and watch.kept_step == 0


def test_training_goes_on_after_one_ill_reading(monkeypatch, tmp_path):
    trainer, watch = trained_under_watch(monkeypatch, tmp_path, [{}, RAMBLING, {}, RAMBLING, {}])
    assert [row["step"] for row in watch.rows] == [0, 2, 4, 6, 8] and trainer.state.global_step == 8
    assert not watch.restore() and watch.kept_step == 8
    assert watch.rows[-1]["chosen_logp_per_token"] != watch.rows[0]["chosen_logp_per_token"]
