"""SFT learns the answer and its end alone, and keeps the best epoch."""

import pytest
import tiny_model

from tcm import answers
from tcm_rlaif.models import prompts
from tcm_rlaif.training import proofs
from tcm_rlaif.training.arguments import run
from tcm_rlaif.training.sft import sft_rows, sft_trainer


def sft(folder, rows: int = 4, validation=None, model=None, **changes):
    """An SFT trainer on the first cases."""
    policy, tokenizer = model or tiny_model.base()
    P = tiny_model.params(**{"sft_batch_size": 4, "sft_epochs": 3, **changes})
    data = sft_rows(tiny_model.cases()[:rows])
    return sft_trainer(policy, tokenizer, data, validation, P, seed=0, folder=folder)


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
    log = run(trainer)
    assert log[-1]["loss"] < log[0]["loss"] - 0.05
    assert all(p.equal(base[n]) for n, p in trainer.model.named_parameters() if n in base)


def test_a_batch_of_four_and_two_accumulated_batches_of_two_make_the_same_update(tmp_path):
    logs, weights = [], []
    for name, size, accumulation in (("4x1", 4, 1), ("2x2", 2, 2)):
        trainer = sft(tmp_path / name, sft_batch_size=size, sft_accumulation=accumulation, sft_epochs=2)
        logs.append(run(trainer))
        weights.append(tiny_model.weights(trainer.model))
    assert [len(log) for log in logs] == [2, 2]
    for one, two in zip(*logs, strict=True):
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-3)
        assert one["grad_norm"] == pytest.approx(two["grad_norm"], rel=1e-2)
    changed = sum((w**2).sum() for n, w in weights[0].items() if "lora_B" in n)
    differ = sum(((w - weights[1][n]) ** 2).sum() for n, w in weights[0].items() if "lora_B" in n)
    assert changed > 0 and differ < 0.01 * changed


@pytest.mark.parametrize(("keep", "number"), [("best", 1), ("last", 2)])
def test_the_epoch_that_was_asked_for_is_kept(tmp_path, keep, number):
    from transformers import TrainerCallback

    class Spoil(TrainerCallback):
        def on_epoch_begin(self, args, state, control, model=None, **kwargs):
            if state.epoch >= 2:
                tiny_model.perturb(model, scale=1.0)

    trainer = sft(tmp_path, rows=8, validation=sft_rows(tiny_model.cases()[8:10]), sft_keep=keep)
    trainer.add_callback(Spoil())
    losses = [row["eval_loss"] for row in run(trainer) if "eval_loss" in row]
    assert len(losses) == 3 and losses[2] > losses[1] + 0.1 and losses[1] < losses[0]
    assert trainer.evaluate()["eval_loss"] == pytest.approx(losses[number], rel=1e-5)


def test_the_first_step_has_a_learning_rate(tmp_path):
    assert run(sft(tmp_path, sft_epochs=1))[0]["learning_rate"] > 0


def test_check_lengths_counts_what_the_trainer_counts(tmp_path):
    trainer = sft(tmp_path)
    rows = sft_rows(tiny_model.cases()[:4])
    longest = proofs.check_lengths(trainer.processing_class, rows, 10_000)["longest"]
    assert longest == max(len(row["input_ids"]) for row in trainer.train_dataset)
