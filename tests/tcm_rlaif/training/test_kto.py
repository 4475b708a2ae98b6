"""KTO learns DPO's answers one by one: labels by side, a KL from answers that do not belong, good ones more likely."""

import tiny_model

from tcm_rlaif.models.logps import answer_logps
from tcm_rlaif.training import dpo, kto
from tcm_rlaif.training.adapters import trained
from tcm_rlaif.training.arguments import run


def _trainer(folder, **changed):
    model, tokenizer = tiny_model.with_adapter()
    settings = {"dpo_batch_size": 2, "dpo_accumulation": 1, "dpo_epochs": 1, "dpo_learning_rate": 0.01} | changed
    P = tiny_model.params(**settings)
    return kto.trainer(model, tokenizer, tiny_model.pairs(4), P, seed=0, folder=folder), tokenizer, P


def test_answers_carry_their_side_and_beside_each_stands_one_that_does_not_belong(tmp_path):
    trainer, tokenizer, _ = _trainer(tmp_path)
    rows = list(trainer.train_dataset)
    sides = {side: {row[side][0]["content"] for row in tiny_model.pairs(4)} for side in ("chosen", "rejected")}
    assert len(rows) == 8 and sum(row["label"] for row in rows) == 4
    for place, row in enumerate(rows):
        said = tokenizer.decode(row["completion_ids"], skip_special_tokens=True).strip()
        assert any(text.startswith(said) for text in sides["chosen" if row["label"] else "rejected"])
        before = [rows[place - back] for back in range(1, 8)]
        other = next(one for one in before if one["prompt_ids"] != row["prompt_ids"])
        assert row["KL_completion_ids"] == other["completion_ids"]


def test_training_makes_the_steps_that_are_announced_and_prefers_the_good_answers(tmp_path):
    trainer, tokenizer, P = _trainer(tmp_path, dpo_epochs=8)
    pairs = [(row["prompt"], row[side]) for side in ("chosen", "rejected") for row in tiny_model.pairs(4)]

    def margin() -> float:
        logps, _ = answer_logps(trainer.model, tokenizer, pairs)
        return sum(logps[:4]) - sum(logps[4:])

    before = margin()
    run(trainer)
    assert trainer.state.global_step == dpo.steps(P, 4)
    trained(trainer)
    assert margin() > before
