"""Training: what the loss is taken on, what DPO starts from, and that saved adapters come back whole."""

import math

import pytest
import tiny_model

from tcm.prescriptions import answers
from tcm_rlaif.models import prompts
from tcm_rlaif.training import proofs
from tcm_rlaif.training import sft as train
from tcm_rlaif.training.health import answer_logps


def sft(folder, rows: int = 4, validation=None, model=None, **changes):
    """An SFT trainer on the first cases."""
    policy, tokenizer = model or tiny_model.base()
    P = tiny_model.params(**{"sft_batch_size": 4, "sft_epochs": 3, **changes})
    data = train.sft_rows(tiny_model.cases()[:rows])
    return train.sft_trainer(policy, tokenizer, data, validation, P, seed=0, folder=folder)


def dpo(folder, model=None, rows: int = 4, **changes):
    """A DPO trainer on the first pairs."""
    policy, tokenizer = model or tiny_model.base()
    P = tiny_model.params(**{"dpo_batch_size": 4, "dpo_epochs": 3, **changes})
    return train.dpo_trainer(policy, tokenizer, tiny_model.pairs(rows), P, seed=0, folder=folder)


def adapter(model, name: str = "default") -> dict:
    """A copy of the weights of one adapter, under names that do not tell which."""
    return {n.replace(f".{name}.", "."): p.detach().clone() for n, p in model.named_parameters() if f".{name}." in n}


def moved(before: dict, after: dict) -> float:
    """Largest absolute change of any weight."""
    assert before.keys() == after.keys() and before
    return max((after[name] - weight).abs().max().item() for name, weight in before.items())


def messages(number: int) -> list:
    """Chosen answers, then rejected ones, with their prompts."""
    rows = tiny_model.pairs(number)
    return [(r["prompt"], r["chosen"]) for r in rows] + [(r["prompt"], r["rejected"]) for r in rows]


# ---- SFT


def test_sft_learns_the_answer_and_its_end_and_nothing_of_the_prompt(tmp_path):
    trainer = sft(tmp_path)
    tokenizer = trainer.processing_class
    for number, case in enumerate(tiny_model.cases()[:4]):
        asked = tokenizer.apply_chat_template(prompts.prompt(case), tokenize=False, add_generation_prompt=True)
        # the line break after the end token belongs to the ChatML layout
        said = answers.write(case.answer) + "<|im_end|>\n"
        assert proofs.supervised(trainer, number) == [(asked, False), (said, True)]


def test_padding_is_not_learned_and_every_end_token_is(tmp_path):
    trainer = sft(tmp_path)
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(4)])
    tokenizer = trainer.processing_class
    padding = batch["input_ids"] == tokenizer.pad_token_id
    assert padding.any() and (batch["labels"][padding] == -100).all()
    assert (batch["labels"] == tokenizer.eos_token_id).sum(1).tolist() == [1, 1, 1, 1]


def test_sft_trains_the_adapter_alone_and_lowers_its_loss(tmp_path):
    trainer = sft(tmp_path, sft_epochs=8)
    base = {n: p.detach().clone() for n, p in trainer.model.named_parameters() if ".default." not in n}
    assert all((".default." in n) == p.requires_grad for n, p in trainer.model.named_parameters())
    log = train.run(trainer)
    assert log[-1]["loss"] < log[0]["loss"] - 0.05
    assert all(p.equal(base[n]) for n, p in trainer.model.named_parameters() if n in base)


def test_a_batch_of_four_and_two_accumulated_batches_of_two_make_the_same_update(tmp_path):
    logs, weights = [], []
    for name, size, accumulation in (("4x1", 4, 1), ("2x2", 2, 2)):
        trainer = sft(tmp_path / name, sft_batch_size=size, sft_accumulation=accumulation, sft_epochs=2)
        logs.append(train.run(trainer))
        weights.append(adapter(trainer.model))
    assert [len(log) for log in logs] == [2, 2]
    for one, two in zip(*logs, strict=True):
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-3)
        assert one["grad_norm"] == pytest.approx(two["grad_norm"], rel=1e-2)
    changed = sum((w**2).sum() for n, w in weights[0].items() if "lora_B" in n)
    differ = sum(((w - weights[1][n]) ** 2).sum() for n, w in weights[0].items() if "lora_B" in n)
    assert changed > 0 and differ < 0.01 * changed


def test_the_epoch_with_the_lowest_validation_loss_is_kept(tmp_path):
    from transformers import TrainerCallback

    class Spoil(TrainerCallback):
        def on_epoch_begin(self, args, state, control, model=None, **kwargs):
            if state.epoch >= 2:
                tiny_model.perturb(model, scale=1.0)

    trainer = sft(tmp_path, validation=train.sft_rows(tiny_model.cases()[8:10]))
    trainer.add_callback(Spoil())
    losses = [row["eval_loss"] for row in train.run(trainer) if "eval_loss" in row]
    assert len(losses) == 3 and losses[2] > losses[1] + 0.1 and losses[1] < losses[0]
    assert trainer.evaluate()["eval_loss"] == pytest.approx(losses[1], rel=1e-5)


