"""DPO starts at ln 2 from the model as it came in, each loss is its formula, and the reference stays as it was."""

import math

import pytest
import tiny_model
from tiny_model import messages

from tcm_rlaif.models.logps import answer_logps
from tcm_rlaif.training import proofs
from tcm_rlaif.training.arguments import run
from tcm_rlaif.training.dpo import steps, trainer


def dpo(folder, model=None, rows: int = 4, **changes):
    """A DPO trainer on the first pairs."""
    policy, tokenizer = model or tiny_model.base()
    P = tiny_model.params(**{"dpo_batch_size": 4, "dpo_epochs": 3, **changes})
    return trainer(policy, tokenizer, tiny_model.pairs(rows), P, seed=0, folder=folder)


def moved(before: dict, after: dict) -> float:
    """Largest absolute change of any weight."""
    assert before.keys() == after.keys() and before
    return max((after[name] - weight).abs().max().item() for name, weight in before.items())


@pytest.mark.parametrize("start", ["base", "sft"])
def test_dpo_starts_at_ln_2_with_margin_0(tmp_path, start):
    made = dpo(tmp_path, tiny_model.with_adapter() if start == "sft" else None)
    first = proofs.first_loss(made)
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert first["margin"] == pytest.approx(0, abs=1e-5)
    assert ("ref" in made.model.peft_config) == (start == "sft")
    assert made.model.training


@pytest.mark.parametrize("start", ["base", "sft"])
def test_five_lines_of_ours_give_the_trainers_loss_and_margin(tmp_path, start):
    model, tokenizer = tiny_model.with_adapter() if start == "sft" else tiny_model.base()
    reference = answer_logps(model, tokenizer, messages(4))[0]
    made = dpo(tmp_path, (model, tokenizer), dpo_beta=0.3)
    tiny_model.perturb(made.model, seed=1)
    policy = answer_logps(made.model, tokenizer, messages(4))[0]

    rewards = [0.3 * (p - r) for p, r in zip(policy, reference, strict=True)]
    margins = [chosen - rejected for chosen, rejected in zip(rewards[:4], rewards[4:], strict=True)]
    losses = [math.log1p(math.exp(-margin)) for margin in margins]
    theirs = proofs.batch_loss(made, 4)
    assert min(map(abs, margins)) > 0.01
    assert theirs["loss"] == pytest.approx(sum(losses) / 4, rel=1e-4)
    assert theirs["margin"] == pytest.approx(sum(margins) / 4, rel=1e-3, abs=1e-4)


def test_the_reference_of_continued_training_is_the_sft_adapter_and_stays(tmp_path):
    model, tokenizer = tiny_model.base()
    base = answer_logps(model, tokenizer, messages(2))[0]
    model, _ = tiny_model.with_adapter()
    after_sft, before = answer_logps(model, tokenizer, messages(2))[0], tiny_model.weights(model)
    made = dpo(tmp_path, (model, tokenizer), dpo_learning_rate=0.01)
    run(made)

    def as_reference():
        made.model.set_adapter("ref")
        logps = answer_logps(made.model.eval(), tokenizer, messages(2))[0]
        made.model.set_adapter("default")
        return logps

    assert moved(before, tiny_model.weights(made.model, "ref")) == 0
    assert moved(before, tiny_model.weights(made.model)) > 1e-3
    assert as_reference() == pytest.approx(after_sft, rel=1e-5)
    assert max(abs(a - b) for a, b in zip(after_sft, base, strict=True)) > 0.1
    assert max(abs(a - b) for a, b in zip(answer_logps(model, tokenizer, messages(2))[0], after_sft, strict=True)) > 0.1


def test_dpo_only_measures_against_the_bare_base_and_leaves_it_unchanged(tmp_path):
    model, tokenizer = tiny_model.base()
    base = answer_logps(model, tokenizer, messages(2))[0]
    made = dpo(tmp_path, (model, tokenizer), dpo_learning_rate=0.01)
    run(made)
    with made.model.disable_adapter():
        assert answer_logps(made.model.eval(), tokenizer, messages(2))[0] == pytest.approx(base, rel=1e-6)