def test_the_first_step_has_a_learning_rate(tmp_path):
    assert train.run(sft(tmp_path, sft_epochs=1))[0]["learning_rate"] > 0


def test_a_row_that_is_too_long_is_named_with_its_length():
    _, tokenizer = tiny_model.base()
    rows = tiny_model.pairs(4)
    lengths = [
        max(
            len(tokenizer.apply_chat_template(row["prompt"] + row[field], return_dict=True)["input_ids"])
            for field in ("chosen", "rejected")
        )
        for row in rows
    ]
    longest = max(lengths)
    row = lengths.index(longest)
    message = rf"row {row} \((chosen|rejected)\) has {longest} tokens, sft_max_length is {longest - 1}: raise it"
    with pytest.raises(ValueError, match=message):
        proofs.check_lengths(tokenizer, rows, longest - 1)
    assert proofs.check_lengths(tokenizer, rows, longest) == {"longest": longest, "truncated": 0}


def test_check_lengths_counts_what_the_trainer_counts(tmp_path):
    trainer = sft(tmp_path)
    rows = train.sft_rows(tiny_model.cases()[:4])
    longest = proofs.check_lengths(trainer.processing_class, rows, 10_000)["longest"]
    assert longest == max(len(row["input_ids"]) for row in trainer.train_dataset)


# ---- DPO


@pytest.mark.parametrize("start", ["base", "sft"])
def test_dpo_starts_at_ln_2_with_margin_0(tmp_path, start):
    trainer = dpo(tmp_path, tiny_model.with_adapter() if start == "sft" else None)
    first = proofs.first_loss(trainer)
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert first["margin"] == pytest.approx(0, abs=1e-5)
    assert ("ref" in trainer.model.peft_config) == (start == "sft")
    assert trainer.model.training


@pytest.mark.parametrize("start", ["base", "sft"])
def test_five_lines_of_ours_give_the_trainers_loss_and_margin(tmp_path, start):
    model, tokenizer = tiny_model.with_adapter() if start == "sft" else tiny_model.base()
    reference = answer_logps(model, tokenizer, messages(4))[0]
    trainer = dpo(tmp_path, (model, tokenizer), dpo_beta=0.3)
    tiny_model.perturb(trainer.model, seed=1)
    policy = answer_logps(trainer.model, tokenizer, messages(4))[0]

    rewards = [0.3 * (p - r) for p, r in zip(policy, reference, strict=True)]
    margins = [chosen - rejected for chosen, rejected in zip(rewards[:4], rewards[4:], strict=True)]
    losses = [math.log1p(math.exp(-margin)) for margin in margins]
    theirs = proofs.batch_loss(trainer, 4)
    assert min(map(abs, margins)) > 0.01
    assert theirs["loss"] == pytest.approx(sum(losses) / 4, rel=1e-4)
    assert theirs["margin"] == pytest.approx(sum(margins) / 4, rel=1e-3, abs=1e-4)


def test_the_reference_of_continued_training_is_the_sft_adapter_and_stays(tmp_path):
    model, tokenizer = tiny_model.base()
    base = answer_logps(model, tokenizer, messages(2))[0]
    model, _ = tiny_model.with_adapter()
    after_sft, before = answer_logps(model, tokenizer, messages(2))[0], adapter(model)
    trainer = dpo(tmp_path, (model, tokenizer), dpo_learning_rate=0.01)
    train.run(trainer)

    def as_reference():
        trainer.model.set_adapter("ref")
        logps = answer_logps(trainer.model.eval(), tokenizer, messages(2))[0]
        trainer.model.set_adapter("default")
        return logps

    assert moved(before, adapter(trainer.model, "ref")) == 0
    assert moved(before, adapter(trainer.model)) > 1e-3
    assert as_reference() == pytest.approx(after_sft, rel=1e-5)
    assert max(abs(a - b) for a, b in zip(after_sft, base, strict=True)) > 0.1
    assert max(abs(a - b) for a, b in zip(answer_logps(model, tokenizer, messages(2))[0], after_sft, strict=True)) > 0.1


def test_dpo_only_measures_against_the_bare_base_and_leaves_it_unchanged(tmp_path):
    model, tokenizer = tiny_model.base()
    base = answer_logps(model, tokenizer, messages(2))[0]
    trainer = dpo(tmp_path, (model, tokenizer), dpo_learning_rate=0.01)
    train.run(trainer)
    with trainer.model.disable_adapter():
        assert answer_logps(trainer.model.eval(), tokenizer, messages(2))[0] == pytest.approx(base, rel=1e-6)


def test_dpo_widens_the_margin(tmp_path):
    trainer = dpo(tmp_path, dpo_learning_rate=0.01, dpo_epochs=6)
    train.run(trainer)
    after = proofs.batch_loss(trainer, 4)
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
    trainer = dpo(tmp_path, (model, tokenizer), rows=2, dpo_epochs=2, dpo_beta=0.2, **LOSSES[name])
    tiny_model.perturb(trainer.model, seed=1)
    policy, counts = answer_logps(model, tokenizer, messages(2))
    expected = expected_loss(name, 0.2, policy, reference, counts)
    assert proofs.batch_loss(trainer, 2)["loss"] == pytest.approx(expected, rel=1e-4)

    before = adapter(trainer.model)
    log = train.run(trainer)
    assert len(log) == 2 and all(math.isfinite(row["loss"]) and math.isfinite(row["grad_norm"]) for row in log)
    assert 0 < moved(before, adapter(trainer.model)) < 0.01


def test_label_smoothing_is_refused_where_robust_would_divide_by_zero():
    with pytest.raises(ValueError, match="dpo_label_smoothing"):
        tiny_model.params(dpo_loss_type=("robust",), dpo_label_smoothing=0.5)


def test_steps_of_dpo_are_those_that_the_trainer_makes(tmp_path):
    for pairs, changes in ((5, {"dpo_batch_size": 2}), (5, {"dpo_batch_size": 2, "dpo_accumulation": 2})):
        trainer = dpo(tmp_path, rows=pairs, dpo_epochs=2, **changes)
        train.run(trainer)
        P = tiny_model.params(dpo_epochs=2, **changes)
        assert trainer.state.global_step == train.dpo_steps(P, pairs)


# ---- the control of DPO, and saving


def test_sft_on_chosen_keeps_a_frozen_copy_of_the_sft_adapter(tmp_path):
    model, tokenizer = tiny_model.with_adapter()
    before = adapter(model)
    P = tiny_model.params(dpo_batch_size=2, dpo_accumulation=1, dpo_epochs=1, dpo_learning_rate=0.01)
    trainer = train.sft_chosen_trainer(model, tokenizer, tiny_model.pairs(4), P, seed=0, folder=tmp_path)
    assert proofs.supervised(trainer)[1][0].startswith(tiny_model.pairs(1)[0]["chosen"][0]["content"])
    train.run(trainer)
    assert trainer.state.global_step == 4  # two answer passes, as chosen and rejected make in one epoch of DPO
    assert moved(before, adapter(trainer.model, "ref")) == 0
    assert moved(before, adapter(trainer.model)) > 1e-3


def test_the_copy_of_an_adapter_says_the_same_and_is_not_trained():
    model, tokenizer = tiny_model.with_adapter()
    said = answer_logps(model, tokenizer, messages(2))[0]
    train.copy_adapter(model, "ref")
    assert model.active_adapter == "default"
    assert {n.split(".")[-2] for n, p in model.named_parameters() if p.requires_grad} == {"default"}
    tiny_model.perturb(model, seed=1)
    model.set_adapter("ref")
    assert answer_logps(model, tokenizer, messages(2))[0] == said


def test_a_saved_adapter_comes_back_whole_and_without_the_reference(tmp_path):
    from tcm_rlaif.models.loading import load_policy

    trainer = dpo(tmp_path, tiny_model.with_adapter(), dpo_learning_rate=0.01)
    train.run(trainer)
    trainer.model.save_pretrained(tmp_path / "adapter", selected_adapters=["default"])
    policy = train.trained(trainer)
    loaded, tokenizer = load_policy(str(tiny_model.folder()), tmp_path / "adapter", tiny_model.params())
    text = prompts.case_text(tiny_model.cases()[0])
    assert proofs.largest_difference(policy, loaded, tokenizer, text) == 0
    assert proofs.largest_difference(policy, tiny_model.with_adapter()[0], tokenizer, text) > 1e-3
    assert [p.name for p in (tmp_path / "adapter").iterdir() if p.is_dir()] == []


def test_an_interrupted_run_goes_on_from_its_checkpoint_to_the_same_weights(tmp_path):
    from transformers import TrainerCallback

    class Interrupt(TrainerCallback):
        def on_epoch_begin(self, args, state, control, **kwargs):
            if state.epoch >= 1:
                raise KeyboardInterrupt

    validation = train.sft_rows(tiny_model.cases()[8:10])
    whole = sft(tmp_path / "whole", validation=validation)
    train.run(whole)
    broken = sft(tmp_path / "broken", validation=validation)
    broken.add_callback(Interrupt())
    with pytest.raises(KeyboardInterrupt):
        train.run(broken)
    assert broken.state.global_step == 1
    resumed = sft(tmp_path / "broken", validation=validation)
    log = train.run(resumed)
    assert [row["step"] for row in log if "loss" in row] == [1, 2, 3]
    assert moved(adapter(whole.model), adapter(resumed.model)) < 1e-6