def test_dpo_widens_the_margin(tmp_path):
    made = dpo(tmp_path, dpo_learning_rate=0.01, dpo_epochs=6)
    run(made)
    after = proofs.batch_loss(made, 4)
    assert after["margin"] > 0.1 and after["loss"] < math.log(2) - 0.05


LOSSES = {
    "sigmoid": {"dpo_loss_type": ("sigmoid",)},
    "sigmoid+sft": {"dpo_loss_type": ("sigmoid", "sft"), "dpo_loss_weights": (1.0, 0.2)},
    "robust": {"dpo_loss_type": ("robust",), "dpo_label_smoothing": 0.1},
    "ipo": {"dpo_loss_type": ("ipo",)},
    "sigmoid_norm": {"dpo_loss_type": ("sigmoid_norm",)},
}


def expected_loss(name: str, beta: float, policy, reference, counts) -> float:
    """Each loss on one batch, from summed log-probabilities; chosen answers first."""
    half = len(policy) // 2
    ratio = [p - r for p, r in zip(policy, reference, strict=True)]
    mean = [r / n for r, n in zip(ratio, counts, strict=True)]  # per token
    margins = [c - r for c, r in zip(ratio[:half], ratio[half:], strict=True)]
    mean_margins = [c - r for c, r in zip(mean[:half], mean[half:], strict=True)]

    def sigmoid(margin: float) -> float:
        return math.log1p(math.exp(-beta * margin))

    each = {
        "sigmoid": lambda: map(sigmoid, margins),
        # the second loss is the mean over all chosen tokens of the batch
        "sigmoid+sft": lambda: [sigmoid(m) - 0.2 * sum(policy[:half]) / sum(counts[:half]) for m in margins],
        "robust": lambda: [(0.9 * sigmoid(m) - 0.1 * sigmoid(-m)) / 0.8 for m in margins],
        "ipo": lambda: [(m - 1 / (2 * beta)) ** 2 for m in mean_margins],
        "sigmoid_norm": lambda: map(sigmoid, mean_margins),
    }
    return sum(each[name]()) / half


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_is_its_formula_and_makes_a_finite_step(tmp_path, name):
    model, tokenizer = tiny_model.with_adapter()
    reference = answer_logps(model, tokenizer, messages(2))[0]
    made = dpo(tmp_path, (model, tokenizer), rows=2, dpo_epochs=2, dpo_beta=0.2, **LOSSES[name])
    tiny_model.perturb(made.model, seed=1)
    policy, counts = answer_logps(model, tokenizer, messages(2))
    expected = expected_loss(name, 0.2, policy, reference, counts)
    assert proofs.batch_loss(made, 2)["loss"] == pytest.approx(expected, rel=1e-4)

    before = tiny_model.weights(made.model)
    log = run(made)
    assert len(log) == 2 and all(math.isfinite(row["loss"]) and math.isfinite(row["grad_norm"]) for row in log)
    assert 0 < moved(before, tiny_model.weights(made.model)) < 0.01


def test_label_smoothing_is_refused_where_robust_would_divide_by_zero():
    with pytest.raises(ValueError, match="dpo_label_smoothing"):
        tiny_model.params(dpo_loss_type=("robust",), dpo_label_smoothing=0.5)


def test_steps_of_dpo_are_those_that_the_trainer_makes(tmp_path):
    for pairs, changes in ((5, {"dpo_batch_size": 2}), (5, {"dpo_batch_size": 2, "dpo_accumulation": 2})):
        made = dpo(tmp_path, rows=pairs, dpo_epochs=2, **changes)
        run(made)
        P = tiny_model.params(dpo_epochs=2, **changes)
        assert made.state.global_step == steps(P, pairs)
